//! Signals that are pending when files are asked: ppoll(2), pselect(2) and epoll_pwait(2) with masks.

use los_abi::errno::Errno;
use los_abi::isa::WireEpollEvent;
use los_abi::poll::{EPOLL_CTL_ADD, PollEvents, PollFd};
use los_abi::signal::{SIG_BLOCK, SIGSET_SIZE, SIGUSR1, SigSet, SigSetArgument, Signal};
use los_abi::syscall::Sysno;
use los_abi::time::Timespec;
use rt::{process, signal};

use crate::arch::EpollEvent;
use crate::harness::{Outcome, catch, in_child};
use crate::raw::{addr, addr_mut, call};
use crate::{cases, ensure_eq};

cases![
    a_ready_file_leaves_signals_pending,
    a_signal_counts_for_more_than_no_time,
];

const MASK_BYTES: u64 = SIGSET_SIZE as u64;

/// The three ways to ask.
const WAYS: [Sysno; 3] = [Sysno::ppoll, Sysno::pselect6, Sysno::epoll_pwait];

/// Asks a descriptor for input without waiting, and with no signal blocked.
fn ask(way: Sysno, fd: i32) -> Result<u64, Errno> {
    let none = SigSet::EMPTY;
    let time = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    match way {
        Sysno::ppoll => {
            let mut item = PollFd {
                fd,
                events: PollEvents::IN.bits(),
                revents: 0,
            };
            call(
                way,
                &[addr_mut(&mut item), 1, addr(&time), addr(&none), MASK_BYTES],
            )
        }
        Sysno::pselect6 => {
            let mut set = 1_u64 << fd;
            let mask = SigSetArgument {
                set: addr(&none),
                size: MASK_BYTES,
            };
            let count = fd as u64 + 1;
            call(way, &[count, addr_mut(&mut set), 0, 0, addr(&time), addr(&mask)])
        }
        _ => {
            let set = call(Sysno::epoll_create1, &[0])?;
            let event = EpollEvent::new(PollEvents::IN.bits().into(), 7);
            call(
                Sysno::epoll_ctl,
                &[set, EPOLL_CTL_ADD.into(), fd as u64, addr(&event)],
            )?;
            let mut event = EpollEvent::default();
            call(way, &[set, addr_mut(&mut event), 1, 0, addr(&none), MASK_BYTES])
        }
    }
}

/// Makes SIGUSR1 pending: blocked, with a handler.
fn leave_pending() -> Result<(), Errno> {
    let blocked = SigSet::EMPTY.with(Signal::USR1);
    call(
        Sysno::rt_sigprocmask,
        &[SIG_BLOCK as u64, addr(&blocked), 0, MASK_BYTES],
    )?;
    catch(SIGUSR1);
    process::kill(process::id(), SIGUSR1)
}

fn is_pending() -> Result<bool, Errno> {
    let mut pending = SigSet::EMPTY;
    call(Sysno::rt_sigpending, &[addr_mut(&mut pending), MASK_BYTES])?;
    Ok(pending.contains(Signal::USR1))
}

/// Asks in a child where a signal is pending; checks the answer, and whether the handler ran or it still is pending.
fn ask_with_signal(way: Sysno, is_ready: bool, expected: Result<u64, Errno>) -> Outcome {
    let status = in_child(|| {
        let is_right = || -> Result<bool, Errno> {
            let (reader, writer) = process::pipe()?;
            if is_ready {
                rt::io::write(writer.descriptor(), b"x")?;
            }
            leave_pending()?;
            let answer = ask(way, reader.descriptor());
            let is_handled = signal::take(SIGUSR1);
            Ok(answer == expected && is_handled == expected.is_err() && is_handled != is_pending()?)
        };
        i32::from(is_right() != Ok(true))
    })?;
    ensure_eq!((way, status), (way, process::WaitStatus::Exited(0)));
    Ok(())
}

fn a_ready_file_leaves_signals_pending() -> Outcome {
    for way in WAYS {
        ask_with_signal(way, true, Ok(1))?;
    }
    Ok(())
}

fn a_signal_counts_for_more_than_no_time() -> Outcome {
    for (way, expected) in WAYS
        .into_iter()
        .zip([Err(Errno::EINTR), Err(Errno::EINTR), Ok(0)])
    {
        ask_with_signal(way, false, expected)?;
    }
    Ok(())
}
