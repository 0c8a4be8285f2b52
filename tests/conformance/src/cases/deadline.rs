//! Threads with deadlines (SCHED_DEADLINE of sched(7)): what they may ask for, and that they get no more.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};

use los_abi::errno::Errno;
use los_abi::schedule::{
    SCHED_DEADLINE, SCHED_FLAG_DL_OVERRUN, SCHED_FLAG_RECLAIM, SCHED_FLAG_RESET_ON_FORK, SCHED_NORMAL,
    SchedAttr,
};
use los_abi::signal::{SIGKILL, SIGXCPU, SaFlags, SigInfo, SigSet};
use los_abi::syscall::Sysno;
use rt::fs;

use crate::arch::UContext;
use crate::clock::clock_ns;
use crate::handler::install;
use crate::harness::{Failure, Outcome, spawn, spawn_sleeper, wait_for};
use crate::raw::{addr, addr_mut, call, peek, poke};
use crate::thread::{eventually, shared_page};
use crate::{cases, ensure, ensure_eq};

cases![
    attributes_are_told,
    stat_shows_the_policy,
    no_more_is_reserved_than_there_is,
    a_spinning_thread_leaves_the_rest_to_others,
    overruns_are_told,
    yielding_gives_the_period_away,
    a_policy_without_deadline_gives_the_reservation_back,
];

const MILLISECOND: u64 = 1_000_000;

fn reservation(runtime_ms: u64, period_ms: u64, flags: u64) -> SchedAttr {
    SchedAttr {
        size: size_of::<SchedAttr>() as u32,
        sched_policy: SCHED_DEADLINE,
        sched_flags: flags,
        sched_runtime: runtime_ms * MILLISECOND,
        sched_deadline: period_ms * MILLISECOND,
        sched_period: period_ms * MILLISECOND,
        ..SchedAttr::default()
    }
}

fn set(new: &SchedAttr) -> Result<u64, Errno> {
    call(Sysno::sched_setattr, &[0, addr(new), 0])
}

/// Asks for a part of the processor, which Linux gives to whom it has given all capabilities only. What the case
/// before had may still be taken for a moment.
fn reserve(new: &SchedAttr) -> Outcome {
    let mut answer = Err(Errno::EBUSY);
    eventually("room for a reservation", || {
        answer = set(new);
        answer != Err(Errno::EBUSY)
    })?;
    match answer {
        Err(Errno::EPERM) => Err(Failure::Skip("user 0 may not reserve time here")),
        answer => Ok(answer.map(drop)?),
    }
}

fn attributes_are_told() -> Outcome {
    for flags in [
        0,
        SCHED_FLAG_RECLAIM,
        SCHED_FLAG_DL_OVERRUN,
        SCHED_FLAG_RESET_ON_FORK | SCHED_FLAG_RECLAIM,
    ] {
        let wanted = SchedAttr {
            sched_deadline: 7 * MILLISECOND,
            ..reservation(2, 20, flags)
        };
        reserve(&wanted)?;
        let mut told = SchedAttr::default();
        let size = size_of::<SchedAttr>() as u64;
        call(Sysno::sched_getattr, &[0, addr_mut(&mut told), size, 0])?;
        ensure_eq!(told, wanted);
    }
    Ok(())
}

fn stat_shows_the_policy() -> Outcome {
    reserve(&reservation(1, 100, 0))?;
    let text = fs::read(b"/proc/self/stat")?;
    let behind_name = text.iter().rposition(|&byte| byte == b')').map_or(0, |at| at + 2);
    let fields: Vec<&[u8]> = text[behind_name..].split(|&byte| byte == b' ').collect();
    // The fields 18, 40 and 41 of proc_pid_stat(5); the first one here is the third.
    let shown = [18, 40, 41].map(|number: usize| fields.get(number - 3).copied().unwrap_or_default());
    ensure_eq!(shown, [&b"-101"[..], b"0", b"6"]);
    Ok(())
}

/// Children that have each reserved most of a processor and sleep; they end with this.
struct Sleepers(Vec<i32>);

impl Sleepers {
    /// Makes one more, and returns the answer that it got.
    fn add(&mut self, page: u64) -> Result<u32, Failure> {
        const NO_ANSWER: u32 = u32::MAX;
        poke(page, NO_ANSWER);
        let pid = spawn_sleeper(|| {
            let answer = set(&reservation(80, 100, 0)).map_or_else(|errno| errno.code(), |_| 0);
            poke(page, answer.cast_unsigned());
        })?;
        self.0.push(pid);
        eventually("an answer", || peek::<u32>(page) != NO_ANSWER)?;
        Ok(peek(page))
    }

    /// Ends the first one.
    fn end_one(&mut self) -> Outcome {
        let pid = self.0.remove(0);
        call(Sysno::kill, &[pid as u64, SIGKILL.into()])?;
        wait_for(pid)?;
        Ok(())
    }
}

impl Drop for Sleepers {
    fn drop(&mut self) {
        while !self.0.is_empty() {
            let _ended = self.end_one();
        }
    }
}

fn no_more_is_reserved_than_there_is() -> Outcome {
    reserve(&reservation(1, 100, 0))?;
    set(&SchedAttr {
        size: size_of::<SchedAttr>() as u32,
        sched_policy: SCHED_NORMAL,
        ..SchedAttr::default()
    })?;
    let mut mask = [0_u64; 16];
    call(
        Sysno::sched_getaffinity,
        &[0, size_of_val(&mask) as u64, addr_mut(&mut mask)],
    )?;
    let cpus: u32 = mask.iter().map(|word| word.count_ones()).sum();
    let busy = Errno::EBUSY.code().cast_unsigned();
    let page = shared_page()?;
    let mut sleepers = Sleepers(Vec::new());
    let mut admitted = 0;
    loop {
        let answer = sleepers.add(page)?;
        if answer == busy {
            break;
        }
        ensure_eq!(answer, 0);
        admitted += 1;
        ensure!(
            admitted <= 2 * cpus,
            "{admitted} reservations on {cpus} processors"
        );
    }
    ensure!(admitted > 0);
    sleepers.end_one()?;
    // What a thread has reserved is free when the time that it had left would be over.
    let mut fits = false;
    eventually("room again", || {
        fits = fits || sleepers.add(page).is_ok_and(|answer| answer == 0);
        fits
    })
}

fn a_spinning_thread_leaves_the_rest_to_others() -> Outcome {
    reserve(&reservation(1, 100, 0))?;
    set(&reservation(10, 100, SCHED_FLAG_RESET_ON_FORK))?;
    let page = shared_page()?;
    poke::<u32>(page, 0);
    let pid = spawn(|| {
        // A child of an ordinary policy, which says that it has run after its parent has begun to spin.
        while peek::<u32>(page) == 0 {
            let _ = call(Sysno::sched_yield, &[]);
        }
        poke::<u32>(page, 2);
        0
    })?;
    poke::<u32>(page, 1);
    while peek::<u32>(page) != 2 {
        core::hint::spin_loop();
    }
    wait_for(pid)?;
    Ok(())
}

static TOLD: AtomicBool = AtomicBool::new(false);

fn note(_number: u32, _info: &SigInfo, _context: &mut UContext) {
    TOLD.store(true, Ordering::Relaxed);
}

fn overruns_are_told() -> Outcome {
    install(SIGXCPU, SaFlags::empty(), SigSet::EMPTY, note)?;
    reserve(&reservation(2, 20, SCHED_FLAG_DL_OVERRUN))?;
    while !TOLD.load(Ordering::Relaxed) {
        core::hint::spin_loop();
    }
    Ok(())
}

fn yielding_gives_the_period_away() -> Outcome {
    const PERIOD_MS: u64 = 20;
    const MONOTONIC: u64 = 1;
    reserve(&reservation(2, PERIOD_MS, 0))?;
    let start = clock_ns(MONOTONIC)?;
    for _ in 0..3 {
        call(Sysno::sched_yield, &[])?;
    }
    // Of three periods, the first may have been almost over.
    let elapsed_ns = clock_ns(MONOTONIC)? - start;
    ensure!(
        elapsed_ns.cast_unsigned() >= 2 * PERIOD_MS * MILLISECOND,
        "{elapsed_ns} ns for three periods"
    );
    Ok(())
}

fn a_policy_without_deadline_gives_the_reservation_back() -> Outcome {
    let ordinary = SchedAttr {
        size: size_of::<SchedAttr>() as u32,
        sched_policy: SCHED_NORMAL,
        ..SchedAttr::default()
    };
    for _ in 0..50 {
        reserve(&reservation(30, 100, 0))?;
        // As much again is not needed for a change.
        set(&reservation(80, 100, 0))?;
        set(&ordinary)?;
    }
    Ok(())
}
