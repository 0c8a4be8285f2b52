//! Levitate's composition root: names the parts and starts them; holds no logic.
//!
//! The machine's boot code calls `kernel_main`; [`boot`] says what it was handed, [`start`] brings the parts up
//! in order, [`panic`] speaks the last words. On a host the crate builds against the mock machine, so that
//! its pure parts can be tested.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![cfg_attr(
    not(target_os = "none"),
    expect(dead_code, reason = "a host build runs the tests of the pure parts only")
)]

extern crate alloc;

mod boot;
mod command_line;
#[cfg(target_os = "none")]
mod init;
#[cfg(target_os = "none")]
mod kmsg;
mod log_ring;
mod logger;
mod panic;
#[cfg(target_os = "none")]
mod start;

#[cfg(target_os = "none")]
#[global_allocator]
static HEAP: mm::heap::KernelHeap = mm::heap::KernelHeap;

/// Takes over from the machine's boot code, with the boot mappings active and interrupts masked.
#[cfg(target_os = "none")]
#[unsafe(no_mangle)]
extern "C" fn kernel_main(boot_argument: usize) -> ! {
    start::run(boot_argument)
}

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!(
        "levitate-kernel is a kernel: build it with `cargo xtask build`, run it with `cargo xtask run`"
    );
    std::process::exit(1);
}
