//! ETXTBSY: a program that runs is not written, and a file open for writing is not run.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicI32, Ordering};

use los_abi::errno::Errno;

use crate::inode::Inode;

/// Writers of an inode if positive, executions if negative.
#[derive(Debug, Default)]
pub struct WriteCount(AtomicI32);

impl WriteCount {
    /// Starts with neither.
    pub const fn new() -> Self {
        Self(AtomicI32::new(0))
    }

    fn add_writer(&self) -> Result<(), Errno> {
        let more = |count: i32| (count >= 0).then_some(count + 1);
        self.update(more)
    }

    fn add_execution(&self) -> Result<(), Errno> {
        let less = |count: i32| (count <= 0).then_some(count - 1);
        self.update(less)
    }

    fn update(&self, change: impl Fn(i32) -> Option<i32>) -> Result<(), Errno> {
        let changed = self.0.fetch_update(Ordering::AcqRel, Ordering::Relaxed, change);
        changed.map(drop).map_err(|_| Errno::ETXTBSY)
    }
}

/// The right to write an inode, until dropped.
pub struct WriteAccess(Option<Arc<dyn Inode>>);

impl WriteAccess {
    /// Takes the right.
    ///
    /// # Errors
    /// ETXTBSY while the inode is executed.
    pub fn new(inode: &Arc<dyn Inode>) -> Result<Self, Errno> {
        let Some(count) = inode.write_count() else {
            return Ok(Self(None));
        };
        count.add_writer()?;
        Ok(Self(Some(inode.clone())))
    }
}

impl Drop for WriteAccess {
    fn drop(&mut self) {
        if let Some(count) = self.0.as_ref().and_then(|inode| inode.write_count()) {
            count.0.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// Keeps an inode from being written, until dropped.
pub struct DenyWrite(Option<Arc<dyn Inode>>);

impl DenyWrite {
    /// Denies writing.
    ///
    /// # Errors
    /// ETXTBSY while somebody has the inode open for writing.
    pub fn new(inode: &Arc<dyn Inode>) -> Result<Self, Errno> {
        let Some(count) = inode.write_count() else {
            return Ok(Self(None));
        };
        count.add_execution()?;
        Ok(Self(Some(inode.clone())))
    }
}

impl Drop for DenyWrite {
    fn drop(&mut self) {
        if let Some(count) = self.0.as_ref().and_then(|inode| inode.write_count()) {
            count.0.fetch_add(1, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writers_and_executions_exclude_each_other() {
        let count = WriteCount::new();
        count.add_writer().unwrap();
        count.add_writer().unwrap();
        assert_eq!(count.add_execution(), Err(Errno::ETXTBSY));
        count.0.fetch_sub(2, Ordering::Relaxed);
        count.add_execution().unwrap();
        assert_eq!(count.add_writer(), Err(Errno::ETXTBSY));
    }
}
