//! `cargo xtask run`: an interactive guest on the user's terminal.

use anyhow::{Result, bail};

use crate::arch::Arch;
use crate::build;
use crate::cargo::Profile;
use crate::cli::MachineOptions;
use crate::gdb;
use crate::guest_files::FileOptions;
use crate::initramfs;
use crate::packages::{self, Tool};
use crate::paths::Paths;
use crate::qemu::Console;

/// Whether the default files have Debian's static busybox and bash among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Debian {
    /// No.
    Absent,
    /// Yes.
    Added,
}

/// Whether QEMU waits for a debugger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Debugger {
    /// Starts at once.
    Absent,
    /// Waits.
    Awaited,
}

/// What shapes an interactive guest besides its machine and files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    /// Further programs.
    pub(crate) debian: Debian,
    /// What starts the guest.
    pub(crate) debugger: Debugger,
}

/// Sets everything up, builds, and runs the guest until it powers off.
pub(crate) fn run(
    paths: &Paths,
    arch: Arch,
    profile: Profile,
    options: &MachineOptions,
    files: &FileOptions,
    choice: Choice,
) -> Result<()> {
    packages::require(&[Tool::qemu_system(arch)])?;
    let artifacts = build::build(paths, arch, profile, options.kernel())?;
    let mut machine = options.machine(arch, &artifacts.kernel, Console::Terminal);
    // Kept until QEMU ends.
    let scratch = paths.scratch("run")?;
    let initramfs = scratch.path().join("initramfs.cpio");
    let default = || {
        let mut archive = artifacts.archive.clone();
        if choice.debian == Debian::Added {
            initramfs::add_debian_programs(&mut archive, paths, arch)?;
        }
        Ok(archive)
    };
    files.base(&artifacts, default)?.write(&initramfs)?;
    machine.initramfs = Some(initramfs);
    machine.append = format!("panic=-1 {}", machine.append);
    if choice.debugger == Debugger::Awaited {
        machine.extra = gdb::arguments();
        eprintln!("  waiting for: {}", gdb::invitation(arch, &artifacts.kernel_elf));
    }
    let status = machine.command().status()?;
    if !status.success() {
        bail!("{} ended with {status}", arch.qemu_system());
    }
    Ok(())
}
