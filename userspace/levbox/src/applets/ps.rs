//! `ps`: the processes, as `/proc` tells of them.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use rt::text::{self, Text};
use rt::{fs, println};

use crate::Call;

/// Clock ticks in a second in the files of `/proc`.
const TICKS_PER_SECOND: u64 = los_abi::time::USER_HZ;

/// One line of the list.
struct Process {
    pid: u64,
    user: String,
    state: char,
    seconds: u64,
    command: Vec<u8>,
}

/// Lists all processes; the options of other `ps` programs are accepted and change nothing.
pub(super) fn run(call: &Call<'_>) -> i32 {
    if call.arguments.iter().any(|argument| argument == b"--help") {
        println!("Usage: ps");
        return 0;
    }
    let entries = match fs::read_directory(b"/proc") {
        Ok(entries) => entries,
        Err(errno) => {
            call.complain_about(b"/proc", errno);
            return 1;
        }
    };
    let names = fs::read(b"/etc/passwd").unwrap_or_default();
    let mut pids: Vec<u64> = entries
        .iter()
        .filter_map(|entry| text::parse_unsigned(&entry.name, 10))
        .collect();
    pids.sort_unstable();
    println!("  PID USER     STAT   TIME COMMAND");
    // A process that ended meanwhile is simply not shown.
    for process in pids.into_iter().filter_map(|pid| read(pid, &names)) {
        let Process {
            pid,
            user,
            state,
            seconds,
            command,
        } = process;
        println!(
            "{pid:5} {user:<8.8} {state:<4} {:3}:{:02} {}",
            seconds / 60,
            seconds % 60,
            Text(&command)
        );
    }
    0
}

fn read(pid: u64, names: &[u8]) -> Option<Process> {
    let directory = [b"/proc/", pid.to_string().as_bytes()].concat();
    let stat = fs::read(&fs::join(&directory, b"stat")).ok()?;
    // The name in parentheses may hold anything, so the fields are counted from its last parenthesis.
    let open = stat.iter().position(|byte| *byte == b'(')?;
    let close = stat.iter().rposition(|byte| *byte == b')')?;
    let name = stat.get(open + 1..close)?;
    let fields: Vec<&[u8]> = stat.get(close + 2..)?.split(|byte| *byte == b' ').collect();
    let ticks = |index: usize| {
        fields
            .get(index)
            .and_then(|field| text::parse_unsigned(field, 10))
            .unwrap_or(0)
    };
    let mut command = fs::read(&fs::join(&directory, b"cmdline")).unwrap_or_default();
    while command.last() == Some(&0) {
        command.pop();
    }
    command
        .iter_mut()
        .filter(|byte| byte.is_ascii_control())
        .for_each(|byte| *byte = b' ');
    if command.is_empty() {
        command = [b"[", name, b"]"].concat();
    }
    let uid = fs::metadata(&directory).ok()?.owner().0;
    Some(Process {
        pid,
        user: super::ls::format::name_of(names, uid),
        state: char::from(*fields.first()?.first()?),
        // Fields 14 and 15 of proc(5), user and system time; the state is field 3.
        seconds: (ticks(11) + ticks(12)) / TICKS_PER_SECOND,
        command,
    })
}
