//! Tests of the run queue: who goes next, and who interrupts whom.

use super::*;
use crate::testing;

#[test]
fn the_least_runtime_goes_first_and_ties_go_in_order() {
    let threads = [30, 10, 10, 20].map(|virtual_ns| {
        let thread = testing::thread();
        thread.entity.start_at(virtual_ns);
        thread
    });
    let mut queue = RunQueue::new();
    for thread in &threads {
        queue.reserve_thread().unwrap();
        queue.push(thread.clone());
    }
    let order: alloc::vec::Vec<_> = (0..4).map(|_| queue.pick(0).tid()).collect();
    let expected = [1, 2, 3, 0].map(|index: usize| threads[index].tid());
    assert_eq!(order, expected);
    assert!(queue.is_empty());
}

fn real_time(policy: Policy, priority: u32) -> Schedule {
    Schedule {
        policy,
        priority,
        ..Schedule::default()
    }
}

/// Makes a queue with one running thread and some that wait.
fn queue_of(running: &Arc<Thread>, ready: &[&Arc<Thread>]) -> RunQueue {
    let mut queue = RunQueue::new();
    for _ in 0..=ready.len() {
        queue.reserve_thread().unwrap();
    }
    queue.current = Some(running.clone());
    for thread in ready {
        queue.push((*thread).clone());
    }
    queue
}

#[test]
fn real_time_goes_first_and_what_it_leaves_is_shared() {
    let threads = [0, 1, 2].map(|_| testing::thread());
    let [sharing, low, high] = &threads;
    let mut queue = queue_of(sharing, &[low]);
    queue.change(low, real_time(Policy::Fifo, 10), 0);
    assert!(sharing.work().contains(Work::RESCHEDULE));
    assert!(queue.leave(sharing, Leave::Preempted));
    assert_eq!(queue.pick(0).tid(), low.tid());
    queue.current = Some(low.clone());
    high.entity.set_schedule(real_time(Policy::RoundRobin, 11));
    queue.wake(high.clone());
    assert!(low.work().contains(Work::RESCHEDULE));
    assert!(queue.leave(low, Leave::Preempted));
    let order: alloc::vec::Vec<_> = (0..3).map(|_| queue.pick(0).tid()).collect();
    assert_eq!(order, [high.tid(), low.tid(), sharing.tid()]);
}

#[test]
fn turns_go_round_among_equals_only() {
    let threads = [0, 1, 2].map(|_| testing::thread());
    let [first, second, lower] = &threads;
    for (thread, priority) in [(first, 5), (second, 5), (lower, 4)] {
        thread
            .entity
            .set_schedule(real_time(Policy::RoundRobin, priority));
    }
    let mut queue = queue_of(first, &[lower]);
    let turn_ns = super::super::entity::ROUND_ROBIN_NS;
    queue.charge_thread(first, turn_ns);
    queue.tick(first, turn_ns);
    assert!(
        !first.work().contains(Work::RESCHEDULE),
        "nobody waits for the turn"
    );
    queue.push(second.clone());
    queue.charge_thread(first, 2 * turn_ns);
    queue.tick(first, 2 * turn_ns);
    assert!(first.work().contains(Work::RESCHEDULE));
    assert!(queue.leave(first, Leave::Preempted));
    let order: alloc::vec::Vec<_> = (0..3).map(|_| queue.pick(0).tid()).collect();
    assert_eq!(order, [second.tid(), first.tid(), lower.tid()]);
}

#[test]
fn a_loop_at_real_time_leaves_a_part_of_every_second() {
    let (hog, other) = (testing::thread(), testing::thread());
    hog.entity.set_schedule(real_time(Policy::Fifo, 99));
    let mut queue = queue_of(&hog, &[&other]);
    let mut now = 1_000_000_000;
    queue.switched_ns = now;
    let mut shared = 0;
    for _ in 0..1000 {
        now += 4_000_000;
        let current = queue.current.take().unwrap();
        queue.charge_thread(&current, now);
        queue.tick(&current, now);
        if current.work().contains(Work::RESCHEDULE) {
            assert!(queue.leave(&current, Leave::Preempted));
            queue.current = Some(queue.pick(now));
        } else {
            queue.current = Some(current);
        }
        let is_other = queue.current.as_ref().is_some_and(|it| Arc::ptr_eq(it, &other));
        shared += usize::from(is_other);
    }
    assert!((20..=120).contains(&shared), "{shared} of 1000 ticks");
}

#[test]
fn batch_and_idle_threads_interrupt_nobody() {
    let (runner, sleeper) = (testing::thread(), testing::thread());
    let mut queue = queue_of(&runner, &[]);
    queue.least_ns = 100_000_000;
    runner.entity.start_at(200_000_000);
    let policy = |policy| Schedule {
        policy,
        ..Schedule::default()
    };
    for quiet in [Policy::Batch, Policy::Idle] {
        sleeper.entity.set_schedule(policy(quiet));
        queue.interrupt_for(&sleeper);
        assert!(!runner.work().contains(Work::RESCHEDULE), "{quiet:?}");
    }
    sleeper.entity.set_schedule(policy(Policy::Normal));
    queue.interrupt_for(&sleeper);
    assert!(runner.work().contains(Work::RESCHEDULE));
}

#[test]
fn a_token_makes_parking_return_at_once() {
    let thread = testing::thread();
    let mut queue = RunQueue::new();
    thread
        .entity
        .token
        .store(true, core::sync::atomic::Ordering::SeqCst);
    assert!(!queue.leave(&thread, Leave::Park));
    assert!(queue.leave(&thread, Leave::Park));
    assert_eq!(thread.entity.state(), State::Parked);
}

#[test]
fn yielding_alone_goes_on() {
    let thread = testing::thread();
    let mut queue = RunQueue::new();
    assert!(!queue.leave(&thread, Leave::Yield));
}

#[test]
fn a_sleeper_starts_a_little_ahead_and_interrupts() {
    let (runner, sleeper) = (testing::thread(), testing::thread());
    let mut queue = RunQueue::new();
    queue.reserve_thread().unwrap();
    runner.entity.start_at(100_000_000);
    queue.least_ns = 100_000_000;
    queue.current = Some(runner.clone());
    queue.wake(sleeper.clone());
    assert_eq!(sleeper.entity.virtual_ns(), 100_000_000 - WAKE_BONUS_NS);
    assert!(runner.work().contains(Work::RESCHEDULE));
}

const MS: u64 = 1_000_000;

fn deadline(runtime_ms: u64, period_ms: u64) -> Schedule {
    Schedule {
        policy: Policy::Deadline,
        reservation: crate::sched::Reservation {
            runtime_ns: runtime_ms * MS,
            deadline_ns: period_ms * MS,
            period_ns: period_ms * MS,
            ..Default::default()
        },
        ..Schedule::default()
    }
}

#[test]
fn deadlines_go_before_real_time_until_the_budget_is_used_up() {
    let threads = [0, 1].map(|_| testing::thread());
    let [urgent, served] = &threads;
    urgent.entity.set_schedule(real_time(Policy::Fifo, 99));
    let mut queue = queue_of(urgent, &[served]);
    queue.change(served, deadline(2, 10), 0);
    assert!(urgent.work().contains(Work::RESCHEDULE));
    assert!(queue.leave(urgent, Leave::Preempted));
    assert_eq!(queue.pick(0).tid(), served.tid());
    queue.current = Some(served.clone());
    assert_eq!(queue.next_event_ns(), Some(2 * MS));
    queue.look_at_deadlines(MS);
    assert!(!served.work().contains(Work::RESCHEDULE));
    queue.look_at_deadlines(2 * MS);
    assert!(served.work().contains(Work::RESCHEDULE));
    assert_eq!(queue.next_event_ns(), None, "nothing more until it leaves");
    assert!(queue.leave(served, Leave::Preempted));
    assert_eq!(queue.pick(2 * MS).tid(), urgent.tid());
    queue.current = Some(urgent.clone());
    assert_eq!(queue.next_event_ns(), Some(10 * MS));
    queue.look_at_deadlines(10 * MS);
    assert!(urgent.work().contains(Work::RESCHEDULE));
    assert!(queue.leave(urgent, Leave::Preempted));
    assert_eq!(queue.pick(10 * MS).tid(), served.tid());
}

#[test]
fn whoever_holds_what_a_deadline_needs_goes_first() {
    let threads = [0, 1, 2].map(|_| testing::thread());
    let [served, holder, other] = &threads;
    let mut queue = queue_of(served, &[holder, other]);
    queue.change(served, deadline(2, 10), 0);
    queue.change(other, deadline(1, 5), 0);
    queue.inherit(holder, DEADLINE_PRIORITY);
    assert!(queue.leave(served, Leave::Preempted));
    let order: alloc::vec::Vec<_> = (0..3).map(|_| queue.pick(0).tid()).collect();
    assert_eq!(order, [holder.tid(), other.tid(), served.tid()]);
}

#[test]
fn who_yields_alone_waits_for_the_next_period() {
    let served = testing::thread();
    let mut queue = queue_of(&served, &[]);
    queue.change(&served, deadline(2, 10), 0);
    assert!(queue.has_reason_to_yield());
    assert!(queue.leave(&served, Leave::Yield));
    queue.current = None;
    assert!(queue.is_empty());
    assert_eq!(queue.next_event_ns(), Some(10 * MS));
}

#[test]
fn a_slice_of_its_own_keeps_a_thread_running() {
    const MS: u64 = 1_000_000;
    let threads = [0, 1].map(|_| testing::thread());
    let [running, waiting] = &threads;
    let mut queue = queue_of(running, &[waiting]);
    let slice = |slice_ns| Schedule {
        slice_ns,
        ..Schedule::default()
    };
    running.entity.set_schedule(slice(10 * MS));
    queue.charge(4 * MS);
    queue.tick(running, 4 * MS);
    assert!(!running.work().contains(Work::RESCHEDULE));
    assert_eq!(running.entity.slice_left_ns(), Some(6 * MS));
    queue.charge(11 * MS);
    queue.tick(running, 11 * MS);
    assert!(running.work().contains(Work::RESCHEDULE));
    running.remove_work(Work::RESCHEDULE);
    // Without one every tick looks at who waits.
    running.entity.set_schedule(slice(0));
    queue.tick(running, 11 * MS);
    assert!(running.work().contains(Work::RESCHEDULE));
}
