//! Tests of the table of numbers.

use super::*;
use crate::testing;

#[test]
fn numbers_ascend_and_are_reused_after_the_wrap() {
    let mut tree = Tree::new();
    assert_eq!((tree.allocate(), tree.allocate()), (Ok(2), Ok(3)));
    tree.last = PID_MAX - 2;
    assert_eq!(tree.allocate(), Ok(PID_MAX - 1));
    assert_eq!(tree.allocate(), Ok(FIRST_REUSED));
    assert_eq!(tree.allocate(), Ok(FIRST_REUSED + 1));
}

#[test]
fn all_numbers_in_use_is_eagain() {
    let mut tree = Tree::new();
    while tree.allocate().is_ok() {}
    assert_eq!(tree.allocate(), Err(Errno::EAGAIN));
    tree.slots.remove(&777);
    assert_eq!(tree.allocate(), Ok(777));
}

#[test]
fn kernel_threads_are_in_no_group() {
    let mut tree = Tree::new();
    let process = testing::process(tree.allocate().unwrap());
    tree.insert_process(&process, 0, 0, 0).unwrap();
    assert_eq!((process.group(), process.session()), (0, 0));
    assert_eq!(tree.group(0).count(), 0);
    assert!(tree.remove_process(process.pid()).is_some());
}

#[test]
fn a_named_group_is_not_the_next_one_with_its_number() {
    let mut tree = Tree::new();
    let mut live = |number| {
        tree.allocate_this(number).unwrap();
        let process = testing::process(number);
        tree.insert_process(&process, 0, number, number).unwrap();
        tree.release(number);
        let group = tree.name_group(number);
        assert_eq!(group, GroupName::led_by(&process));
        assert_eq!(tree.named_group(group).count(), 1);
        group
    };
    let first = live(400);
    tree.remove_process(400);
    assert_eq!(tree.named_group(first).count(), 0);
    let nobodys = tree.name_group(400);
    let mut live = |number| {
        tree.allocate_this(number).unwrap();
        let process = testing::process(number);
        tree.insert_process(&process, 0, number, number).unwrap();
    };
    live(400);
    assert_eq!(tree.group(400).count(), 1);
    assert_eq!(tree.named_group(first).count(), 0);
    assert_eq!(tree.named_group(nobodys).count(), 0);
}

#[test]
fn a_group_outlives_its_leader_and_keeps_the_number() {
    let mut tree = Tree::new();
    let numbers = [(); 2].map(|()| tree.allocate().unwrap());
    let [leader, member] = numbers.map(testing::process);
    tree.insert_process(&leader, 0, leader.pid(), leader.pid())
        .unwrap();
    tree.insert_process(&member, leader.pid(), leader.pid(), leader.pid())
        .unwrap();
    for number in numbers {
        tree.slot_mut(number).unwrap().reserved = false;
    }
    assert_eq!(tree.children(leader.pid()).count(), 1);
    tree.adopt(member.pid(), 0);
    assert_eq!(tree.children(leader.pid()).count(), 0);
    tree.remove_process(leader.pid()).unwrap();
    assert!(tree.has_group(leader.pid()));
    assert!(tree.slot(leader.pid()).is_some());
    tree.remove_process(member.pid()).unwrap();
    assert!(tree.slot(leader.pid()).is_none() && tree.slot(member.pid()).is_none());
}
