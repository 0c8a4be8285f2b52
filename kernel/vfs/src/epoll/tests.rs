//! Tests of sets: what is reported, how often, and in what order.

use std::thread;
use std::time::Duration;
use std::vec;

use los_abi::poll::EPOLLONESHOT;
use mm::io::{SliceSource, VecSink};

use super::*;
use crate::event::{self, Counting};
use crate::pipe;

mod model;

const IN: u32 = PollEvents::IN.bits() as u32;
const OUT: u32 = PollEvents::OUT.bits() as u32;

fn event(events: u32, data: u64) -> Event {
    Event { events, data }
}

fn set() -> Arc<OpenFile> {
    mm::testing::start();
    create(&Credentials::root()).unwrap()
}

fn counter() -> Arc<OpenFile> {
    event::create(0, Counting::Whole, OpenFlags::NONBLOCK, &Credentials::root()).unwrap()
}

fn add(file: &OpenFile, value: u64) {
    file.write(&mut SliceSource::new(&value.to_ne_bytes()), u64::MAX)
        .unwrap();
}

fn take(file: &OpenFile) {
    file.read(&mut VecSink::new(8)).unwrap();
}

/// Waits until the deadline for up to `max` events.
fn wait(set: &OpenFile, max: usize, deadline_ns: Option<u64>) -> Vec<Event> {
    let mut events = Vec::new();
    let count = of(set)
        .unwrap()
        .wait(max, deadline_ns, |index, event| {
            assert_eq!(index, events.len());
            events.push(event);
            Ok(())
        })
        .unwrap();
    assert_eq!(count, events.len());
    events
}

fn now(set: &OpenFile) -> Vec<Event> {
    wait(set, 8, Some(0))
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
    let turns: Vec<u64> = (0..6).map(|_| wait(&set, 1, Some(0))[0].data).collect();
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
    assert_eq!(epoll.members.lock().len(), 0);
    // Those that nothing happens to leave too.
    epoll.change(3, &counter(), Change::Add(event(IN, 8))).unwrap();
    assert_eq!(epoll.members.lock().len(), 0);
    // And a file does not remember sets that are gone.
    let file = counter();
    epoll.change(3, &file, Change::Add(event(IN, 9))).unwrap();
    epoll.change(4, &file, Change::Add(event(IN, 9))).unwrap();
    assert_eq!(file.sets().count(), 2);
    epoll.change(4, &file, Change::Remove).unwrap();
    assert_eq!(file.sets().count(), 1);
    drop(set);
    assert_eq!(file.sets().count(), 0);
}

#[test]
fn what_cannot_be_reported_is_kept() {
    let (set, file) = (set(), counter());
    let epoll = of(&set).unwrap();
    add(&file, 1);
    let wanted = event(IN | EPOLLET | EPOLLONESHOT, 7);
    epoll.change(3, &file, Change::Add(wanted)).unwrap();
    let refused = epoll.wait(8, Some(0), |_, _| Err(Errno::EFAULT));
    assert_eq!(refused, Err(Errno::EFAULT));
    assert_eq!(now(&set), [event(IN, 7)]);
    assert_eq!(now(&set), []);
}

#[test]
fn a_set_hears_of_files_that_came_to_an_inner_one_later() {
    let (outer, inner, file) = (set(), set(), counter());
    of(&outer)
        .unwrap()
        .change(2, &inner, Change::Add(event(IN | EPOLLET, 1)))
        .unwrap();
    assert_eq!(now(&outer), []);
    let waiting = {
        let outer = outer.clone();
        thread::spawn(move || wait(&outer, 8, None))
    };
    of(&inner)
        .unwrap()
        .change(1, &file, Change::Add(event(IN, 1)))
        .unwrap();
    thread::sleep(Duration::from_millis(20));
    add(&file, 1);
    assert_eq!(waiting.join().unwrap(), vec![event(IN, 1)]);
    // The inner set is as ready as before, and nothing has happened since.
    assert_eq!(now(&outer), []);
    add(&file, 1);
    assert_eq!(now(&outer), [event(IN, 1)]);
}

#[test]
fn a_one_shot_that_asks_for_nothing_hears_of_the_end_once() {
    let set = set();
    let (reader, writer) = pipe::create(OpenFlags::empty(), &Credentials::root()).unwrap();
    let change = Change::Add(event(EPOLLONESHOT, 5));
    of(&set).unwrap().change(3, &reader, change).unwrap();
    drop(writer);
    assert_eq!(now(&set), [event(PollEvents::HUP.bits().into(), 5)]);
    assert_eq!(now(&set), []);
}

#[test]
fn a_waiter_learns_of_new_files_and_of_data() {
    let set = set();
    let (reader, writer) = pipe::create(OpenFlags::empty(), &Credentials::root()).unwrap();
    let waiting = {
        let set = set.clone();
        thread::spawn(move || wait(&set, 8, None))
    };
    thread::sleep(Duration::from_millis(20));
    let change = Change::Add(event(IN, 5));
    of(&set).unwrap().change(3, &reader, change).unwrap();
    thread::sleep(Duration::from_millis(20));
    writer.write(&mut SliceSource::new(b"x"), u64::MAX).unwrap();
    assert_eq!(waiting.join().unwrap(), vec![event(IN, 5)]);
}
