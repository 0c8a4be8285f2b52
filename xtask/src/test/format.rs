//! Formatting, as rustfmt has it.

use anyhow::{Context, Result};

use super::Session;
use crate::cargo;
use crate::process;

/// Checks every file of the workspace.
pub(super) fn check(session: &Session) -> Result<()> {
    let mut command = cargo::host(session.paths.root(), "fmt");
    command.args(["--all", "--", "--check", "--color=never", "--files-with-diff"]);
    process::run(&mut command).context("cargo fmt would change these files")
}
