//! Formatting, as rustfmt has it.

use anyhow::Result;

use super::Session;
use crate::cargo;
use crate::process;

/// Checks every file of the workspace.
pub(super) fn check(session: &Session) -> Result<()> {
    process::run(cargo::host(session.paths.root(), "fmt").args(["--all", "--check"]))
}
