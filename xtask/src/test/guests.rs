//! Guests of the tests: golden transcripts, boots by the documented QEMU command lines with archives made
//! for Linux, and boots that cannot work.

use std::fs;
use std::time::Duration;

use anyhow::{Result, bail};

use super::Session;
use super::images::{self, Image};
use super::report::Case;
use crate::arch::Arch;
use crate::archive::Archive;
use crate::exec::{self, End, Job};
use crate::expect::Expect;
use crate::frame::PANIC;
use crate::golden as transcripts;
use crate::guest::{Guest, Keyboard};
use crate::guest_files::Base;
use crate::qemu::{self, Machine};

const MEMORY_MIB: u32 = 512;
/// Generous, for slow and busy machines: it only ends what hangs.
const LIMIT: Duration = Duration::from_secs(300);

/// Runs a command in a guest with these files, and with `append` on the kernel's command line; returns its
/// output and how it ended.
pub(super) fn run(
    session: &Session,
    arch: Arch,
    archive: Archive,
    command: Vec<String>,
    append: &str,
    limit: Duration,
) -> Result<(String, End)> {
    let mut machine = Machine::new(arch, &session.artifacts(arch)?.kernel);
    machine.append = append.to_owned();
    let mut output = Vec::new();
    let job = Job {
        machine,
        base: Base::Archive(archive),
        command,
        limit,
    };
    let end = exec::run(&session.paths, job, &mut output)?;
    Ok((String::from_utf8_lossy(&output).into_owned(), end))
}

/// Boots to the prompt, powers off, and compares both transcripts.
pub(super) fn golden(session: &Session, arch: Arch, step: &str) -> Result<Vec<Case>> {
    let names = ["boot", "shutdown"];
    if !names
        .iter()
        .any(|name| session.filter.wants(&format!("{step}/{name}")))
    {
        return Ok(Vec::new());
    }
    let artifacts = session.artifacts(arch)?;
    let mut machine = Machine::new(arch, &artifacts.kernel);
    machine.initramfs = Some(artifacts.initramfs.clone());
    machine.append = "panic=-1".to_owned();
    let found = transcripts::session(&machine)?;
    let folder = session.paths.root().join("tests/golden");
    let texts = [found.boot, found.shutdown];
    let check = |(name, text): (&str, &String)| {
        let path = folder.join(format!("{name}-{arch}.log"));
        Case::of(
            format!("{step}/{name}"),
            transcripts::check(&path, text, session.golden),
        )
    };
    Ok(names.into_iter().zip(&texts).map(check).collect())
}

/// How a boot must go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// The kernel panics with one clear line that contains these words, and the machine ends.
    Panic(&'static str),
    /// The kernel panics for want of memory, or it needs so little that the prompt is reached.
    PanicOrPrompt,
    /// The guest prints these lines and powers off.
    Prints(&'static str),
}

/// One boot by a documented command line.
struct Boot {
    name: &'static str,
    image: Image,
    append: &'static str,
    memory_mib: u32,
    outcome: Outcome,
}

const fn bad(name: &'static str, image: Image) -> Boot {
    let outcome = Outcome::Panic("No working init found");
    Boot {
        name,
        image,
        append: "",
        memory_mib: MEMORY_MIB,
        outcome,
    }
}

const fn good(name: &'static str, image: Image, append: &'static str, text: &'static str) -> Boot {
    Boot {
        name,
        image,
        append,
        memory_mib: MEMORY_MIB,
        outcome: Outcome::Prints(text),
    }
}

const BOOTS: &[Boot] = &[
    bad("missing-initramfs", Image::Missing),
    bad("truncated-initramfs", Image::Truncated),
    bad("corrupt-initramfs", Image::CorruptHeader),
    bad("corrupt-gzip", Image::CorruptGzip),
    bad("no-init", Image::WithoutInit),
    bad("foreign-init", Image::ForeignInit),
    Boot {
        name: "16-mib",
        image: Image::Default,
        append: "",
        memory_mib: 16,
        outcome: Outcome::PanicOrPrompt,
    },
    Boot {
        name: "64-mib",
        image: Image::Busybox,
        append: "",
        memory_mib: 64,
        outcome: Outcome::Prints("init=/init second=absent word= arguments=\n"),
    },
    good(
        "busybox-init",
        Image::Busybox,
        "",
        "init=/init second=absent word= arguments=\n",
    ),
    good(
        "busybox-gzip",
        Image::BusyboxGzip,
        "",
        "init=/init second=absent word= arguments=\n",
    ),
    good(
        "busybox-joined",
        Image::BusyboxJoined,
        "",
        "init=/init second=present word= arguments=\n",
    ),
    good(
        "kernel-parameters",
        Image::Busybox,
        "rdinit=/other word=value -- one two",
        "init=/other second=absent word=value arguments=one two\n",
    ),
];

/// Boots every wanted row of the table.
pub(super) fn boots(session: &Session, arch: Arch, step: &str) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for boot in BOOTS {
        let name = format!("{step}/{}", boot.name);
        if session.filter.wants(&name) {
            cases.push(Case::of(name, try_boot(session, arch, boot)));
        }
    }
    Ok(cases)
}

fn try_boot(session: &Session, arch: Arch, boot: &Boot) -> Result<()> {
    let kernel = &session.artifacts(arch)?.kernel;
    let scratch = session.paths.scratch(boot.name)?;
    let file = scratch.path().join("initramfs.cpio");
    let command = match images::bytes(session, arch, boot.image)? {
        Some(bytes) => {
            fs::write(&file, bytes)?;
            qemu::documented(arch, kernel, Some(&file), boot.memory_mib, boot.append)
        }
        None => qemu::documented(arch, kernel, None, boot.memory_mib, boot.append),
    };
    let mut expect = Expect::new(Guest::start(command, Keyboard::Connected, LIMIT)?);
    match boot.outcome {
        Outcome::Prints(text) => prints(&expect.until_end()?, text),
        Outcome::Panic(reason) => panics(&expect.until_end()?, reason),
        Outcome::PanicOrPrompt => {
            let Err(early_end) = expect.wait_for(transcripts::PROMPT) else {
                return Ok(());
            };
            panics(&early_end.to_string(), "memory")
        }
    }
}

fn prints(console: &str, text: &str) -> Result<()> {
    if console.contains(text) {
        return Ok(());
    }
    bail!("no {text:?} in:\n{console}")
}

/// Checks that the kernel said once why it stopped, in words that a user understands.
fn panics(console: &str, words: &str) -> Result<()> {
    // Linux puts the time before a line, and repeats the reason in a line that ends its report.
    let reasons: Vec<&str> = console
        .lines()
        .filter(|line| !line.contains("---[ end"))
        .filter_map(|line| line.split_once(PANIC).map(|(_, reason)| reason))
        .collect();
    match reasons.as_slice() {
        [reason] if reason.contains(words) => Ok(()),
        _ => bail!("expected one line {PANIC:?} with {words:?}, in:\n{console}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_one_line_with_a_reason() {
        let good =
            "boot\nKernel panic - not syncing: no init\n---[ end Kernel panic - not syncing: no init ]---\n";
        panics(good, "no init").unwrap();
        assert!(panics(good, "memory").is_err());
        assert!(panics("no init\n", "no init").is_err());
        assert!(panics("Kernel panic - not syncing:\nno init\n", "no init").is_err());
        assert!(
            panics(
                "Kernel panic - not syncing: a\nKernel panic - not syncing: a\n",
                "a"
            )
            .is_err()
        );
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<&str> = BOOTS.iter().map(|boot| boot.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), BOOTS.len());
    }
}
