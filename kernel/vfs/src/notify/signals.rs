//! Directories that tell by signals what happens in them: F_NOTIFY of fcntl(2), as programs did before inotify(7). The
//! owner of the open directory is told, which a later F_SETOWN or F_SETSIG changes.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};

use los_abi::errno::Errno;
use los_abi::fs::{DN_ACCESS, DN_ATTRIB, DN_CREATE, DN_DELETE, DN_MODIFY, DN_MULTISHOT};
use los_abi::inotify::InotifyMask;
use sync::{Rank, SpinLock};

use crate::attributes::FileKind;
use crate::file::OpenFile;
use crate::inode::Inode;
use crate::lock;
use crate::owner::Reason;

/// What one open directory is watched for through one table of descriptors.
struct Watch {
    file: Weak<OpenFile>,
    table: lock::Owner,
    fd: i32,
    events: u32,
}

/// Number of watches, so that without any nothing is looked up.
static COUNT: AtomicUsize = AtomicUsize::new(0);
/// By the address of the directory's inode, which the open files keep in memory.
static WATCHES: SpinLock<BTreeMap<usize, Vec<Watch>>> = SpinLock::new(Rank::FileSystem, BTreeMap::new());

fn address(inode: &Arc<dyn Inode>) -> usize {
    Arc::as_ptr(inode).cast::<u8>().addr()
}

/// Watches an open directory for events beside those that it is watched for already.
///
/// # Errors
/// ENOTDIR; ENOMEM.
pub fn watch(file: &Arc<OpenFile>, table: lock::Owner, fd: i32, events: u32) -> Result<(), Errno> {
    if file.inode().kind() != FileKind::Directory {
        return Err(Errno::ENOTDIR);
    }
    if !mm::frames::headroom() {
        return Err(Errno::ENOMEM);
    }
    let directory = address(file.inode());
    let mut watches = WATCHES.lock();
    let list = watches.entry(directory).or_default();
    let own = Arc::downgrade(file);
    let known = list
        .iter_mut()
        .find(|watch| watch.file.ptr_eq(&own) && watch.table == table);
    if let Some(known) = known {
        known.fd = fd;
        known.events |= events;
        return Ok(());
    }
    if list.try_reserve(1).is_err() {
        if list.is_empty() {
            watches.remove(&directory);
        }
        return Err(Errno::ENOMEM);
    }
    list.push(Watch {
        file: own,
        table,
        fd,
        events,
    });
    COUNT.fetch_add(1, Ordering::SeqCst);
    super::LISTENERS.fetch_add(1, Ordering::SeqCst);
    Ok(())
}

/// Ends the watch of an open directory, any descriptor of which was closed in the table.
#[inline]
pub fn forget(file: &OpenFile, table: lock::Owner) {
    if COUNT.load(Ordering::SeqCst) > 0 {
        let is_it = |watch: &Watch| watch.table == table && core::ptr::eq(watch.file.as_ptr(), file);
        retain(address(file.inode()), |watch| !is_it(watch));
    }
}

/// Drops the watches of a directory that are not to be kept.
fn retain(directory: usize, mut keep: impl FnMut(&mut Watch) -> bool) {
    let mut watches = WATCHES.lock();
    let Some(list) = watches.get_mut(&directory) else {
        return;
    };
    let before = list.len();
    list.retain_mut(|watch| keep(watch));
    let gone = before - list.len();
    if list.is_empty() {
        watches.remove(&directory);
    }
    drop(watches);
    COUNT.fetch_sub(gone, Ordering::SeqCst);
    super::LISTENERS.fetch_sub(gone, Ordering::SeqCst);
}

/// Tells the owners that something has happened in a directory, or to it.
pub(super) fn tell(directory: &Arc<dyn Inode>, what: InotifyMask) {
    if COUNT.load(Ordering::SeqCst) > 0 {
        tell_of(directory, events(what));
    }
}

/// Tells the owners of events.
pub(super) fn tell_of(directory: &Arc<dyn Inode>, events: u32) {
    let mut told: Vec<(Arc<OpenFile>, i32)> = Vec::new();
    retain(address(directory), |watch| {
        if watch.file.strong_count() == 0 {
            return false;
        }
        if watch.events & events == 0 {
            return true;
        }
        // Without memory the news are lost, as signals can be. What is upgraded leaves the lock: it may be the last
        // that holds the file, whose end takes locks.
        if told.try_reserve(1).is_ok() {
            let Some(file) = watch.file.upgrade() else {
                return false;
            };
            told.push((file, watch.fd));
        }
        watch.events & DN_MULTISHOT != 0
    });
    for (file, fd) in told {
        file.owner().tell(fd, Reason::Message);
    }
}

fn events(what: InotifyMask) -> u32 {
    [
        (InotifyMask::ACCESS, DN_ACCESS),
        (InotifyMask::MODIFY, DN_MODIFY),
        (InotifyMask::CREATE | InotifyMask::MOVED_TO, DN_CREATE),
        (InotifyMask::DELETE | InotifyMask::MOVED_FROM, DN_DELETE),
        (InotifyMask::ATTRIB, DN_ATTRIB),
    ]
    .into_iter()
    .filter(|(mask, _)| what.intersects(*mask))
    .fold(0, |events, (_, event)| events | event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_are_deletions_and_creations() {
        assert_eq!(events(InotifyMask::MOVED_FROM | InotifyMask::ISDIR), DN_DELETE);
        assert_eq!(events(InotifyMask::MOVED_TO), DN_CREATE);
        assert_eq!(events(InotifyMask::ACCESS), DN_ACCESS);
        assert_eq!(events(InotifyMask::OPEN), 0);
    }
}
