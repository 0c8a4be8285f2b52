//! Passes the linker what a static Linux program at its traditional address needs: the build script of every
//! program made with `rt`.

fn main() {
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "none") {
        for argument in [
            "-static",
            "--image-base=0x400000",
            "-zmax-page-size=4096",
            "-zseparate-code",
            "-znoexecstack",
            "-znorelro",
            // The initramfs lives in memory.
            "--strip-debug",
        ] {
            println!("cargo::rustc-link-arg-bins={argument}");
        }
    }
    // Cargo itself runs a changed script again.
    println!("cargo::rerun-if-changed=Cargo.toml");
}
