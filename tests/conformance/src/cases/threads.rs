//! Thread groups: how they end, and how one of them becomes another program.

use los_abi::errno::Errno;
use los_abi::signal::SIGKILL;
use los_abi::syscall::Sysno;
use los_abi::task::{CloneFlags, P_PID, WaitFlags};
use rt::process;

use crate::cases::bad_input::free_memory_kib;
use crate::cases::{ended, program};
use crate::harness::{Failure, Outcome, in_child, spawn, wait_for};
use crate::raw::{addr, addr_mut, call, peek, poke};
use crate::thread::{self, Words, eventually, publish, shared_page, wait_until_changed};
use crate::{cases, ensure, ensure_eq};

cases![
    exit_group_of_a_thread_ends_all,
    a_leader_may_end_first,
    execve_of_a_thread_takes_over_the_number,
    execve_of_the_last_thread_takes_over_the_number,
    execve_ends_the_other_threads,
    a_process_without_its_first_thread_is_known,
    numbers_of_threads_have_groups,
    execve_of_many_threads_at_once,
    a_killed_thread_is_a_killed_process,
    numbers_of_threads,
    a_thousand_threads_come_and_go,
    threads_have_directories,
    a_bomb_of_threads_meets_a_limit,
];

extern "C" fn wait_for_word(place: u64) -> i32 {
    wait_until_changed(place, 0);
    0
}

extern "C" fn leave_group(status: u64) -> i32 {
    let _never = call(Sysno::exit_group, &[status]);
    1
}

fn exit_group_of_a_thread_ends_all() -> Outcome {
    let page = shared_page()?;
    let status = in_child(|| {
        for _ in 0..3 {
            let _thread = thread::start(wait_for_word, page);
        }
        let _thread = thread::start(leave_group, 42);
        wait_for_word(page)
    })?;
    ensure_eq!(ended(status), 42);
    Ok(())
}

extern "C" fn end_late(page: u64) -> i32 {
    wait_until_changed(page, 0);
    let _never = call(Sysno::exit_group, &[7]);
    1
}

fn a_leader_may_end_first() -> Outcome {
    let page = shared_page()?;
    let pid = spawn(|| {
        let _thread = thread::start(end_late, page);
        let _never = call(Sysno::exit, &[3]);
        99
    })?;
    rt::time::sleep_ms(30);
    let mut status = 0_i32;
    let nohang = u64::from(WaitFlags::NOHANG.bits());
    ensure_eq!(
        call(Sysno::wait4, &[pid as u64, addr_mut(&mut status), nohang, 0])?,
        0
    );
    publish(page, 1);
    ensure_eq!(ended(wait_for(pid)?), 7);
    Ok(())
}

/// Executes the helper that knows the number of the process it should be.
extern "C" fn execute(page: u64) -> i32 {
    let wanted = peek::<u32>(page + 4);
    let number = alloc::format!("{wanted}").into_bytes();
    let words = [&b"conformance"[..], b"--helper", b"is-process", &number].map(<[u8]>::to_vec);
    let _errno = process::execute(&program(), &words, &[]);
    98
}

fn execve_of_a_thread_takes_over_the_number() -> Outcome {
    let page = shared_page()?;
    let pid = spawn(|| {
        poke(page + 4, process::id() as u32);
        let _thread = thread::start(execute, page);
        wait_for_word(page)
    })?;
    ensure_eq!(ended(wait_for(pid)?), 0);
    Ok(())
}

fn execve_of_the_last_thread_takes_over_the_number() -> Outcome {
    let page = shared_page()?;
    let pid = spawn(|| {
        poke(page + 4, process::id() as u32);
        let _thread = thread::start(execute_alone, page);
        let _never = call(Sysno::exit, &[3]);
        99
    })?;
    ensure_eq!(ended(wait_for(pid)?), 0);
    Ok(())
}

/// Executes the helper once no other thread is left.
extern "C" fn execute_alone(page: u64) -> i32 {
    let is_alone = || state_of_self().is_ok_and(|state| state == b'Z');
    match eventually("the first thread has ended", is_alone) {
        Ok(()) => execute(page),
        Err(_) => 97,
    }
}

/// Returns the state of the process's first thread, as /proc tells it.
fn state_of_self() -> Result<u8, Errno> {
    let text = rt::fs::read(b"/proc/self/stat")?;
    let end = text.iter().rposition(|byte| *byte == b')').ok_or(Errno::EINVAL)?;
    text.get(end + 2).copied().ok_or(Errno::EINVAL)
}

extern "C" fn ask_for_own_process(page: u64) -> i32 {
    let is_alone = || state_of_self().is_ok_and(|state| state == b'Z');
    let pid = process::id() as u64;
    let mut limit = [0_u64; 2];
    let answers = [
        eventually("the first thread has ended", is_alone).map_or(Err(Errno::EBUSY), |()| Ok(0)),
        call(Sysno::prlimit64, &[pid, 7, 0, addr_mut(&mut limit)]),
        call(Sysno::sched_getscheduler, &[pid]),
        call(Sysno::getpriority, &[0, pid]).map(|priority| priority - 20),
        call(Sysno::tgkill, &[pid, pid, 0]),
    ];
    poke(page, 1 + u32::from(answers != [Ok(0); 5]));
    0
}

fn a_process_without_its_first_thread_is_known() -> Outcome {
    let page = shared_page()?;
    let pid = spawn(|| {
        let _thread = thread::start(ask_for_own_process, page);
        let _never = call(Sysno::exit, &[3]);
        99
    })?;
    wait_for(pid)?;
    ensure_eq!(peek::<u32>(page), 1);
    Ok(())
}

fn numbers_of_threads_have_groups() -> Outcome {
    let page = shared_page()?;
    let thread = thread::start(wait_for_word, page)?;
    let own = [call(Sysno::getpgid, &[0])?, call(Sysno::getsid, &[0])?];
    let found = [
        call(Sysno::getpgid, &[thread.tid]),
        call(Sysno::getsid, &[thread.tid]),
    ];
    let moved = call(Sysno::setpgid, &[thread.tid, 0]);
    publish(page, 1);
    thread.join();
    ensure_eq!(found, own.map(Ok));
    ensure_eq!(moved, Err(Errno::EINVAL));
    Ok(())
}

fn execve_ends_the_other_threads() -> Outcome {
    let page = shared_page()?;
    let pid = spawn(|| {
        poke(page + 4, process::id() as u32);
        for _ in 0..5 {
            let _thread = thread::start(wait_for_word, page);
        }
        execute(page)
    })?;
    ensure_eq!(ended(wait_for(pid)?), 0);
    Ok(())
}

fn execve_of_many_threads_at_once() -> Outcome {
    for _ in 0..10 {
        let page = shared_page()?;
        let pid = spawn(|| {
            poke(page + 4, process::id() as u32);
            for _ in 0..4 {
                let _thread = thread::start(execute, page);
            }
            wait_for_word(page)
        })?;
        ensure_eq!(ended(wait_for(pid)?), 0);
    }
    Ok(())
}

extern "C" fn kill_me(_: u64) -> i32 {
    let own = call(Sysno::gettid, &[]).unwrap_or(0);
    let _sent = call(Sysno::tkill, &[own, u64::from(SIGKILL)]);
    0
}

fn a_killed_thread_is_a_killed_process() -> Outcome {
    let page = shared_page()?;
    let status = in_child(|| {
        let _thread = thread::start(kill_me, 0);
        wait_for_word(page)
    })?;
    ensure_eq!(ended(status), 128 + SIGKILL as i32);
    Ok(())
}

extern "C" fn tell_numbers(page: u64) -> i32 {
    poke(page + 8, call(Sysno::getpid, &[]).unwrap_or(0));
    poke(page + 16, call(Sysno::gettid, &[]).unwrap_or(0));
    poke(page + 24, call(Sysno::getppid, &[]).unwrap_or(0));
    publish(page, 1);
    0
}

fn numbers_of_threads() -> Outcome {
    let page = shared_page()?;
    let other = thread::start(tell_numbers, page)?;
    let tid = other.tid;
    other.join();
    ensure_eq!(peek::<u64>(page + 8), process::id() as u64);
    ensure_eq!(peek::<u64>(page + 16), tid);
    ensure_eq!(peek::<u64>(page + 24), call(Sysno::getppid, &[])?);
    ensure!(tid != process::id() as u64);
    // A thread is no child.
    let waited = call(Sysno::waitid, &[u64::from(P_PID), tid, 0, 4, 0]);
    ensure_eq!(waited.err(), Some(Errno::ECHILD));
    Ok(())
}

extern "C" fn count(page: u64) -> i32 {
    poke(page, peek::<u32>(page) + 1);
    0
}

fn a_thousand_threads_come_and_go() -> Outcome {
    let page = shared_page()?;
    let stack = thread::stack()?;
    let flags = thread::THREAD | CloneFlags::CHILD_CLEARTID;
    for _ in 0..1000 {
        poke::<u32>(page + 4, 1);
        let words = Words {
            child_tid: page + 4,
            ..Words::default()
        };
        thread::clone_on(stack + thread::STACK_BYTES, flags.bits(), words, count, page)?;
        wait_until_changed(page + 4, 1);
    }
    ensure_eq!(peek::<u32>(page), 1000);
    Ok(())
}

fn threads_have_directories() -> Outcome {
    let page = shared_page()?;
    let other = thread::start(wait_for_word, page)?;
    let names = || -> Result<usize, Errno> {
        let entries = rt::fs::read_directory(b"/proc/self/task")?;
        Ok(entries
            .iter()
            .filter(|entry| !entry.name.starts_with(b"."))
            .count())
    };
    ensure_eq!(names()?, 2);
    let comm = alloc::format!("/proc/self/task/{}/comm", other.tid).into_bytes();
    let mut file = rt::fs::File::open_with(&comm, los_abi::fs::OpenFlags::WRONLY, 0)?;
    file.write_all(b"renamed")?;
    ensure_eq!(rt::fs::read(&comm)?, b"renamed\n");
    ensure!(rt::fs::read(b"/proc/self/comm")? != b"renamed\n");
    for name in [
        "stat",
        "status",
        "statm",
        "wchan",
        "oom_score",
        "oom_score_adj",
        "personality",
        "limits",
        "auxv",
    ] {
        let path = alloc::format!("/proc/self/task/{}/{name}", other.tid).into_bytes();
        let read = rt::fs::read(&path);
        ensure!(read.is_ok(), "{name}: {read:?}");
    }
    publish(page, 1);
    other.join();
    eventually("the directory is gone", || names() == Ok(1))?;
    Ok(())
}

/// Makes threads as a user with a limit until one is refused, and returns how many there were. Ends with them.
fn explode(page: u64) -> i32 {
    const RLIMIT_NPROC: u64 = 6;
    let limit = [LIMIT, LIMIT];
    let is_prepared = call(Sysno::setuid, &[4243]).is_ok()
        && call(Sysno::prlimit64, &[0, RLIMIT_NPROC, addr(&limit), 0]).is_ok();
    if !is_prepared {
        return 77;
    }
    let mut made = 1;
    let refused = loop {
        match thread::start(wait_for_word, page) {
            Ok(_) => made += 1,
            Err(errno) => break errno,
        }
    };
    i32::from(made != LIMIT || refused != Errno::EAGAIN)
}

/// Threads that the user may have.
const LIMIT: u64 = 200;

fn a_bomb_of_threads_meets_a_limit() -> Outcome {
    let page = shared_page()?;
    let is_quiet = rt::system::names()?.version.starts_with(b"Levitate");
    let mut before = 0;
    for round in 0..4 {
        let status = ended(in_child(|| explode(page))?);
        if status == 77 {
            return Err(Failure::Skip("not root"));
        }
        ensure_eq!(status, 0);
        if round == 0 {
            // The first one fills the kernel's caches.
            before = free_memory_kib()?;
        }
    }
    let after = free_memory_kib()?;
    // One leaked page of each thread would be 2400 KiB.
    ensure!(
        !is_quiet || (before - after).abs() <= 256,
        "{before} KiB were free, {after} KiB are"
    );
    Ok(())
}
