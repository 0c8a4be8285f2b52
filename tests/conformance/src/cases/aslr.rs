//! Address space layout randomization: addresses differ from one execve to the next, unless told otherwise.

use alloc::vec::Vec;

use los_abi::auxv::{AT_BASE, AT_ENTRY, AT_RANDOM, AT_SYSINFO_EHDR};
use los_abi::syscall::Sysno;
use rt::{fs, io, process};

use super::vdso::auxiliary;
use crate::cases::{ended, program};
use crate::elf::Elf;
use crate::harness::{Failure, Outcome, in_child_with_output};
use crate::raw::{addr, call, peek};
use crate::{cases, ensure, ensure_eq};

cases![
    places_differ,
    places_stay_without_randomization,
    random_bytes_always_differ,
    a_child_keeps_its_places,
];

/// What a program finds: stack, mappings, break area, vDSO, its own entry, the interpreter, AT_RANDOM.
type Places = [u64; 7];
const NAMES: [&str; 6] = ["stack", "mmap", "brk", "vdso", "program", "interpreter"];
const WORDS: usize = 7;
const ADDR_NO_RANDOMIZE: u64 = 0x4_0000;

/// Writes the places of this program to standard output.
pub(crate) fn helper() -> i32 {
    let found = places().unwrap_or_default();
    let bytes: Vec<u8> = found.into_iter().flat_map(u64::to_le_bytes).collect();
    i32::from(io::write_all(1, &bytes).is_err())
}

fn places() -> Result<Places, Failure> {
    let here = 0_u8;
    let value = |key| Ok::<u64, Failure>(auxiliary(key)?.unwrap_or_default());
    let random = value(AT_RANDOM)?;
    Ok([
        addr(&here),
        call(Sysno::mmap, &[0, 4096, 3, 0x22, u64::MAX, 0])?,
        call(Sysno::brk, &[0])?,
        value(AT_SYSINFO_EHDR)?,
        value(AT_ENTRY)?,
        value(AT_BASE)?,
        peek(random),
    ])
}

/// Executes a movable program whose interpreter is this one, and returns what it finds.
fn execute(personality: u64) -> Result<Places, Failure> {
    let mut interpreter = program();
    interpreter.push(0);
    Elf::movable(0).with_interpreter(&interpreter).write(b"movable")?;
    let (output, status) = in_child_with_output(|writer| {
        let _ = process::duplicate_to(writer.descriptor(), 1);
        let _ = call(Sysno::personality, &[personality]);
        let words = [&b"movable"[..], b"--helper", b"places"].map(<[u8]>::to_vec);
        process::execute(b"./movable", &words, &[]);
        126
    })?;
    ensure_eq!(ended(status), 0);
    ensure_eq!(output.len(), 8 * WORDS);
    let mut found = [0; WORDS];
    for (word, bytes) in found.iter_mut().zip(output.as_chunks().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    Ok(found)
}

fn places_differ() -> Outcome {
    let setting = fs::read(b"/proc/sys/kernel/randomize_va_space")?;
    if setting != b"2\n" {
        return Err(Failure::Skip("randomization is not switched on"));
    }
    let mut runs = Vec::new();
    for _ in 0..4 {
        runs.push(execute(0)?);
    }
    for (index, name) in NAMES.iter().enumerate() {
        let first = runs[0][index];
        // The interpreter is linked to its place, and has no bias.
        let may_stay = *name == "interpreter" || (*name == "vdso" && first == 0);
        let stays = runs.iter().all(|run| run[index] == first);
        ensure!(may_stay || !stays, "{name} is always at {first:#x}");
    }
    // The program's place is a page, and the stack pointer is not always at the same place in its page.
    ensure!(runs.iter().all(|run| run[4] % 4096 == 0));
    ensure!(runs.iter().any(|run| run[0] % 4096 != runs[0][0] % 4096));
    Ok(())
}

fn places_stay_without_randomization() -> Outcome {
    let first = execute(ADDR_NO_RANDOMIZE)?;
    for _ in 0..3 {
        let next = execute(ADDR_NO_RANDOMIZE)?;
        for (index, name) in NAMES.iter().enumerate() {
            ensure!(
                next[index] == first[index],
                "{name} moved from {:#x} to {:#x}",
                first[index],
                next[index]
            );
        }
    }
    Ok(())
}

fn random_bytes_always_differ() -> Outcome {
    let (one, other) = (execute(ADDR_NO_RANDOMIZE)?, execute(ADDR_NO_RANDOMIZE)?);
    ensure!(one[6] != other[6], "AT_RANDOM is {:#x} again", one[6]);
    Ok(())
}

fn a_child_keeps_its_places() -> Outcome {
    let mine = call(Sysno::brk, &[0])?;
    let status = crate::harness::in_child(|| i32::from(call(Sysno::brk, &[0]) != Ok(mine)))?;
    ensure_eq!(ended(status), 0);
    Ok(())
}
