//! procfs: the system and its tasks as files (proc(5)).
//!
//! Every directory is a table of names with the functions that write their text ([`node`]). Files of the
//! system are in [`system`] and [`settings`], those of processes and threads in [`task`] and its
//! neighbours. Contents have Linux's formats to the byte, since procps, busybox and libc read them.

mod controls;
mod descriptors;
mod listing;
mod locks;
mod maps;
mod memory;
mod mounts;
mod node;
mod page_map;
mod program;
mod root;
mod settings;
mod smaps;
mod stat;
mod status;
mod system;
mod task;
mod text;
mod usage;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use los_abi::errno::Errno;
use los_abi::fs::{PROC_SUPER_MAGIC, Statfs};
use sync::Once;
use vfs::{Credentials, FileSystem, FileSystemType, Inode, MountRequest, Path, SuperBlock};

/// Writes the paragraph of /proc/cpuinfo about the CPU with a number.
pub type WriteCpuInfo = fn(index: usize, out: &mut dyn fmt::Write) -> fmt::Result;

static CPU_INFO: Once<WriteCpuInfo> = Once::new();
static COMMAND_LINE: Once<Vec<u8>> = Once::new();

/// Makes the type known to mount(2). What a CPU is, only the machine can tell.
pub fn init(write_cpuinfo: WriteCpuInfo) {
    CPU_INFO.call_once(|| write_cpuinfo);
    ::task::pidfd::set_directories(task::process_of_directory);
    vfs::filesystems::register(&ProcType);
}

/// Tells /proc/cmdline what the boot loader passed.
pub fn set_command_line(line: &[u8]) {
    COMMAND_LINE.call_once(|| line.to_vec());
}

/// Returns the device number of the one instance.
fn device() -> u64 {
    static DEVICE: Once<u64> = Once::new();
    *DEVICE.call_once(crate::anonymous_device)
}

/// The type `proc`.
struct ProcType;

impl FileSystemType for ProcType {
    fn name(&self) -> &'static str {
        "proc"
    }

    fn open(&self, _request: &MountRequest<'_>) -> Result<Arc<SuperBlock>, Errno> {
        static INSTANCE: Once<Arc<SuperBlock>> = Once::new();
        Ok(INSTANCE.call_once(|| SuperBlock::new(Arc::new(ProcFs))).clone())
    }
}

/// The file system.
struct ProcFs;

impl FileSystem for ProcFs {
    fn root(&self) -> Arc<dyn Inode> {
        Arc::new(root::Root)
    }

    fn name(&self) -> &'static str {
        "proc"
    }

    fn statfs(&self) -> Statfs {
        Statfs {
            f_type: PROC_SUPER_MAGIC,
            f_bsize: 4096,
            f_namelen: 255,
            f_frsize: 4096,
            ..Statfs::default()
        }
    }

    fn device(&self) -> u64 {
        device()
    }
}

/// Returns the identity of the running thread: reading a link, unlike following it, does not tell whose it
/// is.
fn reader() -> Arc<Credentials> {
    ::task::current().map_or_else(
        || Arc::new(Credentials::user(0, 0)),
        |thread| thread.credentials(),
    )
}

/// Returns a path as the running thread sees it.
fn path_bytes(path: &Path) -> Vec<u8> {
    let own_root = ::task::current().and_then(|thread| Some(thread.fs()?.lock().root.clone()));
    path.to_bytes(&own_root.unwrap_or_else(|| path.mount.root()))
}
