//! One POSIX timer. Between its expiry and the taking of its signal a periodic timer rests, as on Linux; what
//! it missed meanwhile is the overrun.

use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicBool, Ordering};

use los_abi::errno::Errno;
use los_abi::signal::{SigInfo, Signal};
use sync::{Rank, SpinLock, WaitError, WaitQueue};

use super::Start;
use crate::clock::{Clock, RealClock};
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
    /// Which setting of the timer this is: news of an earlier one are no longer true.
    era: u64,
    /// Whether the timer was deleted; somebody may have found it before.
    is_retired: bool,
    /// Whether the signal of the setting before may still wait to be taken back: the timer does not run yet.
    is_settling: bool,
    /// The next expiry in the clock's time, or the last one while its signal waits; 0 when stopped.
    deadline_ns: u64,
    interval_ns: u64,
    /// Whether it was started for a span of time, which setting real time does not change.
    is_span: bool,
    /// Whether a signal waits to be taken.
    is_sent: bool,
    /// Of the signal that was taken last, until the next one is taken.
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
    ///
    /// # Errors
    /// EINVAL when the timer was deleted meanwhile.
    pub(super) fn set(&self, start: Start, new: Setting) -> Result<Setting, Errno> {
        let clock_ns = self.clock.now_ns();
        let is_span = start == Start::Relative;
        let deadline_ns = match start {
            _ if new.value_ns == 0 => 0,
            Start::Absolute => new.value_ns,
            Start::Relative => self.now_ns(is_span, clock_ns).saturating_add(new.value_ns),
        };
        let (era, old) = {
            let mut state = self.state.lock();
            if state.is_retired {
                return Err(Errno::EINVAL);
            }
            let now = self.now_ns(state.is_span, clock_ns);
            let old = state.setting(now, self.is_silent());
            *state = State {
                is_settling: true,
                deadline_ns,
                interval_ns: if deadline_ns == 0 { 0 } else { new.interval_ns },
                is_span,
                ..state.next()
            };
            (state.era, old)
        };
        // The queue of signals is locked outside of the timer; who tells of an expiry now is of an earlier era.
        self.withdraw(era);
        self.settle(era);
        Ok(old)
    }

    /// Lets the timer run, unless it was set again meanwhile.
    fn settle(&self, era: u64) {
        let mut state = self.state.lock();
        if state.era != era {
            return;
        }
        state.is_settling = false;
        self.arm(&state);
        let runs = state.deadline_ns != 0;
        drop(state);
        if runs && self.clock.cpu_process().is_some() {
            // The time may have come already, and the process may not run soon.
            self.look();
        }
    }

    pub(super) fn get(&self) -> Setting {
        let clock_ns = self.clock.now_ns();
        let state = self.state.lock();
        state.setting(self.now_ns(state.is_span, clock_ns), self.is_silent())
    }

    /// Returns the time that deadlines are compared with, of a clock that shows `clock_ns`: for spans of real time it is
    /// that of the clock which nobody sets (timer_settime(2)).
    fn now_ns(&self, is_span: bool, clock_ns: u64) -> u64 {
        if self.is_steady(is_span) {
            sync::now_ns()
        } else {
            clock_ns
        }
    }

    fn is_steady(&self, is_span: bool) -> bool {
        is_span && matches!(self.clock, Clock::Real(RealClock::Settable))
    }

    fn is_silent(&self) -> bool {
        matches!(self.notify, Notify::Nobody)
    }

    /// Programs the alarm for the deadline. The lock is held.
    fn arm(&self, state: &State) {
        let deadline_ns = match state.deadline_ns {
            0 => None,
            _ if self.is_silent() || state.is_sent || state.is_settling => None,
            deadline_ns if self.is_steady(state.is_span) => Some(deadline_ns),
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
        let era = {
            let mut state = self.state.lock();
            *state = State {
                is_retired: true,
                ..state.next()
            };
            self.arm(&state);
            state.era
        };
        self.withdraw(era);
        if let Some(running) = self.clock.cpu_process() {
            super::forget(running, self);
        }
    }

    /// Takes back a signal that waits to be taken, unless it is of this era or a later one: whoever set the timer
    /// meanwhile has let it run, and counts on its signal.
    fn withdraw(&self, era: u64) {
        let Notify::Signal { receiver, .. } = &self.notify else {
            return;
        };
        match receiver {
            Receiver::Process(process) => {
                if let Some(process) = process.upgrade() {
                    process.pending.withdraw(self, era);
                }
            }
            Receiver::Thread(thread) => {
                if let Some(thread) = thread.upgrade() {
                    thread.pending.withdraw(self, era);
                }
            }
        }
    }

    /// Expires if it is time. Called from interrupts, without locks.
    pub(super) fn look(&self) {
        if let Some(era) = self.expire()
            && !self.tell(era)
        {
            self.dropped(era);
        }
    }

    /// Notes the expiry if it is time, and returns the era that is to be told of it.
    fn expire(&self) -> Option<u64> {
        let clock_ns = self.clock.now_ns();
        let mut state = self.state.lock();
        let now = self.now_ns(state.is_span, clock_ns);
        if state.deadline_ns == 0 || state.is_sent || state.is_settling || self.is_silent() {
            return None;
        }
        if state.deadline_ns > now {
            // The clock was set back.
            self.arm(&state);
            return None;
        }
        state.is_sent = true;
        Some(state.era)
    }

    /// Reports whether the signal of an expiry is still wanted. Called with the queue that it goes to locked, so that
    /// who sets or deletes the timer finds it there or prevents it.
    pub(crate) fn is_current(&self, era: u64) -> bool {
        let state = self.state.lock();
        state.era == era && state.is_sent
    }

    /// Sends the signal of an era; false when it is ignored or no longer wanted, or nobody is there to take it.
    fn tell(&self, era: u64) -> bool {
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
                        .is_some_and(|process| send::send_timer_to_process(&process, &info, this, era)),
                    Receiver::Thread(thread) => thread
                        .upgrade()
                        .is_some_and(|thread| send::send_timer_to_thread(&thread, &info, this, era)),
                }
            }
        }
    }

    /// Goes on after the signal was taken, and completes what that tells. Called without locks.
    pub(crate) fn taken(&self, era: u64, info: &mut SigInfo) {
        let clock_ns = self.clock.now_ns();
        let mut state = self.state.lock();
        if state.era != era {
            return;
        }
        let now = self.now_ns(state.is_span, clock_ns);
        let missed = state.advance(now);
        state.overrun = i32::try_from(missed).unwrap_or(i32::MAX);
        self.arm(&state);
        *info = match info.signal() {
            Some(signal) => SigInfo::timer(signal, self.id, state.overrun, info.value()),
            None => *info,
        };
    }

    /// Goes on after the signal was dropped because it is ignored.
    pub(crate) fn dropped(&self, era: u64) {
        let mut state = self.state.lock();
        if state.era != era {
            return;
        }
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
    /// Returns a stopped timer that nothing of before concerns any more.
    fn next(&self) -> Self {
        Self {
            era: self.era + 1,
            ..Self::default()
        }
    }

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
mod tests;
