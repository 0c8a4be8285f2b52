//! Unit and documentation tests of every crate that builds on the host.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::Session;
use super::report::{Case, Verdict};
use crate::cargo;

/// Runs `cargo test`, and makes a case of every test that it names.
pub(super) fn run(session: &Session, step: &str) -> Result<Vec<Case>> {
    let mut command = cargo::host(session.paths.root(), "test");
    command.args(["--no-fail-fast", "--"]);
    if !session.filter.wants(step) {
        // The step itself is not meant, so the filter is a part of a test's name.
        command.args(session.filter.text.iter());
    }
    cases(&mut command, step)
}

fn cases(command: &mut Command, step: &str) -> Result<Vec<Case>> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .context("starting cargo test")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut cases = parse(&text, step);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let failed = cases
        .iter()
        .any(|case| matches!(case.verdict, Verdict::Failed(_)));
    // No test names a crate that does not build, or a test program that is killed.
    let unexplained = !failed || stderr.contains("could not compile") || stderr.contains("(signal:");
    if !output.status.success() && unexplained {
        let why = format!("{text}{stderr}");
        cases.push(Case::failed(format!("{step}/build"), why));
    }
    Ok(cases)
}

/// Reads the lines `test NAME ... ok`, and what a failed test printed, from libtest's output.
fn parse(text: &str, step: &str) -> Vec<Case> {
    text.lines()
        .filter_map(|line| line.strip_prefix("test ")?.rsplit_once(" ... "))
        .filter_map(|(test, verdict)| {
            let name = format!("{step}/{test}");
            match verdict.split([',', ' ']).next()? {
                "ok" => Some(Case::passed(name)),
                "ignored" => Some(Case::skipped(name, "ignored")),
                "FAILED" => Some(Case::failed(name, printed_by(text, test))),
                _ => None,
            }
        })
        .collect()
}

fn printed_by(text: &str, test: &str) -> String {
    let head = format!("---- {test} stdout ----");
    let Some((_, rest)) = text.split_once(&head) else {
        return String::new();
    };
    let end = rest
        .find("\n---- ")
        .or_else(|| rest.find("\nfailures:"))
        .unwrap_or(rest.len());
    rest[..end].trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\nrunning 3 tests\n\
        test a::adds ... ok\n\
        test src/lib.rs - a (line 3) ... ok\n\
        test a::waits ... ignored, needs a clock\n\
        test a::breaks - should panic ... FAILED\n\nfailures:\n\n\
        ---- a::breaks - should panic stdout ----\nthread panicked\nleft: 1\n\n\
        failures:\n    a::breaks\n\ntest result: FAILED. 1 passed; 1 failed\n";

    #[test]
    fn every_test_is_a_case() {
        let expected = [
            Case::passed("unit/a::adds"),
            Case::passed("unit/src/lib.rs - a (line 3)"),
            Case::skipped("unit/a::waits", "ignored"),
            Case::failed("unit/a::breaks - should panic", "thread panicked\nleft: 1"),
        ];
        assert_eq!(parse(OUTPUT, "unit"), expected);
    }

    #[test]
    fn a_failure_that_no_test_explains_is_reported() {
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "echo 'test a ... ok'; echo 'test b ... ignored'; echo 'error: no' >&2; exit 101",
        ]);
        let cases = cases(&mut command, "unit").unwrap();
        assert_eq!(cases[0], Case::passed("unit/a"));
        assert_eq!(cases[1], Case::skipped("unit/b", "ignored"));
        let why = "test a ... ok\ntest b ... ignored\nerror: no\n";
        assert_eq!(cases[2], Case::failed("unit/build", why));
    }
}
