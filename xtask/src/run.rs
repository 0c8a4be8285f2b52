//! `cargo xtask run`: an interactive guest on the user's terminal.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::arch::Arch;
use crate::build;
use crate::cargo::Profile;
use crate::cli::MachineOptions;
use crate::gdb;
use crate::initramfs;
use crate::packages::{self, Tool};
use crate::paths::Paths;
use crate::qemu::Console;

/// What the guest finds in its initramfs.
#[derive(Clone, Debug)]
pub(crate) enum Files {
    /// The default.
    Default,
    /// The default with Debian's busybox and bash.
    WithDebian,
    /// A file of the user's.
    File(PathBuf),
}

/// Whether QEMU waits for a debugger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Debugger {
    /// Starts at once.
    Absent,
    /// Waits.
    Awaited,
}

/// Sets everything up, builds, and runs the guest until it powers off.
pub(crate) fn run(
    paths: &Paths,
    arch: Arch,
    profile: Profile,
    options: &MachineOptions,
    files: Files,
    debugger: Debugger,
) -> Result<()> {
    packages::require(&[Tool::qemu_system(arch)])?;
    let artifacts = build::build(paths, arch, profile, options.kernel())?;
    let mut machine = options.machine(arch, &artifacts.kernel, Console::Terminal);
    // Kept until QEMU ends.
    let scratch = paths.scratch("run")?;
    machine.initramfs = Some(match files {
        Files::Default => artifacts.initramfs,
        Files::File(path) => path,
        Files::WithDebian => {
            let mut archive = artifacts.archive;
            initramfs::add_debian_programs(&mut archive, paths, arch)?;
            let path = scratch.path().join("initramfs.cpio");
            std::fs::write(&path, archive.to_newc()?)?;
            path
        }
    });
    machine.append = format!("panic=-1 {}", machine.append);
    if debugger == Debugger::Awaited {
        machine.extra = gdb::arguments();
        eprintln!("  waiting for: {}", gdb::invitation(arch, &artifacts.kernel_elf));
    }
    let status = machine.command().status()?;
    if !status.success() {
        bail!("{} ended with {status}", arch.qemu_system());
    }
    Ok(())
}
