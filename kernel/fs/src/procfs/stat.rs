//! /proc/PID/stat: the numbers of a task in one line (proc_pid_stat(5)).

use ::task::accounting::{CpuTimes, ticks};
use ::task::sched::Schedule;
use ::task::thread::Name;
use ::task::{pid, signal};
use los_abi::errno::Errno;
use los_abi::resource::RLIMIT_RSS;
use vfs::{device_major, device_minor};

use super::node::Subject;
use super::task::{Scope, Task};
use super::text::Text;

/// Priority of nice 0, as stat tells it.
const PRIORITY_OF_NICE_0: i32 = 20;
const PAGE_BYTES: u64 = 4096;
/// In `flags`: a kernel thread (PF_KTHREAD).
const KERNEL_THREAD: u64 = 0x0020_0000;
/// In `flags`: forked and not yet replaced by execve (PF_FORKNOEXEC).
const FORKED: u64 = 0x40;

/// The fields from the fourth on, by name where they are not always zero.
#[derive(Default)]
struct Fields {
    id: u32,
    name: Name,
    state: char,
    parent: u32,
    group: u32,
    session: u32,
    terminal: u64,
    foreground: i32,
    flags: u64,
    faults: [u64; 4],
    times: [CpuTimes; 2],
    schedule: Schedule,
    /// Real-time priority in force, 0 for none.
    priority: u32,
    threads: usize,
    start_ns: u64,
    size_bytes: u64,
    resident_pages: usize,
    resident_limit: u64,
    code: (u64, u64),
    stack_start: u64,
    /// Pending, blocked, ignored and caught, of the standard signals.
    signals: [u64; 4],
    exit_signal: u32,
    data: (u64, u64),
    break_start: u64,
    arguments: (u64, u64),
    environment: (u64, u64),
    exit_code: u32,
}

pub(super) fn show(task: &Task, text: &mut Text) -> Result<(), Errno> {
    // Addresses are for those who could look at the memory itself.
    let may_inspect = task.check_inspection(&super::reader()).is_ok();
    write_line(text, &collect(task, may_inspect));
    Ok(())
}

fn collect(task: &Task, may_inspect: bool) -> Fields {
    let (process, thread) = (task.process(), task.thread());
    let usage = match (&thread, task.scope()) {
        (Some(thread), Scope::Thread) => thread.counters(),
        _ => process.counters(),
    };
    let children = process.children_usage();
    let terminal = pid::terminal(process.session());
    let (ignored, caught) = process.actions().summary();
    let mut fields = Fields {
        id: task.id(),
        name: task.name(),
        state: task.state(),
        parent: process.parent_pid(),
        group: process.group(),
        session: process.session(),
        terminal: terminal
            .as_ref()
            .map_or(0, |terminal| encode_device(terminal.device())),
        foreground: terminal
            .as_ref()
            .map_or(-1, |terminal| terminal.foreground_group()),
        flags: if process.is_kernel() {
            KERNEL_THREAD
        } else if process.has_execed() {
            0
        } else {
            FORKED
        },
        faults: [
            usage.minor_faults,
            children.minor_faults,
            usage.major_faults,
            children.major_faults,
        ],
        times: [usage.times(), children.times()],
        schedule: thread
            .as_ref()
            .map(|thread| thread.schedule())
            .unwrap_or_default(),
        priority: thread.as_ref().map_or(0, |thread| thread.priority_in_force()),
        threads: process.thread_count().max(1),
        start_ns: process.start_ns(),
        resident_limit: process.limits().soft(RLIMIT_RSS),
        exit_signal: process.exit_signal(),
        ..Fields::default()
    };
    if let Some(thread) = &thread {
        let sets = [thread.pending(), signal::mask::mask(thread), ignored, caught];
        fields.signals = sets.map(|set| set.0 & 0x7fff_ffff);
    }
    if let Some(memory) = process.memory() {
        let sizes = memory.statistics();
        fields.size_bytes = sizes.total_pages as u64 * PAGE_BYTES;
        fields.resident_pages = sizes.resident_pages;
        if may_inspect {
            fields.break_start = memory.break_range().0;
        }
    }
    if may_inspect {
        let image = process.image();
        (fields.code, fields.data, fields.stack_start) = (image.code, image.data, image.stack_start);
        (fields.arguments, fields.environment) = (image.arguments, image.environment);
        fields.exit_code = process.exit_status();
    }
    fields
}

/// Packs a device number into 32 bits, as `tty_nr` has it.
fn encode_device(device: u64) -> u64 {
    let (major, minor) = (u64::from(device_major(device)), u64::from(device_minor(device)));
    minor & 0xff | major << 8 | (minor & !0xff) << 12
}

/// Returns the priority as stat tells it: below 0 for real time, 0 to 39 for the others.
fn shown_priority(priority: u32, nice: i32) -> i32 {
    if priority != 0 {
        -1 - priority.cast_signed()
    } else {
        PRIORITY_OF_NICE_0 + nice
    }
}

fn write_line(text: &mut Text, fields: &Fields) {
    let Fields {
        id,
        state,
        parent,
        group,
        session,
        terminal,
        foreground,
        flags,
        ..
    } = fields;
    write!(text, "{id} (");
    text.bytes(fields.name.as_bytes());
    write!(
        text,
        ") {state} {parent} {group} {session} {terminal} {foreground} {flags}"
    );
    for faults in fields.faults {
        write!(text, " {faults}");
    }
    for times in fields.times {
        write!(text, " {} {}", ticks(times.user_ns), ticks(times.system_ns));
    }
    let (schedule, threads) = (fields.schedule, fields.threads);
    let nice = schedule.nice;
    write!(
        text,
        " {} {nice} {threads} 0 {}",
        shown_priority(fields.priority, nice),
        ticks(fields.start_ns)
    );
    let (size, resident, limit) = (fields.size_bytes, fields.resident_pages, fields.resident_limit);
    write!(
        text,
        " {size} {resident} {limit} {} {} {}",
        fields.code.0, fields.code.1, fields.stack_start
    );
    // Stack and instruction pointer: of no use while the task runs, and 0 since Linux 4.14.
    write!(text, " 0 0");
    for set in fields.signals {
        write!(text, " {set}");
    }
    // wchan, nswap, cnswap; then exit_signal, processor, rt_priority, policy, delayacct_blkio_ticks,
    // guest_time, cguest_time.
    let (priority, policy) = (schedule.priority, schedule.policy.number());
    write!(text, " 0 0 0 {} 0 {priority} {policy} 0 0 0", fields.exit_signal);
    let addresses = [
        fields.data.0,
        fields.data.1,
        fields.break_start,
        fields.arguments.0,
        fields.arguments.1,
        fields.environment.0,
        fields.environment.1,
    ];
    for address in addresses {
        write!(text, " {address}");
    }
    writeln!(text, " {}", fields.exit_code);
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn sample() -> Fields {
        Fields {
            id: 42,
            name: Name::new(b"a) (b"),
            state: 'S',
            parent: 1,
            group: 40,
            session: 39,
            terminal: encode_device(vfs::make_device(4, 64)),
            foreground: 40,
            flags: KERNEL_THREAD,
            faults: [11, 12, 13, 14],
            times: [
                CpuTimes {
                    user_ns: 1_000_000_000,
                    system_ns: 20_000_000,
                },
                CpuTimes {
                    user_ns: 30_000_000,
                    system_ns: 0,
                },
            ],
            schedule: Schedule {
                nice: -5,
                ..Schedule::default()
            },
            priority: 0,
            threads: 3,
            start_ns: 7_000_000_000,
            size_bytes: 8192,
            resident_pages: 1,
            resident_limit: u64::MAX,
            code: (0x1000, 0x2000),
            stack_start: 0x7000,
            signals: [1, 2, 3, 4],
            exit_signal: 17,
            data: (50, 51),
            break_start: 52,
            arguments: (53, 54),
            environment: (55, 56),
            exit_code: 9,
        }
    }

    /// Numbers the fields from 1 as the man page does; those behind the name.
    fn fields() -> Vec<alloc::string::String> {
        let mut text = Text::new();
        write_line(&mut text, &sample());
        let line = alloc::string::String::from_utf8(text.finish().unwrap()).unwrap();
        assert!(line.starts_with("42 (a) (b) S ") && line.ends_with('\n'));
        let behind = line.rsplit_once(") ").unwrap().1.trim_end();
        behind.split(' ').map(alloc::string::String::from).collect()
    }

    #[test]
    fn every_field_stands_where_the_man_page_says() {
        let fields = fields();
        assert_eq!(fields.len(), 50);
        let field = |number: usize| fields[number - 3].as_str();
        let expected = [
            (4, "1"),
            (7, "1088"),
            (8, "40"),
            (10, "11"),
            (13, "14"),
            (14, "100"),
            (15, "2"),
            (16, "3"),
            (18, "15"),
            (19, "-5"),
            (20, "3"),
            (21, "0"),
            (22, "700"),
            (23, "8192"),
            (24, "1"),
            (25, "18446744073709551615"),
            (26, "4096"),
            (28, "28672"),
            (31, "1"),
            (34, "4"),
            (38, "17"),
            (39, "0"),
            (45, "50"),
            (47, "52"),
            (51, "56"),
            (52, "9"),
        ];
        for (number, value) in expected {
            assert_eq!(field(number), value, "field {number}");
        }
    }
}
