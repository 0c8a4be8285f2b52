//! mmap, mprotect, munmap, brk, and the faults that follow from them.

use los_abi::errno::Errno;
use los_abi::signal::{SIGBUS, SIGSEGV};
use los_abi::syscall::Sysno;
use rt::{fs, process};

use crate::arch;
use crate::cases::{dies_of, ended};
use crate::harness::{Outcome, in_child};
use crate::raw::{addr, call, jump, peek, poke};
use crate::{cases, ensure, ensure_eq};

cases![
    anonymous_memory_is_zero,
    map_argument_checks,
    unmapped_memory_faults,
    read_only_memory_faults_on_write,
    protect_splits_a_mapping,
    protect_checks,
    execute_needs_permission,
    code_can_be_written_then_run,
    fixed_replaces,
    fixed_noreplace_refuses,
    break_grows_and_shrinks,
    private_file_mapping,
    shared_file_mapping_is_the_file,
    mapping_past_the_end_is_sigbus,
    mapping_survives_close_and_unlink,
    shared_anonymous_memory_crosses_fork,
    dontneed_zeroes,
    huge_mapping_is_enomem,
    stack_grows,
    null_faults,
    many_mappings,
];

pub(super) const PAGE: u64 = 4096;
pub(super) const READ: u64 = 1;
pub(super) const WRITE: u64 = 2;
const EXECUTE: u64 = 4;
pub(super) const SHARED: u64 = 1;
pub(super) const PRIVATE: u64 = 2;
pub(super) const FIXED: u64 = 0x10;
pub(super) const ANONYMOUS: u64 = 0x20;
const FIXED_NOREPLACE: u64 = 0x10_0000;
pub(super) const NO_FD: u64 = u64::MAX;

pub(super) fn map(length: u64, protection: u64) -> Result<u64, Errno> {
    call(
        Sysno::mmap,
        &[0, length, protection, PRIVATE | ANONYMOUS, NO_FD, 0],
    )
}

fn anonymous_memory_is_zero() -> Outcome {
    let at = map(3 * PAGE, READ | WRITE)?;
    ensure!(at % PAGE == 0);
    for offset in (0..3 * PAGE).step_by(512) {
        ensure_eq!(peek::<u64>(at + offset), 0);
        poke(at + offset, offset);
    }
    ensure_eq!(peek::<u64>(at + PAGE), PAGE);
    call(Sysno::munmap, &[at, 3 * PAGE])?;
    Ok(())
}

fn map_argument_checks() -> Outcome {
    let map = |arguments: [u64; 6]| call(Sysno::mmap, &arguments).err();
    ensure_eq!(
        map([0, 0, READ, PRIVATE | ANONYMOUS, NO_FD, 0]),
        Some(Errno::EINVAL)
    );
    ensure_eq!(map([0, PAGE, READ, ANONYMOUS, NO_FD, 0]), Some(Errno::EINVAL));
    ensure_eq!(map([0, PAGE, READ, PRIVATE, NO_FD, 0]), Some(Errno::EBADF));
    ensure_eq!(
        map([1, PAGE, READ, PRIVATE | ANONYMOUS | FIXED, NO_FD, 0]),
        Some(Errno::EINVAL)
    );
    ensure_eq!(
        map([0, PAGE, READ, PRIVATE | ANONYMOUS, NO_FD, 1]),
        Some(Errno::EINVAL)
    );
    ensure_eq!(call(Sysno::munmap, &[1, PAGE]).err(), Some(Errno::EINVAL));
    ensure_eq!(call(Sysno::munmap, &[PAGE, 0]).err(), Some(Errno::EINVAL));
    ensure_eq!(
        call(Sysno::munmap, &[arch::KERNEL_ADDRESS, PAGE]).err(),
        Some(Errno::EINVAL)
    );
    Ok(())
}

fn unmapped_memory_faults() -> Outcome {
    let at = map(3 * PAGE, READ | WRITE)?;
    poke(at, 1_u64);
    call(Sysno::munmap, &[at + PAGE, PAGE])?;
    ensure_eq!(peek::<u64>(at), 1);
    ensure_eq!(peek::<u64>(at + 2 * PAGE), 0);
    dies_of(SIGSEGV, || {
        peek::<u64>(at + PAGE);
    })
}

fn read_only_memory_faults_on_write() -> Outcome {
    let at = map(PAGE, READ)?;
    ensure_eq!(peek::<u64>(at), 0);
    dies_of(SIGSEGV, || poke(at, 1_u64))
}

fn protect_splits_a_mapping() -> Outcome {
    let at = map(3 * PAGE, READ | WRITE)?;
    for page in 0..3 {
        poke(at + page * PAGE, page + 1);
    }
    call(Sysno::mprotect, &[at + PAGE, PAGE, READ])?;
    poke(at, 10_u64);
    poke(at + 2 * PAGE, 30_u64);
    ensure_eq!(peek::<u64>(at + PAGE), 2);
    dies_of(SIGSEGV, || poke(at + PAGE, 1_u64))?;
    call(Sysno::mprotect, &[at, 3 * PAGE, READ | WRITE])?;
    poke(at + PAGE, 20_u64);
    call(Sysno::mprotect, &[at, PAGE, 0])?;
    dies_of(SIGSEGV, || {
        peek::<u64>(at);
    })
}

fn protect_checks() -> Outcome {
    let at = map(2 * PAGE, READ)?;
    call(Sysno::munmap, &[at + PAGE, PAGE])?;
    ensure_eq!(
        call(Sysno::mprotect, &[at, 2 * PAGE, READ]).err(),
        Some(Errno::ENOMEM)
    );
    ensure_eq!(
        call(Sysno::mprotect, &[at + 1, PAGE, READ]).err(),
        Some(Errno::EINVAL)
    );
    ensure_eq!(call(Sysno::mprotect, &[at, 0, READ])?, 0);
    Ok(())
}

fn execute_needs_permission() -> Outcome {
    let at = map(PAGE, READ | WRITE)?;
    for (offset, &byte) in arch::RETURN.iter().enumerate() {
        poke(at + offset as u64, byte);
    }
    dies_of(SIGSEGV, || jump(at))
}

fn code_can_be_written_then_run() -> Outcome {
    let at = map(PAGE, READ | WRITE)?;
    for (offset, &byte) in arch::RETURN.iter().enumerate() {
        poke(at + offset as u64, byte);
    }
    call(Sysno::mprotect, &[at, PAGE, READ | EXECUTE])?;
    jump(at);
    Ok(())
}

fn fixed_replaces() -> Outcome {
    let at = map(2 * PAGE, READ | WRITE)?;
    poke(at, 1_u64);
    poke(at + PAGE, 2_u64);
    let flags = PRIVATE | ANONYMOUS | FIXED;
    ensure_eq!(call(Sysno::mmap, &[at, PAGE, READ | WRITE, flags, NO_FD, 0])?, at);
    ensure_eq!(peek::<u64>(at), 0);
    ensure_eq!(peek::<u64>(at + PAGE), 2);
    Ok(())
}

fn fixed_noreplace_refuses() -> Outcome {
    let at = map(PAGE, READ)?;
    let flags = PRIVATE | ANONYMOUS | FIXED_NOREPLACE;
    ensure_eq!(
        call(Sysno::mmap, &[at, PAGE, READ, flags, NO_FD, 0]).err(),
        Some(Errno::EEXIST)
    );
    Ok(())
}

fn break_grows_and_shrinks() -> Outcome {
    let start = call(Sysno::brk, &[0])?;
    let end = start + 10 * PAGE;
    ensure_eq!(call(Sysno::brk, &[end])?, end);
    poke(start + 9 * PAGE, 5_u64);
    ensure_eq!(call(Sysno::brk, &[start + PAGE])?, start + PAGE);
    ensure_eq!(call(Sysno::brk, &[end])?, end);
    ensure_eq!(peek::<u64>(start + 9 * PAGE), 0);
    ensure_eq!(call(Sysno::brk, &[1])?, end);
    call(Sysno::brk, &[start])?;
    Ok(())
}

pub(super) fn file_of(bytes: &[u8]) -> Result<fs::File, Errno> {
    use los_abi::fs::OpenFlags;
    let mut file = fs::File::open_with(
        b"mapped",
        OpenFlags::RDWR | OpenFlags::CREAT | OpenFlags::TRUNC,
        0o644,
    )?;
    file.write_all(bytes)?;
    Ok(file)
}

fn private_file_mapping() -> Outcome {
    let file = file_of(&[7; 5000])?;
    let fd = file.descriptor() as u64;
    let at = call(Sysno::mmap, &[0, 2 * PAGE, READ | WRITE, PRIVATE, fd, 0])?;
    ensure_eq!(peek::<u8>(at + 4999), 7);
    ensure_eq!(peek::<u8>(at + 5000), 0);
    poke(at, 9_u8);
    ensure_eq!(fs::read(b"mapped")?[0], 7);
    let second = call(Sysno::mmap, &[0, PAGE, READ, PRIVATE, fd, PAGE])?;
    ensure_eq!(peek::<u8>(second), 7);
    Ok(())
}

fn shared_file_mapping_is_the_file() -> Outcome {
    let file = file_of(&[1; 4096])?;
    let fd = file.descriptor() as u64;
    let at = call(Sysno::mmap, &[0, PAGE, READ | WRITE, SHARED, fd, 0])?;
    poke(at + 10, 99_u8);
    ensure_eq!(fs::read(b"mapped")?[10], 99);
    call(Sysno::pwrite64, &[fd, addr(b"z"), 1, 20])?;
    ensure_eq!(peek::<u8>(at + 20), b'z');
    ensure_eq!(
        ended(in_child(|| {
            poke(at + 30, 55_u8);
            0
        })?),
        0
    );
    ensure_eq!(peek::<u8>(at + 30), 55);
    Ok(())
}

fn mapping_past_the_end_is_sigbus() -> Outcome {
    let file = file_of(&[1; 100])?;
    let fd = file.descriptor() as u64;
    let at = call(Sysno::mmap, &[0, 2 * PAGE, READ, SHARED, fd, 0])?;
    ensure_eq!(peek::<u8>(at + 99), 1);
    dies_of(SIGBUS, || {
        peek::<u8>(at + PAGE);
    })
}

fn mapping_survives_close_and_unlink() -> Outcome {
    let file = file_of(b"still here")?;
    let at = call(
        Sysno::mmap,
        &[0, PAGE, READ, PRIVATE, file.descriptor() as u64, 0],
    )?;
    drop(file);
    fs::remove_file(b"mapped")?;
    ensure_eq!(peek::<u8>(at), b's');
    Ok(())
}

fn shared_anonymous_memory_crosses_fork() -> Outcome {
    let at = call(
        Sysno::mmap,
        &[0, PAGE, READ | WRITE, SHARED | ANONYMOUS, NO_FD, 0],
    )?;
    ensure_eq!(
        ended(in_child(|| {
            poke(at, 77_u64);
            0
        })?),
        0
    );
    ensure_eq!(peek::<u64>(at), 77);
    Ok(())
}

fn dontneed_zeroes() -> Outcome {
    const MADV_DONTNEED: u64 = 4;
    let at = map(PAGE, READ | WRITE)?;
    poke(at, 1_u64);
    call(Sysno::madvise, &[at, PAGE, MADV_DONTNEED])?;
    ensure_eq!(peek::<u64>(at), 0);
    ensure_eq!(
        call(Sysno::madvise, &[at + 1, PAGE, MADV_DONTNEED]).err(),
        Some(Errno::EINVAL)
    );
    ensure_eq!(
        call(Sysno::madvise, &[at, PAGE, 12345]).err(),
        Some(Errno::EINVAL)
    );
    Ok(())
}

fn huge_mapping_is_enomem() -> Outcome {
    ensure_eq!(map(1 << 50, READ).err(), Some(Errno::ENOMEM));
    ensure_eq!(map(u64::MAX - PAGE, READ).err(), Some(Errno::ENOMEM));
    Ok(())
}

fn recurse(depth: u32) -> u64 {
    let frame = core::hint::black_box([u64::from(depth); 128]);
    if depth == 0 {
        frame[5]
    } else {
        recurse(depth - 1) + core::hint::black_box(frame)[7]
    }
}

fn stack_grows() -> Outcome {
    // About 4 MiB of the usual 8 MiB.
    ensure!(recurse(3500) > 0);
    dies_of(SIGSEGV, || {
        core::hint::black_box(recurse(1_000_000));
    })
}

fn null_faults() -> Outcome {
    dies_of(SIGSEGV, || {
        peek::<u64>(core::hint::black_box(8));
    })
}

fn many_mappings() -> Outcome {
    let at = map(512 * PAGE, READ | WRITE)?;
    // Every second page read-only: 512 mappings.
    for page in (0..512).step_by(2) {
        call(Sysno::mprotect, &[at + page * PAGE, PAGE, READ])?;
    }
    for page in (1..512).step_by(2) {
        poke(at + page * PAGE, page);
    }
    ensure_eq!(
        ended(in_child(|| {
            let intact = (1..512)
                .step_by(2)
                .all(|page| peek::<u64>(at + page * PAGE) == page);
            process::exit_now(i32::from(!intact))
        })?),
        0
    );
    call(Sysno::munmap, &[at, 512 * PAGE])?;
    Ok(())
}
