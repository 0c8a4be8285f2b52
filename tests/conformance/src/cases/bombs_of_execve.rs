//! execve of what is nearly a program, and of programs again and again: see [`super::bombs`].
//!
//! `conformance --helper cycles TIMES` prints what that many cycles of fork, execve and wait cost.

use alloc::vec::Vec;

use los_abi::fs::OpenFlags;
use los_abi::signal::SIGKILL;
use rt::{fs, process};

use crate::cases::bombs::{again_and_again, is_levitate, settled_memory_kib};
use crate::cases::{ended, program};
use crate::harness::{Failure, Outcome, in_child, spawn, wait_for};
use crate::{cases, ensure, ensure_eq};

cases![
    mutants_of_this_program_never_hang,
    execve_again_and_again_keeps_memory,
];

/// This program with some bytes of its headers changed, executed: an errno, or the death of the mutant.
fn mutants_of_this_program_never_hang() -> Outcome {
    const MUTANTS: u32 = 120;
    const HEADERS: usize = 64 + 8 * 56;
    let original = fs::read(&program())?;
    ensure!(original.len() > HEADERS);
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    let mut file = fs::File::create(b"mutant", 0o755)?;
    file.write_all(&original)?;
    drop(file);
    for _ in 0..MUTANTS {
        let mut headers = original[..HEADERS].to_vec();
        for _ in 0..=random(6) {
            let odd = [0, 1, 7, 0x7f, 0x80, 0xff, random(256) as u8];
            headers[4 + random(HEADERS - 4)] = odd[random(odd.len())];
        }
        execute_mutant(&headers)?;
    }
    fs::remove_file(b"mutant")?;
    Ok(())
}

fn execute_mutant(headers: &[u8]) -> Outcome {
    fs::File::open_with(b"mutant", OpenFlags::WRONLY, 0)?.write_all(headers)?;
    let pid = spawn(|| {
        let words = [b"mutant".as_slice(), b"--helper", b"nothing"].map(Vec::from);
        process::execute(b"./mutant", &words, &[]);
        126
    })?;
    for _ in 0..1000 {
        if process::wait(pid, process::WaitFlags::NOHANG)?.is_some() {
            return Ok(());
        }
        rt::time::sleep_ms(1);
    }
    // It may loop in user mode; it must be killable.
    process::kill(pid, SIGKILL)?;
    wait_for(pid)?;
    Ok(())
}

fn execute_again(times: u32) -> Outcome {
    let path = program();
    for _ in 0..times {
        let status = in_child(|| {
            let words = [b"program".as_slice(), b"--helper", b"nothing"].map(Vec::from);
            process::execute(&path, &words, &[]).code()
        })?;
        ensure_eq!(ended(status), 0);
    }
    Ok(())
}

fn execve_again_and_again_keeps_memory() -> Outcome {
    again_and_again(|| execute_again(WARM_UP))
}

/// Cycles after which the kernel's tables and caches have their size.
const WARM_UP: u32 = 1000;

/// Returns how many KiB of memory are gone after as many cycles of fork, execve and wait.
fn cycles(times: u32, warm_up: u32) -> Result<i64, Failure> {
    let is_levitate = is_levitate()?;
    // The look itself takes memory the first time.
    settled_memory_kib(is_levitate)?;
    let mut free = [0; 2];
    for (free, times) in free.iter_mut().zip([warm_up, times]) {
        execute_again(times)?;
        *free = settled_memory_kib(is_levitate)?;
    }
    Ok(free[0] - free[1])
}

/// `conformance --helper cycles TIMES`: prints how much memory that many of fork, execve and wait have cost.
pub(super) fn run_cycles(times: &[u8]) -> i32 {
    let times = core::str::from_utf8(times)
        .ok()
        .and_then(|text| text.parse().ok());
    match cycles(times.unwrap_or(10_000), WARM_UP) {
        Ok(kept) => {
            rt::println!("{kept} KiB are gone");
            i32::from(kept != 0)
        }
        Err(Failure::Wrong(why)) => {
            rt::println!("not ok: {why}");
            1
        }
        Err(Failure::Skip(_)) => 1,
    }
}
