//! Pagers: where the pages of a mapping come from, and the one for shared anonymous memory.

use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};

use los_abi::errno::Errno;
use los_arch::hal::paging::Access;
use sync::{Mutex, Rank};

use crate::commit::Promise;
use crate::frames::{self, Frame};
use crate::page_map::PageMap;
use crate::reverse_map::{Copies, ReverseMap};

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

    /// Gives back pages, which read as zeros from now on, in mappings too (MADV_REMOVE).
    ///
    /// # Errors
    /// EOPNOTSUPP where holes are unknown; EPERM for a sealed file.
    fn discard(&self, _pages: Range<u64>) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Returns the list of mappings, for objects whose pages may be taken away while they are mapped.
    fn mappings(&self) -> Option<&ReverseMap> {
        None
    }

    /// Reports whether Linux would count the pages as shared memory rather than as a file's.
    fn is_shared_memory(&self) -> bool {
        false
    }

    /// Reports whether only the programs that map the object may look at it (memfd_secret(2)).
    fn is_secret(&self) -> bool {
        false
    }

    /// Reports whether it is memory that no file system knows of.
    fn is_anonymous(&self) -> bool {
        false
    }

    /// Notes a new mapping; `writable_shared` when stores through it may reach the object.
    ///
    /// # Errors
    /// EPERM when the object is sealed against that. A mapping of the same kind as one that exists is never
    /// refused.
    fn mapped(&self, _writable_shared: bool) -> Result<(), Errno> {
        Ok(())
    }

    /// Notes the end of a mapping that was noted by [`mapped`](Self::mapped).
    fn unmapped(&self, _writable_shared: bool) {}
}

/// Shared anonymous memory: pages by index, zero at first, as a nameless file that was unlinked.
#[derive(Debug)]
pub struct AnonymousPager {
    inode: u64,
    mappings: ReverseMap,
    /// Pages that it has; what lies behind is beyond the end.
    size: u64,
    pages: Mutex<PageMap>,
    _promise: Promise,
}

impl AnonymousPager {
    /// Makes an object of `size` pages, zero all of them, that counts as `promised` pages.
    pub(crate) fn new(size: u64, promised: usize) -> Self {
        static NEXT_INODE: AtomicU64 = AtomicU64::new(1);
        Self {
            inode: NEXT_INODE.fetch_add(1, Ordering::Relaxed),
            mappings: ReverseMap::new(),
            size,
            pages: Mutex::new(Rank::PageCache, PageMap::new()),
            _promise: Promise::new(promised),
        }
    }

    /// Makes an object without an end, as `/dev/zero` is.
    pub fn endless() -> Self {
        Self::new(u64::MAX, 0)
    }
}

impl Pager for AnonymousPager {
    fn page(&self, index: u64, _access: Access) -> Result<Frame, PagerError> {
        if index >= self.size {
            return Err(PagerError::BeyondEnd);
        }
        let mut pages = self.pages.lock();
        if let Some(frame) = pages.get(index) {
            return Ok(frame.clone());
        }
        let frame = frames::allocate()?;
        pages.insert(index, frame.clone())?;
        Ok(frame)
    }

    fn cached(&self, index: u64) -> Option<Frame> {
        self.pages.lock().get(index).cloned()
    }

    fn discard(&self, pages: Range<u64>) -> Result<(), Errno> {
        self.pages.lock().remove(pages.clone());
        self.mappings.unmap(self.object(), pages, Copies::Keep);
        Ok(())
    }

    fn mappings(&self) -> Option<&ReverseMap> {
        Some(&self.mappings)
    }

    fn is_anonymous(&self) -> bool {
        true
    }

    fn is_shared_memory(&self) -> bool {
        true
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
