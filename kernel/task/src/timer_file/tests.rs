//! Tests of timers that are files, by calling what the alarm and the clock call.

use alloc::string::String;

use sync::now_ns;

use super::*;
use crate::testing;

const SECOND: u64 = 1_000_000_000;
const ABSTIME: TimerfdSetFlags = TimerfdSetFlags::ABSTIME;

fn timer(clock: i32) -> TimerFile {
    mm::testing::start();
    TimerFile::new(clock, clock_of(clock).unwrap()).unwrap()
}

fn set(timer: &TimerFile, flags: TimerfdSetFlags, value_ns: u64, interval_ns: u64) -> Setting {
    let new = Setting {
        value_ns,
        interval_ns,
    };
    timer.core.set(flags, new).unwrap().0
}

fn is_ready(timer: &TimerFile) -> bool {
    timer.poll(&mut PollTable::new(None)) == PollEvents::IN
}

#[test]
fn one_expiry_is_read_once() {
    let timer = timer(CLOCK_MONOTONIC);
    assert_eq!(timer.core.take(), None);
    set(&timer, ABSTIME, 1, 0);
    assert!(!is_ready(&timer));
    timer.core.expired(now_ns());
    // An alarm that comes too late changes nothing.
    timer.core.expired(now_ns());
    assert!(is_ready(&timer));
    assert_eq!(timer.core.take(), Some(Ok(1)));
    assert_eq!(timer.core.take(), None);
    timer.core.expired(now_ns());
    assert_eq!(timer.core.get(), Setting::default());
}

#[test]
fn a_read_counts_what_a_resting_timer_has_missed() {
    let timer = timer(CLOCK_MONOTONIC);
    let start = now_ns();
    set(&timer, ABSTIME, start.saturating_sub(10 * SECOND).max(1), SECOND);
    timer.core.expired(start);
    assert_eq!(timer.core.state.lock().ticks, 1);
    let late = now_ns() - start.saturating_sub(10 * SECOND).max(1);
    let ticks = timer.core.take().unwrap().unwrap();
    assert!(ticks > late / SECOND, "{ticks} of {late}");
    let left = timer.core.get();
    assert!(left.value_ns > 0 && left.value_ns <= SECOND && left.interval_ns == SECOND);
    assert!(!is_ready(&timer));
}

#[test]
fn asking_counts_too() {
    let timer = timer(CLOCK_BOOTTIME);
    set(&timer, ABSTIME, 1, 3600 * SECOND);
    timer.core.expired(now_ns());
    assert!(timer.core.get().value_ns > 0);
    assert!(is_ready(&timer));
    let old = set(&timer, TimerfdSetFlags::empty(), 0, 0);
    assert_eq!(old.interval_ns, 3600 * SECOND);
    assert!(!is_ready(&timer));
}

#[test]
fn setting_the_clock_cancels_who_asked_for_it() {
    let _turn = testing::clock_turn();
    let quiet = timer(CLOCK_REALTIME);
    let strict = timer(CLOCK_REALTIME);
    let far = u64::MAX / 2;
    set(&quiet, ABSTIME, far, 0);
    set(&strict, ABSTIME | TimerfdSetFlags::CANCEL_ON_SET, far, 0);
    quiet.core.unpark();
    strict.core.unpark();
    assert_eq!(quiet.core.take(), None);
    assert!(is_ready(&strict));
    assert_eq!(strict.core.take(), Some(Err(Errno::ECANCELED)));
    assert_eq!(strict.core.take(), None);
    // A timer that is set before it is read says so once.
    strict.core.unpark();
    let new = Setting {
        value_ns: far,
        interval_ns: 0,
    };
    let flags = ABSTIME | TimerfdSetFlags::CANCEL_ON_SET;
    assert_eq!(strict.core.set(flags, new).unwrap().1, Err(Errno::ECANCELED));
    assert_eq!(strict.core.set(flags, new).unwrap().1, Ok(()));
    // Durations are none of the clock's.
    set(&strict, TimerfdSetFlags::CANCEL_ON_SET, SECOND, 0);
    strict.core.unpark();
    assert_eq!(strict.core.take(), None);
}

#[test]
fn real_time_tells_its_timers_of_settings() {
    let _turn = testing::clock_turn();
    let timer = timer(CLOCK_REALTIME);
    set(&timer, ABSTIME | TimerfdSetFlags::CANCEL_ON_SET, u64::MAX / 2, 0);
    clock::set_realtime_ns(vfs::clock::realtime_ns() + SECOND);
    assert!(is_ready(&timer));
    drop(timer);
    clock::set_realtime_ns(vfs::clock::realtime_ns() - SECOND);
}

#[test]
fn ticks_are_restored_and_told() {
    let timer = timer(CLOCK_MONOTONIC);
    assert_eq!(timer.core.set_ticks(0), Err(Errno::EINVAL));
    timer.core.set_ticks(7).unwrap();
    let mut text = String::new();
    timer.describe(&mut text).unwrap();
    let expected = "clockid: 1\nticks: 7\nsettime flags: 00\nit_value: (0, 0)\nit_interval: (0, 0)\n";
    assert_eq!(text, expected);
    assert_eq!(timer.core.take(), Some(Ok(7)));
}

#[test]
fn other_clocks_are_refused() {
    assert_eq!(clock_of(2).err(), Some(Errno::EINVAL));
    assert_eq!(clock_of(11).err(), Some(Errno::EINVAL));
    let user = Credentials::user(1, 1);
    assert_eq!(check_permission(CLOCK_REALTIME_ALARM, &user), Err(Errno::EPERM));
    assert_eq!(check_permission(CLOCK_REALTIME, &user), Ok(()));
}
