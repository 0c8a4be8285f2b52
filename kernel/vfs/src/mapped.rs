//! A file as the object of mappings: the pages are its inode's, the name that maps(5) shows is where it was
//! opened, and the mount stays in use while it is mapped.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use los_abi::errno::Errno;
use mm::{Access, Frame, Pager, PagerError, ReverseMap};

use crate::path::Path;

/// The pages of an open file, with its path. One for each opening, so that neighbouring mappings join.
pub(crate) struct MappedFile {
    path: Path,
    pages: Arc<dyn Pager>,
}

impl MappedFile {
    pub(crate) fn new(path: Path, pages: Arc<dyn Pager>) -> Self {
        Self { path, pages }
    }
}

impl Pager for MappedFile {
    fn page(&self, index: u64, access: Access) -> Result<Frame, PagerError> {
        self.pages.page(index, access)
    }

    fn cached(&self, index: u64) -> Option<Frame> {
        self.pages.cached(index)
    }

    fn write_protect_on_read(&self) -> bool {
        self.pages.write_protect_on_read()
    }

    fn name(&self) -> Vec<u8> {
        let mut top = self.path.clone();
        while let Some(place) = top.mount.place() {
            top = place;
        }
        self.path.to_bytes(&top.mount.root())
    }

    fn device(&self) -> u64 {
        self.pages.device()
    }

    fn inode(&self) -> u64 {
        self.pages.inode()
    }

    fn object(&self) -> usize {
        self.pages.object()
    }

    fn discard(&self, pages: Range<u64>) -> Result<(), Errno> {
        self.pages.discard(pages)
    }

    fn mappings(&self) -> Option<&ReverseMap> {
        self.pages.mappings()
    }

    fn is_secret(&self) -> bool {
        self.pages.is_secret()
    }

    fn is_shared_memory(&self) -> bool {
        self.pages.is_shared_memory()
    }

    fn is_anonymous(&self) -> bool {
        self.pages.is_anonymous()
    }

    fn mapped(&self, writable_shared: bool) -> Result<(), Errno> {
        self.pages.mapped(writable_shared)
    }

    fn unmapped(&self, writable_shared: bool) {
        self.pages.unmapped(writable_shared);
    }
}
