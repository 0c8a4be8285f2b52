//! QEMU command lines.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::arch::Arch;
use crate::process;

/// RAM in MiB where nobody asks for more.
const DEFAULT_MIB: u64 = 512;
/// RAM in MiB for programs beside the files of a large initramfs.
const PROGRAMS_MIB: u64 = 384;

/// What the guest's serial console is connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Console {
    /// The user's terminal; Ctrl-A X quits, Ctrl-C goes to the guest.
    Terminal,
    /// Standard input and output as they are.
    Plain,
}

/// A virtual machine to start.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    /// The architecture.
    pub(crate) arch: Arch,
    /// The boot image.
    pub(crate) kernel: PathBuf,
    /// The initramfs, if any.
    pub(crate) initramfs: Option<PathBuf>,
    /// The kernel command line behind `console=`.
    pub(crate) append: String,
    /// RAM in MiB, when not as much as the initramfs needs.
    pub(crate) memory_mib: Option<u32>,
    /// Number of processors.
    pub(crate) smp: u32,
    /// QEMU's `-cpu`, when not the default.
    pub(crate) cpu: Option<String>,
    /// QEMU's `-machine`, when not the default.
    pub(crate) board: Option<String>,
    /// Where the console goes.
    pub(crate) console: Console,
    /// Further arguments of QEMU.
    pub(crate) extra: Vec<String>,
}

impl Machine {
    /// Returns a machine with one processor, nothing on its command line, and the defaults.
    pub(crate) fn new(arch: Arch, kernel: &Path) -> Self {
        Self {
            arch,
            kernel: kernel.to_path_buf(),
            initramfs: None,
            append: String::new(),
            memory_mib: None,
            smp: 1,
            cpu: None,
            board: None,
            console: Console::Plain,
            extra: Vec::new(),
        }
    }

    /// Returns the command that boots it. There are no default devices and no display, so that firmware
    /// stays silent and the console carries only what the guest prints.
    pub(crate) fn command(&self) -> Command {
        let mut command = bounded_by_parent(self.arch.qemu_system());
        command
            .args(["-machine", self.board.as_deref().unwrap_or(self.arch.board())])
            .args(["-cpu", self.cpu.as_deref().unwrap_or(self.arch.cpu())])
            .args(["-m", &self.memory().to_string()])
            .args(["-smp", &self.smp.to_string()])
            .args(["-nodefaults", "-display", "none", "-no-reboot"]);
        match self.console {
            Console::Terminal => command.args(["-serial", "mon:stdio"]),
            Console::Plain => command.args(["-serial", "stdio", "-monitor", "none"]),
        };
        command.arg("-kernel").arg(&self.kernel);
        if let Some(initramfs) = &self.initramfs {
            command.arg("-initrd").arg(initramfs);
        }
        let append = format!("console={} {}", self.arch.console(), self.append);
        command.args(["-append", append.trim_end()]).args(&self.extra);
        command
    }

    /// Returns the RAM in MiB: by default room for the initramfs, for its unpacked files and for programs.
    fn memory(&self) -> u64 {
        if let Some(memory_mib) = self.memory_mib {
            return memory_mib.into();
        }
        let initramfs = self.initramfs.as_ref().and_then(|path| fs::metadata(path).ok());
        let mib = initramfs.map_or(0, |found| found.len() >> 20);
        (PROGRAMS_MIB + 2 * mib).max(DEFAULT_MIB)
    }
}

/// Returns the command line that boots Linux and Levitate alike, word for word as the documentation
/// gives it, with `append` behind its kernel command line.
pub(crate) fn documented(
    arch: Arch,
    kernel: &Path,
    initramfs: Option<&Path>,
    memory_mib: u32,
    append: &str,
) -> Command {
    let mut command = bounded_by_parent(arch.qemu_system());
    if arch == Arch::Aarch64 {
        command.args(["-machine", "virt", "-cpu", "cortex-a72"]);
    }
    command
        .args([
            "-m",
            &memory_mib.to_string(),
            "-nographic",
            "-no-reboot",
            "-kernel",
        ])
        .arg(kernel);
    if let Some(initramfs) = initramfs {
        command.arg("-initrd").arg(initramfs);
    }
    let append = format!("console={} quiet panic=-1 {append}", arch.console());
    command.args(["-append", append.trim_end()]);
    command
}

/// Returns a command that the system ends when xtask ends, however that happens (prctl(2),
/// PR_SET_PDEATHSIG). setpriv(1) replaces itself by the program, so the process is still our child.
fn bounded_by_parent(program: &str) -> Command {
    if process::find("setpriv").is_none() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", program]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(arch: Arch) -> Machine {
        Machine {
            initramfs: Some("i".into()),
            append: "quiet".to_owned(),
            ..Machine::new(arch, Path::new("k"))
        }
    }

    #[test]
    fn machines_have_their_defaults() {
        let line = process::line(&machine(Arch::X86_64).command());
        assert!(
            line.contains("qemu-system-x86_64 -machine q35 -cpu max,-cx16 -m 512 -smp 1"),
            "{line}"
        );
        assert!(
            line.ends_with("-kernel k -initrd i -append 'console=ttyS0 quiet'"),
            "{line}"
        );
        let line = process::line(&machine(Arch::Aarch64).command());
        assert!(
            line.contains("qemu-system-aarch64 -machine virt -cpu max"),
            "{line}"
        );
    }

    #[test]
    fn options_replace_defaults() {
        let other = Machine {
            cpu: Some("cortex-a72".to_owned()),
            board: Some("virt,gic-version=3".to_owned()),
            initramfs: None,
            append: String::new(),
            ..machine(Arch::Aarch64)
        };
        let line = process::line(&other.command());
        assert!(
            line.contains("-machine virt,gic-version=3 -cpu cortex-a72"),
            "{line}"
        );
        assert!(
            !line.contains("-initrd") && line.ends_with("-append console=ttyAMA0"),
            "{line}"
        );
    }

    #[test]
    fn the_documented_line_is_literal() {
        let line = process::line(&documented(
            Arch::X86_64,
            Path::new("K"),
            Some(Path::new("A")),
            512,
            "",
        ));
        assert!(line.ends_with(
            "qemu-system-x86_64 -m 512 -nographic -no-reboot -kernel K -initrd A \
             -append 'console=ttyS0 quiet panic=-1'"
        ));
        let line = process::line(&documented(
            Arch::Aarch64,
            Path::new("K"),
            Some(Path::new("A")),
            512,
            "a=b",
        ));
        assert!(line.ends_with(
            "qemu-system-aarch64 -machine virt -cpu cortex-a72 -m 512 -nographic -no-reboot \
             -kernel K -initrd A -append 'console=ttyAMA0 quiet panic=-1 a=b'"
        ));
    }
}
