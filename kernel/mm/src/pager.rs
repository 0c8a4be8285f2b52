//! Pagers: where the pages of a mapping come from, and the one for shared anonymous memory.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use los_abi::errno::Errno;
use los_arch::hal::paging::Access;
use sync::{Mutex, Rank};

use crate::frames::{self, Frame};

/// Why a pager has no page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PagerError {
    /// The page lies wholly beyond the end of the object: SIGBUS.
    BeyondEnd,
    /// Something failed; ENOMEM is told as such, anything else is SIGBUS.
    Errno(Errno),
}

impl From<Errno> for PagerError {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

/// The object behind a mapping: the page cache of an inode, shared anonymous memory, a device.
///
/// Called with the address space locked, while a program or a system call waits for the page. So `page`
/// may take page-cache locks but no lock that anybody holds while accessing user memory.
pub trait Pager: Send + Sync {
    /// Returns the shared frame of page `index`; a hole is filled. `Write` announces that a shared mapping
    /// will write to it.
    ///
    /// # Errors
    /// As [`PagerError`] says.
    fn page(&self, index: u64, access: Access) -> Result<Frame, PagerError>;

    /// Returns the page if it is in memory already and may be mapped for reading; never waits. The
    /// neighbours of a faulting page are mapped by it.
    fn cached(&self, _index: u64) -> Option<Frame> {
        None
    }

    /// Reports whether a shared mapping's first write to each page is to be announced by
    /// [`page`](Self::page) with `Write`, even if the page was read before.
    fn write_protect_on_read(&self) -> bool {
        false
    }

    /// Returns the path that /proc/PID/maps shows, empty for none.
    fn name(&self) -> Vec<u8>;

    /// Returns the device number of the object's file system.
    fn device(&self) -> u64;

    /// Returns the object's inode number.
    fn inode(&self) -> u64;

    /// Returns what tells the object from all others while it is mapped; the same for all pagers of one.
    fn object(&self) -> usize {
        core::ptr::from_ref(self).cast::<()>().addr()
    }

    /// Notes a new mapping; `writable_shared` when stores through it may reach the object.
    fn mapped(&self, _writable_shared: bool) {}

    /// Notes the end of a mapping that was noted by [`mapped`](Self::mapped).
    fn unmapped(&self, _writable_shared: bool) {}
}

/// Shared anonymous memory: frames by index, zero at first, as a nameless file that was unlinked.
#[derive(Debug)]
pub struct AnonymousPager {
    inode: u64,
    frames: Mutex<BTreeMap<u64, Frame>>,
}

impl AnonymousPager {
    /// Makes an object without pages.
    pub fn new() -> Self {
        static NEXT_INODE: AtomicU64 = AtomicU64::new(1);
        Self {
            inode: NEXT_INODE.fetch_add(1, Ordering::Relaxed),
            frames: Mutex::new(Rank::PageCache, BTreeMap::new()),
        }
    }
}

impl Default for AnonymousPager {
    fn default() -> Self {
        Self::new()
    }
}

impl Pager for AnonymousPager {
    fn page(&self, index: u64, _access: Access) -> Result<Frame, PagerError> {
        let mut frames = self.frames.lock();
        if let Some(frame) = frames.get(&index) {
            return Ok(frame.clone());
        }
        // The tree's nodes come from the reserve that user frames leave to the kernel.
        let frame = frames::allocate()?;
        frames.insert(index, frame.clone());
        Ok(frame)
    }

    fn name(&self) -> Vec<u8> {
        b"/dev/zero (deleted)".to_vec()
    }

    fn device(&self) -> u64 {
        1
    }

    fn inode(&self) -> u64 {
        self.inode
    }
}
