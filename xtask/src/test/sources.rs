//! Rules about source text that neither the compiler nor its lints know: where a machine may be named,
//! and which crates promise to hold no unsafe code.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cargo_metadata::TargetKind;

use super::{Session, deps};

/// Packages that may hold unsafe code.
const MAY_BE_UNSAFE: &[&str] = &[
    "los_arch_aarch64",
    "los_arch_x86_64",
    "levitate-kernel",
    "levitate-sync",
    "levitate-mm",
    "levitate-drivers",
    "levitate-rt",
];
/// Packages that deny unsafe code and say at each exception why it is one: the contract whose methods have
/// a duty for their caller, its implementation for the host, and test programs in assembly.
const MOSTLY_SAFE: &[&str] = &["los_hal", "los_arch_mock", "levitate-conformance"];
/// Folders with nothing of the workspace in them.
const FOREIGN: &[&str] = &["target", ".git"];

/// Checks that `cfg(target_arch)` stands only on `mod` and `use` lines inside folders named `arch`.
pub(super) fn cfg(session: &Session) -> Result<()> {
    let root = session.paths.root();
    let mut faults = Vec::new();
    for file in rust_files(root)? {
        let relative = file.strip_prefix(root)?;
        let text = fs::read_to_string(&file)?;
        let inside = relative
            .parent()
            .is_some_and(|folder| folder.iter().any(|part| part == "arch"));
        for line in misplaced(&text, inside) {
            faults.push(format!(
                "{}:{line}: cfg(target_arch) does not belong here",
                relative.display()
            ));
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    bail!("{}", faults.join("\n"))
}

/// Checks that every crate that may not hold unsafe code forbids it.
pub(super) fn unsafe_code(session: &Session) -> Result<()> {
    let mut faults = Vec::new();
    for package in deps::metadata(session)?.workspace_packages() {
        let name = package.name.as_str();
        if MAY_BE_UNSAFE.contains(&name) {
            continue;
        }
        let promise = if MOSTLY_SAFE.contains(&name) {
            "#![deny(unsafe_code)]"
        } else {
            "#![forbid(unsafe_code)]"
        };
        for target in &package.targets {
            let is_crate = target
                .kind
                .iter()
                .any(|kind| matches!(kind, TargetKind::Lib | TargetKind::Bin));
            let path = target.src_path.as_std_path();
            if is_crate && !promises(path, promise)? {
                faults.push(format!("{}: lacks {promise}", target.src_path));
            }
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    bail!("{}", faults.join("\n"))
}

fn promises(path: &Path, promise: &str) -> Result<bool> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(text.lines().any(|line| line.trim() == promise))
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let foreign = path
            .file_name()
            .is_some_and(|name| FOREIGN.iter().any(|other| name == *other));
        if path.is_dir() && !foreign {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Returns the numbers of the lines that name the machine where they must not.
fn misplaced(text: &str, inside_arch: bool) -> Vec<usize> {
    let lines: Vec<&str> = text.lines().map(code).collect();
    let names_machine = |line: &str| {
        // Behind a quotation mark stands text, as in this very function.
        let line = line.split('"').next().unwrap_or("");
        line.contains("target_arch")
            && ["cfg(", "cfg!(", "cfg_attr("]
                .iter()
                .any(|form| line.contains(form))
    };
    (0..lines.len())
        .filter(|&index| names_machine(lines[index]))
        .filter(|&index| !(inside_arch && is_attribute(lines[index]) && guards_import(&lines[index..])))
        .map(|index| index + 1)
        .collect()
}

fn is_attribute(line: &str) -> bool {
    line.starts_with("#[cfg(")
}

/// Tells whether the item behind the attribute in the first line is a module or an import.
fn guards_import(lines: &[&str]) -> bool {
    let same_line = lines[0].split_once(")]").map_or("", |(_, rest)| rest.trim());
    let item = if same_line.is_empty() {
        lines[1..]
            .iter()
            .find(|line| !line.is_empty() && !line.starts_with("#["))
            .copied()
            .unwrap_or("")
    } else {
        same_line
    };
    let item = item.strip_prefix("pub").map_or(item, |rest| {
        rest.strip_prefix("(crate)").unwrap_or(rest).trim_start()
    });
    ["mod ", "use ", "extern crate "]
        .iter()
        .any(|keyword| item.starts_with(keyword))
}

/// Returns a line without its comment and indentation.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or("").trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_inside_arch_may_name_the_machine() {
        let text = [
            "#[cfg(target_arch = \"x86_64\")]",
            "mod x86_64;",
            "#[cfg(target_arch = \"x86_64\")]",
            "#[path = \"a\"]",
            "pub(crate) use x86_64::Machine;",
        ]
        .join("\n");
        assert!(misplaced(&text, true).is_empty());
        assert_eq!(misplaced(&text, false), [1, 3]);
    }

    #[test]
    fn code_may_not() {
        let text = [
            "if cfg!(target_arch = \"x86_64\") {}",
            "#[cfg(target_arch = \"aarch64\")]",
            "fn b() {}",
            "// cfg(target_arch) in a comment",
            "mod c;",
        ]
        .join("\n");
        assert_eq!(misplaced(&text, true), [1, 2]);
    }
}
