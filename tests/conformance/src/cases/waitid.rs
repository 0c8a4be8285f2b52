//! Waiting for children in all its forms, and what becomes of those whose parent ends.

use los_abi::errno::Errno;
use los_abi::resource::Rusage;
use los_abi::signal::{
    CLD_CONTINUED, CLD_EXITED, CLD_KILLED, CLD_STOPPED, SIGCHLD, SIGCONT, SIGKILL, SIGSTOP, SIGUSR1, SigInfo,
};
use los_abi::syscall::Sysno;
use los_abi::task::{CloneFlags, P_ALL, P_PGID, P_PID, WaitFlags};
use rt::{process, signal, time};

use crate::cases::ended;
use crate::harness::{Outcome, catch, in_child, spawn, wait_for};
use crate::raw::{addr_mut, call, peek, poke};
use crate::thread::{self, Words, eventually, publish, shared_page, stored, wait_until_changed};
use crate::{cases, ensure, ensure_eq};

cases![
    wrong_arguments_are_einval,
    what_is_no_child_is_echild,
    an_exit_is_told_in_full,
    a_killed_child_is_told,
    looking_does_not_reap,
    nothing_to_tell_is_all_zeros,
    stops_and_continuations_are_told_once,
    wait4_tells_stops_and_continuations,
    a_group_can_be_waited_for,
    errors_clear_the_structure_too,
    usage_is_stored,
    other_signals_make_clone_children,
    children_of_other_threads_can_be_left_out,
    orphans_go_to_the_subreaper,
    parent_death_signal_follows_the_process,
    parent_death_signal_follows_the_thread,
    parent_death_signal_is_not_inherited,
];

const PR_SET_PDEATHSIG: u64 = 1;
const PR_GET_PDEATHSIG: u64 = 2;
const PR_SET_CHILD_SUBREAPER: u64 = 36;

fn waitid(id_type: u32, id: i32, options: WaitFlags) -> Result<SigInfo, Errno> {
    let mut info = SigInfo::default();
    waitid_into(&mut info, id_type, id, options).map(|()| info)
}

fn waitid_into(info: &mut SigInfo, id_type: u32, id: i32, options: WaitFlags) -> Result<(), Errno> {
    let options = u64::from(options.bits());
    let arguments = [u64::from(id_type), id as u64, addr_mut(info), options, 0];
    call(Sysno::waitid, &arguments).map(|result| assert!(result == 0))
}

fn wrong_arguments_are_einval() -> Outcome {
    let exited = WaitFlags::EXITED;
    for (id_type, id, options) in [
        (P_ALL, 0, WaitFlags::empty()),
        (P_ALL, 0, WaitFlags::NOHANG),
        (P_ALL, 0, exited | WaitFlags::from_bits_retain(0x100)),
        (P_PID, 0, exited),
        (P_PID, -1, exited),
        (P_PGID, -1, exited),
        (4, 0, exited),
        (u32::MAX, 0, exited),
    ] {
        ensure_eq!(waitid(id_type, id, options).err(), Some(Errno::EINVAL));
    }
    Ok(())
}

fn what_is_no_child_is_echild() -> Outcome {
    for (id_type, id) in [
        (P_ALL, 0),
        (P_PID, 1),
        (P_PID, i32::MAX),
        (P_PGID, 1),
        (P_PGID, 0),
    ] {
        ensure_eq!(waitid(id_type, id, WaitFlags::EXITED).err(), Some(Errno::ECHILD));
    }
    let pid = spawn(|| 0)?;
    let other = waitid(P_PGID, pid, WaitFlags::EXITED);
    ensure_eq!(other.err(), Some(Errno::ECHILD));
    ensure_eq!(ended(wait_for(pid)?), 0);
    Ok(())
}

fn an_exit_is_told_in_full() -> Outcome {
    let pid = spawn(|| 0x1ff)?;
    let info = waitid(P_PID, pid, WaitFlags::EXITED)?;
    ensure_eq!((info.si_signo, info.si_errno), (SIGCHLD as i32, 0));
    ensure_eq!((info.si_code, info.pid(), info.status()), (CLD_EXITED, pid, 0xff));
    ensure_eq!(u64::from(info.uid()), call(Sysno::getuid, &[])?);
    ensure_eq!(waitid(P_PID, pid, WaitFlags::EXITED).err(), Some(Errno::ECHILD));
    Ok(())
}

fn sleeper() -> i32 {
    loop {
        time::sleep_ms(1000);
    }
}

fn a_killed_child_is_told() -> Outcome {
    let pid = spawn(sleeper)?;
    process::kill(pid, SIGKILL)?;
    let info = waitid(P_ALL, 0, WaitFlags::EXITED)?;
    ensure_eq!(
        (info.si_code, info.pid(), info.status()),
        (CLD_KILLED, pid, SIGKILL as i32)
    );
    Ok(())
}

fn looking_does_not_reap() -> Outcome {
    let pid = spawn(|| 3)?;
    for _ in 0..2 {
        let info = waitid(P_ALL, 0, WaitFlags::EXITED | WaitFlags::NOWAIT)?;
        ensure_eq!((info.pid(), info.status()), (pid, 3));
    }
    ensure_eq!(ended(wait_for(pid)?), 3);
    Ok(())
}

fn nothing_to_tell_is_all_zeros() -> Outcome {
    let pid = spawn(sleeper)?;
    let mut info = SigInfo::child(9, 9, 9, 9, 9, 9);
    waitid_into(&mut info, P_PID, pid, WaitFlags::EXITED | WaitFlags::NOHANG)?;
    ensure_eq!((info.si_signo, info.pid(), info.status()), (0, 0, 0));
    process::kill(pid, SIGKILL)?;
    ensure_eq!(ended(wait_for(pid)?), 128 + SIGKILL as i32);
    Ok(())
}

fn stops_and_continuations_are_told_once() -> Outcome {
    let pid = spawn(sleeper)?;
    let once = |options, code, status: u32| -> Outcome {
        let info = waitid(P_PID, pid, options | WaitFlags::NOWAIT)?;
        ensure_eq!((info.si_code, info.status()), (code, status as i32));
        let info = waitid(P_PID, pid, options)?;
        ensure_eq!((info.si_code, info.status()), (code, status as i32));
        let again = waitid(P_PID, pid, options | WaitFlags::NOHANG)?;
        ensure_eq!(again.pid(), 0);
        Ok(())
    };
    process::kill(pid, SIGSTOP)?;
    once(WaitFlags::UNTRACED, CLD_STOPPED, SIGSTOP)?;
    process::kill(pid, SIGCONT)?;
    once(WaitFlags::CONTINUED, CLD_CONTINUED, SIGCONT)?;
    process::kill(pid, SIGKILL)?;
    let stopped_only = waitid(P_PID, pid, WaitFlags::UNTRACED | WaitFlags::CONTINUED);
    ensure_eq!(stopped_only.err(), Some(Errno::ECHILD));
    ensure_eq!(ended(wait_for(pid)?), 128 + SIGKILL as i32);
    Ok(())
}

fn wait4_tells_stops_and_continuations() -> Outcome {
    let pid = spawn(sleeper)?;
    let wait4 = |options: WaitFlags| {
        let mut status = 0_u32;
        let options = u64::from(options.bits());
        let waited = call(Sysno::wait4, &[pid as u64, addr_mut(&mut status), options, 0])?;
        Ok::<_, Errno>((waited as i32, status))
    };
    process::kill(pid, SIGSTOP)?;
    ensure_eq!(wait4(WaitFlags::UNTRACED)?, (pid, SIGSTOP << 8 | 0x7f));
    ensure_eq!(wait4(WaitFlags::UNTRACED | WaitFlags::NOHANG)?.0, 0);
    process::kill(pid, SIGCONT)?;
    ensure_eq!(wait4(WaitFlags::CONTINUED)?, (pid, 0xffff));
    process::kill(pid, SIGKILL)?;
    ensure_eq!(wait4(WaitFlags::empty())?, (pid, SIGKILL));
    Ok(())
}

fn a_group_can_be_waited_for() -> Outcome {
    let own = spawn(|| 1)?;
    let other = spawn(|| {
        let _set = process::set_group(0, 0);
        2
    })?;
    process::set_group(other, other)?;
    ensure_eq!(waitid(P_PGID, other, WaitFlags::EXITED)?.pid(), other);
    ensure_eq!(waitid(P_PGID, 0, WaitFlags::EXITED)?.pid(), own);
    Ok(())
}

fn errors_clear_the_structure_too() -> Outcome {
    let mut info = SigInfo::child(9, 9, 9, 9, 9, 9);
    let result = waitid_into(&mut info, P_ALL, 0, WaitFlags::EXITED);
    ensure_eq!(result.err(), Some(Errno::ECHILD));
    ensure_eq!((info.si_signo, info.si_code, info.pid()), (0, 0, 0));
    let exited = u64::from(WaitFlags::EXITED.bits());
    let bad = call(Sysno::waitid, &[0, 0, 8, exited, 0]);
    ensure_eq!(bad.err(), Some(Errno::EFAULT));
    Ok(())
}

fn usage_is_stored() -> Outcome {
    let mut usage = Rusage {
        ru_maxrss: -1,
        ..Rusage::default()
    };
    let pid = spawn(|| 0)?;
    let exited = u64::from(WaitFlags::EXITED.bits());
    call(
        Sysno::waitid,
        &[u64::from(P_PID), pid as u64, 0, exited, addr_mut(&mut usage)],
    )?;
    ensure!(usage.ru_maxrss >= 0, "{usage:?}");
    Ok(())
}

extern "C" fn return_argument(argument: u64) -> i32 {
    argument as i32
}

fn other_signals_make_clone_children() -> Outcome {
    catch(SIGUSR1);
    for signal in [0, SIGUSR1] {
        let words = Words::default();
        let pid = thread::clone(CloneFlags::empty(), signal, words, return_argument, 6)? as i32;
        let plain = waitid(P_PID, pid, WaitFlags::EXITED);
        ensure_eq!(plain.err(), Some(Errno::ECHILD));
        let either = WaitFlags::EXITED | WaitFlags::ALL | WaitFlags::NOWAIT;
        let seen = loop {
            match waitid(P_ALL, 0, either) {
                Err(Errno::EINTR) => {}
                other => break other?,
            }
        };
        ensure_eq!((seen.pid(), seen.si_signo), (pid, SIGCHLD as i32));
        let clone = waitid(P_PID, pid, WaitFlags::EXITED | WaitFlags::CLONE)?;
        ensure_eq!((clone.pid(), clone.status()), (pid, 6));
        ensure_eq!(signal::take(SIGUSR1), signal == SIGUSR1);
    }
    let pid = spawn(|| 0)?;
    let clone = waitid(P_PID, pid, WaitFlags::EXITED | WaitFlags::CLONE);
    ensure_eq!(clone.err(), Some(Errno::ECHILD));
    ensure_eq!(ended(wait_for(pid)?), 0);
    Ok(())
}

/// Words of a page between threads and processes.
const STATE: u64 = 0;
const NUMBER: u64 = 4;

/// Forks, tells the child's number, and waits until told to end.
extern "C" fn parent_thread(page: u64) -> i32 {
    match call_fork() {
        0 => process::exit_now(sleeper()),
        pid => {
            poke(page + NUMBER, pid);
            publish(page + STATE, 1);
            wait_until_changed(page + STATE, 1);
            0
        }
    }
}

fn call_fork() -> i32 {
    let words = Words::default();
    thread::clone(CloneFlags::empty(), SIGCHLD, words, sleep_on, 0).map_or(-1, |pid| pid as i32)
}

extern "C" fn sleep_on(_: u64) -> i32 {
    sleeper()
}

fn children_of_other_threads_can_be_left_out() -> Outcome {
    let page = shared_page()?;
    let other = thread::start(parent_thread, page)?;
    wait_until_changed(page + STATE, 0);
    let child: i32 = peek(page + NUMBER);
    let options = WaitFlags::EXITED | WaitFlags::NOHANG;
    ensure_eq!(
        waitid(P_ALL, 0, options | WaitFlags::NOTHREAD).err(),
        Some(Errno::ECHILD)
    );
    ensure_eq!(waitid(P_ALL, 0, options)?.pid(), 0);
    publish(page + STATE, 2);
    other.join();
    // The thread's children are the process's still, and now this thread's.
    eventually("the child is ours", || {
        waitid(P_ALL, 0, options | WaitFlags::NOTHREAD).is_ok()
    })?;
    process::kill(child, SIGKILL)?;
    ensure_eq!(waitid(P_ALL, 0, WaitFlags::EXITED)?.pid(), child);
    Ok(())
}

fn orphans_go_to_the_subreaper() -> Outcome {
    let page = shared_page()?;
    call(Sysno::prctl, &[PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0])?;
    let status = in_child(|| match spawn(|| 5) {
        Ok(pid) => {
            poke(page, pid);
            0
        }
        Err(_) => 1,
    })?;
    ensure_eq!(ended(status), 0);
    let orphan: i32 = peek(page);
    ensure_eq!(waitid(P_PID, orphan, WaitFlags::EXITED)?.status(), 5);
    Ok(())
}

/// Asks for a signal at the parent's death, says that it is ready, and tells which signal came.
fn await_parents_death(page: u64) -> i32 {
    catch(SIGUSR1);
    let asked = call(Sysno::prctl, &[PR_SET_PDEATHSIG, u64::from(SIGUSR1), 0, 0, 0]);
    publish(page + STATE, if asked.is_ok() { 1 } else { 9 });
    for _ in 0..50_000 {
        if signal::take(SIGUSR1) {
            publish(page + NUMBER, 1);
            return 0;
        }
        time::sleep_ms(1);
    }
    publish(page + NUMBER, 2);
    1
}

fn parent_death_signal_follows_the_process() -> Outcome {
    ensure_eq!(
        call(Sysno::prctl, &[PR_SET_PDEATHSIG, 65, 0, 0, 0]).err(),
        Some(Errno::EINVAL)
    );
    let page = shared_page()?;
    let status = in_child(|| {
        let child = spawn(|| await_parents_death(page));
        wait_until_changed(page + STATE, 0);
        i32::from(child.is_err())
    })?;
    ensure_eq!(ended(status), 0);
    wait_until_changed(page + NUMBER, 0);
    ensure_eq!(peek::<u32>(page + NUMBER), 1);
    Ok(())
}

/// Forks a child that asks for a signal at the death of this thread, and ends.
extern "C" fn short_lived_parent(page: u64) -> i32 {
    let words = Words::default();
    let made = thread::clone(CloneFlags::empty(), SIGCHLD, words, child_of_thread, page);
    poke(page + 8, made.map_or(-1, |pid| pid as i32));
    wait_until_changed(page + STATE, 0);
    0
}

extern "C" fn child_of_thread(page: u64) -> i32 {
    await_parents_death(page)
}

fn parent_death_signal_follows_the_thread() -> Outcome {
    let page = shared_page()?;
    thread::start(short_lived_parent, page)?.join();
    wait_until_changed(page + NUMBER, 0);
    ensure_eq!(peek::<u32>(page + NUMBER), 1);
    ensure_eq!(ended(wait_for(peek(page + 8))?), 0);
    Ok(())
}

fn parent_death_signal_is_not_inherited() -> Outcome {
    call(Sysno::prctl, &[PR_SET_PDEATHSIG, 10, 0, 0, 0])?;
    let get = || stored(|place| call(Sysno::prctl, &[PR_GET_PDEATHSIG, place, 0, 0, 0]));
    ensure_eq!(get()?, 10);
    ensure_eq!(ended(in_child(|| i32::from(get() != Ok(0)))?), 0);
    Ok(())
}
