//! mlock and its family, msync, mincore, membarrier.

use los_abi::errno::Errno;
use los_abi::syscall::Sysno;

use crate::cases::ended;
use crate::cases::memory::{ANONYMOUS, NO_FD, PAGE, PRIVATE, READ, WRITE, file_of, map};
use crate::harness::{Outcome, in_child};
use crate::raw::{addr, call, poke};
use crate::{cases, ensure, ensure_eq};

cases![
    locked_pages_are_in_memory,
    lock_checks,
    lock_all_checks,
    limit_binds_the_unprivileged,
    locked_size_is_shown,
    future_mappings_are_locked,
    children_do_not_inherit_locks,
    msync_checks,
    mincore_tells_what_is_in_memory,
    mincore_checks,
    membarrier_wants_registration,
];

const RLIMIT_MEMLOCK: u64 = 8;
const NOBODY: u64 = 65534;
const MAP_LOCKED: u64 = 0x2000;
const CURRENT: u64 = 1;
const FUTURE: u64 = 2;
const ONFAULT: u64 = 4;

/// Returns which of the first pages are in memory, as digits.
fn resident(at: u64, pages: u64) -> Result<u64, Errno> {
    let mut vector = [2_u8; 16];
    call(
        Sysno::mincore,
        &[at, pages * PAGE, vector.as_mut_ptr().addr() as u64],
    )?;
    Ok(vector[..pages as usize]
        .iter()
        .fold(0, |digits, byte| digits * 10 + u64::from(byte & 1)))
}

fn locked_kib() -> Result<u64, Errno> {
    let status = rt::fs::read(b"/proc/self/status")?;
    let mut lines = status.split(|&byte| byte == b'\n');
    let line = lines.find_map(|line| line.strip_prefix(b"VmLck:"));
    let digits = line
        .unwrap_or_default()
        .iter()
        .filter(|byte| byte.is_ascii_digit());
    Ok(digits.fold(0, |value, digit| value * 10 + u64::from(digit - b'0')))
}

/// Becomes a user without capabilities who may lock so many pages.
fn become_nobody(pages: u64) -> Result<(), Errno> {
    let limit = [pages * PAGE, pages * PAGE];
    call(Sysno::prlimit64, &[0, RLIMIT_MEMLOCK, addr(&limit), 0])?;
    call(Sysno::setuid, &[NOBODY])?;
    Ok(())
}

/// Runs checks in a child; each that fails is told by its number.
fn checked_in_child(checks: impl FnOnce() -> Result<i32, Errno>) -> Outcome {
    let status = in_child(|| checks().unwrap_or(100))?;
    ensure_eq!(ended(status), 0);
    Ok(())
}

fn locked_pages_are_in_memory() -> Outcome {
    let at = map(4 * PAGE, READ | WRITE)?;
    ensure_eq!(resident(at, 4)?, 0);
    // Whole pages, also of a part.
    call(Sysno::mlock, &[at + PAGE + 1, PAGE])?;
    ensure_eq!(resident(at, 4)?, 110);
    call(Sysno::mlock2, &[at, 4 * PAGE, 1])?;
    ensure_eq!(resident(at, 4)?, 110);
    call(Sysno::munlock, &[at, 4 * PAGE])?;
    let locked = call(
        Sysno::mmap,
        &[
            0,
            3 * PAGE,
            READ | WRITE,
            PRIVATE | ANONYMOUS | MAP_LOCKED,
            NO_FD,
            0,
        ],
    )?;
    ensure_eq!(resident(locked, 3)?, 111);
    Ok(())
}

fn lock_checks() -> Outcome {
    let at = map(4 * PAGE, READ | WRITE)?;
    call(Sysno::munmap, &[at + 2 * PAGE, PAGE])?;
    let error = |call_, arguments: &[u64]| call(call_, arguments).err();
    ensure_eq!(error(Sysno::mlock2, &[at, PAGE, 2]), Some(Errno::EINVAL));
    ensure_eq!(error(Sysno::mlock, &[at, 4 * PAGE]), Some(Errno::ENOMEM));
    ensure_eq!(error(Sysno::munlock, &[at, 4 * PAGE]), Some(Errno::ENOMEM));
    ensure_eq!(error(Sysno::munlock, &[at, 0]), None);
    ensure_eq!(error(Sysno::mlock, &[at + 2 * PAGE, 0]), None);
    ensure_eq!(
        error(Sysno::munlock, &[u64::MAX - PAGE + 1, 2 * PAGE]),
        Some(Errno::EINVAL)
    );
    let nothing = map(PAGE, 0)?;
    ensure_eq!(error(Sysno::mlock, &[nothing, PAGE]), Some(Errno::ENOMEM));
    // Locked pages are not given back.
    call(Sysno::mlock, &[at, PAGE])?;
    ensure_eq!(error(Sysno::madvise, &[at, PAGE, 4]), Some(Errno::EINVAL));
    ensure_eq!(error(Sysno::madvise, &[at, PAGE, 20]), Some(Errno::EINVAL));
    ensure_eq!(error(Sysno::madvise, &[at, PAGE, 8]), Some(Errno::EINVAL));
    // MADV_DONTNEED_LOCKED is for these.
    ensure_eq!(error(Sysno::madvise, &[at, PAGE, 24]), None);
    // Lengths wrap round to nothing.
    ensure_eq!(error(Sysno::mlock, &[at, u64::MAX]), None);
    ensure_eq!(error(Sysno::munlock, &[at, u64::MAX]), None);
    ensure_eq!(error(Sysno::msync, &[at, PAGE, 2]), Some(Errno::EBUSY));
    Ok(())
}

fn lock_all_checks() -> Outcome {
    let error = |flags| call(Sysno::mlockall, &[flags]).err();
    ensure_eq!(error(0), Some(Errno::EINVAL));
    ensure_eq!(error(8), Some(Errno::EINVAL));
    ensure_eq!(error(ONFAULT), Some(Errno::EINVAL));
    checked_in_child(|| {
        call(Sysno::mlockall, &[CURRENT])?;
        let all = locked_kib()?;
        call(Sysno::munlockall, &[])?;
        Ok(i32::from(all == 0 || locked_kib()? != 0))
    })
}

fn limit_binds_the_unprivileged() -> Outcome {
    let at = map(8 * PAGE, READ | WRITE)?;
    checked_in_child(|| {
        become_nobody(4)?;
        let lock = |pages| call(Sysno::mlock, &[at, pages * PAGE]).err();
        let mapped = |pages| {
            call(
                Sysno::mmap,
                &[0, pages * PAGE, READ, PRIVATE | ANONYMOUS | MAP_LOCKED, NO_FD, 0],
            )
            .err()
        };
        let answers = [
            lock(5) == Some(Errno::ENOMEM),
            lock(4).is_none(),
            // What is locked already counts once.
            lock(4).is_none(),
            mapped(1) == Some(Errno::EAGAIN),
            call(Sysno::mlock, &[at + 4 * PAGE, PAGE]).err() == Some(Errno::ENOMEM),
            call(Sysno::mlockall, &[CURRENT]).err() == Some(Errno::ENOMEM),
        ];
        Ok(answers
            .iter()
            .position(|right| !right)
            .map_or(0, |wrong| wrong as i32 + 1))
    })?;
    checked_in_child(|| {
        become_nobody(0)?;
        let refused = Some(Errno::EPERM);
        let right = call(Sysno::mlock, &[at, PAGE]).err() == refused
            && call(Sysno::mlockall, &[FUTURE]).err() == refused
            && call(
                Sysno::mmap,
                &[0, PAGE, READ, PRIVATE | ANONYMOUS | MAP_LOCKED, NO_FD, 0],
            )
            .err()
                == refused;
        Ok(i32::from(!right))
    })
}

fn locked_size_is_shown() -> Outcome {
    let before = locked_kib()?;
    let at = map(4 * PAGE, READ | WRITE)?;
    call(Sysno::mlock, &[at, 3 * PAGE])?;
    ensure_eq!(locked_kib()? - before, 12);
    call(Sysno::munlock, &[at + PAGE, PAGE])?;
    ensure_eq!(locked_kib()? - before, 8);
    call(Sysno::munmap, &[at, 4 * PAGE])?;
    ensure_eq!(locked_kib()? - before, 0);
    Ok(())
}

fn future_mappings_are_locked() -> Outcome {
    checked_in_child(|| {
        call(Sysno::mlockall, &[FUTURE])?;
        let at = map(2 * PAGE, READ | WRITE)?;
        let start = call(Sysno::brk, &[0])?;
        call(Sysno::brk, &[start + 2 * PAGE])?;
        let right = resident(at, 2)? == 11 && locked_kib()? >= 8;
        call(Sysno::mlockall, &[FUTURE | ONFAULT])?;
        let later = map(2 * PAGE, READ | WRITE)?;
        let lazy = resident(later, 2)? == 0;
        call(Sysno::munlockall, &[])?;
        let free = map(PAGE, READ | WRITE)?;
        Ok(i32::from(!right || !lazy || resident(free, 1)? != 0))
    })
}

fn children_do_not_inherit_locks() -> Outcome {
    let at = map(2 * PAGE, READ | WRITE)?;
    call(Sysno::mlock, &[at, 2 * PAGE])?;
    ensure!(locked_kib()? >= 8);
    checked_in_child(|| Ok(i32::from(locked_kib()? != 0)))
}

fn msync_checks() -> Outcome {
    let at = map(3 * PAGE, READ | WRITE)?;
    call(Sysno::munmap, &[at + PAGE, PAGE])?;
    let error = |address, length, flags| call(Sysno::msync, &[address, length, flags]).err();
    let (asynchronous, invalidate, synchronous) = (1, 2, 4);
    ensure_eq!(error(at, PAGE, 8), Some(Errno::EINVAL));
    ensure_eq!(error(at + 1, PAGE, synchronous), Some(Errno::EINVAL));
    ensure_eq!(error(at, PAGE, asynchronous | synchronous), Some(Errno::EINVAL));
    ensure_eq!(error(at, 3 * PAGE, synchronous), Some(Errno::ENOMEM));
    ensure_eq!(error(at, 3 * PAGE, asynchronous), Some(Errno::ENOMEM));
    ensure_eq!(
        error(u64::MAX - PAGE + 1, 2 * PAGE, synchronous),
        Some(Errno::ENOMEM)
    );
    ensure_eq!(error(at, 0, synchronous), None);
    for flags in [0, asynchronous, invalidate, synchronous, invalidate | synchronous] {
        ensure_eq!(error(at, PAGE, flags), None);
    }
    let file = file_of(&[1; 100])?;
    let shared = call(
        Sysno::mmap,
        &[0, PAGE, READ | WRITE, 1, file.descriptor() as u64, 0],
    )?;
    poke(shared, 5_u8);
    ensure_eq!(error(shared, PAGE, synchronous), None);
    ensure_eq!(rt::fs::read(b"mapped")?[0], 5);
    Ok(())
}

fn mincore_tells_what_is_in_memory() -> Outcome {
    let at = map(5 * PAGE, READ | WRITE)?;
    poke(at + PAGE, 1_u8);
    poke(at + 4 * PAGE, 1_u8);
    ensure_eq!(resident(at, 5)?, 1001);
    call(Sysno::madvise, &[at + PAGE, PAGE, 4])?;
    ensure_eq!(resident(at, 5)?, 1);
    // Pages of a file are in memory before they are touched.
    let file = file_of(&[1; 5000])?;
    let mapped = call(
        Sysno::mmap,
        &[0, 2 * PAGE, READ, PRIVATE, file.descriptor() as u64, 0],
    )?;
    ensure_eq!(resident(mapped, 2)?, 11);
    Ok(())
}

fn mincore_checks() -> Outcome {
    let at = map(3 * PAGE, READ)?;
    call(Sysno::munmap, &[at + PAGE, PAGE])?;
    let mut vector = [0_u8; 4];
    let place = vector.as_mut_ptr().addr() as u64;
    let error = |address, length, vector| call(Sysno::mincore, &[address, length, vector]).err();
    ensure_eq!(error(at + 1, PAGE, place), Some(Errno::EINVAL));
    ensure_eq!(error(at, 3 * PAGE, place), Some(Errno::ENOMEM));
    ensure_eq!(error(at, u64::MAX / 2, place), Some(Errno::ENOMEM));
    ensure_eq!(error(at, PAGE, at + PAGE), Some(Errno::EFAULT));
    ensure_eq!(error(at, 0, place), None);
    Ok(())
}

fn membarrier_wants_registration() -> Outcome {
    let barrier = |command: u64, flags: u64| call(Sysno::membarrier, &[command, flags, 0]);
    let commands = barrier(0, 0)?;
    let (private, register) = (8, 0x10);
    ensure!(commands & private != 0 && commands & register != 0);
    ensure_eq!(barrier(0, 1).err(), Some(Errno::EINVAL));
    ensure_eq!(barrier(3, 0).err(), Some(Errno::EINVAL));
    ensure_eq!(barrier(private, 0).err(), Some(Errno::EPERM));
    barrier(register, 0)?;
    barrier(private, 0)?;
    barrier(1, 0)?;
    checked_in_child(|| Ok(i32::from(call(Sysno::membarrier, &[8, 0, 0]).is_err())))
}
