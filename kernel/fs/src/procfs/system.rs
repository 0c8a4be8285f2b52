//! Files about the whole system: memory, processors, load, time, version.

use ::task::accounting::{self, LOAD_FRACTION_BITS, ticks};
use ::task::sched::{self, CpuLoad};
use ::task::{pid, version as names};
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::time::{NSEC_PER_SEC, USER_HZ};
use mm::commit;
use mm::frames::MemoryStatistics;
use sync::now_ns;
use vfs::clock;

use super::root::System;
use super::text::Text;
use super::{COMMAND_LINE, CPU_INFO, mounts};

type Done = Result<(), Errno>;

/// Kibibytes of a page.
pub(super) const PAGE_KIB: usize = 4;
/// Nanoseconds of the hundredths in which Linux tells times.
const CENTISECOND_NS: u64 = NSEC_PER_SEC as u64 / 100;

pub(super) fn command_line(_: &System, text: &mut Text) -> Done {
    text.bytes(COMMAND_LINE.get().map_or(&[], Vec::as_slice));
    text.bytes(b"\n");
    Ok(())
}

pub(super) fn version(_: &System, text: &mut Text) -> Done {
    let (system, release, version) = (names::SYSTEM, names::RELEASE, names::VERSION);
    writeln!(
        text,
        "{system} version {release} ({0}@{0}) (rustc) {version}",
        names::HOST
    );
    Ok(())
}

pub(super) fn cpu_info(_: &System, text: &mut Text) -> Done {
    let Some(write) = CPU_INFO.get() else {
        return Ok(());
    };
    sched::for_each_cpu(&mut |index, _| {
        // What cannot be stored makes the whole text fail at its end.
        let _recorded = write(index, text);
    });
    Ok(())
}

pub(super) fn memory(_: &System, text: &mut Text) -> Done {
    let shared = mounts::tmpfs_pages() + crate::tmpfs::memory_file_pages() as usize;
    write_memory(text, mm::frames::statistics(), shared);
    Ok(())
}

fn write_memory(text: &mut Text, memory: MemoryStatistics, shared: usize) {
    let free = memory.free_pages;
    let available = free.saturating_sub(memory.reserve_pages);
    let lines = [
        ("MemTotal", memory.total_pages),
        ("MemFree", free),
        ("MemAvailable", available),
        ("Buffers", 0),
        ("Cached", shared),
        ("SwapCached", 0),
        ("SwapTotal", 0),
        ("SwapFree", 0),
        ("Dirty", 0),
        ("Writeback", 0),
        ("Shmem", shared),
        ("CommitLimit", commit::limit_pages()),
        // What is stored in files was promised as well.
        ("Committed_AS", commit::committed_pages() + shared),
    ];
    for (name, pages) in lines {
        writeln!(text, "{:<15} {:>8} kB", Colon(name), pages * PAGE_KIB);
    }
}

/// A name with a colon behind it, padded as one.
struct Colon(&'static str);

impl core::fmt::Display for Colon {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let width = f.width().unwrap_or(0);
        write!(f, "{}:{:2$}", self.0, "", width.saturating_sub(self.0.len() + 1))
    }
}

pub(super) fn load_average(_: &System, text: &mut Text) -> Done {
    let counts = pid::counts();
    for average in accounting::load_averages() {
        // Linux rounds to the nearest hundredth.
        let average = average + (1 << LOAD_FRACTION_BITS) / 200;
        let fraction = average & ((1 << LOAD_FRACTION_BITS) - 1);
        write!(
            text,
            "{}.{:02} ",
            average >> LOAD_FRACTION_BITS,
            (fraction * 100) >> LOAD_FRACTION_BITS
        );
    }
    writeln!(
        text,
        "{}/{} {}",
        sched::runnable_count(),
        counts.threads,
        counts.last_pid
    );
    Ok(())
}

pub(super) fn uptime(_: &System, text: &mut Text) -> Done {
    let (up, idle) = (now_ns() / CENTISECOND_NS, sched::idle_ns() / CENTISECOND_NS);
    writeln!(
        text,
        "{}.{:02} {}.{:02}",
        up / 100,
        up % 100,
        idle / 100,
        idle % 100
    );
    Ok(())
}

pub(super) fn statistics(_: &System, text: &mut Text) -> Done {
    let mut sum = CpuLoad::default();
    sched::for_each_cpu(&mut |_, load| {
        sum.busy.user_ns += load.busy.user_ns;
        sum.busy.system_ns += load.busy.system_ns;
        sum.idle_ns += load.idle_ns;
    });
    write!(text, "cpu  ");
    write_load(text, sum);
    sched::for_each_cpu(&mut |index, load| {
        write!(text, "cpu{index} ");
        write_load(text, load);
    });
    let counts = pid::counts();
    writeln!(text, "intr 0");
    writeln!(text, "ctxt {}", sched::switch_count());
    writeln!(
        text,
        "btime {}",
        clock::realtime_offset_ns() / NSEC_PER_SEC as u64
    );
    writeln!(text, "processes {}", counts.forks);
    writeln!(text, "procs_running {}", sched::runnable_count());
    writeln!(text, "procs_blocked 0");
    writeln!(text, "softirq 0 0 0 0 0 0 0 0 0 0 0");
    Ok(())
}

/// Writes user, nice, system, idle, iowait, irq, softirq, steal, guest and guest_nice.
fn write_load(text: &mut Text, load: CpuLoad) {
    const { assert!(USER_HZ == 100) };
    let (user, system) = (ticks(load.busy.user_ns), ticks(load.busy.system_ns));
    writeln!(text, "{user} 0 {system} {} 0 0 0 0 0 0", ticks(load.idle_ns));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_in_aligned_kibibytes() {
        let mut text = Text::new();
        let memory = MemoryStatistics {
            total_pages: 256,
            free_pages: 128,
            reserve_pages: 28,
        };
        write_memory(&mut text, memory, 3);
        let bytes = text.finish().unwrap();
        let text = str::from_utf8(&bytes).unwrap();
        let first: Vec<_> = text.lines().take(5).collect();
        assert_eq!(
            first,
            [
                "MemTotal:           1024 kB",
                "MemFree:             512 kB",
                "MemAvailable:        400 kB",
                "Buffers:               0 kB",
                "Cached:               12 kB",
            ]
        );
    }

    #[test]
    fn a_load_has_ten_columns() {
        let mut text = Text::new();
        let busy = accounting::CpuTimes {
            user_ns: 1_000_000_000,
            system_ns: 20_000_000,
        };
        write_load(
            &mut text,
            CpuLoad {
                busy,
                idle_ns: 5_000_000_000,
            },
        );
        assert_eq!(text.finish().unwrap(), b"100 0 2 500 0 0 0 0 0 0\n");
    }
}
