//! Guests of the tests: golden transcripts, boots by the documented QEMU command lines with archives made
//! for Linux, and boots that cannot work.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::Session;
use super::report::Case;
use crate::arch::Arch;
use crate::archive::{Archive, Content};
use crate::exec::{self, Base, End, Job};
use crate::expect::Expect;
use crate::frame::PANIC;
use crate::golden as transcripts;
use crate::guest::{Guest, Keyboard};
use crate::initramfs;
use crate::qemu::{self, Console, Machine};

const MEMORY_MIB: u32 = 512;
const LIMIT: Duration = Duration::from_secs(60);

/// Runs a command in a guest with these files; returns its output and how it ended.
pub(super) fn run(
    session: &Session,
    arch: Arch,
    archive: Archive,
    command: Vec<String>,
    limit: Duration,
) -> Result<(String, End)> {
    let machine = machine(arch, &session.artifacts(arch)?.kernel);
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
    let mut machine = machine(arch, &artifacts.kernel);
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

fn machine(arch: Arch, kernel: &Path) -> Machine {
    Machine {
        arch,
        kernel: kernel.to_path_buf(),
        initramfs: None,
        append: String::new(),
        memory_mib: MEMORY_MIB,
        smp: 1,
        cpu: None,
        board: None,
        console: Console::Plain,
        extra: Vec::new(),
    }
}

/// An initramfs to boot from, made of the default one or of Debian's busybox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Image {
    Default,
    Missing,
    Truncated,
    CorruptHeader,
    CorruptGzip,
    WithoutInit,
    ForeignInit,
    Busybox,
    BusyboxGzip,
    BusyboxJoined,
}

/// How a boot must go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// The kernel panics with one clear line, and the machine ends.
    Panic,
    /// Like `Panic`, or the prompt is reached: what the amount of RAM allows.
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
    Boot {
        name,
        image,
        append: "",
        memory_mib: MEMORY_MIB,
        outcome: Outcome::Panic,
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

/// The first program of the busybox images.
const BUSYBOX_INIT: &str = "#!/bin/busybox sh\n\
    second=absent\n\
    [ -f /etc/second ] && second=$(busybox cat /etc/second)\n\
    echo \"init=$0 second=$second word=$word arguments=$*\"\n\
    busybox poweroff -f\n";

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
    let command = match image(session, arch, boot.image)? {
        Some(bytes) => {
            fs::write(&file, bytes)?;
            qemu::documented(arch, kernel, Some(&file), boot.memory_mib, boot.append)
        }
        None => qemu::documented(arch, kernel, None, boot.memory_mib, boot.append),
    };
    let mut expect = Expect::new(Guest::start(command, Keyboard::Connected, LIMIT)?);
    match boot.outcome {
        Outcome::Prints(text) => prints(&expect.until_end()?, text),
        Outcome::Panic => panics(&expect.until_end()?),
        Outcome::PanicOrPrompt => {
            let Err(early_end) = expect.wait_for(transcripts::PROMPT) else {
                return Ok(());
            };
            panics(&early_end.to_string())
        }
    }
}

fn prints(console: &str, text: &str) -> Result<()> {
    if console.contains(text) {
        return Ok(());
    }
    bail!("no {text:?} in:\n{console}")
}

/// Checks that the kernel said once, and in words, why it stopped.
fn panics(console: &str) -> Result<()> {
    // Linux puts the time before a line, and repeats the reason in a line that ends its report.
    let reasons: Vec<&str> = console
        .lines()
        .filter(|line| !line.contains("---[ end"))
        .filter_map(|line| line.split_once(PANIC).map(|(_, reason)| reason))
        .collect();
    match reasons.as_slice() {
        [reason] if !reason.trim().is_empty() => Ok(()),
        _ => bail!("expected one line {PANIC:?} with a reason, in:\n{console}"),
    }
}

fn image(session: &Session, arch: Arch, image: Image) -> Result<Option<Vec<u8>>> {
    let default = || session.artifacts(arch).map(|artifacts| &artifacts.archive);
    Ok(Some(match image {
        Image::Missing => return Ok(None),
        Image::Default => default()?.to_newc()?,
        Image::Truncated => truncated(default()?.to_newc()?),
        Image::CorruptHeader => corrupt_header(default()?.to_newc()?)?,
        Image::CorruptGzip => corrupt_gzip(gzip(&default()?.to_newc()?)?),
        Image::WithoutInit => without_init()?.to_newc()?,
        Image::ForeignInit => foreign_init(default()?, arch)?.to_newc()?,
        Image::Busybox => busybox(session, arch)?.to_newc()?,
        Image::BusyboxGzip => gzip(&busybox(session, arch)?.to_newc()?)?,
        Image::BusyboxJoined => joined(&busybox(session, arch)?)?,
    }))
}

fn truncated(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() / 2);
    bytes
}

/// Damages the magic number of the second entry.
fn corrupt_header(mut bytes: Vec<u8>) -> Result<Vec<u8>> {
    let magic = b"070701";
    let second = bytes[magic.len()..]
        .windows(magic.len())
        .position(|window| window == magic)
        .context("the initramfs has one entry only")?;
    bytes[2 * magic.len() + second - 1] = b'x';
    Ok(bytes)
}

/// Damages the compressed data in its middle.
fn corrupt_gzip(mut bytes: Vec<u8>) -> Vec<u8> {
    let middle = bytes.len() / 2;
    let end = bytes.len().min(middle + 64);
    bytes[middle..end].iter_mut().for_each(|byte| *byte ^= 0xa5);
    bytes
}

fn without_init() -> Result<Archive> {
    let mut archive = Archive::default();
    archive.insert("/etc/hostname", 0o644, Content::File(b"nobody\n".to_vec()))?;
    Ok(archive)
}

/// Returns an archive whose only program claims to be the other machine's.
fn foreign_init(default: &Archive, arch: Arch) -> Result<Archive> {
    let mut init = default
        .file("/init")
        .context("the initramfs has no /init")?
        .to_vec();
    let machine = init.get_mut(18..20).context("/init is too short")?;
    machine.copy_from_slice(&arch.other().elf_machine().to_le_bytes());
    let mut archive = Archive::default();
    archive.insert("/init", 0o755, Content::File(init))?;
    Ok(archive)
}

fn busybox(session: &Session, arch: Arch) -> Result<Archive> {
    let mut archive = Archive::default();
    for (name, path) in initramfs::debian_programs(&session.paths, arch)? {
        if name == "busybox" {
            archive.insert_program("/bin/busybox", &path)?;
        }
    }
    let console = Content::CharacterDevice { major: 5, minor: 1 };
    archive.insert("/dev/console", 0o600, console)?;
    for init in ["/init", "/other"] {
        archive.insert(init, 0o755, Content::File(BUSYBOX_INIT.as_bytes().to_vec()))?;
    }
    Ok(archive)
}

/// Joins a plain archive and a compressed one, as distributions do with microcode.
fn joined(first: &Archive) -> Result<Vec<u8>> {
    let mut second = Archive::default();
    second.insert("/etc/second", 0o644, Content::File(b"present\n".to_vec()))?;
    let mut bytes = first.to_newc()?;
    bytes.extend(gzip(&second.to_newc()?)?);
    Ok(bytes)
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Archive {
        let mut archive = Archive::default();
        archive
            .insert(
                "/init",
                0o755,
                Content::File(b"\x7fELF\x02\x01\x01 rest of the header".to_vec()),
            )
            .unwrap();
        archive
    }

    #[test]
    fn damage_is_where_it_should_be() {
        let mut archive = sample();
        archive.insert("/z", 0o755, Content::Directory).unwrap();
        let good = archive.to_newc().unwrap();
        let bad = corrupt_header(good.clone()).unwrap();
        let differing: Vec<usize> = (0..good.len()).filter(|&at| good[at] != bad[at]).collect();
        assert_eq!(differing.len(), 1);
        assert_eq!(&good[differing[0] - 5..=differing[0]], b"070701");
        assert_ne!(differing[0], 5);
        let packed = gzip(&good).unwrap();
        assert_eq!(
            corrupt_gzip(packed.clone())[..packed.len() / 2],
            packed[..packed.len() / 2]
        );
        assert_ne!(corrupt_gzip(packed.clone()), packed);
    }

    #[test]
    fn a_foreign_init_differs_in_its_machine_alone() {
        let foreign = foreign_init(&sample(), Arch::X86_64).unwrap();
        assert_eq!(foreign.file("/init").unwrap()[18..20], 183u16.to_le_bytes());
    }

    #[test]
    fn a_panic_is_one_line_with_a_reason() {
        panics(
            "boot\nKernel panic - not syncing: no init\n---[ end Kernel panic - not syncing: no init ]---\n",
        )
        .unwrap();
        assert!(panics("boot\n").is_err());
        assert!(panics("Kernel panic - not syncing:\n").is_err());
        assert!(panics("Kernel panic - not syncing: a\nKernel panic - not syncing: b\n").is_err());
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<&str> = BOOTS.iter().map(|boot| boot.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), BOOTS.len());
    }
}
