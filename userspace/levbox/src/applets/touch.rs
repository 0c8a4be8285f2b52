//! `touch`: makes files that are missing and gives the others the present time, or a given one.

use alloc::vec::Vec;

use los_abi::time::UTIME_OMIT;
use rt::fs::{self, File, OpenFlags};
use rt::text::{self, Text};
use rt::time::{self, Date, Timespec};
use rt::{Errno, Result};

use crate::Call;
use crate::options::{Grammar, Options};

/// First year of the century that a year of two digits means the later one of (POSIX.1-2017, touch).
const CENTURY_TURN: i64 = 69;

pub(super) fn run(call: &Call<'_>) -> i32 {
    let long = &[("no-create", b'c')];
    let options = match Options::parse(call, &Grammar::of("acmr:t:").with_long(long)) {
        Ok(options) => options,
        Err(status) => return status,
    };
    if options.operands.is_empty() {
        return call.misused();
    }
    let times = match times(call, &options) {
        Ok(times) => times,
        Err(status) => return status,
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

/// Returns the times of access and change that the options ask for; `None` is the present for both.
fn times(call: &Call<'_>, options: &Options) -> core::result::Result<Option<[Timespec; 2]>, i32> {
    let given = if let Some(stamp) = options.value(b't') {
        let Some(seconds) = parse_stamp(stamp) else {
            call.complain(format_args!("invalid date format '{}'", Text(stamp)));
            return Err(1);
        };
        Some(
            [Timespec {
                tv_sec: seconds,
                tv_nsec: 0,
            }; 2],
        )
    } else if let Some(reference) = options.value(b'r') {
        let metadata = fs::metadata(reference).map_err(|errno| {
            call.complain_about(reference, errno);
            1
        })?;
        Some([metadata.accessed(), metadata.modified()])
    } else {
        None
    };
    let omitted = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_OMIT,
    };
    let [accessed, modified] = given.unwrap_or_else(|| [time::now(); 2]);
    Ok(match (options.has(b'a'), options.has(b'm')) {
        (true, false) => Some([accessed, omitted]),
        (false, true) => Some([omitted, modified]),
        _ => given,
    })
}

/// Reads `[[CC]YY]MMDDhhmm[.SS]` as universal time.
fn parse_stamp(stamp: &[u8]) -> Option<i64> {
    let (main, second) = match stamp.split(|byte| *byte == b'.').collect::<Vec<_>>()[..] {
        [main] => (main, 0),
        [main, second] if second.len() == 2 => (main, text::parse_unsigned(second, 10)?),
        _ => return None,
    };
    let (year, rest) = main.split_at_checked(main.len().checked_sub(8)?)?;
    let number =
        |digits: &[u8]| text::parse_unsigned(digits, 10).and_then(|number| u32::try_from(number).ok());
    let year = match (year.len(), number(year)) {
        (0, _) => Date::from_seconds(time::now().tv_sec).year,
        (2, Some(year)) if i64::from(year) >= CENTURY_TURN => 1900 + i64::from(year),
        (2, Some(year)) => 2000 + i64::from(year),
        (4, Some(year)) => i64::from(year),
        _ => return None,
    };
    let date = Date {
        year,
        month: number(&rest[..2])?,
        day: number(&rest[2..4])?,
        hour: number(&rest[4..6])?,
        minute: number(&rest[6..])?,
        second: u32::try_from(second).ok()?,
    };
    date.to_seconds()
}

fn touch(path: &[u8], times: Option<[Timespec; 2]>, only_existing: bool) -> Result<()> {
    match fs::set_times(path, times) {
        Err(Errno::ENOENT) if only_existing => Ok(()),
        Err(Errno::ENOENT) => {
            let flags = OpenFlags::WRONLY | OpenFlags::CREAT | OpenFlags::NONBLOCK | OpenFlags::NOCTTY;
            drop(File::open_with(path, flags, 0o666)?);
            times.map_or(Ok(()), |times| fs::set_times(path, Some(times)))
        }
        result => result,
    }
}
