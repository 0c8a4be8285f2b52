//! Process file descriptors: opening, polling, waiting, signals, files of others.

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::poll::{PollEvents, PollFd};
use los_abi::signal::{SI_TKILL, SIGCHLD, SIGKILL, SIGUSR1, SigInfo, Signal};
use los_abi::syscall::Sysno;
use los_abi::task::{CloneArgs, CloneFlags, P_PIDFD, PidfdFlags, PidfdSignalFlags, WaitFlags};
use rt::{process, signal, time};

use crate::cases::ended;
use crate::harness::{Outcome, catch, in_child, spawn, wait_for};
use crate::raw::{addr, addr_mut, call, peek};
use crate::thread::{self, Words, publish, shared_page, wait_until_changed};
use crate::{cases, ensure, ensure_eq};

cases![
    opening_is_checked,
    poll_tells_the_end,
    waitid_waits_for_a_descriptor,
    a_descriptor_need_not_block,
    signals_are_sent,
    signal_arguments_are_checked,
    directories_of_processes_take_signals,
    prepared_signals_arrive,
    a_number_used_again_is_not_meant,
    descriptors_of_others_are_copied,
    copying_needs_permission,
    clone_returns_a_descriptor,
    clone3_returns_a_descriptor,
    an_unwritable_descriptor_makes_no_child,
    facts_are_shown,
    a_thread_has_a_descriptor_too,
];

fn open(pid: i32, flags: PidfdFlags) -> Result<u64, Errno> {
    call(Sysno::pidfd_open, &[pid as u64, u64::from(flags.bits())])
}

fn open_child(pid: i32) -> Result<u64, Errno> {
    open(pid, PidfdFlags::empty())
}

fn send(pidfd: u64, number: u32) -> Result<u64, Errno> {
    call(Sysno::pidfd_send_signal, &[pidfd, u64::from(number), 0, 0])
}

fn sleeper() -> i32 {
    loop {
        time::sleep_ms(1000);
    }
}

fn events(pidfd: u64, timeout_ms: i64) -> Result<PollEvents, Errno> {
    let mut entry = PollFd {
        fd: pidfd as i32,
        events: PollEvents::IN.bits(),
        revents: 0,
    };
    let time = [timeout_ms / 1000, timeout_ms % 1000 * 1_000_000];
    call(Sysno::ppoll, &[addr_mut(&mut entry), 1, addr(&time), 0, 0])?;
    Ok(PollEvents::from_bits_retain(entry.revents))
}

fn waitid(pidfd: u64, options: WaitFlags) -> Result<SigInfo, Errno> {
    let mut info = SigInfo::default();
    let options = u64::from(options.bits());
    call(
        Sysno::waitid,
        &[u64::from(P_PIDFD), pidfd, addr_mut(&mut info), options, 0],
    )?;
    Ok(info)
}

fn opening_is_checked() -> Outcome {
    let own = process::id();
    let unknown = PidfdFlags::from_bits_retain(1);
    for (pid, flags, errno) in [
        (own, unknown, Errno::EINVAL),
        (0, PidfdFlags::empty(), Errno::EINVAL),
        (-1, PidfdFlags::empty(), Errno::EINVAL),
        (i32::MAX, PidfdFlags::empty(), Errno::ESRCH),
        (i32::MAX, PidfdFlags::THREAD, Errno::ESRCH),
    ] {
        ensure_eq!(open(pid, flags).err(), Some(errno));
    }
    let pidfd = open(own, PidfdFlags::NONBLOCK)?;
    const F_GETFD: u64 = 1;
    const F_GETFL: u64 = 3;
    ensure_eq!(call(Sysno::fcntl, &[pidfd, F_GETFD])?, 1);
    let flags = call(Sysno::fcntl, &[pidfd, F_GETFL])? as u32;
    ensure!(flags & OpenFlags::NONBLOCK.bits() != 0);
    let mut byte = 0_u8;
    for number in [Sysno::read, Sysno::write] {
        ensure_eq!(
            call(number, &[pidfd, addr_mut(&mut byte), 1]).err(),
            Some(Errno::EINVAL)
        );
    }
    Ok(())
}

fn poll_tells_the_end() -> Outcome {
    let page = shared_page()?;
    let pid = spawn(|| {
        wait_until_changed(page, 0);
        3
    })?;
    let pidfd = open_child(pid)?;
    ensure_eq!(events(pidfd, 0)?, PollEvents::empty());
    publish(page, 1);
    ensure_eq!(events(pidfd, 20_000)?, PollEvents::IN);
    ensure_eq!(ended(wait_for(pid)?), 3);
    ensure!(events(pidfd, 0)?.contains(PollEvents::IN));
    ensure_eq!(send(pidfd, 0).err(), Some(Errno::ESRCH));
    Ok(())
}

fn waitid_waits_for_a_descriptor() -> Outcome {
    let other = spawn(|| 1)?;
    let page = shared_page()?;
    let pid = spawn(|| {
        wait_until_changed(page, 0);
        3
    })?;
    let pidfd = open_child(pid)?;
    ensure_eq!(waitid(pidfd, WaitFlags::EXITED | WaitFlags::NOHANG)?.pid(), 0);
    publish(page, 1);
    let info = waitid(pidfd, WaitFlags::EXITED)?;
    ensure_eq!((info.pid(), info.status()), (pid, 3));
    ensure_eq!(waitid(pidfd, WaitFlags::EXITED).err(), Some(Errno::ECHILD));
    let own = open_child(process::id())?;
    ensure_eq!(waitid(own, WaitFlags::EXITED).err(), Some(Errno::ECHILD));
    ensure_eq!(waitid(0, WaitFlags::EXITED).err(), Some(Errno::EBADF));
    ensure_eq!(waitid(999, WaitFlags::EXITED).err(), Some(Errno::EBADF));
    ensure_eq!(waitid(u64::MAX, WaitFlags::EXITED).err(), Some(Errno::EINVAL));
    ensure_eq!(ended(wait_for(other)?), 1);
    Ok(())
}

fn a_descriptor_need_not_block() -> Outcome {
    let pid = spawn(sleeper)?;
    let pidfd = open(pid, PidfdFlags::NONBLOCK)?;
    ensure_eq!(waitid(pidfd, WaitFlags::EXITED).err(), Some(Errno::EAGAIN));
    let looked = waitid(pidfd, WaitFlags::EXITED | WaitFlags::NOHANG)?;
    ensure_eq!(looked.pid(), 0);
    send(pidfd, SIGKILL)?;
    ensure_eq!(events(pidfd, 20_000)?, PollEvents::IN);
    ensure_eq!(waitid(pidfd, WaitFlags::EXITED)?.status(), SIGKILL as i32);
    Ok(())
}

fn signals_are_sent() -> Outcome {
    catch(SIGUSR1);
    let own = open_child(process::id())?;
    ensure_eq!(send(own, 0)?, 0);
    for scope in [
        PidfdSignalFlags::empty(),
        PidfdSignalFlags::THREAD,
        PidfdSignalFlags::THREAD_GROUP,
        PidfdSignalFlags::PROCESS_GROUP,
    ] {
        let arguments = [own, u64::from(SIGUSR1), 0, u64::from(scope.bits())];
        ensure_eq!(call(Sysno::pidfd_send_signal, &arguments)?, 0);
        ensure!(signal::take(SIGUSR1), "{scope:?}");
    }
    let pid = spawn(sleeper)?;
    let pidfd = open_child(pid)?;
    send(pidfd, SIGKILL)?;
    ensure_eq!(ended(wait_for(pid)?), 128 + SIGKILL as i32);
    Ok(())
}

fn signal_arguments_are_checked() -> Outcome {
    let own = open_child(process::id())?;
    let call = |pidfd: u64, number: u64, info: u64, flags: u64| {
        call(Sysno::pidfd_send_signal, &[pidfd, number, info, flags]).err()
    };
    ensure_eq!(call(own, 0, 0, 8), Some(Errno::EINVAL));
    ensure_eq!(call(own, 0, 0, 3), Some(Errno::EINVAL));
    ensure_eq!(call(0, 0, 0, 0), Some(Errno::EBADF));
    ensure_eq!(call(999, 0, 0, 0), Some(Errno::EBADF));
    ensure_eq!(call(own, 65, 0, 0), Some(Errno::EINVAL));
    ensure_eq!(call(own, 0, 8, 0), Some(Errno::EFAULT));
    let other = SigInfo::queue(Signal::USR1, 1, 1, 1);
    ensure_eq!(call(own, 2, addr(&other), 0), Some(Errno::EINVAL));
    // What the kernel or another thread's tkill would say is refused to others.
    let parent = spawn(sleeper)?;
    let pidfd = open_child(parent)?;
    let forged = SigInfo::kill(Signal::USR1, SI_TKILL, 1, 1);
    ensure_eq!(
        call(pidfd, u64::from(SIGUSR1), addr(&forged), 0),
        Some(Errno::EPERM)
    );
    let from_kernel = SigInfo::kill(Signal::USR1, 5, 1, 1);
    ensure_eq!(
        call(pidfd, u64::from(SIGUSR1), addr(&from_kernel), 0),
        Some(Errno::EPERM)
    );
    send(pidfd, SIGKILL)?;
    ensure_eq!(ended(wait_for(parent)?), 128 + SIGKILL as i32);
    Ok(())
}

/// Opens a path to send signals to.
fn directory(path: &str, flags: OpenFlags) -> Result<u64, Errno> {
    let file = rt::fs::File::open_with(path.as_bytes(), flags, 0)?;
    Ok(file.into_descriptor() as u64)
}

fn directories_of_processes_take_signals() -> Outcome {
    catch(SIGUSR1);
    let own = directory("/proc/self", OpenFlags::empty())?;
    send(own, SIGUSR1)?;
    ensure!(signal::take(SIGUSR1));
    // It stands for nothing else, and neither do its neighbours.
    ensure_eq!(waitid(own, WaitFlags::EXITED).err(), Some(Errno::EBADF));
    ensure_eq!(call(Sysno::pidfd_getfd, &[own, 0, 0]).err(), Some(Errno::EBADF));
    let thread = alloc::format!("/proc/self/task/{}", process::id());
    for wrong in [
        "/proc",
        "/proc/self/task",
        "/proc/self/fd",
        "/proc/self/status",
        &thread,
    ] {
        let other = directory(wrong, OpenFlags::empty())?;
        ensure_eq!((wrong, send(other, 0).err()), (wrong, Some(Errno::EBADF)));
    }
    let path = directory("/proc/self", OpenFlags::PATH)?;
    ensure_eq!(send(path, 0).err(), Some(Errno::EBADF));
    let pid = spawn(sleeper)?;
    let child = directory(&alloc::format!("/proc/{pid}"), OpenFlags::empty())?;
    send(child, SIGKILL)?;
    ensure_eq!(ended(wait_for(pid)?), 128 + SIGKILL as i32);
    ensure_eq!(send(child, 0).err(), Some(Errno::ESRCH));
    Ok(())
}

fn prepared_signals_arrive() -> Outcome {
    catch(SIGUSR1);
    let own = open_child(process::id())?;
    let info = SigInfo::queue(Signal::USR1, 77, 88, 99);
    let arguments = [own, u64::from(SIGUSR1), addr(&info), 0];
    ensure_eq!(call(Sysno::pidfd_send_signal, &arguments)?, 0);
    ensure!(signal::take(SIGUSR1));
    Ok(())
}

fn a_number_used_again_is_not_meant() -> Outcome {
    let pid = spawn(|| 0)?;
    let pidfd = open_child(pid)?;
    ensure_eq!(ended(wait_for(pid)?), 0);
    let number = [pid];
    let request = CloneArgs {
        exit_signal: u64::from(SIGCHLD),
        set_tid: addr(&number),
        set_tid_size: 1,
        ..CloneArgs::default()
    };
    let size = size_of::<CloneArgs>() as u64;
    let again = thread::clone3(&request, size, sleep_on, 0);
    if again == Err(Errno::EPERM) {
        return Err(crate::harness::Failure::Skip("not privileged"));
    }
    ensure_eq!(again?, pid as u64);
    ensure_eq!(send(pidfd, SIGKILL).err(), Some(Errno::ESRCH));
    ensure_eq!(waitid(pidfd, WaitFlags::EXITED).err(), Some(Errno::ECHILD));
    process::kill(pid, SIGKILL)?;
    ensure_eq!(ended(wait_for(pid)?), 128 + SIGKILL as i32);
    Ok(())
}

extern "C" fn sleep_on(_: u64) -> i32 {
    sleeper()
}

fn descriptors_of_others_are_copied() -> Outcome {
    let page = shared_page()?;
    let pid = spawn(|| {
        let made = process::pipe().and_then(|(_reader, writer)| {
            let reader = _reader.into_descriptor();
            rt::io::write(writer.descriptor(), b"hello")?;
            Ok(reader)
        });
        publish(page, made.unwrap_or(-1) as u32 + 1);
        sleeper()
    })?;
    wait_until_changed(page, 0);
    let theirs = u64::from(peek::<u32>(page)) - 1;
    let pidfd = open_child(pid)?;
    let copy = call(Sysno::pidfd_getfd, &[pidfd, theirs, 0])?;
    let mut text = [0; 5];
    ensure_eq!(rt::io::read(copy as i32, &mut text)?, 5);
    ensure_eq!(&text, b"hello");
    let getfd = |pidfd: u64, fd: u64, flags: u64| call(Sysno::pidfd_getfd, &[pidfd, fd, flags]).err();
    ensure_eq!(getfd(pidfd, theirs, 1), Some(Errno::EINVAL));
    ensure_eq!(getfd(pidfd, 777, 0), Some(Errno::EBADF));
    ensure_eq!(getfd(0, 0, 0), Some(Errno::EBADF));
    send(pidfd, SIGKILL)?;
    ensure_eq!(ended(wait_for(pid)?), 128 + SIGKILL as i32);
    ensure_eq!(getfd(pidfd, theirs, 0), Some(Errno::ESRCH));
    Ok(())
}

fn copying_needs_permission() -> Outcome {
    let pid = spawn(sleeper)?;
    let pidfd = open_child(pid)?;
    let status = in_child(|| match call(Sysno::setuid, &[4242]) {
        Ok(_) => i32::from(call(Sysno::pidfd_getfd, &[pidfd, 0, 0]) != Err(Errno::EPERM)),
        Err(_) => 0,
    })?;
    ensure_eq!(ended(status), 0);
    send(pidfd, SIGKILL)?;
    ensure_eq!(ended(wait_for(pid)?), 128 + SIGKILL as i32);
    Ok(())
}

extern "C" fn return_argument(argument: u64) -> i32 {
    argument as i32
}

fn clone_returns_a_descriptor() -> Outcome {
    let mut pidfd = -1_i32;
    let words = Words {
        parent_tid: addr_mut(&mut pidfd),
        ..Words::default()
    };
    let place = words.parent_tid;
    let pid = thread::clone(CloneFlags::PIDFD, SIGCHLD, words, return_argument, 8)?;
    let info = waitid(u64::from(peek::<u32>(place)), WaitFlags::EXITED)?;
    ensure_eq!((info.pid() as u64, info.status()), (pid, 8));
    Ok(())
}

fn clone3_returns_a_descriptor() -> Outcome {
    let page = shared_page()?;
    let request = CloneArgs {
        flags: (CloneFlags::PIDFD | CloneFlags::PARENT_SETTID).bits(),
        exit_signal: u64::from(SIGCHLD),
        pidfd: page,
        parent_tid: page + 4,
        ..CloneArgs::default()
    };
    let size = size_of::<CloneArgs>() as u64;
    let pid = thread::clone3(&request, size, return_argument, 9)?;
    ensure_eq!(u64::from(peek::<u32>(page + 4)), pid);
    let info = waitid(u64::from(peek::<u32>(page)), WaitFlags::EXITED)?;
    ensure_eq!((info.pid() as u64, info.status()), (pid, 9));
    let same_place = CloneArgs {
        parent_tid: page,
        ..request
    };
    let refused = thread::clone3(&same_place, size, return_argument, 9);
    ensure_eq!(refused.err(), Some(Errno::EINVAL));
    Ok(())
}

fn an_unwritable_descriptor_makes_no_child() -> Outcome {
    let lowest_free = call(Sysno::dup, &[0])?;
    call(Sysno::close, &[lowest_free])?;
    let words = Words {
        parent_tid: 8,
        ..Words::default()
    };
    let refused = thread::clone(CloneFlags::PIDFD, SIGCHLD, words, return_argument, 0);
    ensure_eq!(refused.err(), Some(Errno::EFAULT));
    ensure!(process::wait(-1, WaitFlags::ALL).err() == Some(Errno::ECHILD));
    ensure_eq!(call(Sysno::dup, &[0])?, lowest_free);
    Ok(())
}

fn facts_are_shown() -> Outcome {
    let pid = spawn(sleeper)?;
    let pidfd = open_child(pid)?;
    let path = alloc::format!("/proc/self/fdinfo/{pidfd}").into_bytes();
    let shows = |line: &[u8]| -> Result<bool, Errno> {
        let text = rt::fs::read(&path)?;
        Ok(text.split(|byte| *byte == b'\n').any(|shown| shown == line))
    };
    for name in ["Pid", "NSpid"] {
        ensure!(shows(alloc::format!("{name}:\t{pid}").as_bytes())?);
    }
    let link = rt::fs::read_link(alloc::format!("/proc/self/fd/{pidfd}").as_bytes())?;
    ensure_eq!(link, b"anon_inode:[pidfd]");
    send(pidfd, SIGKILL)?;
    ensure_eq!(ended(wait_for(pid)?), 128 + SIGKILL as i32);
    ensure!(shows(b"Pid:\t-1")?);
    Ok(())
}

extern "C" fn wait_for_word(place: u64) -> i32 {
    wait_until_changed(place, 0);
    0
}

fn a_thread_has_a_descriptor_too() -> Outcome {
    let page = shared_page()?;
    let other = thread::start(wait_for_word, page)?;
    let tid = other.tid as i32;
    let refused = open_child(tid).err();
    // Newer kernels say that there is no such process.
    ensure!(refused == Some(Errno::EINVAL) || refused == Some(Errno::ENOENT));
    let pidfd = open(tid, PidfdFlags::THREAD)?;
    ensure_eq!(events(pidfd, 0)?, PollEvents::empty());
    ensure_eq!(waitid(pidfd, WaitFlags::EXITED).err(), Some(Errno::ECHILD));
    ensure_eq!(send(pidfd, 0)?, 0);
    publish(page, 1);
    ensure!(events(pidfd, 20_000)?.contains(PollEvents::IN));
    other.join();
    ensure_eq!(send(pidfd, 0).err(), Some(Errno::ESRCH));
    Ok(())
}
