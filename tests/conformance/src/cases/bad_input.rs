//! Arguments that no program should pass: wild pointers to every call, and exhaustion of what is finite.

use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::syscall::Sysno;
use rt::process;

use crate::arch::{ISA, KERNEL_ADDRESS};
use crate::cases::bombs::is_levitate;
use crate::cases::ended;
use crate::harness::{Failure, Outcome, in_child};
use crate::raw::{addr, addr_mut, call, call_number};
use crate::{cases, ensure, ensure_eq};

cases![
    wild_pointers_are_efault,
    random_arguments_to_every_call,
    out_of_memory_is_enomem,
    descriptors_run_out,
    memory_returns_after_forks_and_failed_execs,
];

fn wild_pointers_are_efault() -> Outcome {
    let fd = rt::fs::File::open(b"/dev/zero")?.into_descriptor() as u64;
    for wild in [1, 0x10, KERNEL_ADDRESS, u64::MAX - 7, 0x8000_0000_0000_0000] {
        ensure_eq!(call(Sysno::read, &[fd, wild, 8]).err(), Some(Errno::EFAULT));
        ensure_eq!(call(Sysno::openat, &[0, wild, 0, 0]).err(), Some(Errno::EFAULT));
        ensure_eq!(call(Sysno::uname, &[wild]).err(), Some(Errno::EFAULT));
        ensure_eq!(call(Sysno::getrusage, &[0, wild]).err(), Some(Errno::EFAULT));
        ensure_eq!(call(Sysno::clock_gettime, &[0, wild]).err(), Some(Errno::EFAULT));
    }
    // A buffer that ends in unmapped memory is filled up to there.
    let at = call(Sysno::mmap, &[0, 8192, 3, 0x22, u64::MAX, 0])?;
    call(Sysno::munmap, &[at + 4096, 4096])?;
    let result = call(Sysno::read, &[fd, at + 4000, 200]);
    ensure!(matches!(result, Ok(96) | Err(Errno::EFAULT)), "{result:?}");
    Ok(())
}

/// Calls that end, replace or stop the process, or act on the whole machine.
const DANGEROUS: &[Sysno] = &[
    Sysno::exit,
    Sysno::exit_group,
    Sysno::reboot,
    Sysno::sethostname,
    Sysno::setdomainname,
    // These reach other processes, and all of a user: run as root, the host's.
    Sysno::setpriority,
    Sysno::ioprio_set,
    Sysno::prlimit64,
    Sysno::sched_setaffinity,
    Sysno::sched_setattr,
    Sysno::sched_setparam,
    Sysno::sched_setscheduler,
    Sysno::kill,
    Sysno::tkill,
    Sysno::tgkill,
    Sysno::pause,
    Sysno::rt_sigreturn,
    Sysno::rt_sigsuspend,
    Sysno::rt_sigtimedwait,
    Sysno::rt_sigqueueinfo,
    Sysno::rt_tgsigqueueinfo,
    Sysno::execve,
    Sysno::fork,
    Sysno::vfork,
    Sysno::clone,
    Sysno::munmap,
    Sysno::mmap,
    Sysno::mprotect,
    Sysno::brk,
    Sysno::madvise,
    Sysno::sync,
    Sysno::umount2,
    Sysno::mount,
    Sysno::setitimer,
    Sysno::timer_settime,
    Sysno::clock_settime,
    Sysno::settimeofday,
    Sysno::adjtimex,
    Sysno::clock_adjtime,
    Sysno::alarm,
    Sysno::wait4,
    Sysno::nanosleep,
    Sysno::clock_nanosleep,
    Sysno::read,
    Sysno::readv,
    Sysno::poll,
    Sysno::ppoll,
    Sysno::select,
    Sysno::pselect6,
    Sysno::futex,
    Sysno::futex_wait,
    Sysno::futex_waitv,
    Sysno::unlink,
    Sysno::unlinkat,
    Sysno::rename,
    Sysno::rmdir,
    Sysno::arch_prctl,
    Sysno::setrlimit,
    Sysno::prlimit64,
    Sysno::write,
    Sysno::writev,
    Sysno::set_tid_address,
    Sysno::set_robust_list,
    Sysno::close,
    Sysno::close_range,
    Sysno::dup2,
    Sysno::dup3,
    Sysno::ioctl,
    Sysno::rt_sigaction,
];

/// A plain user.
const NOBODY: u64 = 65534;

fn random_arguments_to_every_call() -> Outcome {
    // Values around every boundary that a check could get wrong.
    let odd = [
        0,
        1,
        2,
        3,
        7,
        8,
        0xff,
        0xfff,
        0x1000,
        0x1001,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        0x1_0000_0000,
        0x7fff_ffff_f000,
        0x8000_0000_0000,
        KERNEL_ADDRESS,
        i64::MAX as u64,
        i64::MIN as u64,
        u64::MAX - 4095,
        u64::MAX,
    ];
    for &sysno in Sysno::ALL {
        let Some(number) = sysno.number(ISA) else { continue };
        if DANGEROUS.contains(&sysno) {
            continue;
        }
        let status = in_child(|| {
            // Calls like fchmod must find nothing but a private file behind the low numbers.
            let Ok(private) = rt::fs::File::create(b"private", 0o600) else {
                return 1;
            };
            for fd in (0..16).filter(|&fd| fd != private.descriptor()) {
                let _ = call(Sysno::dup3, &[private.descriptor() as u64, fd as u64, 0]);
            }
            // What root may do must not happen to a host.
            if !is_levitate().unwrap_or(false) {
                let _ = call(Sysno::setgroups, &[0, 0]);
                let _ = call(Sysno::setresgid, &[NOBODY, NOBODY, NOBODY]);
                let _ = call(Sysno::setresuid, &[NOBODY, NOBODY, NOBODY]);
            }
            let mut seed = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            for _ in 0..200 {
                let arguments: [u64; 6] = core::array::from_fn(|_| {
                    seed ^= seed << 13;
                    seed ^= seed >> 7;
                    seed ^= seed << 17;
                    odd[(seed % odd.len() as u64) as usize]
                });
                let _ = call_number(number, &arguments);
            }
            0
        })?;
        ensure_eq!((sysno.name(), ended(status)), (sysno.name(), 0));
    }
    Ok(())
}

fn out_of_memory_is_enomem() -> Outcome {
    // An address space limit stands for a small machine, so that the same test is kind to a host.
    const RLIMIT_AS: u64 = 9;
    let mut limit = [0_u64; 2];
    call(Sysno::prlimit64, &[0, RLIMIT_AS, 0, addr_mut(&mut limit)])?;
    let lower = [256 << 20, limit[1]];
    call(Sysno::prlimit64, &[0, RLIMIT_AS, addr(&lower), 0])?;
    let mut maps = 0;
    let refused = loop {
        match call(Sysno::mmap, &[0, 16 << 20, 3, 0x22, u64::MAX, 0]) {
            Ok(_) => maps += 1,
            Err(errno) => break errno,
        }
        ensure!(maps <= 16, "{maps} maps of 16 MiB under a limit of 256 MiB");
    };
    ensure_eq!(refused, Errno::ENOMEM);
    Ok(())
}

fn descriptors_run_out() -> Outcome {
    let mut fds = Vec::new();
    let refused = loop {
        match call(Sysno::dup, &[1]) {
            Ok(fd) => fds.push(fd),
            Err(errno) => break errno,
        }
        ensure!(fds.len() < 1 << 21);
        if fds.len() >= 100_000 {
            // A host with a very high limit.
            return Ok(());
        }
    };
    ensure_eq!(refused, Errno::EMFILE);
    for fd in fds {
        call(Sysno::close, &[fd])?;
    }
    ensure_eq!(ended(in_child(|| process::exit_now(3))?), 3);
    Ok(())
}

/// Returns MemFree in KiB.
pub(super) fn free_memory_kib() -> Result<i64, Errno> {
    let text = rt::fs::read(b"/proc/meminfo")?;
    let field = text
        .split(|&byte| byte == b'\n')
        .find_map(|line| line.strip_prefix(b"MemFree:"));
    let digits = field
        .unwrap_or_default()
        .iter()
        .filter(|byte| byte.is_ascii_digit());
    Ok(digits.fold(0, |number, &digit| number * 10 + i64::from(digit - b'0')))
}

fn fork_and_fail_to_execute(times: usize) -> Outcome {
    for _ in 0..times {
        let status = in_child(|| {
            let errno = process::execute(b"./garbage", &[b"x".to_vec()], &[]);
            i32::from(errno != Errno::ENOEXEC)
        })?;
        ensure_eq!(ended(status), 0);
    }
    Ok(())
}

fn memory_returns_after_forks_and_failed_execs() -> Outcome {
    if !is_levitate()? {
        return Err(Failure::Skip("other work changes a host's free memory"));
    }
    rt::fs::File::create(b"garbage", 0o755)?.write_all(b"garbage")?;
    // The first ones fill the kernel's caches.
    fork_and_fail_to_execute(100)?;
    let before = free_memory_kib()?;
    fork_and_fail_to_execute(1000)?;
    let after = free_memory_kib()?;
    // One leaked page in each of the thousand would be 4000 KiB.
    ensure!(
        (before - after).abs() <= 64,
        "{before} KiB were free, {after} KiB are"
    );
    Ok(())
}
