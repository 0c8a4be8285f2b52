//! Stopping and continuing, process groups and sessions, as far as they show without a terminal.

use los_abi::errno::Errno;
use los_abi::signal::{
    SIGCONT, SIGHUP, SIGKILL, SIGSTOP, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SaFlags, SigSet,
};
use los_abi::syscall::Sysno;
use rt::{fs, io, process, signal, time};

use crate::cases::{ended, program};
use crate::handler::{Log, SET_BYTES, install, raise, set_of};
use crate::harness::{Outcome, in_child, spawn, wait_for};
use crate::raw::{addr_mut, call};
use crate::thread::eventually;
use crate::{cases, ensure, ensure_eq};

cases![
    stop_signals_stop_and_are_told_once,
    continuing_is_told_once,
    stopped_processes_take_only_kill,
    continuing_cancels_stops,
    stopping_cancels_continues,
    blocked_continue_still_continues,
    handlers_replace_stops,
    orphaned_groups_do_not_stop,
    newly_orphaned_groups_are_hung_up,
    group_argument_checks,
    session_argument_checks,
    group_of_a_child_after_exec,
    continue_crosses_users_within_a_session,
    core_dumps_are_not_told_without_a_limit,
];

const NOHANG: u64 = 1;
const UNTRACED: u64 = 2;
const CONTINUED: u64 = 8;

static LOG: Log = Log::new();

/// Waits for news of a child; process and status.
fn news(pid: i32, options: u64) -> Result<(u64, i32), Errno> {
    let mut status = -1_i32;
    let found = call(
        Sysno::wait4,
        &[i64::from(pid) as u64, addr_mut(&mut status), options, 0],
    )?;
    Ok((found, status))
}

fn sleeper() -> Result<i32, crate::harness::Failure> {
    spawn(|| {
        loop {
            time::sleep_ms(1000);
        }
    })
}

fn stopped_by(number: u32) -> i32 {
    (number << 8 | 0x7f) as i32
}

fn pending() -> Result<SigSet, Errno> {
    let mut set = SigSet::EMPTY;
    call(Sysno::rt_sigpending, &[addr_mut(&mut set), SET_BYTES])?;
    Ok(set)
}

fn stop_signals_stop_and_are_told_once() -> Outcome {
    for number in [SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU] {
        let pid = sleeper()?;
        ensure_eq!(news(pid, UNTRACED | NOHANG)?, (0, -1));
        process::kill(pid, number)?;
        ensure_eq!(news(pid, UNTRACED)?, (pid as u64, stopped_by(number)));
        ensure_eq!(news(pid, UNTRACED | NOHANG)?, (0, -1));
        process::kill(pid, SIGKILL)?;
        ensure_eq!(news(pid, UNTRACED)?, (pid as u64, 9));
    }
    Ok(())
}

fn continuing_is_told_once() -> Outcome {
    let pid = sleeper()?;
    // Nothing to continue, nothing to tell.
    process::kill(pid, SIGCONT)?;
    ensure_eq!(news(pid, CONTINUED | NOHANG)?, (0, -1));
    process::kill(pid, SIGSTOP)?;
    ensure_eq!(news(pid, UNTRACED)?, (pid as u64, stopped_by(SIGSTOP)));
    process::kill(pid, SIGCONT)?;
    ensure_eq!(news(pid, CONTINUED)?, (pid as u64, 0xffff));
    ensure_eq!(news(pid, CONTINUED | NOHANG)?, (0, -1));
    // Who does not ask is not told.
    process::kill(pid, SIGSTOP)?;
    time::sleep_ms(10);
    ensure_eq!(news(pid, NOHANG)?, (0, -1));
    process::kill(pid, SIGKILL)?;
    ensure_eq!(news(pid, 0)?, (pid as u64, 9));
    Ok(())
}

fn stopped_processes_take_only_kill() -> Outcome {
    let pid = sleeper()?;
    process::kill(pid, SIGSTOP)?;
    news(pid, UNTRACED)?;
    process::kill(pid, SIGTERM)?;
    time::sleep_ms(20);
    ensure_eq!(news(pid, NOHANG)?, (0, -1));
    process::kill(pid, SIGCONT)?;
    ensure_eq!(news(pid, 0)?, (pid as u64, SIGTERM as i32));
    Ok(())
}

fn continuing_cancels_stops() -> Outcome {
    signal::set_mask(set_of(&[SIGTSTP, SIGTTIN]));
    raise(SIGTSTP)?;
    raise(SIGTTIN)?;
    ensure_eq!(pending()?, set_of(&[SIGTSTP, SIGTTIN]));
    raise(SIGCONT)?;
    ensure_eq!(pending()?, SigSet::EMPTY);
    Ok(())
}

fn stopping_cancels_continues() -> Outcome {
    // An ignored signal that is blocked stays pending.
    signal::set_mask(set_of(&[SIGTSTP, SIGCONT]));
    raise(SIGCONT)?;
    ensure_eq!(pending()?, set_of(&[SIGCONT]));
    raise(SIGTSTP)?;
    ensure_eq!(pending()?, set_of(&[SIGTSTP]));
    Ok(())
}

fn blocked_continue_still_continues() -> Outcome {
    let pid = spawn(|| {
        signal::set_mask(set_of(&[SIGCONT]));
        let _ = raise(SIGSTOP);
        let is_pending = pending() == Ok(set_of(&[SIGCONT]));
        i32::from(!is_pending)
    })?;
    ensure_eq!(news(pid, UNTRACED)?.1, stopped_by(SIGSTOP));
    process::kill(pid, SIGCONT)?;
    ensure_eq!(ended(wait_for(pid)?), 0);
    Ok(())
}

fn handlers_replace_stops() -> Outcome {
    for number in [SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT] {
        install(number, SaFlags::empty(), SigSet::EMPTY, |number, _, _| {
            LOG.push(number.into());
        })?;
        raise(number)?;
    }
    ensure!(LOG.is(&[20, 21, 22, 18]), "{LOG:?}");
    Ok(())
}

fn orphaned_groups_do_not_stop() -> Outcome {
    let status = in_child(|| {
        if process::new_session().is_err() {
            return 1;
        }
        for number in [SIGTSTP, SIGTTIN, SIGTTOU] {
            if raise(number).is_err() {
                return 2;
            }
        }
        // Going on at all is the proof.
        0
    })?;
    ensure_eq!(ended(status), 0);
    Ok(())
}

fn newly_orphaned_groups_are_hung_up() -> Outcome {
    let (reader, writer) = process::pipe()?;
    let fd = writer.descriptor();
    static DESCRIPTOR: core::sync::atomic::AtomicI32 = core::sync::atomic::AtomicI32::new(-1);
    DESCRIPTOR.store(fd, core::sync::atomic::Ordering::Relaxed);
    let leader = spawn(|| {
        // In a session of its own the leader's parent does not keep the job's group from being orphaned.
        if process::new_session().is_err() {
            return 1;
        }
        let job = spawn(|| {
            for number in [SIGHUP, SIGCONT] {
                let tell = install(number, SaFlags::empty(), SigSet::ALL, |number, _, _| {
                    let fd = DESCRIPTOR.load(core::sync::atomic::Ordering::Relaxed);
                    let _ = io::write(fd, &[number as u8]);
                });
                if tell.is_err() {
                    return 1;
                }
            }
            if process::set_group(0, 0).is_err() || raise(SIGSTOP).is_err() {
                return 1;
            }
            0
        });
        let Ok(job) = job else { return 2 };
        i32::from(news(job, UNTRACED) != Ok((job as u64, stopped_by(SIGSTOP))))
    })?;
    drop(writer);
    ensure_eq!(ended(wait_for(leader)?), 0);
    let mut told = [0_u8; 8];
    let mut length = 0;
    loop {
        let count = io::read(reader.descriptor(), &mut told[length..])?;
        if count == 0 {
            break;
        }
        length += count;
    }
    told[..length].sort_unstable();
    ensure_eq!(told[..length], [SIGHUP as u8, SIGCONT as u8]);
    Ok(())
}

fn group_argument_checks() -> Outcome {
    let set = |pid: i64, group: i64| call(Sysno::setpgid, &[pid as u64, group as u64]).err();
    ensure_eq!(set(0, -1), Some(Errno::EINVAL));
    ensure_eq!(set(0x3fff_ffff, 0), Some(Errno::ESRCH));
    ensure_eq!(set(-5, 0), Some(Errno::EINVAL));
    ensure_eq!(set(-5, 1), Some(Errno::ESRCH));
    // Neither oneself nor a child.
    ensure_eq!(set(1, 0), Some(Errno::ESRCH));
    // A group that is not there, or in another session.
    ensure_eq!(set(0, 0x3fff_ffff), Some(Errno::EPERM));
    ensure_eq!(set(0, 1), Some(Errno::EPERM));
    let get = |pid: i64| call(Sysno::getpgid, &[pid as u64]);
    ensure_eq!(get(0)?, process::group() as u64);
    ensure_eq!(get(0x3fff_ffff).err(), Some(Errno::ESRCH));
    ensure_eq!(get(-1).err(), Some(Errno::ESRCH));
    let child = sleeper()?;
    ensure_eq!(get(child.into())?, process::group() as u64);
    ensure_eq!(set(child.into(), 0), None);
    ensure_eq!(get(child.into())?, child as u64);
    // Joining the child's group, and back.
    ensure_eq!(set(0, child.into()), None);
    ensure_eq!(set(0, 0), None);
    process::kill(child, SIGKILL)?;
    wait_for(child)?;
    Ok(())
}

fn session_argument_checks() -> Outcome {
    // The leader of a group cannot leave it.
    ensure_eq!(call(Sysno::setsid, &[]).err(), Some(Errno::EPERM));
    ensure_eq!(call(Sysno::getsid, &[0x3fff_ffff]).err(), Some(Errno::ESRCH));
    let status = in_child(|| {
        let me = process::id() as u64;
        let began = call(Sysno::setsid, &[]) == Ok(me)
            && call(Sysno::getsid, &[0]) == Ok(me)
            && call(Sysno::getpgid, &[0]) == Ok(me);
        let stays = call(Sysno::setsid, &[]) == Err(Errno::EPERM)
            && call(Sysno::setpgid, &[0, 0]) == Err(Errno::EPERM);
        i32::from(!began) + 2 * i32::from(!stays)
    })?;
    ensure_eq!(ended(status), 0);
    Ok(())
}

fn group_of_a_child_after_exec() -> Outcome {
    let child = spawn(|| {
        let words = [b"conformance".to_vec(), b"--helper".to_vec(), b"wait".to_vec()];
        let _ = process::execute(&program(), &words, &[]);
        99
    })?;
    let arguments = alloc::format!("/proc/{child}/cmdline");
    eventually("the child executes the program", || {
        fs::read(arguments.as_bytes()).is_ok_and(|words| words.ends_with(b"\0wait\0"))
    })?;
    let result = call(Sysno::setpgid, &[child as u64, child as u64]);
    ensure_eq!(result.err(), Some(Errno::EACCES));
    process::kill(child, SIGKILL)?;
    ensure_eq!(ended(wait_for(child)?), 128 + SIGKILL as i32);
    Ok(())
}

fn continue_crosses_users_within_a_session() -> Outcome {
    let me = process::id();
    let status = in_child(|| {
        if call(Sysno::setuid, &[54_321]).is_err() {
            return 0;
        }
        let may_not = call(Sysno::kill, &[me as u64, SIGUSR1.into()]) == Err(Errno::EPERM);
        let may = call(Sysno::kill, &[me as u64, SIGCONT.into()]) == Ok(0);
        let own_session = process::new_session().is_ok();
        let may_not_now = call(Sysno::kill, &[me as u64, SIGCONT.into()]) == Err(Errno::EPERM);
        i32::from(!(may_not && may && own_session && may_not_now))
    })?;
    ensure_eq!(ended(status), 0);
    Ok(())
}

fn core_dumps_are_not_told_without_a_limit() -> Outcome {
    const RLIMIT_CORE: u64 = 4;
    call(Sysno::setrlimit, &[RLIMIT_CORE, crate::raw::addr(&[0_u64, 0])])?;
    for number in [3_u32, 4, 5, 6, 7, 8, 11, 24, 25, 31] {
        let pid = spawn(|| raise(number).map_or(1, |_| 2))?;
        ensure_eq!(news(pid, 0)?, (pid as u64, number as i32));
    }
    Ok(())
}
