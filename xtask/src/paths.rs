//! [`Paths`]: where the workspace lies and where generated files go.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::arch::Arch;

/// The workspace's folder and cargo's target folder, both absolute.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    root: PathBuf,
    target: PathBuf,
}

impl Paths {
    /// Finds the workspace that the command was typed in; honours `CARGO_TARGET_DIR`.
    pub(crate) fn find() -> Result<Self> {
        let root = root(
            env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from),
            &env::current_dir()?,
        )?;
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(path) => env::current_dir()?.join(path),
            None => root.join("target"),
        };
        fs::create_dir_all(&target).with_context(|| format!("creating {}", target.display()))?;
        Ok(Self { root, target })
    }

    /// Returns the workspace's folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the folder of generated files.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Returns the folder of a machine's boot files, `target/boot/ARCH`, and creates it.
    pub(crate) fn boot(&self, arch: Arch) -> Result<PathBuf> {
        let folder = self.target.join("boot").join(arch.name());
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        Ok(folder)
    }

    /// Creates an empty folder under `target/tmp` that disappears with the returned value.
    pub(crate) fn scratch(&self, purpose: &str) -> Result<Scratch> {
        let path = self
            .target
            .join("tmp")
            .join(format!("{purpose}-{}", std::process::id()));
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Scratch(path))
    }
}

/// Returns the folder of the workspace: above the package that cargo runs, else above the current folder.
///
/// Never what the compiler knew: two checkouts may share a target folder and with it this program.
fn root(package: Option<PathBuf>, current: &Path) -> Result<PathBuf> {
    let from_cargo = package
        .as_deref()
        .and_then(Path::parent)
        .filter(|folder| is_root(folder));
    let root = from_cargo.or_else(|| current.ancestors().find(|folder| is_root(folder)));
    Ok(root
        .context("this folder lies in no checkout of Levitate")?
        .to_path_buf())
}

fn is_root(folder: &Path) -> bool {
    folder.join("xtask/Cargo.toml").is_file() && folder.join("Cargo.lock").is_file()
}

/// A temporary folder, removed with everything in it when dropped.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Returns the folder's path.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A leftover costs only disk space, and the next scratch folder of this name replaces it.
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Writes a file so that a reader sees the old bytes or the new ones, never a part.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = path
        .file_name()
        .context("a path without a file name")?
        .to_os_string();
    name.push(format!(".{}", std::process::id()));
    let temporary = path.with_file_name(name);
    fs::write(&temporary, bytes).with_context(|| format!("writing {}", temporary.display()))?;
    fs::rename(&temporary, path).with_context(|| format!("renaming to {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_where_the_command_was_typed() {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let workspace = package.parent().unwrap();
        let elsewhere = Path::new("/");
        assert_eq!(root(Some(package.to_path_buf()), elsewhere).unwrap(), workspace);
        assert_eq!(root(None, &package.join("src/test")).unwrap(), workspace);
        let foreign = Some(PathBuf::from("/nowhere/package"));
        assert_eq!(root(foreign, workspace).unwrap(), workspace);
        assert!(root(None, elsewhere).is_err());
    }
}
