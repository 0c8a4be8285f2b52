//! The dependency rule: who may import whom (`docs/architecture.md`), held against `cargo metadata`.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

use super::Session;

/// A package, the packages of the workspace it may import, and the foreign crates it may import.
/// What a package may import, it may also import from there on: `task -> vfs -> mm` allows `task -> mm`.
type Row = (&'static str, &'static [&'static str], &'static [&'static str]);

const ROWS: &[Row] = &[
    ("los_abi", &[], &[]),
    ("los_hal", &["los_abi"], &[]),
    (
        "los_arch_aarch64",
        &["los_hal"],
        &["aarch64-cpu", "dtoolkit", "spin"],
    ),
    ("los_arch_x86_64", &["los_hal"], &["x86_64", "spin"]),
    ("los_arch_mock", &["los_hal"], &[]),
    (
        "los_arch",
        &["los_hal", "los_arch_aarch64", "los_arch_x86_64", "los_arch_mock"],
        &[],
    ),
    ("levitate-sync", &["los_arch"], &["spin"]),
    (
        "levitate-mm",
        &["levitate-sync"],
        &["buddy_system_allocator", "spin"],
    ),
    ("levitate-vfs", &["levitate-mm"], &[]),
    ("levitate-tty", &["levitate-vfs"], &[]),
    ("levitate-task", &["levitate-tty"], &["goblin"]),
    (
        "levitate-fs",
        &["levitate-task"],
        &["cpio_reader", "miniz_oxide", "rand_chacha"],
    ),
    ("levitate-drivers", &["levitate-tty"], &[]),
    ("levitate-syscall", &["levitate-task"], &[]),
    (
        "levitate-kernel",
        &["levitate-drivers", "levitate-syscall", "levitate-fs"],
        &["limine"],
    ),
    ("levitate-rt", &["los_abi"], &["buddy_system_allocator", "spin"]),
    ("levitate-init", &["levitate-rt"], &[]),
    ("levitate-shell", &["levitate-rt"], &[]),
    ("levitate-levbox", &["levitate-rt"], &[]),
    ("levitate-conformance", &["levitate-rt"], &[]),
    (
        "xtask",
        &["los_abi"],
        &[
            "anyhow",
            "cargo_metadata",
            "clap",
            "cpio",
            "flate2",
            "goblin",
            "serde",
            "tar",
            "toml",
        ],
    ),
];

/// Small crates of data structures that any package may import.
const COMMON: &[&str] = &["arrayvec", "bitflags", "hashbrown", "log", "zerocopy"];
/// What tests may import besides.
const FOR_TESTS: &[&str] = &["proptest", "linux-raw-sys", "los_arch_mock"];

/// Checks every dependency of every package of the workspace.
pub(super) fn imports(session: &Session) -> Result<()> {
    let metadata = metadata(session)?;
    let mut faults = Vec::new();
    for package in metadata.workspace_packages() {
        for dependency in &package.dependencies {
            let test_only = dependency.kind == DependencyKind::Development;
            if let Some(fault) = fault(&package.name, &dependency.name, test_only) {
                faults.push(fault);
            }
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    bail!("{}", faults.join("\n"))
}

/// Returns the packages of the workspace, without what they depend on.
pub(super) fn metadata(session: &Session) -> Result<Metadata> {
    Ok(MetadataCommand::new()
        .current_dir(session.paths.root())
        .no_deps()
        .exec()?)
}

fn fault(package: &str, dependency: &str, test_only: bool) -> Option<String> {
    let Some(&(_, _, foreign)) = row(package) else {
        return Some(format!("{package} stands in no row of the dependency rule"));
    };
    let allowed = reachable(package).contains(dependency)
        || foreign.contains(&dependency)
        || COMMON.contains(&dependency)
        || test_only && FOR_TESTS.contains(&dependency);
    (!allowed).then(|| format!("{package} must not import {dependency}"))
}

fn row(package: &str) -> Option<&'static Row> {
    ROWS.iter().find(|(name, ..)| *name == package)
}

fn reachable(package: &str) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&'static str> = row(package).map_or_else(Vec::new, |row| row.1.to_vec());
    while let Some(next) = open.pop() {
        // The machines are behind the facade: only it names them.
        let hidden = package != "los_arch" && next.starts_with("los_arch_");
        if !hidden && found.insert(next) {
            open.extend(row(next).map_or(&[][..], |row| row.1));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_below_may_be_imported() {
        assert_eq!(fault("levitate-task", "levitate-mm", false), None);
        assert_eq!(fault("levitate-syscall", "los_abi", false), None);
        assert_eq!(fault("levitate-mm", "buddy_system_allocator", false), None);
    }

    #[test]
    fn what_stands_above_or_beside_may_not() {
        for (package, dependency) in [
            ("levitate-mm", "levitate-vfs"),
            ("levitate-task", "levitate-fs"),
            ("levitate-drivers", "levitate-task"),
            ("levitate-mm", "los_arch_x86_64"),
            ("levitate-shell", "levitate-sync"),
            ("los_abi", "los_hal"),
            ("levitate-vfs", "limine"),
            ("unheard-of", "log"),
        ] {
            assert!(
                fault(package, dependency, false).is_some(),
                "{package} -> {dependency}"
            );
        }
    }

    #[test]
    fn tools_of_tests_stay_in_tests() {
        assert_eq!(fault("levitate-mm", "proptest", true), None);
        assert!(fault("levitate-mm", "proptest", false).is_some());
    }
}
