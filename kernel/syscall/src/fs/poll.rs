//! Waiting for files: poll(2) and select(2).

use alloc::vec::Vec;
use core::mem::offset_of;

use arrayvec::ArrayVec;
use los_abi::credentials::Personality;
use los_abi::errno::Errno;
use los_abi::poll::{PollEvents, PollFd};
use los_abi::resource::RLIMIT_NOFILE;
use los_abi::signal::{SIGSET_SIZE, SigSet, SigSetArgument};
use los_abi::syscall::{Fd, UserPtr};
use los_abi::time::{Timespec, Timeval};
use sync::{Error, Restart, Result, now_ns};
use task::{Context, signal};
use vfs::multiplex::{self, PollFailure, PollItem};

const WORD_BITS: usize = u64::BITS as usize;
/// This many requests of a poll are kept on the stack.
const FEW: usize = 16;
/// Files that are looked up at a time.
const PIECE: usize = 256;

pub(crate) fn poll(ctx: &Context<'_>, fds: UserPtr<PollFd>, count: u32, timeout_ms: i32) -> Result<usize> {
    let timeout_ns = u64::try_from(timeout_ms).ok().map(|ms| ms * 1_000_000);
    poll_until(ctx, fds, count, deadline(timeout_ns))
}

pub(crate) fn ppoll(
    ctx: &Context<'_>,
    fds: UserPtr<PollFd>,
    count: u32,
    timeout: UserPtr<Timespec>,
    mask: UserPtr<SigSet>,
    mask_size: usize,
) -> Result<usize> {
    let deadline_ns = deadline(read_timeout(ctx, timeout)?);
    if !mask.is_null() {
        set_mask(ctx, mask, mask_size)?;
    }
    let result = poll_until(ctx, fds, count, deadline_ns);
    store_rest(ctx, timeout, deadline_ns, result)
}

/// Turns a duration into a monotonic deadline; 0 stays 0 and means not to wait.
pub(super) fn deadline(timeout_ns: Option<u64>) -> Option<u64> {
    timeout_ns.map(|ns| if ns == 0 { 0 } else { now_ns().saturating_add(ns) })
}

pub(super) fn read_timeout(ctx: &Context<'_>, timeout: UserPtr<Timespec>) -> Result<Option<u64>> {
    if timeout.is_null() {
        return Ok(None);
    }
    let time = ctx.memory().read(timeout)?;
    Ok(Some(time.to_ns().ok_or(Errno::EINVAL)?))
}

/// Stores what is left of the time and passes the result on. A program that passed constants keeps them; its
/// call is not made again, since it would wait for the whole time again.
fn store_rest(
    ctx: &Context<'_>,
    timeout: UserPtr<Timespec>,
    deadline_ns: Option<u64>,
    result: Result<usize>,
) -> Result<usize> {
    let Some(deadline_ns) = deadline_ns else {
        return result;
    };
    let rest = Timespec::from_ns(deadline_ns.saturating_sub(now_ns()));
    let is_told = !keeps_timeouts(ctx) && ctx.memory().write(timeout, &rest).is_ok();
    unless_untold(result, is_told)
}

/// Tells whether the program wants its timeouts left alone (personality(2)).
fn keeps_timeouts(ctx: &Context<'_>) -> bool {
    let personality = ctx.thread.attributes.personality();
    personality.contains(Personality::STICKY_TIMEOUTS)
}

/// Ends a call that would be made again where what is left of the time could not be stored.
fn unless_untold(result: Result<usize>, is_told: bool) -> Result<usize> {
    match result {
        Err(Error::Restart(_)) if !is_told => Err(Errno::EINTR.into()),
        result => result,
    }
}

pub(super) fn set_mask(ctx: &Context<'_>, mask: UserPtr<SigSet>, mask_size: usize) -> Result<()> {
    if mask_size != SIGSET_SIZE {
        return Err(Errno::EINVAL.into());
    }
    let mask = ctx.memory().read(mask)?;
    signal::set_mask_for_call(ctx.thread, mask);
    Ok(())
}

fn poll_until(
    ctx: &Context<'_>,
    fds: UserPtr<PollFd>,
    count: u32,
    deadline_ns: Option<u64>,
) -> Result<usize> {
    if u64::from(count) > ctx.process.limits().soft(RLIMIT_NOFILE) {
        return Err(Errno::EINVAL.into());
    }
    let count = count as usize;
    let mut few = [PollFd::default(); FEW];
    let mut many = Vec::new();
    let requests = if count <= FEW {
        &mut few[..count]
    } else {
        many.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
        many.resize(count, PollFd::default());
        &mut many[..]
    };
    ctx.memory().read_values(fds, requests)?;
    let mut few = ArrayVec::<PollItem, FEW>::new();
    let mut many = Vec::new();
    let items = if requests.len() <= FEW {
        look_up(ctx, requests, &mut few);
        &mut few[..]
    } else {
        many.try_reserve_exact(requests.len())
            .map_err(|_| Errno::ENOMEM)?;
        look_up(ctx, requests, &mut many);
        &mut many[..]
    };
    let ready = wait(items, deadline_ns)?;
    for (index, (request, item)) in requests.iter().zip(items).enumerate() {
        if index % PIECE == PIECE - 1 && !sync::give_way() {
            return Err(Errno::EINTR.into());
        }
        // What is there already is not stored again, but memory that cannot be written is always found.
        let found = item.found.bits();
        if found != request.revents || index % FEW == 0 {
            let place = fds.offset_elements(index).ok_or(Errno::EFAULT)?;
            let place = place.addr().wrapping_add(offset_of!(PollFd, revents) as u64);
            ctx.memory().write(UserPtr::new(place), &found)?;
        }
    }
    Ok(ready)
}

/// Adds the items of descriptors: negative ones are passed over, closed ones are invalid.
fn look_up(ctx: &Context<'_>, requests: &[PollFd], items: &mut impl Extend<PollItem>) {
    // In pieces, since the table is locked for each.
    for (index, piece) in requests.chunks(PIECE).enumerate() {
        if index > 0 {
            // Who is to die is told where it waits.
            sync::give_way();
        }
        let files = ctx.files().view();
        items.extend(piece.iter().map(|request| {
            let file = files.get(Fd(request.fd)).cloned();
            let found = if file.is_none() && request.fd >= 0 {
                PollEvents::NVAL
            } else {
                PollEvents::empty()
            };
            PollItem {
                file,
                wanted: PollEvents::from_bits_retain(request.events),
                found,
            }
        }));
    }
}

fn wait(items: &mut [PollItem], deadline_ns: Option<u64>) -> Result<usize> {
    multiplex::poll(items, deadline_ns).map_err(|failure| match failure {
        // Linux's poll and select are made again only when no handler ran.
        PollFailure::Interrupted => Error::Restart(Restart::NoHand),
        PollFailure::NoMemory => Errno::ENOMEM.into(),
    })
}

pub(crate) fn select(
    ctx: &Context<'_>,
    count: i32,
    read: UserPtr<u64>,
    write: UserPtr<u64>,
    except: UserPtr<u64>,
    timeout: UserPtr<Timeval>,
) -> Result<usize> {
    let timeout_ns = if timeout.is_null() {
        None
    } else {
        let time = ctx.memory().read(timeout)?;
        if time.tv_sec < 0 || time.tv_usec < 0 {
            return Err(Errno::EINVAL.into());
        }
        Some(
            (time.tv_sec as u64)
                .saturating_mul(1_000_000_000)
                .saturating_add(time.tv_usec as u64 * 1000),
        )
    };
    let deadline_ns = deadline(timeout_ns);
    let result = select_until(ctx, count, [read, write, except], deadline_ns);
    if let Some(deadline_ns) = deadline_ns {
        let rest = Timeval::from_ns(deadline_ns.saturating_sub(now_ns()));
        let is_told = !keeps_timeouts(ctx) && ctx.memory().write(timeout, &rest).is_ok();
        return unless_untold(result, is_told);
    }
    result
}

pub(crate) fn pselect6(
    ctx: &Context<'_>,
    count: i32,
    read: UserPtr<u64>,
    write: UserPtr<u64>,
    except: UserPtr<u64>,
    timeout: UserPtr<Timespec>,
    mask: UserPtr<SigSetArgument>,
) -> Result<usize> {
    let deadline_ns = deadline(read_timeout(ctx, timeout)?);
    if !mask.is_null() {
        let argument = ctx.memory().read(mask)?;
        if argument.set != 0 {
            set_mask(ctx, UserPtr::new(argument.set), argument.size as usize)?;
        }
    }
    let result = select_until(ctx, count, [read, write, except], deadline_ns);
    store_rest(ctx, timeout, deadline_ns, result)
}

/// What each of the three sets asks for.
const ASKED: [PollEvents; 3] = [
    PollEvents::SELECT_READ,
    PollEvents::SELECT_WRITE,
    PollEvents::SELECT_EXCEPT,
];

/// Words of a set of this many descriptors are kept on the stack, three asked and three answered.
const FEW_WORDS: usize = 16;
/// Words whose descriptors are looked up at a time.
const PIECE_WORDS: usize = PIECE / WORD_BITS;

/// The three sets of a call, one bit a descriptor, and what each answers.
struct Sets<'a> {
    asked: [&'a mut [u64]; 3],
    found: [&'a mut [u64]; 3],
}

impl<'a> Sets<'a> {
    /// Makes empty sets of so many words in storage that has six times as many.
    fn new(storage: &'a mut [u64], words: usize) -> Self {
        let (asked, found) = storage.split_at_mut(3 * words);
        Self {
            asked: thirds(asked, words),
            found: thirds(found, words),
        }
    }

    fn words(&self) -> usize {
        self.asked[0].len()
    }

    /// Removes the descriptors from `count` on, which is in the last word or right behind it.
    fn cut_off(&mut self, count: usize) {
        if !count.is_multiple_of(WORD_BITS) {
            for set in &mut self.asked {
                set[count / WORD_BITS] &= (1 << (count % WORD_BITS)) - 1;
            }
        }
    }

    /// Returns the descriptors of one word that are in any set.
    fn any(&self, word: usize) -> u64 {
        self.asked.iter().fold(0, |any, set| any | set[word])
    }

    fn members(&self) -> usize {
        (0..self.words())
            .map(|word| self.any(word).count_ones() as usize)
            .sum()
    }

    /// Makes an item for each descriptor that is in any set, in ascending order.
    fn items(&self, ctx: &Context<'_>, mut store: impl FnMut(PollItem)) -> Result<()> {
        // In pieces, since the table is locked for each.
        for first in (0..self.words()).step_by(PIECE_WORDS) {
            if first > 0 && !sync::give_way() {
                return Err(Errno::EINTR.into());
            }
            let files = ctx.files().view();
            for word in first..self.words().min(first + PIECE_WORDS) {
                for bit in bits_of(self.any(word)) {
                    let fd = word * WORD_BITS + bit.trailing_zeros() as usize;
                    let file = files.get(Fd(fd as i32)).cloned().ok_or(Errno::EBADF)?;
                    store(PollItem {
                        file: Some(file),
                        wanted: self.wanted(word, bit),
                        found: PollEvents::empty(),
                    });
                }
            }
        }
        Ok(())
    }

    /// Returns what the sets ask of the descriptor of one bit.
    fn wanted(&self, word: usize, bit: u64) -> PollEvents {
        let asking = self
            .asked
            .iter()
            .zip(ASKED)
            .filter(|(set, _)| set[word] & bit != 0);
        asking.fold(PollEvents::empty(), |all, (_, events)| all | events)
    }

    /// Puts the answers of the items that [`items`](Self::items) made into the sets, and returns how many bits are
    /// set.
    fn collect(&mut self, items: &[PollItem]) -> usize {
        let mut items = items.iter();
        let mut ready = 0;
        for word in 0..self.words() {
            for (bit, item) in bits_of(self.any(word)).zip(&mut items) {
                if item.found.is_empty() {
                    continue;
                }
                for ((asked, found), events) in self.asked.iter().zip(&mut self.found).zip(ASKED) {
                    if asked[word] & bit != 0 && item.found.intersects(events) {
                        found[word] |= bit;
                        ready += 1;
                    }
                }
            }
        }
        ready
    }
}

fn thirds(words: &mut [u64], each: usize) -> [&mut [u64]; 3] {
    let (first, rest) = words.split_at_mut(each);
    let (second, third) = rest.split_at_mut(each);
    [first, second, third]
}

/// Returns the bits of a word one by one, each at its place, from the lowest.
fn bits_of(word: u64) -> impl Iterator<Item = u64> {
    let rest = |left: &u64| Some(left & (left - 1)).filter(|&rest| rest != 0);
    let first = Some(word).filter(|&word| word != 0);
    core::iter::successors(first, rest).map(|left| left & left.wrapping_neg())
}

fn select_until(
    ctx: &Context<'_>,
    count: i32,
    places: [UserPtr<u64>; 3],
    deadline_ns: Option<u64>,
) -> Result<usize> {
    // Beyond its table of files a process has no descriptors, and Linux does not look there.
    let count = usize::try_from(count)
        .map_err(|_| Errno::EINVAL)?
        .min(ctx.files().size());
    let words = count.div_ceil(WORD_BITS);
    let mut few = [0; 6 * FEW_WORDS];
    let mut many = Vec::new();
    let storage = if words <= FEW_WORDS {
        &mut few[..6 * words]
    } else {
        many.try_reserve_exact(6 * words).map_err(|_| Errno::ENOMEM)?;
        many.resize(6 * words, 0);
        &mut many[..]
    };
    let mut sets = Sets::new(storage, words);
    for (place, asked) in places.iter().zip(&mut sets.asked) {
        if !place.is_null() {
            ctx.memory().read_values(*place, asked)?;
        }
    }
    sets.cut_off(count);
    let mut few = ArrayVec::<PollItem, FEW>::new();
    let mut many = Vec::new();
    let members = sets.members();
    let items = if members <= FEW {
        sets.items(ctx, |item| few.push(item))?;
        &mut few[..]
    } else {
        many.try_reserve_exact(members).map_err(|_| Errno::ENOMEM)?;
        sets.items(ctx, |item| many.push(item))?;
        &mut many[..]
    };
    wait(items, deadline_ns)?;
    let ready = sets.collect(items);
    for (place, found) in places.iter().zip(&sets.found) {
        if !place.is_null() {
            ctx.memory().write_values(*place, found)?;
        }
    }
    Ok(ready)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(storage: &mut [u64; 12], read: u64, write: u64) -> Sets<'_> {
        let sets = Sets::new(storage, 2);
        sets.asked[0][0] = read;
        sets.asked[1][1] = write;
        sets
    }

    #[test]
    fn descriptors_from_the_count_on_are_cut_off() {
        let cut = |count| {
            let mut storage = [0; 12];
            let mut sets = sets(&mut storage, u64::MAX, u64::MAX);
            sets.cut_off(count);
            (sets.asked[0][0], sets.asked[1][1])
        };
        assert_eq!(cut(3), (7, u64::MAX));
        assert_eq!(cut(64), (u64::MAX, u64::MAX));
        assert_eq!(cut(65), (u64::MAX, 1));
        assert_eq!(cut(128), (u64::MAX, u64::MAX));
    }

    #[test]
    fn answers_go_to_the_sets_that_asked() {
        let mut storage = [0; 12];
        let mut sets = sets(&mut storage, 0b1010, 0b1);
        let answers = [PollEvents::OUT, PollEvents::IN, PollEvents::OUT];
        let items = answers.map(|found| PollItem {
            file: None,
            wanted: PollEvents::empty(),
            found,
        });
        assert_eq!(sets.members(), 3);
        assert_eq!(sets.collect(&items), 2);
        assert_eq!((sets.found[0][0], sets.found[1][1]), (0b1000, 0b1));
    }

    #[test]
    fn bits_are_told_apart() {
        assert_eq!(bits_of(0).count(), 0);
        assert_eq!(bits_of(1 << 63 | 0b101).collect::<Vec<_>>(), [1, 4, 1 << 63]);
        assert_eq!(bits_of(u64::MAX).count(), 64);
    }
}
