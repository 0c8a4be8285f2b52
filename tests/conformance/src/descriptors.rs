//! What descriptors tell of their files, and what is read from those that give records.

use alloc::format;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::poll::{PollEvents, PollFd};
use los_abi::syscall::Sysno;
use rt::{fs, io};

use crate::raw::{addr, addr_mut, call};

/// Waits until one of the conditions of a descriptor holds, but no longer than so, and returns which do.
pub(crate) fn readiness(fd: u64, wanted: PollEvents, timeout_ms: i64) -> Result<PollEvents, Errno> {
    let mut entry = PollFd {
        fd: fd as i32,
        events: wanted.bits(),
        revents: 0,
    };
    let time = [timeout_ms / 1000, timeout_ms % 1000 * 1_000_000];
    call(Sysno::ppoll, &[addr_mut(&mut entry), 1, addr(&time), 0, 0])?;
    Ok(PollEvents::from_bits_retain(entry.revents))
}

/// Tells whether something can be read now.
pub(crate) fn is_readable(fd: u64) -> Result<bool, Errno> {
    Ok(readiness(fd, PollEvents::IN, 0)? == PollEvents::IN)
}

/// Tells whether /proc shows a line of facts about a descriptor.
pub(crate) fn shows_fact(fd: u64, line: &str) -> Result<bool, Errno> {
    let text = fs::read(format!("/proc/self/fdinfo/{fd}").as_bytes())?;
    Ok(text
        .split(|byte| *byte == b'\n')
        .any(|shown| shown == line.as_bytes()))
}

/// Returns what /proc shows that a descriptor refers to.
pub(crate) fn target(fd: u64) -> Result<Vec<u8>, Errno> {
    fs::read_link(format!("/proc/self/fd/{fd}").as_bytes())
}

/// Reads one number.
pub(crate) fn read_number(fd: u64) -> Result<u64, Errno> {
    let mut bytes = [0; 8];
    match io::read(fd as i32, &mut bytes)? {
        8 => Ok(u64::from_ne_bytes(bytes)),
        _ => Err(Errno::EIO),
    }
}
