//! Threads, processes, programs and a file system for the unit tests. User code is the mock's script.

extern crate std;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};

use los_abi::errno::Errno;
use los_abi::fs::{MountFlags, OpenFlags, Statfs};
use los_abi::signal::{SigSet, Signal};
use los_arch::Current;
use los_arch::hal::PAGE_SIZE;
use los_arch::hal::prelude::Cpu;
use mm::io::Sink;
use mm::{AddressSpace, Frame, Pager, PagerError, frames};
use sync::{Once, Parker, ThreadHandle, Unpark, Use};
use vfs::{
    Access, Attributes, Credentials, FileKind, FileOps, FileSystem, FsContext, Inode, Io, Metadata,
    Namespace, NewNode, OpenFile, Path, SuperBlock,
};

use crate::fd_table::FdTable;
use crate::fs_sharing::FsUse;
use crate::pid::{self, NewPid, Pid};
use crate::process::{Image, NewProcess, Process};
use crate::rlimit::Limits;
use crate::signal::actions::SignalActions;
use crate::thread::{Name, NewThread, Thread};

/// Keeps other tests away that set real time, or must not have it set meanwhile, until the guard is dropped.
pub(crate) fn clock_turn() -> std::sync::MutexGuard<'static, ()> {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Makes a process that is in no table.
pub(crate) fn process(pid: Pid) -> Arc<Process> {
    process_with(pid, None)
}

fn process_with(pid: Pid, memory: Option<Arc<AddressSpace>>) -> Arc<Process> {
    Process::new(NewProcess {
        pid,
        is_kernel: false,
        exit_signal: Signal::CHLD.number(),
        memory: memory.map(Use::new),
        image: Arc::new(Image::default()),
        actions: Use::new(Arc::new(SignalActions::new())),
        limits: Limits::new(100),
    })
    .unwrap()
}

/// Makes a thread with a number of its own, alone in a process that is in no table.
pub(crate) fn thread() -> Arc<Thread> {
    let tid = unlisted_number();
    thread_of(&process(tid), tid, None)
}

/// Makes one more thread of a process, which is in no table.
pub(crate) fn another_thread(process: &Arc<Process>) -> Arc<Thread> {
    thread_of(process, unlisted_number(), None)
}

/// Returns a number that the table never gives out.
fn unlisted_number() -> Pid {
    static NEXT: AtomicU32 = AtomicU32::new(40_000);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn thread_of(process: &Arc<Process>, tid: Pid, fs: Option<FsContext>) -> Arc<Thread> {
    mm::testing::start();
    let new = NewThread {
        tid,
        process: process.clone(),
        name: Name::new(b"test"),
        mask: SigSet::EMPTY,
        credentials: Arc::new(Credentials::root()),
        share: None,
        files: Some(Use::new(Arc::new(FdTable::new()))),
        fs: fs.map(FsUse::new),
        user_state: Current::initial_user_state(),
        is_user: false,
    };
    let thread = Thread::new(new, Box::new(|| {})).unwrap();
    process.add_thread(&thread).unwrap();
    thread
}

/// A parent with children, all in the global table until the family is dropped.
pub(crate) struct Family {
    pub(crate) parent: Arc<Process>,
    pub(crate) children: Vec<Arc<Process>>,
}

/// Makes a family in one group.
pub(crate) fn family(children: usize) -> Family {
    let parent = enter(None, None);
    let children = (0..children).map(|_| enter(Some(&parent), None)).collect();
    Family { parent, children }
}

/// Enters a process into the table, into its parent's group.
pub(crate) fn enter(parent: Option<&Arc<Process>>, memory: Option<Arc<AddressSpace>>) -> Arc<Process> {
    let number = NewPid::allocate().unwrap();
    let process = process_with(number.get(), memory);
    let group = parent.map_or(process.pid(), |parent| parent.group());
    let parent = parent.map_or(0, |parent| parent.pid());
    let mut tree = pid::tree();
    tree.insert_process(&process, parent, group, group).unwrap();
    drop(tree);
    process
}

impl Drop for Family {
    fn drop(&mut self) {
        for process in &self.children {
            // A thread and its process hold each other while it lives.
            let threads = core::mem::take(&mut *process.threads.lock());
            for thread in threads.iter() {
                pid::tree().remove_thread(thread.tid());
            }
            drop(threads);
        }
        let mut tree = pid::tree();
        for process in self.children.iter().chain([&self.parent]) {
            if tree.process(process.pid()).is_some() {
                tree.remove_process(process.pid());
            }
        }
    }
}

/// Takes a child that never ran out of the table.
pub(crate) fn forget(child: &Process) {
    child.threads.lock().clear();
    // Its thread stays in the run queue, and what that holds with it.
    drop(child.replace_memory(None));
    child.pending.discard(SigSet::ALL);
    let mut tree = pid::tree();
    tree.remove_thread(child.pid());
    let removed = tree.remove_process(child.pid());
    drop(tree);
    drop(removed);
}

/// Where the memory of a test program is.
pub(crate) const PROGRAM_MEMORY: u64 = 0x10_0000;
/// How much it is.
pub(crate) const PROGRAM_BYTES: u64 = 0x1_0000;

/// Makes a family with one child that has memory, active on this host thread, and a thread.
pub(crate) fn program() -> (Family, Arc<Thread>) {
    let memory = mm::testing::space_with_memory(PROGRAM_MEMORY, PROGRAM_BYTES);
    let parent = enter(None, None);
    let child = enter(Some(&parent), Some(memory));
    let root = root();
    let fs = FsContext {
        root: root.clone(),
        cwd: root,
        umask: 0o022,
    };
    let thread = thread_of(&child, child.pid(), Some(fs));
    pid::tree().insert_thread(&thread);
    let family = Family {
        parent,
        children: vec![child],
    };
    (family, thread)
}

std::thread_local! {
    /// The thread that this host thread stands for.
    static RUNNING: core::cell::RefCell<Option<Arc<Thread>>> = const { core::cell::RefCell::new(None) };
}

/// Makes waiting on this host thread look at the signals of `thread`.
pub(crate) fn run_as(thread: &Arc<Thread>) {
    static PARKER: TestParker = TestParker;
    sync::set_parker(&PARKER);
    RUNNING.replace(Some(thread.clone()));
}

/// Ends what [`run_as`] began.
pub(crate) fn run_as_nobody() {
    RUNNING.take();
}

/// Waiting as a host thread does it: by trying again.
struct TestParker;

impl Parker for TestParker {
    fn current(&self) -> ThreadHandle {
        Arc::new(HostThread)
    }

    fn park(&self, _deadline_ns: Option<u64>) {
        std::thread::yield_now();
    }

    fn interrupted(&self) -> bool {
        RUNNING.with_borrow(|thread| thread.as_ref().is_some_and(|thread| thread.is_interrupted()))
    }

    fn give_way(&self) -> bool {
        RUNNING.with_borrow(|thread| thread.as_ref().is_none_or(|thread| !thread.is_killed()))
    }
}

struct HostThread;

impl Unpark for HostThread {
    fn unpark(&self) {}
}

/// Runs a test with another lowest address of mappings, one such test at a time.
pub(crate) fn with_lowest_address<R>(address: u64, test: impl FnOnce() -> R) -> R {
    static CHANGE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let change = CHANGE.lock().unwrap();
    let old = mm::lowest_address();
    mm::set_lowest_address(address);
    let result = test();
    mm::set_lowest_address(old);
    drop(change);
    result
}

/// Opens a file of the test file system.
pub(crate) fn open(name: &[u8]) -> Arc<OpenFile> {
    let credentials = Credentials::root();
    vfs::ops::open_executable(&caller(&credentials), vfs::At::Cwd, name, vfs::Lookup::FOLLOW).unwrap()
}

/// Makes somebody who works in the root of the test file system.
pub(crate) fn caller(credentials: &Credentials) -> vfs::Caller<'_> {
    vfs::Caller {
        credentials,
        root: root(),
        cwd: root(),
        umask: 0,
    }
}

/// Returns the root of the test file system, which all tests share.
pub(crate) fn root() -> Path {
    static TREE: Once<(Arc<Namespace>, Path)> = Once::new();
    let (_, root) = TREE.call_once(|| {
        let superblock = SuperBlock::new(Arc::new(TestFileSystem));
        Namespace::new(superblock, b"test", MountFlags::empty())
    });
    root.clone()
}

/// A file system with a few programs.
struct TestFileSystem;

impl FileSystem for TestFileSystem {
    fn root(&self) -> Arc<dyn Inode> {
        let mut other_machine = sample_program();
        other_machine[18] = 183;
        let mut unmappable = sample_program();
        // The first segment's offset does not match its address any more.
        unmappable[64 + 8] = 1;
        let files: [(&[u8], Vec<u8>); 7] = [
            (b"program", sample_program()),
            (b"other-machine", other_machine),
            (b"unmappable", unmappable),
            (b"script", b"#!/program -x\n".to_vec()),
            (b"lost-script", b"#!/nowhere\n".to_vec()),
            (b"loop", b"#!/loop\n".to_vec()),
            (b"empty", Vec::new()),
        ];
        let files = files
            .map(|(name, bytes)| (name, Arc::new(File(bytes)) as Arc<dyn Inode>))
            .into();
        Arc::new(Directory(files))
    }

    fn name(&self) -> &'static str {
        "test"
    }

    fn statfs(&self) -> Statfs {
        Statfs::default()
    }

    fn device(&self) -> u64 {
        1
    }
}

struct Directory(BTreeMap<&'static [u8], Arc<dyn Inode>>);

impl Inode for Directory {
    fn kind(&self) -> FileKind {
        FileKind::Directory
    }

    fn access(&self) -> Access {
        ACCESS
    }

    fn metadata(&self) -> Metadata {
        metadata(FileKind::Directory, 0)
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        self.0.get(name).cloned().ok_or(Errno::ENOENT)
    }

    fn open(
        self: Arc<Self>,
        _flags: OpenFlags,
        _credentials: &Credentials,
    ) -> sync::Result<Arc<dyn FileOps>> {
        Err(Errno::EISDIR.into())
    }
}

struct File(Vec<u8>);

impl Inode for File {
    fn kind(&self) -> FileKind {
        FileKind::Regular
    }

    fn access(&self) -> Access {
        ACCESS
    }

    fn metadata(&self) -> Metadata {
        metadata(FileKind::Regular, self.0.len())
    }

    fn open(
        self: Arc<Self>,
        _flags: OpenFlags,
        _credentials: &Credentials,
    ) -> sync::Result<Arc<dyn FileOps>> {
        Ok(self)
    }

    fn pager(self: Arc<Self>) -> Option<Arc<dyn Pager>> {
        Some(self)
    }
}

impl FileOps for File {
    fn read_at(&self, out: &mut dyn Sink, offset: u64, _io: &Io) -> sync::Result<usize> {
        let start = (offset as usize).min(self.0.len());
        Ok(out.put(&self.0[start..])?)
    }
}

impl Pager for File {
    fn page(&self, index: u64, _access: mm::Access) -> Result<Frame, PagerError> {
        let start = index as usize * PAGE_SIZE;
        if start >= self.0.len() {
            return Err(PagerError::BeyondEnd);
        }
        let end = self.0.len().min(start + PAGE_SIZE);
        let frame = frames::allocate()?;
        frame.write(0, &self.0[start..end]);
        Ok(frame)
    }

    fn name(&self) -> Vec<u8> {
        Vec::new()
    }

    fn device(&self) -> u64 {
        1
    }

    fn inode(&self) -> u64 {
        1
    }
}

const ACCESS: Access = Access {
    mode: 0o755,
    uid: 0,
    gid: 0,
};

fn metadata(kind: FileKind, size: usize) -> Metadata {
    let node = NewNode {
        kind,
        mode: ACCESS.mode,
        uid: ACCESS.uid,
        gid: ACCESS.gid,
        rdev: 0,
    };
    let attributes = Attributes::new(&node);
    let mut metadata = attributes.metadata(kind);
    metadata.size = size as u64;
    metadata
}

/// Makes a static program of three segments at 0x400000, as the founding documents describe one, for x86_64,
/// whose ABI the mock has.
pub(crate) fn sample_program() -> Vec<u8> {
    let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for half in [2_u16, 62] {
        bytes.extend(half.to_le_bytes());
    }
    bytes.extend(1_u32.to_le_bytes());
    for word in [0x40_1000_u64, 64, 0] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, 3, 64, 0, 0] {
        bytes.extend(half.to_le_bytes());
    }
    let (read, write, execute) = (4, 2, 1);
    for (flags, offset, file_bytes, memory_bytes) in [
        (read, 0, 0x200, 0x200),
        (read | execute, 0x1000, 0x80, 0x80),
        (read | write, 0x2010, 0x20, 0x3000),
    ] {
        for word in [1_u32, flags] {
            bytes.extend(word.to_le_bytes());
        }
        let address = 0x40_0000 + offset;
        for word in [offset, address, address, file_bytes, memory_bytes, 0x1000] {
            bytes.extend(u64::to_le_bytes(word));
        }
    }
    bytes.resize(0x3000, 0xcc);
    bytes
}
