//! Room, holes, copies inside the kernel, positioned vectors, and event counters.

use los_abi::errno::Errno;
use los_abi::fs::{EFD_SEMAPHORE, FallocateFlags, IoVec, OpenFlags, ReadWriteFlags};
use los_abi::poll::{PollEvents, PollFd};
use los_abi::syscall::Sysno;
use rt::fs::{self, File};
use rt::{io, process};

use crate::arch::ISA;
use crate::harness::Outcome;
use crate::raw::{addr, addr_mut, call};
use crate::{cases, ensure_eq};

cases![
    fallocate_grows_and_keeps,
    fallocate_argument_checks,
    copy_file_range_copies,
    copy_file_range_checks,
    vectors_at_an_offset,
    unknown_transfer_flags_are_refused,
    chroot_changes_the_root,
    event_counter_counts,
    event_counter_as_a_semaphore,
    event_counter_checks,
    sync_calls,
];

fn new_file(path: &[u8], bytes: &[u8]) -> Result<File, Errno> {
    let flags = OpenFlags::RDWR | OpenFlags::CREAT | OpenFlags::TRUNC;
    let mut file = File::open_with(path, flags, 0o644)?;
    file.write_all(bytes)?;
    Ok(file)
}

fn fd(file: &File) -> u64 {
    file.descriptor() as u64
}

fn allocate(file: &File, mode: FallocateFlags, offset: i64, length: i64) -> Result<u64, Errno> {
    let mode = u64::from(mode.bits());
    call(Sysno::fallocate, &[fd(file), mode, offset as u64, length as u64])
}

fn size(path: &[u8]) -> Result<u64, Errno> {
    Ok(fs::metadata(path)?.size())
}

fn fallocate_grows_and_keeps() -> Outcome {
    let file = new_file(b"f", b"12345678")?;
    allocate(&file, FallocateFlags::KEEP_SIZE, 0, 9000)?;
    ensure_eq!(size(b"f")?, 8);
    allocate(&file, FallocateFlags::empty(), 100, 900)?;
    ensure_eq!(size(b"f")?, 1000);
    allocate(
        &file,
        FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE,
        2,
        3,
    )?;
    ensure_eq!(&fs::read(b"f")?[..9], b"12\0\0\x00678\0");
    Ok(())
}

fn fallocate_argument_checks() -> Outcome {
    let file = new_file(b"f", b"")?;
    let (none, hole) = (FallocateFlags::empty(), FallocateFlags::PUNCH_HOLE);
    ensure_eq!(allocate(&file, none, -1, 5), Err(Errno::EINVAL));
    ensure_eq!(allocate(&file, none, 0, 0), Err(Errno::EINVAL));
    ensure_eq!(allocate(&file, none, i64::MAX, 1), Err(Errno::EFBIG));
    ensure_eq!(allocate(&file, hole, 0, 5), Err(Errno::EOPNOTSUPP));
    let unknown = FallocateFlags::from_bits_retain(0x4000_0000);
    ensure_eq!(allocate(&file, unknown, 0, 5), Err(Errno::EOPNOTSUPP));
    let reader = File::open(b"f")?;
    ensure_eq!(allocate(&reader, none, 0, 5), Err(Errno::EBADF));
    let (_reader, writer) = process::pipe()?;
    ensure_eq!(allocate(&writer, none, 0, 5), Err(Errno::ESPIPE));
    Ok(())
}

fn copy_range(input: &File, from: u64, output: &File, to: u64, count: u64) -> Result<u64, Errno> {
    call(
        Sysno::copy_file_range,
        &[fd(input), from, fd(output), to, count, 0],
    )
}

fn copy_file_range_copies() -> Outcome {
    let input = new_file(b"in", b"0123456789")?;
    let output = new_file(b"out", b"abcdef")?;
    let (mut from, mut to) = (4_i64, 2_i64);
    let count = copy_range(&input, addr_mut(&mut from), &output, addr_mut(&mut to), 3)?;
    ensure_eq!((count, from, to), (3, 7, 5));
    ensure_eq!(fs::read(b"out")?, b"ab456f");
    // Both files stand at their ends.
    ensure_eq!(copy_range(&input, 0, &output, 0, 5)?, 0);
    call(Sysno::lseek, &[fd(&input), 8, 0])?;
    ensure_eq!(copy_range(&input, 0, &output, 0, 5)?, 2);
    ensure_eq!(fs::read(b"out")?, b"ab456f89");
    Ok(())
}

fn copy_file_range_checks() -> Outcome {
    let file = new_file(b"f", b"0123456789")?;
    let other = new_file(b"g", b"")?;
    let (from, to) = (0_i64, 5_i64);
    let overlapping = copy_range(&file, addr(&from), &file, addr(&to), 6);
    ensure_eq!(overlapping, Err(Errno::EINVAL));
    let arguments = [fd(&file), 0, fd(&other), 0, 5, 1];
    ensure_eq!(call(Sysno::copy_file_range, &arguments), Err(Errno::EINVAL));
    let reader = File::open(b"g")?;
    ensure_eq!(copy_range(&file, 0, &reader, 0, 1), Err(Errno::EBADF));
    let appender = File::open_with(b"g", OpenFlags::WRONLY | OpenFlags::APPEND, 0)?;
    ensure_eq!(copy_range(&file, 0, &appender, 0, 1), Err(Errno::EBADF));
    let directory = File::open(b".")?;
    ensure_eq!(copy_range(&directory, 0, &other, 0, 1), Err(Errno::EISDIR));
    let (reader, _writer) = process::pipe()?;
    ensure_eq!(copy_range(&reader, 0, &other, 0, 1), Err(Errno::EINVAL));
    Ok(())
}

fn vectors(pieces: [&[u8]; 2]) -> [IoVec; 2] {
    pieces.map(|piece| IoVec {
        iov_base: addr(piece),
        iov_len: piece.len() as u64,
    })
}

fn vectors_at_an_offset() -> Outcome {
    let file = new_file(b"f", b"0123456789")?;
    let out = vectors([b"ab", b"cd"]);
    ensure_eq!(call(Sysno::pwritev, &[fd(&file), addr(&out), 2, 3])?, 4);
    ensure_eq!(fs::read(b"f")?, b"012abcd789");
    let (mut first, mut second) = ([0_u8; 3], [0_u8; 9]);
    let into = [(addr_mut(&mut first), 3), (addr_mut(&mut second), 9)]
        .map(|(iov_base, iov_len)| IoVec { iov_base, iov_len });
    ensure_eq!(call(Sysno::preadv, &[fd(&file), addr(&into), 2, 2])?, 8);
    ensure_eq!((&first, &second[..5]), (b"2ab", &b"cd789"[..]));
    // The position is where the first write left it, and only -1 stands for it.
    ensure_eq!(
        call(Sysno::preadv2, &[fd(&file), addr(&into), 2, u64::MAX, 0, 0])?,
        0
    );
    let negative = call(Sysno::preadv, &[fd(&file), addr(&into), 2, u64::MAX]);
    ensure_eq!(negative, Err(Errno::EINVAL));
    let sync = u64::from(ReadWriteFlags::DSYNC.bits());
    ensure_eq!(
        call(Sysno::pwritev2, &[fd(&file), addr(&out), 2, u64::MAX, 0, sync])?,
        4
    );
    ensure_eq!(size(b"f")?, 14);
    let (_reader, writer) = process::pipe()?;
    let streamed = call(Sysno::pwritev, &[fd(&writer), addr(&out), 2, 0]);
    ensure_eq!(streamed, Err(Errno::ESPIPE));
    Ok(())
}

fn unknown_transfer_flags_are_refused() -> Outcome {
    let file = new_file(b"f", b"x")?;
    let out = vectors([b"a", b"b"]);
    let result = call(Sysno::pwritev2, &[fd(&file), addr(&out), 2, 0, 0, 0x4000_0000]);
    ensure_eq!(result, Err(Errno::EOPNOTSUPP));
    Ok(())
}

fn chroot_changes_the_root() -> Outcome {
    fs::create_directory(b"new", 0o755)?;
    new_file(b"new/here", b"inside")?;
    ensure_eq!(call(Sysno::chroot, &[addr(b"new/here\0")]), Err(Errno::ENOTDIR));
    match call(Sysno::chroot, &[addr(b"new\0")]) {
        Err(Errno::EPERM) => return Err(crate::harness::Failure::Skip("not root")),
        other => other?,
    };
    ensure_eq!(fs::read(b"/here")?, b"inside");
    ensure_eq!(fs::read(b"/../here")?, b"inside");
    Ok(())
}

fn counter(initial: u64, flags: u64) -> Result<u64, Errno> {
    call(Sysno::eventfd2, &[initial, flags])
}

fn nonblocking() -> u64 {
    u64::from(OpenFlags::NONBLOCK.to_raw(ISA))
}

fn take(counter: u64) -> Result<u64, Errno> {
    let mut bytes = [0; 8];
    io::read(counter as i32, &mut bytes)?;
    Ok(u64::from_ne_bytes(bytes))
}

fn event_counter_counts() -> Outcome {
    let fd = counter(3, nonblocking())?;
    ensure_eq!(io::write(fd as i32, &4_u64.to_ne_bytes())?, 8);
    let mut request = PollFd {
        fd: fd as i32,
        events: (PollEvents::IN | PollEvents::OUT).bits(),
        revents: 0,
    };
    ensure_eq!(
        call(
            Sysno::ppoll,
            &[addr_mut(&mut request), 1, addr(&[0_u64; 2]), 0, 8]
        )?,
        1
    );
    ensure_eq!(request.revents, (PollEvents::IN | PollEvents::OUT).bits());
    ensure_eq!(take(fd)?, 7);
    ensure_eq!(take(fd), Err(Errno::EAGAIN));
    Ok(())
}

fn event_counter_as_a_semaphore() -> Outcome {
    let fd = counter(2, u64::from(EFD_SEMAPHORE) | nonblocking())?;
    ensure_eq!((take(fd)?, take(fd)?), (1, 1));
    ensure_eq!(take(fd), Err(Errno::EAGAIN));
    Ok(())
}

fn event_counter_checks() -> Outcome {
    ensure_eq!(counter(0, 2), Err(Errno::EINVAL));
    let fd = counter(0, nonblocking())?;
    ensure_eq!(io::write(fd as i32, &[0; 7]), Err(Errno::EINVAL));
    ensure_eq!(io::write(fd as i32, &u64::MAX.to_ne_bytes()), Err(Errno::EINVAL));
    io::write(fd as i32, &(u64::MAX - 1).to_ne_bytes())?;
    ensure_eq!(io::write(fd as i32, &1_u64.to_ne_bytes()), Err(Errno::EAGAIN));
    ensure_eq!(io::read(fd as i32, &mut [0; 7]), Err(Errno::EINVAL));
    Ok(())
}

fn sync_calls() -> Outcome {
    let file = new_file(b"f", b"x")?;
    call(Sysno::syncfs, &[fd(&file)])?;
    call(Sysno::readahead, &[fd(&file), 0, 10])?;
    call(Sysno::sync_file_range, &[fd(&file), 0, 10, 7])?;
    ensure_eq!(
        call(Sysno::sync_file_range, &[fd(&file), 0, 10, 8]),
        Err(Errno::EINVAL)
    );
    let (reader, _writer) = process::pipe()?;
    ensure_eq!(call(Sysno::readahead, &[fd(&reader), 0, 1]), Err(Errno::EINVAL));
    ensure_eq!(
        call(Sysno::sync_file_range, &[fd(&reader), 0, 0, 0]),
        Err(Errno::ESPIPE)
    );
    ensure_eq!(call(Sysno::syncfs, &[999]), Err(Errno::EBADF));
    Ok(())
}
