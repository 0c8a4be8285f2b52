//! The pages of a tmpfs file as mappings find them.

use alloc::vec::Vec;
use core::ops::Range;

use los_abi::errno::Errno;
use mm::{Access, Frame, Pager, PagerError, ReverseMap};
use vfs::FileOps;

use super::contents::PAGE_BYTES;
use super::node::{Body, Node};

impl Pager for Node {
    fn page(&self, index: u64, access: Access) -> Result<Frame, PagerError> {
        let Body::File(file) = &self.body else {
            return Err(PagerError::BeyondEnd);
        };
        if access == Access::Write {
            self.attributes.note_modification();
        }
        file.contents
            .mapped_page(&self.volume.budget, index)?
            .ok_or(PagerError::BeyondEnd)
    }

    fn cached(&self, index: u64) -> Option<Frame> {
        match &self.body {
            Body::File(file) => file.contents.cached_page(index),
            _ => None,
        }
    }

    fn name(&self) -> Vec<u8> {
        Vec::new()
    }

    fn device(&self) -> u64 {
        self.volume.device
    }

    fn inode(&self) -> u64 {
        self.number
    }

    fn discard(&self, pages: Range<u64>) -> Result<(), Errno> {
        const KEEP_SIZE_AND_PUNCH_HOLE: u32 = 3;
        let start = pages.start.saturating_mul(PAGE_BYTES as u64);
        let bytes = (pages.end - pages.start).saturating_mul(PAGE_BYTES as u64);
        self.allocate(KEEP_SIZE_AND_PUNCH_HOLE, start, bytes)
    }

    fn mappings(&self) -> Option<&ReverseMap> {
        match &self.body {
            Body::File(file) => Some(&file.contents.mappings),
            _ => None,
        }
    }

    fn is_shared_memory(&self) -> bool {
        true
    }

    fn mapped(&self, writable_shared: bool) -> Result<(), Errno> {
        match &self.body {
            Body::File(file) if writable_shared => file.contents.seals().note_writable_mapping(),
            _ => Ok(()),
        }
    }

    fn unmapped(&self, writable_shared: bool) {
        if let Body::File(file) = &self.body
            && writable_shared
        {
            file.contents.seals().forget_writable_mapping();
        }
    }
}
