//! Files of /proc in the form that programs parse.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::syscall::Sysno;
use rt::fs;

use crate::harness::{Failure, Outcome, spawn_sleeper, wait_for};
use crate::raw::{addr_mut, call, peek};
use crate::thread::{self, shared_page};
use crate::{cases, ensure, ensure_eq};

cases![
    cpu_paragraphs_end_with_an_empty_line,
    transfers_are_counted,
    timer_slack_is_read_and_set,
    children_are_those_of_a_thread,
];

fn cpu_paragraphs_end_with_an_empty_line() -> Outcome {
    // procps reads on until it finds one.
    let text = fs::read(b"/proc/cpuinfo")?;
    ensure!(text.starts_with(b"processor\t: 0\n"));
    ensure!(text.ends_with(b"\n\n"));
    Ok(())
}

fn text(path: &[u8]) -> Result<String, Failure> {
    Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
}

/// Returns rchar, wchar, syscr and syscw of this process.
fn transfers() -> Result<[u64; 4], Failure> {
    let text = text(b"/proc/self/io")?;
    let lines: Vec<_> = text.lines().filter_map(|line| line.split_once(": ")).collect();
    let names: Vec<_> = lines.iter().map(|(name, _)| *name).collect();
    ensure_eq!(
        names,
        [
            "rchar",
            "wchar",
            "syscr",
            "syscw",
            "read_bytes",
            "write_bytes",
            "cancelled_write_bytes"
        ]
    );
    Ok([0, 1, 2, 3].map(|index| lines[index].1.parse().unwrap_or_default()))
}

fn transfers_are_counted() -> Outcome {
    let mut file = fs::File::create(b"file", 0o600)?;
    let before = transfers()?;
    file.write_all(&[1; 1000])?;
    file.write_all(&[2; 500])?;
    let after = transfers()?;
    ensure_eq!((after[1] - before[1], after[3] - before[3]), (1500, 2));
    let input = fs::File::open(b"file")?;
    let mut bytes = [0_u8; 2000];
    let before = transfers()?;
    let pread = [input.descriptor() as u64, addr_mut(&mut bytes), 2000, 0];
    ensure_eq!(call(Sysno::pread64, &pread)?, 1500);
    let after = transfers()?;
    // Reading the counters is counted as well: their text, and the end behind it.
    ensure!(after[0] - before[0] > 1500 && after[0] - before[0] < 3000);
    ensure!(after[2] - before[2] >= 2);
    Ok(())
}

fn timer_slack_is_read_and_set() -> Outcome {
    const PR_SET_TIMERSLACK: u64 = 29;
    const PR_GET_TIMERSLACK: u64 = 30;
    const PATH: &[u8] = b"/proc/self/timerslack_ns";
    call(Sysno::prctl, &[PR_SET_TIMERSLACK, 70_000])?;
    ensure_eq!(text(PATH)?, "70000\n");
    let mut file = fs::File::open_with(PATH, OpenFlags::WRONLY, 0)?;
    file.write_all(b"80000\n")?;
    ensure_eq!(call(Sysno::prctl, &[PR_GET_TIMERSLACK])?, 80_000);
    ensure_eq!(file.write_all(b"much").err(), Some(Errno::EINVAL));
    ensure!(fs::read(b"/proc/thread-self/timerslack_ns").is_err());
    Ok(())
}

extern "C" fn fork_in_thread(place: u64) -> i32 {
    let path = format!(
        "/proc/self/task/{}/children",
        call(Sysno::gettid, &[]).unwrap_or_default()
    );
    let Ok(child) = spawn_sleeper(|| {}) else { return 1 };
    let is_told = fs::read(path.as_bytes()) == Ok(format!("{child} ").into_bytes());
    crate::raw::poke(place, u64::from(is_told));
    let _ = call(Sysno::kill, &[child as u64, 9]);
    let _ = wait_for(child);
    0
}

fn children_are_those_of_a_thread() -> Outcome {
    let own = format!("/proc/self/task/{}/children", rt::process::id());
    if fs::read(own.as_bytes()).err() == Some(Errno::ENOENT) {
        return Err(Failure::Skip("this kernel does not tell children"));
    }
    ensure_eq!(text(own.as_bytes())?, "");
    let children = [spawn_sleeper(|| {})?, spawn_sleeper(|| {})?];
    ensure_eq!(text(own.as_bytes())?, format!("{} {} ", children[0], children[1]));
    let place = shared_page()?;
    thread::start(fork_in_thread, place)?.join();
    ensure_eq!(peek::<u64>(place), 1);
    for child in children {
        call(Sysno::kill, &[child as u64, 9])?;
        wait_for(child)?;
    }
    ensure_eq!(text(own.as_bytes())?, "");
    ensure!(fs::read(b"/proc/self/children").is_err());
    Ok(())
}
