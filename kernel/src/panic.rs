//! Last words: what the kernel says when it cannot go on, and what happens then.

use core::fmt;
use core::hint::spin_loop;
use core::panic::Location;
use core::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use los_arch::{Current, hal::prelude::*};

use crate::command_line::PanicAction;
use crate::logger;

/// `panic=` in its Linux form: 0 halts, negative reboots at once, positive reboots after so many seconds.
static TIMEOUT_SECONDS: AtomicI32 = AtomicI32::new(0);
static PANICKING: AtomicBool = AtomicBool::new(false);

/// Sets what a panic does.
pub(crate) fn set_action(action: PanicAction) {
    let seconds = match action {
        PanicAction::Halt => 0,
        PanicAction::RebootNow => -1,
        PanicAction::RebootAfter(seconds) => i32::try_from(seconds).unwrap_or(i32::MAX),
    };
    TIMEOUT_SECONDS.store(seconds, Ordering::Relaxed);
}

/// Says in Linux's words why the kernel cannot go on, and stops or restarts the machine.
pub(crate) fn kernel_panic(reason: fmt::Arguments<'_>) -> ! {
    last_words(reason, None)
}

fn last_words(reason: fmt::Arguments<'_>, place: Option<&Location<'_>>) -> ! {
    Current::disable_interrupts();
    if PANICKING.swap(true, Ordering::Relaxed) {
        logger::print_unlocked(format_args!("\npanic while panicking\n"));
        finish();
    }
    logger::print_unlocked(format_args!("\nKernel panic - not syncing: {reason}\n"));
    if let Some(place) = place {
        logger::print_unlocked(format_args!("Panicked at {place}\n"));
    }
    logger::print_unlocked(format_args!(
        "---[ end Kernel panic - not syncing: {reason} ]---\n"
    ));
    finish();
}

fn finish() -> ! {
    match TIMEOUT_SECONDS.load(Ordering::Relaxed) {
        0 => Current::halt(),
        ..0 => Current::reboot(),
        seconds => {
            logger::print_unlocked(format_args!("Rebooting in {seconds} seconds..\n"));
            let until_ns = Current::monotonic_ns() + u64::from(seconds.unsigned_abs()) * 1_000_000_000;
            while Current::monotonic_ns() < until_ns {
                spin_loop();
            }
            Current::reboot()
        }
    }
}

#[cfg(target_os = "none")]
#[panic_handler]
fn on_panic(info: &core::panic::PanicInfo<'_>) -> ! {
    last_words(format_args!("{}", info.message()), info.location())
}
