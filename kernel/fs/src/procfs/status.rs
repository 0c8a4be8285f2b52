//! /proc/PID/status and statm: a task for people, and its sizes (proc_pid_status(5)).

use ::task::accounting::Usage;
use ::task::{sched, signal};
use los_abi::errno::Errno;
use los_abi::resource::RLIMIT_SIGPENDING;
use los_abi::signal::SigSet;
use mm::SpaceStatistics;
use vfs::Credentials;

use super::system::PAGE_KIB;
use super::task::{Scope, Task};
use super::text::Text;

type Done = Result<(), Errno>;

/// Bytes of a page.
const PAGE_BYTES: u64 = 4096;

/// Writes total, resident, shared, code, library (always 0), data with stack, and dirty pages (always 0).
pub(super) fn show_sizes(task: &Task, text: &mut Text) -> Done {
    let sizes = task
        .process()
        .memory()
        .map(|memory| memory.statistics())
        .unwrap_or_default();
    let code = if sizes.total_pages == 0 {
        0
    } else {
        code_pages(task.process().image().code)
    };
    write_sizes(text, &sizes, code);
    Ok(())
}

fn write_sizes(text: &mut Text, sizes: &SpaceStatistics, code: usize) {
    let SpaceStatistics {
        total_pages,
        resident_pages,
        ..
    } = sizes;
    let shared_pages = sizes.shared_pages();
    let data = sizes.data_pages + sizes.stack_pages;
    writeln!(
        text,
        "{total_pages} {resident_pages} {shared_pages} {code} 0 {data} 0"
    );
}

/// Returns the number of pages that a range of addresses touches.
fn code_pages((start, end): (u64, u64)) -> usize {
    (end.div_ceil(PAGE_BYTES)).saturating_sub(start / PAGE_BYTES) as usize
}

pub(super) fn show(task: &Task, text: &mut Text) -> Done {
    let process = task.process();
    text.bytes(b"Name:\t");
    write_name(text, task.name().as_bytes());
    let thread = task.thread();
    if let Some(fs) = thread.as_ref().and_then(|thread| thread.fs()) {
        writeln!(text, "Umask:\t{:04o}", fs.lock().umask);
    }
    let state = task.state();
    writeln!(text, "State:\t{state} ({})", state_word(state));
    writeln!(text, "Tgid:\t{}\nNgid:\t0\nPid:\t{}", process.pid(), task.id());
    writeln!(text, "PPid:\t{}\nTracerPid:\t0", process.parent_pid());
    let credentials = task.credentials();
    write_identity(text, &credentials);
    let size = task.files().map_or(0, |files| files.size());
    writeln!(text, "FDSize:\t{size}");
    write!(text, "Groups:\t");
    for group in credentials.groups.iter() {
        write!(text, "{group} ");
    }
    let (id, group, session) = (task.id(), process.group(), process.session());
    let after_groups = if credentials.groups.is_empty() { " " } else { "" };
    writeln!(
        text,
        "{after_groups}\nNStgid:\t{}\nNSpid:\t{id}\nNSpgid:\t{group}\nNSsid:\t{session}",
        process.pid()
    );
    writeln!(text, "Kthread:\t{}", u8::from(process.is_kernel()));
    if let Some(memory) = process.memory() {
        write_memory(text, &memory.statistics(), code_pages(process.image().code));
        writeln!(text, "CoreDumping:\t{}", u8::from(process.is_dumping()));
    }
    writeln!(text, "Threads:\t{}", process.thread_count());
    write_signals(text, task);
    write_capabilities(text, &credentials);
    if let Some(thread) = &thread {
        write_cpus(text, thread.affinity(), sched::cpu_mask());
    }
    let usage = match (&thread, task.scope()) {
        (Some(thread), Scope::Thread) => thread.counters(),
        _ => process.counters(),
    };
    write_switches(text, &usage);
    Ok(())
}

fn write_name(text: &mut Text, name: &[u8]) {
    for byte in name {
        match byte {
            b'\n' => text.bytes(b"\\n"),
            b'\\' => text.bytes(b"\\\\"),
            _ => text.bytes(&[*byte]),
        }
    }
    text.bytes(b"\n");
}

fn state_word(state: char) -> &'static str {
    match state {
        'R' => "running",
        'S' => "sleeping",
        'D' => "disk sleep",
        'T' => "stopped",
        'Z' => "zombie",
        'X' => "dead",
        _ => "idle",
    }
}

fn write_identity(text: &mut Text, credentials: &Credentials) {
    let Credentials {
        uid,
        euid,
        suid,
        fsuid,
        gid,
        egid,
        sgid,
        fsgid,
        ..
    } = credentials;
    writeln!(text, "Uid:\t{uid}\t{euid}\t{suid}\t{fsuid}");
    writeln!(text, "Gid:\t{gid}\t{egid}\t{sgid}\t{fsgid}");
}

fn write_memory(text: &mut Text, sizes: &SpaceStatistics, code: usize) {
    let lines = [
        ("VmPeak", sizes.peak_total_pages),
        ("VmSize", sizes.total_pages),
        ("VmLck", sizes.locked_pages),
        ("VmPin", 0),
        ("VmHWM", sizes.peak_resident_pages),
        ("VmRSS", sizes.resident_pages),
        ("RssAnon", sizes.anonymous_pages),
        ("RssFile", sizes.file_pages),
        ("RssShmem", sizes.shared_memory_pages),
        ("VmData", sizes.data_pages),
        ("VmStk", sizes.stack_pages),
        ("VmExe", code),
        ("VmLib", sizes.text_pages.saturating_sub(code)),
        ("VmPTE", sizes.table_pages),
        ("VmSwap", 0),
    ];
    for (name, pages) in lines {
        writeln!(text, "{name}:\t{:>8} kB", pages * PAGE_KIB);
    }
}

fn write_signals(text: &mut Text, task: &Task) {
    let process = task.process();
    let shared = process.pending();
    let queued = signal::quota::queued(task.credentials().uid);
    let (own, blocked) = task.thread().map_or((SigSet::EMPTY, SigSet::EMPTY), |thread| {
        (thread.pending(), signal::mask::mask(&thread))
    });
    let (ignored, caught) = process.actions().summary();
    writeln!(
        text,
        "SigQ:\t{queued}/{}",
        process.limits().soft(RLIMIT_SIGPENDING)
    );
    let sets = [
        ("SigPnd", own),
        ("ShdPnd", shared),
        ("SigBlk", blocked),
        ("SigIgn", ignored),
        ("SigCgt", caught),
    ];
    for (name, set) in sets {
        writeln!(text, "{name}:\t{:016x}", set.0);
    }
}

fn write_capabilities(text: &mut Text, credentials: &Credentials) {
    let sets = [
        ("CapInh", credentials.inheritable),
        ("CapPrm", credentials.permitted),
        ("CapEff", credentials.effective),
        ("CapBnd", credentials.bounding),
        ("CapAmb", credentials.ambient),
    ];
    for (name, set) in sets {
        writeln!(text, "{name}:\t{set:016x}");
    }
    writeln!(text, "NoNewPrivs:\t{}", u8::from(credentials.no_new_privs));
    // There is no seccomp(2).
    writeln!(text, "Seccomp:\t0\nSeccomp_filters:\t0");
}

/// Writes the CPUs that a task may run on, as a mask with a digit for every four CPUs and as a list.
fn write_cpus(text: &mut Text, allowed: u64, all: u64) {
    let digits = (u64::BITS - all.leading_zeros()).div_ceil(4) as usize;
    write!(text, "Cpus_allowed:\t{allowed:0digits$x}\nCpus_allowed_list:\t");
    let mut rest = allowed;
    while rest != 0 {
        let first = rest.trailing_zeros();
        let count = (!(rest >> first)).trailing_zeros();
        let last = first + count - 1;
        if first == last {
            write!(text, "{first}");
        } else {
            write!(text, "{first}-{last}");
        }
        rest = rest.checked_shr(last + 1).map_or(0, |high| high << (last + 1));
        if rest != 0 {
            write!(text, ",");
        }
    }
    writeln!(text);
}

fn write_switches(text: &mut Text, usage: &Usage) {
    writeln!(text, "voluntary_ctxt_switches:\t{}", usage.voluntary_switches);
    writeln!(
        text,
        "nonvoluntary_ctxt_switches:\t{}",
        usage.involuntary_switches
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: SpaceStatistics = SpaceStatistics {
        total_pages: 100,
        resident_pages: 20,
        anonymous_pages: 5,
        file_pages: 12,
        shared_memory_pages: 3,
        text_pages: 30,
        data_pages: 7,
        stack_pages: 33,
        table_pages: 5,
        peak_total_pages: 110,
        peak_resident_pages: 25,
        locked_pages: 0,
    };

    #[test]
    fn sizes_are_pages() {
        let mut text = Text::new();
        write_sizes(&mut text, &SIZES, code_pages((0x1800, 0x3001)));
        assert_eq!(text.finish().unwrap(), b"100 20 15 3 0 40 0\n");
    }

    #[test]
    fn memory_is_in_kibibytes() {
        let mut text = Text::new();
        write_memory(&mut text, &SIZES, 10);
        let bytes = text.finish().unwrap();
        let text = str::from_utf8(&bytes).unwrap();
        assert!(text.starts_with("VmPeak:\t     440 kB\nVmSize:\t     400 kB\nVmLck:\t       0 kB\n"));
        assert!(text.contains("\nRssAnon:\t      20 kB\nRssFile:\t      48 kB\nRssShmem:\t      12 kB\n"));
        assert!(text.contains("\nVmExe:\t      40 kB\nVmLib:\t      80 kB\n"));
    }

    #[test]
    fn cpus_are_a_mask_and_a_list() {
        let mut text = Text::new();
        write_cpus(&mut text, 1, 1);
        write_cpus(&mut text, 0b1101_0111, 0xff);
        write_cpus(&mut text, u64::MAX, u64::MAX);
        let bytes = text.finish().unwrap();
        let expected = "Cpus_allowed:\t1\nCpus_allowed_list:\t0\n\
            Cpus_allowed:\td7\nCpus_allowed_list:\t0-2,4,6-7\n\
            Cpus_allowed:\tffffffffffffffff\nCpus_allowed_list:\t0-63\n";
        assert_eq!(str::from_utf8(&bytes), Ok(expected));
    }

    #[test]
    fn identity_and_capabilities_are_as_linux_writes_them() {
        let mut text = Text::new();
        let credentials = Credentials {
            euid: 0,
            permitted: 3,
            ..Credentials::user(1000, 100)
        };
        write_identity(&mut text, &credentials);
        write_capabilities(&mut text, &credentials);
        let bytes = text.finish().unwrap();
        let expected = "Uid:\t1000\t0\t1000\t1000\nGid:\t100\t100\t100\t100\n\
            CapInh:\t0000000000000000\nCapPrm:\t0000000000000003\nCapEff:\t0000000000000000\n\
            CapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000000\n\
            NoNewPrivs:\t0\nSeccomp:\t0\nSeccomp_filters:\t0\n";
        assert_eq!(str::from_utf8(&bytes), Ok(expected));
    }
}
