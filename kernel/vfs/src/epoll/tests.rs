//! Tests of sets: what is reported, how often, and in what order.

use std::thread;
use std::time::Duration;
use std::vec;

use mm::io::{SliceSource, VecSink};

use super::*;
use crate::event::{self, Counting};
use crate::pipe;

const IN: u32 = PollEvents::IN.bits() as u32;
const OUT: u32 = PollEvents::OUT.bits() as u32;

fn event(events: u32, data: u64) -> Event {
    Event { events, data }
}

fn set() -> Arc<OpenFile> {
    mm::testing::start();
    create().unwrap()
}

fn counter() -> Arc<OpenFile> {
    event::create(0, Counting::Whole, OpenFlags::NONBLOCK).unwrap()
}

fn add(file: &OpenFile, value: u64) {
    file.write(&mut SliceSource::new(&value.to_ne_bytes()), u64::MAX)
        .unwrap();
}

fn take(file: &OpenFile) {
    file.read(&mut VecSink::new(8)).unwrap();
}

fn now(set: &OpenFile) -> Vec<Event> {
    of(set).unwrap().wait(8, Some(0)).unwrap()
}

#[test]
fn conditions_are_reported_while_they_hold() {
    let (set, file) = (set(), counter());
    let epoll = of(&set).unwrap();
    epoll.change(3, &file, Change::Add(event(IN, 7))).unwrap();
    assert_eq!(now(&set), []);
    add(&file, 1);
    assert_eq!(now(&set), [event(IN, 7)]);
    assert_eq!(now(&set), [event(IN, 7)]);
    epoll.change(3, &file, Change::Modify(event(OUT, 8))).unwrap();
    assert_eq!(now(&set), [event(OUT, 8)]);
    epoll.change(3, &file, Change::Remove).unwrap();
    assert_eq!(now(&set), []);
}

#[test]
fn edges_are_reported_once() {
    let (set, file) = (set(), counter());
    let epoll = of(&set).unwrap();
    add(&file, 1);
    epoll
        .change(3, &file, Change::Add(event(IN | EPOLLET, 7)))
        .unwrap();
    assert_eq!(now(&set), [event(IN, 7)]);
    assert_eq!(now(&set), []);
    add(&file, 1);
    assert_eq!(now(&set), [event(IN, 7)]);
    take(&file);
    assert_eq!(now(&set), []);
}

#[test]
fn one_shots_wait_for_a_change() {
    let (set, file) = (set(), counter());
    let epoll = of(&set).unwrap();
    add(&file, 1);
    let wanted = event(IN | EPOLLONESHOT, 7);
    epoll.change(3, &file, Change::Add(wanted)).unwrap();
    assert_eq!(now(&set), [event(IN, 7)]);
    assert_eq!(now(&set), []);
    epoll.change(3, &file, Change::Modify(wanted)).unwrap();
    assert_eq!(now(&set), [event(IN, 7)]);
}

#[test]
fn every_file_gets_its_turn() {
    let set = set();
    let epoll = of(&set).unwrap();
    let files = [(); 3].map(|()| counter());
    for (fd, file) in (0..).zip(&files) {
        add(file, 1);
        epoll.change(fd, file, Change::Add(event(IN, fd as u64))).unwrap();
    }
    let turns: Vec<u64> = (0..6).map(|_| epoll.wait(1, Some(0)).unwrap()[0].data).collect();
    assert_eq!(turns, vec![0, 1, 2, 0, 1, 2]);
}

#[test]
fn changes_are_checked() {
    let (set, other, file) = (set(), set(), counter());
    let epoll = of(&set).unwrap();
    let change = |fd, file: &Arc<OpenFile>, change| epoll.change(fd, file, change);
    let add = Change::Add(event(IN, 0));
    assert_eq!(change(0, &set, add), Err(Errno::EINVAL));
    assert_eq!(change(3, &file, Change::Remove), Err(Errno::ENOENT));
    assert_eq!(change(3, &file, add), Ok(()));
    assert_eq!(change(3, &file, add), Err(Errno::EEXIST));
    // Another descriptor of the same file is another member.
    assert_eq!(change(4, &file, add), Ok(()));
    let exclusive = event(IN | EPOLLEXCLUSIVE, 0);
    assert_eq!(change(3, &file, Change::Modify(exclusive)), Err(Errno::EINVAL));
    assert_eq!(change(5, &other, Change::Add(exclusive)), Err(Errno::EINVAL));
    assert_eq!(change(5, &other, add), Ok(()));
    let circle = of(&other).unwrap().change(0, &set, add);
    assert_eq!(circle, Err(Errno::ELOOP));
}

#[test]
fn a_set_is_ready_when_one_of_its_files_is() {
    let (outer, inner, file) = (set(), set(), counter());
    let change = Change::Add(event(IN, 1));
    of(&inner).unwrap().change(1, &file, change).unwrap();
    of(&outer).unwrap().change(2, &inner, change).unwrap();
    assert_eq!(now(&outer), []);
    add(&file, 1);
    assert_eq!(now(&outer), [event(IN, 1)]);
}

#[test]
fn files_that_are_gone_are_forgotten() {
    let (set, file) = (set(), counter());
    let epoll = of(&set).unwrap();
    add(&file, 1);
    epoll.change(3, &file, Change::Add(event(IN, 7))).unwrap();
    drop(file);
    assert_eq!(now(&set), []);
    let next = counter();
    epoll.change(3, &next, Change::Add(event(IN, 8))).unwrap();
    assert_eq!(epoll.interests().len(), 1);
}

#[test]
fn a_waiter_learns_of_new_files_and_of_data() {
    let set = set();
    let (reader, writer) = pipe::create(OpenFlags::empty()).unwrap();
    let waiting = {
        let set = set.clone();
        thread::spawn(move || of(&set).unwrap().wait(8, None))
    };
    thread::sleep(Duration::from_millis(20));
    let change = Change::Add(event(IN, 5));
    of(&set).unwrap().change(3, &reader, change).unwrap();
    thread::sleep(Duration::from_millis(20));
    writer.write(&mut SliceSource::new(b"x"), u64::MAX).unwrap();
    assert_eq!(waiting.join().unwrap(), Ok(vec![event(IN, 5)]));
}
