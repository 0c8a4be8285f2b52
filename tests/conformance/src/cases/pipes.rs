//! Pipes, poll and select.

use alloc::vec;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::{F_SETFL, OpenFlags};
use los_abi::signal::SIGPIPE;
use los_abi::syscall::Sysno;
use rt::{io, process, signal, time};

use crate::arch::ISA;
use crate::cases::ended;
use crate::harness::{Outcome, in_child, spawn, wait_for};
use crate::raw::{addr, addr_mut, call};
use crate::{cases, ensure, ensure_eq};

cases![
    data_arrives_in_order,
    end_of_file_when_the_writer_is_gone,
    write_without_a_reader,
    nonblocking_ends,
    a_full_pipe_blocks_until_read,
    pipe_flags,
    packets_are_read_one_by_one,
    packets_fill_a_pipe,
    poll_reports,
    poll_times_out,
    poll_wakes_on_data,
    select_reports,
    closed_descriptors_are_invalid_in_poll,
    readv_and_writev,
    seeking_is_espipe,
    megabytes_go_through,
    an_end_can_be_opened_again,
];

fn data_arrives_in_order() -> Outcome {
    let (reader, writer) = process::pipe()?;
    io::write(writer.descriptor(), b"hello ")?;
    io::write(writer.descriptor(), b"world")?;
    let mut buffer = [0; 20];
    ensure_eq!(io::read(reader.descriptor(), &mut buffer)?, 11);
    ensure_eq!(&buffer[..11], b"hello world");
    Ok(())
}

fn end_of_file_when_the_writer_is_gone() -> Outcome {
    let (reader, writer) = process::pipe()?;
    io::write(writer.descriptor(), b"x")?;
    drop(writer);
    ensure_eq!(io::read(reader.descriptor(), &mut [0; 4])?, 1);
    ensure_eq!(io::read(reader.descriptor(), &mut [0; 4])?, 0);
    Ok(())
}

fn write_without_a_reader() -> Outcome {
    let (reader, writer) = process::pipe()?;
    drop(reader);
    let fd = writer.descriptor();
    ensure_eq!(
        ended(in_child(|| io::write(fd, b"x").map_or(1, |_| 2))?),
        128 + SIGPIPE as i32
    );
    signal::ignore(SIGPIPE);
    ensure_eq!(io::write(fd, b"x").err(), Some(Errno::EPIPE));
    Ok(())
}

fn set_nonblocking(fd: i32) -> Result<u64, Errno> {
    call(
        Sysno::fcntl,
        &[
            fd as u64,
            u64::from(F_SETFL),
            u64::from(OpenFlags::NONBLOCK.to_raw(ISA)),
        ],
    )
}

fn nonblocking_ends() -> Outcome {
    let (reader, writer) = process::pipe()?;
    set_nonblocking(reader.descriptor())?;
    set_nonblocking(writer.descriptor())?;
    ensure_eq!(
        io::read(reader.descriptor(), &mut [0; 4]).err(),
        Some(Errno::EAGAIN)
    );
    let block = [5_u8; 4096];
    let mut total = 0;
    loop {
        match io::write(writer.descriptor(), &block) {
            Ok(count) => total += count,
            Err(errno) => {
                ensure_eq!(errno, Errno::EAGAIN);
                break;
            }
        }
    }
    ensure_eq!(total, 65536);
    // A write of up to PIPE_BUF is all or nothing.
    io::read(reader.descriptor(), &mut [0; 100])?;
    ensure_eq!(io::write(writer.descriptor(), &block).err(), Some(Errno::EAGAIN));
    Ok(())
}

fn a_full_pipe_blocks_until_read() -> Outcome {
    let (reader, writer) = process::pipe()?;
    let fd = writer.descriptor();
    let pid = spawn(|| i32::from(io::write_all(fd, &[9; 200_000]).is_err()))?;
    drop(writer);
    let (mut total, mut buffer) = (0, [0; 3000]);
    loop {
        let count = io::read(reader.descriptor(), &mut buffer)?;
        if count == 0 {
            break;
        }
        ensure!(buffer[..count].iter().all(|&byte| byte == 9));
        total += count;
    }
    ensure_eq!(total, 200_000);
    ensure_eq!(ended(wait_for(pid)?), 0);
    Ok(())
}

fn pipe_flags() -> Outcome {
    let mut fds = [0_i32; 2];
    ensure_eq!(
        call(Sysno::pipe2, &[addr_mut(&mut fds), 0x7fff_0000]).err(),
        Some(Errno::EINVAL)
    );
    ensure_eq!(call(Sysno::pipe2, &[8, 0]).err(), Some(Errno::EFAULT));
    let flags = (OpenFlags::CLOEXEC | OpenFlags::NONBLOCK).to_raw(ISA);
    call(Sysno::pipe2, &[addr_mut(&mut fds), u64::from(flags)])?;
    const F_GETFD: u64 = 1;
    ensure_eq!(call(Sysno::fcntl, &[fds[0] as u64, F_GETFD, 0])?, 1);
    ensure_eq!(io::read(fds[0], &mut [0]).err(), Some(Errno::EAGAIN));
    Ok(())
}

/// Makes a pipe for packets and returns its descriptors.
fn packet_pipe() -> Result<[i32; 2], Errno> {
    let mut fds = [0_i32; 2];
    let flags = (OpenFlags::DIRECT | OpenFlags::NONBLOCK).to_raw(ISA);
    call(Sysno::pipe2, &[addr_mut(&mut fds), u64::from(flags)])?;
    Ok(fds)
}

fn packets_are_read_one_by_one() -> Outcome {
    let [reader, writer] = packet_pipe()?;
    for packet in [&b"one"[..], b"second", b""] {
        io::write(writer, packet)?;
    }
    let mut buffer = vec![0; 5000];
    ensure_eq!(io::read(reader, &mut buffer)?, 3);
    // What a reader has no room for is lost.
    ensure_eq!(io::read(reader, &mut buffer[..2])?, 2);
    ensure_eq!(&buffer[..2], b"se");
    ensure_eq!(io::read(reader, &mut buffer).err(), Some(Errno::EAGAIN));
    ensure_eq!(io::write(writer, &[7; 5000])?, 5000);
    ensure_eq!(io::read(reader, &mut buffer)?, 4096);
    ensure_eq!(io::read(reader, &mut buffer)?, 904);
    // Without the flag it is a stream again.
    call(Sysno::fcntl, &[writer as u64, u64::from(F_SETFL), 0])?;
    io::write(writer, b"a")?;
    io::write(writer, b"b")?;
    ensure_eq!(io::read(reader, &mut buffer)?, 2);
    Ok(())
}

fn packets_fill_a_pipe() -> Outcome {
    let [reader, writer] = packet_pipe()?;
    let mut count = 0;
    let failure = loop {
        match io::write(writer, b"x") {
            Ok(_) => count += 1,
            Err(errno) => break errno,
        }
    };
    // A page each, whatever is in it.
    ensure_eq!((failure, count), (Errno::EAGAIN, 16));
    let mut fds = [Poll {
        fd: writer,
        events: OUT,
        revents: 0,
    }];
    ensure_eq!(poll(&mut fds, 0)?, 0);
    ensure_eq!(io::read(reader, &mut [0; 9])?, 1);
    ensure_eq!(poll(&mut fds, 0)?, 1);
    Ok(())
}

const IN: u16 = 1;
const OUT: u16 = 4;
const HUP: u16 = 0x10;
const NVAL: u16 = 0x20;

#[repr(C)]
#[derive(Clone, Copy)]
struct Poll {
    fd: i32,
    events: u16,
    revents: u16,
}

fn poll(fds: &mut [Poll], timeout_ms: i64) -> Result<u64, Errno> {
    let timeout = [timeout_ms / 1000, timeout_ms % 1000 * 1_000_000];
    let timeout = if timeout_ms < 0 { 0 } else { addr(&timeout) };
    call(Sysno::ppoll, &[addr_mut(fds), fds.len() as u64, timeout, 0, 0])
}

fn poll_reports() -> Outcome {
    let (reader, writer) = process::pipe()?;
    let mut fds = [
        Poll {
            fd: reader.descriptor(),
            events: IN,
            revents: 9,
        },
        Poll {
            fd: writer.descriptor(),
            events: OUT,
            revents: 9,
        },
        Poll {
            fd: -1,
            events: IN,
            revents: 9,
        },
    ];
    ensure_eq!(poll(&mut fds, 0)?, 1);
    ensure_eq!(fds.map(|fd| fd.revents), [0, OUT, 0]);
    io::write(writer.descriptor(), b"x")?;
    ensure_eq!(poll(&mut fds, -1)?, 2);
    ensure_eq!(fds[0].revents, IN);
    drop(writer);
    fds[1].fd = -1;
    ensure_eq!(poll(&mut fds, -1)?, 1);
    ensure_eq!(fds[0].revents, IN | HUP);
    Ok(())
}

fn poll_times_out() -> Outcome {
    let (reader, _writer) = process::pipe()?;
    let before = time::monotonic();
    let mut fds = [Poll {
        fd: reader.descriptor(),
        events: IN,
        revents: 0,
    }];
    ensure_eq!(poll(&mut fds, 30)?, 0);
    let after = time::monotonic();
    ensure!((after.tv_sec - before.tv_sec) * 1_000_000_000 + after.tv_nsec - before.tv_nsec >= 30_000_000);
    Ok(())
}

fn poll_wakes_on_data() -> Outcome {
    let (reader, writer) = process::pipe()?;
    let pid = spawn(|| {
        time::sleep_ms(20);
        i32::from(io::write(writer.descriptor(), b"x").is_err())
    })?;
    let mut fds = [Poll {
        fd: reader.descriptor(),
        events: IN,
        revents: 0,
    }];
    ensure_eq!(poll(&mut fds, 20_000)?, 1);
    ensure_eq!(ended(wait_for(pid)?), 0);
    Ok(())
}

fn select_reports() -> Outcome {
    let (reader, writer) = process::pipe()?;
    let bit = |fd: i32| 1_u64 << fd;
    let (mut read, mut write) = (bit(reader.descriptor()), bit(writer.descriptor()));
    let count = writer.descriptor().max(reader.descriptor()) as u64 + 1;
    let zero = [0_u64; 2];
    let ready = call(
        Sysno::pselect6,
        &[
            count,
            addr_mut(&mut read),
            addr_mut(&mut write),
            0,
            addr(&zero),
            0,
        ],
    )?;
    ensure_eq!((ready, read, write), (1, 0, bit(writer.descriptor())));
    io::write(writer.descriptor(), b"x")?;
    read = bit(reader.descriptor());
    let ready = call(Sysno::pselect6, &[count, addr_mut(&mut read), 0, 0, 0, 0])?;
    ensure_eq!((ready, read), (1, bit(reader.descriptor())));
    let mut bad = 1_u64 << 60;
    ensure_eq!(
        call(Sysno::pselect6, &[64, addr_mut(&mut bad), 0, 0, 0, 0]).err(),
        Some(Errno::EBADF)
    );
    Ok(())
}

fn closed_descriptors_are_invalid_in_poll() -> Outcome {
    let mut fds = [Poll {
        fd: 999,
        events: IN,
        revents: 0,
    }];
    ensure_eq!(poll(&mut fds, -1)?, 1);
    ensure_eq!(fds[0].revents, NVAL);
    Ok(())
}

fn readv_and_writev() -> Outcome {
    let (reader, writer) = process::pipe()?;
    let vectors = [(addr(b"ab"), 2_u64), (0, 0), (addr(b"cde"), 3)];
    let words = vectors.map(|(base, length)| [base, length]);
    ensure_eq!(
        call(Sysno::writev, &[writer.descriptor() as u64, addr(&words), 3])?,
        5
    );
    let (mut first, mut second) = ([0_u8; 1], [0_u8; 9]);
    let words = [[addr_mut(&mut first), 1], [addr_mut(&mut second), 9]];
    ensure_eq!(
        call(Sysno::readv, &[reader.descriptor() as u64, addr(&words), 2])?,
        5
    );
    ensure_eq!((first, &second[..4]), (*b"a", &b"bcde"[..]));
    let fd = writer.descriptor() as u64;
    ensure_eq!(
        call(Sysno::writev, &[fd, addr(&words), 1025]).err(),
        Some(Errno::EINVAL)
    );
    ensure_eq!(call(Sysno::writev, &[fd, 8, 1]).err(), Some(Errno::EFAULT));
    let negative = [[addr(b"x"), u64::MAX]];
    ensure_eq!(
        call(Sysno::writev, &[fd, addr(&negative), 1]).err(),
        Some(Errno::EINVAL)
    );
    Ok(())
}

fn seeking_is_espipe() -> Outcome {
    let (reader, _writer) = process::pipe()?;
    let fd = reader.descriptor() as u64;
    ensure_eq!(call(Sysno::lseek, &[fd, 0, 1]).err(), Some(Errno::ESPIPE));
    ensure_eq!(
        call(Sysno::pread64, &[fd, addr(&[0_u8; 1]), 1, 0]).err(),
        Some(Errno::ESPIPE)
    );
    Ok(())
}

fn megabytes_go_through() -> Outcome {
    const BYTES: usize = 4 << 20;
    let (reader, writer) = process::pipe()?;
    let fd = writer.descriptor();
    let pid = spawn(|| {
        let block: Vec<u8> = (0..=255).cycle().take(64 * 1024).collect();
        let failed = (0..BYTES / block.len()).any(|_| io::write_all(fd, &block).is_err());
        i32::from(failed)
    })?;
    drop(writer);
    let mut buffer = alloc::vec![0; 10_007];
    let mut position = 0_usize;
    loop {
        let count = io::read(reader.descriptor(), &mut buffer)?;
        if count == 0 {
            break;
        }
        for (index, &byte) in buffer[..count].iter().enumerate() {
            ensure_eq!(byte, (position + index) as u8);
        }
        position += count;
    }
    ensure_eq!(position, BYTES);
    ensure_eq!(ended(wait_for(pid)?), 0);
    Ok(())
}

fn an_end_can_be_opened_again() -> Outcome {
    let (reader, writer) = process::pipe()?;
    let path = alloc::format!("/proc/self/fd/{}", writer.descriptor());
    let again = rt::fs::File::open_with(path.as_bytes(), OpenFlags::WRONLY, 0)?;
    drop(writer);
    io::write(again.descriptor(), b"x")?;
    ensure_eq!(io::read(reader.descriptor(), &mut [0; 4])?, 1);
    drop(again);
    // Nobody writes any more, and opening the other end does not wait for a writer.
    let path = alloc::format!("/proc/self/fd/{}", reader.descriptor());
    let again = rt::fs::File::open_with(path.as_bytes(), OpenFlags::empty(), 0)?;
    ensure_eq!(io::read(again.descriptor(), &mut [0; 4])?, 0);
    ensure_eq!(io::read(reader.descriptor(), &mut [0; 4])?, 0);
    Ok(())
}
