//! Calls of cargo for the bare-metal targets, and for the host.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use cargo_metadata::Message;

use crate::arch::Arch;
use crate::paths::Paths;
use crate::toolchain;

/// How much the compiler optimises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Optimised, as users run it.
    Release,
    /// Quick to build, with debug assertions.
    Debug,
}

/// Programs by the name of their executable.
pub(crate) type Programs = BTreeMap<String, PathBuf>;

/// Cargo, set up for one machine's bare-metal target.
#[derive(Clone, Debug)]
pub(crate) struct BareMetal {
    root: PathBuf,
    target_folder: PathBuf,
    arch: Arch,
    sysroot: Option<PathBuf>,
}

impl BareMetal {
    /// Finds or builds the target's core library.
    pub(crate) fn new(paths: &Paths, arch: Arch) -> Result<Self> {
        Ok(Self {
            root: paths.root().to_path_buf(),
            target_folder: paths.target().to_path_buf(),
            arch,
            sysroot: toolchain::sysroot(paths, arch)?,
        })
    }

    /// Returns `cargo SUBCOMMAND` for the target. Its flags are those of `.cargo/config.toml` plus the
    /// sysroot, whatever the environment says.
    pub(crate) fn command(&self, subcommand: &str) -> Command {
        let mut command = host(&self.root, subcommand);
        forget_flags(&mut command, self.arch);
        command
            .args(["--target", self.arch.target()])
            .env("CARGO_TARGET_DIR", &self.target_folder);
        if let Some(sysroot) = &self.sysroot {
            command.arg("--config").arg(sysroot_setting(self.arch, sysroot));
        }
        command
    }

    /// Builds packages and returns their executables, as cargo names them.
    pub(crate) fn build(&self, profile: Profile, packages: &[&str]) -> Result<Programs> {
        let mut command = self.command("build");
        command.args(["--quiet", "--message-format=json-render-diagnostics"]);
        if profile == Profile::Release {
            command.arg("--release");
        }
        for package in packages {
            command.args(["--package", package]);
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().context("cargo has no standard output")?;
        let programs = executables(BufReader::new(output))?;
        let status = child.wait()?;
        if !status.success() {
            bail!("building {} for {} failed", packages.join(", "), self.arch);
        }
        Ok(programs)
    }
}

/// Returns `cargo SUBCOMMAND` in the workspace, for the host.
pub(crate) fn host(root: &Path, subcommand: &str) -> Command {
    let mut command = Command::new(program());
    command.current_dir(root).arg(subcommand);
    command
}

/// Returns the cargo that started xtask, else the one on `PATH`.
pub(crate) fn program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"))
}

/// Removes compiler flags of the environment: they are meant for the user's own host programs, replace
/// or extend those of `.cargo/config.toml`, and could name another sysroot.
pub(crate) fn forget_flags(command: &mut Command, arch: Arch) {
    let own = format!(
        "CARGO_TARGET_{}_RUSTFLAGS",
        arch.target().to_uppercase().replace('-', "_")
    );
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_RUSTFLAGS",
        own.as_str(),
    ] {
        command.env_remove(name);
    }
}

/// Returns the TOML line for `--config`, which cargo appends to the flags of `.cargo/config.toml`.
fn sysroot_setting(arch: Arch, sysroot: &Path) -> String {
    let path = toml::Value::String(sysroot.display().to_string());
    format!("target.{}.rustflags=[\"--sysroot\", {path}]", arch.target())
}

fn executables(messages: impl std::io::BufRead) -> Result<Programs> {
    let mut programs = Programs::new();
    for message in Message::parse_stream(messages) {
        if let Message::CompilerArtifact(artifact) = message?
            && let Some(path) = artifact.executable
        {
            programs.insert(artifact.target.name, path.into_std_path_buf());
        }
    }
    Ok(programs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sysroot_setting_is_toml() {
        let setting = sysroot_setting(Arch::X86_64, Path::new("/a \"b\"/sysroot"));
        let table: toml::Table = setting.parse().unwrap();
        let flags = table["target"]["x86_64-unknown-none"]["rustflags"]
            .as_array()
            .unwrap();
        assert_eq!(flags[1].as_str(), Some("/a \"b\"/sysroot"));
    }

    #[test]
    fn flags_of_the_environment_are_dropped() {
        let mut command = Command::new("cargo");
        forget_flags(&mut command, Arch::Aarch64);
        let removed = "CARGO_TARGET_AARCH64_UNKNOWN_NONE_SOFTFLOAT_RUSTFLAGS";
        assert!(
            command
                .get_envs()
                .any(|(name, value)| name == removed && value.is_none())
        );
    }
}
