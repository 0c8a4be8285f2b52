//! Looking into another process: who may (ptrace(2), "Ptrace access mode checking"), and what there is to see.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;

use los_abi::errno::Errno;
use los_abi::syscall::{Fd, UserPtr};
use los_abi::task::{
    KCMP_EPOLL_TFD, KCMP_FILE, KCMP_FILES, KCMP_FS, KCMP_IO, KCMP_SIGHAND, KCMP_SYSVSEM, KCMP_VM,
    KcmpEpollSlot,
};
use mm::AddressSpace;
use mm::io::{Sink, Source};
use sync::Once;
use vfs::{Capability, Credentials, epoll};

use crate::context::Context;
use crate::pid;
use crate::process::Process;
use crate::thread::Thread;

/// Which of its identities the asking process is judged by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Identity {
    /// That for access to files (PTRACE_MODE_FSCREDS): what asks is the use of a file.
    FileSystem,
    /// The real one (PTRACE_MODE_REALCREDS): what asks is a system call.
    Real,
}

/// Checks that the caller of a system call may look into a process: its own, one with all the same ids and no
/// more capabilities unless execve has made it unreadable, and every one with CAP_SYS_PTRACE.
///
/// # Errors
/// EPERM.
pub fn check(ctx: &Context<'_>, process: &Arc<Process>) -> Result<(), Errno> {
    let is_own = Arc::ptr_eq(process, ctx.process);
    if is_own || allows(ctx.credentials(), process, &process.credentials(), Identity::Real) {
        Ok(())
    } else {
        Err(Errno::EPERM)
    }
}

/// Checks as [`check`] and then looks. What is seen is of the program that the caller may look into, and not of one that
/// the process executes meanwhile; `look` may be called again, and must not wait.
///
/// # Errors
/// EPERM; those of `look`.
pub fn look<R>(
    ctx: &Context<'_>,
    process: &Arc<Process>,
    look: impl Fn() -> Result<R, Errno>,
) -> Result<R, Errno> {
    between_programs(process, || check(ctx, process).and_then(|()| look()))
}

/// Returns the memory of a process that the caller may look into, if it has any.
///
/// # Errors
/// EPERM.
pub fn memory(ctx: &Context<'_>, process: &Arc<Process>) -> Result<Option<Arc<AddressSpace>>, Errno> {
    look(ctx, process, || Ok(process.memory()))
}

/// Looks at a process while it does not go from one program to another, as often as that takes: memory and identity
/// are of the same one.
pub fn between_programs<R>(process: &Process, look: impl Fn() -> R) -> R {
    process.turnover.look(look)
}

/// Reports whether somebody may look into a process that is not its own and acts as `target`.
pub fn allows(credentials: &Credentials, process: &Process, target: &Credentials, by: Identity) -> bool {
    if credentials.capable(Capability::SysPtrace) {
        return true;
    }
    let (uid, gid, capabilities) = match by {
        Identity::FileSystem => (credentials.fsuid, credentials.fsgid, credentials.effective),
        Identity::Real => (credentials.uid, credentials.gid, credentials.permitted),
    };
    let same_user = [target.uid, target.euid, target.suid].iter().all(|id| *id == uid);
    let same_group = [target.gid, target.egid, target.sgid].iter().all(|id| *id == gid);
    let no_more = target.permitted & !capabilities == 0;
    same_user && same_group && no_more && process.is_dumpable()
}

/// Returns the process of a number that stands for it or one of its threads.
///
/// # Errors
/// ESRCH.
pub fn find(number: i32) -> Result<Arc<Process>, Errno> {
    find_thread(number).map(|thread| thread.process().clone())
}

fn find_thread(number: i32) -> Result<Arc<Thread>, Errno> {
    let number = u32::try_from(number).map_err(|_| Errno::ESRCH)?;
    pid::task(number).ok_or(Errno::ESRCH)
}

/// Bytes that go from one process to another at a time.
const CHUNK_BYTES: usize = 4096;

/// Copies between the memory of two processes as far as possible, and returns how many bytes.
///
/// # Errors
/// EFAULT when nothing could be copied; ENOMEM.
pub fn copy(from: &mut dyn Source, into: &mut dyn Sink) -> Result<usize, Errno> {
    let mut chunk = Vec::new();
    chunk.try_reserve_exact(CHUNK_BYTES).map_err(|_| Errno::ENOMEM)?;
    chunk.resize(CHUNK_BYTES, 0);
    let mut done = 0;
    while sync::give_way() {
        let wanted = CHUNK_BYTES.min(from.remaining()).min(into.remaining());
        if wanted == 0 {
            return Ok(done);
        }
        let moved = from
            .take(&mut chunk[..wanted])
            .and_then(|taken| into.put(&chunk[..taken]));
        match moved {
            Ok(moved) => done += moved,
            Err(_) if done > 0 => return Ok(done),
            Err(errno) => return Err(errno),
        }
        if moved != Ok(wanted) {
            return Ok(done);
        }
    }
    // Nobody reads the answer of who dies.
    Ok(done)
}

/// What kcmp(2) compares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resource {
    /// The open files of a descriptor of each.
    File([u64; 2]),
    /// The open file of the first one's descriptor, and a member of the second one's set, which is described at this
    /// address.
    EpollMember(u64, UserPtr<KcmpEpollSlot>),
    /// Memory.
    Memory,
    /// Tables of descriptors.
    Files,
    /// Root, working directory and umask.
    Fs,
    /// Signal handlers.
    Handlers,
    /// What no process has here, and so everyone has the same of: I/O contexts, undo values of semaphores.
    Nothing,
    /// Nothing that exists.
    Unknown,
}

impl Resource {
    /// Reads the arguments of kcmp(2).
    pub fn from_kind(kind: i32, indices: [u64; 2]) -> Self {
        match kind {
            KCMP_FILE => Self::File(indices),
            KCMP_EPOLL_TFD => Self::EpollMember(indices[0], UserPtr::new(indices[1])),
            KCMP_VM => Self::Memory,
            KCMP_FILES => Self::Files,
            KCMP_FS => Self::Fs,
            KCMP_SIGHAND => Self::Handlers,
            KCMP_IO | KCMP_SYSVSEM => Self::Nothing,
            _ => Self::Unknown,
        }
    }

    /// Returns a number that is the same for the same thing. Its order means nothing.
    fn identity(self, thread: &Thread, which: usize) -> Result<usize, Errno> {
        let files = || thread.files().ok_or(Errno::ESRCH);
        let file = |fd: u64| {
            let fd = i32::try_from(fd).map_err(|_| Errno::EBADF)?;
            Ok(Arc::as_ptr(&files()?.get(Fd(fd))?).addr())
        };
        Ok(match self {
            Self::File(indices) => file(indices[which])?,
            Self::EpollMember(fd, _) => file(fd)?,
            Self::Memory => thread.process().space(),
            Self::Files => Arc::as_ptr(&files()?).addr(),
            Self::Fs => Arc::as_ptr(&thread.fs().ok_or(Errno::ESRCH)?).addr(),
            Self::Handlers => Arc::as_ptr(&thread.process().actions()).addr(),
            Self::Nothing => 0,
            Self::Unknown => return Err(Errno::EINVAL),
        })
    }
}

/// Compares a resource of two threads as kcmp(2) does: 0 if it is the same, else 1 or 2 by an order without
/// meaning.
///
/// # Errors
/// ESRCH; EPERM for who may not look into both; EBADF; EINVAL; ENOENT for no member of a set; EFAULT.
pub fn compare(ctx: &Context<'_>, numbers: [i32; 2], resource: Resource) -> Result<usize, Errno> {
    /// Keeps addresses of the kernel from showing in their order.
    static DISORDER: Once<usize> = Once::new();
    let threads = [find_thread(numbers[0])?, find_thread(numbers[1])?];
    for thread in &threads {
        check(ctx, thread.process())?;
    }
    let disorder = *DISORDER.call_once(|| {
        let mut bytes = [0; size_of::<usize>()];
        vfs::random::fill(&mut bytes);
        usize::from_ne_bytes(bytes)
    });
    let (first, second) = match resource {
        Resource::EpollMember(_, slot) => {
            let slot = ctx.memory().read(slot)?;
            (
                resource.identity(&threads[0], 0)?,
                epoll_member(&threads[1], &slot)?,
            )
        }
        _ => (
            resource.identity(&threads[0], 0)?,
            resource.identity(&threads[1], 1)?,
        ),
    };
    Ok(match (first ^ disorder).cmp(&(second ^ disorder)) {
        Ordering::Equal => 0,
        Ordering::Less => 1,
        Ordering::Greater => 2,
    })
}

/// Returns the number that stands for a member of a set.
fn epoll_member(thread: &Thread, slot: &KcmpEpollSlot) -> Result<usize, Errno> {
    let files = thread.files().ok_or(Errno::ESRCH)?;
    let set = files.get(Fd(slot.efd.cast_signed()))?;
    let set = epoll::of(&set).ok_or(Errno::EINVAL)?;
    let member = set.target(slot.tfd.cast_signed(), slot.toff as usize);
    Ok(Arc::as_ptr(&member.ok_or(Errno::ENOENT)?).addr())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core_dump::Dumpable;
    use crate::testing;

    #[test]
    fn the_same_user_may_look_unless_the_program_gained_rights() {
        let process = testing::process(41_000);
        let user = Credentials::user(1000, 1000);
        let look = |target: &Credentials, by| allows(&user, &process, target, by);
        assert!(look(&user, Identity::Real));
        let mut set_id = user.clone();
        set_id.euid = 0;
        assert!(!look(&set_id, Identity::Real));
        let mut capable = user.clone();
        capable.permitted = Capability::Kill.bit();
        assert!(!look(&capable, Identity::FileSystem));
        process.set_dumpable(Dumpable::No);
        assert!(!look(&user, Identity::Real));
        assert!(allows(&Credentials::root(), &process, &capable, Identity::Real));
    }
}
