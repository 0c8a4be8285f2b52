//! Interval timers of a process: setitimer(2) and alarm(2).
//!
//! The real one is a timer of the kernel, which rests from its expiry until its signal is taken, as on Linux; the two
//! that count processor time advance with the tick.

use alloc::sync::Weak;

use los_abi::signal::{SI_KERNEL, SigInfo, Signal};
use sync::{Rank, SpinLock, now_ns};

use crate::pid;
use crate::process::Process;
use crate::signal;
use crate::thread::Thread;
use crate::timer::{Expire, Reservation, Timer};

/// Which of a process's interval timers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    /// `ITIMER_REAL`: real time, SIGALRM.
    Real,
    /// `ITIMER_VIRTUAL`: user time of the process, SIGVTALRM.
    Virtual,
    /// `ITIMER_PROF`: user and system time of the process, SIGPROF.
    Profiling,
}

/// Setting of a timer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Setting {
    /// Time to the next expiry, 0 when stopped.
    pub value_ns: u64,
    /// Period, 0 for once.
    pub interval_ns: u64,
}

/// The three timers of a process.
pub(crate) struct IntervalTimers {
    timer: Timer,
    state: SpinLock<State>,
}

#[derive(Default)]
struct State {
    /// When the real timer fires, in monotonic time, or fired, while its signal waits; 0 when stopped.
    real_deadline_ns: u64,
    /// Whether it rests until its signal is taken.
    real_rests: bool,
    real_interval_ns: u64,
    virtual_: Setting,
    profiling: Setting,
}

impl IntervalTimers {
    pub(crate) fn new(slot: Reservation, process: Weak<Process>) -> Self {
        Self {
            timer: Timer::new(slot, process),
            state: SpinLock::new(Rank::Thread, State::default()),
        }
    }

    /// Stops the timers of a process that ends.
    pub(crate) fn stop(&self) {
        self.timer.disarm();
        *self.state.lock() = State::default();
    }

    /// Counts a tick of the processor for one of the process's threads. Called in the interrupt.
    pub(crate) fn tick(&self, thread: &Thread, in_user: bool, tick_ns: u64) {
        let process = thread.process();
        let (virtual_, profiling) = {
            let mut state = self.state.lock();
            let virtual_ = in_user && state.virtual_.count_down(tick_ns);
            (virtual_, state.profiling.count_down(tick_ns))
        };
        for (signal, fired) in [(Signal::VTALRM, virtual_), (Signal::PROF, profiling)] {
            if fired {
                send(process, signal);
            }
        }
    }
}

impl Setting {
    /// Takes time off; true when that made the timer fire.
    fn count_down(&mut self, ns: u64) -> bool {
        if self.value_ns == 0 {
            return false;
        }
        self.value_ns = self.value_ns.saturating_sub(ns);
        let fired = self.value_ns == 0;
        if fired {
            self.value_ns = self.interval_ns;
        }
        fired
    }
}

impl Expire for Process {
    fn expired(&self, now_ns: u64) {
        {
            let mut state = self.timers.state.lock();
            if state.real_deadline_ns == 0 || state.real_deadline_ns > now_ns {
                return;
            }
            if state.real_rests {
                return;
            }
            state.real_rests = true;
        }
        send(self, Signal::ALRM);
    }
}

/// Lets the real timer of a process go on, whose SIGALRM was taken.
pub(crate) fn alarm_taken(process: &Process) {
    let mut state = process.timers.state.lock();
    if !state.real_rests {
        return;
    }
    state.advance_real(now_ns());
    if state.real_deadline_ns != 0 {
        process.timers.timer.arm(state.real_deadline_ns);
    }
}

fn send(process: &Process, signal: Signal) {
    if let Some(process) = pid::process(process.pid()) {
        // Standard signals always find a place.
        let _queued = signal::send_to_process(&process, &SigInfo::new(signal, SI_KERNEL));
    }
}

/// Returns a timer's setting.
pub fn get(process: &Process, which: Which) -> Setting {
    let state = process.timers.state.lock();
    match which {
        Which::Real => state.real(now_ns()),
        Which::Virtual => state.virtual_,
        Which::Profiling => state.profiling,
    }
}

/// Sets a timer and returns its old setting.
pub fn set(process: &Process, which: Which, new: Setting) -> Setting {
    let now = now_ns();
    let mut state = process.timers.state.lock();
    match which {
        Which::Virtual => core::mem::replace(&mut state.virtual_, new),
        Which::Profiling => core::mem::replace(&mut state.profiling, new),
        Which::Real => {
            let old = state.real(now);
            state.real_interval_ns = new.interval_ns;
            state.real_rests = false;
            if new.value_ns == 0 {
                state.real_deadline_ns = 0;
                process.timers.timer.disarm();
            } else {
                state.real_deadline_ns = now.saturating_add(new.value_ns);
                process.timers.timer.arm(state.real_deadline_ns);
            }
            old
        }
    }
}

impl State {
    /// Moves the real timer to the first expiry that is to come.
    fn advance_real(&mut self, now_ns: u64) {
        self.real_rests = false;
        let late_ns = now_ns.saturating_sub(self.real_deadline_ns);
        self.real_deadline_ns = match late_ns.checked_div(self.real_interval_ns) {
            Some(missed) => {
                let elapsed_ns = (missed + 1).saturating_mul(self.real_interval_ns);
                self.real_deadline_ns.saturating_add(elapsed_ns)
            }
            None => 0,
        };
    }

    fn real(&self, now_ns: u64) -> Setting {
        // A timer that is about to fire still shows some time.
        let left = self.real_deadline_ns.saturating_sub(now_ns).max(1);
        Setting {
            value_ns: if self.real_deadline_ns == 0 || self.real_rests {
                0
            } else {
                left
            },
            interval_ns: self.real_interval_ns,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_down_fires_and_reloads() {
        let mut setting = Setting {
            value_ns: 10,
            interval_ns: 7,
        };
        assert!(!setting.count_down(4));
        assert!(setting.count_down(6));
        assert_eq!(setting.value_ns, 7);
        assert!(!Setting::default().count_down(4));
    }

    #[test]
    fn the_longest_period_does_not_wrap() {
        let mut state = State {
            real_deadline_ns: 500_000_000,
            real_interval_ns: u64::MAX,
            real_rests: true,
            ..State::default()
        };
        state.advance_real(500_000_001);
        assert_eq!((state.real_deadline_ns, state.real_rests), (u64::MAX, false));
        let mut state = State {
            real_deadline_ns: 100,
            real_interval_ns: 10,
            ..State::default()
        };
        state.advance_real(137);
        assert_eq!(state.real_deadline_ns, 140);
    }

    #[test]
    fn the_real_timer_rests_until_its_signal_is_taken() {
        let process = crate::testing::process(78);
        let new = Setting {
            value_ns: 1,
            interval_ns: 1_000_000_000_000,
        };
        set(&process, Which::Real, new);
        process.expired(now_ns() + 1_000_000);
        assert_eq!(get(&process, Which::Real), Setting { value_ns: 0, ..new });
        alarm_taken(&process);
        assert!(get(&process, Which::Real).value_ns > 0);
        set(&process, Which::Real, Setting::default());
    }

    #[test]
    fn the_real_timer_shows_what_is_left() {
        let process = crate::testing::process(77);
        let new = Setting {
            value_ns: 1_000_000_000_000,
            interval_ns: 5,
        };
        assert_eq!(set(&process, Which::Real, new), Setting::default());
        let left = get(&process, Which::Real);
        assert!(left.value_ns > 0 && left.value_ns <= new.value_ns);
        assert_eq!(left.interval_ns, 5);
        set(&process, Which::Real, Setting::default());
        assert_eq!(get(&process, Which::Real), Setting::default());
    }
}
