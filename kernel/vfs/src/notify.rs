//! Telling watchers what happens to files (inotify(7)): the one place that the calls on files and names report to.
//!
//! [`watches`] knows who watches what, [`queue`] is the file that events are read from, and [`signals`] tells those who
//! have asked for signals. While nothing is watched a
//! report costs one look at a number. Reports are made without spin locks, after what they tell has happened.

mod queue;
pub mod signals;
mod watches;

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use los_abi::fs::DN_RENAME;
use los_abi::inotify::InotifyMask;

use crate::attributes::FileKind;
use crate::dentry::Dentry;
use crate::inode::Inode;
use crate::mount::SuperBlock;

pub use queue::{Inotify, create};

/// Number of watches of both kinds, so that without any nothing is looked up.
static LISTENERS: AtomicUsize = AtomicUsize::new(0);

#[inline]
fn is_anybody_listening() -> bool {
    LISTENERS.load(Ordering::Relaxed) > 0
}

/// One piece of news, as a watch hears it.
struct News<'a> {
    what: InotifyMask,
    /// Joins the two halves of a move, else 0.
    cookie: u32,
    /// The name in the watched directory; empty for what happened to the watched inode itself.
    name: &'a [u8],
    /// Whether the name was removed before.
    is_unlinked: bool,
}

impl<'a> News<'a> {
    fn own(what: InotifyMask) -> Self {
        Self::of_child(what, b"")
    }

    fn of_child(what: InotifyMask, name: &'a [u8]) -> Self {
        Self {
            what,
            cookie: 0,
            name,
            is_unlinked: false,
        }
    }
}

fn tell(inode: &Arc<dyn Inode>, news: &News<'_>) {
    signals::tell(inode, news.what);
    let mut next = 0;
    while let Some(watch) = watches::next(inode, next) {
        next = watch.id() + 1;
        let mask = watch.mask();
        let is_wanted = mask.intersects(news.what.intersection(InotifyMask::ALL_EVENTS));
        let is_excluded = news.is_unlinked && mask.contains(InotifyMask::EXCL_UNLINK);
        if let Some(group) = watch.group().filter(|_| is_wanted && !is_excluded) {
            group.push(watch.wd, news.what, news.cookie, news.name);
            if mask.contains(InotifyMask::ONESHOT) {
                group.end(watch.wd);
            }
        }
    }
}

fn directory_bit(kind: Option<FileKind>) -> InotifyMask {
    match kind {
        Some(FileKind::Directory) => InotifyMask::ISDIR,
        _ => InotifyMask::empty(),
    }
}

/// Reports something that happened to a file, to those who watch it or the directory that it was found in.
#[inline]
pub(crate) fn happened(dentry: &Arc<Dentry>, what: InotifyMask) {
    if is_anybody_listening() {
        report(dentry, what);
    }
}

fn report(dentry: &Arc<Dentry>, what: InotifyMask) {
    let what = what | directory_bit(dentry.kind());
    if let Some(parent) = dentry.parent()
        && let Some(directory) = parent.inode()
    {
        let name = dentry.name();
        let news = News {
            is_unlinked: dentry.is_removed(),
            ..News::of_child(what, &name)
        };
        tell(directory, &news);
    }
    if let Some(inode) = dentry.inode() {
        tell(inode, &News::own(what));
    }
}

/// Reports a new name in a directory.
pub(crate) fn created(directory: &Arc<dyn Inode>, name: &[u8], kind: FileKind) {
    if is_anybody_listening() {
        let what = InotifyMask::CREATE | directory_bit(Some(kind));
        tell(directory, &News::of_child(what, name));
    }
}

/// Reports that an inode has one name more or less.
pub(crate) fn linked(inode: &Arc<dyn Inode>) {
    if is_anybody_listening() {
        tell(inode, &News::own(InotifyMask::ATTRIB));
    }
}

/// Reports that a name has gone from a directory.
pub(crate) fn removed(directory: &Arc<dyn Inode>, name: &[u8], kind: FileKind) {
    if is_anybody_listening() {
        let what = InotifyMask::DELETE | directory_bit(Some(kind));
        tell(directory, &News::of_child(what, name));
    }
}

/// A directory and a name in it.
pub(crate) type Place<'a> = (&'a Arc<dyn Inode>, &'a [u8]);

/// Reports that an inode has moved, and what it has replaced.
pub(crate) fn moved(
    inode: &Arc<dyn Inode>,
    from: Place<'_>,
    to: Place<'_>,
    replaced: Option<&Arc<dyn Inode>>,
) {
    static COOKIE: AtomicU32 = AtomicU32::new(1);
    if !is_anybody_listening() {
        return;
    }
    let cookie = COOKIE.fetch_add(1, Ordering::Relaxed);
    let bit = directory_bit(Some(inode.kind()));
    for ((directory, name), what) in [(from, InotifyMask::MOVED_FROM), (to, InotifyMask::MOVED_TO)] {
        let news = News {
            cookie,
            ..News::of_child(what | bit, name)
        };
        tell(directory, &news);
    }
    signals::tell_of(from.0, DN_RENAME);
    if let Some(replaced) = replaced {
        linked(replaced);
    }
    tell(inode, &News::own(InotifyMask::MOVE_SELF));
}

/// Reports that a name that was removed is no longer in use; with an inode's last one its watches end.
#[inline]
pub(crate) fn unused(inode: &Arc<dyn Inode>) {
    if is_anybody_listening() {
        end_if_gone(inode);
    }
}

fn end_if_gone(inode: &Arc<dyn Inode>) {
    let is_watched = watches::next(inode, 0).is_some();
    if !is_watched || inode.kind() != FileKind::Directory && inode.metadata().links > 0 {
        return;
    }
    tell(inode, &News::own(InotifyMask::DELETE_SELF));
    while let Some(watch) = watches::next(inode, 0) {
        end(&watch);
    }
}

fn end(watch: &watches::Watch) {
    watch.leave();
    if let Some(group) = watch.group() {
        group.end(watch.wd);
    }
}

/// Returns what tells file systems in use apart.
fn identity(superblock: &SuperBlock) -> usize {
    core::ptr::from_ref(superblock).addr()
}

/// Reports that a file system is not in use any more: its watches end.
pub(crate) fn unmounted(superblock: &SuperBlock) {
    if !is_anybody_listening() {
        return;
    }
    while let Some(watch) = watches::any_on(identity(superblock)) {
        if let Some(group) = watch.group() {
            group.push(watch.wd, InotifyMask::UNMOUNT, 0, b"");
        }
        end(&watch);
    }
}

#[cfg(test)]
mod tests;
