//! Sixteen bytes of book-keeping for every frame, in arrays that were carved out of RAM at start: one array
//! for each span of memory, since holes between them may be huge.

use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use core::{ptr, slice};

use arrayvec::ArrayVec;
use los_arch::Current;
use los_arch::hal::prelude::*;
use los_arch::hal::{PAGE_SHIFT, PhysAddr, PhysRange};
use sync::Once;

use super::layout::MAX_RANGES;

/// In `meta` of an allocated frame: instruction fetch sees the contents.
pub(super) const INSTRUCTIONS_SYNCHRONISED: u32 = 1;
/// In `meta` of an allocated frame: it is, or was, a page of an object.
pub(super) const CACHED: u32 = 2;
/// In `meta` of a free frame: it is in the pool of single frames.
pub(super) const POOLED: u32 = u32::MAX;

/// What is known about one frame. Whoever owns the frame in its present state owns the fields.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct PageInfo {
    /// References; 1 for pages of the kernel's own, 0 for free and reserved ones.
    pub(crate) count: AtomicU32,
    /// Number of the next frame in the list that this one is in, 0 at its end.
    pub(crate) next: AtomicU32,
    /// Number of the previous frame, where lists need it.
    pub(crate) previous: AtomicU32,
    /// Flags of a frame, or the state of a heap page.
    pub(crate) meta: AtomicU32,
}

struct Span {
    first: u32,
    infos: &'static [PageInfo],
}

/// The largest span once more, for the shortest way to most frames; the length is 0 before `init`.
static MAIN_FIRST: AtomicU32 = AtomicU32::new(0);
static MAIN_FRAMES: AtomicU32 = AtomicU32::new(0);
static MAIN_INFOS: AtomicPtr<PageInfo> = AtomicPtr::new(ptr::null_mut());

static SPANS: Once<ArrayVec<Span, MAX_RANGES>> = Once::new();

/// Returns the bytes that the infos for these spans take.
pub(super) fn bytes_for(spans: &[PhysRange]) -> u64 {
    let frames: u64 = spans.iter().map(|span| span.len() >> PAGE_SHIFT).sum();
    frames * size_of::<PageInfo>() as u64
}

/// Sets up the infos of all frames of `spans` in the memory at `place`; false when there is none.
pub(super) fn init(spans: &[PhysRange], place: Option<PhysAddr>) -> bool {
    let Some(mut place) = place else {
        return false;
    };
    SPANS.call_once(|| {
        let mut list = ArrayVec::new();
        for span in spans {
            let frames = (span.len() >> PAGE_SHIFT) as usize;
            let infos = Current::direct_map(place).cast::<PageInfo>();
            // SAFETY: `layout` set this memory aside for the infos of exactly these spans, within reach.
            unsafe { ptr::write_bytes(infos, 0, frames) };
            // SAFETY: zeroed above, never freed, and aligned since the place is a page and sizes are
            // multiples of the struct's.
            let infos = unsafe { slice::from_raw_parts(infos.cast_const(), frames) };
            let first = (span.start.as_u64() >> PAGE_SHIFT) as u32;
            list.push(Span { first, infos });
            place = place + (frames * size_of::<PageInfo>()) as u64;
        }
        // Most look-ups are for the largest span.
        list.sort_unstable_by_key(|span| core::cmp::Reverse(span.infos.len()));
        list
    });
    if let Some(main) = SPANS
        .get()
        .and_then(|list: &ArrayVec<Span, MAX_RANGES>| list.first())
    {
        MAIN_FIRST.store(main.first, Ordering::Relaxed);
        MAIN_INFOS.store(main.infos.as_ptr().cast_mut(), Ordering::Relaxed);
        MAIN_FRAMES.store(main.infos.len() as u32, Ordering::Release);
    }
    true
}

/// Returns the info of a frame of RAM.
///
/// # Panics
/// When the number is not one of a frame of RAM.
#[inline]
pub(crate) fn info(number: u32) -> &'static PageInfo {
    let frames = MAIN_FRAMES.load(Ordering::Acquire);
    let index = number.wrapping_sub(MAIN_FIRST.load(Ordering::Relaxed));
    if index < frames {
        // SAFETY: the length was published after the array, which holds that many infos.
        let info = unsafe { MAIN_INFOS.load(Ordering::Relaxed).add(index as usize) };
        // SAFETY: the infos are never freed and shared by all.
        return unsafe { &*info };
    }
    find(number)
}

#[cold]
fn find(number: u32) -> &'static PageInfo {
    let spans = SPANS.get().into_iter().flatten();
    let mut infos = spans.filter_map(|span| span.infos.get(number.wrapping_sub(span.first) as usize));
    infos.next().expect("a frame of RAM")
}

/// Calls `visit` with the first frame number and the infos of every span.
pub(super) fn for_each_span(mut visit: impl FnMut(u32, &'static [PageInfo])) {
    for span in SPANS.get().into_iter().flatten() {
        visit(span.first, span.infos);
    }
}

/// Appends the parts of a page-aligned range that have infos.
pub(super) fn managed_parts(range: PhysRange, parts: &mut ArrayVec<PhysRange, MAX_RANGES>) {
    for_each_span(|first, infos| {
        let start = u64::from(first) << PAGE_SHIFT;
        let end = start + ((infos.len() as u64) << PAGE_SHIFT);
        let part = PhysRange {
            start: PhysAddr::new(range.start.as_u64().max(start)),
            end: PhysAddr::new(range.end.as_u64().min(end)),
        };
        if !part.is_empty() && !parts.is_full() {
            parts.push(part);
        }
    });
}

/// Marks a frame as allocated with one reference and no flags.
#[inline]
pub(super) fn mark_allocated(info: &PageInfo) {
    info.count.store(1, Ordering::Relaxed);
    info.meta.store(0, Ordering::Relaxed);
}
