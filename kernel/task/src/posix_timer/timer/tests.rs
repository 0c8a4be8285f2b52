//! Tests of POSIX timers, by calling what their alarms call.

use los_abi::signal::SigSet;

use super::*;
use crate::testing;

#[test]
fn missed_expiries_are_counted_when_the_signal_is_taken() {
    let mut state = State {
        deadline_ns: 100,
        interval_ns: 10,
        is_sent: true,
        ..State::default()
    };
    assert_eq!(state.advance(137), 3);
    assert_eq!((state.deadline_ns, state.is_sent), (140, false));
    let mut once = State {
        deadline_ns: 100,
        is_sent: true,
        ..State::default()
    };
    assert_eq!(once.advance(137), 0);
    assert_eq!(once.deadline_ns, 0);
}

#[test]
fn setting_real_time_does_not_change_spans() {
    const HOUR_NS: u64 = 3_600_000_000_000;
    let _turn = testing::clock_turn();
    let timer = |start| {
        let clock = Clock::Real(RealClock::Settable);
        let timer = PosixTimer::new(1, clock, Notify::Nobody, None).unwrap();
        let value_ns = match start {
            Start::Absolute => vfs::clock::realtime_ns() + 2 * HOUR_NS,
            Start::Relative => 2 * HOUR_NS,
        };
        let new = Setting {
            value_ns,
            interval_ns: 0,
        };
        timer.set(start, new).unwrap();
        timer
    };
    let (point, span) = (timer(Start::Absolute), timer(Start::Relative));
    let before_ns = vfs::clock::realtime_ns();
    vfs::clock::set_realtime_ns(before_ns + HOUR_NS);
    let left = [&point, &span].map(|timer| timer.get().value_ns);
    vfs::clock::set_realtime_ns(before_ns);
    assert!(left[0] <= HOUR_NS);
    assert!(left[1] > HOUR_NS);
}

#[test]
fn what_is_left_depends_on_whether_it_has_expired() {
    let state = |interval_ns, is_sent| State {
        deadline_ns: 100,
        interval_ns,
        is_sent,
        ..State::default()
    };
    let left = |state: State, now, silent| state.setting(now, silent).value_ns;
    assert_eq!(left(state(0, false), 60, false), 40);
    assert_eq!(left(state(0, false), 100, false), 1);
    assert_eq!(left(state(0, false), 160, true), 0);
    assert_eq!(left(state(30, false), 140, true), 20);
    assert_eq!(left(state(30, true), 140, false), 20);
    assert_eq!(left(state(0, true), 140, false), 0);
    assert_eq!(left(State::default(), 140, true), 0);
}

const NOW: Setting = Setting {
    value_ns: 1,
    interval_ns: 0,
};

fn timer(process: &Arc<Process>) -> Arc<PosixTimer> {
    let notify = Notify::Signal {
        signal: Signal::USR1,
        value: 0,
        receiver: Receiver::Process(Arc::downgrade(process)),
    };
    PosixTimer::new(0, Clock::Monotonic, notify, None).unwrap()
}

#[test]
fn an_expiry_that_is_told_late_is_no_news() {
    let thread = testing::thread();
    let process = thread.process();
    let timer = timer(process);
    timer.set(Start::Absolute, NOW).unwrap();
    let first = timer.expire().unwrap();
    timer.set(Start::Absolute, NOW).unwrap();
    let second = timer.expire().unwrap();
    assert!(timer.tell(second) && !timer.tell(first));
    timer.dropped(first);
    let taken = process.pending.take(SigSet::ALL);
    assert_eq!(taken.and_then(|info| info.signal()), Some(Signal::USR1));
    assert!(
        process.pending.take(SigSet::ALL).is_none(),
        "one signal at a time"
    );
    process.threads.lock().clear();
}

#[test]
fn a_deleted_timer_sends_nothing_and_is_not_set_again() {
    let thread = testing::thread();
    let process = thread.process();
    let timer = timer(process);
    timer.set(Start::Absolute, NOW).unwrap();
    let era = timer.expire().unwrap();
    timer.retire();
    assert!(!timer.tell(era));
    assert_eq!(timer.set(Start::Absolute, NOW), Err(Errno::EINVAL));
    timer.look();
    assert!(process.pending().is_empty());
    process.threads.lock().clear();
}

#[test]
fn what_is_set_while_it_fires_ends_with_one_signal_of_the_last_setting() {
    extern crate std;
    let thread = testing::thread();
    let process = thread.process();
    let timer = timer(process);
    std::thread::scope(|scope| {
        let fires = scope.spawn(|| (0..5000).for_each(|_| timer.look()));
        for _ in 0..5000 {
            timer.set(Start::Absolute, NOW).unwrap();
        }
        fires.join().unwrap();
    });
    timer.look();
    assert!(process.pending.take(SigSet::ALL).is_some());
    assert!(process.pending.take(SigSet::ALL).is_none());
    timer.retire();
    process.threads.lock().clear();
}

#[test]
fn who_set_it_first_takes_back_no_signal_of_a_later_setting() {
    let thread = testing::thread();
    let process = thread.process();
    let timer = timer(process);
    timer.set(Start::Absolute, NOW).unwrap();
    let first = timer.state.lock().era;
    timer.set(Start::Absolute, NOW).unwrap();
    timer.look();
    // The first one is only now where it takes back what came before.
    timer.withdraw(first);
    timer.settle(first);
    let taken = process.pending.take(SigSet::ALL);
    assert_eq!(taken.and_then(|info| info.signal()), Some(Signal::USR1));
    // What came before the second one is taken back all the same.
    timer.set(Start::Absolute, NOW).unwrap();
    timer.look();
    timer.set(Start::Absolute, Setting::default()).unwrap();
    assert!(process.pending.take(SigSet::ALL).is_none());
    process.threads.lock().clear();
}
