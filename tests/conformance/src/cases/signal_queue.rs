//! Queued signals: order, what they tell, who may send them, their limit, and taking them without a handler.

use alloc::string::String;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::signal::{
    CLD_EXITED, SI_KERNEL, SI_QUEUE, SI_TKILL, SI_USER, SIGCHLD, SIGUSR1, SIGUSR2, SaFlags, SigInfo, SigSet,
};
use los_abi::syscall::Sysno;
use rt::{fs, process, signal, time};

use crate::arch::UContext;
use crate::cases::ended;
use crate::handler::{Log, SET_BYTES, install, queue, raise, set_of};
use crate::harness::{Failure, Outcome, catch, spawn, wait_for};
use crate::raw::{addr, addr_mut, call};
use crate::worker::interrupt_sleep;
use crate::{cases, ensure, ensure_eq};

cases![
    real_time_signals_queue_in_order,
    lower_numbers_come_first,
    signals_tell_who_sent_them,
    dead_children_tell_their_status,
    any_payload_arrives,
    waiting_takes_signals,
    waiting_argument_checks,
    waiting_ends_with_other_signals,
    waiting_takes_what_is_ignored,
    queue_argument_checks,
    queueing_to_a_thread,
    the_limit_bounds_queued_signals,
    a_storm_meets_the_limit,
    status_shows_signals,
];

const RT: u32 = 34;
const USER: u64 = 54_321;

static LOG: Log = Log::new();

fn note_value(number: u32, info: &SigInfo, _context: &mut UContext) {
    LOG.push(u64::from(number) * 1000 + info.value());
}

fn note_sender(number: u32, info: &SigInfo, _context: &mut UContext) {
    LOG.push(number.into());
    LOG.push(i64::from(info.si_code).cast_unsigned());
    LOG.push(info.pid() as u64);
    LOG.push(info.uid().into());
}

/// Takes a pending signal of a set within a time; its number, and what it tells.
fn take(set: SigSet, timeout_ns: i64) -> Result<(u64, SigInfo), Errno> {
    let mut info = SigInfo::default();
    let timeout = [timeout_ns / 1_000_000_000, timeout_ns % 1_000_000_000];
    let number = call(
        Sysno::rt_sigtimedwait,
        &[addr(&set), addr_mut(&mut info), addr(&timeout), SET_BYTES],
    )?;
    Ok((number, info))
}

fn real_time_signals_queue_in_order() -> Outcome {
    let me = process::id();
    let set = set_of(&[RT, RT + 5, RT + 30, SIGUSR1]);
    for number in [RT, RT + 5, RT + 30, SIGUSR1] {
        install(number, SaFlags::empty(), SigSet::ALL, note_value)?;
    }
    signal::set_mask(set);
    for value in 1..=3 {
        for number in [RT + 30, RT + 5, SIGUSR1, RT] {
            queue(me, number, value)?;
        }
    }
    signal::set_mask(SigSet::EMPTY);
    let expected = [
        10_001, 34_001, 34_002, 34_003, 39_001, 39_002, 39_003, 64_001, 64_002, 64_003,
    ];
    ensure!(LOG.is(&expected), "{LOG:?}");
    Ok(())
}

fn lower_numbers_come_first() -> Outcome {
    // Frames are stacked, so the handler of the signal that is taken last runs first.
    for number in [SIGUSR1, SIGUSR2, RT] {
        install(number, SaFlags::empty(), SigSet::EMPTY, note_value)?;
    }
    signal::set_mask(set_of(&[SIGUSR1, SIGUSR2, RT]));
    for number in [RT, SIGUSR2, SIGUSR1] {
        queue(process::id(), number, 0)?;
    }
    signal::set_mask(SigSet::EMPTY);
    ensure!(LOG.is(&[34_000, 12_000, 10_000]), "{LOG:?}");
    Ok(())
}

fn signals_tell_who_sent_them() -> Outcome {
    let me = process::id() as u64;
    let user = call(Sysno::getuid, &[])?;
    for number in [SIGUSR1, SIGUSR2, RT] {
        install(number, SaFlags::empty(), SigSet::ALL, note_sender)?;
    }
    raise(SIGUSR1)?;
    call(Sysno::tgkill, &[me, me, SIGUSR2.into()])?;
    raise(RT)?;
    let code = |code: i32| i64::from(code).cast_unsigned();
    let expected = [
        [10, code(SI_USER), me, user],
        [12, code(SI_TKILL), me, user],
        [34, code(SI_USER), me, user],
    ];
    ensure!(LOG.is(expected.as_flattened()), "{LOG:?}");
    Ok(())
}

fn dead_children_tell_their_status() -> Outcome {
    signal::set_mask(set_of(&[SIGCHLD]));
    let child = spawn(|| 42)?;
    let (number, info) = take(set_of(&[SIGCHLD]), 5_000_000_000)?;
    ensure_eq!((number, info.si_code), (SIGCHLD.into(), CLD_EXITED));
    ensure_eq!((info.pid(), info.status()), (child, 42));
    ensure_eq!(u64::from(info.uid()), call(Sysno::getuid, &[])?);
    ensure_eq!(ended(wait_for(child)?), 42);
    Ok(())
}

fn any_payload_arrives() -> Outcome {
    signal::set_mask(set_of(&[RT]));
    let mut sent = SigInfo {
        si_signo: 99,
        si_errno: 7,
        si_code: -60,
        pad: 5,
        ..SigInfo::default()
    };
    sent.fields = core::array::from_fn(|index| index as u64 + 100);
    call(
        Sysno::rt_sigqueueinfo,
        &[process::id() as u64, RT.into(), addr(&sent)],
    )?;
    let (_, info) = take(set_of(&[RT]), 0)?;
    ensure_eq!((info.si_signo, info.si_errno, info.si_code), (34, 7, -60));
    // The kernel keeps 48 bytes.
    ensure_eq!(info.fields[..4], sent.fields[..4]);
    ensure_eq!(info.fields[4..], [0; 10]);
    Ok(())
}

fn waiting_takes_signals() -> Outcome {
    let set = set_of(&[SIGUSR1, RT]);
    signal::set_mask(set);
    ensure_eq!(take(set, 0).err(), Some(Errno::EAGAIN));
    ensure_eq!(take(set, 5_000_000).err(), Some(Errno::EAGAIN));
    let me = process::id();
    queue(me, RT, 7)?;
    raise(SIGUSR1)?;
    ensure_eq!(take(set, 0)?.0, SIGUSR1.into());
    let (number, info) = take(set, 0)?;
    ensure_eq!((number, info.si_code, info.value()), (RT.into(), SI_QUEUE, 7));
    let child = spawn(|| {
        time::sleep_ms(10);
        i32::from(queue(me, RT, 8).is_err())
    })?;
    // Without a time limit and without siginfo.
    let number = call(Sysno::rt_sigtimedwait, &[addr(&set), 0, 0, SET_BYTES])?;
    ensure_eq!(number, RT.into());
    ensure_eq!(ended(wait_for(child)?), 0);
    // The mask is what it was.
    ensure_eq!(signal::set_mask(SigSet::EMPTY), set);
    Ok(())
}

fn waiting_argument_checks() -> Outcome {
    let set = set_of(&[RT]);
    signal::set_mask(set);
    let wait =
        |set: u64, timeout: u64, size: u64| call(Sysno::rt_sigtimedwait, &[set, 0, timeout, size]).err();
    let zero = [0_i64; 2];
    ensure_eq!(wait(addr(&set), addr(&zero), 4), Some(Errno::EINVAL));
    ensure_eq!(wait(8, addr(&zero), 8), Some(Errno::EFAULT));
    ensure_eq!(wait(addr(&set), 8, 8), Some(Errno::EFAULT));
    for bad in [[-1_i64, 0], [0, -1], [0, 1_000_000_000]] {
        ensure_eq!(wait(addr(&set), addr(&bad), 8), Some(Errno::EINVAL));
    }
    // The signal is gone though it could not be told.
    raise(RT)?;
    let result = call(Sysno::rt_sigtimedwait, &[addr(&set), 8, addr(&zero), 8]);
    ensure_eq!(result.err(), Some(Errno::EFAULT));
    ensure_eq!(wait(addr(&set), addr(&zero), 8), Some(Errno::EAGAIN));
    Ok(())
}

fn waiting_ends_with_other_signals() -> Outcome {
    catch(SIGUSR2);
    let child = interrupt_sleep(SIGUSR2)?;
    signal::set_mask(set_of(&[SIGUSR1]));
    ensure_eq!(take(set_of(&[SIGUSR1]), 20_000_000_000).err(), Some(Errno::EINTR));
    ensure!(signal::take(SIGUSR2));
    ensure_eq!(ended(wait_for(child)?), 0);
    Ok(())
}

fn waiting_takes_what_is_ignored() -> Outcome {
    // Ignored, but blocked: it may be wanted later.
    signal::ignore(SIGUSR1);
    signal::set_mask(set_of(&[SIGUSR1]));
    raise(SIGUSR1)?;
    ensure_eq!(take(set_of(&[SIGUSR1]), 0)?.0, SIGUSR1.into());
    // Becoming ignored forgets what is pending.
    signal::reset(SIGUSR1);
    raise(SIGUSR1)?;
    signal::ignore(SIGUSR1);
    ensure_eq!(take(set_of(&[SIGUSR1]), 0).err(), Some(Errno::EAGAIN));
    Ok(())
}

fn queue_argument_checks() -> Outcome {
    let me = process::id() as u64;
    let with_code = |code: i32| SigInfo {
        si_code: code,
        ..SigInfo::default()
    };
    let send = |pid: u64, number: u64, info: &SigInfo| {
        call(Sysno::rt_sigqueueinfo, &[pid, number, addr(info)]).err()
    };
    let good = with_code(SI_QUEUE);
    let nobody = 0x3fff_ffff;
    ensure_eq!(
        call(Sysno::rt_sigqueueinfo, &[nobody, 99, 8]).err(),
        Some(Errno::EFAULT)
    );
    ensure_eq!(send(nobody, 99, &good), Some(Errno::ESRCH));
    ensure_eq!(send(me, 65, &good), Some(Errno::EINVAL));
    ensure_eq!(send(me, u64::MAX, &good), Some(Errno::EINVAL));
    ensure_eq!(send(me, 0, &good), None);
    // Only to itself does a process speak for the kernel.
    for code in [SI_USER, SI_KERNEL, SI_TKILL] {
        ensure_eq!(send(nobody, 0, &with_code(code)), Some(Errno::EPERM));
        ensure_eq!(send(me, 0, &with_code(code)), None);
    }
    // Data where no known form has any.
    let mut long = with_code(-100);
    long.fields[13] = 1;
    ensure_eq!(send(me, 0, &long), Some(Errno::E2BIG));
    // Who is meant comes before which signal.
    ensure_eq!(call(Sysno::kill, &[nobody, 99]).err(), Some(Errno::ESRCH));
    Ok(())
}

fn queueing_to_a_thread() -> Outcome {
    let me = process::id() as u64;
    let mut info = SigInfo {
        si_code: SI_QUEUE,
        ..SigInfo::default()
    };
    info.fields[1] = 77;
    let send =
        |tgid: u64, tid: u64, number: u64| call(Sysno::rt_tgsigqueueinfo, &[tgid, tid, number, addr(&info)]);
    ensure_eq!(send(me, 0, 10).err(), Some(Errno::EINVAL));
    ensure_eq!(send(0, me, 10).err(), Some(Errno::EINVAL));
    ensure_eq!(send(1, me, 10).err(), Some(Errno::ESRCH));
    ensure_eq!(send(me, me, 65).err(), Some(Errno::EINVAL));
    signal::set_mask(set_of(&[RT]));
    send(me, me, RT.into())?;
    ensure_eq!(take(set_of(&[RT]), 0)?.1.value(), 77);
    Ok(())
}

/// Becomes a user whom nobody else is, with this RLIMIT_SIGPENDING.
fn limit_pending(limit: u64) -> Outcome {
    const RLIMIT_SIGPENDING: u64 = 11;
    call(Sysno::setrlimit, &[RLIMIT_SIGPENDING, addr(&[limit, limit])])?;
    match call(Sysno::setuid, &[USER]) {
        Ok(_) => Ok(()),
        Err(_) => Err(Failure::Skip("only root can become another user")),
    }
}

fn the_limit_bounds_queued_signals() -> Outcome {
    limit_pending(4)?;
    let me = process::id();
    let set = set_of(&[RT, RT + 1, SIGUSR1, SIGUSR2]);
    signal::set_mask(set);
    for value in 0..4 {
        queue(me, RT, value)?;
    }
    ensure_eq!(queue(me, RT, 4).err(), Some(Errno::EAGAIN));
    // The count is the user's: a child, with an empty queue of its own, may send no more.
    let child = spawn(|| {
        i32::from(queue(me, RT, 5).err() != Some(Errno::EAGAIN))
            + 2 * i32::from(queue(process::id(), RT, 5).err() != Some(Errno::EAGAIN))
    })?;
    ensure_eq!(ended(wait_for(child)?), 0);
    // kill(2) always arrives, a real-time signal without what it tells.
    raise(SIGUSR1)?;
    raise(RT + 1)?;
    // A standard signal that carries a value loses it.
    queue(me, SIGUSR2, 9)?;
    let (number, info) = take(set, 0)?;
    ensure_eq!((number, info.pid()), (SIGUSR1.into(), me));
    let (number, info) = take(set, 0)?;
    ensure_eq!(
        (number, info.si_code, info.pid(), info.value()),
        (SIGUSR2.into(), SI_USER, 0, 0)
    );
    for value in 0..4 {
        ensure_eq!(take(set, 0)?.1.value(), value);
    }
    let (number, info) = take(set, 0)?;
    ensure_eq!((number, info.si_code, info.pid()), ((RT + 1).into(), SI_USER, 0));
    ensure_eq!(take(set, 0).err(), Some(Errno::EAGAIN));
    queue(me, RT, 1)?;
    Ok(())
}

fn a_storm_meets_the_limit() -> Outcome {
    const LIMIT: u64 = 3000;
    limit_pending(LIMIT)?;
    let me = process::id();
    signal::set_mask(set_of(&[RT, RT + 1]));
    let mut sent = 0;
    let refused = loop {
        match queue(me, RT + (sent % 2) as u32, sent) {
            Ok(_) => sent += 1,
            Err(errno) => break errno,
        }
    };
    ensure_eq!((sent, refused), (LIMIT, Errno::EAGAIN));
    for first in [0, 1] {
        for turn in 0..LIMIT / 2 {
            let (number, info) = take(set_of(&[RT, RT + 1]), 0)?;
            ensure_eq!((number, info.value()), (u64::from(RT) + first, 2 * turn + first));
        }
    }
    ensure_eq!(take(set_of(&[RT, RT + 1]), 0).err(), Some(Errno::EAGAIN));
    Ok(())
}

fn status_line(name: &[u8]) -> Result<Vec<u8>, Failure> {
    let text = fs::read(b"/proc/self/status")?;
    let line = text
        .split(|byte| *byte == b'\n')
        .find(|line| line.starts_with(name));
    let line = line.ok_or_else(|| Failure::Wrong("the line is missing".into()))?;
    Ok(line[name.len()..].into())
}

fn status_shows_signals() -> Outcome {
    limit_pending(10)?;
    let me = process::id();
    signal::set_mask(set_of(&[SIGUSR1, RT]));
    signal::ignore(SIGUSR2);
    catch(SIGCHLD);
    queue(me, RT, 0)?;
    queue(me, RT, 1)?;
    call(Sysno::tgkill, &[me as u64, me as u64, SIGUSR1.into()])?;
    let lines: [(&[u8], &[u8]); 6] = [
        (b"SigQ:", b"\t3/10"),
        (b"SigPnd:", b"\t0000000000000200"),
        (b"ShdPnd:", b"\t0000000200000000"),
        (b"SigBlk:", b"\t0000000200000200"),
        (b"SigIgn:", b"\t0000000000000800"),
        (b"SigCgt:", b"\t0000000000010000"),
    ];
    for (name, expected) in lines {
        let value = status_line(name)?;
        ensure!(
            value == expected,
            "{} {}",
            String::from_utf8_lossy(name),
            String::from_utf8_lossy(&value)
        );
    }
    Ok(())
}
