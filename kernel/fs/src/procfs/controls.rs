//! What can be set of a task by writing: its name, the slack of its timers, what its core dumps have, and how soon
//! it goes when memory runs out (proc_pid_comm(5), proc_pid_timerslack_ns(5), proc_pid_coredump_filter(5),
//! proc_pid_oom_score_adj(5)).

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use ::task::Thread;
use ::task::core_dump::Filter;
use los_abi::errno::Errno;
use vfs::Capability;

use super::task::Task;
use super::text::{Text, written_number};

type Done = Result<(), Errno>;

/// The highest adjustment of badness; the lowest is minus that.
const ADJUSTMENT_MAX: i32 = 1000;
/// The same by the older scale.
const OLD_ADJUSTMENT_MAX: i32 = 15;
const OLD_ADJUSTMENT_MIN: i32 = -17;

pub(super) fn show_name(task: &Task, text: &mut Text) -> Done {
    text.bytes(task.name().as_bytes());
    text.bytes(b"\n");
    Ok(())
}

/// Renames a thread of the writer's own process.
pub(super) fn store_name(task: &Task, name: &[u8]) -> Done {
    let own = ::task::current().is_some_and(|thread| Arc::ptr_eq(thread.process(), task.process()));
    let thread = task.thread().filter(|_| own).ok_or(Errno::EINVAL)?;
    thread.set_name(name.strip_suffix(b"\n").unwrap_or(name));
    Ok(())
}

/// Returns the main thread, if the running one may see and change its timers' slack.
fn with_slack(task: &Task) -> Result<Arc<Thread>, Errno> {
    let thread = task.thread().ok_or(Errno::ESRCH)?;
    let is_own = ::task::current().is_some_and(|own| Arc::ptr_eq(&own, &thread));
    if is_own || super::reader().capable(Capability::SysNice) {
        Ok(thread)
    } else {
        Err(Errno::EPERM)
    }
}

pub(super) fn show_timer_slack(task: &Task, text: &mut Text) -> Done {
    let slack_ns = with_slack(task)?.attributes.timer_slack_ns();
    writeln!(text, "{slack_ns}");
    Ok(())
}

/// Takes a number of nanoseconds; 0 is what the parent had.
pub(super) fn store_timer_slack(task: &Task, bytes: &[u8]) -> Done {
    let number = str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.trim().parse::<u64>().ok());
    let slack_ns = number.ok_or(Errno::EINVAL)?;
    let slack_ns = (slack_ns != 0).then_some(slack_ns);
    with_slack(task)?.attributes.set_timer_slack_ns(slack_ns);
    Ok(())
}

pub(super) fn show_core_filter(task: &Task, text: &mut Text) -> Done {
    if task.process().memory().is_some() {
        writeln!(text, "{:08x}", task.process().core_filter().bits());
    }
    Ok(())
}

/// Takes a number with the prefix of its base, as C has them.
pub(super) fn store_core_filter(task: &Task, bytes: &[u8]) -> Done {
    let text = str::from_utf8(bytes).map_err(|_| Errno::EINVAL)?.trim();
    let parsed = match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16),
        None if text.starts_with('0') => u32::from_str_radix(text, 8),
        None => text.parse(),
    };
    let bits = parsed.map_err(|_| Errno::EINVAL)?;
    if task.process().memory().is_none() {
        return Err(Errno::ESRCH);
    }
    task.process().set_core_filter(Filter::from_bits_truncate(bits));
    Ok(())
}

pub(super) fn show_adjustment(task: &Task, text: &mut Text) -> Done {
    writeln!(
        text,
        "{}",
        task.process().oom_score_adjustment.load(Ordering::Relaxed)
    );
    Ok(())
}

pub(super) fn store_adjustment(task: &Task, bytes: &[u8]) -> Done {
    let new: i32 = written_number(bytes)?;
    if !(-ADJUSTMENT_MAX..=ADJUSTMENT_MAX).contains(&new) {
        return Err(Errno::EINVAL);
    }
    adjust(task, new)
}

fn adjust(task: &Task, new: i32) -> Done {
    let lowers = new < task.process().oom_score_adjustment.load(Ordering::Relaxed);
    if lowers && !super::reader().capable(Capability::SysResource) {
        return Err(Errno::EACCES);
    }
    task.process().oom_score_adjustment.store(new, Ordering::Relaxed);
    Ok(())
}

/// Shows the adjustment by the scale of old programs: -17 stands for -1000 and 15 for 1000.
pub(super) fn show_old_adjustment(task: &Task, text: &mut Text) -> Done {
    let new = task.process().oom_score_adjustment.load(Ordering::Relaxed);
    let old = match new {
        ADJUSTMENT_MAX => OLD_ADJUSTMENT_MAX,
        _ => (-OLD_ADJUSTMENT_MIN * new / ADJUSTMENT_MAX).min(OLD_ADJUSTMENT_MAX),
    };
    writeln!(text, "{old}");
    Ok(())
}

pub(super) fn store_old_adjustment(task: &Task, bytes: &[u8]) -> Done {
    match written_number::<i32>(bytes)? {
        OLD_ADJUSTMENT_MAX => adjust(task, ADJUSTMENT_MAX),
        old if (OLD_ADJUSTMENT_MIN..OLD_ADJUSTMENT_MAX).contains(&old) => {
            adjust(task, old * ADJUSTMENT_MAX / -OLD_ADJUSTMENT_MIN)
        }
        _ => Err(Errno::EINVAL),
    }
}

/// Forgets what of memory was used (proc_pid_clear_refs(5)): 1 to 4 are about marks of pages that are not kept, since
/// none are taken away; 5 is about the most that was ever in memory.
pub(super) fn clear_references(task: &Task, bytes: &[u8]) -> Done {
    match written_number::<i32>(bytes)? {
        1..=4 => {}
        5 => {
            if let Some(memory) = task.process().memory() {
                memory.reset_peak();
            }
        }
        _ => return Err(Errno::EINVAL),
    }
    if task.process().is_zombie() {
        Err(Errno::ESRCH)
    } else {
        Ok(())
    }
}
