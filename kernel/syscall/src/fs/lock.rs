//! Locks: flock(2) and the locking commands of fcntl(2).

use los_abi::errno::Errno;
use los_abi::fs::{
    F_GETLEASE, F_GETLK, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_SETLK, F_SETLKW, F_UNLCK, Flock, LOCK_EX,
    LOCK_MAND, LOCK_NB, LOCK_SH, LOCK_UN,
};
use los_abi::syscall::{Fd, UserPtr};
use sync::Result;
use task::Context;
use vfs::OpenFile;
use vfs::lock::{self, Owner, Patience, Range, Strength};

pub(crate) fn flock(ctx: &Context<'_>, fd: Fd, operation: u32) -> Result<usize> {
    if operation & LOCK_MAND != 0 {
        // Mandatory locks never kept anybody out; Linux ignores them.
        return Ok(0);
    }
    let strength = match operation & !LOCK_NB {
        LOCK_SH => Some(Strength::Shared),
        LOCK_EX => Some(Strength::Exclusive),
        LOCK_UN => None,
        _ => return Err(Errno::EINVAL.into()),
    };
    let patience = if operation & LOCK_NB != 0 {
        Patience::None
    } else {
        Patience::Wait
    };
    let file = ctx.files().get(fd)?;
    lock::flock(&file, ctx.process.pid() as i32, strength, patience)?;
    Ok(0)
}

/// Carries out a locking command of fcntl(2).
///
/// # Errors
/// EINVAL for other commands; those of the command.
pub(super) fn fcntl(
    ctx: &Context<'_>,
    fd: Fd,
    file: &OpenFile,
    command: u32,
    argument: u64,
) -> Result<usize> {
    match command {
        F_GETLK | F_OFD_GETLK => get(ctx, file, Scope::of(command), UserPtr::new(argument)),
        F_SETLK | F_OFD_SETLK => {
            let pointer = UserPtr::new(argument);
            set(ctx, (fd, file), Scope::of(command), pointer, Patience::None)
        }
        F_SETLKW | F_OFD_SETLKW => {
            let pointer = UserPtr::new(argument);
            set(ctx, (fd, file), Scope::of(command), pointer, Patience::Wait)
        }
        // Leases cannot be taken, so that nobody has one.
        F_GETLEASE => Ok(F_UNLCK as usize),
        _ => Err(Errno::EINVAL.into()),
    }
}

/// Who owns the locks of a command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// The process, more exactly its table of descriptors.
    Process,
    /// The open file.
    OpenFile,
}

impl Scope {
    fn of(command: u32) -> Self {
        match command {
            F_OFD_GETLK | F_OFD_SETLK | F_OFD_SETLKW => Self::OpenFile,
            _ => Self::Process,
        }
    }

    /// Returns the owner and what F_GETLK tells of it.
    ///
    /// # Errors
    /// EINVAL for a process in the structure where an open file is meant.
    fn owner(self, ctx: &Context<'_>, file: &OpenFile, wanted: &Flock) -> Result<(Owner, i32)> {
        match self {
            Self::Process => Ok((ctx.files().lock_owner(), ctx.process.pid() as i32)),
            Self::OpenFile if wanted.l_pid != 0 => Err(Errno::EINVAL.into()),
            Self::OpenFile => Ok((Owner::of_file(file), -1)),
        }
    }
}

fn get(ctx: &Context<'_>, file: &OpenFile, scope: Scope, pointer: UserPtr<Flock>) -> Result<usize> {
    let wanted: Flock = ctx.memory().read(pointer)?;
    let (range, strength) = Range::parse(file, &wanted)?;
    let strength = strength.ok_or(Errno::EINVAL)?;
    let (owner, _) = scope.owner(ctx, file, &wanted)?;
    let answer = match lock::blocking_record(file, owner, range, strength) {
        Some(record) => record.to_flock(),
        None => Flock {
            l_type: F_UNLCK,
            ..wanted
        },
    };
    ctx.memory().write(pointer, &answer)?;
    Ok(0)
}

fn set(
    ctx: &Context<'_>,
    (fd, file): (Fd, &OpenFile),
    scope: Scope,
    pointer: UserPtr<Flock>,
    patience: Patience,
) -> Result<usize> {
    let wanted: Flock = ctx.memory().read(pointer)?;
    let (range, strength) = Range::parse(file, &wanted)?;
    let owner = scope.owner(ctx, file, &wanted)?;
    lock::set_record(file, owner, range, strength, patience)?;
    // Another thread may have closed the descriptor meanwhile, and with it all locks but this one.
    let is_open = ctx
        .files()
        .get(fd)
        .is_ok_and(|now| core::ptr::eq(&raw const *now, file));
    if strength.is_some() && scope == Scope::Process && !is_open {
        lock::set_record(file, owner, range, None, Patience::None)?;
        return Err(Errno::EBADF.into());
    }
    Ok(0)
}
