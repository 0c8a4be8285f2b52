//! Tests of wait queues.

extern crate std;

use alloc::sync::Arc;
use core::sync::atomic::AtomicU32;
use std::thread;

use super::*;
use crate::park::Unpark;

#[test]
fn a_true_condition_does_not_wait() {
    assert_eq!(WaitQueue::new().wait(|| Some(7)), 7);
}

#[test]
fn a_passed_deadline_times_out() {
    let queue = WaitQueue::new();
    let result = queue.wait_interruptible(Some(0), || None::<()>);
    assert_eq!(result, Err(WaitError::TimedOut));
    assert!(!queue.has_waiters());
}

#[test]
fn threads_hand_a_value_round() {
    let shared = Arc::new((WaitQueue::new(), AtomicU32::new(0)));
    let threads: alloc::vec::Vec<_> = (0..4)
        .map(|turn| {
            let shared = shared.clone();
            thread::spawn(move || {
                let (queue, value) = &*shared;
                queue.wait(|| (value.load(Ordering::SeqCst) == turn).then_some(()));
                value.fetch_add(1, Ordering::SeqCst);
                queue.wake_all();
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(shared.1.load(Ordering::SeqCst), 4);
    assert!(!shared.0.has_waiters());
}

struct Counter(AtomicU32);
impl Unpark for Counter {
    fn unpark(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn many_are_woken_in_the_order_of_their_tickets() {
    let queue = WaitQueue::new();
    let count = 3 * BATCH + 1;
    let waiters: alloc::vec::Vec<_> = (0..2 * count)
        .map(|_| Arc::new(Counter(AtomicU32::new(0))))
        .collect();
    for (index, waiter) in waiters.iter().enumerate() {
        let kind = if index % 2 == 0 {
            EntryKind::Exclusive
        } else {
            EntryKind::Observer
        };
        queue.enqueue(waiter.clone(), kind);
    }
    let woken =
        || -> alloc::vec::Vec<u32> { waiters.iter().map(|w| w.0.swap(0, Ordering::Relaxed)).collect() };
    assert_eq!(queue.wake_n(count - 1), count - 1);
    let mut expected = alloc::vec![1; 2 * count];
    expected[2 * count - 2] = 0;
    assert_eq!(woken(), expected);
    assert_eq!(queue.wake_all(), 1);
    assert!(queue.has_waiters());
    assert_eq!(woken().iter().sum::<u32>(), count as u32 + 1);
}

/// Answers that it has taken a wake-up for one kind of news only.
struct Chooser(Counter, News);
impl Unpark for Chooser {
    fn unpark(&self) {
        self.0.unpark();
    }

    fn unpark_for(&self, news: News) -> bool {
        self.unpark();
        news == self.1
    }
}

#[test]
fn exclusive_observers_are_told_until_one_takes_it() {
    let queue = WaitQueue::new();
    let (reading, writing) = (News(1), News(4));
    let waiters =
        [writing, reading, reading, writing].map(|news| Arc::new(Chooser(Counter(AtomicU32::new(0)), news)));
    for waiter in &waiters {
        queue.enqueue(waiter.clone(), EntryKind::ExclusiveObserver);
    }
    let woken = || {
        waiters
            .clone()
            .map(|waiter| waiter.0.0.swap(0, Ordering::Relaxed))
    };
    queue.wake_all_for(reading);
    assert_eq!(woken(), [1, 1, 0, 0]);
    queue.wake_one_for(writing);
    assert_eq!(woken(), [1, 0, 0, 0]);
    queue.wake_all();
    assert_eq!(woken(), [1; 4]);
    // Who takes it is one of those whom one wake-up is for.
    let thread = Arc::new(Counter(AtomicU32::new(0)));
    queue.enqueue(thread.clone(), EntryKind::Exclusive);
    queue.wake_one_for(reading);
    assert_eq!(thread.0.load(Ordering::Relaxed), 0);
    queue.wake_all_for(reading);
    assert_eq!(thread.0.load(Ordering::Relaxed), 1);
}

#[test]
fn wake_one_takes_one_and_shows_all_observers() {
    let queue = WaitQueue::new();
    let waiters = [(); 3].map(|()| Arc::new(Counter(AtomicU32::new(0))));
    queue.enqueue(waiters[0].clone(), EntryKind::Observer);
    queue.enqueue(waiters[1].clone(), EntryKind::Exclusive);
    let last = queue.enqueue(waiters[2].clone(), EntryKind::Exclusive).unwrap();
    assert!(queue.wake_one());
    assert_eq!(waiters.clone().map(|w| w.0.load(Ordering::Relaxed)), [1, 1, 0]);
    assert!(queue.dequeue(last));
    assert!(!queue.wake_one());
    assert_eq!(waiters.clone().map(|w| w.0.load(Ordering::Relaxed)), [2, 1, 0]);
    queue.enqueue(waiters[2].clone(), EntryKind::Exclusive);
    queue.pass_on();
    assert_eq!(waiters.map(|w| w.0.load(Ordering::Relaxed)), [2, 1, 1]);
}
