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
use super::text::Text;

type Done = Result<(), Errno>;

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
    let number = str::from_utf8(bytes)
        .ok()
        .and_then(|digits| digits.trim().parse().ok());
    let new: i32 = number
        .filter(|new| (-1000..=1000).contains(new))
        .ok_or(Errno::EINVAL)?;
    let lowers = new < task.process().oom_score_adjustment.load(Ordering::Relaxed);
    if lowers && !super::reader().capable(Capability::SysResource) {
        return Err(Errno::EACCES);
    }
    task.process().oom_score_adjustment.store(new, Ordering::Relaxed);
    Ok(())
}
