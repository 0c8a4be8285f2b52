//! `cargo xtask docs`: pages that are made from the code, so that they cannot fall behind it.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use los_abi::Isa;
use los_abi::syscall::{Support, Sysno};

use crate::golden;
use crate::paths::write_atomically;

/// The page of system calls.
const SYSCALLS: &str = "docs/syscalls.md";

/// Writes every generated page.
pub(crate) fn write(root: &Path) -> Result<()> {
    write_atomically(&root.join(SYSCALLS), syscalls()?.as_bytes())
}

/// Holds every generated page against what would be written now.
///
/// # Errors
/// Names the first line that differs.
pub(crate) fn check(root: &Path) -> Result<()> {
    let path = root.join(SYSCALLS);
    let found = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    match golden::difference(&syscalls()?, &found) {
        None => Ok(()),
        Some(difference) => anyhow::bail!("{SYSCALLS}:{difference} (`cargo xtask docs` writes it)"),
    }
}

fn syscalls() -> Result<String> {
    let mut page = String::from(
        "# System calls\n\n\
         Generated from `los_abi/src/syscall/table.rs` by `cargo xtask docs`. Numbers and arguments are\n\
         Linux's; a dash means that Linux has no such call on that machine. Every call that is not listed\n\
         answers `ENOSYS`.\n\n",
    );
    for isa in Isa::ALL {
        let count = Sysno::ALL
            .iter()
            .filter(|call| call.number(isa).is_some())
            .count();
        writeln!(page, "* {}: {count} calls", isa.name())?;
    }
    page.push_str("\n| call | aarch64 | x86_64 | arguments | support |\n|---|---|---|---|---|\n");
    let mut calls = Sysno::ALL.to_vec();
    calls.sort_by_key(|call| call.name());
    for call in calls {
        let number = |isa| {
            call.number(isa)
                .map_or_else(|| "–".to_owned(), |number| number.to_string())
        };
        let arguments: Vec<&str> = call.arguments().iter().map(|(name, _)| *name).collect();
        let support = match call.support() {
            Support::Full => "full".to_owned(),
            Support::Partial => format!("partial: {}", call.note()),
        };
        writeln!(
            page,
            "| {} | {} | {} | {} | {support} |",
            call.name(),
            number(Isa::Aarch64),
            number(Isa::X86_64),
            arguments.join(", "),
        )?;
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_show_both_numbers() {
        let page = syscalls().unwrap();
        assert!(page.contains("| openat | 56 | 257 | dirfd, path, flags, mode | full |"));
        assert!(page.contains("| open | – | 2 |"));
    }
}
