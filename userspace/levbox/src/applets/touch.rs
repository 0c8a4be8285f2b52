//! `touch`: makes files that are missing and gives the others the present time.

use los_abi::time::UTIME_OMIT;
use rt::fs::{self, File, OpenFlags};
use rt::time::{self, Timespec};
use rt::{Errno, Result};

use crate::Call;
use crate::options::{Grammar, Options};

pub(super) fn run(call: &Call<'_>) -> i32 {
    let long = &[("no-create", b'c')];
    let options = match Options::parse(
        call,
        &Grammar {
            long,
            ..Grammar::of("acm")
        },
    ) {
        Ok(options) => options,
        Err(status) => return status,
    };
    if options.operands.is_empty() {
        return call.misused();
    }
    let omitted = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_OMIT,
    };
    let times = match (options.has(b'a'), options.has(b'm')) {
        (true, false) => Some([time::now(), omitted]),
        (false, true) => Some([omitted, time::now()]),
        _ => None,
    };
    let mut status = 0;
    for path in &options.operands {
        if let Err(errno) = touch(path, times, options.has(b'c')) {
            call.complain_about(path, errno);
            status = 1;
        }
    }
    status
}

fn touch(path: &[u8], times: Option<[Timespec; 2]>, only_existing: bool) -> Result<()> {
    match fs::set_times(path, times) {
        Err(Errno::ENOENT) if only_existing => Ok(()),
        Err(Errno::ENOENT) => {
            let flags = OpenFlags::WRONLY | OpenFlags::CREAT | OpenFlags::NONBLOCK | OpenFlags::NOCTTY;
            File::open_with(path, flags, 0o666).map(drop)
        }
        result => result,
    }
}
