//! Programs of the host that xtask calls, and the Debian packages that hold them.
//!
//! As root, missing ones are installed; otherwise the exact command is printed and xtask stops.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::arch::Arch;
use crate::process;
use crate::progress;

/// A program and the packages that bring it, with those that it needs and Debian only recommends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tool {
    program: &'static str,
    packages: &'static [&'static str],
}

impl Tool {
    /// The system emulator of a machine.
    pub(crate) fn qemu_system(arch: Arch) -> Self {
        let packages: &[&str] = match arch {
            // The network card that `virt` has unless told otherwise does not start without its ROM.
            Arch::Aarch64 => &["qemu-system-arm", "ipxe-qemu"],
            Arch::X86_64 => &["qemu-system-x86"],
        };
        Self {
            program: arch.qemu_system(),
            packages,
        }
    }

    /// The emulator that runs a machine's Linux programs on the host.
    pub(crate) fn qemu_user(arch: Arch) -> Self {
        Self {
            program: arch.qemu_user(),
            packages: &["qemu-user-static"],
        }
    }
}

/// Makes sure that every tool is there.
///
/// # Errors
/// Names the command to type when a tool is missing and the user is not root.
pub(crate) fn require(tools: &[Tool]) -> Result<()> {
    let missing = missing(tools);
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.into_iter().collect();
    if process::find("apt-get").is_none() {
        bail!(
            "please install the programs of Debian's packages {}",
            packages.join(", ")
        );
    }
    if !is_root()? {
        bail!(
            "some programs are missing; please type:\n  sudo apt-get update && sudo apt-get install -y \
             --no-install-recommends {}",
            packages.join(" ")
        );
    }
    progress::step(&format!("installing {}", packages.join(" ")), || {
        install(&packages)
    })?;
    match tools.iter().find(|tool| process::find(tool.program).is_none()) {
        Some(tool) => bail!(
            "{} is missing although {} is installed",
            tool.program,
            tool.packages.join(" and ")
        ),
        None => Ok(()),
    }
}

fn missing(tools: &[Tool]) -> BTreeSet<&'static str> {
    tools
        .iter()
        .filter(|tool| process::find(tool.program).is_none())
        .flat_map(|tool| tool.packages.iter().copied())
        .collect()
}

fn install(packages: &[&str]) -> Result<()> {
    let mut install = apt_get();
    // Recommended packages are not needed, and may conflict with what the host holds.
    install
        .args(["install", "-y", "--no-install-recommends"])
        .args(packages);
    if process::run(&mut install).is_ok() {
        return Ok(());
    }
    // The usual cause is that the package lists were never fetched, or are old.
    process::run(apt_get().arg("update"))?;
    process::run(&mut install)
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.arg("-q").env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn is_root() -> Result<bool> {
    let own = fs::metadata("/proc/self").context("looking for the user id in /proc/self")?;
    Ok(own.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_missing_programs_name_their_package_and_only_once() {
        let tools = [
            Tool {
                program: "sh",
                packages: &["dash"],
            },
            Tool {
                program: "no-such-program",
                packages: &["absent"],
            },
            Tool {
                program: "nor-this-one",
                packages: &["absent", "with-it"],
            },
        ];
        assert_eq!(missing(&tools), BTreeSet::from(["absent", "with-it"]));
    }

    #[test]
    fn present_tools_need_nothing() {
        require(&[Tool {
            program: "sh",
            packages: &["dash"],
        }])
        .unwrap();
    }
}
