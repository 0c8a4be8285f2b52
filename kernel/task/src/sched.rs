//! The scheduler: one run queue a CPU, switching, parking, the timer tick and the idle loop.
//!
//! Threads with a deadline go first, the nearest before others (`earliest_deadline`), then real-time threads, by
//! priority (`real_time`); the others share what is left.
//! Each thread's virtual runtime advances with the time that it runs, the slower the higher its priority;
//! the runnable thread with the least goes next. A thread that wakes up starts a little before the others,
//! so interactive threads get in soon. Kernel code is not preempted: the interrupt leaves a note, and the
//! user loop reads it on the way back.

mod deadline;
mod earliest_deadline;
mod entity;
mod policy;
mod queue;
mod ready;
mod real_time;
mod served;

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use los_abi::errno::Errno;
use los_arch::Current;
use los_arch::hal::cpu::MAX_CPUS;
use los_arch::hal::prelude::{Cpu, Irq};
use mm::AddressSpace;
use sync::{KernelContext, Parker, PerCpu, Rank, SpinLock, ThreadHandle, now_ns};

use crate::accounting::{CpuTimes, Usage};
use crate::thread::{Thread, Work};
use crate::{accounting, job_control, limit_watch, timer};

use deadline::Bandwidth;
pub use deadline::Reservation;
pub(crate) use entity::Entity;
use entity::State;
pub use entity::{NICE_MAX, NICE_MIN};
pub use policy::{Policy, REAL_TIME_PRIORITY_MAX, Schedule, slice_ns};
use queue::RunQueue;

/// Time between looks at the running thread, and so the time slice.
pub(crate) const TICK_NS: u64 = 4_000_000;

static QUEUES: PerCpu<SpinLock<RunQueue>> =
    PerCpu::new([const { SpinLock::new(Rank::RunQueue, RunQueue::new()) }; MAX_CPUS]);

/// What threads with deadlines have reserved.
static BANDWIDTH: Bandwidth = Bandwidth::new();

/// The scheduler as waiting code sees it.
struct Scheduler;

impl Parker for Scheduler {
    fn current(&self) -> ThreadHandle {
        running_thread()
    }

    fn park(&self, deadline_ns: Option<u64>) {
        park(deadline_ns);
    }

    fn interrupted(&self) -> bool {
        QUEUES
            .current()
            .lock()
            .current
            .as_ref()
            .is_some_and(|thread| thread.is_interrupted())
    }

    fn give_way(&self) -> bool {
        let thread = running_thread();
        if thread.work().contains(Work::RESCHEDULE) {
            preempt();
        }
        !thread.is_killed()
    }
}

/// Makes the running code this CPU's idle thread; from now on waiting parks threads, and terminals know
/// process groups.
///
/// # Errors
/// ENOMEM.
pub fn init() -> Result<(), Errno> {
    let idle = crate::kernel_thread::adopt_idle()?;
    {
        let mut queue = QUEUES.current().lock();
        queue.idle = Some(idle.clone());
        queue.current = Some(idle);
        queue.switched_ns = now_ns();
    }
    sync::set_parker(&Scheduler);
    job_control::init();
    Ok(())
}

/// Returns the CPUs that threads run on, one bit each: the boot CPU, until others are started.
pub fn cpu_mask() -> u64 {
    1
}

/// Returns the number of the CPU that runs the caller.
pub fn cpu() -> u32 {
    Current::cpu_index() as u32
}

/// Returns the running thread; `None` before [`init`]. For code that no [`Context`](crate::Context) reaches.
pub fn current() -> Option<Arc<Thread>> {
    QUEUES.current().lock().current.clone()
}

fn running_thread() -> Arc<Thread> {
    current().expect("the scheduler runs before anything waits")
}

/// Runs other threads and halts when there are none, for ever. Called by the idle thread.
pub fn idle() -> ! {
    loop {
        Current::disable_interrupts();
        if QUEUES.current().lock().is_empty() {
            Current::wait_for_interrupt();
        } else {
            switch(Leave::Idle);
            Current::enable_interrupts();
        }
    }
}

/// Lets the other runnable threads go first.
pub fn yield_now() {
    if QUEUES.current().lock().has_reason_to_yield() {
        switch(Leave::Yield);
    }
}

/// Gives way because the interrupt asked for it.
pub(crate) fn preempt() {
    switch(Leave::Preempted);
}

/// Stops the running thread until it is unparked or the deadline has passed.
pub(crate) fn park(deadline_ns: Option<u64>) {
    let Some(deadline_ns) = deadline_ns else {
        switch(Leave::Park);
        return;
    };
    let thread = running_thread();
    thread.sleep_timer.arm(deadline_ns);
    switch(Leave::Park);
    thread.sleep_timer.disarm();
}

/// Leaves the running thread for the last time. The caller holds nothing that must be dropped.
pub(crate) fn exit_current() -> ! {
    switch(Leave::Exit);
    unreachable!("a dead thread was scheduled")
}

/// Makes a new thread runnable.
pub(crate) fn start(thread: &Arc<Thread>) {
    let mut queue = QUEUES.current().lock();
    queue.start(thread.clone());
}

/// Changes how a thread is scheduled.
///
/// # Errors
/// EBUSY when it would reserve more of the processor than there is; ESRCH when it has ended.
pub(crate) fn set_schedule(thread: &Arc<Thread>, schedule: Schedule) -> Result<(), Errno> {
    let mut queue = QUEUES.current().lock();
    if thread.entity.state() == State::Dead {
        return Err(Errno::ESRCH);
    }
    let cpus = u64::from(cpu_mask().count_ones());
    let old = thread.entity.served.bandwidth();
    BANDWIDTH.exchange(old, schedule.reservation.bandwidth(), cpus)?;
    queue.change(thread, schedule, now_ns());
    if let Some(event_ns) = queue.next_event_ns() {
        timer::program_before(event_ns);
    }
    Ok(())
}

/// Takes back what a thread that ends has reserved.
fn give_bandwidth_back(entity: &Entity) {
    // Less always fits.
    let _fits = BANDWIDTH.exchange(entity.served.bandwidth(), 0, 1);
    entity.served.set_reservation(&Reservation::default());
}

/// Returns the bandwidth that no thread has reserved, for each CPU.
fn free_bandwidth() -> u64 {
    let cpus = u64::from(cpu_mask().count_ones());
    BANDWIDTH.free(cpus) / cpus.max(1)
}

/// Gives a thread the priority of the most urgent one that waits for its locks; 0 when nobody does.
pub(crate) fn inherit_priority(thread: &Arc<Thread>, priority: u32) {
    if thread.entity.inherited_priority() != priority {
        QUEUES.current().lock().inherit(thread, priority);
    }
}

/// Returns how long a thread of a policy runs before its like: nothing limits [`Policy::Fifo`].
pub fn turn_ns(policy: Policy) -> u64 {
    match policy {
        Policy::Fifo | Policy::Deadline => 0,
        Policy::RoundRobin => entity::ROUND_ROBIN_NS,
        _ => TICK_NS,
    }
}

/// Gives the thread its token, and makes it runnable if it is parked.
pub(crate) fn unpark(thread: &Thread) {
    let entity = &thread.entity;
    if entity.token.swap(true, Ordering::SeqCst) || entity.state() != State::Parked {
        return;
    }
    let Some(thread) = thread.this() else { return };
    let entity = &thread.entity;
    let mut queue = QUEUES.current().lock();
    if entity.claim_parked() {
        entity.token.store(false, Ordering::SeqCst);
        queue.wake(thread.clone());
        if entity.has_deadline()
            && let Some(event_ns) = queue.next_event_ns()
        {
            timer::program_before(event_ns);
        }
    }
}

/// Room in the run queues for one more thread.
///
/// # Errors
/// ENOMEM.
pub(crate) fn reserve_thread() -> Result<(), Errno> {
    QUEUES.current().lock().reserve_thread()
}

/// Takes back the room of a thread that is gone.
pub(crate) fn release_thread() {
    QUEUES.current().lock().release_thread();
}

/// Acts on the timer interrupt: runs due timers, charges the tick, ends a time slice.
pub fn timer_interrupt() {
    let now = now_ns();
    timer::run_due(now);
    let mut queue = QUEUES.current().lock();
    let Some(thread) = queue.current.clone() else {
        return;
    };
    queue.look_at_deadlines(now);
    if let Some(event_ns) = queue.next_event_ns() {
        timer::program_before(event_ns);
    }
    accounting::sample_load(now, queue.runnable());
    if queue.is_idle(&thread) {
        return;
    }
    let elapsed_ns = now.saturating_sub(queue.ticked_ns);
    if elapsed_ns < TICK_NS {
        // A timer in between, or the end of a slice of the thread's own.
        let mut next_ns = queue.ticked_ns + TICK_NS;
        if thread.entity.slice_left_ns().is_some() {
            queue.charge(now);
            queue.tick(&thread, now);
            next_ns = next_ns.min(now + slice_left_ns(&thread));
        }
        drop(queue);
        timer::program_before(next_ns);
        limit_watch::tell_overrun(&thread);
        return;
    }
    queue.ticked_ns = now;
    queue.charge(now);
    queue.tick(&thread, now);
    let in_user = thread.in_user.load(Ordering::Relaxed);
    queue.ticks[usize::from(!in_user)] += 1;
    drop(queue);
    thread.accounting.tick(in_user);
    // Before this tick the CPU may have been idle for long.
    let ticked_ns = elapsed_ns.min(2 * TICK_NS);
    thread.process().timers.tick(&thread, in_user, ticked_ns);
    thread.process().cpu_timers.tick();
    limit_watch::tick(&thread);
    limit_watch::tell_overrun(&thread);
    timer::program_before(now + slice_left_ns(&thread));
}

/// Returns how long a thread may run until the next look at it.
fn slice_left_ns(thread: &Thread) -> u64 {
    match thread.entity.slice_left_ns() {
        Some(left_ns) if left_ns > 0 => left_ns.min(TICK_NS),
        _ => TICK_NS,
    }
}

/// Acts on another CPU's wish that this one looks at its run queue.
pub fn reschedule_interrupt() {
    if let Some(thread) = &QUEUES.current().lock().current {
        thread.add_work(Work::RESCHEDULE);
    }
}

/// Brings the running thread's run time up to now.
pub(crate) fn charge_current() {
    QUEUES.current().lock().charge(now_ns());
}

/// Returns the number of threads that run or could run.
pub fn runnable_count() -> usize {
    QUEUES.iter().map(|queue| queue.lock().runnable()).sum()
}

/// Returns time that this kernel's CPUs were idle, in nanoseconds.
pub fn idle_ns() -> u64 {
    charge_current();
    QUEUES
        .iter()
        .filter_map(|queue| queue.lock().idle.clone())
        .map(|idle| idle.accounting.runtime_ns())
        .sum()
}

/// How a CPU has spent its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CpuLoad {
    /// Time with something to do, divided as the ticks found it.
    pub busy: CpuTimes,
    /// Time with nothing to do.
    pub idle_ns: u64,
}

/// Calls `visit` with the number and the load of every CPU that schedules threads.
pub fn for_each_cpu(visit: &mut dyn FnMut(usize, CpuLoad)) {
    charge_current();
    let now = now_ns();
    for (index, queue) in QUEUES.iter().enumerate() {
        let (idle, ticks) = {
            let queue = queue.lock();
            (queue.idle.clone(), queue.ticks)
        };
        let Some(idle) = idle else { continue };
        let idle_ns = idle.accounting.runtime_ns();
        let busy = Usage {
            runtime_ns: now.saturating_sub(idle_ns),
            user_ticks: ticks[0],
            system_ticks: ticks[1],
            ..Usage::default()
        };
        visit(
            index,
            CpuLoad {
                busy: busy.times(),
                idle_ns,
            },
        );
    }
}

/// Returns the number of context switches since boot.
pub fn switch_count() -> u64 {
    QUEUES.iter().map(|queue| queue.lock().switches).sum()
}

/// Returns the letter of /proc/PID/stat for a living thread.
pub fn state_letter(thread: &Thread) -> char {
    match thread.entity.state() {
        State::Runnable => 'R',
        State::Parked if thread.process().is_kernel() => 'I',
        State::Parked => 'S',
        State::Dead => 'X',
    }
}

/// First code of every thread but the idle ones.
pub(crate) fn thread_main() -> ! {
    Current::enable_interrupts();
    let main = running_thread().start.lock().take();
    if let Some(main) = main {
        main();
    }
    exit_current()
}

/// Makes an address space the active one of this CPU.
pub(crate) fn activate(memory: &Arc<AddressSpace>) {
    QUEUES.current().lock().active_space = Arc::as_ptr(memory).addr();
    memory.activate();
}

/// Leaves this CPU without user memory, so that a dying process frees its own now.
pub(crate) fn deactivate() {
    QUEUES.current().lock().active_space = 0;
    AddressSpace::deactivate();
}

/// Forgets that the processor holds the registers of the running thread, which is about to die.
pub(crate) fn disown_user_registers() {
    let owner = QUEUES.current().lock().register_owner.take();
    drop(owner);
}

/// Why the running thread gives up its CPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Leave {
    Idle,
    Yield,
    Preempted,
    Park,
    Exit,
}

/// Switches to the thread that should run now, and returns when the calling one does again.
fn switch(leave: Leave) {
    let interrupts_were_enabled = Current::disable_interrupts();
    let next = choose(leave);
    if let Some(next) = next {
        KernelContext::switch_to(next);
    }
    if interrupts_were_enabled {
        Current::enable_interrupts();
    }
}

/// Puts the running thread where it belongs and makes another one current; `None` if it is the same.
fn choose(leave: Leave) -> Option<Arc<KernelContext>> {
    let now = now_ns();
    let mut queue = QUEUES.current().lock();
    let previous = queue.current.take()?;
    queue.charge_thread(&previous, now);
    if !queue.leave(&previous, leave) {
        queue.current = Some(previous);
        return None;
    }
    let next = queue.pick(now);
    next.entity.renew_slice();
    if Arc::ptr_eq(&previous, &next) {
        queue.current = Some(next);
        return None;
    }
    if previous.rseq.is_registered() {
        previous.add_work(Work::RSEQ);
    }
    let context = next.context.clone();
    if next.is_user.load(Ordering::Relaxed) {
        queue.load_user_registers(&next);
        // The hardware is asked only if it would fire later than the slice ends.
        timer::program_before(now + slice_left_ns(&next));
    }
    if next.entity.has_deadline() {
        timer::program_before(next.entity.served.budget().end_ns(now));
    }
    let process = queue.process_to_activate(&next);
    queue.switches += 1;
    queue.current = Some(next);
    drop(queue);
    if let Some(memory) = process.and_then(|process| process.memory()) {
        memory.activate();
    }
    // The last reference of a dying thread goes here, when nothing is locked any more.
    drop(previous);
    Some(context)
}
