//! `poweroff` and `reboot`: ask the first process to end the system, or with `-f` do it at once.

use rt::signal::{SIGTERM, SIGUSR2};
use rt::system::{self, Shutdown};
use rt::{process, time};

use crate::Call;
use crate::options::{Grammar, Options};

/// Process id of the first process.
const FIRST_PROCESS: i32 = 1;
/// How long to wait for the end, in milliseconds: a prompt in between would only confuse.
const PATIENCE_MS: u64 = 10_000;

pub(super) fn power_off(call: &Call<'_>) -> i32 {
    end(call, Shutdown::PowerOff, SIGUSR2)
}

pub(super) fn reboot(call: &Call<'_>) -> i32 {
    end(call, Shutdown::Reboot, SIGTERM)
}

fn end(call: &Call<'_>, how: Shutdown, signal: u32) -> i32 {
    let options = match Options::parse(call, &Grammar::of("f").with_long(&[("force", b'f')])) {
        Ok(options) => options,
        Err(status) => return status,
    };
    let result = if options.has(b'f') {
        system::sync();
        system::shut_down(how)
    } else {
        process::kill(FIRST_PROCESS, signal)
    };
    if let Err(errno) = result {
        call.complain(format_args!("{}", errno.message()));
        return 1;
    }
    time::sleep_ms(PATIENCE_MS);
    0
}
