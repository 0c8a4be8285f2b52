//! All cases, by subject, and what they share.

mod affinity;
mod aslr;
mod bad_input;
mod bombs;
mod bombs_of_execve;
mod bombs_of_files;
mod bombs_of_memory;
mod capabilities;
mod clocks;
mod clone;
mod core_dump;
mod credentials;
mod deadline;
mod descriptors;
mod devices;
mod directories;
mod epoll;
mod exec;
mod exec_image;
mod execveat;
mod extended_attributes;
mod faults;
mod file_capabilities;
mod file_signals;
mod files;
mod foreign;
mod founding;
mod futex;
mod futex2;
mod futex_chains;
mod futex_pi;
mod futex_shared;
mod guards;
mod inotify;
mod inotify_watches;
mod job_control;
mod limits;
mod locks;
mod madvise;
mod memfd;
mod memory;
mod memory_calls;
mod memory_lock;
mod memory_maps;
mod memory_policy;
mod mremap;
mod names;
mod nice;
mod out_of_memory;
mod pidfd;
mod pipes;
mod poll_events;
mod poll_masks;
mod prctl;
mod proc;
mod proc_memory;
mod processes;
mod restart;
mod robust_list;
mod rseq;
mod schedule;
mod select;
mod shared_memory;
mod signal_files;
mod signal_queue;
mod signal_stack;
mod signal_storm;
mod signals;
mod special_memory;
mod storage;
mod sweep;
mod terminals;
mod thread_stress;
mod threads;
mod time;
mod timer_files;
mod timers;
mod vdso;
mod waitid;

use alloc::vec::Vec;

use rt::{fs, process};

use crate::harness::{Case, Outcome, in_child};

/// Returns every case.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    [
        founding::CASES,
        proc::CASES,
        proc_memory::CASES,
        processes::CASES,
        prctl::CASES,
        clone::CASES,
        execveat::CASES,
        foreign::CASES,
        threads::CASES,
        pidfd::CASES,
        waitid::CASES,
        epoll::CASES,
        inotify::CASES,
        inotify_watches::CASES,
        exec::CASES,
        exec_image::CASES,
        aslr::CASES,
        memory::CASES,
        mremap::CASES,
        memory_lock::CASES,
        memory_maps::CASES,
        memory_policy::CASES,
        memory_calls::CASES,
        guards::CASES,
        madvise::CASES,
        special_memory::CASES,
        memfd::CASES,
        shared_memory::CASES,
        files::CASES,
        file_signals::CASES,
        descriptors::CASES,
        devices::CASES,
        directories::CASES,
        names::CASES,
        locks::CASES,
        pipes::CASES,
        signals::CASES,
        terminals::CASES,
        storage::CASES,
        extended_attributes::CASES,
        futex::CASES,
        futex_shared::CASES,
        futex2::CASES,
        robust_list::CASES,
        futex_pi::CASES,
        futex_chains::CASES,
        thread_stress::CASES,
        signal_queue::CASES,
        signal_files::CASES,
        signal_stack::CASES,
        signal_storm::CASES,
        faults::CASES,
        time::CASES,
        timers::CASES,
        clocks::CASES,
        timer_files::CASES,
        restart::CASES,
        poll_events::CASES,
        poll_masks::CASES,
        select::CASES,
        rseq::CASES,
        job_control::CASES,
        core_dump::CASES,
        credentials::CASES,
        capabilities::CASES,
        file_capabilities::CASES,
        limits::CASES,
        schedule::CASES,
        nice::CASES,
        affinity::CASES,
        deadline::CASES,
        vdso::CASES,
        sweep::CASES,
        bad_input::CASES,
        out_of_memory::CASES,
        bombs::CASES,
        bombs_of_memory::CASES,
        bombs_of_files::CASES,
        bombs_of_execve::CASES,
    ]
    .into_iter()
    .flatten()
}

/// What this program does when a case executes it: `conformance --helper WHAT...`.
pub(crate) fn helper(words: &[Vec<u8>], environment: &[Vec<u8>]) -> i32 {
    match words {
        [what, seconds] if what == b"stress" => thread_stress::run_for(seconds),
        [what, times] if what == b"cycles" => bombs_of_execve::run_cycles(times),
        [what, ..] if what == b"nothing" => 0,
        [first, rest @ ..] if first == b"identity" => capabilities::helper(rest),
        [what] if what == b"places" => aslr::helper(),
        [what] if what == b"page-zero" => special_memory::helper(),
        [what] if what == b"image" => exec_image::helper(),
        [what, number] if what == b"read-timer" => timer_files::helper(number),
        [what] if what == b"timer" => timers::await_signal_of_timer(),
        [what, subject] if what == b"sweep" => sweep::helper(subject),
        [what] if what == b"wait" => locks::wait_to_be_killed(),
        [first, rest @ ..] if first == b"stack" => limits::helper(rest),
        _ => exec::helper(words, environment),
    }
}

/// Returns the path of this program, for cases that execute it.
pub(crate) fn program() -> Vec<u8> {
    // Not that of the process, which has none once its first thread has ended.
    fs::read_link(b"/proc/thread-self/exe").unwrap_or_else(|_| b"/bin/conformance".to_vec())
}

/// Checks that a child dies of a signal.
pub(crate) fn dies_of(signal: u32, child: impl FnOnce()) -> Outcome {
    let status = in_child(|| {
        child();
        0
    })?;
    crate::ensure_eq!(ended(status), 128 + signal as i32);
    Ok(())
}

/// Returns how a process ended as wait4 reports it: an exit status, or a signal.
pub(crate) fn ended(status: process::WaitStatus) -> i32 {
    process::shell_status(status)
}
