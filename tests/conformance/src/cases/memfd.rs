//! memfd_create and seals.

use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::{AtFlags, OpenFlags};
use los_abi::syscall::Sysno;
use rt::fs;

use crate::cases::ended;
use crate::cases::memory::{PAGE, PRIVATE, READ, SHARED, WRITE};
use crate::elf::Elf;
use crate::harness::{Failure, Outcome, in_child};
use crate::raw::{addr, call, peek, poke};
use crate::{cases, ensure, ensure_eq};

cases![
    memory_file_is_a_file,
    argument_checks,
    mode_and_close_on_exec,
    seals_are_added_and_read,
    seal_argument_checks,
    size_seals,
    write_seal,
    write_seal_and_mappings,
    future_write_seal,
    mode_seal,
    seals_of_other_files,
    programs_in_memory_run,
];

const CLOEXEC: u64 = 1;
const ALLOW_SEALING: u64 = 2;
const NOEXEC_SEAL: u64 = 8;
const ADD_SEALS: u64 = 1033;
const GET_SEALS: u64 = 1034;
const SEAL: u64 = 1;
const SHRINK: u64 = 2;
const GROW: u64 = 4;
const SEAL_WRITE: u64 = 8;
const FUTURE_WRITE: u64 = 16;
const SEAL_EXEC: u64 = 32;
const PUNCH_HOLE: u64 = 3;

fn create(flags: u64) -> Result<u64, Errno> {
    call(Sysno::memfd_create, &[addr(b"test\0"), flags])
}

/// Makes a file of two pages that may be sealed.
fn two_pages() -> Result<u64, Errno> {
    let fd = create(ALLOW_SEALING)?;
    call(Sysno::ftruncate, &[fd, 2 * PAGE])?;
    Ok(fd)
}

fn seal(fd: u64, seals: u64) -> Result<u64, Errno> {
    call(Sysno::fcntl, &[fd, ADD_SEALS, seals])
}

fn map(fd: u64, protection: u64, flags: u64) -> Result<u64, Errno> {
    call(Sysno::mmap, &[0, PAGE, protection, flags, fd, 0])
}

fn write_at(fd: u64, offset: u64, length: u64) -> Result<u64, Errno> {
    static BYTES: [u8; 3 * PAGE as usize] = [7; 3 * PAGE as usize];
    call(Sysno::pwrite64, &[fd, addr(&BYTES), length, offset])
}

fn link_of(fd: u64) -> Result<Vec<u8>, Errno> {
    fs::read_link(alloc::format!("/proc/self/fd/{fd}").as_bytes())
}

fn memory_file_is_a_file() -> Outcome {
    let fd = create(0)?;
    ensure_eq!(write_at(fd, 0, 100)?, 100);
    ensure_eq!(call(Sysno::lseek, &[fd, 0, 2])?, 100);
    let at = map(fd, READ | WRITE, SHARED)?;
    ensure_eq!((peek::<u8>(at + 99), peek::<u8>(at + 100)), (7, 0));
    poke(at + 5, 9_u8);
    let mut bytes = [0_u8; 10];
    call(Sysno::pread64, &[fd, bytes.as_mut_ptr().addr() as u64, 10, 0])?;
    ensure_eq!(bytes[5], 9);
    ensure_eq!(link_of(fd)?, b"/memfd:test (deleted)");
    // Opened once more by its link in /proc, it is the same file.
    let path = alloc::format!("/proc/self/fd/{fd}");
    ensure_eq!(fs::read(path.as_bytes())?.len(), 100);
    Ok(())
}

fn argument_checks() -> Outcome {
    let error = |name: u64, flags| call(Sysno::memfd_create, &[name, flags]).err();
    ensure_eq!(error(addr(b"x\0"), 0x20), Some(Errno::EINVAL));
    ensure_eq!(error(addr(b"x\0"), NOEXEC_SEAL | 0x10), Some(Errno::EINVAL));
    ensure_eq!(error(8, 0), Some(Errno::EFAULT));
    let mut name = [b'n'; 251];
    name[250] = 0;
    ensure_eq!(error(addr(&name), 0), Some(Errno::EINVAL));
    name[249] = 0;
    ensure_eq!(error(addr(&name), 0), None);
    Ok(())
}

fn mode(fd: u64) -> Result<u32, Errno> {
    let mut stat = [0_u64; 32];
    const EMPTY_PATH: u64 = 0x1000;
    call(
        Sysno::statx,
        &[fd, addr(b"\0"), EMPTY_PATH, 2, stat.as_mut_ptr().addr() as u64],
    )?;
    // stx_mode lies 28 bytes into the structure.
    Ok((stat[3] >> 32) as u32 & 0o7777)
}

fn mode_and_close_on_exec() -> Outcome {
    let flag = |fd| call(Sysno::fcntl, &[fd, 1, 0]);
    let (plain, closing) = (create(0)?, create(CLOEXEC | NOEXEC_SEAL)?);
    ensure_eq!((flag(plain)?, flag(closing)?), (0, 1));
    ensure_eq!((mode(plain)?, mode(closing)?), (0o777, 0o666));
    ensure_eq!(call(Sysno::fcntl, &[closing, GET_SEALS, 0])?, SEAL_EXEC);
    Ok(())
}

fn seals_are_added_and_read() -> Outcome {
    let seals = |fd| call(Sysno::fcntl, &[fd, GET_SEALS, 0]);
    let fd = create(ALLOW_SEALING)?;
    ensure_eq!(seals(fd)?, 0);
    seal(fd, GROW)?;
    seal(fd, SHRINK)?;
    ensure_eq!(seals(fd)?, GROW | SHRINK);
    seal(fd, SEAL)?;
    ensure_eq!(seal(fd, SEAL_WRITE).err(), Some(Errno::EPERM));
    ensure_eq!(seals(create(0)?)?, SEAL);
    ensure_eq!(seal(create(0)?, GROW).err(), Some(Errno::EPERM));
    Ok(())
}

fn seal_argument_checks() -> Outcome {
    let fd = create(ALLOW_SEALING)?;
    ensure_eq!(seal(fd, 0x40).err(), Some(Errno::EINVAL));
    let path = alloc::format!("/proc/self/fd/{fd}");
    let reader = fs::File::open(path.as_bytes())?;
    let reader = reader.descriptor() as u64;
    ensure_eq!(seal(reader, GROW).err(), Some(Errno::EPERM));
    ensure_eq!(seal(reader, 0x40).err(), Some(Errno::EPERM));
    ensure_eq!(call(Sysno::fcntl, &[reader, GET_SEALS, 0])?, 0);
    Ok(())
}

fn size_seals() -> Outcome {
    let fd = two_pages()?;
    seal(fd, GROW)?;
    ensure_eq!(call(Sysno::ftruncate, &[fd, 3 * PAGE]).err(), Some(Errno::EPERM));
    ensure_eq!(write_at(fd, 2 * PAGE, 1).err(), Some(Errno::EPERM));
    // What lies within the file is written.
    ensure_eq!(write_at(fd, PAGE, 2 * PAGE)?, PAGE);
    ensure_eq!(
        call(Sysno::fallocate, &[fd, 0, 0, 3 * PAGE]).err(),
        Some(Errno::EPERM)
    );
    ensure_eq!(call(Sysno::ftruncate, &[fd, PAGE])?, 0);
    seal(fd, SHRINK)?;
    ensure_eq!(call(Sysno::ftruncate, &[fd, 1]).err(), Some(Errno::EPERM));
    ensure_eq!(call(Sysno::ftruncate, &[fd, PAGE])?, 0);
    Ok(())
}

fn write_seal() -> Outcome {
    let fd = two_pages()?;
    write_at(fd, 0, 10)?;
    seal(fd, SEAL_WRITE)?;
    ensure_eq!(write_at(fd, 0, 1).err(), Some(Errno::EPERM));
    ensure_eq!(
        call(Sysno::fallocate, &[fd, PUNCH_HOLE, 0, PAGE]).err(),
        Some(Errno::EPERM)
    );
    // The size is another matter.
    ensure_eq!(call(Sysno::ftruncate, &[fd, PAGE])?, 0);
    Ok(())
}

fn write_seal_and_mappings() -> Outcome {
    let fd = two_pages()?;
    let at = map(fd, READ | WRITE, SHARED)?;
    ensure_eq!(seal(fd, SEAL_WRITE).err(), Some(Errno::EBUSY));
    // It might be made writable again.
    call(Sysno::mprotect, &[at, PAGE, READ])?;
    ensure_eq!(seal(fd, SEAL_WRITE).err(), Some(Errno::EBUSY));
    call(Sysno::munmap, &[at, PAGE])?;
    let private = map(fd, READ | WRITE, PRIVATE)?;
    seal(fd, SEAL_WRITE)?;
    poke(private, 1_u8);
    ensure_eq!(map(fd, READ | WRITE, SHARED).err(), Some(Errno::EPERM));
    ensure!(map(fd, READ | WRITE, PRIVATE).is_ok());
    Ok(())
}

fn future_write_seal() -> Outcome {
    let fd = two_pages()?;
    let at = map(fd, READ | WRITE, SHARED)?;
    seal(fd, FUTURE_WRITE)?;
    poke(at, 5_u8);
    ensure_eq!(write_at(fd, 0, 1).err(), Some(Errno::EPERM));
    ensure_eq!(map(fd, READ | WRITE, SHARED).err(), Some(Errno::EPERM));
    let reader = map(fd, READ, SHARED)?;
    ensure_eq!(peek::<u8>(reader), 5);
    ensure_eq!(
        call(Sysno::mprotect, &[reader, PAGE, READ | WRITE]).err(),
        Some(Errno::EACCES)
    );
    Ok(())
}

fn mode_seal() -> Outcome {
    let chmod = |fd, mode| call(Sysno::fchmod, &[fd, mode]).err();
    let fd = create(NOEXEC_SEAL)?;
    ensure_eq!(chmod(fd, 0o777), Some(Errno::EPERM));
    ensure_eq!(chmod(fd, 0o600), None);
    let program = create(ALLOW_SEALING)?;
    seal(program, SEAL_EXEC)?;
    ensure_eq!(
        call(Sysno::fcntl, &[program, GET_SEALS, 0])?,
        SEAL_EXEC | SHRINK | GROW | SEAL_WRITE | FUTURE_WRITE
    );
    Ok(())
}

fn seals_of_other_files() -> Outcome {
    let mut ends = [0_i32; 2];
    call(Sysno::pipe2, &[ends.as_mut_ptr().addr() as u64, 0])?;
    ensure_eq!(
        call(Sysno::fcntl, &[ends[0] as u64, GET_SEALS, 0]).err(),
        Some(Errno::EINVAL)
    );
    Ok(())
}

/// What the program exits with.
const GOOD: u8 = 142;

/// Executes a file in a child; returns the program's exit status, or the errno's number.
fn execute(fd: u64) -> Result<i32, Failure> {
    let end = [0_u64];
    let words = [addr(b"program\0"), 0];
    let child = || {
        let values = [
            fd,
            addr(b"\0"),
            addr(&words),
            addr(&end),
            AtFlags::EMPTY_PATH.bits().into(),
        ];
        call(Sysno::execveat, &values).err().map_or(0, Errno::code)
    };
    Ok(ended(in_child(child)?))
}

fn programs_in_memory_run() -> Outcome {
    let fd = create(CLOEXEC)?;
    let program = Elf::exiting(GOOD).bytes();
    call(
        Sysno::write,
        &[fd, addr(program.as_slice()), program.len() as u64],
    )?;
    ensure_eq!(execute(fd)?, GOOD.into());
    // Mapped for writing it runs too; what somebody opened for writing does not.
    map(fd, READ | WRITE, SHARED)?;
    ensure_eq!(execute(fd)?, GOOD.into());
    let name = alloc::format!("/proc/self/fd/{fd}");
    let _writer = fs::File::open_with(name.as_bytes(), OpenFlags::RDWR, 0)?;
    ensure_eq!(execute(fd)?, Errno::ETXTBSY.code());
    Ok(())
}
