//! Scripts of `tests/guest`, which Debian's own programs run: `NAME.sh` by busybox's shell, `NAME.bash` by
//! bash. What a script prints must be `NAME.expected`, and its status 0.
//!
//! `tests/guest/debian` holds scripts for Debian's dynamic programs, which run in a root file system made of
//! its packages, all by that system's bash.
//!
//! A script whose output is the same on every machine also runs on the host's Linux, with the same
//! programs, and `--update-golden` writes what they print there. One that speaks of the guest says so with
//! a line `# guest-only`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use super::Session;
use super::guests;
use super::report::Case;
use crate::arch::Arch;
use crate::archive::{Archive, Content};
use crate::exec::{self, End};
use crate::golden::{self, Golden};
use crate::guest_files;
use crate::initramfs;
use crate::process;
use crate::rootfs;

/// Where the guest finds the scripts.
const GUEST_FOLDER: &str = "/tests";
/// Generous, for slow and busy machines: it only ends what hangs.
const LIMIT: Duration = Duration::from_secs(1200);
const LIMIT_SECONDS: &str = "600";
const GUEST_ONLY: &str = "# guest-only";
/// The folders of the scripts for static programs and for Debian's dynamic ones.
const STATIC: &str = "tests/guest";
const DYNAMIC: &str = "tests/guest/debian";
/// What the scripts for dynamic programs need.
const PACKAGES: [&str; 31] = [
    "attr",
    "bash",
    "coreutils",
    "dash",
    "debianutils",
    "diffutils",
    "fd-find",
    "findutils",
    "fzf",
    "gawk",
    "gcc",
    "grep",
    "gron",
    "gzip",
    "hostname",
    "libc-bin",
    "libc6-dev",
    "libcap2-bin",
    "mawk",
    "musl",
    "musl-dev",
    "perl-base",
    "procps",
    "python3",
    "ripgrep",
    "sed",
    "sqlite3",
    "stress-ng",
    "tar",
    "tcc",
    "util-linux",
];

/// One script with what it must print.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Script {
    /// The file's name.
    file: String,
    text: String,
    expected: String,
    expected_path: PathBuf,
}

impl Script {
    fn interpreter(&self) -> &'static str {
        if self.file.ends_with(".bash") {
            "bash-static"
        } else {
            "busybox sh"
        }
    }

    fn is_guest_only(&self) -> bool {
        self.text.lines().any(|line| line.trim() == GUEST_ONLY)
    }

    fn judge(&self, step: &str, found: Option<(&str, u8)>, end: &str) -> Case {
        let name = format!("{step}/{}", self.file);
        let Some((output, status)) = found else {
            return Case::failed(name, end);
        };
        if let Some(difference) = golden::difference(&self.expected, output) {
            return Case::failed(name, format!("line {difference}\n--- it printed:\n{output}"));
        }
        match status {
            0 => Case::passed(name),
            status => Case::failed(name, format!("exit status {status}")),
        }
    }
}

/// Runs the wanted scripts on the host, in a folder of their own each.
pub(super) fn on_linux(session: &Session, arch: Arch, step: &str) -> Result<Vec<Case>> {
    let scripts = wanted(session, step, STATIC)?;
    if scripts.iter().all(Script::is_guest_only) {
        return Ok(Vec::new());
    }
    let scratch = session.paths.scratch("scripts")?;
    let programs = scratch.path().join("bin");
    fs::create_dir_all(&programs)?;
    for (name, path) in initramfs::debian_programs(&session.paths, arch)? {
        symlink(&path, programs.join(name))?;
    }
    symlink("bash-static", programs.join("bash"))?;
    let mut cases = Vec::new();
    for script in scripts.iter().filter(|script| !script.is_guest_only()) {
        let folder = scratch.path().join(&script.file);
        fs::create_dir_all(&folder)?;
        let file = scratch.path().join(format!("{}.script", script.file));
        fs::write(&file, &script.text)?;
        cases.push(on_host(script, step, &file, &folder, &programs, session.golden)?);
    }
    Ok(cases)
}

fn on_host(
    script: &Script,
    step: &str,
    file: &Path,
    folder: &Path,
    programs: &Path,
    golden: Golden,
) -> Result<Case> {
    let line = format!("exec {} {} 2>&1", script.interpreter(), file.display());
    // By its full path, since the script's own PATH holds nothing of the host.
    let timeout = process::find("timeout").context("the host has no timeout(1)")?;
    let output = Command::new(timeout)
        .args(["--kill-after=5", LIMIT_SECONDS, "/bin/sh", "-c", &line])
        .current_dir(folder)
        .env_clear()
        .env("PATH", programs)
        .stdin(Stdio::null())
        .output()
        .context("starting a script")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let status = output
        .status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(u8::MAX);
    if golden == Golden::Update && status == 0 {
        fs::write(&script.expected_path, text.as_bytes())?;
        return Ok(Case::passed(format!("{step}/{}", script.file)));
    }
    Ok(script.judge(step, Some((&text, status)), ""))
}

/// Runs the wanted scripts in one guest, one after the other.
pub(super) fn on_levitate(session: &Session, arch: Arch, step: &str) -> Result<Vec<Case>> {
    let scripts = wanted(session, step, STATIC)?;
    let archive = || Ok(session.archive(arch)?.clone());
    let driver = Driver {
        shell: &["/bin/busybox", "sh"],
        make_folder: "busybox mkdir",
        interpreter: Script::interpreter,
    };
    run_all(session, arch, step, &scripts, archive, &driver)
}

/// Runs the wanted scripts for Debian's dynamic programs in one guest that consists of them.
pub(super) fn on_debian(session: &Session, arch: Arch, step: &str) -> Result<Vec<Case>> {
    let scripts = wanted(session, step, DYNAMIC)?;
    let archive = || {
        let root = rootfs::cached(&session.paths, arch, &PACKAGES.map(str::to_owned))?;
        guest_files::with_init(rootfs::read(&root)?, session.artifacts(arch)?)
    };
    let driver = Driver {
        shell: &["/bin/bash"],
        make_folder: "mkdir",
        interpreter: |_| "bash",
    };
    run_all(session, arch, step, &scripts, archive, &driver)
}

/// How scripts are run in a guest.
struct Driver {
    /// The shell that runs one after the other.
    shell: &'static [&'static str],
    make_folder: &'static str,
    /// The shell that runs a script.
    interpreter: fn(&Script) -> &'static str,
}

fn run_all(
    session: &Session,
    arch: Arch,
    step: &str,
    scripts: &[Script],
    archive: impl FnOnce() -> Result<Archive>,
    driver: &Driver,
) -> Result<Vec<Case>> {
    if scripts.is_empty() {
        return Ok(Vec::new());
    }
    let mut archive = archive()?;
    for script in scripts {
        let text = script.text.clone().into_bytes();
        archive.insert(
            &format!("{GUEST_FOLDER}/{}", script.file),
            0o755,
            Content::File(text),
        )?;
    }
    let mark = exec::mark()?;
    let text = driver.text(scripts, &mark);
    let words = driver.shell.iter().copied().chain(["-c", &text]);
    let command = words.map(str::to_owned).collect();
    let (text, end) = guests::run(session, arch, archive, command, "", LIMIT)?;
    let end = match end {
        End::Status(status) => format!("not reached: the driver ended with {status}"),
        End::Panic(words) => words,
        End::TimedOut => "not reached or not ended in time".to_owned(),
        End::Lost(boot) => format!("the guest ended too early\n{boot}"),
    };
    let results = results(&text, &mark);
    let judge = |script: &Script| {
        let found = results.get(script.file.as_str()).copied();
        match found {
            // The script that the guest stopped in shows what it had printed.
            Some((output, None)) => script.judge(step, None, &format!("{end}\n--- it printed:\n{output}")),
            Some((output, Some(status))) => script.judge(step, Some((output, status)), &end),
            None => script.judge(step, None, &end),
        }
    };
    Ok(scripts.iter().map(judge).collect())
}

impl Driver {
    /// Returns the shell program that runs all scripts and frames what each of them prints.
    fn text(&self, scripts: &[Script], mark: &str) -> String {
        let mut text = String::new();
        for script in scripts {
            let (file, make_folder) = (&script.file, self.make_folder);
            let interpreter = (self.interpreter)(script);
            text += &format!(
                "{make_folder} -p /tmp/{file}; cd /tmp/{file}; echo '{mark} begin {file}'; \
                 {interpreter} {GUEST_FOLDER}/{file} 2>&1 < /dev/null; status=$?; echo; \
                 echo \"{mark} end $status\"\n"
            );
        }
        text
    }
}

/// Cuts the driver's output into each script's output and status; the status is absent where it stopped.
fn results<'a>(text: &'a str, mark: &str) -> BTreeMap<&'a str, (&'a str, Option<u8>)> {
    let begin = format!("{mark} begin ");
    let end = format!("\n{mark} end ");
    let mut results = BTreeMap::new();
    let mut rest = text;
    while let Some(at) = rest.find(&begin) {
        let Some((file, after)) = rest[at + begin.len()..].split_once('\n') else {
            break;
        };
        match after.find(&end) {
            None => {
                results.insert(file, (after, None));
                break;
            }
            Some(length) => {
                let (status, next) = after[length + end.len()..]
                    .split_once('\n')
                    .unwrap_or((&after[length + end.len()..], ""));
                results.insert(file, (&after[..length], status.parse().ok()));
                rest = next;
            }
        }
    }
    results
}

fn wanted(session: &Session, step: &str, folder: &str) -> Result<Vec<Script>> {
    let folder = session.paths.root().join(folder);
    let mut scripts = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        let file = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("")
            .to_owned();
        if matches!(extension, Some("sh" | "bash")) && session.filter.wants(&format!("{step}/{file}")) {
            let expected_path = path.with_extension("expected");
            let text = fs::read_to_string(&path)?;
            // Without the file nothing is expected, so that a new script fails until it has one.
            let expected = fs::read_to_string(&expected_path).unwrap_or_default();
            scripts.push(Script {
                file,
                text,
                expected,
                expected_path,
            });
        }
    }
    scripts.sort_by(|one, other| one.file.cmp(&other.file));
    Ok(scripts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(file: &str, expected: &str) -> Script {
        Script {
            file: file.to_owned(),
            text: String::new(),
            expected: expected.to_owned(),
            expected_path: PathBuf::new(),
        }
    }

    #[test]
    fn results_are_cut_at_the_marks() {
        let text = "M begin a.sh\none\ntwo\n\nM end 0\nM begin b.sh\nno newline\nM end 3\nM begin c.sh\nhal";
        let results = results(text, "M");
        assert_eq!(results["a.sh"], ("one\ntwo\n", Some(0)));
        assert_eq!(results["b.sh"], ("no newline", Some(3)));
        assert_eq!(results["c.sh"], ("hal", None));
    }

    #[test]
    fn the_driver_frames_what_scripts_print() {
        let driver = Driver {
            shell: &["sh"],
            make_folder: "make",
            interpreter: Script::interpreter,
        };
        let text = driver.text(&[script("a.sh", "")], "M");
        assert!(
            text.contains("busybox sh /tests/a.sh 2>&1 < /dev/null; status=$?; echo; echo \"M end $status\""),
            "{text}"
        );
        let text = driver.text(&[script("b.bash", "")], "M");
        assert!(
            text.contains("make -p /tmp/b.bash") && text.contains("bash-static /tests/b.bash"),
            "{text}"
        );
    }

    #[test]
    fn output_and_status_are_both_judged() {
        let script = script("a.sh", "x\n");
        assert_eq!(script.judge("s", Some(("x\n", 0)), ""), Case::passed("s/a.sh"));
        assert_eq!(
            script.judge("s", Some(("x\n", 2)), ""),
            Case::failed("s/a.sh", "exit status 2")
        );
        assert_ne!(script.judge("s", Some(("y\n", 0)), ""), Case::passed("s/a.sh"));
        assert_eq!(script.judge("s", None, "lost"), Case::failed("s/a.sh", "lost"));
    }
}
