//! From a running machine to the first process: file systems, devices, the initramfs, and who is process 1.

use alloc::sync::Arc;
use alloc::vec::Vec;

use drivers::console;
use fs::devfs::{self, Device};
use fs::tmpfs::{Options, TmpFs};
use hal::boot::BootInfo;
use hal::prelude::*;
use hal::{PhysAddr, PhysRange};
use los_abi::errno::Errno;
use los_abi::fs::{OpenFlags, make_device};
use los_arch::Current;
use mm::ForkPolicy;
use syscall::Power;
use task::exec::FirstProgram;
use tty::{OpenedAs, Terminal, TerminalFile};
use vfs::{At, Caller, Credentials, FileKind, FileOps, FsContext, Path};

use crate::command_line::CommandLine;
use crate::kmsg::{self, MessageDevice};
use crate::panic::kernel_panic;

/// Programs that are tried in order when the command line names none that can be executed.
const CANDIDATES: [&[u8]; 5] = [b"/init", b"/sbin/init", b"/etc/init", b"/bin/init", b"/bin/sh"];

/// Starts everything above memory and interrupts, and process 1. A step that fails leaves nothing to go on with.
#[inline(never)]
pub(crate) fn start_processes(boot: &BootInfo, command_line: CommandLine) {
    let result = connect(&command_line).and_then(|()| {
        let root = mount_root()?;
        log::info!("files: ready");
        unpack_initramfs(boot, &root);
        start_first_program(&root, command_line)
    });
    if let Err(errno) = result {
        kernel_panic(format_args!("start failed: {}", errno.message()));
    }
}

/// Connects the subsystems: each knows those below it only.
#[inline(never)]
fn connect(command_line: &CommandLine) -> Result<(), Errno> {
    task::sched::init()?;
    log::info!("scheduler: ready");
    if let Some(eager) = command_line.eager_fork {
        let policy = if eager {
            ForkPolicy::Eager
        } else {
            ForkPolicy::CopyOnWrite
        };
        task::clone::set_fork_policy(policy);
    }
    if command_line.no_random_maps {
        task::exec::set_randomization(0);
    }
    task::set_syscall_handler(syscall::dispatch);
    mm::user::set_relief(task::oom::make_room_for_kernel);
    syscall::set_power(act);
    devfs::random::init(seed);
    fs::init()?;
    fs::procfs::init(Current::write_cpuinfo);
    register_terminals()
}

/// Carries out reboot(2).
fn act(power: Power) {
    match power {
        Power::Off => {
            log::info!("reboot: Power down");
            Current::power_off()
        }
        Power::Restart => {
            log::info!("reboot: Restarting system");
            Current::reboot()
        }
        Power::Halt => {
            log::info!("reboot: System halted");
            Current::halt()
        }
    }
}

/// Fills bytes for the random number generator: from the processor, or else from the clocks.
fn seed(bytes: &mut [u8]) {
    if Current::hardware_random(bytes) {
        return;
    }
    let mut state = Current::monotonic_ns() ^ Current::wall_clock_seconds().rotate_left(32);
    for byte in bytes {
        // The low bits of the counter between two reads are what is least known.
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d) ^ Current::monotonic_ns();
        *byte = (state >> 56) as u8;
    }
}

/// The console under one of its names.
struct ConsoleNode {
    terminal: Arc<Terminal>,
    opened_as: OpenedAs,
}

impl Device for ConsoleNode {
    fn open(&self, flags: OpenFlags, _credentials: &Credentials) -> sync::Result<Arc<dyn FileOps>> {
        Ok(TerminalFile::open(&self.terminal, flags, self.opened_as))
    }
}

/// The caller's controlling terminal, whichever that is.
struct ControllingNode;

impl Device for ControllingNode {
    fn open(&self, _flags: OpenFlags, _credentials: &Credentials) -> sync::Result<Arc<dyn FileOps>> {
        let file = TerminalFile::open_controlling()?;
        Ok(file)
    }
}

fn register_terminals() -> Result<(), Errno> {
    // The serial line has the name and number that Linux gives it on this machine.
    let (name, rdev) = match Current::platform() {
        "aarch64" => ("ttyAMA0", make_device(204, 64)),
        _ => ("ttyS0", make_device(4, 64)),
    };
    let terminal = console::init(rdev);
    let node = |opened_as| {
        Arc::new(ConsoleNode {
            terminal: terminal.clone(),
            opened_as,
        })
    };
    let kind = FileKind::CharacterDevice;
    devfs::register("console", kind, make_device(5, 1), 0o600, node(OpenedAs::Console))?;
    devfs::register(name, kind, rdev, 0o620, node(OpenedAs::Itself))?;
    devfs::register("tty", kind, make_device(5, 0), 0o666, Arc::new(ControllingNode))?;
    devfs::register("kmsg", kind, kmsg::DEVICE, 0o644, Arc::new(MessageDevice))?;
    log::info!("console: {name}");
    Ok(())
}

fn mount_root() -> Result<Path, Errno> {
    let options = Options {
        mode: 0o755,
        ..Options::default()
    };
    Ok(vfs::ops::mount_root(TmpFs::new(&options)?))
}

/// Returns the kernel itself as a caller of file operations.
fn kernel_caller<'a>(credentials: &'a Credentials, root: &Path) -> Caller<'a> {
    Caller {
        credentials,
        root: root.clone(),
        cwd: root.clone(),
        umask: 0,
    }
}

#[inline(never)]
fn unpack_initramfs(boot: &BootInfo, root: &Path) {
    let Some(range) = boot.initramfs else {
        log::warn!("initramfs: the boot loader gave none");
        return;
    };
    let credentials = Credentials::root();
    let caller = kernel_caller(&credentials, root);
    let mut image = BootImage::new(boot, range);
    match fs::initramfs::unpack(&mut image, &caller) {
        Ok(summary) => {
            log::info!("initramfs: unpacked");
            log::debug!("initramfs: {summary:?}");
        }
        Err(error) => log::error!("Initramfs unpacking failed: {error}"),
    }
    image.release();
}

/// The initramfs where the boot loader put it. What was unpacked goes to the allocator on the way, so that a large
/// one is not in memory twice.
struct BootImage {
    /// What was not passed yet.
    left: PhysRange,
    /// The whole pages that the allocator does not have yet; none where something else lies on them.
    kept: PhysRange,
}

/// Bytes that are given to the allocator at once.
const RELEASED_BYTES: u64 = 1 << 20;

impl BootImage {
    fn new(boot: &BootInfo, range: PhysRange) -> Self {
        let start = range.start.checked_page_up().unwrap_or(range.end);
        let end = range.end.page_base().as_u64().max(start.as_u64());
        let mut kept = PhysRange {
            start,
            end: PhysAddr::new(end),
        };
        let others = [boot.device_tree, Some(boot.kernel)];
        if others.into_iter().flatten().any(|other| other.overlaps(&kept)) {
            kept.end = kept.start;
        }
        Self { left: range, kept }
    }

    /// Gives away the pages below an address that are still kept.
    fn release_below(&mut self, address: PhysAddr) {
        let end = address.page_base().as_u64().min(self.kept.end.as_u64());
        let released = PhysRange {
            start: self.kept.start,
            end: PhysAddr::new(end),
        };
        if !released.is_empty() {
            self.kept.start = released.end;
            // SAFETY: the range is RAM that was kept at start, the unpacked files are copies, and `rest` shows
            // only what lies behind.
            unsafe { mm::frames::release(released) };
        }
    }

    /// Gives away what is left.
    fn release(mut self) {
        self.left.start = self.left.end;
        self.release_below(self.left.end);
    }
}

impl fs::initramfs::Image for BootImage {
    fn rest(&self) -> &[u8] {
        let start = Current::direct_map(self.left.start);
        // SAFETY: the boot loader put `len` bytes there, `frames::init` keeps them from the allocator, the direct
        // map covers all RAM, and nothing writes to them until they are released, which needs `&mut self`.
        unsafe { core::slice::from_raw_parts(start, self.left.len() as usize) }
    }

    fn advance(&mut self, bytes: usize) {
        let passed = (bytes as u64).min(self.left.len());
        self.left.start = PhysAddr::new(self.left.start.as_u64() + passed);
        if self.left.start.as_u64().saturating_sub(self.kept.start.as_u64()) >= RELEASED_BYTES {
            self.release_below(self.left.start);
        }
    }
}

/// Makes process 1 with the console as its standard input, output and error.
#[inline(never)]
fn start_first_program(root: &Path, command_line: CommandLine) -> Result<(), Errno> {
    let fs = FsContext {
        root: root.clone(),
        cwd: root.clone(),
        umask: 0o022,
    };
    let mut environment: Vec<Vec<u8>> = Vec::from([b"HOME=/".to_vec(), b"TERM=linux".to_vec()]);
    for variable in command_line.init_environment {
        let name = variable.split(|&byte| byte == b'=').next().unwrap_or_default();
        environment.retain(|other| other.split(|&byte| byte == b'=').next() != Some(name));
        environment.push(variable);
    }
    let candidates = match command_line.ramdisk_init {
        Some(path) => Vec::from([path]),
        None => {
            let chosen = command_line.init;
            let (first, rest) = CANDIDATES.split_at(1);
            let fixed = |paths: &[&[u8]]| paths.iter().map(|path| path.to_vec()).collect::<Vec<_>>();
            [fixed(first), chosen.into_iter().collect(), fixed(rest)].concat()
        }
    };
    let console = open_console(root);
    log::info!("init: starting");
    task::exec::start_first_program(FirstProgram {
        candidates,
        arguments: command_line.init_arguments,
        environment,
        fs,
        console,
    })
}

/// Opens /dev/console, or the terminal itself where the initramfs has no such node.
fn open_console(root: &Path) -> Option<Arc<vfs::OpenFile>> {
    let credentials = Credentials::root();
    let caller = kernel_caller(&credentials, root);
    match vfs::ops::open(&caller, At::Cwd, b"/dev/console", OpenFlags::RDWR, 0) {
        Ok(file) => Some(file),
        Err(_) => {
            log::warn!("Warning: unable to open an initial console.");
            None
        }
    }
}
