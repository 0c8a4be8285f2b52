//! Files that are mapped, read, written and truncated at the same time.

use los_abi::errno::Errno;
use los_abi::signal::SIGBUS;
use los_abi::syscall::Sysno;

use crate::cases::memory::{PAGE, PRIVATE, READ, SHARED, WRITE};
use crate::cases::{dies_of, ended};
use crate::harness::{Outcome, in_child};
use crate::raw::{addr, call, peek, poke};
use crate::{cases, ensure, ensure_eq};

cases![
    stores_and_writes_see_each_other,
    truncation_takes_pages_out_of_mappings,
    truncation_zeroes_the_rest_of_a_page,
    truncation_takes_private_copies,
    truncation_reaches_other_processes,
    holes_read_zero_in_mappings,
    holes_spare_private_copies,
    appended_pages_appear,
    unknown_flags_of_shared_mappings,
    advice_checks,
];

const PUNCH_HOLE: u64 = 3;

/// Makes a memory file whose pages begin with their number from 1 on.
fn numbered(pages: u64) -> Result<u64, Errno> {
    let fd = call(Sysno::memfd_create, &[addr(b"shared\0"), 0])?;
    call(Sysno::ftruncate, &[fd, pages * PAGE])?;
    for page in 0..pages {
        write(fd, page * PAGE, &[page as u8 + 1])?;
    }
    Ok(fd)
}

fn write(fd: u64, offset: u64, bytes: &[u8]) -> Result<u64, Errno> {
    call(Sysno::pwrite64, &[fd, addr(bytes), bytes.len() as u64, offset])
}

fn read(fd: u64, offset: u64) -> Result<u8, Errno> {
    let mut byte = 0_u8;
    let place = core::ptr::from_mut(&mut byte).addr() as u64;
    ensure_read(call(Sysno::pread64, &[fd, place, 1, offset])?)?;
    Ok(byte)
}

fn ensure_read(count: u64) -> Result<(), Errno> {
    if count == 1 { Ok(()) } else { Err(Errno::EIO) }
}

fn map(fd: u64, pages: u64, flags: u64) -> Result<u64, Errno> {
    call(Sysno::mmap, &[0, pages * PAGE, READ | WRITE, flags, fd, 0])
}

fn digits(at: u64, pages: u64) -> u64 {
    (0..pages).fold(0, |sum, page| sum * 10 + u64::from(peek::<u8>(at + page * PAGE)))
}

fn stores_and_writes_see_each_other() -> Outcome {
    let fd = numbered(3)?;
    let (first, second) = (map(fd, 3, SHARED)?, map(fd, 3, SHARED)?);
    for round in 0..50_u64 {
        let place = (round * 331) % (3 * PAGE);
        poke(first + place, round as u8 + 1);
        ensure_eq!(
            (read(fd, place)?, peek::<u8>(second + place)),
            (round as u8 + 1, round as u8 + 1)
        );
        write(fd, place, &[200 + (round % 50) as u8])?;
        ensure_eq!(peek::<u8>(first + place), 200 + (round % 50) as u8);
    }
    // A private mapping sees writes to pages that it has not written to itself.
    let private = map(fd, 3, PRIVATE)?;
    ensure!(peek::<u8>(private + PAGE) == peek::<u8>(first + PAGE));
    poke(private + 8, 1_u8);
    write(fd, 8, &[77])?;
    ensure_eq!((peek::<u8>(first + 8), peek::<u8>(private + 8)), (77, 1));
    Ok(())
}

fn truncation_takes_pages_out_of_mappings() -> Outcome {
    let fd = numbered(4)?;
    let at = map(fd, 4, SHARED)?;
    ensure_eq!(digits(at, 4), 1234);
    call(Sysno::ftruncate, &[fd, 2 * PAGE])?;
    ensure_eq!(digits(at, 2), 12);
    dies_of(SIGBUS, || {
        peek::<u8>(at + 2 * PAGE);
    })?;
    dies_of(SIGBUS, || poke(at + 3 * PAGE, 1_u8))?;
    // When the file grows again, the pages are new ones.
    call(Sysno::ftruncate, &[fd, 4 * PAGE])?;
    ensure_eq!(digits(at, 4), 1200);
    poke(at + 3 * PAGE, 9_u8);
    ensure_eq!(read(fd, 3 * PAGE)?, 9);
    Ok(())
}

fn truncation_zeroes_the_rest_of_a_page() -> Outcome {
    let fd = numbered(2)?;
    let at = map(fd, 2, SHARED)?;
    poke(at + 100, 5_u8);
    poke(at + 200, 6_u8);
    call(Sysno::ftruncate, &[fd, 150])?;
    ensure_eq!((peek::<u8>(at + 100), peek::<u8>(at + 200)), (5, 0));
    // Stores behind the end stay in the page, and are gone when the file grows over them.
    poke(at + 300, 7_u8);
    call(Sysno::ftruncate, &[fd, 100])?;
    call(Sysno::ftruncate, &[fd, PAGE])?;
    ensure_eq!((read(fd, 100)?, read(fd, 300)?), (0, 0));
    Ok(())
}

fn truncation_takes_private_copies() -> Outcome {
    let fd = numbered(3)?;
    let at = map(fd, 3, PRIVATE)?;
    poke(at + 2 * PAGE, 9_u8);
    call(Sysno::ftruncate, &[fd, PAGE])?;
    ensure_eq!(digits(at, 1), 1);
    dies_of(SIGBUS, || {
        peek::<u8>(at + 2 * PAGE);
    })
}

fn truncation_reaches_other_processes() -> Outcome {
    let fd = numbered(2)?;
    let at = map(fd, 2, SHARED)?;
    ensure_eq!(digits(at, 2), 12);
    let status = in_child(|| {
        let done = call(Sysno::ftruncate, &[fd, PAGE]).and_then(|_| call(Sysno::ftruncate, &[fd, 2 * PAGE]));
        poke(at + PAGE, 8_u8);
        i32::from(done.is_err())
    })?;
    ensure_eq!(ended(status), 0);
    ensure_eq!(digits(at, 2), 18);
    Ok(())
}

fn holes_read_zero_in_mappings() -> Outcome {
    let fd = numbered(4)?;
    let at = map(fd, 4, SHARED)?;
    ensure_eq!(digits(at, 4), 1234);
    call(Sysno::fallocate, &[fd, PUNCH_HOLE, PAGE, 2 * PAGE])?;
    ensure_eq!(digits(at, 4), 1004);
    ensure_eq!(read(fd, PAGE)?, 0);
    poke(at + PAGE, 5_u8);
    ensure_eq!(read(fd, PAGE)?, 5);
    Ok(())
}

fn holes_spare_private_copies() -> Outcome {
    let fd = numbered(3)?;
    let at = map(fd, 3, PRIVATE)?;
    ensure_eq!(digits(at, 3), 123);
    poke(at + PAGE, 9_u8);
    call(Sysno::fallocate, &[fd, PUNCH_HOLE, 0, 3 * PAGE])?;
    ensure_eq!(digits(at, 3), 90);
    Ok(())
}

fn appended_pages_appear() -> Outcome {
    let fd = numbered(1)?;
    let at = map(fd, 2, SHARED)?;
    ensure_eq!(digits(at, 1), 1);
    dies_of(SIGBUS, || {
        peek::<u8>(at + PAGE);
    })?;
    write(fd, PAGE, &[2])?;
    ensure_eq!(digits(at, 2), 12);
    Ok(())
}

fn unknown_flags_of_shared_mappings() -> Outcome {
    const SHARED_VALIDATE: u64 = 3;
    const SYNC: u64 = 0x8_0000;
    let fd = numbered(1)?;
    let mapped = |flags| call(Sysno::mmap, &[0, PAGE, READ, flags, fd, 0]).err();
    ensure_eq!(mapped(SHARED_VALIDATE), None);
    // The file is no memory of its own that stores would reach at once.
    ensure_eq!(mapped(SHARED_VALIDATE | SYNC), Some(Errno::EOPNOTSUPP));
    ensure_eq!(mapped(SHARED_VALIDATE | 1 << 22), Some(Errno::EOPNOTSUPP));
    // Without validation what is unknown is ignored.
    ensure_eq!(mapped(SHARED | SYNC), None);
    Ok(())
}

fn advice_checks() -> Outcome {
    let fd = numbered(1)?;
    let advise = |fd, length: i64, advice| call(Sysno::fadvise64, &[fd, 0, length as u64, advice]).err();
    for advice in 0..6 {
        ensure_eq!(advise(fd, 0, advice), None);
    }
    ensure_eq!(advise(fd, 0, 6), Some(Errno::EINVAL));
    ensure_eq!(advise(fd, -1, 0), Some(Errno::EINVAL));
    ensure_eq!(advise(999, 0, 0), Some(Errno::EBADF));
    let mut ends = [0_i32; 2];
    call(Sysno::pipe2, &[ends.as_mut_ptr().addr() as u64, 0])?;
    ensure_eq!(advise(ends[0] as u64, 0, 0), Some(Errno::ESPIPE));
    Ok(())
}
