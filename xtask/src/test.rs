//! `cargo xtask test`: every check of the project, as steps of named tests.
//!
//! A test is called `step/case`; FILTER selects by a part of that name. A filter that is the name of a
//! step, or of a group of steps (`lints`, `conformance`), selects only those.

mod conformance;
mod deps;
mod format;
mod guests;
mod images;
mod lints;
mod report;
mod scripts;
mod sources;
mod unit;

use std::cell::OnceCell;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, anyhow};

use crate::arch::Arch;
use crate::archive::Archive;
use crate::build::{self, Artifacts};
use crate::cargo::{BareMetal, Profile, Programs};
use crate::docs;
use crate::golden::Golden;
use crate::initramfs;
use crate::packages::{self, Tool};
use crate::paths::Paths;

use report::{Case, Report};

/// What all steps share: the user's choices, and what was built so far.
pub(crate) struct Session {
    paths: Paths,
    filter: Filter,
    golden: Golden,
    kernel: Option<PathBuf>,
    machines: Vec<MachineCache>,
}

/// What was built for one machine. A failure is kept, so that nothing fails to build twice.
#[derive(Default)]
struct MachineCache {
    programs: OnceCell<Result<Programs, String>>,
    artifacts: OnceCell<Result<Artifacts, String>>,
    archive: OnceCell<Result<Archive, String>>,
}

/// The tests that the user wants.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    text: Option<String>,
}

impl Filter {
    /// Tells whether a test of this full name is wanted.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.text.as_ref().is_none_or(|text| name.contains(text.as_str()))
    }

    fn names_group(&self, step: &str) -> bool {
        self.text.as_ref().is_some_and(|text| {
            step.strip_prefix(text.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

type Body = Box<dyn Fn(&Session, &str) -> Result<Vec<Case>>>;

/// A part of the test command.
struct Step {
    name: String,
    cases: Cases,
    body: Body,
}

/// What a step consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cases {
    /// One test of the step's name.
    One,
    /// Several, whose names only the step itself knows.
    Many,
}

impl Step {
    fn one(name: impl Into<String>, body: impl Fn(&Session) -> Result<()> + 'static) -> Self {
        let body: Body = Box::new(move |session, name| {
            body(session)?;
            Ok(vec![Case::passed(name)])
        });
        Self {
            name: name.into(),
            cases: Cases::One,
            body,
        }
    }

    fn many(name: impl Into<String>, body: impl Fn(&Session, &str) -> Result<Vec<Case>> + 'static) -> Self {
        Self {
            name: name.into(),
            cases: Cases::Many,
            body: Box::new(body),
        }
    }
}

/// What the user asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The machines whose guests are tested.
    pub(crate) arches: Vec<Arch>,
    /// A part of the names of tests.
    pub(crate) filter: Option<String>,
    /// What to do with golden files.
    pub(crate) golden: Golden,
    /// Another kernel for the guests, such as Linux: it tells whether the tests themselves are right.
    pub(crate) kernel: Option<PathBuf>,
}

/// Runs the wanted tests and prints the totals.
pub(crate) fn run(paths: Paths, options: Options) -> Result<ExitCode> {
    let Options {
        arches,
        filter,
        golden,
        kernel,
    } = options;
    let filter = Filter { text: filter };
    let machines = Arch::ALL.iter().map(|_| MachineCache::default()).collect();
    let session = Session {
        paths,
        filter,
        golden,
        kernel,
        machines,
    };
    let mut report = Report::default();
    for step in selected(steps(&arches), &session.filter) {
        let start = Instant::now();
        let cases = (step.body)(&session, &step.name)
            .unwrap_or_else(|error| vec![Case::failed(&step.name, format!("{error:#}"))]);
        report.add(&step.name, cases, start.elapsed());
    }
    Ok(report.finish())
}

fn selected(steps: Vec<Step>, filter: &Filter) -> Vec<Step> {
    let by_group = steps.iter().any(|step| filter.names_group(&step.name));
    let wanted = |step: &Step| {
        if by_group {
            filter.names_group(&step.name)
        } else {
            step.cases == Cases::Many || filter.wants(&step.name)
        }
    };
    steps.into_iter().filter(wanted).collect()
}

fn steps(arches: &[Arch]) -> Vec<Step> {
    let mut steps = vec![
        Step::one("format", format::check),
        Step::one("deps/imports", deps::imports),
        Step::one("deps/cfg", sources::cfg),
        Step::one("deps/unsafe", sources::unsafe_code),
        Step::one("docs", |session| docs::check(session.paths.root())),
        Step::one("lints/host", lints::host),
    ];
    for &arch in arches {
        steps.push(Step::one(format!("lints/{arch}"), move |session| {
            lints::bare_metal(session, arch)
        }));
    }
    steps.push(Step::many("unit", unit::run));
    for &arch in arches {
        steps.push(Step::many(
            format!("conformance/{arch}/linux"),
            move |session, step| conformance::on_linux(session, arch, step),
        ));
        if arch.is_native() {
            steps.push(Step::many(
                format!("scripts/{arch}/linux"),
                move |session, step| scripts::on_linux(session, arch, step),
            ));
        }
    }
    for &arch in arches {
        steps.push(Step::many(format!("golden/{arch}"), move |session, step| {
            guests::golden(session, arch, step)
        }));
        steps.push(Step::many(
            format!("conformance/{arch}/levitate"),
            move |session, step| conformance::on_levitate(session, arch, step),
        ));
        steps.push(Step::many(
            format!("conformance/{arch}/fork-eager"),
            move |session, step| conformance::with_eager_fork(session, arch, step),
        ));
        steps.push(Step::many(
            format!("scripts/{arch}/levitate"),
            move |session, step| scripts::on_levitate(session, arch, step),
        ));
        steps.push(Step::many(format!("debian/{arch}"), move |session, step| {
            scripts::on_debian(session, arch, step)
        }));
        steps.push(Step::many(format!("boot/{arch}"), move |session, step| {
            guests::boots(session, arch, step)
        }));
    }
    steps
}

impl Session {
    /// Returns cargo for a machine's bare-metal target.
    fn cargo(&self, arch: Arch) -> Result<BareMetal> {
        BareMetal::new(&self.paths, arch)
    }

    /// Returns the programs of userspace, built on first use.
    fn programs(&self, arch: Arch) -> Result<&Programs> {
        kept(&self.machines[arch as usize].programs, || {
            build::userspace(&self.cargo(arch)?, arch, Profile::Release)
        })
    }

    /// Returns kernel and initramfs, built on first use, and makes sure that QEMU is there.
    fn artifacts(&self, arch: Arch) -> Result<&Artifacts> {
        kept(&self.machines[arch as usize].artifacts, || {
            packages::require(&[Tool::qemu_system(arch)])?;
            build::build(&self.paths, arch, Profile::Release, self.kernel.as_deref())
        })
    }

    /// Returns the initramfs that commands run in.
    fn archive(&self, arch: Arch) -> Result<&Archive> {
        let artifacts = self.artifacts(arch)?;
        kept(&self.machines[arch as usize].archive, || {
            initramfs::for_commands(&self.paths, arch, artifacts)
        })
    }
}

fn kept<T>(cell: &OnceCell<Result<T, String>>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    let made = cell.get_or_init(|| make().map_err(|error| format!("{error:#}")));
    made.as_ref().map_err(|error| anyhow!(error.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(filter: &str, arches: &[Arch]) -> Vec<String> {
        let filter = Filter {
            text: Some(filter.to_owned()),
        };
        selected(steps(arches), &filter)
            .into_iter()
            .map(|step| step.name)
            .collect()
    }

    #[test]
    fn a_group_selects_only_its_steps() {
        assert_eq!(names("format", &Arch::ALL), ["format"]);
        assert_eq!(names("lints", &[Arch::X86_64]), ["lints/host", "lints/x86_64"]);
        assert_eq!(names("golden/aarch64", &Arch::ALL), ["golden/aarch64"]);
    }

    #[test]
    fn other_words_are_looked_for_in_every_step_of_many() {
        let names = names("fork", &[Arch::X86_64]);
        assert!(names.contains(&"unit".to_owned()) && names.contains(&"boot/x86_64".to_owned()));
        assert!(!names.contains(&"format".to_owned()));
    }

    #[test]
    fn a_failure_is_kept() {
        let cell = OnceCell::new();
        assert!(kept::<u8>(&cell, || Err(anyhow!("broken"))).is_err());
        let again = kept::<u8>(&cell, || Ok(1)).unwrap_err();
        assert_eq!(again.to_string(), "broken");
    }
}
