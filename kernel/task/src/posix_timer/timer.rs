//! One POSIX timer. Between its expiry and the taking of its signal a periodic timer rests, as on Linux; what
//! it missed meanwhile is the overrun.

use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicBool, Ordering};

use los_abi::errno::Errno;
use los_abi::signal::{SigInfo, Signal};
use sync::{Rank, SpinLock, WaitError, WaitQueue};

use super::Start;
use crate::clock::Clock;
use crate::itimer::Setting;
use crate::process::Process;
use crate::signal::quota::Charge;
use crate::signal::send;
use crate::thread::Thread;
use crate::timer::{self, Expire, Timer};

/// Least time between two expiries of a timer whose signal is ignored.
const IGNORED_PERIOD_NS: u64 = 4_000_000;

/// A timer.
pub(crate) struct PosixTimer {
    this: Weak<Self>,
    id: i32,
    clock: Clock,
    notify: Notify,
    /// The place in the queue of signals that is kept for this timer.
    _charge: Option<Charge>,
    /// Fires at a monotonic time; timers of processor time are looked at by the tick instead.
    alarm: Timer,
    state: SpinLock<State>,
}

/// What the timer does when it expires.
pub(super) enum Notify {
    /// Nothing: the program asks how much time is left.
    Nobody,
    /// Sends a signal.
    Signal {
        signal: Signal,
        value: u64,
        receiver: Receiver,
    },
    /// Wakes a thread that sleeps by the clock.
    Sleeper(Arc<Wakeup>),
}

/// Who gets the signal.
pub(super) enum Receiver {
    Process(Weak<Process>),
    Thread(Weak<Thread>),
}

/// A sleep that a timer ends.
pub(super) struct Wakeup {
    queue: WaitQueue,
    is_over: AtomicBool,
}

#[derive(Default)]
struct State {
    /// The next expiry in the clock's time, or the last one while its signal waits; 0 when stopped.
    deadline_ns: u64,
    interval_ns: u64,
    /// Whether a signal waits to be taken.
    is_sent: bool,
    overrun: i32,
}

impl Wakeup {
    pub(super) fn new() -> Self {
        Self {
            queue: WaitQueue::new(),
            is_over: AtomicBool::new(false),
        }
    }

    pub(super) fn wait(&self) -> Result<(), WaitError> {
        let is_over = || self.is_over.load(Ordering::SeqCst).then_some(());
        self.queue.wait_interruptible(None, is_over)
    }
}

impl PosixTimer {
    /// # Errors
    /// ENOMEM.
    pub(super) fn new(
        id: i32,
        clock: Clock,
        notify: Notify,
        charge: Option<Charge>,
    ) -> Result<Arc<Self>, Errno> {
        let slot = timer::reserve()?;
        Ok(Arc::new_cyclic(|this: &Weak<Self>| Self {
            this: this.clone(),
            id,
            clock,
            notify,
            _charge: charge,
            alarm: Timer::new(slot, this.clone()),
            state: SpinLock::new(Rank::Thread, State::default()),
        }))
    }

    pub(super) fn id(&self) -> i32 {
        self.id
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) fn overrun(&self) -> i32 {
        self.state.lock().overrun
    }

    /// Sets the timer and returns the old setting. A signal that was not taken yet is forgotten.
    pub(super) fn set(&self, start: Start, new: Setting) -> Setting {
        let now = self.clock.now_ns();
        self.withdraw();
        let mut state = self.state.lock();
        let old = state.setting(now, self.is_silent());
        let deadline_ns = match start {
            _ if new.value_ns == 0 => 0,
            Start::Absolute => new.value_ns,
            Start::Relative => now.saturating_add(new.value_ns),
        };
        *state = State {
            deadline_ns,
            interval_ns: if deadline_ns == 0 { 0 } else { new.interval_ns },
            ..State::default()
        };
        self.arm(&state);
        drop(state);
        if deadline_ns != 0 && self.clock.cpu_process().is_some() {
            // The time may have come already, and the process may not run soon.
            self.look();
        }
        old
    }

    pub(super) fn get(&self) -> Setting {
        let now = self.clock.now_ns();
        self.state.lock().setting(now, self.is_silent())
    }

    fn is_silent(&self) -> bool {
        matches!(self.notify, Notify::Nobody)
    }

    /// Programs the alarm for the deadline. The lock is held.
    fn arm(&self, state: &State) {
        let deadline_ns = match state.deadline_ns {
            0 => None,
            _ if self.is_silent() || state.is_sent => None,
            deadline_ns => self.clock.to_monotonic(deadline_ns),
        };
        match deadline_ns {
            Some(deadline_ns) => self.alarm.arm(deadline_ns),
            None => drop(self.alarm.disarm()),
        }
    }

    /// Arms the timer by the clock as it is now.
    pub(super) fn arm_again(&self) {
        if matches!(self.clock, Clock::Real(_)) {
            self.arm(&self.state.lock());
        }
    }

    /// Stops the timer for ever, with its signal.
    pub(super) fn retire(&self) {
        *self.state.lock() = State::default();
        self.alarm.disarm();
        self.withdraw();
        if let Some(running) = self.clock.cpu_process() {
            super::forget(running, self);
        }
    }

    /// Takes back a signal that waits to be taken.
    fn withdraw(&self) {
        let Notify::Signal { receiver, .. } = &self.notify else {
            return;
        };
        match receiver {
            Receiver::Process(process) => {
                if let Some(process) = process.upgrade() {
                    process.pending.withdraw(self);
                }
            }
            Receiver::Thread(thread) => {
                if let Some(thread) = thread.upgrade() {
                    thread.pending.withdraw(self);
                }
            }
        }
    }

    /// Expires if it is time. Called from interrupts, without locks.
    pub(super) fn look(&self) {
        let now = self.clock.now_ns();
        {
            let mut state = self.state.lock();
            if state.deadline_ns == 0 || state.is_sent || self.is_silent() {
                return;
            }
            if state.deadline_ns > now {
                // The clock was set back.
                self.arm(&state);
                return;
            }
            state.is_sent = true;
            state.overrun = 0;
        }
        if !self.tell() {
            self.dropped();
        }
    }

    /// Sends the signal; false when it is ignored, or nobody is there to take it.
    fn tell(&self) -> bool {
        match &self.notify {
            Notify::Nobody => true,
            Notify::Sleeper(wakeup) => {
                wakeup.is_over.store(true, Ordering::SeqCst);
                wakeup.queue.wake_all();
                true
            }
            Notify::Signal {
                signal,
                value,
                receiver,
            } => {
                let info = SigInfo::timer(*signal, self.id, 0, *value);
                let Some(this) = self.this.upgrade() else {
                    return false;
                };
                match receiver {
                    Receiver::Process(process) => process
                        .upgrade()
                        .is_some_and(|process| send::send_timer_to_process(&process, &info, this)),
                    Receiver::Thread(thread) => thread
                        .upgrade()
                        .is_some_and(|thread| send::send_timer_to_thread(&thread, &info, this)),
                }
            }
        }
    }

    /// Goes on after the signal was taken, and completes what that tells. Called without locks.
    pub(crate) fn taken(&self, info: &mut SigInfo) {
        let now = self.clock.now_ns();
        let mut state = self.state.lock();
        let missed = state.advance(now);
        state.overrun = i32::try_from(missed).unwrap_or(i32::MAX);
        self.arm(&state);
        *info = match info.signal() {
            Some(signal) => SigInfo::timer(signal, self.id, state.overrun, info.value()),
            None => *info,
        };
    }

    /// Goes on after the signal was dropped because it is ignored.
    pub(crate) fn dropped(&self) {
        let mut state = self.state.lock();
        state.is_sent = false;
        if state.interval_ns == 0 {
            state.deadline_ns = 0;
        } else {
            let period = state.interval_ns.max(IGNORED_PERIOD_NS);
            state.deadline_ns = state.deadline_ns.saturating_add(period);
        }
        self.arm(&state);
    }
}

impl State {
    /// Moves a timer whose signal was taken to its next expiry, and returns how many were missed.
    fn advance(&mut self, now: u64) -> u64 {
        self.is_sent = false;
        let late_ns = now.saturating_sub(self.deadline_ns);
        match late_ns.checked_div(self.interval_ns) {
            Some(missed) => {
                let elapsed = (missed + 1).saturating_mul(self.interval_ns);
                self.deadline_ns = self.deadline_ns.saturating_add(elapsed);
                missed
            }
            None => {
                self.deadline_ns = 0;
                0
            }
        }
    }

    /// Returns what timer_gettime(2) tells.
    fn setting(&self, now: u64, is_silent: bool) -> Setting {
        let is_late = self.deadline_ns <= now;
        let left_ns = match (now.saturating_sub(self.deadline_ns)).checked_rem(self.interval_ns) {
            _ if self.deadline_ns == 0 => 0,
            _ if !is_late => self.deadline_ns - now,
            Some(into) if self.is_sent || is_silent => self.interval_ns - into,
            // Expired for good.
            None if self.is_sent || is_silent => 0,
            // About to expire.
            _ => 1,
        };
        Setting {
            value_ns: left_ns,
            interval_ns: self.interval_ns,
        }
    }
}

impl Expire for PosixTimer {
    fn expired(&self, _now_ns: u64) {
        self.look();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missed_expiries_are_counted_when_the_signal_is_taken() {
        let mut state = State {
            deadline_ns: 100,
            interval_ns: 10,
            is_sent: true,
            overrun: 0,
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
    fn what_is_left_depends_on_whether_it_has_expired() {
        let state = |interval_ns, is_sent| State {
            deadline_ns: 100,
            interval_ns,
            is_sent,
            overrun: 0,
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
}
