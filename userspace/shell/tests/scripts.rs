//! Runs every script of `tests/scripts` for real and compares what it prints with the file beside it.
//!
//! Where the host has `dash`, the expectation itself is held against that shell too. The variable
//! `LEVITATE_SHELL` names another build of the shell to be tested, such as the one without a C library.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// Another shell to agree with.
const REFERENCE: &str = "/usr/bin/dash";

fn shell() -> PathBuf {
    env::var_os("LEVITATE_SHELL").map_or_else(|| env!("CARGO_BIN_EXE_shell").into(), PathBuf::from)
}

/// Returns what a shell prints for a script, with its status in the last line.
fn run(shell: &Path, script: &Path) -> String {
    let output = Command::new(shell)
        .arg(script)
        .env_clear()
        .envs([("PATH", "/usr/bin:/bin"), ("HOME", "/root"), ("LC_ALL", "C")])
        .stdin(Stdio::null())
        .output()
        .expect("the shell can be started");
    let status = output
        .status
        .code()
        .map_or_else(|| "signal".into(), |code| code.to_string());
    format!("{}status {status}\n", String::from_utf8_lossy(&output.stdout))
}

#[test]
fn scripts_print_what_is_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let mut scripts: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sh"))
        .collect();
    scripts.sort();
    assert!(scripts.len() >= 9, "the scripts are there");
    for script in scripts {
        let expected = fs::read_to_string(script.with_extension("out")).expect("an expectation is there");
        assert_eq!(run(&shell(), &script), expected, "{}", script.display());
        if Path::new(REFERENCE).exists() {
            assert_eq!(
                run(Path::new(REFERENCE), &script),
                expected,
                "{} in {REFERENCE}",
                script.display()
            );
        }
    }
}
