//! The core library of the bare-metal targets.
//!
//! rustup installs it with `rust-toolchain.toml`. Where it is missing, it is built once from the
//! standard library's source into `target/sysroot`; that build alone enables unstable features, so
//! everything else stays plain stable Rust.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::arch::Arch;
use crate::cargo;
use crate::debian::{Apt, Source};
use crate::lock::Lock;
use crate::paths::Paths;
use crate::process;
use crate::progress;

/// The suite of Debian that keeps the source of several compiler releases.
const SOURCE_SUITE: &str = "trixie-backports";
/// Libraries that a program without an operating system links.
const LIBRARIES: [&str; 3] = ["libcore-", "liballoc-", "libcompiler_builtins-"];
/// The file that tells what a sysroot was built with.
const STAMP: &str = "built-with";
/// Cargo leaves bitcode out of a crate that is not itself optimised at link time; the programs that link
/// these libraries are.
const FLAGS: &str = "-Cembed-bitcode=yes";

const MANIFEST: &str = "[package]\nname = \"sysroot\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
                        [workspace]\n[profile.release]\npanic = \"abort\"\n";

/// Returns the sysroot to pass to rustc for a machine, or nothing when rustc's own has the target.
pub(crate) fn sysroot(paths: &Paths, arch: Arch) -> Result<Option<PathBuf>> {
    if rustc_has(arch)? {
        return Ok(None);
    }
    let sysroot = paths.target().join("sysroot");
    let recipe = process::capture(rustc().arg("-vV"))? + FLAGS;
    if is_current(&sysroot, arch, &recipe) {
        return Ok(Some(sysroot));
    }
    let _lock = Lock::acquire(paths, "sysroot")?;
    let mut absent = Vec::new();
    for arch in Arch::ALL {
        if !rustc_has(arch)? && !is_current(&sysroot, arch, &recipe) {
            absent.push(arch);
        }
    }
    if !absent.is_empty() {
        build_all(paths, &sysroot, &recipe, &absent)?;
    }
    Ok(Some(sysroot))
}

fn rustc() -> Command {
    Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc")))
}

fn rustc_has(arch: Arch) -> Result<bool> {
    let folder = process::capture(rustc().args(["--print", "target-libdir", "--target", arch.target()]))?;
    Ok(has_libraries(Path::new(folder.trim())))
}

fn has_libraries(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else {
        return false;
    };
    let names: Vec<OsString> = entries.flatten().map(|entry| entry.file_name()).collect();
    LIBRARIES.iter().all(|library| {
        names
            .iter()
            .any(|name| name.to_string_lossy().starts_with(library))
    })
}

fn target_folder(sysroot: &Path, arch: Arch) -> PathBuf {
    sysroot.join("lib/rustlib").join(arch.target())
}

fn is_current(sysroot: &Path, arch: Arch, recipe: &str) -> bool {
    let folder = target_folder(sysroot, arch);
    fs::read_to_string(folder.join(STAMP)).is_ok_and(|stamp| stamp == recipe)
        && has_libraries(&folder.join("lib"))
}

fn build_all(paths: &Paths, sysroot: &Path, recipe: &str, absent: &[Arch]) -> Result<()> {
    let scratch = paths.scratch("sysroot")?;
    let source = progress::step("standard library source", || source(scratch.path(), recipe))?;
    for &arch in absent {
        progress::step(&format!("core library ({arch})"), || {
            let built = build(scratch.path(), source.as_deref(), arch)?;
            install(&built, scratch.path(), sysroot, recipe, arch)
        })?;
    }
    Ok(())
}

/// Returns the `library` folder to build from, or nothing when cargo finds rustup's own.
fn source(scratch: &Path, recipe: &str) -> Result<Option<PathBuf>> {
    let own = process::capture(rustc().args(["--print", "sysroot"]))?;
    if Path::new(own.trim())
        .join("lib/rustlib/src/rust/library/Cargo.lock")
        .exists()
    {
        return Ok(None);
    }
    let release = recipe
        .lines()
        .find_map(|line| line.strip_prefix("release: "))
        .context("rustc -vV names no release")?;
    let apt = Apt::new(
        &scratch.join("apt"),
        Source {
            suite: Some(SOURCE_SUITE),
            arch: None,
        },
    )?;
    let unpacked = apt.fetch("rust-src", &format!("{release}+"))?;
    let library = unpacked.join(format!("usr/src/rustc-{release}/library"));
    if !library.is_dir() {
        bail!("Debian's rust-src holds no {}", library.display());
    }
    Ok(Some(library))
}

/// Builds the libraries by way of an empty crate, and returns the folder that holds them.
fn build(scratch: &Path, source: Option<&Path>, arch: Arch) -> Result<PathBuf> {
    let package = scratch.join("package");
    fs::create_dir_all(package.join("src"))?;
    fs::write(package.join("Cargo.toml"), MANIFEST)?;
    fs::write(package.join("src/lib.rs"), "#![no_std]\n")?;
    let output = scratch.join("built");
    let mut command = Command::new(cargo::program());
    cargo::forget_flags(&mut command, arch);
    command
        .current_dir(&package)
        .args(["build", "--quiet", "--release", "--target", arch.target()])
        .args(["-Zbuild-std=core,alloc,compiler_builtins"])
        .args(["-Zbuild-std-features=compiler-builtins-mem"])
        .arg("--config")
        .arg(format!("target.{}.rustflags=[\"{FLAGS}\"]", arch.target()))
        .arg("--target-dir")
        .arg(&output)
        .env("RUSTC_BOOTSTRAP", "1");
    if let Some(source) = source {
        // Where -Zbuild-std looks when the source is not below rustc's own sysroot.
        command.env("__CARGO_TESTS_ONLY_SRC_ROOT", source);
    }
    process::run(&mut command)?;
    Ok(output.join(arch.target()).join("release/deps"))
}

/// Puts a target's libraries in place in one step, so that no other process sees a part of them.
fn install(built: &Path, scratch: &Path, sysroot: &Path, recipe: &str, arch: Arch) -> Result<()> {
    let staging = scratch.join(format!("staging-{arch}"));
    fs::create_dir_all(staging.join("lib"))?;
    for entry in fs::read_dir(built)? {
        let entry = entry?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if text.ends_with(".rlib") && LIBRARIES.iter().any(|library| text.starts_with(library)) {
            fs::copy(entry.path(), staging.join("lib").join(&name))?;
        }
    }
    if !has_libraries(&staging.join("lib")) {
        bail!(
            "the build of the core library left no libraries in {}",
            built.display()
        );
    }
    fs::write(staging.join(STAMP), recipe)?;
    let place = target_folder(sysroot, arch);
    fs::create_dir_all(sysroot.join("lib/rustlib"))?;
    if place.exists() {
        fs::remove_dir_all(&place)?;
    }
    fs::rename(&staging, &place).with_context(|| format!("renaming to {}", place.display()))
}
