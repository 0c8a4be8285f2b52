//! What a task has read and written, the slack of its timers, and its children (proc_pid_io(5),
//! proc_pid_timerslack_ns(5), proc_tid_children(5)).

use alloc::sync::Arc;

use ::task::{Thread, pid};
use los_abi::errno::Errno;
use vfs::Capability;

use super::task::{Scope, Task};
use super::text::Text;

type Done = Result<(), Errno>;

/// Writes counters of calls. A process's are those of its children too, once it has waited for them. Nothing goes
/// to a device that is counted.
pub(super) fn show_transfers(task: &Task, text: &mut Text) -> Done {
    let usage = match (task.scope(), task.thread()) {
        (Scope::Thread, Some(thread)) => thread.counters(),
        _ => {
            let mut all = task.process().counters();
            all.add(&task.process().children_usage());
            all
        }
    };
    for (name, value) in [
        ("rchar", usage.read_bytes),
        ("wchar", usage.written_bytes),
        ("syscr", usage.read_calls),
        ("syscw", usage.write_calls),
        ("read_bytes", 0),
        ("write_bytes", 0),
        ("cancelled_write_bytes", 0),
    ] {
        writeln!(text, "{name}: {value}");
    }
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

/// Writes the numbers of the children that a thread has made or was given, each with a space behind it.
pub(super) fn show_children(task: &Task, text: &mut Text) -> Done {
    let Some(thread) = task.thread() else {
        return Ok(());
    };
    for child in pid::children(&thread)? {
        write!(text, "{child} ");
    }
    Ok(())
}
