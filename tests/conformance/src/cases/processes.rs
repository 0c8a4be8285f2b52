//! Processes: waiting, ids, groups, sessions, orphans.

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::signal::{SIGKILL, SIGTERM};
use los_abi::syscall::Sysno;
use rt::process::{self, WaitFlags};
use rt::{io, time};

use crate::cases::ended;
use crate::harness::{Outcome, in_child, spawn, wait_for};
use crate::raw::{addr, addr_mut, call};
use crate::{cases, ensure, ensure_eq};

cases![
    wait_without_children_is_echild,
    wait_nohang_does_not_wait,
    wait_for_a_group,
    wait_rejects_unknown_options,
    killed_child_reports_the_signal,
    exit_status_is_eight_bits,
    orphans_go_to_init,
    setpgid_and_getpgid,
    setsid_of_a_group_leader_is_eperm,
    setsid_makes_a_session,
    getppid_is_the_parent,
    vfork_shares_until_exit,
    fork_a_thousand_times,
    descriptors_are_shared_after_fork,
    credentials_of_root,
    resource_limits_round_trip,
    uname_names_linux,
    unknown_calls_are_enosys,
    prctl_name_round_trip,
    affinity_names_a_cpu,
    rusage_counts_children,
];

fn wait_without_children_is_echild() -> Outcome {
    ensure_eq!(
        call(Sysno::wait4, &[u64::MAX, 0, 0, 0]).err(),
        Some(Errno::ECHILD)
    );
    ensure_eq!(call(Sysno::wait4, &[1, 0, 0, 0]).err(), Some(Errno::ECHILD));
    Ok(())
}

fn wait_nohang_does_not_wait() -> Outcome {
    let (mut reader, writer) = process::pipe()?;
    let pid = spawn(|| {
        let _ = io::Read::read(&mut reader, &mut [0]);
        5
    })?;
    ensure!(process::wait(pid, WaitFlags::NOHANG)?.is_none());
    io::write(writer.descriptor(), b"x")?;
    ensure_eq!(ended(wait_for(pid)?), 5);
    Ok(())
}

fn wait_for_a_group() -> Outcome {
    let other = spawn(|| {
        let _ = process::set_group(0, 0);
        0
    })?;
    let _ = process::set_group(other, other);
    let mine = spawn(|| 3)?;
    let (pid, _) = process::wait(0, WaitFlags::empty())?.ok_or(Errno::ECHILD)?;
    ensure_eq!(pid, mine);
    let (pid, _) = process::wait(-other, WaitFlags::empty())?.ok_or(Errno::ECHILD)?;
    ensure_eq!(pid, other);
    Ok(())
}

fn wait_rejects_unknown_options() -> Outcome {
    ensure_eq!(
        call(Sysno::wait4, &[u64::MAX, 0, 0x100, 0]).err(),
        Some(Errno::EINVAL)
    );
    Ok(())
}

fn killed_child_reports_the_signal() -> Outcome {
    for signal in [SIGTERM, SIGKILL] {
        let pid = spawn(|| {
            loop {
                time::sleep_ms(1000);
            }
        })?;
        process::kill(pid, signal)?;
        let mut status = 0_i32;
        call(Sysno::wait4, &[pid as u64, addr_mut(&mut status), 0, 0])?;
        ensure_eq!(status, signal as i32);
    }
    Ok(())
}

fn exit_status_is_eight_bits() -> Outcome {
    ensure_eq!(ended(in_child(|| 0x1ff)?), 0xff);
    Ok(())
}

fn orphans_go_to_init() -> Outcome {
    let (mut reader, writer) = process::pipe()?;
    let status = in_child(|| {
        let parent = process::id();
        let orphan = spawn(|| {
            while call(Sysno::getppid, &[]) == Ok(parent as u64) {
                time::sleep_ms(1);
            }
            let new_parent = call(Sysno::getppid, &[]).unwrap_or(0) as u32;
            i32::from(io::write(writer.descriptor(), &new_parent.to_le_bytes()) != Ok(4))
        });
        i32::from(orphan.is_err())
    })?;
    ensure_eq!(ended(status), 0);
    let mut parent = [0; 4];
    ensure_eq!(io::Read::read(&mut reader, &mut parent)?, 4);
    let parent = u32::from_le_bytes(parent);
    // On a host, a supervisor may have made itself the reaper of its descendants.
    ensure!(
        parent == 1 || parent != process::id() as u32,
        "the orphan's parent is {parent}"
    );
    Ok(())
}

fn setpgid_and_getpgid() -> Outcome {
    let (mut reader, writer) = process::pipe()?;
    let pid = spawn(|| {
        let _ = io::Read::read(&mut reader, &mut [0]);
        i32::from(process::group() != process::id())
    })?;
    process::set_group(pid, 0)?;
    ensure_eq!(call(Sysno::getpgid, &[pid as u64])?, pid as u64);
    io::write(writer.descriptor(), b"x")?;
    ensure_eq!(ended(wait_for(pid)?), 0);
    ensure_eq!(call(Sysno::getpgid, &[pid as u64]).err(), Some(Errno::ESRCH));
    ensure_eq!(call(Sysno::setpgid, &[0, u64::MAX]).err(), Some(Errno::EINVAL));
    Ok(())
}

fn setsid_of_a_group_leader_is_eperm() -> Outcome {
    ensure_eq!(process::group(), process::id());
    ensure_eq!(process::new_session().err(), Some(Errno::EPERM));
    Ok(())
}

fn setsid_makes_a_session() -> Outcome {
    let status = in_child(|| {
        let id = process::id() as u64;
        let made = process::new_session().is_ok();
        let is_leader = call(Sysno::getsid, &[0]) == Ok(id) && call(Sysno::getpgid, &[0]) == Ok(id);
        i32::from(!(made && is_leader))
    })?;
    ensure_eq!(ended(status), 0);
    Ok(())
}

fn getppid_is_the_parent() -> Outcome {
    let parent = process::id() as u64;
    ensure_eq!(
        ended(in_child(|| i32::from(call(Sysno::getppid, &[]) != Ok(parent)))?),
        0
    );
    Ok(())
}

fn vfork_shares_until_exit() -> Outcome {
    // CLONE_VFORK without CLONE_VM: the parent waits, the memory is its own.
    let before = time::monotonic();
    const CLONE_VFORK: u64 = 0x4000;
    const SIGCHLD: u64 = 17;
    match call(Sysno::clone, &[CLONE_VFORK | SIGCHLD, 0, 0, 0, 0])? {
        0 => {
            time::sleep_ms(30);
            process::exit_now(9)
        }
        pid => {
            let after = time::monotonic();
            let waited_ns = (after.tv_sec - before.tv_sec) * 1_000_000_000 + after.tv_nsec - before.tv_nsec;
            ensure!(waited_ns >= 30_000_000, "the parent went on after {waited_ns} ns");
            ensure_eq!(ended(wait_for(pid as i32)?), 9);
        }
    }
    Ok(())
}

fn fork_a_thousand_times() -> Outcome {
    for turn in 0..1000 {
        let status = in_child(|| turn & 0x7f)?;
        ensure_eq!(ended(status), turn & 0x7f);
    }
    Ok(())
}

fn descriptors_are_shared_after_fork() -> Outcome {
    let flags = OpenFlags::RDWR | OpenFlags::CREAT;
    let mut file = rt::fs::File::open_with(b"shared", flags, 0o644)?;
    file.write_all(b"0123456789")?;
    call(Sysno::lseek, &[file.descriptor() as u64, 0, 0])?;
    let fd = file.descriptor();
    ensure_eq!(
        ended(in_child(|| i32::from(io::read(fd, &mut [0; 4]) != Ok(4)))?),
        0
    );
    let mut rest = [0; 6];
    ensure_eq!(io::read(fd, &mut rest)?, 6);
    ensure_eq!(&rest, b"456789");
    Ok(())
}

fn credentials_of_root() -> Outcome {
    if process::effective_user() != 0 {
        return Err(crate::harness::Failure::Skip("not root"));
    }
    let status = in_child(|| {
        let groups = [10_u32, 20];
        let mut read = [0_u32; 4];
        let steps = [
            call(Sysno::setgroups, &[2, addr(&groups)]) == Ok(0),
            call(Sysno::getgroups, &[4, addr_mut(&mut read)]) == Ok(2) && read[..2] == groups,
            call(Sysno::setgid, &[100]) == Ok(0),
            call(Sysno::setuid, &[1000]) == Ok(0),
            call(Sysno::getuid, &[]) == Ok(1000) && call(Sysno::getegid, &[]) == Ok(100),
            call(Sysno::setuid, &[0]) == Err(Errno::EPERM),
            call(Sysno::setgroups, &[0, 0]) == Err(Errno::EPERM),
        ];
        steps
            .iter()
            .position(|&step| !step)
            .map_or(0, |step| step as i32 + 1)
    })?;
    ensure_eq!(ended(status), 0);
    Ok(())
}

fn resource_limits_round_trip() -> Outcome {
    const RLIMIT_NOFILE: u64 = 7;
    let mut limit = [0_u64; 2];
    call(Sysno::prlimit64, &[0, RLIMIT_NOFILE, 0, addr_mut(&mut limit)])?;
    ensure!(limit[0] >= 64 && limit[0] <= limit[1]);
    let lower = [16, limit[1]];
    call(Sysno::prlimit64, &[0, RLIMIT_NOFILE, addr(&lower), 0])?;
    let mut opened = 0;
    let refused = loop {
        match call(Sysno::dup, &[1]) {
            Ok(_) => opened += 1,
            Err(errno) => break errno,
        }
        ensure!(opened < 32);
    };
    ensure_eq!(refused, Errno::EMFILE);
    let inverted = [5_u64, 4];
    ensure_eq!(
        call(Sysno::prlimit64, &[0, RLIMIT_NOFILE, addr(&inverted), 0]).err(),
        Some(Errno::EINVAL)
    );
    ensure_eq!(
        call(Sysno::prlimit64, &[0, 99, 0, addr_mut(&mut limit)]).err(),
        Some(Errno::EINVAL)
    );
    Ok(())
}

fn uname_names_linux() -> Outcome {
    let names = rt::system::names()?;
    ensure!(names.sysname.starts_with(b"Linux\0"));
    ensure!(names.machine.starts_with(crate::arch::ISA.name().as_bytes()));
    Ok(())
}

fn unknown_calls_are_enosys() -> Outcome {
    for number in [400, 511, 512, 1000, 1001, 0x7fff_ffff, u32::MAX] {
        ensure_eq!(
            crate::raw::call_number(number, &[0; 6]).err(),
            Some(Errno::ENOSYS)
        );
    }
    Ok(())
}

fn prctl_name_round_trip() -> Outcome {
    const PR_SET_NAME: u64 = 15;
    const PR_GET_NAME: u64 = 16;
    call(
        Sysno::prctl,
        &[PR_SET_NAME, addr(b"a-name-that-is-too-long\0"), 0, 0, 0],
    )?;
    let mut name = [0_u8; 16];
    call(Sysno::prctl, &[PR_GET_NAME, addr_mut(&mut name), 0, 0, 0])?;
    ensure_eq!(&name, b"a-name-that-is-\0");
    Ok(())
}

fn affinity_names_a_cpu() -> Outcome {
    let mut mask = [0_u64; 16];
    let bytes = call(Sysno::sched_getaffinity, &[0, 128, addr_mut(&mut mask)])?;
    ensure!(bytes >= 8 && bytes % 8 == 0);
    ensure!(mask.iter().any(|&word| word != 0));
    ensure_eq!(
        call(Sysno::sched_getaffinity, &[0, 1, addr_mut(&mut mask)]).err(),
        Some(Errno::EINVAL)
    );
    Ok(())
}

fn rusage_counts_children() -> Outcome {
    let status = in_child(|| {
        let until = time::monotonic().tv_sec + 1;
        while time::monotonic().tv_sec < until {}
        0
    })?;
    ensure_eq!(ended(status), 0);
    let mut usage = [0_u64; 18];
    call(Sysno::getrusage, &[u64::MAX, addr_mut(&mut usage)])?;
    let spent_us = (usage[0] + usage[2]) * 1_000_000 + usage[1] + usage[3];
    ensure!(spent_us > 0);
    ensure_eq!(
        call(Sysno::getrusage, &[5, addr_mut(&mut usage)]).err(),
        Some(Errno::EINVAL)
    );
    Ok(())
}
