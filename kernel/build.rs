//! Links the kernel by its own linker script on bare metal; does nothing for a host build.

use std::env;

fn main() {
    let variable = |name| env::var(name).unwrap_or_default();
    if variable("CARGO_CFG_TARGET_OS") != "none" {
        return;
    }
    let script = format!(
        "{}/linker/{}.ld",
        variable("CARGO_MANIFEST_DIR"),
        variable("CARGO_CFG_TARGET_ARCH")
    );
    println!("cargo:rerun-if-changed={script}");
    println!("cargo:rustc-link-arg-bins=-T{script}");
    println!("cargo:rustc-link-arg-bins=--no-pie");
    println!("cargo:rustc-link-arg-bins=-zmax-page-size=4096");
}
