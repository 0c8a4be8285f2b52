//! The orderly end of the system.

use rt::process::{self, WaitFlags};
use rt::signal::{SIGCONT, SIGHUP, SIGKILL, SIGTERM};
use rt::system::{self, Shutdown};
use rt::{Errno, eprintln, println, time};

use crate::{console, mounts};

/// How long processes have to end by themselves, in milliseconds.
const GRACE_MS: u64 = 3000;
/// How long the kernel has to end them, in milliseconds.
const KILL_MS: u64 = 1000;
/// How often the first process looks whether they have, in milliseconds.
const LOOK_MS: u64 = 10;
/// Stands for all processes but the caller.
const ALL: i32 = -1;

/// Ends all processes and then the system; returns the exit status if that is refused.
pub(crate) fn run(how: Shutdown) -> i32 {
    println!("init: stopping all processes");
    // Interactive shells ignore SIGTERM and end by SIGHUP, which comes first so that none prints another
    // prompt when its command ends; stopped processes must run to see either.
    for number in [SIGHUP, SIGTERM, SIGCONT] {
        let _ = process::kill(ALL, number);
    }
    if !reap_all(GRACE_MS) {
        let _ = process::kill(ALL, SIGKILL);
        reap_all(KILL_MS);
    }
    system::sync();
    mounts::release();
    println!("init: {}", name(how));
    console::drain();
    end(how)
}

/// Ends the system at once.
pub(crate) fn end(how: Shutdown) -> i32 {
    match system::shut_down(how) {
        Ok(()) => 0,
        Err(errno) => {
            eprintln!("init: {}: {}", name(how), errno.message());
            1
        }
    }
}

fn name(how: Shutdown) -> &'static str {
    match how {
        Shutdown::Halt => "halt",
        Shutdown::PowerOff => "power off",
        Shutdown::Reboot => "reboot",
    }
}

/// Reaps until no child is left; false when the time is over first.
fn reap_all(limit_ms: u64) -> bool {
    let mut waited_ms = 0;
    loop {
        match process::wait(-1, WaitFlags::NOHANG) {
            Err(Errno::ECHILD) => return true,
            Ok(None) if waited_ms >= limit_ms => return false,
            Ok(None) => {
                time::sleep_ms(LOOK_MS);
                waited_ms += LOOK_MS;
            }
            _ => {}
        }
    }
}
