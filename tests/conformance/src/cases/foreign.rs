//! The memory and resources of other processes: process_vm_readv(2), /proc/PID/mem, kcmp(2).

use los_abi::errno::Errno;
use los_abi::fs::{IoVec, OpenFlags};
use los_abi::isa::WireEpollEvent;
use los_abi::poll::EPOLL_CTL_ADD;
use los_abi::signal::{SIGCHLD, SIGKILL};
use los_abi::syscall::Sysno;
use los_abi::task::{
    CloneFlags, KCMP_EPOLL_TFD, KCMP_FILE, KCMP_FILES, KCMP_FS, KCMP_SIGHAND, KCMP_VM, KcmpEpollSlot,
};
use rt::{process, time};

use crate::arch::EpollEvent;
use crate::cases::ended;
use crate::harness::{Failure, Outcome, in_child, spawn, wait_for};
use crate::raw::{addr, addr_mut, call, peek, poke};
use crate::thread::{self, Words, stack};
use crate::{cases, ensure, ensure_eq};

cases![
    memory_is_copied_both_ways,
    ranges_that_end_early_are_partial,
    wrong_arguments_of_copying,
    copying_needs_permission,
    mem_is_memory,
    mem_needs_permission,
    the_same_things_compare_equal,
    members_of_sets_can_be_compared,
    comparing_is_checked,
];

extern "C" fn sleep_on(_: u64) -> i32 {
    loop {
        time::sleep_ms(1000);
    }
}

fn sleeper() -> Result<i32, Failure> {
    spawn(|| sleep_on(0))
}

fn end(pid: i32) -> Outcome {
    process::kill(pid, SIGKILL)?;
    ensure_eq!(ended(wait_for(pid)?), 128 + SIGKILL as i32);
    Ok(())
}

fn range(address: u64, bytes: u64) -> IoVec {
    IoVec {
        iov_base: address,
        iov_len: bytes,
    }
}

fn copy(sysno: Sysno, pid: i32, local: &[IoVec], remote: &[IoVec]) -> Result<u64, Errno> {
    let arguments = [
        pid as u64,
        addr(local),
        local.len() as u64,
        addr(remote),
        remote.len() as u64,
        0,
    ];
    call(sysno, &arguments)
}

fn memory_is_copied_both_ways() -> Outcome {
    let memory = stack()?;
    poke::<u64>(memory, 11);
    poke::<u64>(memory + 0x5000, 22);
    let pid = sleeper()?;
    poke::<u64>(memory, 0);
    poke::<u64>(memory + 0x5000, 0);
    let mut words = [0_u64; 2];
    let place = addr_mut(&mut words);
    let remote = [range(memory, 8), range(memory + 0x5000, 8)];
    let read = copy(Sysno::process_vm_readv, pid, &[range(place, 16)], &remote);
    ensure_eq!(read?, 16);
    ensure_eq!((peek::<u64>(place), peek::<u64>(place + 8)), (11, 22));
    poke::<u64>(place, 33);
    let written = copy(Sysno::process_vm_writev, pid, &[range(place, 8)], &remote);
    ensure_eq!(written?, 8);
    poke::<u64>(place, 0);
    copy(Sysno::process_vm_readv, pid, &[range(place, 8)], &remote)?;
    ensure_eq!((peek::<u64>(place), peek::<u64>(memory)), (33, 0));
    end(pid)
}

fn ranges_that_end_early_are_partial() -> Outcome {
    let memory = stack()?;
    call(Sysno::munmap, &[memory + 0x1000, 0x1000])?;
    let into = stack()?;
    let own = process::id();
    let read = |at: u64, bytes: u64| {
        copy(
            Sysno::process_vm_readv,
            own,
            &[range(into, 0x4000)],
            &[range(at, bytes)],
        )
    };
    ensure_eq!(read(memory + 0xff0, 0x100)?, 0x10);
    ensure_eq!(read(memory + 0x1000, 8).err(), Some(Errno::EFAULT));
    ensure_eq!(read(8, 8).err(), Some(Errno::EFAULT));
    ensure_eq!(read(memory, 0)?, 0);
    Ok(())
}

fn wrong_arguments_of_copying() -> Outcome {
    let memory = stack()?;
    let one = [range(memory, 8)];
    for sysno in [Sysno::process_vm_readv, Sysno::process_vm_writev] {
        let own = process::id() as u64;
        let place = addr(&one);
        for (arguments, errno) in [
            ([own, place, 1, place, 1, 1], Errno::EINVAL),
            ([own, place, 1025, place, 1, 0], Errno::EINVAL),
            ([own, place, 1, place, 1025, 0], Errno::EINVAL),
            ([own, 8, 1, place, 1, 0], Errno::EFAULT),
            ([own, place, 1, 8, 1, 0], Errno::EFAULT),
            ([i32::MAX as u64, place, 1, place, 1, 0], Errno::ESRCH),
        ] {
            ensure_eq!(call(sysno, &arguments).err(), Some(errno));
        }
        ensure_eq!(call(sysno, &[i32::MAX as u64, place, 0, place, 1, 0])?, 0);
    }
    Ok(())
}

/// Checks something as another user.
fn as_stranger(is_right: impl FnOnce() -> bool) -> Outcome {
    let status = in_child(|| {
        if call(Sysno::setuid, &[4242]).is_err() {
            return 77;
        }
        i32::from(!is_right())
    })?;
    if ended(status) == 77 {
        return Err(Failure::Skip("not root"));
    }
    ensure_eq!(ended(status), 0);
    Ok(())
}

fn copying_needs_permission() -> Outcome {
    let memory = stack()?;
    let pid = sleeper()?;
    let outcome = as_stranger(|| {
        let one = [range(memory, 8)];
        copy(Sysno::process_vm_readv, pid, &one, &one) == Err(Errno::EPERM)
    });
    end(pid)?;
    outcome
}

fn mem_is_memory() -> Outcome {
    let memory = stack()?;
    poke::<u64>(memory, 11);
    let pid = sleeper()?;
    let path = alloc::format!("/proc/{pid}/mem").into_bytes();
    let file = rt::fs::File::open_with(&path, OpenFlags::RDWR, 0)?;
    let fd = file.descriptor() as u64;
    let mut word = 0_u64;
    let place = addr_mut(&mut word);
    ensure_eq!(call(Sysno::pread64, &[fd, place, 8, memory])?, 8);
    ensure_eq!(peek::<u64>(place), 11);
    poke::<u64>(place, 44);
    ensure_eq!(call(Sysno::pwrite64, &[fd, place, 8, memory])?, 8);
    ensure_eq!(peek::<u64>(memory), 11);
    call(Sysno::lseek, &[fd, memory, 0])?;
    poke::<u64>(place, 0);
    ensure_eq!(call(Sysno::read, &[fd, place, 8])?, 8);
    ensure_eq!(peek::<u64>(place), 44);
    ensure_eq!(call(Sysno::pread64, &[fd, place, 8, 8]).err(), Some(Errno::EIO));
    end(pid)?;
    ensure_eq!(call(Sysno::pread64, &[fd, place, 8, memory])?, 0);
    Ok(())
}

fn mem_needs_permission() -> Outcome {
    let pid = sleeper()?;
    let path = alloc::format!("/proc/{pid}/mem").into_bytes();
    let outcome = as_stranger(|| rt::fs::File::open(&path).err() == Some(Errno::EACCES));
    end(pid)?;
    outcome
}

fn kcmp(pids: [i32; 2], kind: i32, indices: [u64; 2]) -> Result<u64, Errno> {
    let [first, second] = pids.map(|pid| pid as u64);
    call(Sysno::kcmp, &[first, second, kind as u64, indices[0], indices[1]])
}

fn the_same_things_compare_equal() -> Outcome {
    let own = process::id();
    let copy = call(Sysno::dup, &[0])?;
    match kcmp([own, own], KCMP_FILE, [0, copy]) {
        Err(Errno::ENOSYS) => return Err(Failure::Skip("built without kcmp")),
        other => ensure_eq!(other?, 0),
    }
    let (reader, writer) = process::pipe()?;
    let ends = [reader.descriptor() as u64, writer.descriptor() as u64];
    let order = kcmp([own, own], KCMP_FILE, ends)?;
    let reverse = kcmp([own, own], KCMP_FILE, [ends[1], ends[0]])?;
    ensure!(order + reverse == 3, "{order} and {reverse}");
    let flags = CloneFlags::FILES | CloneFlags::FS;
    let pid = thread::clone(flags, SIGCHLD, Words::default(), sleep_on, 0)? as i32;
    for (kind, same) in [
        (KCMP_FILES, true),
        (KCMP_FS, true),
        (KCMP_VM, false),
        (KCMP_SIGHAND, false),
    ] {
        ensure_eq!(kcmp([own, pid], kind, [0, 0])? == 0, same);
    }
    end(pid)
}

/// A member of a set is compared by the number that it had.
fn members_of_sets_can_be_compared() -> Outcome {
    let own = process::id();
    let counter = call(Sysno::eventfd2, &[0, 0])?;
    let copy = call(Sysno::dup, &[counter])?;
    let set = call(Sysno::epoll_create1, &[0])?;
    let event = EpollEvent::new(1, 0);
    call(
        Sysno::epoll_ctl,
        &[set, EPOLL_CTL_ADD.into(), counter, addr(&event)],
    )?;
    let compare = |fd: u64, efd: u64, tfd: u64, toff: u32| {
        let slot = KcmpEpollSlot {
            efd: efd as u32,
            tfd: tfd as u32,
            toff,
        };
        kcmp([own, own], KCMP_EPOLL_TFD, [fd, addr(&slot)])
    };
    match compare(copy, set, counter, 0) {
        Err(Errno::ENOSYS | Errno::EOPNOTSUPP) => return Err(Failure::Skip("built without kcmp")),
        other => ensure_eq!(other?, 0),
    }
    ensure!(compare(set, set, counter, 0)? > 0);
    ensure_eq!(compare(copy, set, copy, 0).err(), Some(Errno::ENOENT));
    ensure_eq!(compare(copy, set, counter, 1).err(), Some(Errno::ENOENT));
    ensure_eq!(compare(copy, counter, counter, 0).err(), Some(Errno::EINVAL));
    ensure_eq!(compare(999, set, counter, 0).err(), Some(Errno::EBADF));
    ensure_eq!(compare(copy, 999, counter, 0).err(), Some(Errno::EBADF));
    let nowhere = kcmp([own, own], KCMP_EPOLL_TFD, [999, 8]);
    ensure_eq!(nowhere.err(), Some(Errno::EFAULT));
    // Under the same number, another file.
    call(Sysno::close, &[counter])?;
    let other = call(Sysno::eventfd2, &[0, 0])?;
    ensure_eq!(other, counter);
    call(
        Sysno::epoll_ctl,
        &[set, EPOLL_CTL_ADD.into(), other, addr(&event)],
    )?;
    let found = [compare(copy, set, counter, 0)?, compare(copy, set, counter, 1)?];
    ensure_eq!(found.iter().filter(|&&order| order == 0).count(), 1);
    Ok(())
}

fn comparing_is_checked() -> Outcome {
    let own = process::id();
    if kcmp([own, own], KCMP_VM, [0, 0]) == Err(Errno::ENOSYS) {
        return Err(Failure::Skip("built without kcmp"));
    }
    for (pids, kind, errno) in [
        ([own, i32::MAX], KCMP_VM, Errno::ESRCH),
        ([own, own], 8, Errno::EINVAL),
        ([own, own], KCMP_FILE, Errno::EBADF),
    ] {
        ensure_eq!(kcmp(pids, kind, [0, 999]).err(), Some(errno));
    }
    Ok(())
}
