//! The lints of the workspace, where every warning is an error.

use anyhow::Result;

use super::Session;
use crate::arch::Arch;
use crate::build;
use crate::cargo;
use crate::process;

/// Checks what builds on the host, tests included.
pub(super) fn host(session: &Session) -> Result<()> {
    let mut command = cargo::host(session.paths.root(), "clippy");
    process::run(command.args(["--quiet", "--keep-going", "--all-targets", "--", "-D", "warnings"]))
}

/// Checks the kernel and userspace as they are built for a machine, with the crates below them.
pub(super) fn bare_metal(session: &Session, arch: Arch) -> Result<()> {
    let mut command = session.cargo(arch)?.command("clippy");
    command.args(["--quiet", "--keep-going", "--package", build::KERNEL]);
    for package in build::USERSPACE {
        command.args(["--package", package]);
    }
    process::run(command.args(["--", "-D", "warnings"]))
}
