//! Timers whose expiries are read from a file: timerfd_create(2).
//!
//! Between its expiry and the read that takes it a periodic timer rests, as on Linux; the read, or a question
//! for its setting, counts what was missed meanwhile and starts it again.

use alloc::sync::{Arc, Weak};
use core::any::Any;
use core::fmt::Write;

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::poll::PollEvents;
use los_abi::syscall::{Fd, UserPtr};
use los_abi::time::{
    CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM, CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_REALTIME_ALARM,
    NSEC_PER_SEC, TFD_IOC_SET_TICKS, TimerfdFlags, TimerfdSetFlags,
};
use mm::io::Sink;
use sync::{Rank, SpinLock, Unpark, WaitQueue, Waiter};
use vfs::poll::READABLE;
use vfs::{
    AnonymousInode, Capability, Credentials, FileKind, FileOps, Io, IoctlContext, OpenFile, PollTable,
    anonymous_file,
};

use crate::clock::{self, Clock, RealClock};
use crate::context::Context;
use crate::fd_table::OnExec;
use crate::itimer::Setting;
use crate::timer::{self, Expire, Timer};

/// What a timer's file refers to.
struct TimerFile {
    core: Arc<Core>,
    /// Has the timer told when its clock is set.
    _place: Option<Waiter>,
}

/// The timer, which its alarm and the settings of the clock reach.
struct Core {
    clock_number: i32,
    /// Who reads or polls.
    queue: Arc<WaitQueue>,
    alarm: Timer,
    state: SpinLock<State>,
}

struct State {
    /// What the deadline is measured by: the timer's clock, but monotonic time for a duration of real time.
    clock: Clock,
    /// The next expiry, or the last one of a timer that rests; 0 for one that was never set.
    deadline_ns: u64,
    interval_ns: u64,
    /// Expiries that nobody has read.
    ticks: u64,
    /// Whether the timer rests.
    has_expired: bool,
    /// How it was set, for /proc.
    flags: TimerfdSetFlags,
    /// Whether reads are to fail once the clock was set.
    is_cancelled_by_setting: bool,
    was_clock_set: bool,
}

/// Returns the clock of a timer. Those that would wake a suspended machine run as the others do.
fn clock_of(number: i32) -> Result<Clock, Errno> {
    match number {
        CLOCK_REALTIME | CLOCK_REALTIME_ALARM => Ok(Clock::Real(RealClock::Settable)),
        CLOCK_MONOTONIC | CLOCK_BOOTTIME | CLOCK_BOOTTIME_ALARM => Ok(Clock::Monotonic),
        _ => Err(Errno::EINVAL),
    }
}

fn check_permission(clock_number: i32, credentials: &Credentials) -> Result<(), Errno> {
    let wakes = matches!(clock_number, CLOCK_REALTIME_ALARM | CLOCK_BOOTTIME_ALARM);
    if wakes && !credentials.capable(Capability::WakeAlarm) {
        return Err(Errno::EPERM);
    }
    Ok(())
}

/// Makes a timer that is not set: timerfd_create(2).
///
/// # Errors
/// EINVAL for unknown flags and other clocks; EPERM for the clocks that wake without CAP_WAKE_ALARM; EMFILE;
/// ENOMEM.
pub fn open(ctx: &Context<'_>, clock_number: i32, flags: TimerfdFlags) -> Result<Fd, Errno> {
    if !TimerfdFlags::all().contains(flags) {
        return Err(Errno::EINVAL);
    }
    let clock = clock_of(clock_number)?;
    check_permission(clock_number, ctx.credentials())?;
    let timer = TimerFile::new(clock_number, clock)?;
    let inode = AnonymousInode::new(FileKind::Regular, 0o600);
    // The bits of the flags are those of the open flags.
    let status = OpenFlags::from_bits_retain((flags & TimerfdFlags::NONBLOCK).bits());
    let file = anonymous_file(
        b"anon_inode:[timerfd]",
        inode,
        Arc::new(timer),
        status | OpenFlags::RDWR,
        ctx.credentials(),
    )?;
    let on_exec = OnExec::from_cloexec(flags.contains(TimerfdFlags::CLOEXEC));
    ctx.install(file, on_exec)
}

/// Sets a timer: timerfd_settime(2). Returns the old setting, and whether the clock was set unnoticed since
/// (ECANCELED; the timer is set all the same).
///
/// # Errors
/// EBADF; EINVAL for another kind of file; EPERM.
pub fn set(
    ctx: &Context<'_>,
    fd: Fd,
    flags: TimerfdSetFlags,
    new: Setting,
) -> Result<(Setting, Result<(), Errno>), Errno> {
    let file = ctx.files().get(fd)?;
    let timer = TimerFile::of(&file)?;
    check_permission(timer.core.clock_number, ctx.credentials())?;
    timer.core.set(flags, new)
}

/// Returns the setting of a timer: timerfd_gettime(2).
///
/// # Errors
/// EBADF; EINVAL for another kind of file.
pub fn get(ctx: &Context<'_>, fd: Fd) -> Result<Setting, Errno> {
    let file = ctx.files().get(fd)?;
    Ok(TimerFile::of(&file)?.core.get())
}

impl TimerFile {
    fn new(clock_number: i32, clock: Clock) -> Result<Self, Errno> {
        if !mm::frames::headroom() {
            return Err(Errno::ENOMEM);
        }
        let is_real = matches!(clock, Clock::Real(_));
        let slot = timer::reserve()?;
        let core = Arc::new_cyclic(|this: &Weak<Core>| Core {
            clock_number,
            queue: Arc::new(WaitQueue::new()),
            alarm: Timer::new(slot, this.clone()),
            state: SpinLock::new(Rank::Thread, State::new(clock)),
        });
        let place = match is_real {
            true => Some(clock::watch_settings(core.clone())?),
            false => None,
        };
        Ok(Self { core, _place: place })
    }

    fn of(file: &OpenFile) -> Result<&Self, Errno> {
        let any: &dyn Any = &**file.ops()?;
        any.downcast_ref().ok_or(Errno::EINVAL)
    }
}

impl Core {
    fn set(&self, flags: TimerfdSetFlags, new: Setting) -> Result<(Setting, Result<(), Errno>), Errno> {
        let own_clock = clock_of(self.clock_number)?;
        let is_absolute = flags.contains(TimerfdSetFlags::ABSTIME);
        let is_real = matches!(own_clock, Clock::Real(_));
        let clock = match is_absolute || self.clock_number != CLOCK_REALTIME {
            true => own_clock,
            // Setting the clock does not change durations.
            false => Clock::Monotonic,
        };
        let deadline_ns = match new.value_ns {
            0 => 0,
            value_ns if is_absolute => value_ns,
            value_ns => clock.now_ns().saturating_add(value_ns),
        };
        let mut state = self.state.lock();
        state.is_cancelled_by_setting =
            is_real && is_absolute && flags.contains(TimerfdSetFlags::CANCEL_ON_SET);
        state.go_on();
        let old = state.setting();
        state.clock = clock;
        state.deadline_ns = deadline_ns;
        state.interval_ns = new.interval_ns;
        state.ticks = 0;
        state.has_expired = false;
        self.arm(&state);
        if state.notice_setting() {
            return Ok((old, Err(Errno::ECANCELED)));
        }
        state.flags = flags;
        Ok((old, Ok(())))
    }

    fn get(&self) -> Setting {
        let mut state = self.state.lock();
        state.go_on();
        self.arm(&state);
        state.setting()
    }

    /// Programs the alarm for the deadline. The lock is held.
    fn arm(&self, state: &State) {
        let deadline_ns = match state.deadline_ns {
            0 => None,
            _ if state.has_expired => None,
            deadline_ns => state.clock.to_monotonic(deadline_ns),
        };
        match deadline_ns {
            Some(deadline_ns) => self.alarm.arm(deadline_ns),
            None => drop(self.alarm.disarm()),
        }
    }

    /// Takes the expiries, if there are some or the clock was set.
    fn take(&self) -> Option<Result<u64, Errno>> {
        let mut state = self.state.lock();
        if state.ticks == 0 {
            return None;
        }
        if state.notice_setting() {
            state.ticks = 0;
            state.has_expired = false;
            return Some(Err(Errno::ECANCELED));
        }
        state.go_on();
        self.arm(&state);
        Some(Ok(core::mem::take(&mut state.ticks)))
    }

    /// Sets the expiries that a read takes, as a restored process needs it.
    fn set_ticks(&self, ticks: u64) -> Result<(), Errno> {
        if ticks == 0 {
            return Err(Errno::EINVAL);
        }
        let mut state = self.state.lock();
        if state.notice_setting() {
            return Err(Errno::ECANCELED);
        }
        state.ticks = ticks;
        drop(state);
        self.queue.wake_all_for(READABLE);
        Ok(())
    }
}

impl State {
    fn new(clock: Clock) -> Self {
        Self {
            clock,
            deadline_ns: 0,
            interval_ns: 0,
            ticks: 0,
            has_expired: false,
            flags: TimerfdSetFlags::empty(),
            is_cancelled_by_setting: false,
            was_clock_set: false,
        }
    }

    /// Starts a periodic timer that rests again, and counts what it has missed. A clock that was set back
    /// before the last expiry takes that away.
    fn go_on(&mut self) {
        let was_resting = core::mem::take(&mut self.has_expired);
        if !was_resting || self.interval_ns == 0 {
            self.has_expired = was_resting;
            return;
        }
        let periods = match self.clock.now_ns().checked_sub(self.deadline_ns) {
            Some(late_ns) => late_ns / self.interval_ns + 1,
            None => 0,
        };
        let elapsed_ns = periods.saturating_mul(self.interval_ns);
        self.deadline_ns = self.deadline_ns.saturating_add(elapsed_ns);
        self.ticks = self.ticks.saturating_add(periods).saturating_sub(1);
    }

    fn setting(&self) -> Setting {
        let left_ns = self.deadline_ns.saturating_sub(self.clock.now_ns());
        Setting {
            value_ns: left_ns,
            interval_ns: self.interval_ns,
        }
    }

    /// Tells once that the clock was set, if that is wanted.
    fn notice_setting(&mut self) -> bool {
        self.is_cancelled_by_setting && core::mem::take(&mut self.was_clock_set)
    }
}

impl Expire for Core {
    fn expired(&self, _now_ns: u64) {
        let mut state = self.state.lock();
        if state.deadline_ns == 0 || state.has_expired {
            return;
        }
        if state.clock.now_ns() < state.deadline_ns {
            // The clock was set back.
            self.arm(&state);
            return;
        }
        state.has_expired = true;
        state.ticks = state.ticks.saturating_add(1);
        drop(state);
        self.queue.wake_all_for(READABLE);
    }
}

/// What setting the clock does.
impl Unpark for Core {
    fn unpark(&self) {
        let mut state = self.state.lock();
        if state.is_cancelled_by_setting {
            state.was_clock_set = true;
            state.ticks = state.ticks.saturating_add(1);
        }
        let wakes = state.is_cancelled_by_setting;
        self.arm(&state);
        drop(state);
        if wakes {
            self.queue.wake_all_for(READABLE);
        }
    }
}

impl FileOps for TimerFile {
    fn read_at(&self, out: &mut dyn Sink, _offset: u64, io: &Io) -> sync::Result<usize> {
        const BYTES: usize = size_of::<u64>();
        if out.remaining() < BYTES {
            return Err(Errno::EINVAL.into());
        }
        let core = &self.core;
        let ticks = match core.take() {
            Some(ticks) => ticks?,
            None if io.nonblocking() => return Err(Errno::EAGAIN.into()),
            None => core.queue.wait_interruptible(None, || core.take())??,
        };
        match ticks {
            // The clock was set back meanwhile (timerfd_create(2)).
            0 if io.nonblocking() => Err(Errno::EAGAIN.into()),
            0 => Ok(0),
            _ if out.put(&ticks.to_ne_bytes())? < BYTES => Err(Errno::EFAULT.into()),
            _ => Ok(BYTES),
        }
    }

    fn is_seekable(&self) -> bool {
        false
    }

    fn ignores_seeking(&self) -> bool {
        true
    }

    fn poll(&self, table: &mut PollTable<'_>) -> PollEvents {
        table.register(&self.core.queue);
        match self.core.state.lock().ticks {
            0 => PollEvents::empty(),
            _ => PollEvents::IN,
        }
    }

    fn ioctl(&self, context: &IoctlContext<'_>, request: u32, argument: u64) -> sync::Result<usize> {
        match request {
            TFD_IOC_SET_TICKS => {
                let ticks = context.memory.read(UserPtr::new(argument))?;
                self.core.set_ticks(ticks)?;
                Ok(0)
            }
            _ => Err(Errno::ENOTTY.into()),
        }
    }

    fn sync(&self) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    fn describe(&self, out: &mut dyn Write) -> core::fmt::Result {
        let (setting, ticks, flags) = {
            let state = self.core.state.lock();
            (state.setting(), state.ticks, state.flags)
        };
        let parts = |ns: u64| (ns / NSEC_PER_SEC as u64, ns % NSEC_PER_SEC as u64);
        let (value, interval) = (parts(setting.value_ns), parts(setting.interval_ns));
        writeln!(out, "clockid: {}", self.core.clock_number)?;
        writeln!(out, "ticks: {ticks}")?;
        writeln!(out, "settime flags: 0{:o}", flags.bits())?;
        writeln!(out, "it_value: ({}, {})", value.0, value.1)?;
        writeln!(out, "it_interval: ({}, {})", interval.0, interval.1)
    }
}

#[cfg(test)]
mod tests;
