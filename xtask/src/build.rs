//! `cargo xtask build`: kernel, userspace and initramfs of one machine into `target/boot/ARCH`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::arch::Arch;
use crate::archive::Archive;
use crate::cargo::{BareMetal, Profile, Programs};
use crate::image;
use crate::initramfs;
use crate::paths::{Paths, write_atomically};
use crate::progress;

/// The kernel's package and executable.
pub(crate) const KERNEL: &str = "levitate-kernel";
/// The packages whose programs go into an initramfs.
pub(crate) const USERSPACE: [&str; 4] = [
    "levitate-init",
    "levitate-shell",
    "levitate-levbox",
    "levitate-conformance",
];

/// What a build leaves behind.
#[derive(Clone, Debug)]
pub(crate) struct Artifacts {
    /// The boot image.
    pub(crate) kernel: PathBuf,
    /// The kernel with its symbols, for debuggers.
    pub(crate) kernel_elf: PathBuf,
    /// The default initramfs, as a file.
    pub(crate) initramfs: PathBuf,
    /// The default initramfs, to put more files into.
    pub(crate) archive: Archive,
    /// Programs of userspace by name.
    pub(crate) programs: Programs,
}

/// Builds everything that a boot needs, except a kernel that the user brings.
pub(crate) fn build(paths: &Paths, arch: Arch, profile: Profile, kernel: Option<&Path>) -> Result<Artifacts> {
    let cargo = BareMetal::new(paths, arch)?;
    let boot = paths.boot(arch)?;
    let (kernel, kernel_elf) = match kernel {
        Some(file) => (file.to_path_buf(), file.to_path_buf()),
        None => own_kernel(&cargo, &boot, arch, profile)?,
    };
    let programs = userspace(&cargo, arch, profile)?;
    let initramfs = boot.join("initramfs.cpio");
    let archive = progress::step(&format!("initramfs ({arch})"), || {
        let archive = initramfs::from_manifest(paths.root(), &programs)?;
        write_atomically(&initramfs, &archive.to_newc()?)?;
        Ok(archive)
    })?;
    Ok(Artifacts {
        kernel,
        kernel_elf,
        initramfs,
        archive,
        programs,
    })
}

/// Builds the kernel; returns the boot image and the file with its symbols.
fn own_kernel(cargo: &BareMetal, boot: &Path, arch: Arch, profile: Profile) -> Result<(PathBuf, PathBuf)> {
    let image = boot.join("kernel");
    let with_symbols = boot.join("kernel.elf");
    progress::step(&format!("kernel ({arch})"), || {
        let built = cargo.build(profile, &[KERNEL])?;
        let path = built
            .get(KERNEL)
            .with_context(|| format!("cargo made no {KERNEL}"))?;
        let elf = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        write_atomically(&with_symbols, &elf)?;
        write_atomically(&image, &image::boot_image(arch, &elf)?)
    })?;
    Ok((image, with_symbols))
}

/// Builds the programs of userspace alone.
pub(crate) fn userspace(cargo: &BareMetal, arch: Arch, profile: Profile) -> Result<Programs> {
    progress::step(&format!("userspace ({arch})"), || {
        cargo.build(profile, &USERSPACE)
    })
}
