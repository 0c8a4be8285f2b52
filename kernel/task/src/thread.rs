//! The thread: what is scheduled, with the kernel stack, signal mask and registers that are its own.

use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use bitflags::bitflags;
use los_abi::errno::Errno;
use los_abi::signal::SigSet;
use los_arch::hal::prelude::{Cpu, Traps};
use los_arch::hal::trap::FaultRecord;
use los_arch::{Current, TrapFrame, UserState};
use mm::AddressSpace;
use sync::{KernelContext, Rank, SpinLock, Unpark, Use};
use vfs::Credentials;

use crate::accounting::{ThreadAccounting, Usage};
use crate::attributes::ThreadAttributes;
use crate::context::Context;
use crate::fd_table::FdTable;
use crate::fs_sharing::FsUse;
use crate::futex::FutexState;
use crate::pid::Pid;
use crate::pidfd::{self, Watch};
use crate::process::Process;
use crate::process_limit;
use crate::rseq::RseqState;
use crate::sched::{self, Entity, Schedule};
use crate::signal::birth::BirthSignals;
use crate::signal::pending::PendingQueue;
use crate::signal::stack::AlternateStack;
use crate::timer::{self, Expire, Timer};
use crate::user_count::Share;

pub use crate::name::{NAME_MAX, Name};

mod resources;

pub(crate) use resources::Resources;

bitflags! {
    /// Reasons for which a thread does not go straight back to user mode.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Work: u32 {
        /// A signal may be deliverable, or the process stops.
        const SIGNAL = 1 << 0;
        /// The thread must die.
        const EXIT = 1 << 1;
        /// Memory, files or credentials were replaced: the context must be filled anew.
        const REFRESH = 1 << 2;
        /// The time slice is over.
        const RESCHEDULE = 1 << 3;
        /// A temporary signal mask (sigsuspend, ppoll) must be undone.
        const RESTORE_MASK = 1 << 4;
        /// The thread has a registered area and another one has run in between (rseq(2)).
        const RSEQ = 1 << 5;
    }
}

/// What a restarted call does: stored by the call that was interrupted, run by `restart_syscall`.
pub type RestartBlock = Box<dyn FnOnce(&Context<'_>) -> sync::Result<usize> + Send>;

/// What a kernel thread runs.
pub type KernelMain = Box<dyn FnOnce() + Send>;

/// A flow of control.
pub struct Thread {
    this: Weak<Thread>,
    tid: AtomicU32,
    process: Arc<Process>,
    name: SpinLock<Name>,
    work: AtomicU32,
    /// Blocked signals; changed by the thread itself only.
    pub(crate) mask: AtomicU64,
    /// Signals that the thread waits for in sigtimedwait, beside those in `mask`: not dropped if ignored.
    pub(crate) wait_mask: AtomicU64,
    /// The mask to restore after a call that replaced it for its duration.
    pub(crate) saved_mask: SpinLock<Option<SigSet>>,
    /// Signals sent to this thread and not yet taken.
    pub(crate) pending: PendingQueue,
    /// Signals for the child that the thread is making.
    pub(crate) birth_signals: BirthSignals,
    pub(crate) alternate_stack: SpinLock<AlternateStack>,
    pub(crate) restart: SpinLock<Option<RestartBlock>>,
    pub(crate) credentials: SpinLock<Arc<Credentials>>,
    share: SpinLock<Option<Share>>,
    pub(crate) resources: SpinLock<Resources>,
    pub(crate) context: Arc<KernelContext>,
    pub(crate) user_state: SpinLock<UserState>,
    pub(crate) entity: Entity,
    /// What the thread has used.
    pub accounting: ThreadAccounting,
    /// The registers of a thread that rests while its process is dumped.
    pub(crate) frame_at_rest: SpinLock<Option<Box<TrapFrame>>>,
    /// The last fault, for the saved state of signal handlers.
    fault: SpinLock<FaultRecord>,
    /// Whether the thread executes user code, for the timer interrupt.
    pub(crate) in_user: AtomicBool,
    /// Whether the thread ever runs user code.
    pub(crate) is_user: AtomicBool,
    /// Ends a timed park.
    pub(crate) sleep_timer: Timer,
    /// Where to store 0 and wake a futex when the thread dies (set_tid_address(2)).
    pub clear_child_tid: AtomicU64,
    /// Head of the list of robust futexes (set_robust_list(2)).
    pub robust_list: AtomicU64,
    /// The parent that waits in vfork(2) for this thread to exec or exit.
    pub(crate) vfork_parent: SpinLock<Option<Arc<crate::clone::VforkDone>>>,
    pub(crate) futex: FutexState,
    pub(crate) rseq: RseqState,
    /// What the thread runs, until it starts.
    pub(crate) start: SpinLock<Option<KernelMain>>,
    /// What the thread has set for itself and its children.
    pub attributes: ThreadAttributes,
    /// Who holds a descriptor of the thread.
    pub(crate) watch: Watch,
    /// Whether the thread has ended.
    is_gone: AtomicBool,
    /// Number of the signal that the parent's death sends (PR_SET_PDEATHSIG).
    pub parent_death_signal: AtomicU32,
}

/// A register that programs use to find what belongs to the thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ThreadPointer {
    /// FS base, TPIDR_EL0.
    First,
    /// GS base; nothing on machines with one only.
    Second,
}

/// What a new thread starts from.
pub(crate) struct NewThread {
    pub(crate) tid: Pid,
    pub(crate) process: Arc<Process>,
    pub(crate) name: Name,
    pub(crate) mask: SigSet,
    pub(crate) credentials: Arc<Credentials>,
    /// What it counts by in its user's threads; nothing for the kernel's.
    pub(crate) share: Option<Share>,
    pub(crate) files: Option<Use<FdTable>>,
    pub(crate) fs: Option<FsUse>,
    pub(crate) user_state: UserState,
    pub(crate) is_user: bool,
}

impl Thread {
    /// Makes a thread that starts in `main` on a stack of its own, not yet runnable.
    ///
    /// # Errors
    /// ENOMEM.
    pub(crate) fn new(new: NewThread, main: KernelMain) -> Result<Arc<Self>, Errno> {
        if !mm::frames::headroom() {
            return Err(Errno::ENOMEM);
        }
        let stack = mm::kernel_space::allocate_stack()?;
        let context = Arc::new(KernelContext::new(Box::new(stack), sched::thread_main));
        let slot = timer::reserve()?;
        sched::reserve_thread()?;
        Ok(Self::assemble(new, context, slot, Some(main)))
    }

    /// Makes the thread of what this CPU runs already: its idle thread.
    pub(crate) fn adopt(new: NewThread) -> Result<Arc<Self>, Errno> {
        let slot = timer::reserve()?;
        sched::reserve_thread()?;
        Ok(Self::assemble(new, KernelContext::adopt(), slot, None))
    }

    fn assemble(
        new: NewThread,
        context: Arc<KernelContext>,
        slot: timer::Reservation,
        main: Option<KernelMain>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|this: &Weak<Self>| Self {
            this: this.clone(),
            tid: AtomicU32::new(new.tid),
            process: new.process,
            name: SpinLock::new(Rank::Thread, new.name),
            work: AtomicU32::new(0),
            mask: AtomicU64::new(new.mask.0),
            wait_mask: AtomicU64::new(0),
            saved_mask: SpinLock::new(Rank::Thread, None),
            pending: PendingQueue::new(),
            birth_signals: BirthSignals::new(),
            alternate_stack: SpinLock::new(Rank::Thread, AlternateStack::DISABLED),
            restart: SpinLock::new(Rank::Thread, None),
            credentials: SpinLock::new(Rank::Thread, new.credentials),
            share: SpinLock::new(Rank::Thread, new.share),
            resources: SpinLock::new(
                Rank::Thread,
                Resources {
                    files: new.files,
                    fs: new.fs,
                },
            ),
            context,
            user_state: SpinLock::new(Rank::UserState, new.user_state),
            entity: Entity::new(),
            accounting: ThreadAccounting::new(),
            frame_at_rest: SpinLock::new(Rank::Thread, None),
            fault: SpinLock::new(Rank::Thread, FaultRecord::default()),
            in_user: AtomicBool::new(false),
            is_user: AtomicBool::new(new.is_user),
            sleep_timer: Timer::new(slot, this.clone()),
            clear_child_tid: AtomicU64::new(0),
            robust_list: AtomicU64::new(0),
            futex: FutexState::new(),
            rseq: RseqState::default(),
            vfork_parent: SpinLock::new(Rank::Thread, None),
            start: SpinLock::new(Rank::Thread, main),
            attributes: ThreadAttributes::new(),
            watch: Watch::new(),
            is_gone: AtomicBool::new(false),
            parent_death_signal: AtomicU32::new(0),
        })
    }

    /// Returns the thread's number. It changes only when execve makes a thread the leader.
    #[inline]
    pub fn tid(&self) -> Pid {
        self.tid.load(Ordering::Relaxed)
    }

    pub(crate) fn set_tid(&self, tid: Pid) {
        self.tid.store(tid, Ordering::Relaxed);
    }

    /// Returns the thread group.
    #[inline]
    pub fn process(&self) -> &Arc<Process> {
        &self.process
    }

    /// Returns the name, as in `/proc/PID/comm`.
    pub fn name(&self) -> Name {
        *self.name.lock()
    }

    /// Sets the name; bytes beyond [`NAME_MAX`] are dropped.
    pub fn set_name(&self, name: &[u8]) {
        *self.name.lock() = Name::new(name);
    }

    /// Returns who the thread acts as.
    pub fn credentials(&self) -> Arc<Credentials> {
        self.credentials.lock().clone()
    }

    /// Changes who the thread acts as. Called by the thread itself.
    pub fn set_credentials(&self, credentials: Arc<Credentials>) {
        let uid = credentials.uid;
        let old = core::mem::replace(&mut *self.credentials.lock(), credentials);
        if old.uid != uid {
            let counted = process_limit::count_for(uid);
            let before = core::mem::replace(&mut *self.share.lock(), counted);
            drop(before);
        }
        self.add_work(Work::REFRESH);
    }

    /// Takes what the thread counts by in its user's threads.
    pub(crate) fn take_share(&self) -> Option<Share> {
        self.share.lock().take()
    }

    /// Returns the memory of the thread's process.
    pub fn memory(&self) -> Option<Arc<AddressSpace>> {
        self.process.memory()
    }

    /// Returns the pending work.
    #[inline]
    pub(crate) fn work(&self) -> Work {
        Work::from_bits_retain(self.work.load(Ordering::Relaxed))
    }

    /// Adds work to do before user code goes on, and returns what there was.
    pub(crate) fn add_work(&self, work: Work) -> Work {
        Work::from_bits_retain(self.work.fetch_or(work.bits(), Ordering::SeqCst))
    }

    pub(crate) fn remove_work(&self, work: Work) {
        self.work.fetch_and(!work.bits(), Ordering::SeqCst);
    }

    /// Reports whether an interruptible wait of this thread must end.
    pub fn is_interrupted(&self) -> bool {
        self.work().intersects(Work::SIGNAL | Work::EXIT)
    }

    /// Reports whether the thread is to die.
    pub(crate) fn is_killed(&self) -> bool {
        self.work().contains(Work::EXIT)
    }

    /// Stores what `restart_syscall` is to do, for a call that returns `Restart::Block`.
    pub fn set_restart(&self, block: RestartBlock) {
        *self.restart.lock() = Some(block);
    }

    /// Takes what `restart_syscall` is to do.
    pub fn take_restart(&self) -> Option<RestartBlock> {
        self.restart.lock().take()
    }

    /// Changes the user registers outside of the frame (FP, thread pointers). Called by the thread itself.
    pub fn with_user_state<R>(&self, change: impl FnOnce(&mut UserState) -> R) -> R {
        let mut state = self.user_state.lock();
        Current::save_user_state(&mut state);
        let result = change(&mut state);
        Current::load_user_state(&state);
        result
    }

    /// Returns a thread pointer. Called by the thread itself.
    pub fn pointer(&self, which: ThreadPointer) -> u64 {
        self.with_saved_user_state(|state| match which {
            ThreadPointer::First => Current::thread_pointer(state),
            ThreadPointer::Second => Current::second_thread_pointer(state),
        })
    }

    /// Sets a thread pointer; false when the machine refuses the address. Called by the thread itself.
    pub fn set_pointer(&self, which: ThreadPointer, address: u64) -> bool {
        self.with_user_state(|state| match which {
            ThreadPointer::First => Current::set_thread_pointer(state, address),
            ThreadPointer::Second => Current::set_second_thread_pointer(state, address),
        })
    }

    /// Reports whether the program may read the cycle counter. Called by the thread itself.
    pub fn reads_counter(&self) -> bool {
        self.with_saved_user_state(Current::reads_counter)
    }

    /// Sets whether the program may read the cycle counter. Called by the thread itself.
    pub fn set_reads_counter(&self, allowed: bool) {
        self.with_user_state(|state| Current::set_reads_counter(state, allowed));
    }

    /// Shows the user registers outside of the frame. Called by the thread itself.
    pub(crate) fn with_saved_user_state<R>(&self, look: impl FnOnce(&UserState) -> R) -> R {
        let mut state = self.user_state.lock();
        Current::save_user_state(&mut state);
        look(&state)
    }

    /// Gives a handler the user registers outside of the frame that it starts with. Called by the thread
    /// itself, after [`Self::with_saved_user_state`].
    pub(crate) fn begin_handler(&self) {
        let mut state = self.user_state.lock();
        if Current::begin_handler(&mut state) {
            Current::load_user_state(&state);
        }
    }

    /// Remembers a fault, for the saved state of signal handlers.
    pub(crate) fn note_fault(&self, record: FaultRecord) {
        let mut last = self.fault.lock();
        *last = last.followed_by(record);
    }

    /// Returns the last fault.
    pub(crate) fn last_fault(&self) -> FaultRecord {
        *self.fault.lock()
    }

    /// Returns a copy of the user registers outside of the frame. Called by the thread itself.
    pub(crate) fn save_user_state(&self) -> UserState {
        let mut state = self.user_state.lock();
        Current::save_user_state(&mut state);
        UserState::clone(&state)
    }

    /// Returns the signals sent to this thread and not yet taken.
    pub fn pending(&self) -> SigSet {
        self.pending.members()
    }

    /// Returns the letter of /proc/PID/task/TID/stat.
    pub fn state(&self) -> char {
        match sched::state_letter(self) {
            // A thread that waits to go on after SIGSTOP is parked like any other.
            'S' if self.process.stop.is_stopped() => 'T',
            letter => letter,
        }
    }

    /// Reports whether this is the thread that gave its process the number.
    pub fn is_leader(&self) -> bool {
        self.tid() == self.process.pid()
    }

    /// Reports whether the thread has ended.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::SeqCst)
    }

    /// Notes that the thread has ended, and tells who holds a descriptor of it.
    pub(crate) fn end(&self) {
        self.is_gone.store(true, Ordering::SeqCst);
        pidfd::tell_reaped(&self.watch);
    }

    /// Wakes the thread so that it looks at its work.
    pub(crate) fn kick(&self) {
        sched::unpark(self);
    }

    /// Lets a parent go on that waits in vfork(2).
    pub(crate) fn end_vfork(&self) {
        let parent = self.vfork_parent.lock().take();
        if let Some(parent) = parent {
            parent.finish();
        }
    }

    /// Returns what the thread has used.
    pub fn counters(&self) -> Usage {
        sched::charge_current();
        self.accounting.usage()
    }

    /// Returns the nice value.
    pub fn nice(&self) -> i32 {
        self.entity.nice()
    }

    /// Returns policy, priority and nice value.
    pub fn schedule(&self) -> Schedule {
        self.entity.schedule()
    }

    /// Returns the real-time priority in force, with what those give who wait for the thread's locks; 0 for none.
    pub fn priority_in_force(&self) -> u32 {
        self.entity.priority()
    }

    /// Returns the CPUs that the thread may run on, one bit each.
    pub fn affinity(&self) -> u64 {
        self.entity.affinity() & sched::cpu_mask()
    }

    /// Returns the counted form of a thread that still exists.
    pub(crate) fn this(&self) -> Option<Arc<Self>> {
        self.this.upgrade()
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        sched::release_thread();
    }
}

impl Unpark for Thread {
    fn unpark(&self) {
        sched::unpark(self);
    }
}

impl Expire for Thread {
    fn expired(&self, _now_ns: u64) {
        self.unpark();
    }
}

impl core::fmt::Debug for Thread {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Thread({} {})", self.tid(), self.name())
    }
}
