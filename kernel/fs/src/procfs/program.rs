//! What a process started with: arguments, environment, auxiliary vector, program and limits.

use alloc::vec::Vec;

use ::task::Process;
use los_abi::errno::Errno;
use los_abi::resource::{
    RLIM_INFINITY, RLIMIT_AS, RLIMIT_CORE, RLIMIT_CPU, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_LOCKS,
    RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE, RLIMIT_NICE, RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_RSS, RLIMIT_RTPRIO,
    RLIMIT_RTTIME, RLIMIT_SIGPENDING, RLIMIT_STACK, Rlimit64,
};
use vfs::Path;

use super::task::Task;
use super::text::Text;

type Done = Result<(), Errno>;

/// Longest text that is shown of arguments or environment: what execve(2) ever accepts, and more.
const STRINGS_BYTES_MAX: u64 = 8 << 20;

pub(super) fn command_line(task: &Task, text: &mut Text) -> Done {
    let image = task.process().image();
    let mut strings = read_memory(task.process(), image.arguments)?;
    if strings.last().is_some_and(|byte| *byte != 0) {
        // A program that has overwritten the end of its arguments to show a longer title goes on in its
        // environment (setproctitle).
        let more = read_memory(task.process(), image.environment)?;
        let title = strings.iter().chain(&more).take_while(|byte| **byte != 0).count();
        let from_more = title.saturating_sub(strings.len());
        strings.truncate(title);
        text.bytes(&strings);
        text.bytes(&more[..from_more]);
        return Ok(());
    }
    text.bytes(&strings);
    Ok(())
}

pub(super) fn environment(task: &Task, text: &mut Text) -> Done {
    let strings = read_memory(task.process(), task.process().image().environment)?;
    text.bytes(&strings);
    Ok(())
}

/// Reads a range of the program's memory as far as it is there.
fn read_memory(process: &Process, (start, end): (u64, u64)) -> Result<Vec<u8>, Errno> {
    let Some(memory) = process.memory() else {
        return Ok(Vec::new());
    };
    let length = end.saturating_sub(start).min(STRINGS_BYTES_MAX) as usize;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length).map_err(|_| Errno::ENOMEM)?;
    bytes.resize(length, 0);
    let there = memory.read_foreign(start, &mut bytes);
    bytes.truncate(there);
    Ok(bytes)
}

pub(super) fn auxiliary_vector(task: &Task, text: &mut Text) -> Done {
    if task.process().memory().is_some() {
        for word in task.process().image().auxv() {
            text.bytes(&word.to_ne_bytes());
        }
    }
    Ok(())
}

pub(super) fn executable(task: &Task) -> Result<Path, Errno> {
    // A zombie still has its image, but no program any more.
    let alive = task.process().memory().ok_or(Errno::ENOENT)?;
    drop(alive);
    Ok(task.process().executable().ok_or(Errno::ENOENT)?.path().clone())
}

pub(super) fn limits(task: &Task, text: &mut Text) -> Done {
    write_limits(text, |resource| task.process().limits().get(resource))
}

fn write_limits(text: &mut Text, get: impl Fn(u32) -> Result<Rlimit64, Errno>) -> Done {
    let rows = [
        ("Max cpu time", RLIMIT_CPU, "seconds"),
        ("Max file size", RLIMIT_FSIZE, "bytes"),
        ("Max data size", RLIMIT_DATA, "bytes"),
        ("Max stack size", RLIMIT_STACK, "bytes"),
        ("Max core file size", RLIMIT_CORE, "bytes"),
        ("Max resident set", RLIMIT_RSS, "bytes"),
        ("Max processes", RLIMIT_NPROC, "processes"),
        ("Max open files", RLIMIT_NOFILE, "files"),
        ("Max locked memory", RLIMIT_MEMLOCK, "bytes"),
        ("Max address space", RLIMIT_AS, "bytes"),
        ("Max file locks", RLIMIT_LOCKS, "locks"),
        ("Max pending signals", RLIMIT_SIGPENDING, "signals"),
        ("Max msgqueue size", RLIMIT_MSGQUEUE, "bytes"),
        ("Max nice priority", RLIMIT_NICE, ""),
        ("Max realtime priority", RLIMIT_RTPRIO, ""),
        ("Max realtime timeout", RLIMIT_RTTIME, "us"),
    ];
    writeln!(
        text,
        "{:<25} {:<20} {:<20} {:<10}",
        "Limit", "Soft Limit", "Hard Limit", "Units"
    );
    for (name, resource, unit) in rows {
        let limit = get(resource)?;
        write!(text, "{name:<25} ");
        for value in [limit.rlim_cur, limit.rlim_max] {
            if value == RLIM_INFINITY {
                write!(text, "{:<20} ", "unlimited");
            } else {
                write!(text, "{value:<20} ");
            }
        }
        if unit.is_empty() {
            text.bytes(b"\n");
        } else {
            writeln!(text, "{unit:<10}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_stand_in_columns() {
        let mut text = Text::new();
        let limits = ::task::rlimit::Limits::new(100);
        write_limits(&mut text, |resource| limits.get(resource)).unwrap();
        let bytes = text.finish().unwrap();
        let lines: Vec<_> = str::from_utf8(&bytes).unwrap().lines().collect();
        assert_eq!(lines.len(), 17);
        assert_eq!(
            lines[1],
            "Max cpu time              unlimited            unlimited            seconds   "
        );
        assert_eq!(
            lines[8],
            "Max open files            1024                 4096                 files     "
        );
        assert_eq!(
            lines[14],
            "Max nice priority         0                    0                    "
        );
    }
}
