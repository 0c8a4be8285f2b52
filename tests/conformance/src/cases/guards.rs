//! Guard pages, which nobody can touch (MADV_GUARD_INSTALL in madvise(2)).

use los_abi::errno::Errno;
use los_abi::mm::{MADV_DONTNEED, MADV_GUARD_INSTALL, MADV_GUARD_REMOVE, MADV_POPULATE_READ, MapFlags};
use los_abi::syscall::Sysno;

use super::ended;
use super::memory::{PAGE, map};
use super::memory_calls::numbered;
use crate::harness::{Failure, Outcome, in_child};
use crate::raw::{call, peek, poke};
use crate::{cases, ensure, ensure_eq};

cases![
    guards_are_not_touched,
    guards_move_and_go_with_their_memory,
    guards_are_checked,
];

const READ: u64 = 1;
const WRITE: u64 = 2;

fn advise(address: u64, advice: i32) -> Result<u64, Errno> {
    call(Sysno::madvise, &[address, PAGE, advice as u64])
}

const SEGV: i32 = 128 + 11;

/// Tells whether touching an address ends a process.
fn is_guarded(at: u64) -> Result<bool, Failure> {
    let status = ended(in_child(|| i32::from(peek::<u8>(at) > 250))?);
    ensure!(status == 0 || status == SEGV, "status {status}");
    Ok(status == SEGV)
}

/// Returns memory of four pages, all of them touched, the second of which is guarded.
fn guarded() -> Result<u64, Failure> {
    let at = map(4 * PAGE, READ | WRITE)?;
    (0..4).for_each(|page| poke(at + page * PAGE, page as u8 + 1));
    match advise(at + PAGE, MADV_GUARD_INSTALL) {
        Err(Errno::EINVAL) => Err(Failure::Skip("an older Linux")),
        other => {
            other?;
            Ok(at)
        }
    }
}

fn guards_are_not_touched() -> Outcome {
    let at = guarded()?;
    let is = [0, 1, 2, 3].map(|page| is_guarded(at + page * PAGE));
    for (page, is) in is.into_iter().enumerate() {
        ensure_eq!((page, is?), (page, page == 1));
    }
    // Not by the kernel either.
    let (_reader, writer) = rt::process::pipe()?;
    let write = |from: u64| call(Sysno::write, &[writer.descriptor() as u64, from, 2]);
    ensure_eq!(write(at + PAGE), Err(Errno::EFAULT));
    ensure_eq!(advise(at + PAGE, MADV_POPULATE_READ), Err(Errno::EFAULT));
    ensure_eq!(advise(at + PAGE, MADV_DONTNEED), Ok(0));
    ensure_eq!(is_guarded(at + PAGE)?, true);
    ensure_eq!(advise(at + PAGE, MADV_GUARD_REMOVE), Ok(0));
    ensure_eq!(
        [0, 1, 2, 3].map(|page| peek::<u8>(at + page * PAGE)),
        [1, 0, 3, 4]
    );
    Ok(())
}

fn guards_move_and_go_with_their_memory() -> Outcome {
    let at = guarded()?;
    let room = map(4 * PAGE, 0)?;
    ensure_eq!(call(Sysno::mremap, &[at, 4 * PAGE, 4 * PAGE, 3, room]), Ok(room));
    ensure_eq!(is_guarded(room + PAGE)?, true);
    ensure_eq!(is_guarded(room + 2 * PAGE)?, false);
    let fixed = u64::from((MapFlags::PRIVATE | MapFlags::ANONYMOUS | MapFlags::FIXED).bits());
    call(
        Sysno::mmap,
        &[room + PAGE, PAGE, READ | WRITE, fixed, u64::MAX, 0],
    )?;
    ensure_eq!(is_guarded(room + PAGE)?, false);
    // A file's pages are no nearer.
    let (_file, at) = numbered(4)?;
    if advise(at + PAGE, MADV_GUARD_INSTALL).is_ok() {
        ensure_eq!(peek::<u8>(at), 0);
        ensure_eq!(is_guarded(at + PAGE)?, true);
        ensure_eq!(peek::<u8>(at + 2 * PAGE), 2);
        ensure_eq!(advise(at, MADV_GUARD_REMOVE), Ok(0));
        ensure_eq!(is_guarded(at + PAGE)?, true);
        ensure_eq!(advise(at + PAGE, MADV_GUARD_REMOVE), Ok(0));
        ensure_eq!(peek::<u8>(at + PAGE), 1);
    }
    Ok(())
}

fn guards_are_checked() -> Outcome {
    let at = guarded()?;
    call(Sysno::mlock, &[at + 2 * PAGE, PAGE])?;
    ensure_eq!(advise(at + 2 * PAGE, MADV_GUARD_INSTALL), Err(Errno::EINVAL));
    ensure_eq!(advise(at + 2 * PAGE, MADV_GUARD_REMOVE), Ok(0));
    ensure_eq!(advise(at + 1, MADV_GUARD_INSTALL), Err(Errno::EINVAL));
    call(Sysno::munmap, &[at + 2 * PAGE, PAGE])?;
    ensure_eq!(advise(at + 2 * PAGE, MADV_GUARD_INSTALL), Err(Errno::ENOMEM));
    Ok(())
}
