//! Renaming in a tmpfs, with replacement and exchange (rename(2)).

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use los_abi::errno::Errno;
use los_abi::fs::RenameFlags;
use sync::MutexGuard;

use super::directory::Entries;
use super::node::Node;

/// The names of the two directories of a rename, locked in the order of inode numbers. The virtual file
/// system keeps other renames away; this keeps lookups from seeing half of one.
struct Both<'a> {
    old: MutexGuard<'a, Entries>,
    /// `None` when both are one.
    new: Option<MutexGuard<'a, Entries>>,
}

impl<'a> Both<'a> {
    fn lock(old: &'a Node, new: &'a Node) -> Result<Self, Errno> {
        let (old_entries, new_entries) = (&old.directory()?.entries, &new.directory()?.entries);
        if old.number == new.number {
            return Ok(Self {
                old: old_entries.lock(),
                new: None,
            });
        }
        if old.number < new.number {
            let old = old_entries.lock();
            return Ok(Self {
                old,
                new: Some(new_entries.lock()),
            });
        }
        let new = new_entries.lock();
        Ok(Self {
            old: old_entries.lock(),
            new: Some(new),
        })
    }

    /// Returns the names that the new one is among.
    fn target(&mut self) -> &mut Entries {
        self.new.as_mut().unwrap_or(&mut self.old)
    }
}

/// Moves `name` in `old` to `new_name` in `new`.
pub(super) fn rename(
    old: &Node,
    name: &[u8],
    new: &Node,
    new_name: &[u8],
    flags: RenameFlags,
) -> Result<(), Errno> {
    if !(RenameFlags::NOREPLACE | RenameFlags::EXCHANGE).contains(flags) {
        return Err(Errno::EINVAL);
    }
    let mut both = Both::lock(old, new)?;
    let node = both.old.get(name).ok_or(Errno::ENOENT)?.clone();
    let target = both.target().get(new_name).cloned();
    if target.as_ref().is_some_and(|target| Arc::ptr_eq(target, &node)) {
        return Ok(());
    }
    match target {
        Some(_) if flags.contains(RenameFlags::NOREPLACE) => return Err(Errno::EEXIST),
        Some(target) if flags.contains(RenameFlags::EXCHANGE) => {
            both.old.replace(name, target.clone());
            both.target().replace(new_name, node.clone());
            drop(both);
            moved(&target, new, old);
            target.attributes.note_change();
        }
        None if flags.contains(RenameFlags::EXCHANGE) => return Err(Errno::ENOENT),
        Some(target) => {
            replace(&node, &target)?;
            both.target().replace(new_name, node.clone());
            both.old.remove(name);
            drop(both);
            if target.is_directory() {
                new.attributes.remove_link();
            } else {
                target.attributes.remove_link();
            }
        }
        None => {
            let room = both.target().room(new_name)?;
            both.target().insert(room, node.clone());
            both.old.remove(name);
            drop(both);
        }
    }
    moved(&node, old, new);
    node.attributes.note_change();
    old.attributes.note_modification();
    new.attributes.note_modification();
    Ok(())
}

/// Takes a directory out of use for good.
///
/// # Errors
/// ENOTDIR; ENOTEMPTY.
pub(super) fn retire(node: &Node) -> Result<(), Errno> {
    let mut entries = node.directory()?.entries.lock();
    if !entries.is_empty() {
        return Err(Errno::ENOTEMPTY);
    }
    entries.mark_removed();
    drop(entries);
    // Its own `.` and the name that leads to it.
    node.attributes.remove_link();
    node.attributes.remove_link();
    Ok(())
}

/// Checks that `target` may give way to `node`.
fn replace(node: &Node, target: &Node) -> Result<(), Errno> {
    match (node.is_directory(), target.is_directory()) {
        (true, false) => Err(Errno::ENOTDIR),
        (false, true) => Err(Errno::EISDIR),
        (true, true) => retire(target),
        (false, false) => Ok(()),
    }
}

/// Adjusts `..` and the links that it makes.
fn moved(node: &Node, from: &Node, to: &Node) {
    if let Ok(directory) = node.directory()
        && from.number != to.number
    {
        directory.parent.store(to.number, Ordering::Relaxed);
        from.attributes.remove_link();
        to.attributes.add_link();
    }
}
