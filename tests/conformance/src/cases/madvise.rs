//! madvise: every advice with an effect, and what it refuses.

use los_abi::errno::Errno;
use los_abi::signal::SIGSEGV;
use los_abi::syscall::Sysno;

use crate::cases::memory::{ANONYMOUS, FIXED, NO_FD, PAGE, PRIVATE, READ, SHARED, WRITE, file_of, map};
use crate::cases::{dies_of, ended};
use crate::harness::{Outcome, in_child};
use crate::raw::{call, peek, poke};
use crate::{cases, ensure_eq};

cases![
    free_is_for_private_memory,
    dontneed_keeps_the_file,
    dontfork_and_dofork,
    wipeonfork_and_keeponfork,
    populate_fills,
    populate_checks,
    remove_makes_a_hole,
    remove_checks,
    harmless_advice,
    holes_are_enomem,
];

const WILLNEED: u64 = 3;
const DONTNEED: u64 = 4;
const FREE: u64 = 8;
const REMOVE: u64 = 9;
const DONTFORK: u64 = 10;
const DOFORK: u64 = 11;
const WIPEONFORK: u64 = 18;
const KEEPONFORK: u64 = 19;
const POPULATE_READ: u64 = 22;
const POPULATE_WRITE: u64 = 23;

fn advise(at: u64, length: u64, advice: u64) -> Result<u64, Errno> {
    call(Sysno::madvise, &[at, length, advice])
}

fn shared(length: u64) -> Result<u64, Errno> {
    call(
        Sysno::mmap,
        &[0, length, READ | WRITE, SHARED | ANONYMOUS, NO_FD, 0],
    )
}

fn free_is_for_private_memory() -> Outcome {
    let at = map(2 * PAGE, READ | WRITE)?;
    poke(at, 1_u64);
    advise(at, 2 * PAGE, FREE)?;
    // The page may be gone or not; a store keeps it.
    poke(at, 2_u64);
    ensure_eq!(peek::<u64>(at), 2);
    ensure_eq!(advise(shared(PAGE)?, PAGE, FREE).err(), Some(Errno::EINVAL));
    Ok(())
}

fn dontneed_keeps_the_file() -> Outcome {
    let file = file_of(&[7; 100])?;
    let fd = file.descriptor() as u64;
    let private = call(Sysno::mmap, &[0, PAGE, READ | WRITE, PRIVATE, fd, 0])?;
    poke(private, 1_u8);
    advise(private, PAGE, DONTNEED)?;
    ensure_eq!(peek::<u8>(private), 7);
    let memory = shared(PAGE)?;
    poke(memory, 5_u64);
    advise(memory, PAGE, DONTNEED)?;
    ensure_eq!(peek::<u64>(memory), 5);
    Ok(())
}

fn dontfork_and_dofork() -> Outcome {
    let at = map(3 * PAGE, READ | WRITE)?;
    poke(at, 1_u64);
    poke(at + 2 * PAGE, 3_u64);
    advise(at + PAGE, PAGE, DONTFORK)?;
    dies_of(SIGSEGV, || {
        peek::<u64>(at + PAGE);
    })?;
    let sum = || (peek::<u64>(at) + peek::<u64>(at + 2 * PAGE)) as i32;
    ensure_eq!(ended(in_child(sum)?), 4);
    advise(at, 3 * PAGE, DOFORK)?;
    ensure_eq!(ended(in_child(|| peek::<u64>(at + PAGE) as i32)?), 0);
    Ok(())
}

fn wipeonfork_and_keeponfork() -> Outcome {
    let at = map(2 * PAGE, READ | WRITE)?;
    poke(at, 1_u64);
    poke(at + PAGE, 2_u64);
    advise(at, PAGE, WIPEONFORK)?;
    let both = || (peek::<u64>(at) * 10 + peek::<u64>(at + PAGE)) as i32;
    ensure_eq!(ended(in_child(both)?), 2);
    // A grandchild's is wiped as well.
    let grandchild = || {
        poke(at, 9_u64);
        in_child(both).map_or(100, ended)
    };
    ensure_eq!(ended(in_child(grandchild)?), 2);
    advise(at, PAGE, KEEPONFORK)?;
    ensure_eq!(ended(in_child(both)?), 12);
    ensure_eq!(advise(shared(PAGE)?, PAGE, WIPEONFORK).err(), Some(Errno::EINVAL));
    Ok(())
}

fn resident(at: u64) -> Result<u8, Errno> {
    let mut byte = 0_u8;
    call(
        Sysno::mincore,
        &[at, PAGE, core::ptr::from_mut(&mut byte).addr() as u64],
    )?;
    Ok(byte & 1)
}

fn populate_fills() -> Outcome {
    let at = map(2 * PAGE, READ | WRITE)?;
    ensure_eq!(resident(at + PAGE)?, 0);
    advise(at, 2 * PAGE, POPULATE_WRITE)?;
    ensure_eq!(resident(at + PAGE)?, 1);
    let read = map(2 * PAGE, READ)?;
    advise(read, 2 * PAGE, POPULATE_READ)?;
    ensure_eq!(resident(read)?, 1);
    const POPULATE: u64 = 0x8000;
    let mapped = call(
        Sysno::mmap,
        &[0, PAGE, READ | WRITE, PRIVATE | ANONYMOUS | POPULATE, NO_FD, 0],
    )?;
    ensure_eq!(resident(mapped)?, 1);
    // Below what is alike they are one mapping, of which only the new part is filled.
    let room = map(5 * PAGE, 0)?;
    let fill = |at: u64, flags: u64| {
        let flags = flags | PRIVATE | ANONYMOUS | FIXED;
        call(Sysno::mmap, &[at, 2 * PAGE, READ | WRITE, flags, NO_FD, 0])
    };
    fill(room + 3 * PAGE, 0)?;
    fill(room + PAGE, POPULATE)?;
    ensure_eq!(resident(room + 2 * PAGE)?, 1);
    ensure_eq!(resident(room + 3 * PAGE)?, 0);
    Ok(())
}

fn populate_checks() -> Outcome {
    let at = map(3 * PAGE, READ)?;
    call(Sysno::munmap, &[at + 2 * PAGE, PAGE])?;
    ensure_eq!(advise(at, PAGE, POPULATE_WRITE).err(), Some(Errno::EINVAL));
    ensure_eq!(advise(at, 3 * PAGE, POPULATE_READ).err(), Some(Errno::ENOMEM));
    ensure_eq!(
        advise(map(PAGE, 0)?, PAGE, POPULATE_READ).err(),
        Some(Errno::EINVAL)
    );
    let file = file_of(&[1; 100])?;
    let mapped = call(
        Sysno::mmap,
        &[0, 2 * PAGE, READ, SHARED, file.descriptor() as u64, 0],
    )?;
    ensure_eq!(advise(mapped, 2 * PAGE, POPULATE_READ).err(), Some(Errno::EFAULT));
    Ok(())
}

fn remove_makes_a_hole() -> Outcome {
    let at = shared(3 * PAGE)?;
    (0..3).for_each(|page| poke(at + page * PAGE, page + 1));
    let second = call(Sysno::mremap, &[at, 0, 3 * PAGE, 1, 0])?;
    ensure_eq!(peek::<u64>(second + PAGE), 2);
    advise(at + PAGE, PAGE, REMOVE)?;
    for base in [at, second] {
        let words = (0..3).map(|page| peek::<u64>(base + page * PAGE));
        ensure_eq!(words.fold(0, |sum, word| sum * 10 + word), 103);
    }
    poke(at + PAGE, 7_u64);
    ensure_eq!(peek::<u64>(second + PAGE), 7);
    Ok(())
}

fn remove_checks() -> Outcome {
    let private = map(PAGE, READ | WRITE)?;
    ensure_eq!(advise(private, PAGE, REMOVE).err(), Some(Errno::EINVAL));
    let file = file_of(&[1; 100])?;
    let fd = file.descriptor() as u64;
    let copy = call(Sysno::mmap, &[0, PAGE, READ | WRITE, PRIVATE, fd, 0])?;
    ensure_eq!(advise(copy, PAGE, REMOVE).err(), Some(Errno::EACCES));
    // What counts is what mprotect may give.
    let file = rt::fs::File::open(b"mapped")?;
    let fd = file.descriptor() as u64;
    let reader = call(Sysno::mmap, &[0, PAGE, READ, SHARED, fd, 0])?;
    ensure_eq!(advise(reader, PAGE, REMOVE).err(), Some(Errno::EACCES));
    let locked = shared(PAGE)?;
    call(Sysno::mlock, &[locked, PAGE])?;
    ensure_eq!(advise(locked, PAGE, REMOVE).err(), Some(Errno::EINVAL));
    Ok(())
}

fn harmless_advice() -> Outcome {
    let at = map(2 * PAGE, READ | WRITE)?;
    poke(at, 5_u64);
    // NORMAL, RANDOM, SEQUENTIAL, WILLNEED, DONTDUMP, DODUMP, COLD.
    for advice in [0, 1, 2, WILLNEED, 16, 17, 20] {
        advise(at, 2 * PAGE, advice)?;
    }
    ensure_eq!(peek::<u64>(at), 5);
    Ok(())
}

fn holes_are_enomem() -> Outcome {
    let at = map(3 * PAGE, READ | WRITE)?;
    call(Sysno::munmap, &[at + PAGE, PAGE])?;
    poke(at + 2 * PAGE, 1_u64);
    // What lies behind the hole is done all the same.
    ensure_eq!(advise(at, 3 * PAGE, DONTNEED).err(), Some(Errno::ENOMEM));
    ensure_eq!(peek::<u64>(at + 2 * PAGE), 0);
    ensure_eq!(advise(at + PAGE, PAGE, DONTNEED).err(), Some(Errno::ENOMEM));
    ensure_eq!(advise(at, 0, DONTNEED)?, 0);
    ensure_eq!(advise(at, u64::MAX, DONTNEED).err(), Some(Errno::EINVAL));
    Ok(())
}
