//! `cargo xtask`: builds, boots and tests Levitate. Everything that a user types starts here.
//!
//! [`cli`] parses the command line and calls one module per command (`build`, `run`, `exec`, `rootfs`,
//! `docs`, `test`). Those stand on a few nouns: [`arch`] (what differs between the two machines), [`paths`],
//! [`toolchain`] and [`cargo`] (making programs), [`initramfs`] and [`archive`] (packing them),
//! [`qemu`] and [`guest`] (booting them), [`frame`] and [`expect`] (reading what the guest prints).
#![forbid(unsafe_code)]

mod arch;
mod archive;
mod build;
mod cargo;
mod cli;
mod debian;
mod docs;
mod exec;
mod expect;
mod frame;
mod gdb;
mod golden;
mod guest;
mod guest_files;
mod image;
mod initramfs;
mod lock;
mod packages;
mod paths;
mod process;
mod progress;
mod qemu;
mod rootfs;
mod run;
mod test;
mod toolchain;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::main() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
