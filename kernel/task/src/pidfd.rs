//! Process file descriptors (pidfd_open(2)): a process or thread that is held, whatever becomes of its number.

use alloc::sync::Arc;
use core::any::Any;
use core::fmt::Write;
use core::sync::atomic::{AtomicBool, Ordering, fence};

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::poll::PollEvents;
use los_abi::signal::{SI_TKILL, SI_USER, SigInfo};
use los_abi::syscall::Fd;
use los_abi::task::{PidfdFlags, PidfdSignalFlags};
use sync::{Once, WaitQueue};
use vfs::{AnonymousInode, anonymous_file};
use vfs::{FileKind, FileOps, Inode, OpenFile, PollTable};

use crate::context::Context;
use crate::fd_table::OnExec;
use crate::inspect;
use crate::pid::{self, Pid};
use crate::process::Process;
use crate::signal::kill;
use crate::signal::send::Target;
use crate::thread::Thread;
use crate::tree::{GroupName, Tree};

/// What all descriptors of one process or thread share, made with the first.
pub(crate) struct Watched {
    ended: Arc<WaitQueue>,
    inode: Arc<AnonymousInode>,
    /// Whether the number is free again.
    is_reaped: AtomicBool,
}

/// The place for it in a process or thread.
pub(crate) type Watch = Once<Arc<Watched>>;

/// Wakes who polls descriptors of something that ends. Called after the end shows.
pub(crate) fn tell(watch: &Watch) {
    // Orders the end before the look; pairs with the fence in `PidFd::new`.
    fence(Ordering::SeqCst);
    if let Some(watched) = watch.get() {
        watched.ended.wake_all();
    }
}

/// Notes that the number of a watched process or thread is free again.
pub(crate) fn tell_reaped(watch: &Watch) {
    if let Some(watched) = watch.get() {
        watched.is_reaped.store(true, Ordering::SeqCst);
        watched.ended.wake_all();
    }
}

/// Finds the process that a directory shows, if it is one of /proc.
pub type ProcessOfDirectory = fn(&dyn Inode) -> Option<Arc<Process>>;

static PROCESS_OF_DIRECTORY: Once<ProcessOfDirectory> = Once::new();

/// Says how to find the process of a directory: pidfd_send_signal(2) takes those of /proc too.
pub fn set_directories(find: ProcessOfDirectory) {
    PROCESS_OF_DIRECTORY.call_once(|| find);
}

/// What a descriptor refers to.
#[derive(Clone)]
pub(crate) enum Subject {
    /// The process as a whole.
    Process(Arc<Process>),
    /// The leading thread of the process (PIDFD_THREAD).
    Leader(Arc<Process>),
    /// Another thread.
    Thread(Arc<Thread>),
}

impl Subject {
    /// Finds what a number stands for; for `PidfdFlags::THREAD` the thread.
    ///
    /// # Errors
    /// ESRCH; EINVAL for a thread's number where a process is asked for.
    fn find(number: Pid, flags: PidfdFlags) -> Result<Self, Errno> {
        let tree = pid::tree();
        let process = tree.process(number);
        match (process, flags.contains(PidfdFlags::THREAD)) {
            (Some(process), false) => Ok(Self::Process(process.clone())),
            (Some(process), true) => Ok(Self::Leader(process.clone())),
            (None, true) => tree.thread(number).map(Self::Thread).ok_or(Errno::ESRCH),
            (None, false) if tree.thread(number).is_some() => Err(Errno::EINVAL),
            (None, false) => Err(Errno::ESRCH),
        }
    }

    fn watch(&self) -> &Watch {
        match self {
            Self::Process(process) | Self::Leader(process) => &process.watch,
            Self::Thread(thread) => &thread.watch,
        }
    }

    fn process(&self) -> &Arc<Process> {
        match self {
            Self::Process(process) | Self::Leader(process) => process,
            Self::Thread(thread) => thread.process(),
        }
    }

    fn number(&self) -> Pid {
        match self {
            Self::Process(process) | Self::Leader(process) => process.pid(),
            Self::Thread(thread) => thread.tid(),
        }
    }

    /// Returns the group that has or had the number; a thread's never is one.
    fn group(&self) -> Option<GroupName> {
        match self {
            Self::Process(process) | Self::Leader(process) => Some(GroupName::led_by(process)),
            Self::Thread(_) => None,
        }
    }

    fn has_ended(&self) -> bool {
        match self {
            Self::Process(process) => process.is_zombie(),
            Self::Leader(process) => !process.has_leader(),
            Self::Thread(thread) => thread.is_gone(),
        }
    }

    /// Finds whom an open file designates as the receiver of signals.
    ///
    /// # Errors
    /// EBADF.
    fn of_receiver(file: &OpenFile) -> Result<Self, Errno> {
        if let Ok(pidfd) = PidFd::of(file) {
            return Ok(pidfd.subject.clone());
        }
        file.ops()?;
        let process = PROCESS_OF_DIRECTORY.get().and_then(|find| find(&**file.inode()));
        process.map(Self::Process).ok_or(Errno::EBADF)
    }

    /// Reports whether the number is free again.
    fn is_reaped(&self, tree: &Tree) -> bool {
        match self {
            Self::Process(process) | Self::Leader(process) => !tree
                .process(process.pid())
                .is_some_and(|found| Arc::ptr_eq(found, process)),
            Self::Thread(thread) => thread.is_gone(),
        }
    }

    /// Returns the living thread that acts for it.
    fn thread(&self) -> Option<Arc<Thread>> {
        match self {
            Self::Process(process) | Self::Leader(process) => process.main_thread(),
            Self::Thread(thread) => (!thread.is_gone()).then(|| thread.clone()),
        }
    }
}

/// The open file behind a descriptor.
pub struct PidFd {
    subject: Subject,
    watched: Arc<Watched>,
}

impl PidFd {
    fn new(subject: Subject) -> Self {
        let watched = subject.watch().call_once(|| {
            Arc::new(Watched {
                ended: Arc::new(WaitQueue::new()),
                inode: AnonymousInode::new(FileKind::Regular, 0o700),
                is_reaped: AtomicBool::new(false),
            })
        });
        let watched = watched.clone();
        fence(Ordering::SeqCst);
        if let Subject::Thread(thread) = &subject
            && thread.is_gone()
        {
            watched.is_reaped.store(true, Ordering::SeqCst);
        }
        Self { subject, watched }
    }

    /// Returns what is behind an open file, if it is a process's descriptor.
    ///
    /// # Errors
    /// EBADF.
    pub fn of(file: &OpenFile) -> Result<&Self, Errno> {
        let any: &dyn Any = &**file.ops()?;
        any.downcast_ref().ok_or(Errno::EBADF)
    }

    /// Returns the process, if it is still there.
    ///
    /// # Errors
    /// ESRCH.
    pub fn process(&self) -> Result<Arc<Process>, Errno> {
        if self.is_reaped() {
            return Err(Errno::ESRCH);
        }
        Ok(self.subject.process().clone())
    }

    /// Returns the process that wait may wait for; none for a thread that is no leader.
    pub fn awaited(&self) -> Option<&Arc<Process>> {
        match &self.subject {
            Subject::Process(process) | Subject::Leader(process) => Some(process),
            Subject::Thread(_) => None,
        }
    }

    fn is_reaped(&self) -> bool {
        self.watched.is_reaped.load(Ordering::SeqCst)
    }
}

impl FileOps for PidFd {
    fn is_seekable(&self) -> bool {
        false
    }

    fn poll(&self, table: &mut PollTable<'_>) -> PollEvents {
        table.register(&self.watched.ended);
        if self.is_reaped() {
            PollEvents::IN | PollEvents::RDNORM | PollEvents::HUP
        } else if self.subject.has_ended() {
            PollEvents::IN | PollEvents::RDNORM
        } else {
            PollEvents::empty()
        }
    }

    fn describe(&self, out: &mut dyn Write) -> core::fmt::Result {
        let number = match self.is_reaped() {
            true => -1,
            false => i64::from(self.subject.number()),
        };
        write!(out, "Pid:\t{number}\nNSpid:\t{number}\n")
    }
}

/// Opens a descriptor of a process, or of a thread: pidfd_open(2).
///
/// # Errors
/// EINVAL for unknown flags, a number that none can have, and a thread where a process is asked for; ESRCH;
/// EMFILE; ENOMEM.
pub fn open(ctx: &Context<'_>, number: i32, flags: PidfdFlags) -> Result<Fd, Errno> {
    if !PidfdFlags::all().contains(flags) || number <= 0 {
        return Err(Errno::EINVAL);
    }
    let subject = Subject::find(number.cast_unsigned(), flags)?;
    install(ctx, subject, flags)
}

/// Gives the caller a descriptor.
///
/// # Errors
/// EMFILE; ENOMEM.
pub(crate) fn install(ctx: &Context<'_>, subject: Subject, flags: PidfdFlags) -> Result<Fd, Errno> {
    let pidfd = PidFd::new(subject);
    let inode = pidfd.watched.inode.clone();
    // The bits of the flags are those of the open flags that they show as.
    let status = OpenFlags::RDWR | OpenFlags::from_bits_retain(flags.bits());
    let file = anonymous_file(
        b"anon_inode:[pidfd]",
        inode,
        Arc::new(pidfd),
        status,
        ctx.credentials(),
    )?;
    ctx.install(file, OnExec::Close)
}

/// Sends a signal as pidfd_send_signal(2) does, with `info` if the caller has made one.
///
/// # Errors
/// EINVAL for more than one flag, a signal that is none, or another one than `info` names; EBADF; EPERM; ESRCH;
/// EAGAIN.
pub fn send_signal(
    ctx: &Context<'_>,
    fd: Fd,
    number: i32,
    info: impl FnOnce() -> Result<Option<SigInfo>, Errno>,
    flags: PidfdSignalFlags,
) -> Result<(), Errno> {
    if !PidfdSignalFlags::all().contains(flags) || flags.bits().count_ones() > 1 {
        return Err(Errno::EINVAL);
    }
    let file = ctx.files().get(fd)?;
    let subject = Subject::of_receiver(&file)?;
    let by_thread = !matches!(subject, Subject::Process(_));
    let scope = match flags {
        PidfdSignalFlags::THREAD => Scope::Thread,
        PidfdSignalFlags::THREAD_GROUP => Scope::Process,
        PidfdSignalFlags::PROCESS_GROUP => Scope::Group,
        _ if by_thread => Scope::Thread,
        _ => Scope::Process,
    };
    let own_info = info()?;
    if let Some(info) = &own_info {
        if info.si_signo != number {
            return Err(Errno::EINVAL);
        }
        let is_self = subject.number() == ctx.thread.tid() && scope != Scope::Group;
        let is_forged = info.si_code >= 0 || info.si_code == SI_TKILL;
        if is_forged && !is_self {
            return Err(Errno::EPERM);
        }
    }
    let code = if scope == Scope::Thread { SI_TKILL } else { SI_USER };
    let tree = pid::tree();
    let send = |target: Target<'_>| kill::send_to(ctx, &tree, target, number, own_info.as_ref(), code);
    if scope == Scope::Group {
        let mut outcome = Err(Errno::ESRCH);
        for member in subject
            .group()
            .into_iter()
            .flat_map(|group| tree.named_group(group))
        {
            let sent = send(Target::Member(member));
            if outcome != Ok(()) {
                outcome = sent;
            }
        }
        return outcome;
    }
    if subject.is_reaped(&tree) {
        return Err(Errno::ESRCH);
    }
    match subject.thread().filter(|_| scope == Scope::Thread) {
        Some(thread) => send(Target::Thread(&thread)),
        None => send(Target::Process(subject.process())),
    }
}

/// Whom a signal reaches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Thread,
    Process,
    Group,
}

/// Copies a descriptor of another process to the caller: pidfd_getfd(2).
///
/// # Errors
/// EINVAL for flags; EBADF for either descriptor; ESRCH for the dead; EPERM; EMFILE; ENOMEM.
pub fn get_file(ctx: &Context<'_>, pidfd: Fd, wanted: Fd, flags: u32) -> Result<Fd, Errno> {
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let file = ctx.files().get(pidfd)?;
    let thread = PidFd::of(&file)?.subject.thread().ok_or(Errno::ESRCH)?;
    let file = inspect::look(ctx, thread.process(), || {
        thread.files().ok_or(Errno::ESRCH)?.get(wanted)
    })?;
    ctx.install(file, OnExec::Close)
}
