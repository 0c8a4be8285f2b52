//! Where the parts of a program go: fixed distances, or random ones that make addresses hard to guess.
//!
//! Amounts and alignments are those of Linux on x86_64 for both machines (Linux's defaults for aarch64 are
//! smaller, but user memory is no smaller there). The vDSO and the interpreter follow the place of mappings.

use core::sync::atomic::{AtomicI32, Ordering};

use los_abi::credentials::Personality;
use los_arch::Current;
use los_arch::hal::PAGE_SIZE;
use los_arch::hal::prelude::Paging;

const PAGE_BYTES: u64 = PAGE_SIZE as u64;

/// Where movable programs with an interpreter go: two thirds up the user half (Linux's ELF_ET_DYN_BASE).
const MOVABLE_BASE: u64 = Current::USER_END / 3 * 2;
/// Least and most room for the stack below its highest top, whatever RLIMIT_STACK says.
const STACK_ROOM_MIN_BYTES: u64 = 128 << 20;
const STACK_ROOM_MAX_BYTES: u64 = Current::USER_END / 6 * 5;
/// What mappings keep from the stack's end (Linux's stack_guard_gap).
const STACK_GAP_BYTES: u64 = 1 << 20;

/// Random pages between the end of user memory and the stack.
const STACK_RANDOM_PAGES: u64 = 1 << 22;
/// Random pages between the stack's room and mappings, and above [`MOVABLE_BASE`].
const MAP_RANDOM_PAGES: u64 = 1 << 28;
/// Random bytes between a program's data and the break area.
const BREAK_RANDOM_BYTES: u64 = 1 << 30;
/// Random bytes between the strings on the stack and what is below them.
const STACK_SHIFT_BYTES: u64 = 8192;

/// The setting `kernel.randomize_va_space`: 0 nothing is random, 1 all but the break area, 2 all.
static RANDOMIZE: AtomicI32 = AtomicI32::new(2);

/// Returns the setting `kernel.randomize_va_space`.
pub fn randomization() -> i32 {
    RANDOMIZE.load(Ordering::Relaxed)
}

/// Sets `kernel.randomize_va_space` for programs that start from now on.
pub fn set_randomization(value: i32) {
    RANDOMIZE.store(value, Ordering::Relaxed);
}

/// The places for one program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Layout {
    /// One past the stack's highest byte.
    pub(super) stack_top: u64,
    /// Bytes between the strings on the stack and what is below them.
    pub(super) stack_shift: u64,
    /// The address below which mappings are placed.
    pub(super) mmap_base: u64,
    /// Where a movable program with an interpreter starts; to be rounded down to its alignment.
    pub(super) movable_base: u64,
    /// Bytes between the end of a program's data and its break area.
    pub(super) break_gap: u64,
}

impl Layout {
    /// Chooses the places for a program with this personality and stack limit.
    pub(super) fn choose(personality: Personality, stack_limit: u64) -> Self {
        let setting = randomization();
        if setting == 0 || personality.contains(Personality::ADDR_NO_RANDOMIZE) {
            return Self::from_random(None, stack_limit);
        }
        let mut bytes = [0; 40];
        vfs::random::fill(&mut bytes);
        let mut words = [0; 5];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_ne_bytes(*bytes);
        }
        if setting == 1 {
            words[4] = 0;
        }
        Self::from_random(Some(words), stack_limit)
    }

    /// Computes the places from random words, one for each.
    fn from_random(random: Option<[u64; 5]>, stack_limit: u64) -> Self {
        let [stack, shift, map, movable, gap] = random.unwrap_or_default();
        let stack_random_max = match random {
            Some(_) => STACK_RANDOM_PAGES * PAGE_BYTES,
            None => 0,
        };
        let room = stack_limit
            .saturating_add(stack_random_max + STACK_GAP_BYTES)
            .clamp(STACK_ROOM_MIN_BYTES, STACK_ROOM_MAX_BYTES);
        let pages = |word: u64, count: u64| word % count * PAGE_BYTES;
        Self {
            stack_top: Current::USER_END - pages(stack, STACK_RANDOM_PAGES),
            stack_shift: shift % STACK_SHIFT_BYTES,
            mmap_base: (Current::USER_END - room - pages(map, MAP_RANDOM_PAGES)) & !(PAGE_BYTES - 1),
            movable_base: (MOVABLE_BASE & !(PAGE_BYTES - 1)) + pages(movable, MAP_RANDOM_PAGES),
            break_gap: pages(gap, BREAK_RANDOM_BYTES / PAGE_BYTES),
        }
    }

    /// Returns where the break area starts. A program without an interpreter that can be anywhere lies among
    /// the mappings, where there is no room to grow: it gets the place that others of its kind have.
    pub(super) fn break_start(&self, end_of_data: u64, is_among_mappings: bool) -> u64 {
        let start = if is_among_mappings {
            MOVABLE_BASE
        } else {
            end_of_data
        };
        start.next_multiple_of(PAGE_BYTES) + self.break_gap
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn without_chance_everything_is_at_its_end() {
        let layout = Layout::choose(Personality::ADDR_NO_RANDOMIZE, 8 << 20);
        assert_eq!(layout, Layout::from_random(None, 8 << 20));
        assert_eq!(layout.stack_top, Current::USER_END);
        assert_eq!(layout.mmap_base, Current::USER_END - STACK_ROOM_MIN_BYTES);
        assert_eq!((layout.stack_shift, layout.break_gap), (0, 0));
        assert_eq!(layout.movable_base, 0x5555_5555_4000);
        assert_eq!(layout.break_start(0x40_1234, false), 0x40_2000);
    }

    #[test]
    fn chance_moves_everything() {
        let layouts = [(); 2].map(|()| Layout::choose(Personality::empty(), 8 << 20));
        let [one, other] = layouts;
        assert_ne!(one.stack_top, other.stack_top);
        assert_ne!(one.mmap_base, other.mmap_base);
        assert_ne!(one.movable_base, other.movable_base);
    }

    proptest! {
        #[test]
        fn the_stack_has_room_and_places_are_pages(random: [u64; 5], stack_limit: u64) {
            let layout = Layout::from_random(Some(random), stack_limit);
            let places = [layout.stack_top, layout.mmap_base, layout.movable_base, layout.break_gap];
            prop_assert!(places.iter().all(|place| place.is_multiple_of(PAGE_BYTES)));
            prop_assert!(layout.stack_top <= Current::USER_END);
            // Mappings end below the stack as far as it may grow, unless it may take all.
            let room = stack_limit.min(STACK_ROOM_MAX_BYTES / 2);
            prop_assert!(layout.mmap_base + room < layout.stack_top);
            prop_assert!(layout.mmap_base > Current::USER_START);
            prop_assert!(layout.movable_base < layout.mmap_base || stack_limit > 1 << 40);
        }
    }
}
