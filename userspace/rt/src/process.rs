//! Processes: to make, replace, await and end them; their groups, ids and descriptors.

use alloc::vec::Vec;

use los_abi::fs::{F_DUPFD_CLOEXEC, F_GETFD};
use los_abi::signal::SIGCHLD;
use los_abi::syscall::{Fd, UserPtr};

use crate::c_string::{CString, CStringArray};
use crate::{Errno, Result, arch, fs, io, sys};

pub use los_abi::task::{WaitFlags, WaitStatus};

/// Where programs are looked for when there is no `PATH`.
pub const DEFAULT_PATH: &[u8] = b"/bin:/sbin:/usr/bin:/usr/sbin";

/// On which side of a fork the caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fork {
    /// In the new process.
    Child,
    /// In the old one, with the child's id.
    Parent(i32),
}

/// Makes a copy of the process, after flushing standard output.
///
/// # Errors
/// Those of fork(2).
pub fn fork() -> Result<Fork> {
    // What cannot be written now must not be written twice later.
    let _ = io::flush();
    // SAFETY: without CLONE_VM the child has a copy of this memory, and the process has one thread.
    match unsafe { sys::clone(u64::from(SIGCHLD), 0, 0, 0, 0) }? {
        0 => Ok(Fork::Child),
        pid => Ok(Fork::Parent(pid as i32)),
    }
}

/// Replaces the program; returns only on failure.
pub fn execute(path: &[u8], arguments: &[Vec<u8>], environment: &[Vec<u8>]) -> Errno {
    let prepare = || {
        Ok((
            CString::new(path)?,
            CStringArray::new(arguments)?,
            CStringArray::new(environment)?,
        ))
    };
    let (path, argv, envp) = match prepare() {
        Ok(prepared) => prepared,
        Err(errno) => return errno,
    };
    // SAFETY: the call reads strings and arrays that live until it returns or this program ends.
    match unsafe { sys::execve(path.as_user(), argv.as_user(), envp.as_user()) } {
        Ok(_) => Errno::ENOSYS,
        Err(errno) => errno,
    }
}

/// Returns the paths at which a program's name may be found, in the order in which they are tried.
pub fn candidates(name: &[u8], search_path: &[u8]) -> Vec<Vec<u8>> {
    if name.contains(&b'/') {
        return Vec::from([name.to_vec()]);
    }
    search_path
        .split(|byte| *byte == b':')
        .map(|directory| fs::join(directory, name))
        .collect()
}

/// Replaces the program by the first of that name in a search path; returns the path that failed for
/// another reason than absence, if any, and the error.
pub fn execute_by_name(
    name: &[u8],
    search_path: &[u8],
    arguments: &[Vec<u8>],
    environment: &[Vec<u8>],
) -> (Vec<u8>, Errno) {
    let mut failure = (name.to_vec(), Errno::ENOENT);
    for path in candidates(name, search_path) {
        match execute(&path, arguments, environment) {
            Errno::ENOENT | Errno::ENOTDIR => {}
            // One without permission does not hide one further on.
            Errno::EACCES => failure = (path, Errno::EACCES),
            errno => return (path, errno),
        }
    }
    failure
}

/// Waits for a child as waitpid(2) does; `None` when `NOHANG` found no news.
///
/// # Errors
/// Those of waitpid(2), among them EINTR.
pub fn wait(pid: i32, options: WaitFlags) -> Result<Option<(i32, WaitStatus)>> {
    let mut word = 0_i32;
    let into = UserPtr::new(&raw mut word as u64);
    // SAFETY: the call writes the status word, which lives until it returns.
    match unsafe { sys::wait4(pid, into, options, UserPtr::NULL) }? {
        0 => Ok(None),
        pid => Ok(Some((pid as i32, WaitStatus::decode(word)))),
    }
}

/// Returns the status that a shell gives a child's end: 128 and the signal's number for a signal.
pub fn shell_status(status: WaitStatus) -> i32 {
    match status {
        WaitStatus::Exited(status) => status & 0xff,
        WaitStatus::Signaled { signal, .. } | WaitStatus::Stopped(signal) => 128 + signal as i32,
        WaitStatus::Continued => 0,
    }
}

/// Flushes standard output and ends the process; failed output turns success into status 1.
pub fn exit(status: i32) -> ! {
    let status = match io::flush() {
        Err(errno) if status == 0 => {
            crate::eprintln!("write error: {}", errno.message());
            1
        }
        _ => status,
    };
    exit_now(status)
}

/// Ends the process at once.
pub fn exit_now(status: i32) -> ! {
    loop {
        // SAFETY: nothing of this process is used after the call.
        let _ = unsafe { sys::exit_group(status) };
    }
}

/// Returns the process's id.
pub fn id() -> i32 {
    // SAFETY: the call touches no memory.
    unsafe { sys::getpid() }.unwrap_or(0) as i32
}

/// Returns the effective user's id.
pub fn effective_user() -> u32 {
    // SAFETY: the call touches no memory.
    unsafe { sys::geteuid() }.unwrap_or(0) as u32
}

/// Returns the id of the caller's process group.
pub fn group() -> i32 {
    // SAFETY: the call touches no memory.
    unsafe { sys::getpgid(0) }.unwrap_or(0) as i32
}

/// Puts a process into a group; zero stands for the caller and for the process's own id.
///
/// # Errors
/// Those of setpgid(2).
pub fn set_group(pid: i32, group: i32) -> Result<()> {
    // SAFETY: the call touches no memory.
    unsafe { sys::setpgid(pid, group) }.map(drop)
}

/// Starts a session with the caller as leader.
///
/// # Errors
/// Those of setsid(2).
pub fn new_session() -> Result<()> {
    // SAFETY: the call touches no memory.
    unsafe { sys::setsid() }.map(drop)
}

/// Sends a signal, zero to probe; -1 stands for all processes but the caller's and init.
///
/// # Errors
/// Those of kill(2).
pub fn kill(pid: i32, signal: u32) -> Result<()> {
    // SAFETY: the call touches no memory of this process.
    unsafe { sys::kill(pid, signal.cast_signed()) }.map(drop)
}

/// Sets the mask of permissions that new files do not get; returns the old one.
pub fn set_umask(mask: u32) -> u32 {
    // SAFETY: the call touches no memory, and it always succeeds.
    unsafe { sys::umask(mask) }.unwrap_or(0) as u32
}

/// Makes a pipe that execve closes: the end to read and the end to write.
///
/// # Errors
/// Those of pipe(2).
pub fn pipe() -> Result<(fs::File, fs::File)> {
    let mut ends = [0_i32; 2];
    let flags = fs::OpenFlags::CLOEXEC.to_raw(arch::ISA);
    let into = UserPtr::new(&raw mut ends as u64);
    // SAFETY: the call writes the two numbers, which live until it returns.
    unsafe { sys::pipe2(into, flags) }?;
    Ok((
        fs::File::from_descriptor(ends[0]),
        fs::File::from_descriptor(ends[1]),
    ))
}

/// Makes `new` another name of `old`; it stays open over execve, even when the two are one.
///
/// # Errors
/// Those of dup2(2).
pub fn duplicate_to(old: i32, new: i32) -> Result<()> {
    if old == new {
        return set_inheritable(new);
    }
    // SAFETY: the call touches no memory.
    unsafe { sys::dup3(Fd(old), Fd(new), 0) }.map(drop)
}

/// Duplicates a descriptor to a free one from `least` on, which execve closes.
///
/// # Errors
/// Those of fcntl(2).
pub fn duplicate_above(old: i32, least: i32) -> Result<i32> {
    // SAFETY: the command touches no memory.
    unsafe { sys::fcntl(Fd(old), F_DUPFD_CLOEXEC, least.unsigned_abs().into()) }.map(|fd| fd as i32)
}

/// Tells whether a descriptor is open.
pub fn is_open(fd: i32) -> bool {
    // SAFETY: the command touches no memory.
    unsafe { sys::fcntl(Fd(fd), F_GETFD, 0) }.is_ok()
}

fn set_inheritable(fd: i32) -> Result<()> {
    // SAFETY: the command touches no memory.
    unsafe { sys::fcntl(Fd(fd), los_abi::fs::F_SETFD, 0) }.map(drop)
}

#[cfg(test)]
mod tests {
    use super::{WaitStatus, candidates, duplicate_above, is_open, pipe, shell_status};
    use crate::Errno;
    use crate::io::{self, Read};
    use alloc::vec::Vec;

    #[test]
    fn programs_are_searched_in_order() {
        let paths = candidates(b"ls", b"/bin::/usr/bin");
        assert_eq!(paths, [&b"/bin/ls"[..], b"ls", b"/usr/bin/ls"]);
        assert_eq!(candidates(b"./ls", b"/bin"), [b"./ls"]);
    }

    #[test]
    fn a_pipe_carries_bytes_to_its_end() {
        let (mut reader, mut writer) = pipe().unwrap();
        writer.write_all(b"through").unwrap();
        let copy = duplicate_above(writer.descriptor(), 50).unwrap();
        assert!(copy >= 50 && is_open(copy));
        drop(writer);
        io::write_all(copy, b" a pipe").unwrap();
        io::close(copy).unwrap();
        let mut text = Vec::new();
        reader.read_to_end(&mut text).unwrap();
        assert_eq!(text, b"through a pipe");
        assert_eq!(io::read(-1, &mut [0]), Err(Errno::EBADF));
    }

    #[test]
    fn a_missing_program_leaves_the_caller_intact() {
        assert_eq!(super::execute(b"/nonexistent/program", &[], &[]), Errno::ENOENT);
        let (_, errno) = super::execute_by_name(b"no-such-program", b"/bin:/nonexistent", &[], &[]);
        assert_eq!(errno, Errno::ENOENT);
    }

    #[test]
    fn statuses_are_those_of_a_shell() {
        assert_eq!(shell_status(WaitStatus::Exited(42)), 42);
        assert_eq!(
            shell_status(WaitStatus::Signaled {
                signal: 9,
                core_dumped: false
            }),
            137
        );
    }
}
