//! Bombs: what a program does to a machine by doing a harmless thing too often. The offender meets a limit or
//! the killer, everybody else lives on, and every frame that it had returns.
//!
//! Where a bomb has no limit below all of the machine it goes off on Levitate only, in a guest of its own.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering::SeqCst};

use los_abi::errno::Errno;
use los_abi::signal::{SIGKILL, SIGUSR1, SigSet};
use los_abi::syscall::Sysno;
use rt::{fs, process, signal};

use crate::cases::bad_input::free_memory_kib;
use crate::cases::ended;
use crate::cases::memory::PAGE;
use crate::harness::{Failure, Outcome, in_child, spawn, wait_for};
use crate::raw::{addr, call, counter, peek, poke};
use crate::thread::shared_page;
use crate::{cases, ensure, ensure_eq};

cases![
    forks_meet_the_limit_of_a_user,
    forks_of_root_meet_the_machine,
    threads_of_root_meet_the_machine,
    processes_kill_each_other,
];

const RLIMIT_NPROC: u64 = 6;
/// A user of whom nobody else runs anything.
const USER: u64 = 4244;

pub(super) fn is_levitate() -> Result<bool, Errno> {
    Ok(rt::system::names()?.version.starts_with(b"Levitate"))
}

pub(super) fn only_on_levitate() -> Outcome {
    if is_levitate()? {
        return Ok(());
    }
    Err(Failure::Skip("it would take all that the host has"))
}

pub(super) fn set_limit(resource: u64, limit: u64) -> Result<(), Errno> {
    call(Sysno::prlimit64, &[0, resource, addr(&[limit, limit]), 0]).map(drop)
}

fn set_score(adjustment: &[u8]) -> Result<(), Errno> {
    let flags = los_abi::fs::OpenFlags::WRONLY;
    fs::File::open_with(b"/proc/self/oom_score_adj", flags, 0)?.write_all(adjustment)
}

/// Lets a bomb go off again and again, until as much memory is free as the time before. The first time the kernel's
/// tables get their size, and later an object that lives on may lie in another page than before; but what loses a page
/// each time never gets there.
pub(super) fn again_and_again(mut bomb: impl FnMut() -> Outcome) -> Outcome {
    const TIMES: usize = 5;
    let is_levitate = is_levitate()?;
    // The look itself takes memory the first time.
    settled_memory_kib(is_levitate)?;
    let mut free = Vec::new();
    for _ in 0..TIMES {
        bomb()?;
        let now = settled_memory_kib(is_levitate)?;
        let is_back = free.last().is_some_and(|&before| now >= before);
        if is_back || !is_levitate {
            return Ok(());
        }
        free.push(now);
    }
    Err(Failure::Wrong(alloc::format!("KiB free after each: {free:?}")))
}

/// Returns MemFree in KiB, without what the kernel's heap keeps at hand.
pub(super) fn settled_memory_kib(is_levitate: bool) -> Result<i64, Errno> {
    if is_levitate {
        let flags = los_abi::fs::OpenFlags::WRONLY;
        fs::File::open_with(b"/proc/sys/vm/drop_caches", flags, 0)?.write_all(b"3")?;
    }
    free_memory_kib()
}

/// Becomes the parent of all descendants whose own parents have ended.
fn adopt() -> Outcome {
    const PR_SET_CHILD_SUBREAPER: u64 = 36;
    call(Sysno::prctl, &[PR_SET_CHILD_SUBREAPER, 1])?;
    Ok(())
}

fn reap_all() -> Outcome {
    loop {
        match process::wait(-1, process::WaitFlags::empty()) {
            Err(Errno::ECHILD) => return Ok(()),
            Err(errno) => return Err(errno.into()),
            Ok(_) => {}
        }
    }
}

/// Kills a group until nobody is left in it, and reaps.
fn end_group(group: i32) -> Outcome {
    while process::kill(-group, SIGKILL).is_ok() {
        rt::time::sleep_ms(20);
        while let Ok(Some(_)) = process::wait(-1, process::WaitFlags::NOHANG) {}
    }
    reap_all()
}

/// Each process forks until it may not, and then waits to be killed. The word counts refusals.
fn forks(refusals: &AtomicU32) -> ! {
    loop {
        match process::fork() {
            Ok(_) => {}
            Err(Errno::EAGAIN | Errno::ENOMEM) => {
                refusals.fetch_add(1, SeqCst);
                loop {
                    let _woken = call(Sysno::rt_sigsuspend, &[addr(&SigSet::EMPTY), 8]);
                }
            }
            Err(_) => process::exit_now(1),
        }
    }
}

fn fork_bomb(prepare: impl Fn() -> Result<(), Errno>, refusals_wanted: u32) -> Outcome {
    adopt()?;
    let page = shared_page()?;
    poke(page, 0_u32);
    let first = spawn(|| {
        let is_ready = process::set_group(0, 0).is_ok() && prepare().is_ok();
        if !is_ready {
            return 77;
        }
        forks(counter(page))
    })?;
    // Either they all meet the limit, or the killer had to begin with one of them.
    while peek::<u32>(page) < refusals_wanted && process::kill(first, 0).is_ok() {
        rt::time::sleep_ms(5);
        if let Some((_, status)) = process::wait(first, process::WaitFlags::NOHANG)? {
            if ended(status) == 77 {
                return Err(Failure::Skip("not root"));
            }
            break;
        }
    }
    end_group(first)?;
    call(Sysno::munmap, &[page, PAGE])?;
    Ok(())
}

fn forks_meet_the_limit_of_a_user() -> Outcome {
    const LIMIT: u64 = 24;
    again_and_again(|| {
        let as_user = || {
            call(Sysno::setresuid, &[USER, USER, USER])?;
            set_limit(RLIMIT_NPROC, LIMIT)
        };
        fork_bomb(as_user, LIMIT as u32)
    })
}

fn forks_of_root_meet_the_machine() -> Outcome {
    only_on_levitate()?;
    set_score(b"-1000")?;
    // Once: thousands of processes, and perhaps the killer's work, take an emulated machine long.
    fork_bomb(|| set_score(b"0"), 1)
}

/// Makes threads until none may be made, and ends with them.
fn threads_of_root_meet_the_machine() -> Outcome {
    only_on_levitate()?;
    set_score(b"-1000")?;
    let page = shared_page()?;
    again_and_again(|| {
        let status = in_child(|| {
            if set_score(b"0").is_err() {
                return 1;
            }
            loop {
                match crate::thread::start(sleep_for_ever, page) {
                    Ok(_) => {}
                    Err(Errno::EAGAIN | Errno::ENOMEM) => return 0,
                    Err(_) => return 2,
                }
            }
        })?;
        let status = ended(status);
        ensure!(status == 0 || status == 128 + SIGKILL as i32, "{status}");
        Ok(())
    })
}

extern "C" fn sleep_for_ever(page: u64) -> i32 {
    crate::thread::wait_until_changed(page, 0);
    0
}

/// Sends signals with handlers to all of its group, again and again, and waits for its end.
fn storm(turns: u32) -> ! {
    const REAL_TIME: u32 = 40;
    let signals = [SIGUSR1, REAL_TIME, REAL_TIME + 1];
    for number in signals {
        signal::catch(number);
    }
    for turn in 0..turns {
        let _ = process::kill(0, signals[turn as usize % signals.len()]);
    }
    loop {
        rt::time::sleep_ms(1);
        let _ = process::kill(0, SIGUSR1);
    }
}

/// Several processes that signal each other all the time, while one after the other is killed.
fn processes_kill_each_other() -> Outcome {
    const PROCESSES: i32 = 6;
    again_and_again(|| {
        let status = in_child(|| {
            let _ = process::set_group(0, 0);
            signal::set_mask(SigSet(!0));
            let storms: Result<Vec<_>, _> = (0..PROCESSES)
                .map(|_| {
                    spawn(|| {
                        // Handlers first: the signals of the others wait for them.
                        for number in [SIGUSR1, 40, 41] {
                            signal::catch(number);
                        }
                        signal::set_mask(SigSet::EMPTY);
                        storm(300)
                    })
                })
                .collect();
            rt::time::sleep_ms(100);
            let Ok(storms) = storms else { return 1 };
            for pid in storms {
                let killed = process::kill(pid, SIGKILL).is_ok()
                    && wait_for(pid).is_ok_and(|status| ended(status) == 128 + SIGKILL as i32);
                if !killed {
                    return 2;
                }
            }
            0
        })?;
        ensure_eq!(ended(status), 0);
        Ok(())
    })
}
