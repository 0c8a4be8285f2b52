//! POSIX timers of a process: timer_create(2) and its family. One timer is in [`timer`].

mod timer;

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};

use los_abi::errno::Errno;
use los_abi::resource::RLIMIT_SIGPENDING;
use los_abi::signal::{SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD, SIGEV_THREAD_ID, SigEvent, Signal};
use sync::{Rank, SpinLock, WaitError};

use crate::clock::Clock;
use crate::context::Context;
use crate::itimer::Setting;
use crate::pid;
use crate::process::Process;
use crate::signal::quota::{Allowance, Charge};

pub(crate) use timer::PosixTimer;
use timer::{Notify, Receiver, Wakeup};

/// The POSIX timers that a process has made.
pub(crate) struct PosixTimers {
    table: SpinLock<Table>,
}

#[derive(Default)]
struct Table {
    next_id: i32,
    timers: Vec<Arc<PosixTimer>>,
}

/// The timers that go by the processor time of a process or its threads, whoever made them.
pub(crate) struct CpuTimers {
    /// Number of entries, so that most ticks take no lock.
    count: AtomicUsize,
    list: SpinLock<Vec<Weak<PosixTimer>>>,
}

/// Whether a time given to a timer or a sleep is a point of the clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// A duration.
    Relative,
    /// A point (`TIMER_ABSTIME`).
    Absolute,
}

impl PosixTimers {
    pub(crate) fn new() -> Self {
        Self {
            table: SpinLock::new(Rank::Process, Table::default()),
        }
    }

    /// Deletes all timers, as execve and the end of the process do.
    pub(crate) fn clear(&self) {
        loop {
            let Some(timer) = self.table.lock().timers.pop() else {
                return;
            };
            timer.retire();
        }
    }

    fn find(&self, id: i32) -> Result<Arc<PosixTimer>, Errno> {
        let table = self.table.lock();
        let found = table.timers.iter().find(|timer| timer.id() == id);
        found.cloned().ok_or(Errno::EINVAL)
    }

    fn get(&self, index: usize) -> Option<Arc<PosixTimer>> {
        self.table.lock().timers.get(index).cloned()
    }
}

impl CpuTimers {
    pub(crate) fn new() -> Self {
        Self {
            count: AtomicUsize::new(0),
            list: SpinLock::new(Rank::Process, Vec::new()),
        }
    }

    /// Lets the timers look whether they are due. Called in the interrupt.
    pub(crate) fn tick(&self) {
        for index in 0..self.count.load(Ordering::Relaxed) {
            let timer = self.list.lock().get(index).and_then(Weak::upgrade);
            if let Some(timer) = timer {
                timer.look();
            }
        }
    }

    fn add(&self, timer: &Arc<PosixTimer>) -> Result<(), Errno> {
        let mut list = self.list.lock();
        list.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        list.push(Arc::downgrade(timer));
        self.count.store(list.len(), Ordering::Relaxed);
        Ok(())
    }

    fn remove(&self, timer: &PosixTimer) {
        let mut list = self.list.lock();
        list.retain(|entry| !core::ptr::eq(entry.as_ptr(), timer));
        self.count.store(list.len(), Ordering::Relaxed);
    }
}

/// Makes a timer and returns its number: timer_create(2). Without an event it sends SIGALRM.
///
/// # Errors
/// EINVAL for an event that makes no sense; EOPNOTSUPP for a clock without timers; EAGAIN beyond
/// RLIMIT_SIGPENDING; ENOMEM.
pub fn create(ctx: &Context<'_>, clock: Clock, event: Option<&SigEvent>) -> Result<i32, Errno> {
    clock.check_timers()?;
    let process = ctx.process;
    let allowance = Allowance {
        uid: ctx.credentials().uid,
        limit: process.limits().soft(RLIMIT_SIGPENDING),
    };
    let charge = Charge::take(allowance).ok_or(Errno::EAGAIN)?;
    let id = {
        let mut table = process.posix_timers.table.lock();
        table.timers.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let id = table.next_id;
        table.next_id = id.checked_add(1).unwrap_or(0);
        id
    };
    let default = SigEvent {
        sigev_value: id.cast_unsigned().into(),
        sigev_signo: Signal::ALRM.number().cast_signed(),
        sigev_notify: SIGEV_SIGNAL,
        ..SigEvent::default()
    };
    let notify = notification(ctx, event.unwrap_or(&default))?;
    let timer = PosixTimer::new(id, clock, notify, Some(charge))?;
    if let Some(running) = timer.clock().cpu_process() {
        running.cpu_timers.add(&timer)?;
    }
    let mut table = process.posix_timers.table.lock();
    if table.timers.try_reserve(1).is_err() {
        drop(table);
        timer.retire();
        return Err(Errno::ENOMEM);
    }
    table.timers.push(timer);
    Ok(id)
}

/// Reads how a timer tells of its expiry.
fn notification(ctx: &Context<'_>, event: &SigEvent) -> Result<Notify, Errno> {
    let receiver = match event.sigev_notify {
        SIGEV_NONE => return Ok(Notify::Nobody),
        SIGEV_SIGNAL | SIGEV_THREAD => Receiver::Process(Arc::downgrade(ctx.process)),
        SIGEV_THREAD_ID => {
            let thread = pid::thread(event.sigev_notify_thread_id.cast_unsigned());
            let ours = thread.filter(|thread| Arc::ptr_eq(thread.process(), ctx.process));
            Receiver::Thread(Arc::downgrade(&ours.ok_or(Errno::EINVAL)?))
        }
        _ => return Err(Errno::EINVAL),
    };
    Ok(Notify::Signal {
        signal: Signal::new(event.sigev_signo.cast_unsigned()).ok_or(Errno::EINVAL)?,
        value: event.sigev_value,
        receiver,
    })
}

/// Sets a timer and returns its old setting: timer_settime(2).
///
/// # Errors
/// EINVAL for no such timer.
pub fn set(ctx: &Context<'_>, id: i32, start: Start, new: Setting) -> Result<Setting, Errno> {
    ctx.process.posix_timers.find(id)?.set(start, new)
}

/// Returns the setting of a timer: timer_gettime(2).
///
/// # Errors
/// EINVAL for no such timer.
pub fn get(ctx: &Context<'_>, id: i32) -> Result<Setting, Errno> {
    Ok(ctx.process.posix_timers.find(id)?.get())
}

/// Returns how many expiries the signal that was taken last stands for beside its own: timer_getoverrun(2).
///
/// # Errors
/// EINVAL for no such timer.
pub fn overrun(ctx: &Context<'_>, id: i32) -> Result<i32, Errno> {
    Ok(ctx.process.posix_timers.find(id)?.overrun())
}

/// Deletes a timer and its pending signal: timer_delete(2).
///
/// # Errors
/// EINVAL for no such timer.
pub fn delete(ctx: &Context<'_>, id: i32) -> Result<(), Errno> {
    let timer = {
        let mut table = ctx.process.posix_timers.table.lock();
        let index = table.timers.iter().position(|timer| timer.id() == id);
        table.timers.swap_remove(index.ok_or(Errno::EINVAL)?)
    };
    timer.retire();
    Ok(())
}

/// Lets the timers of real time look anew at the clock, which was set.
pub(crate) fn clock_was_set() {
    let mut next = 0;
    while let Some(process) = pid::next_process(next) {
        next = process.pid() + 1;
        let mut index = 0;
        while let Some(timer) = process.posix_timers.get(index) {
            timer.arm_again();
            index += 1;
        }
    }
}

/// Sleeps until a clock of processor time shows a time.
///
/// # Errors
/// `Interrupted`; `TimedOut` never. Without memory for a timer it returns at once.
pub(crate) fn sleep_until(clock: &Clock, time_ns: u64) -> Result<(), WaitError> {
    let Some(running) = clock.cpu_process() else {
        return Ok(());
    };
    // A process that has not run yet never would: its time does not pass while it sleeps.
    if clock.now_ns() >= time_ns {
        return Ok(());
    }
    let wakeup = Arc::new(Wakeup::new());
    let Ok(timer) = PosixTimer::new(0, clock.clone(), Notify::Sleeper(wakeup.clone()), None) else {
        return Ok(());
    };
    if running.cpu_timers.add(&timer).is_err() {
        return Ok(());
    }
    let setting = Setting {
        value_ns: time_ns,
        interval_ns: 0,
    };
    // Nobody else knows the timer.
    let _old = timer.set(Start::Absolute, setting);
    let outcome = wakeup.wait();
    timer.retire();
    outcome
}

/// Takes a timer out of the list of the process whose running drives it.
fn forget(running: &Process, timer: &PosixTimer) {
    running.cpu_timers.remove(timer);
}
