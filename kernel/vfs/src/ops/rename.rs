//! rename(2).

use alloc::sync::Arc;

use los_abi::errno::Errno;
use los_abi::fs::RenameFlags;
use sync::{Mutex, Rank};

use super::{Target, check_create, check_writable};
use crate::attributes::FileKind;
use crate::dentry::Dentry;
use crate::inode::Inode;
use crate::notify;
use crate::path::Caller;
use crate::permission::{self, Permission};
use crate::walk::At;

/// Held while names move, so that the tree keeps its shape during the checks.
static RENAME: Mutex<()> = Mutex::new(Rank::Rename, ());

/// Moves a name.
///
/// # Errors
/// As renameat2(2).
pub fn rename(
    caller: &Caller<'_>,
    from_at: At,
    from: &[u8],
    to_at: At,
    to: &[u8],
    flags: RenameFlags,
) -> Result<(), Errno> {
    let known = RenameFlags::NOREPLACE | RenameFlags::EXCHANGE;
    if !known.contains(flags) || flags.contains(known) {
        return Err(Errno::EINVAL);
    }
    let source = Target::new(caller, from_at, from, Errno::EBUSY)?;
    let no_name = if flags.contains(RenameFlags::NOREPLACE) {
        Errno::EEXIST
    } else {
        Errno::EBUSY
    };
    let goal = Target::new(caller, to_at, to, no_name)?;
    if !Arc::ptr_eq(&source.parent.mount, &goal.parent.mount) {
        return Err(Errno::EXDEV);
    }
    check_writable(&source.parent)?;
    let _tree = RENAME.lock();
    let (first, second) = in_order(&source.parent.dentry, &goal.parent.dentry);
    let _first = first.lock()?;
    let _second = second.map(|dentry| dentry.lock()).transpose()?;
    rename_locked(caller, &source, &goal, flags)
}

/// Returns two directories in the order of locking: ancestors first, the same one once.
fn in_order<'a>(one: &'a Arc<Dentry>, other: &'a Arc<Dentry>) -> (&'a Arc<Dentry>, Option<&'a Arc<Dentry>>) {
    if Arc::ptr_eq(one, other) {
        (one, None)
    } else if one.is_within(other) || Arc::as_ptr(other) < Arc::as_ptr(one) && !other.is_within(one) {
        (other, Some(one))
    } else {
        (one, Some(other))
    }
}

fn rename_locked(
    caller: &Caller<'_>,
    source: &Target<'_>,
    goal: &Target<'_>,
    flags: RenameFlags,
) -> Result<(), Errno> {
    let old = source.parent.dentry.child_locked(source.name())?;
    let old = old.ok_or(Errno::ENOENT)?;
    let inode = old.inode().ok_or(Errno::ENOENT)?.clone();
    let replaced = goal.parent.dentry.child_locked(goal.name())?;
    let replaced_inode = replaced.as_ref().and_then(|replaced| replaced.inode());
    let exchange = flags.contains(RenameFlags::EXCHANGE);
    match replaced_inode {
        Some(_) if flags.contains(RenameFlags::NOREPLACE) => return Err(Errno::EEXIST),
        None if exchange => return Err(Errno::ENOENT),
        _ => {}
    }
    let is_directory = inode.kind() == FileKind::Directory;
    if !is_directory && (source.has_slash() || goal.has_slash() && !exchange) {
        return Err(Errno::ENOTDIR);
    }
    if goal.parent.dentry.is_within(&old) {
        return Err(Errno::EINVAL);
    }
    if replaced
        .as_ref()
        .is_some_and(|replaced| source.parent.dentry.is_within(replaced))
    {
        return Err(if exchange { Errno::EINVAL } else { Errno::ENOTEMPTY });
    }
    if replaced_inode.is_some_and(|replaced| same(replaced, &inode)) {
        return Ok(());
    }
    check_permissions(caller, source, goal, &inode, replaced_inode)?;
    if let Some(replaced) = replaced_inode.filter(|_| !exchange) {
        match (is_directory, replaced.kind() == FileKind::Directory) {
            (false, true) => return Err(Errno::EISDIR),
            (true, false) => return Err(Errno::ENOTDIR),
            _ => {}
        }
    }
    if old.is_mount_point()
        || replaced
            .as_ref()
            .is_some_and(|replaced| replaced.is_mount_point())
    {
        return Err(Errno::EBUSY);
    }
    source
        .parent
        .inode()?
        .rename(source.name(), goal.parent.inode()?, goal.name(), flags)?;
    let (from, to) = (source.place()?, goal.place()?);
    match &replaced {
        Some(other) if exchange => {
            Dentry::exchange(&old, other);
            notify::moved(&inode, from, to, None);
            if let Some(other) = replaced_inode {
                notify::moved(other, to, from, None);
            }
        }
        _ => {
            if let Some(replaced) = &replaced {
                goal.parent.dentry.forget(replaced);
            }
            Dentry::move_to(&old, &goal.parent.dentry, goal.name());
            notify::moved(&inode, from, to, replaced_inode);
        }
    }
    Ok(())
}

fn same(one: &Arc<dyn Inode>, other: &Arc<dyn Inode>) -> bool {
    core::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other))
}

fn check_permissions(
    caller: &Caller<'_>,
    source: &Target<'_>,
    goal: &Target<'_>,
    inode: &Arc<dyn Inode>,
    replaced: Option<&Arc<dyn Inode>>,
) -> Result<(), Errno> {
    let credentials = caller.credentials;
    permission::check_delete(credentials, &**source.parent.inode()?, &**inode)?;
    match replaced {
        Some(replaced) => {
            permission::check_delete(credentials, &**goal.parent.inode()?, &**replaced)?;
        }
        None => {
            check_create(caller, &goal.parent)?;
        }
    }
    // A directory that moves gets another `..`, so it must be writable itself.
    let moves = !Arc::ptr_eq(&source.parent.dentry, &goal.parent.dentry);
    if moves && inode.kind() == FileKind::Directory {
        permission::check(credentials, &**inode, Permission::WRITE)?;
    }
    Ok(())
}
