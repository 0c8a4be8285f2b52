//! Sweeps: a call with every combination of a few values for each argument, right and wrong ones, compared
//! with what Linux answered. They hold the order of checks, since of two errors only the first shows.
//!
//! A [`Sweep`] is a list of dimensions and a function that makes the call from one value of each. Its text has a
//! line for each set of combinations with one answer; `expected/SUBJECT.txt` has what Linux 6.12 and 6.18 say,
//! printed there by `conformance --helper sweep SUBJECT`.

mod credentials;
mod futex;
mod memory;
mod processes;
mod render;
mod schedule;
mod signals;
mod time;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use los_abi::errno::Errno;
use los_abi::syscall::Sysno;
use rt::process::{self, Fork, WaitFlags, WaitStatus};

use crate::harness::{Failure, Outcome};
use crate::raw::{call, peek, poke};
use crate::thread::shared_pages;
use crate::{cases, ensure};

cases![
    signals,
    times,
    processes,
    credentials,
    schedules,
    futexes,
    mappings
];

/// The values of one argument, or of whatever else an answer depends on, with their names.
type Dimension = &'static [(&'static str, i64)];

/// A call with every combination of some values.
struct Sweep {
    name: &'static str,
    dimensions: &'static [Dimension],
    effect: Effect,
    /// Makes the call with one value of each dimension.
    run: fn(&[i64]) -> Result<u64, Errno>,
}

/// Whether a call that succeeds changes the answers to others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// It does not: one process can make all of them.
    None,
    /// It may: each needs a process of its own.
    Lasting,
}

/// Makes a [`Dimension`] of expressions that are their own names.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$((stringify!($value), $value)),*] };
}
/// Makes a [`Sweep`] of a call whose arguments are the dimensions, with an [`Effect`].
macro_rules! plain {
    ($effect:ident $call:ident: $($dimension:expr),* $(,)?) => {
        $crate::cases::sweep::Sweep {
            name: stringify!($call),
            effect: $crate::cases::sweep::Effect::$effect,
            dimensions: &[$($dimension),*],
            run: |values| $crate::cases::sweep::make(los_abi::syscall::Sysno::$call, values),
        }
    };
}
use {plain, values};

/// Memory at fixed addresses, so that values can name it: each a page.
const SCRATCH: i64 = 0x10_0000_0000;
/// Zeros that can be written.
const ZERO: i64 = SCRATCH;
/// More of the same, for answers.
const OUT: i64 = SCRATCH + 0x1000;
/// Zeros that cannot be written.
const RO: i64 = SCRATCH + 0x2000;
/// No memory.
const BAD: i64 = SCRATCH + 0x3000;
/// No address at all.
const NULL: i64 = 0;

/// A process that does not exist.
const NOBODY: i64 = 0x3fff_ffff;
/// The number of the caller, wherever [`number`] looks.
const SELF: i64 = 0x5e1f;
/// That of its parent.
const PARENT: i64 = 0xa0e1;

/// Returns the number that a value stands for.
fn number(value: i64) -> u64 {
    match value {
        SELF => process::id().cast_unsigned().into(),
        PARENT => call(Sysno::getppid, &[]).unwrap_or(0),
        _ => value.cast_unsigned(),
    }
}

fn make(sysno: Sysno, values: &[i64]) -> Result<u64, Errno> {
    let arguments: Vec<u64> = values.iter().map(|&value| number(value)).collect();
    call(sysno, &arguments)
}

fn signals() -> Outcome {
    compare(signals::SWEEPS, include_str!("expected/signals.txt"))
}

fn times() -> Outcome {
    compare(time::SWEEPS, include_str!("expected/time.txt"))
}

fn processes() -> Outcome {
    compare(processes::SWEEPS, include_str!("expected/processes.txt"))
}

fn credentials() -> Outcome {
    compare(credentials::SWEEPS, include_str!("expected/credentials.txt"))
}

fn schedules() -> Outcome {
    compare(schedule::SWEEPS, include_str!("expected/schedule.txt"))
}

fn futexes() -> Outcome {
    compare(futex::SWEEPS, include_str!("expected/futex.txt"))
}

fn mappings() -> Outcome {
    compare(memory::SWEEPS, include_str!("expected/memory.txt"))
}

/// Prints the text of a subject.
pub(super) fn helper(subject: &[u8]) -> i32 {
    let sweeps = match subject {
        b"signals" => signals::SWEEPS,
        b"time" => time::SWEEPS,
        b"processes" => processes::SWEEPS,
        b"credentials" => credentials::SWEEPS,
        b"schedule" => schedule::SWEEPS,
        b"futex" => futex::SWEEPS,
        b"memory" => memory::SWEEPS,
        _ => return 2,
    };
    // As a case has it.
    let _leads = process::set_group(0, 0);
    match text(sweeps) {
        Ok(lines) => {
            lines.iter().for_each(|line| rt::println!("{line}"));
            0
        }
        Err(_) => 1,
    }
}

/// Most of the lines that a failure shows.
const SHOWN: usize = 12;

fn compare(sweeps: &[Sweep], expected: &str) -> Outcome {
    let found = text(sweeps)?;
    let expected: Vec<&str> = expected.lines().collect();
    let missing = expected.iter().filter(|line| !found.iter().any(|it| it == *line));
    let surplus = found.iter().filter(|line| !expected.contains(&line.as_str()));
    let wrong: Vec<String> = missing
        .map(|line| format!("\n  wanted {line}"))
        .chain(surplus.map(|line| format!("\n  got    {line}")))
        .collect();
    let shown = wrong.len().min(SHOWN);
    ensure!(
        wrong.is_empty(),
        "{} lines{}",
        wrong.len(),
        wrong[..shown].concat()
    );
    Ok(())
}

/// Runs sweeps and tells the answers.
fn text(sweeps: &[Sweep]) -> Result<Vec<String>, Failure> {
    prepare_memory()?;
    let place = shared_pages(ANSWERS_BYTES)?;
    let mut lines = Vec::new();
    for sweep in sweeps {
        let answers = answers(sweep, place)?;
        let rendered = render::lines(sweep.dimensions, &answers);
        lines.extend(rendered.iter().map(|line| format!("{}({line}", sweep.name)));
    }
    Ok(lines)
}

/// Returns the answers to all combinations of a sweep.
fn answers(sweep: &Sweep, place: u64) -> Result<Vec<String>, Failure> {
    let count = sweep.dimensions.iter().map(|values| values.len()).product();
    let step = match sweep.effect {
        Effect::None => count,
        Effect::Lasting => 1,
    };
    let mut answers = Vec::with_capacity(count);
    while answers.len() < count {
        let start = answers.len();
        let status = run(sweep, start..start + step, place)?;
        for index in 0..step {
            let answer = peek::<i64>(place + 8 * index as u64);
            answers.push(match answer {
                NO_ANSWER => format!("{status:?}"),
                0 => "0".into(),
                1.. => "ok".into(),
                negative => name_of(negative),
            });
        }
    }
    Ok(answers)
}

/// Returns the values of the combination with this number; the last dimension changes fastest.
fn combination(dimensions: &[Dimension], index: usize) -> Vec<i64> {
    let mut rest = index;
    let mut values: Vec<i64> = dimensions
        .iter()
        .rev()
        .map(|dimension| {
            let (_, value) = dimension[rest % dimension.len()];
            rest /= dimension.len();
            value
        })
        .collect();
    values.reverse();
    values
}

fn prepare_memory() -> Result<(), Errno> {
    const FIXED_PRIVATE_ANONYMOUS: u64 = 0x32;
    let address = SCRATCH.cast_unsigned();
    call(
        Sysno::mmap,
        &[address, 0x3000, 3, FIXED_PRIVATE_ANONYMOUS, u64::MAX, 0],
    )?;
    call(Sysno::mprotect, &[RO.cast_unsigned(), 0x1000, 1])?;
    Ok(())
}

/// Says in the shared page that nothing has been answered: no call returns this.
const NO_ANSWER: i64 = i64::MAX;

/// Most bytes of answers to one sweep.
const ANSWERS_BYTES: u64 = 0x1_0000;

/// Makes some of the calls in a process of its own, which ends afterwards as it tells.
fn run(sweep: &Sweep, range: Range<usize>, place: u64) -> Result<WaitStatus, Failure> {
    for index in 0..range.len() {
        poke(place + 8 * index as u64, NO_ANSWER);
    }
    match process::fork()? {
        Fork::Child => {
            for (at, index) in range.enumerate() {
                let answer = match (sweep.run)(&combination(sweep.dimensions, index)) {
                    Ok(value) => value.cast_signed(),
                    Err(errno) => errno.to_register().cast_signed(),
                };
                poke(place + 8 * at as u64, answer);
            }
            process::exit_now(0)
        }
        Fork::Parent(pid) => {
            let (_, status) = process::wait(pid, WaitFlags::empty())?.ok_or(Errno::ECHILD)?;
            Ok(status)
        }
    }
}

fn name_of(negative: i64) -> String {
    let errno = Errno::check_register(negative.cast_unsigned());
    errno.map_or_else(|errno| errno.name().into(), |value| format!("{value}"))
}
