//! Tests of pipes: order, ends, atomicity, waiting, capacity.

use std::thread;
use std::vec;
use std::vec::Vec;

use mm::io::{SliceSource, VecSink};
use sync::Error;

use super::*;
use crate::user_limits::{Limit, limit};

fn read(file: &OpenFile, count: usize) -> sync::Result<Vec<u8>> {
    let mut sink = VecSink::new(count);
    file.read(&mut sink)?;
    Ok(sink.into_vec())
}

fn write(file: &OpenFile, bytes: &[u8]) -> sync::Result<usize> {
    file.write(&mut SliceSource::new(bytes), u64::MAX)
}

fn pipe(flags: OpenFlags) -> (Arc<OpenFile>, Arc<OpenFile>) {
    mm::testing::start();
    create(flags, &Credentials::root()).unwrap()
}

const EAGAIN: Error = Error::Errno(Errno::EAGAIN);

#[test]
fn bytes_arrive_in_order_and_the_end_is_seen() {
    let (reader, writer) = pipe(OpenFlags::empty());
    assert_eq!(write(&writer, b"hello").unwrap(), 5);
    assert_eq!(read(&reader, 3).unwrap(), b"hel");
    assert_eq!(read(&reader, 9).unwrap(), b"lo");
    drop(writer);
    assert_eq!(read(&reader, 9).unwrap(), b"");
}

#[test]
fn a_pipe_without_readers_is_broken() {
    let (reader, writer) = pipe(OpenFlags::empty());
    drop(reader);
    assert_eq!(write(&writer, b"x"), Err(Errno::EPIPE.into()));
    assert!(writer.poll(&mut PollTable::new(None)).contains(PollEvents::ERR));
}

#[test]
fn ends_know_their_direction() {
    let (reader, writer) = pipe(OpenFlags::empty());
    assert_eq!(write(&reader, b"x"), Err(Errno::EBADF.into()));
    assert_eq!(read(&writer, 1), Err(Errno::EBADF.into()));
    assert_eq!(reader.read_at(&mut VecSink::new(1), 0), Err(Errno::ESPIPE.into()));
}

#[test]
fn nonblocking_writes_up_to_pipe_buf_are_atomic() {
    let (reader, writer) = pipe(OpenFlags::NONBLOCK);
    assert_eq!(read(&reader, 1), Err(EAGAIN));
    assert_eq!(write(&writer, &vec![1; 65536 - 100]).unwrap(), 65536 - 100);
    assert_eq!(write(&writer, &[2; 101]), Err(EAGAIN));
    assert_eq!(write(&writer, &[2; 5000]).unwrap(), 100);
    assert_eq!(write(&writer, &[2; 1]), Err(EAGAIN));
    assert!(!writer.poll(&mut PollTable::new(None)).contains(PollEvents::OUT));
    assert_eq!(read(&reader, 4096).unwrap().len(), 4096);
    assert!(writer.poll(&mut PollTable::new(None)).contains(PollEvents::OUT));
}

#[test]
fn large_transfers_block_and_go_on() {
    let (reader, writer) = pipe(OpenFlags::empty());
    let sent: Vec<u8> = (0..300_000_u32).map(|number| ((number * 7) >> 3) as u8).collect();
    let copy = sent.clone();
    let thread = thread::spawn(move || write(&writer, &copy).unwrap());
    let mut received = Vec::new();
    loop {
        match read(&reader, 10_000).unwrap() {
            part if part.is_empty() => break,
            part => received.extend(part),
        }
    }
    assert_eq!(thread.join().unwrap(), sent.len());
    assert!(received == sent);
}

#[test]
fn many_readers_and_writers_lose_nothing() {
    let (reader, writer) = pipe(OpenFlags::empty());
    let writers: Vec<_> = (0..3)
        .map(|_| {
            let writer = writer.clone();
            thread::spawn(move || (0..500).for_each(|_| assert_eq!(write(&writer, &[1; 700]).unwrap(), 700)))
        })
        .collect();
    drop(writer);
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let reader = reader.clone();
            thread::spawn(move || {
                let mut total = 0;
                loop {
                    match read(&reader, 333).unwrap().len() {
                        0 => return total,
                        count => total += count,
                    }
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|thread| thread.join().unwrap());
    let total: usize = readers.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(total, 3 * 500 * 700);
}

#[test]
fn the_capacity_is_set_in_powers_of_two() {
    let (reader, writer) = pipe(OpenFlags::NONBLOCK);
    let pipe = of(&**reader.ops().unwrap()).unwrap();
    let user = Credentials::user(1, 1);
    assert_eq!(pipe.set_capacity(5000, &user), Ok(8192));
    assert_eq!(write(&writer, &[0; 9000]).unwrap(), 8192);
    assert_eq!(pipe.set_capacity(1, &user), Err(Errno::EBUSY));
    assert_eq!(pipe.set_capacity(2 << 20, &user), Err(Errno::EPERM));
    assert_eq!(pipe.set_capacity(usize::MAX, &user), Err(Errno::EINVAL));
    assert_eq!(pipe.set_capacity(100_000, &user), Ok(131_072));
    assert_eq!(pipe.capacity(), 131_072);
}

#[test]
fn users_have_so_many_pages_in_pipes() {
    mm::testing::start();
    let user = Credentials::user(71_201, 1);
    let new = || Pipe::new(&user).unwrap();
    let full: Vec<_> = (0..limit(Limit::PipePagesSoft) / 16).map(|_| new()).collect();
    assert!(full.iter().all(|pipe| pipe.capacity() == 65_536));
    let small = new();
    assert_eq!(small.capacity(), 8192);
    assert_eq!(small.set_capacity(16_384, &user), Err(Errno::EPERM));
    assert_eq!(small.set_capacity(0, &user), Ok(4096));
    assert_eq!(small.set_capacity(8192, &user), Err(Errno::EPERM));
    assert_eq!(small.set_capacity(8192, &Credentials::root()), Ok(8192));
    assert_eq!(Pipe::new(&Credentials::root()).unwrap().capacity(), 65_536);
    drop(full);
    assert_eq!(small.set_capacity(16_384, &user), Ok(16_384));
    assert_eq!(new().capacity(), 65_536);
}

#[test]
fn a_fifo_waits_for_its_other_end() {
    let fifo = Pipe::new(&Credentials::root()).unwrap();
    assert_eq!(
        fifo.open(OpenFlags::WRONLY | OpenFlags::NONBLOCK).err(),
        Some(Errno::ENXIO.into())
    );
    let other = fifo.clone();
    let thread = thread::spawn(move || {
        let end = other.open(OpenFlags::WRONLY).unwrap();
        end.write_at(&mut SliceSource::new(b"hi"), 0, &Io::KERNEL)
            .unwrap()
    });
    let end = fifo.open(OpenFlags::empty()).unwrap();
    let mut sink = VecSink::new(2);
    assert_eq!(end.read_at(&mut sink, 0, &Io::KERNEL).unwrap(), 2);
    assert_eq!(thread.join().unwrap(), 2);
    assert_eq!(end.read_at(&mut VecSink::new(1), 0, &Io::KERNEL).unwrap(), 0);
}
