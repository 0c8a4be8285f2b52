//! The process: a thread group with what its threads share, from birth until it is waited for.

pub mod description;
mod image;
mod threads;
mod turnover;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use los_abi::errno::Errno;
use los_abi::resource::Rlimit64;
use los_abi::signal::SigSet;
use mm::AddressSpace;
use sync::{Mutex, Rank, SpinLock, Use, WaitQueue, now_ns};
use vfs::{Credentials, OpenFile, Path};

use crate::accounting::{CpuTimes, Usage};
use crate::core_dump::{Dumpable, Filter, Rendezvous};
use crate::fd_table::FdTable;
use crate::fs_sharing::SharedFs;
use crate::itimer::IntervalTimers;
use crate::name::Name;
use crate::pid::{self, Pid};
use crate::pidfd::Watch;
use crate::posix_timer::{CpuTimers, PosixTimers};
use crate::rlimit::{Limits, RaiseHard};
use crate::sched;
use crate::signal::actions::SignalActions;
use crate::signal::file::Readers;
use crate::signal::pending::PendingQueue;
use crate::signal::stop::StopState;
use crate::thread::{Thread, Work};
use crate::user_count::Share;

pub use image::Image;
pub(crate) use threads::ThreadList;
use turnover::Turnover;

/// A thread group. `Arc`-ed; in the [`pid`] table until it is reaped.
pub struct Process {
    pid: Pid,
    is_kernel: bool,
    start_ns: u64,
    // Mirrors of the family table, for reading without its lock.
    pub(crate) parent: AtomicU32,
    /// The thread of the parent whose child this is: its death counts, and __WNOTHREAD asks for it.
    pub(crate) parent_thread: AtomicU32,
    pub(crate) group: AtomicU32,
    pub(crate) session: AtomicU32,
    /// Whether an execve has succeeded since the fork (setpgid(2) asks).
    pub(crate) has_execed: AtomicBool,
    /// Whether orphaned descendants come to this process (PR_SET_CHILD_SUBREAPER).
    is_subreaper: AtomicBool,
    /// Whether an ancestor takes orphans; changes with the table locked.
    pub(crate) is_below_subreaper: AtomicBool,
    /// Which use of the number is this process's.
    pub(crate) serial: AtomicU64,
    /// Whether PR_SET_THP_DISABLE was asked for; no memory is given in huge pages anyway.
    pub has_huge_pages_disabled: AtomicBool,
    /// Who may look into the process, as a number of [`Dumpable`] (PR_SET_DUMPABLE).
    pub(crate) dumpable: AtomicU32,
    /// What core dumps have of memory, as a [`Filter`].
    pub(crate) core_filter: AtomicU32,
    /// Where threads wait while the process is dumped.
    pub(crate) dump: Rendezvous,
    /// Whether signals without a handler are dropped, as for the first process.
    pub(crate) is_unkillable: AtomicBool,
    /// The signal that the parent gets at the end, 0 for none.
    pub(crate) exit_signal: AtomicU32,
    memory: SpinLock<Option<Use<AddressSpace>>>,
    /// Identity of the memory, 0 for none: the scheduler compares it at every switch.
    space: AtomicUsize,
    image: SpinLock<Arc<Image>>,
    /// Keeps memory and identity together while execve changes both.
    pub(crate) turnover: Turnover,
    pub(crate) actions: SpinLock<Use<SignalActions>>,
    /// Signals sent to the whole process and not yet taken.
    pub(crate) pending: PendingQueue,
    /// Who reads signals from files.
    pub(crate) signal_readers: Readers,
    pub(crate) stop: StopState,
    pub(crate) threads: SpinLock<ThreadList>,
    pub(crate) thread_gone: WaitQueue,
    /// Who holds a descriptor of the process.
    pub(crate) watch: Watch,
    /// The number of the thread that ends the others to execute a program, 0 for none.
    pub(crate) executing: AtomicU32,
    /// Wait status that all threads end with, once somebody asked for the end; with [`ENDING`] set.
    pub(crate) ending: AtomicU64,
    /// Whether every thread is gone: what is left is the status, for the parent.
    pub(crate) is_zombie: AtomicBool,
    pub(crate) status: AtomicU32,
    pub(crate) epitaph: SpinLock<Epitaph>,
    /// What the last thread counted by, until the process is waited for.
    pub(crate) last_share: SpinLock<Option<Share>>,
    limits: Limits,
    /// Where the parent's threads wait for changes of children.
    pub(crate) child_events: WaitQueue,
    pub(crate) timers: IntervalTimers,
    pub(crate) posix_timers: PosixTimers,
    pub(crate) cpu_timers: CpuTimers,
    pub(crate) dead_children: SpinLock<Usage>,
    /// Most pages that were ever resident in an image that execve replaced or exit freed.
    pub(crate) peak_pages: AtomicUsize,
    /// `oom_score_adj` of /proc, -1000 to 1000.
    pub oom_score_adjustment: core::sync::atomic::AtomicI32,
}

/// What is known of the dead beside their status.
#[derive(Default)]
pub(crate) struct Epitaph {
    pub(crate) name: Name,
    pub(crate) credentials: Option<Arc<Credentials>>,
}

/// Set in `Process::ending` beside the status.
pub(crate) const ENDING: u64 = 1 << 32;

/// Set there while a core dump is written, which only SIGKILL ends.
pub(crate) const DUMPING: u64 = 1 << 33;

/// What a new process starts from.
pub(crate) struct NewProcess {
    pub(crate) pid: Pid,
    pub(crate) is_kernel: bool,
    pub(crate) exit_signal: u32,
    pub(crate) memory: Option<Use<AddressSpace>>,
    pub(crate) image: Arc<Image>,
    pub(crate) actions: Use<SignalActions>,
    pub(crate) limits: Limits,
}

impl Process {
    /// Makes a process without threads that is in no table yet.
    ///
    /// # Errors
    /// ENOMEM.
    pub(crate) fn new(new: NewProcess) -> Result<Arc<Self>, Errno> {
        let slot = crate::timer::reserve()?;
        Ok(Arc::new_cyclic(|this| Self {
            pid: new.pid,
            is_kernel: new.is_kernel,
            start_ns: now_ns(),
            parent: AtomicU32::new(0),
            parent_thread: AtomicU32::new(0),
            group: AtomicU32::new(0),
            session: AtomicU32::new(0),
            has_execed: AtomicBool::new(false),
            is_subreaper: AtomicBool::new(false),
            is_below_subreaper: AtomicBool::new(false),
            serial: AtomicU64::new(0),
            has_huge_pages_disabled: AtomicBool::new(false),
            dumpable: AtomicU32::new(Dumpable::User.number()),
            core_filter: AtomicU32::new(Filter::default().bits()),
            dump: Rendezvous::new(),
            is_unkillable: AtomicBool::new(new.pid == pid::INIT),
            exit_signal: AtomicU32::new(new.exit_signal),
            space: AtomicUsize::new(identity(new.memory.as_ref())),
            memory: SpinLock::new(Rank::Process, new.memory),
            image: SpinLock::new(Rank::Process, new.image),
            turnover: Turnover::new(),
            actions: SpinLock::new(Rank::Process, new.actions),
            pending: PendingQueue::new(),
            signal_readers: Readers::new(),
            stop: StopState::new(),
            threads: SpinLock::new(Rank::Process, ThreadList::default()),
            thread_gone: WaitQueue::new(),
            watch: Watch::new(),
            executing: AtomicU32::new(0),
            ending: AtomicU64::new(0),
            is_zombie: AtomicBool::new(false),
            status: AtomicU32::new(0),
            epitaph: SpinLock::new(Rank::Process, Epitaph::default()),
            last_share: SpinLock::new(Rank::Process, None),
            limits: new.limits,
            child_events: WaitQueue::new(),
            timers: IntervalTimers::new(slot, this.clone()),
            posix_timers: PosixTimers::new(),
            cpu_timers: CpuTimers::new(),
            dead_children: SpinLock::new(Rank::Process, Usage::default()),
            peak_pages: AtomicUsize::new(0),
            oom_score_adjustment: core::sync::atomic::AtomicI32::new(0),
        }))
    }

    /// Returns the process's number.
    #[inline]
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Returns the number of the parent, 0 for none.
    #[inline]
    pub fn parent_pid(&self) -> Pid {
        self.parent.load(Ordering::Relaxed)
    }

    /// Returns the parent, if there is one.
    pub fn parent(&self) -> Option<Arc<Self>> {
        pid::process(self.parent_pid())
    }

    /// Returns the number of the process group.
    pub fn group(&self) -> Pid {
        self.group.load(Ordering::Relaxed)
    }

    /// Returns the number of the session.
    pub fn session(&self) -> Pid {
        self.session.load(Ordering::Relaxed)
    }

    /// Reports whether this process leads its session.
    pub fn is_session_leader(&self) -> bool {
        self.session() == self.pid
    }

    /// Reports whether orphaned descendants come to this process.
    pub fn is_subreaper(&self) -> bool {
        self.is_subreaper.load(Ordering::Relaxed)
    }

    /// Says whether orphaned descendants come to this process.
    pub fn set_subreaper(&self, takes_orphans: bool) {
        let tree = pid::tree();
        self.is_subreaper.store(takes_orphans, Ordering::Relaxed);
        if takes_orphans {
            tree.tell_of_subreaper(self.pid);
        }
    }

    /// Reports whether this is a thread of the kernel, without user memory.
    pub fn is_kernel(&self) -> bool {
        self.is_kernel
    }

    /// Returns the monotonic time of birth.
    pub fn start_ns(&self) -> u64 {
        self.start_ns
    }

    /// Returns the memory; `None` for kernel threads and for the dead.
    pub fn memory(&self) -> Option<Arc<AddressSpace>> {
        self.memory.lock().as_ref().map(|memory| memory.shared().clone())
    }

    /// Replaces the memory and returns the old one, to be dropped without locks held.
    pub(crate) fn replace_memory(&self, new: Option<Use<AddressSpace>>) -> Option<Use<AddressSpace>> {
        self.space.store(identity(new.as_ref()), Ordering::Relaxed);
        core::mem::replace(&mut self.memory.lock(), new)
    }

    /// Returns the identity of the memory, 0 for none.
    #[inline]
    pub(crate) fn space(&self) -> usize {
        self.space.load(Ordering::Relaxed)
    }

    /// Returns what execve remembers of the program.
    pub fn image(&self) -> Arc<Image> {
        self.image.lock().clone()
    }

    pub(crate) fn set_image(&self, image: Arc<Image>) -> Arc<Image> {
        core::mem::replace(&mut self.image.lock(), image)
    }

    /// Returns the program's file.
    pub fn executable(&self) -> Option<Arc<OpenFile>> {
        self.image().executable.clone()
    }

    /// Returns the signal dispositions.
    pub fn actions(&self) -> Arc<SignalActions> {
        self.actions.lock().shared().clone()
    }

    /// Sets both limits of a resource, in force at once, and returns the old ones.
    ///
    /// # Errors
    /// Those of [`Limits::set`].
    pub fn set_limit(&self, resource: u32, new: Rlimit64, raise: RaiseHard) -> Result<Rlimit64, Errno> {
        let old = self.limits.set(resource, new, raise)?;
        if let Some(memory) = self.memory() {
            memory.set_limits(self.limits.of_memory());
        }
        Ok(old)
    }

    /// Returns the resource limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns the living threads, oldest first.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn threads(&self) -> Result<Vec<Arc<Thread>>, Errno> {
        let mut list = Vec::new();
        loop {
            let wanted = self.thread_count();
            list.try_reserve(wanted).map_err(|_| Errno::ENOMEM)?;
            let threads = self.threads.lock();
            if threads.len() <= list.capacity() {
                list.extend(threads.iter().cloned());
                return Ok(list);
            }
        }
    }

    /// Returns the living thread with the lowest number that is at least `minimum`.
    pub fn next_thread(&self, minimum: Pid) -> Option<Arc<Thread>> {
        let threads = self.threads.lock();
        let rest = threads.iter().filter(|thread| thread.tid() >= minimum);
        rest.min_by_key(|thread| thread.tid()).cloned()
    }

    /// Reports whether an execve has succeeded since the fork.
    pub fn has_execed(&self) -> bool {
        self.has_execed.load(Ordering::Relaxed)
    }

    /// Returns the signal that the parent gets at the end, 0 for none.
    pub fn exit_signal(&self) -> u32 {
        self.exit_signal.load(Ordering::Relaxed)
    }

    /// Returns the signals sent to the whole process and not yet taken.
    pub fn pending(&self) -> SigSet {
        self.pending.members()
    }

    /// Returns the number of living threads.
    pub fn thread_count(&self) -> usize {
        self.threads.lock().len()
    }

    /// Returns the leader while it lives, else the oldest living thread.
    pub fn main_thread(&self) -> Option<Arc<Thread>> {
        let threads = self.threads.lock();
        let leader = threads.iter().find(|thread| thread.tid() == self.pid);
        leader.or(threads.first()).cloned()
    }

    /// Reports whether the leader lives.
    pub(crate) fn has_leader(&self) -> bool {
        self.threads.lock().iter().any(|thread| thread.tid() == self.pid)
    }

    /// Returns the main thread's name; empty for the dead without one.
    pub fn name(&self) -> Name {
        self.main_thread()
            .map_or_else(|| self.epitaph.lock().name, |thread| thread.name())
    }

    /// Returns the main thread's open files.
    pub fn files(&self) -> Option<Arc<FdTable>> {
        self.main_thread()?.files()
    }

    /// Returns the main thread's root, working directory and umask.
    pub fn fs(&self) -> Option<Arc<Mutex<SharedFs>>> {
        self.main_thread()?.fs()
    }

    /// Returns the working directory.
    pub fn cwd(&self) -> Option<Path> {
        Some(self.fs()?.lock().cwd.clone())
    }

    /// Returns the root directory.
    pub fn root(&self) -> Option<Path> {
        Some(self.fs()?.lock().root.clone())
    }

    /// Returns the main thread's identity, or the last one's for the dead.
    pub fn credentials(&self) -> Arc<Credentials> {
        if let Some(thread) = self.main_thread() {
            return thread.credentials();
        }
        let last = self.epitaph.lock().credentials.clone();
        last.unwrap_or_else(|| Arc::new(Credentials::user(0, 0)))
    }

    /// Returns the letter of /proc/PID/stat: R, S, T or Z. It is the leader's, also once that has ended.
    pub fn state(&self) -> char {
        let leader = self.main_thread().filter(|thread| thread.tid() == self.pid);
        match leader {
            None => 'Z',
            Some(_) if self.stop.is_stopped() => 'T',
            Some(leader) => sched::state_letter(&leader),
        }
    }

    /// Reports whether only the status is left.
    pub fn is_zombie(&self) -> bool {
        self.is_zombie.load(Ordering::Acquire)
    }

    /// Returns the wait status of a zombie.
    pub fn exit_status(&self) -> u32 {
        self.status.load(Ordering::Acquire)
    }

    /// Returns the wait status that the process is ending with, if its end was asked for.
    /// Tells whether all threads are ending or have ended.
    pub fn is_ending(&self) -> bool {
        self.ending().is_some()
    }

    pub(crate) fn ending(&self) -> Option<u32> {
        let ending = self.ending.load(Ordering::Acquire);
        (ending & ENDING != 0).then_some(ending as u32)
    }

    /// Returns processor time and counters of all threads, dead ones included, but for the peak of memory.
    pub fn counters(&self) -> Usage {
        sched::charge_current();
        self.threads.lock().usage()
    }

    /// Returns what the process has used. May wait for its memory.
    pub fn usage(&self) -> Usage {
        let mut usage = self.counters();
        let resident = self.memory().map_or(0, |memory| memory.peak_resident_pages());
        usage.peak_pages = resident.max(self.peak_pages.load(Ordering::Relaxed));
        usage
    }

    /// Gives up the memory at the end, keeping its peak; the last user frees what is in it.
    pub(crate) fn release_memory(&self) {
        if let Some(memory) = self.replace_memory(None) {
            let peak = memory.peak_resident_pages();
            self.peak_pages.fetch_max(peak, Ordering::Relaxed);
            // No translation is looked up in it any more, at least not here.
            sched::deactivate();
        }
    }

    /// Adds a thread that is not running yet.
    ///
    /// # Errors
    /// ENOMEM.
    pub(crate) fn add_thread(&self, thread: &Arc<Thread>) -> Result<(), Errno> {
        let mut threads = self.threads.lock();
        threads.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        threads.push(thread.clone());
        Ok(())
    }

    /// Returns the sum over the children that were waited for, and theirs.
    pub fn children_usage(&self) -> Usage {
        *self.dead_children.lock()
    }

    /// Returns processor time of all threads.
    pub fn cpu_times(&self) -> CpuTimes {
        self.counters().times()
    }

    /// Adds work to every living thread and wakes them to do it.
    pub(crate) fn kick_all(&self, work: Work) {
        for thread in self.threads.lock().iter() {
            thread.add_work(work);
            thread.kick();
        }
    }
}

fn identity(memory: Option<&Use<AddressSpace>>) -> usize {
    memory.map_or(0, |memory| Arc::as_ptr(memory.shared()).addr())
}

impl core::fmt::Debug for Process {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Process({})", self.pid)
    }
}
