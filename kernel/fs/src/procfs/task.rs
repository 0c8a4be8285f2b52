//! A process or thread as a subject, and the tables of its files.

use alloc::sync::Arc;
use core::any::Any;

use ::task::inspect;
use ::task::pid::{self, Pid};
use ::task::{Process, Thread};
use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use vfs::{Access, Credentials, FileKind, FileOps, Inode, Metadata, Path, SetAttributes};

use super::descriptors;
use super::listing::{Found, Label, Listing, ListingFile};
use super::node::{
    Content, Entry, Node, OpenData, Show, Store, Subject, describe, number_in, refuse_changes,
};
use super::text::{Text, parse_number};
use super::{controls, maps, memory, mounts, page_map, program, root, smaps, stat, status, usage};

type Done = Result<(), Errno>;

/// In the inode number of a process's directory.
const PROCESS: u64 = 1 << 20;
/// In the inode number of a thread's directory.
const THREAD: u64 = 1 << 21;

/// Whether counters are those of the whole process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scope {
    Process,
    Thread,
}

/// A task: a process, or one of its threads.
#[derive(Clone)]
pub(super) struct Task {
    process: Arc<Process>,
    /// The thread that was asked for; `None` is the main thread, if the process has one.
    thread: Option<Arc<Thread>>,
    scope: Scope,
}

impl Task {
    pub(super) fn of_process(process: &Arc<Process>) -> Self {
        Self {
            process: process.clone(),
            thread: None,
            scope: Scope::Process,
        }
    }

    fn of_thread(thread: Arc<Thread>) -> Self {
        Self {
            process: thread.process().clone(),
            thread: Some(thread),
            scope: Scope::Thread,
        }
    }

    /// Finds what /proc has under a number: a process, or, though no listing shows it, a thread.
    pub(super) fn find(number: Pid) -> Option<Self> {
        if let Some(process) = pid::process(number) {
            return Some(Self::of_process(&process));
        }
        let thread = pid::thread(number)?;
        Some(Self {
            scope: Scope::Process,
            ..Self::of_thread(thread)
        })
    }

    /// Returns the task's directory.
    pub(super) fn directory(self) -> Arc<dyn Inode> {
        let number = self.number();
        let (table, parent) = match self.scope {
            Scope::Process => (PROCESS_TABLE, root::NUMBER),
            Scope::Thread => (THREAD_TABLE, threads_number(&self.process)),
        };
        Arc::new(Node::new(self, 0o555, Content::Table(table), number, parent))
    }

    /// Returns the directory's inode number.
    pub(super) fn number(&self) -> u64 {
        let base = if self.scope == Scope::Process {
            PROCESS
        } else {
            THREAD
        };
        base | u64::from(self.id())
    }

    /// Returns the number of the process or thread.
    pub(super) fn id(&self) -> Pid {
        self.thread
            .as_ref()
            .map_or(self.process.pid(), |thread| thread.tid())
    }

    pub(super) fn process(&self) -> &Arc<Process> {
        &self.process
    }

    pub(super) fn scope(&self) -> Scope {
        self.scope
    }

    /// Returns the thread, or the process's main one while it has any.
    pub(super) fn thread(&self) -> Option<Arc<Thread>> {
        self.thread.clone().or_else(|| self.process.main_thread())
    }

    pub(super) fn credentials(&self) -> Arc<Credentials> {
        self.thread
            .as_ref()
            .map_or_else(|| self.process.credentials(), |thread| thread.credentials())
    }

    pub(super) fn state(&self) -> char {
        self.thread
            .as_ref()
            .map_or_else(|| self.process.state(), |thread| thread.state())
    }

    pub(super) fn name(&self) -> ::task::thread::Name {
        self.thread
            .as_ref()
            .map_or_else(|| self.process.name(), |thread| thread.name())
    }

    /// Returns the open files, if the task still has any.
    ///
    /// # Errors
    /// ENOENT.
    pub(super) fn files(&self) -> Result<Arc<::task::FdTable>, Errno> {
        self.thread()
            .and_then(|thread| thread.files())
            .ok_or(Errno::ENOENT)
    }
}

impl Subject for Task {
    fn owner(&self) -> (u32, u32) {
        let credentials = self.credentials();
        (credentials.euid, credentials.egid)
    }

    fn is_closed(&self) -> bool {
        !self.process.is_dumpable() || self.process.memory().is_none()
    }

    fn born_ns(&self) -> u64 {
        self.process.start_ns()
    }

    fn is_permanent(&self) -> bool {
        false
    }

    fn check(&self) -> Done {
        let lives = match &self.thread {
            Some(thread) => pid::thread(thread.tid()).is_some_and(|other| Arc::ptr_eq(&other, thread)),
            None => pid::process(self.process.pid()).is_some_and(|other| Arc::ptr_eq(&other, &self.process)),
        };
        if lives { Ok(()) } else { Err(Errno::ENOENT) }
    }

    fn check_inspection(&self, credentials: &Credentials) -> Done {
        let own = ::task::current().is_some_and(|thread| Arc::ptr_eq(thread.process(), &self.process));
        let target = self.credentials();
        if own || inspect::allows(credentials, &self.process, &target, inspect::Identity::FileSystem) {
            Ok(())
        } else {
            Err(Errno::EACCES)
        }
    }

    fn inspect(&self, credentials: &Credentials, open: OpenData<Self>) -> Result<Arc<dyn FileOps>, Errno> {
        inspect::between_programs(&self.process, || {
            self.check_inspection(credentials)?;
            open(self)
        })
    }
}

const fn text(name: &'static str, show: Show<Task>) -> Entry<Task> {
    Entry {
        name,
        mode: 0o444,
        content: Content::Text(show),
    }
}

const fn guarded(name: &'static str, mode: u16, show: Show<Task>) -> Entry<Task> {
    Entry {
        name,
        mode,
        content: Content::Guarded(show),
    }
}

const fn setting(name: &'static str, show: Show<Task>, store: Store<Task>) -> Entry<Task> {
    Entry {
        name,
        mode: 0o644,
        content: Content::Setting(show, store),
    }
}

const fn place(name: &'static str, find: fn(&Task) -> Result<Path, Errno>) -> Entry<Task> {
    Entry {
        name,
        mode: 0o777,
        content: Content::Place(find),
    }
}

const fn listing(name: &'static str, mode: u16, make: fn(&Task, u64) -> Arc<dyn Inode>) -> Entry<Task> {
    Entry {
        name,
        mode,
        content: Content::Listing(make),
    }
}

/// Returns the process whose directory this is; none for those of threads and what is within.
pub(super) fn process_of_directory(inode: &dyn Inode) -> Option<Arc<Process>> {
    let any: &dyn Any = inode;
    let node = any.downcast_ref::<Node<Task>>()?;
    let task = node.subject();
    let is_its_own = task.scope == Scope::Process && node.number() == task.number();
    is_its_own.then(|| task.process.clone())
}

/// Index of `task` in [`PROCESS_TABLE`].
const THREADS_INDEX: usize = 0;
/// Number of entries at the start of [`TABLE`] that only processes have.
const OF_PROCESSES: usize = 2;
/// Number of entries at its end that only threads have.
const OF_THREADS: usize = 1;

static PROCESS_TABLE: &[Entry<Task>] = TABLE.split_at(TABLE.len() - OF_THREADS).0;
static THREAD_TABLE: &[Entry<Task>] = TABLE.split_at(OF_PROCESSES).1;

static TABLE: &[Entry<Task>] = &[
    listing("task", 0o555, |task, _| {
        Arc::new(Threads {
            process: task.process.clone(),
        })
    }),
    Entry {
        mode: 0o666,
        ..setting(
            "timerslack_ns",
            controls::show_timer_slack,
            controls::store_timer_slack,
        )
    },
    listing("fd", 0o500, descriptors::links),
    listing("fdinfo", 0o555, descriptors::infos),
    guarded("auxv", 0o400, program::auxiliary_vector),
    text("cmdline", program::command_line),
    Entry {
        name: "clear_refs",
        mode: 0o200,
        content: Content::Setting(|_, _| Err(Errno::EINVAL), controls::clear_references),
    },
    setting("comm", controls::show_name, controls::store_name),
    setting(
        "coredump_filter",
        controls::show_core_filter,
        controls::store_core_filter,
    ),
    place("cwd", |task| directories(task, |fs| fs.cwd.clone())),
    guarded("environ", 0o400, program::environment),
    place("exe", program::executable),
    guarded("io", 0o400, usage::show_transfers),
    text("limits", program::limits),
    guarded("maps", 0o444, maps::show),
    Entry {
        name: "mem",
        mode: 0o600,
        content: Content::Data(memory::open),
    },
    text("mountinfo", mounts::info),
    text("mounts", mounts::table),
    text("oom_score", show_badness),
    setting(
        "oom_adj",
        controls::show_old_adjustment,
        controls::store_old_adjustment,
    ),
    setting(
        "oom_score_adj",
        controls::show_adjustment,
        controls::store_adjustment,
    ),
    Entry {
        name: "pagemap",
        mode: 0o400,
        content: Content::Data(page_map::open),
    },
    guarded("personality", 0o400, show_personality),
    place("root", |task| directories(task, |fs| fs.root.clone())),
    guarded("smaps", 0o444, smaps::show),
    guarded("smaps_rollup", 0o444, smaps::show_sum),
    text("stat", stat::show),
    text("statm", status::show_sizes),
    text("status", status::show),
    // What a sleeping thread waits in is not told, as to who may not look on Linux.
    text("wchan", |_, text| {
        text.bytes(b"0");
        Ok(())
    }),
    text("children", usage::show_children),
];

fn directories(task: &Task, choose: fn(&vfs::FsContext) -> Path) -> Result<Path, Errno> {
    let fs = task
        .thread()
        .and_then(|thread| thread.fs())
        .ok_or(Errno::ENOENT)?;
    let context = fs.lock();
    Ok(choose(&context))
}

fn show_badness(task: &Task, text: &mut Text) -> Done {
    writeln!(text, "{}", ::task::oom::score(&task.process));
    Ok(())
}

fn show_personality(task: &Task, text: &mut Text) -> Done {
    let thread = task.thread().ok_or(Errno::ESRCH)?;
    writeln!(text, "{:08x}", thread.attributes.personality().bits());
    Ok(())
}

fn threads_number(process: &Process) -> u64 {
    number_in(PROCESS | u64::from(process.pid()), THREADS_INDEX)
}

/// The directory `task` of a process.
struct Threads {
    process: Arc<Process>,
}

impl Inode for Threads {
    fn check_new_names(&self) -> Result<(), Errno> {
        // As Linux, whose look for the name already fails.
        Err(Errno::ENOENT)
    }

    fn kind(&self) -> FileKind {
        FileKind::Directory
    }

    fn access(&self) -> Access {
        let (uid, gid) = Task::of_process(&self.process).owner();
        Access {
            mode: 0o555,
            uid,
            gid,
        }
    }

    fn metadata(&self) -> Metadata {
        let links = 2 + self.process.thread_count() as u32;
        Metadata {
            links,
            ..describe(self, threads_number(&self.process), self.process.start_ns())
        }
    }

    fn set_attributes(&self, changes: &SetAttributes) -> Done {
        refuse_changes(changes)
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        let thread = parse_number(name).and_then(pid::thread).ok_or(Errno::ENOENT)?;
        if Arc::ptr_eq(thread.process(), &self.process) {
            Ok(Task::of_thread(thread).directory())
        } else {
            Err(Errno::ENOENT)
        }
    }

    fn open(
        self: Arc<Self>,
        _flags: OpenFlags,
        _credentials: &Credentials,
    ) -> sync::Result<Arc<dyn FileOps>> {
        let (number, parent) = (
            threads_number(&self.process),
            Task::of_process(&self.process).number(),
        );
        Ok(Arc::new(ListingFile {
            listing: ThreadListing(self.process.clone()),
            number,
            parent,
        }))
    }

    fn is_cacheable(&self) -> bool {
        false
    }

    fn caches_absence(&self) -> bool {
        false
    }
}

/// The living threads of a process.
struct ThreadListing(Arc<Process>);

impl Listing for ThreadListing {
    fn at(&self, position: u64) -> Result<Option<Found>, Errno> {
        Task::of_process(&self.0).check()?;
        let minimum = u32::try_from(position).unwrap_or(pid::PID_MAX);
        Ok(self.0.next_thread(minimum).map(|thread| Found {
            position: u64::from(thread.tid()),
            number: Task::of_thread(thread.clone()).number(),
            kind: FileKind::Directory,
            name: Label::Number(thread.tid()),
        }))
    }
}
