//! `cargo xtask run --gdb`: QEMU waits for a debugger before the first instruction.

use std::path::Path;

use crate::arch::Arch;
use crate::process;

const ADDRESS: &str = "localhost:1234";

/// Returns QEMU's arguments.
pub(crate) fn arguments() -> Vec<String> {
    vec!["-gdb".to_owned(), format!("tcp:{ADDRESS}"), "-S".to_owned()]
}

/// Returns the line to type in another terminal.
pub(crate) fn invitation(arch: Arch, kernel_elf: &Path) -> String {
    let native = arch.is_native() && process::find("gdb-multiarch").is_none();
    let program = if native { "gdb" } else { "gdb-multiarch" };
    format!("{program} {} -ex 'target remote {ADDRESS}'", kernel_elf.display())
}
