//! What a task has read and written, and its children (proc_pid_io(5), proc_tid_children(5)).

use ::task::pid;
use los_abi::errno::Errno;

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
