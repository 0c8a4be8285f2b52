//! Pages cut into objects of one size. The page's info holds the list of its free objects and how many are
//! taken; pages with free objects are linked by class.

use core::sync::atomic::Ordering;

use los_arch::hal::PAGE_SIZE;
use sync::{Rank, SpinLock, SpinLockGuard};

use super::{CLASSES, GRAIN, frame_of, pointer};
use crate::frames::{self, FrameNumber, PageInfo, Purpose, info};

/// By class, the first page that has free objects; 0 for none.
static PARTIAL: SpinLock<[u32; CLASSES.len()]> = SpinLock::new(Rank::HeapSlabs, [0; CLASSES.len()]);

/// The pages of one class, locked.
pub(super) struct Slabs {
    heads: SpinLockGuard<'static, [u32; CLASSES.len()]>,
    class: usize,
}

/// Locks the pages of a class.
pub(super) fn lock(class: usize) -> Slabs {
    Slabs {
        heads: PARTIAL.lock(),
        class,
    }
}

/// Returns pages without taken objects to the frames; one of each class may have been kept.
pub(super) fn release_empty() {
    for class in 0..CLASSES.len() {
        let mut slabs = lock(class);
        let mut number = slabs.heads[class];
        while let Some(page) = FrameNumber::new(number) {
            number = info(number).next.load(Ordering::Relaxed);
            if State::of(info(page.get())).taken == 0 {
                slabs.unlink(page);
                frames::free_raw(page);
            }
        }
    }
}

/// `PageInfo::meta` of a slab page, unpacked.
#[derive(Clone, Copy)]
struct State {
    /// The first free object: its offset in grains plus 1, or 0.
    free: u16,
    /// Objects that are not in the page's list.
    taken: u16,
}

impl State {
    fn of(info: &PageInfo) -> Self {
        let packed = info.meta.load(Ordering::Relaxed);
        Self {
            free: (packed >> 16) as u16,
            taken: packed as u16,
        }
    }

    fn store(self, info: &PageInfo) {
        let packed = u32::from(self.free) << 16 | u32::from(self.taken);
        info.meta.store(packed, Ordering::Relaxed);
    }
}

impl Slabs {
    /// Takes a free object.
    pub(super) fn take(&mut self) -> Option<*mut u8> {
        let page = match FrameNumber::new(self.heads[self.class]) {
            Some(page) => page,
            None => self.grow()?,
        };
        let info = info(page.get());
        let mut state = State::of(info);
        let object = pointer(page).wrapping_add((usize::from(state.free) - 1) * GRAIN);
        // SAFETY: free objects of a slab page hold the index of the next one, written by `give` or `grow`;
        // the page has one, since it is in the list.
        state.free = unsafe { object.cast::<u16>().read() };
        state.taken += 1;
        state.store(info);
        if state.free == 0 {
            self.unlink(page);
        }
        Some(object)
    }

    /// Takes a free object back.
    ///
    /// # Safety
    /// The object came from `take` of the same class and nothing uses it.
    pub(super) unsafe fn give(&mut self, object: *mut u8) {
        let Some(page) = frame_of(object) else {
            return;
        };
        let info = info(page.get());
        let mut state = State::of(info);
        let was_full = state.free == 0;
        // SAFETY: the object is free and at least a grain large; nobody else writes to it.
        unsafe { object.cast::<u16>().write(state.free) };
        state.free = ((object.addr() % PAGE_SIZE) / GRAIN) as u16 + 1;
        state.taken -= 1;
        state.store(info);
        if was_full {
            self.link(page);
        } else if state.taken == 0 && !self.is_only(page) {
            self.unlink(page);
            frames::free_raw(page);
        }
    }

    /// Adds a page of free objects.
    fn grow(&mut self) -> Option<FrameNumber> {
        let page = frames::allocate_raw(Purpose::Kernel)?;
        let grains = usize::from(CLASSES[self.class]) / GRAIN;
        let objects = PAGE_SIZE / usize::from(CLASSES[self.class]);
        let mut next = 0;
        for index in (0..objects).rev() {
            let object = pointer(page).wrapping_add(index * grains * GRAIN);
            // SAFETY: the page was allocated just now and the object lies in it.
            unsafe { object.cast::<u16>().write(next) };
            next = (index * grains) as u16 + 1;
        }
        State { free: next, taken: 0 }.store(info(page.get()));
        self.link(page);
        Some(page)
    }

    fn link(&mut self, page: FrameNumber) {
        let head = &mut self.heads[self.class];
        info(page.get()).next.store(*head, Ordering::Relaxed);
        info(page.get()).previous.store(0, Ordering::Relaxed);
        if *head != 0 {
            info(*head).previous.store(page.get(), Ordering::Relaxed);
        }
        *head = page.get();
    }

    fn unlink(&mut self, page: FrameNumber) {
        let info_of_page = info(page.get());
        let next = info_of_page.next.load(Ordering::Relaxed);
        let previous = info_of_page.previous.load(Ordering::Relaxed);
        if next != 0 {
            info(next).previous.store(previous, Ordering::Relaxed);
        }
        if previous != 0 {
            info(previous).next.store(next, Ordering::Relaxed);
        } else {
            self.heads[self.class] = next;
        }
    }

    fn is_only(&self, page: FrameNumber) -> bool {
        self.heads[self.class] == page.get() && info(page.get()).next.load(Ordering::Relaxed) == 0
    }
}
