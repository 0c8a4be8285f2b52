//! The outcome of tests: one line per step, every failure with its reason, and the totals.

use std::process::ExitCode;
use std::time::Duration;

use crate::progress;

/// How a test ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It did what it should.
    Passed,
    /// It did not; why.
    Failed(String),
    /// It could not be tried; why.
    Skipped(String),
}

/// One test with its full name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) verdict: Verdict,
}

impl Case {
    /// A test that passed.
    pub(crate) fn passed(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            verdict: Verdict::Passed,
        }
    }

    /// A test that failed.
    pub(crate) fn failed(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            verdict: Verdict::Failed(why.into()),
        }
    }

    /// A test that was not tried.
    pub(crate) fn skipped(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            verdict: Verdict::Skipped(why.into()),
        }
    }

    /// A test that passed unless there was an error.
    pub(crate) fn of(name: impl Into<String>, result: anyhow::Result<()>) -> Self {
        match result {
            Ok(()) => Self::passed(name),
            Err(error) => Self::failed(name, format!("{error:#}")),
        }
    }
}

/// The totals so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    passed: usize,
    failed: Vec<String>,
    skipped: Vec<String>,
}

impl Report {
    /// Counts a step's tests and prints its lines. A step in which nothing was wanted stays silent.
    pub(crate) fn add(&mut self, step: &str, cases: Vec<Case>, elapsed: Duration) {
        if cases.is_empty() {
            return;
        }
        let mut tally = Self::default();
        for case in cases {
            match case.verdict {
                Verdict::Passed => tally.passed += 1,
                Verdict::Skipped(why) => tally.skipped.push(format!("{}: {why}", case.name)),
                Verdict::Failed(why) => {
                    println!("FAILED  {}\n{}", case.name, indented(&why));
                    tally.failed.push(case.name);
                }
            }
        }
        let state = if tally.failed.is_empty() { "ok" } else { "FAILED" };
        println!(
            "{state:<7} {step:<32} {:>28} {}",
            tally.counts(),
            progress::seconds(elapsed)
        );
        self.passed += tally.passed;
        self.failed.append(&mut tally.failed);
        self.skipped.append(&mut tally.skipped);
    }

    /// Prints the totals. Nothing tested at all is a failure too: a filter was misspelt.
    pub(crate) fn finish(self) -> ExitCode {
        for line in &self.skipped {
            println!("skipped {line}");
        }
        for name in &self.failed {
            println!("failed  {name}");
        }
        println!("{} passed, {} failed", self.passed, self.failed.len());
        if self.failed.is_empty() && self.passed + self.skipped.len() > 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }

    fn counts(&self) -> String {
        let mut text = format!("{} passed", self.passed);
        if !self.failed.is_empty() {
            text += &format!(", {} failed", self.failed.len());
        }
        if !self.skipped.is_empty() {
            text += &format!(", {} skipped", self.skipped.len());
        }
        text
    }
}

fn indented(text: &str) -> String {
    text.trim_end()
        .lines()
        .map(|line| format!("        {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_fails_all() {
        let mut report = Report::default();
        report.add(
            "a",
            vec![Case::passed("a/1"), Case::skipped("a/2", "why")],
            Duration::ZERO,
        );
        assert_eq!(report.counts(), "1 passed, 1 skipped");
        report.add("b", vec![Case::failed("b", "why")], Duration::ZERO);
        assert_eq!(report.counts(), "1 passed, 1 failed, 1 skipped");
        assert_eq!(report.finish(), ExitCode::FAILURE);
    }

    #[test]
    fn testing_nothing_is_no_success() {
        let mut report = Report::default();
        report.add("a", Vec::new(), Duration::ZERO);
        assert_eq!(report.finish(), ExitCode::FAILURE);
    }
}
