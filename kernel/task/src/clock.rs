//! Clocks: what clock_gettime(2) reads, and what sleeps and timers go by.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};

use los_abi::errno::Errno;
use los_abi::time::{
    CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW,
    CLOCK_PROCESS_CPUTIME_ID, CLOCK_REALTIME, CLOCK_REALTIME_ALARM, CLOCK_REALTIME_COARSE, CLOCK_TAI,
    CLOCK_THREAD_CPUTIME_ID, NSEC_PER_SEC,
};
use los_arch::hal::vdso::COARSE_NS;
use sync::{Once, ThreadHandle, WaitQueue, Waiter, now_ns};

use crate::context::Context;
use crate::futex;
use crate::pid;
use crate::posix_timer;
use crate::process::Process;
use crate::sched::TICK_NS;
use crate::thread::Thread;

// The coarse clocks go by the tick.
const _: () = assert!(COARSE_NS == TICK_NS);

/// A clock.
#[derive(Clone, Debug)]
pub enum Clock {
    /// Time since 1970 by the machine's clock.
    Real(RealClock),
    /// Time since the start, suspended or not.
    Monotonic,
    /// A clock that can only be read: real or monotonic time, and the steps that it goes in.
    ReadOnly(Base, u64),
    /// A clock whose alarms would wake a suspended machine; there is no device for that.
    Alarm,
    /// Processor time.
    Cpu(CpuClock),
    /// Processor time of who is not there, which is found out late.
    Nobodys,
    /// The clock of a device, of which there is none.
    Device,
}

/// Which real time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RealClock {
    /// `CLOCK_REALTIME`, which can be set.
    Settable,
    /// `CLOCK_TAI`.
    Atomic,
}

/// What wall clocks count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Base {
    /// Time since 1970.
    Real,
    /// Time since the start.
    Monotonic,
}

/// A clock of processor time.
#[derive(Clone, Debug)]
pub struct CpuClock {
    target: CpuTarget,
    kind: CpuKind,
    /// Whether the program named it by a number of its own (clock_getcpuclockid(3)).
    is_dynamic: bool,
}

#[derive(Clone, Debug)]
enum CpuTarget {
    Process(Arc<Process>),
    Thread(Arc<Thread>),
}

/// What a clock of processor time counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum CpuKind {
    /// User and system time as sampled.
    Profiling,
    /// User time as sampled.
    User,
    /// Measured time.
    Runtime,
}

/// Bit of a dynamic clock's number: of a thread, not of a process.
const PER_THREAD: i32 = 4;
/// Bits of a dynamic clock's number that say what it counts; 3 stands for a device.
const KIND_MASK: i32 = 3;
const KIND_BITS: u32 = 3;
/// The lowest bits of the number of a device's clock.
const DEVICE: i32 = 3;

impl Clock {
    /// Finds the clock with a number.
    ///
    /// # Errors
    /// EINVAL for a number that no clock could have.
    pub fn find(ctx: &Context<'_>, number: i32) -> Result<Self, Errno> {
        Ok(match number {
            CLOCK_REALTIME => Self::Real(RealClock::Settable),
            CLOCK_TAI => Self::Real(RealClock::Atomic),
            CLOCK_MONOTONIC | CLOCK_BOOTTIME => Self::Monotonic,
            CLOCK_MONOTONIC_RAW => Self::ReadOnly(Base::Monotonic, 1),
            CLOCK_MONOTONIC_COARSE => Self::ReadOnly(Base::Monotonic, COARSE_NS),
            CLOCK_REALTIME_COARSE => Self::ReadOnly(Base::Real, COARSE_NS),
            CLOCK_REALTIME_ALARM | CLOCK_BOOTTIME_ALARM => Self::Alarm,
            CLOCK_PROCESS_CPUTIME_ID => Self::cpu(CpuTarget::Process(ctx.process.clone())),
            CLOCK_THREAD_CPUTIME_ID => Self::cpu(CpuTarget::Thread(ctx.thread.clone())),
            ..0 if number & (PER_THREAD | KIND_MASK) == DEVICE => Self::Device,
            ..0 => CpuClock::find(ctx, number).map_or(Self::Nobodys, Self::Cpu),
            _ => return Err(Errno::EINVAL),
        })
    }

    fn cpu(target: CpuTarget) -> Self {
        Self::Cpu(CpuClock {
            target,
            kind: CpuKind::Runtime,
            is_dynamic: false,
        })
    }

    /// Reads the clock.
    ///
    /// # Errors
    /// EINVAL for a clock without a device.
    pub fn read(&self) -> Result<u64, Errno> {
        match self {
            Self::Alarm | Self::Nobodys | Self::Device => Err(Errno::EINVAL),
            _ => Ok(self.now_ns()),
        }
    }

    /// Reads the clock; 0 for one without a device.
    pub(crate) fn now_ns(&self) -> u64 {
        match self {
            Self::Real(RealClock::Settable) => vfs::clock::realtime_ns(),
            Self::ReadOnly(base, step_ns) => {
                // Real time moves on when monotonic time does, and is set at once. Its own rate counts from tick to tick
                // too: by what it has lost since the tick it would run back.
                let now = now_ns();
                let stepped = now - now % step_ns;
                match base {
                    Base::Monotonic => stepped,
                    Base::Real => vfs::clock::realtime_at(stepped),
                }
            }
            Self::Real(RealClock::Atomic) => vfs::clock::realtime_ns().wrapping_add(tai_offset_ns()),
            Self::Monotonic => now_ns(),
            Self::Alarm | Self::Nobodys | Self::Device => 0,
            Self::Cpu(clock) => clock.now_ns(),
        }
    }

    /// Returns the resolution.
    ///
    /// # Errors
    /// EINVAL for a clock without a device.
    pub fn resolution_ns(&self) -> Result<u64, Errno> {
        match self {
            Self::Real(_) | Self::Monotonic => Ok(1),
            Self::ReadOnly(_, resolution) => Ok(*resolution),
            Self::Alarm | Self::Nobodys | Self::Device => Err(Errno::EINVAL),
            Self::Cpu(clock) if clock.kind == CpuKind::Runtime => Ok(1),
            Self::Cpu(_) => Ok(TICK_NS),
        }
    }

    /// Checks that timers can go by clocks of this kind.
    ///
    /// # Errors
    /// EOPNOTSUPP.
    pub fn check_timers(&self) -> Result<(), Errno> {
        match self {
            Self::ReadOnly(..) | Self::Alarm | Self::Device => Err(Errno::EOPNOTSUPP),
            Self::Real(_) | Self::Monotonic | Self::Cpu(_) | Self::Nobodys => Ok(()),
        }
    }

    /// Checks that threads can sleep by clocks of this kind.
    ///
    /// # Errors
    /// EOPNOTSUPP.
    pub fn check_sleep(&self) -> Result<(), Errno> {
        self.check_timers()?;
        match self {
            Self::Cpu(clock) if !clock.is_dynamic && matches!(clock.target, CpuTarget::Thread(_)) => {
                Err(Errno::EOPNOTSUPP)
            }
            _ => Ok(()),
        }
    }

    /// Checks that this thread can sleep by this clock, which it cannot by its own processor time.
    ///
    /// # Errors
    /// EINVAL.
    pub fn check_sleeper(&self, ctx: &Context<'_>) -> Result<(), Errno> {
        match self {
            Self::Cpu(CpuClock {
                target: CpuTarget::Thread(thread),
                ..
            }) if Arc::ptr_eq(thread, ctx.thread) => Err(Errno::EINVAL),
            _ => self.check_somebodys(),
        }
    }

    /// Checks that the clock counts the time of somebody who is there.
    ///
    /// # Errors
    /// EINVAL.
    pub fn check_somebodys(&self) -> Result<(), Errno> {
        match self {
            Self::Nobodys => Err(Errno::EINVAL),
            _ => Ok(()),
        }
    }

    /// Returns the monotonic time at which the clock will show `time_ns`, unless it is set; `None` for
    /// processor time.
    pub(crate) fn to_monotonic(&self, time_ns: u64) -> Option<u64> {
        match self {
            Self::Real(clock) => Some(clock.to_monotonic(time_ns)),
            Self::Monotonic | Self::ReadOnly(..) | Self::Alarm => Some(time_ns),
            Self::Cpu(_) | Self::Nobodys | Self::Device => None,
        }
    }

    /// Returns the process whose running moves the clock on.
    pub(crate) fn cpu_process(&self) -> Option<&Arc<Process>> {
        match self {
            Self::Cpu(clock) => Some(clock.process()),
            _ => None,
        }
    }
}

impl RealClock {
    /// Returns the monotonic time at which the clock will show `time_ns`, unless it is set.
    fn to_monotonic(self, time_ns: u64) -> u64 {
        let ahead_ns = match self {
            Self::Settable => 0,
            Self::Atomic => tai_offset_ns(),
        };
        time_ns.saturating_sub(vfs::clock::realtime_offset_ns().wrapping_add(ahead_ns))
    }
}

impl CpuClock {
    /// Reports whether the program named the clock by a number of its own.
    pub fn is_dynamic(&self) -> bool {
        self.is_dynamic
    }

    fn find(ctx: &Context<'_>, number: i32) -> Result<Self, Errno> {
        let kind = match number & KIND_MASK {
            0 => CpuKind::Profiling,
            1 => CpuKind::User,
            2 => CpuKind::Runtime,
            _ => return Err(Errno::EINVAL),
        };
        let task = (!(number >> KIND_BITS)).cast_unsigned();
        let target = if number & PER_THREAD != 0 {
            let thread = match task {
                0 => Some(ctx.thread.clone()),
                _ => pid::thread(task).filter(|thread| Arc::ptr_eq(thread.process(), ctx.process)),
            };
            CpuTarget::Thread(thread.ok_or(Errno::EINVAL)?)
        } else {
            let process = match task {
                0 => Some(ctx.process.clone()),
                _ if task == ctx.thread.tid() => Some(ctx.process.clone()),
                _ => pid::process(task),
            };
            CpuTarget::Process(process.ok_or(Errno::EINVAL)?)
        };
        Ok(Self {
            target,
            kind,
            is_dynamic: true,
        })
    }

    fn now_ns(&self) -> u64 {
        let usage = match &self.target {
            CpuTarget::Process(process) => process.counters(),
            CpuTarget::Thread(thread) => thread.counters(),
        };
        match self.kind {
            CpuKind::Runtime | CpuKind::Profiling => usage.runtime_ns,
            CpuKind::User => usage.times().user_ns,
        }
    }

    fn process(&self) -> &Arc<Process> {
        match &self.target {
            CpuTarget::Process(process) => process,
            CpuTarget::Thread(thread) => thread.process(),
        }
    }
}

/// When a wait ends by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deadline {
    /// At a monotonic time.
    Monotonic(u64),
    /// At a real time, which may be set meanwhile.
    Real(u64),
}

impl Deadline {
    /// Returns the monotonic time at which it is over, unless real time is set.
    pub(crate) fn monotonic_ns(self) -> u64 {
        match self {
            Self::Monotonic(time_ns) => time_ns,
            Self::Real(time_ns) => time_ns.saturating_sub(vfs::clock::realtime_offset_ns()),
        }
    }
}

/// Returns atomic time minus real time, as a number that wraps.
fn tai_offset_ns() -> u64 {
    let seconds = i64::from(vfs::clock::tai_offset_seconds());
    (seconds * NSEC_PER_SEC).cast_unsigned()
}

/// Sets atomic time's distance from real time; what waits for a point of it looks anew.
pub fn set_tai_offset_seconds(seconds: i32) {
    vfs::clock::set_tai_offset_seconds(seconds);
    tell_sleepers();
}

/// Lets what waits for a point of real or atomic time look anew.
fn tell_sleepers() {
    SETTINGS.fetch_add(1, Ordering::SeqCst);
    followers().wake_all();
    posix_timer::clock_was_set();
    futex::clock_was_set();
}

/// How often real time was set.
static SETTINGS: AtomicU64 = AtomicU64::new(0);
/// Where those wait who go by points of real time: sleepers, and timers that are files.
static FOLLOWERS: Once<Arc<WaitQueue>> = Once::new();

fn followers() -> &'static Arc<WaitQueue> {
    FOLLOWERS.call_once(|| Arc::new(WaitQueue::new()))
}

/// Has something told whenever real time is set, as long as the waiter lives.
///
/// # Errors
/// ENOMEM.
pub(crate) fn watch_settings(watcher: ThreadHandle) -> Result<Waiter, Errno> {
    let mut waiter = Waiter::for_thread(watcher);
    waiter.register(followers())?;
    Ok(waiter)
}

/// Sets real time; what waits for a point of it looks anew.
pub fn set_realtime_ns(time_ns: u64) {
    vfs::clock::set_realtime_ns(time_ns);
    tell_sleepers();
}

/// Sleeps until real or atomic time has reached a point.
///
/// # Errors
/// `Interrupted`.
pub(crate) fn sleep_until_realtime(clock: RealClock, time_ns: u64) -> Result<(), sync::WaitError> {
    loop {
        let seen = SETTINGS.load(Ordering::SeqCst);
        let deadline_ns = clock.to_monotonic(time_ns);
        let was_set = || (SETTINGS.load(Ordering::SeqCst) != seen).then_some(());
        match followers().wait_interruptible(Some(deadline_ns), was_set) {
            Ok(()) => {}
            Err(sync::WaitError::TimedOut) => return Ok(()),
            Err(interrupted) => return Err(interrupted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn coarse_real_time_does_not_run_back_while_it_is_slowed_down() {
        mm::testing::start();
        let _turn = testing::clock_turn();
        vfs::clock::set_gain(-(1 << 28));
        let clock = Clock::ReadOnly(Base::Real, COARSE_NS);
        let end_ns = now_ns() + 3 * COARSE_NS;
        let mut shown = clock.now_ns();
        let mut is_sorted = true;
        while now_ns() < end_ns {
            let next = clock.now_ns();
            is_sorted &= next >= shown;
            shown = next;
        }
        vfs::clock::set_gain(0);
        assert!(is_sorted);
    }
}
