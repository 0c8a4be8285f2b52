//! The conformance program: every case passes on Linux first, then on Levitate.
//!
//! `conformance --list` prints the names of its cases; `conformance NAME...` prints for each of them
//! `ok NAME`, `not ok NAME: why` or `skip NAME: why` on a line of its own. The word `--qemu-user` before the
//! names skips what QEMU's user mode answers differently from Linux.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::Session;
use super::guests;
use super::report::{Case, Verdict};
use crate::arch::Arch;
use crate::exec::End;
use crate::initramfs;
use crate::packages::{self, Tool};
use crate::process;

const PROGRAM: &str = "conformance";
/// Generous, for slow and busy machines: it only ends what hangs. A case that hangs shows as the one that the output
/// ends at.
const LIMIT: Duration = Duration::from_secs(1200);
const LIMIT_SECONDS: &str = "1200";

/// Runs the wanted cases on the host's Linux, under an emulator for the other machine.
pub(super) fn on_linux(session: &Session, arch: Arch, step: &str) -> Result<Vec<Case>> {
    let wanted = wanted(session, arch, step)?;
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let program = initramfs::executable(session.programs(arch)?, PROGRAM)?;
    let scratch = session.paths.scratch("conformance")?;
    let emulator = emulator(arch)?;
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after=5", LIMIT_SECONDS])
        .args(&emulator)
        .arg(program);
    if !emulator.is_empty() {
        command.arg("--qemu-user");
    }
    command.args(&wanted);
    // A file of its own, since some cases call everything on every descriptor: as root, they would change
    // the permissions of the host's /dev/null.
    let input = scratch.path().join("input");
    fs::write(&input, "")?;
    let output = command
        .current_dir(scratch.path())
        .stdin(fs::File::open(&input)?)
        .output()
        .with_context(|| format!("starting {}", process::line(&command)))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let end = match output.status.code() {
        Some(124) => "it did not end in time".to_owned(),
        _ => format!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr)),
    };
    Ok(cases(&text, &wanted, step, &end))
}

/// Runs the wanted cases in one guest.
pub(super) fn on_levitate(session: &Session, arch: Arch, step: &str) -> Result<Vec<Case>> {
    in_guest(session, arch, step, wanted(session, arch, step)?, "")
}

/// Runs the wanted cases about processes and memory in one guest whose fork copies everything at once.
pub(super) fn with_eager_fork(session: &Session, arch: Arch, step: &str) -> Result<Vec<Case>> {
    let mut wanted = wanted(session, arch, step)?;
    wanted.retain(|name| name.starts_with("processes::") || name.starts_with("memory::"));
    in_guest(session, arch, step, wanted, "fork=eager")
}

fn in_guest(
    session: &Session,
    arch: Arch,
    step: &str,
    wanted: Vec<String>,
    append: &str,
) -> Result<Vec<Case>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut command = vec![format!("/bin/{PROGRAM}")];
    command.extend(wanted.iter().cloned());
    let (text, end) = guests::run(
        session,
        arch,
        session.archive(arch)?.clone(),
        command,
        append,
        LIMIT,
    )?;
    let end = match end {
        End::Status(status) => format!("exit status {status}"),
        End::Panic(words) => words,
        End::TimedOut => "the guest did not end in time".to_owned(),
        End::Lost(boot) => format!("the guest ended too early\n{boot}"),
    };
    Ok(cases(&text, &wanted, step, &end))
}

/// Lists the cases that the user wants, from the program itself.
fn wanted(session: &Session, arch: Arch, step: &str) -> Result<Vec<String>> {
    let program = initramfs::executable(session.programs(arch)?, PROGRAM)?;
    let mut command = program_command(&emulator(arch)?, program);
    let list = process::capture(command.arg("--list"))?;
    let names = list
        .lines()
        .filter(|name| session.filter.wants(&format!("{step}/{name}")));
    Ok(names.map(str::to_owned).collect())
}

fn emulator(arch: Arch) -> Result<Vec<&'static str>> {
    if arch.is_native() {
        return Ok(Vec::new());
    }
    packages::require(&[Tool::qemu_user(arch)])?;
    Ok(vec![arch.qemu_user()])
}

fn program_command(emulator: &[&str], program: &Path) -> Command {
    match emulator.first() {
        None => Command::new(program),
        Some(emulator) => {
            let mut command = Command::new(emulator);
            command.arg(program);
            command
        }
    }
}

/// Reads the verdicts. A wanted case without one has failed: the program ended, `end` says how, or the
/// machine did.
fn cases(text: &str, wanted: &[String], step: &str, end: &str) -> Vec<Case> {
    let verdicts: Vec<(&str, Verdict)> = text.lines().filter_map(verdict).collect();
    let mut cases = Vec::new();
    for name in wanted {
        let verdict = verdicts
            .iter()
            .rev()
            .find(|(found, _)| found == name)
            .map_or_else(
                || Verdict::Failed(format!("no verdict: {end}")),
                |(_, verdict)| verdict.clone(),
            );
        cases.push(Case {
            name: format!("{step}/{name}"),
            verdict,
        });
    }
    cases
}

fn verdict(line: &str) -> Option<(&str, Verdict)> {
    let split = |rest| {
        str::split_once(rest, ": ").map_or((rest, String::new()), |(name, why)| (name, why.to_owned()))
    };
    if let Some(name) = line.strip_prefix("ok ") {
        return Some((name, Verdict::Passed));
    }
    if let Some(rest) = line.strip_prefix("not ok ") {
        let (name, why) = split(rest);
        return Some((name, Verdict::Failed(why)));
    }
    let (name, why) = split(line.strip_prefix("skip ")?);
    Some((name, Verdict::Skipped(why)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_read_and_missing_ones_fail() {
        let text = "ok fork\nnoise of a child\nnot ok exec: ENOENT: no file\nskip mount: not root\n";
        let wanted = ["fork", "exec", "mount", "later"].map(str::to_owned);
        let expected = [
            Case::passed("s/fork"),
            Case::failed("s/exec", "ENOENT: no file"),
            Case::skipped("s/mount", "not root"),
            Case::failed("s/later", "no verdict: it crashed"),
        ];
        assert_eq!(cases(text, &wanted, "s", "it crashed"), expected);
    }

    #[test]
    fn nothing_passes_that_was_not_asked_for() {
        assert!(cases("ok other\n1 passed, 0 failed\n", &[], "s", "").is_empty());
    }
}
