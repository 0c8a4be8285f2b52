//! Bombs that want all memory: the offender meets a limit or the killer, everybody else lives on, and what
//! it had returns. On Levitate only: a host has other things to do with its memory.

use los_abi::errno::Errno;
use los_abi::signal::SIGKILL;
use los_abi::syscall::Sysno;
use rt::fs;

use crate::cases::ended;
use crate::cases::memory::{ANONYMOUS, NO_FD, PAGE, PRIVATE, READ, SHARED, WRITE};
use crate::harness::{Failure, Outcome, in_child};
use crate::raw::{addr, call, poke};
use crate::{cases, ensure, ensure_eq};

cases![
    memory_bomb_is_killed,
    shared_memory_bomb_is_killed,
    the_exempt_lives_on,
    memory_files_leave_room,
    reading_into_new_memory_finds_the_killer,
];

const CHUNK: u64 = 4 << 20;
const NO_RESERVE: u64 = 0x4000;
/// What the kernel may keep in caches of its own.
const SLACK_KIB: i64 = 2048;

pub(super) fn only_on_levitate() -> Outcome {
    if rt::system::names()?.version.starts_with(b"Levitate") {
        Ok(())
    } else {
        Err(Failure::Skip("it would take all memory of the host, or its time"))
    }
}

fn free_kib() -> Result<i64, Errno> {
    super::bad_input::free_memory_kib()
}

/// Takes memory until none is left.
fn take_all(flags: u64) -> ! {
    loop {
        let arguments = [0, CHUNK, READ | WRITE, flags | ANONYMOUS | NO_RESERVE, NO_FD, 0];
        let Ok(at) = call(Sysno::mmap, &arguments) else {
            rt::process::exit_now(1)
        };
        (0..CHUNK)
            .step_by(PAGE as usize)
            .for_each(|offset| poke(at + offset, 1_u8));
    }
}

fn bomb(flags: u64) -> Outcome {
    only_on_levitate()?;
    ensure_eq!(ended(in_child(|| 0)?), 0);
    let before = free_kib()?;
    for _ in 0..2 {
        let status = in_child(|| take_all(flags))?;
        ensure_eq!(ended(status), 128 + SIGKILL as i32);
    }
    let after = free_kib()?;
    ensure!(
        (before - after).abs() <= SLACK_KIB,
        "{before} KiB were free, {after} KiB are"
    );
    Ok(())
}

fn memory_bomb_is_killed() -> Outcome {
    bomb(PRIVATE)
}

fn shared_memory_bomb_is_killed() -> Outcome {
    bomb(SHARED)
}

fn the_exempt_lives_on() -> Outcome {
    only_on_levitate()?;
    let status = in_child(|| {
        let Ok(mut file) =
            fs::File::open_with(b"/proc/self/oom_score_adj", los_abi::fs::OpenFlags::WRONLY, 0)
        else {
            return 1;
        };
        if file.write_all(b"-1000").is_err() {
            return 2;
        }
        let large = [0, 100 << 20, READ | WRITE, PRIVATE | ANONYMOUS, NO_FD, 0];
        let Ok(at) = call(Sysno::mmap, &large) else {
            return 3;
        };
        (0..100 << 20)
            .step_by(PAGE as usize)
            .for_each(|offset| poke(at + offset, 1_u8));
        let scored = fs::read(b"/proc/self/oom_score").is_ok_and(|text| text != b"0\n");
        if scored {
            return 4;
        }
        // The child's own adjustment is that of its parent until it raises it.
        let killed = in_child(|| {
            let raised = fs::File::open_with(b"/proc/self/oom_score_adj", los_abi::fs::OpenFlags::WRONLY, 0)
                .and_then(|mut file| file.write_all(b"0"));
            if raised.is_err() {
                return 1;
            }
            take_all(PRIVATE)
        });
        if killed.is_ok_and(|status| ended(status) == 128 + SIGKILL as i32) {
            0
        } else {
            5
        }
    })?;
    ensure_eq!(ended(status), 0);
    Ok(())
}

fn memory_files_leave_room() -> Outcome {
    only_on_levitate()?;
    let before = free_kib()?;
    let fd = call(Sysno::memfd_create, &[addr(b"full\0"), 0])?;
    let bytes = alloc::vec![7_u8; 1 << 20];
    let refused = loop {
        match call(Sysno::write, &[fd, addr(&*bytes), bytes.len() as u64]) {
            Ok(_) => {}
            Err(errno) => break errno,
        }
    };
    ensure_eq!(refused, Errno::ENOSPC);
    // Programs go on all the same.
    let status = in_child(|| {
        let arguments = [0, CHUNK, READ | WRITE, PRIVATE | ANONYMOUS, NO_FD, 0];
        let Ok(at) = call(Sysno::mmap, &arguments) else {
            return 1;
        };
        (0..CHUNK)
            .step_by(PAGE as usize)
            .for_each(|offset| poke(at + offset, 1_u8));
        0
    })?;
    ensure_eq!(ended(status), 0);
    call(Sysno::close, &[fd])?;
    let after = free_kib()?;
    ensure!(
        (before - after).abs() <= SLACK_KIB,
        "{before} KiB were free, {after} KiB are"
    );
    Ok(())
}

fn reading_into_new_memory_finds_the_killer() -> Outcome {
    only_on_levitate()?;
    let zeros = fs::File::open(b"/dev/zero")?;
    let status = in_child(|| {
        loop {
            let arguments = [0, CHUNK, READ | WRITE, PRIVATE | ANONYMOUS | NO_RESERVE, NO_FD, 0];
            let Ok(at) = call(Sysno::mmap, &arguments) else {
                return 1;
            };
            if call(Sysno::read, &[zeros.descriptor() as u64, at, CHUNK]) != Ok(CHUNK) {
                return 2;
            }
        }
    })?;
    ensure_eq!(ended(status), 128 + SIGKILL as i32);
    Ok(())
}
