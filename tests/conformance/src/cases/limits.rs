//! Resource limits that are enforced (getrlimit(2)), and what is told of usage. Each case runs as root in a
//! process of its own.

use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::resource::{
    RLIM_INFINITY, RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_RTTIME, RLIMIT_STACK,
    RUSAGE_SELF, RUSAGE_THREAD, Rlimit64, Rusage, Tms,
};
use los_abi::schedule::{SCHED_FIFO, SchedParam};
use los_abi::signal::{SIGKILL, SIGXCPU, SIGXFSZ};
use los_abi::syscall::Sysno;
use rt::{fs, process};

use crate::cases::{ended, program};
use crate::clock::clock_ns;
use crate::harness::{Failure, Outcome, catch, in_child, spawn_sleeper, wait_for};
use crate::raw::{addr, addr_mut, call};
use crate::{cases, ensure, ensure_eq};

cases![
    limit_argument_checks,
    processor_time_warns_and_kills,
    real_time_warns_and_kills,
    file_size_stops_writing_and_growing,
    open_files_are_limited,
    processes_of_a_user_are_limited,
    new_user_beyond_the_limit_executes_nothing,
    stack_of_set_user_id_programs,
    usage_of_the_thread,
];

const USER: u64 = 1239;
const CWD: u64 = -100_i64 as u64;

fn get(resource: u32) -> Result<Rlimit64, Errno> {
    let mut limit = Rlimit64::default();
    call(
        Sysno::prlimit64,
        &[0, u64::from(resource), 0, addr_mut(&mut limit)],
    )?;
    Ok(limit)
}

fn set(resource: u32, rlim_cur: u64, rlim_max: u64) -> Result<u64, Errno> {
    let new = Rlimit64 { rlim_cur, rlim_max };
    call(Sysno::prlimit64, &[0, u64::from(resource), addr(&new), 0])
}

fn set_soft(resource: u32, soft: u64) -> Outcome {
    set(resource, soft, get(resource)?.rlim_max)?;
    Ok(())
}

fn limit_argument_checks() -> Outcome {
    ensure_eq!(get(16).err(), Some(Errno::EINVAL));
    ensure_eq!(set(RLIMIT_STACK, 2, 1).err(), Some(Errno::EINVAL));
    let limit = Rlimit64::default();
    let by_pid = |pid: u64, new: u64| call(Sysno::prlimit64, &[pid, 3, new, 0]).err();
    ensure_eq!(by_pid(0x3fff_ffff, 0), Some(Errno::ESRCH));
    ensure_eq!(by_pid(u64::MAX, 0), Some(Errno::ESRCH));
    ensure_eq!(by_pid(0x3fff_ffff, 8), Some(Errno::EFAULT));
    ensure_eq!(by_pid(0, 0), None);
    ensure_eq!(call(Sysno::prlimit64, &[0, 3, 0, 8]).err(), Some(Errno::EFAULT));
    // A hard limit that was lowered stays so without the right to raise it.
    set(RLIMIT_NOFILE, 10, 20)?;
    call(Sysno::setresuid, &[USER, USER, USER])?;
    ensure_eq!(set(RLIMIT_NOFILE, 10, 21).err(), Some(Errno::EPERM));
    ensure_eq!(set(RLIMIT_NOFILE, 21, 20).err(), Some(Errno::EINVAL));
    ensure_eq!(
        call(Sysno::setrlimit, &[u64::from(RLIMIT_NOFILE), addr(&limit)]),
        Ok(0)
    );
    Ok(())
}

/// Uses the processor until a signal comes.
fn spin() -> i32 {
    let mut word = 1_u64;
    loop {
        word = core::hint::black_box(word.wrapping_mul(3));
        if word == 0 {
            return 9;
        }
    }
}

fn processor_time_warns_and_kills() -> Outcome {
    let killed = in_child(|| {
        if set(RLIMIT_CPU, 1, RLIM_INFINITY).is_err() {
            return 90;
        }
        spin()
    })?;
    ensure_eq!(ended(killed), 128 + SIGXCPU as i32);
    let killed = in_child(|| {
        catch(SIGXCPU);
        if set(RLIMIT_CPU, 1, 2).is_err() {
            return 90;
        }
        spin()
    })?;
    ensure_eq!(ended(killed), 128 + SIGKILL as i32);
    Ok(())
}

/// A real-time thread that does not wait is stopped; one that waits starts anew.
fn real_time_warns_and_kills() -> Outcome {
    let become_urgent = |soft_us| {
        let param = SchedParam { sched_priority: 1 };
        set_soft(RLIMIT_RTTIME, soft_us).is_ok()
            && call(
                Sysno::sched_setscheduler,
                &[0, u64::from(SCHED_FIFO), addr(&param)],
            )
            .is_ok()
    };
    let killed = in_child(|| if become_urgent(300_000) { spin() } else { 90 })?;
    ensure_eq!(ended(killed), 128 + SIGXCPU as i32);
    let compute_in_parts = || {
        if !become_urgent(600_000) {
            return 90;
        }
        // Processor time in small parts, in sum beyond the limit.
        while processor_time_ms() < 900 {
            let until = processor_time_ms() + 2;
            while processor_time_ms() < until {}
            rt::time::sleep_ms(1);
        }
        0
    };
    // A part can be long where the machine itself has to wait for its processor.
    for _ in 0..10 {
        let status = ended(in_child(compute_in_parts)?);
        if status == 0 {
            return Ok(());
        }
        ensure_eq!(status, 128 + SIGXCPU as i32);
    }
    Err(Failure::Wrong("waiting does not start the count anew".into()))
}

fn processor_time_ms() -> i64 {
    const PROCESS_TIME: u64 = 2;
    clock_ns(PROCESS_TIME).unwrap_or(0) / 1_000_000
}

fn file_size_stops_writing_and_growing() -> Outcome {
    catch(SIGXFSZ);
    set_soft(RLIMIT_FSIZE, 1000)?;
    let mut file = fs::File::create(b"file", 0o644)?;
    let fd = file.descriptor() as u64;
    file.write_all(&[b'x'; 900])?;
    let bytes = [b'y'; 200];
    // What fits is written, and nothing at the limit.
    ensure_eq!(call(Sysno::write, &[fd, addr(&bytes), 200]), Ok(100));
    ensure_eq!(
        call(Sysno::write, &[fd, addr(&bytes), 200]).err(),
        Some(Errno::EFBIG)
    );
    ensure_eq!(call(Sysno::ftruncate, &[fd, 1001]).err(), Some(Errno::EFBIG));
    ensure_eq!(
        call(Sysno::truncate, &[addr(b"file\0"), 1001]).err(),
        Some(Errno::EFBIG)
    );
    set_soft(RLIMIT_FSIZE, 100)?;
    // A file that is larger already may shrink to what is still more than the limit.
    ensure_eq!(call(Sysno::ftruncate, &[fd, 500]), Ok(0));
    let killed = in_child(|| {
        let default = los_abi::signal::SigAction::default();
        let _ = call(Sysno::rt_sigaction, &[u64::from(SIGXFSZ), addr(&default), 0, 8]);
        let _ = call(Sysno::ftruncate, &[fd, 501]);
        0
    })?;
    ensure_eq!(ended(killed), 128 + SIGXFSZ as i32);
    Ok(())
}

fn open_files_are_limited() -> Outcome {
    set_soft(RLIMIT_NOFILE, 20)?;
    let open = || call(Sysno::openat, &[CWD, addr(b"/\0"), 0, 0]);
    let mut last = Ok(0);
    for _ in 0..30 {
        last = open();
    }
    ensure_eq!(last.err(), Some(Errno::EMFILE));
    ensure_eq!(call(Sysno::dup, &[0]).err(), Some(Errno::EMFILE));
    ensure_eq!(call(Sysno::dup3, &[0, 20, 0]).err(), Some(Errno::EBADF));
    ensure_eq!(call(Sysno::fcntl, &[0, 0, 20]).err(), Some(Errno::EINVAL));
    Ok(())
}

fn processes_of_a_user_are_limited() -> Outcome {
    let status = in_child(|| {
        let _ = call(Sysno::setresuid, &[USER, USER, USER]);
        if set_soft(RLIMIT_NPROC, 1).is_err() {
            return 90;
        }
        match process::fork() {
            Err(Errno::EAGAIN) => 0,
            Err(_) => 91,
            Ok(process::Fork::Child) => 0,
            Ok(process::Fork::Parent(_)) => 92,
        }
    })?;
    ensure_eq!(ended(status), 0);
    Ok(())
}

fn new_user_beyond_the_limit_executes_nothing() -> Outcome {
    let path = program();
    let other = spawn_sleeper(|| {
        let _ = call(Sysno::setresuid, &[USER, USER, USER]);
    })?;
    // The other one must have changed its user first.
    while fs::metadata(alloc::format!("/proc/{other}").as_bytes())?
        .owner()
        .0
        != USER as u32
    {
        rt::time::sleep_ms(1);
    }
    let status = in_child(|| {
        if set_soft(RLIMIT_NPROC, 0).is_err() || call(Sysno::setresuid, &[USER, USER, USER]).is_err() {
            return 90;
        }
        let words = [b"program".as_slice(), b"--helper", b"lost"].map(Vec::from);
        match process::execute(&path, &words, &[]) {
            Errno::EAGAIN => 0,
            other => other.code(),
        }
    })?;
    process::kill(other, SIGKILL)?;
    let _ = wait_for(other)?;
    ensure_eq!(ended(status), 0);
    Ok(())
}

/// `conformance --helper stack BYTES` compares its own soft limit with that.
pub(super) fn helper(words: &[Vec<u8>]) -> i32 {
    let found = get(RLIMIT_STACK).map(|limit| alloc::format!("{}", limit.rlim_cur));
    let is_expected = found.is_ok_and(|found| words.first().is_some_and(|word| word == found.as_bytes()));
    i32::from(!is_expected)
}

fn stack_of_set_user_id_programs() -> Outcome {
    if get(RLIMIT_STACK)?.rlim_max < 64 << 20 {
        return Err(Failure::Skip("the stack's limit is too low here"));
    }
    fs::set_permissions(b".", 0o755)?;
    let mut copy = fs::File::create(b"program", 0o755)?;
    copy.write_all(&fs::read(&program())?)?;
    drop(copy);
    for (mode, expected) in [(0o755, b"67108864".as_slice()), (0o4755, b"8388608")] {
        fs::set_permissions(b"program", mode)?;
        let status = in_child(|| {
            if set_soft(RLIMIT_STACK, 64 << 20).is_err()
                || call(Sysno::setresuid, &[USER, USER, USER]).is_err()
            {
                return 90;
            }
            let words = [b"program".as_slice(), b"--helper", b"stack", expected];
            process::execute(b"./program", &words.map(Vec::from), &[]);
            126
        })?;
        ensure_eq!(ended(status), 0);
    }
    Ok(())
}

fn usage_of_the_thread() -> Outcome {
    let (mut own, mut all) = (Rusage::default(), Rusage::default());
    call(Sysno::getrusage, &[RUSAGE_THREAD as u64, addr_mut(&mut own)])?;
    call(Sysno::getrusage, &[RUSAGE_SELF as u64, addr_mut(&mut all)])?;
    ensure!(own.ru_maxrss > 0 && own.ru_maxrss <= all.ru_maxrss);
    ensure!(own.ru_minflt > 0 && own.ru_minflt <= all.ru_minflt);
    ensure_eq!(
        call(Sysno::getrusage, &[2, addr_mut(&mut own)]).err(),
        Some(Errno::EINVAL)
    );
    ensure_eq!(
        call(Sysno::getrusage, &[RUSAGE_SELF as u64, 8]).err(),
        Some(Errno::EFAULT)
    );
    let mut times = Tms::default();
    let first = call(Sysno::times, &[addr_mut(&mut times)])?;
    ensure!(call(Sysno::times, &[0])? >= first);
    ensure_eq!(call(Sysno::times, &[8]).err(), Some(Errno::EFAULT));
    Ok(())
}
