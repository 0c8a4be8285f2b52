//! mremap: growing, moving, duplicating, and what it refuses.

use los_abi::errno::Errno;
use los_abi::signal::{SIGBUS, SIGSEGV};
use los_abi::syscall::Sysno;

use crate::cases::memory::{ANONYMOUS, NO_FD, PAGE, READ, SHARED, WRITE, file_of, map};
use crate::cases::{dies_of, ended};
use crate::harness::{Outcome, in_child};
use crate::raw::{call, peek, poke};
use crate::{cases, ensure, ensure_eq};

cases![
    shrinks_in_place,
    grows_in_place,
    grows_elsewhere,
    may_not_move,
    fixed_replaces_what_is_there,
    a_part_moves_alone,
    shared_memory_is_duplicated,
    shared_memory_does_not_grow,
    dontunmap_leaves_an_empty_range,
    file_offsets_move_along,
    argument_checks,
    range_checks,
    children_get_what_moved,
];

const MAYMOVE: u64 = 1;
const REMAP_FIXED: u64 = 2;
const DONTUNMAP: u64 = 4;

fn remap(address: u64, old: u64, new: u64, flags: u64, to: u64) -> Result<u64, Errno> {
    call(Sysno::mremap, &[address, old, new, flags, to])
}

/// Maps pages that hold their number from 1 on.
fn numbered(pages: u64) -> Result<u64, Errno> {
    let at = map(pages * PAGE, READ | WRITE)?;
    (0..pages).for_each(|page| poke(at + page * PAGE, page + 1));
    Ok(at)
}

fn numbers(at: u64, pages: u64) -> u64 {
    (0..pages).fold(0, |sum, page| sum * 10 + peek::<u64>(at + page * PAGE))
}

fn is_mapped(at: u64) -> bool {
    let mut byte = 0_u8;
    call(
        Sysno::mincore,
        &[at, PAGE, core::ptr::from_mut(&mut byte).addr() as u64],
    )
    .is_ok()
}

fn shrinks_in_place() -> Outcome {
    let at = numbered(4)?;
    ensure_eq!(remap(at, 4 * PAGE, 2 * PAGE, 0, 0)?, at);
    ensure_eq!(numbers(at, 2), 12);
    ensure!(!is_mapped(at + 2 * PAGE));
    ensure_eq!(remap(at, 2 * PAGE, 2 * PAGE, 0, 0)?, at);
    // A length within a page is a whole page.
    ensure_eq!(remap(at, 2 * PAGE, 1, 0, 0)?, at);
    ensure!(!is_mapped(at + PAGE));
    Ok(())
}

fn grows_in_place() -> Outcome {
    let at = numbered(8)?;
    call(Sysno::munmap, &[at + 2 * PAGE, 6 * PAGE])?;
    ensure_eq!(remap(at, 2 * PAGE, 5 * PAGE, 0, 0)?, at);
    ensure_eq!(numbers(at, 5), 12_000);
    poke(at + 4 * PAGE, 5_u64);
    ensure!(!is_mapped(at + 5 * PAGE));
    Ok(())
}

fn grows_elsewhere() -> Outcome {
    let at = numbered(4)?;
    let new = remap(at, 2 * PAGE, 6 * PAGE, MAYMOVE, 0)?;
    ensure!(new != at);
    ensure_eq!(numbers(new, 6), 120_000);
    ensure!(!is_mapped(at) && !is_mapped(at + PAGE));
    ensure_eq!(numbers(at + 2 * PAGE, 2), 34);
    Ok(())
}

fn may_not_move() -> Outcome {
    let at = numbered(3)?;
    ensure_eq!(remap(at, 2 * PAGE, 4 * PAGE, 0, 0).err(), Some(Errno::ENOMEM));
    ensure_eq!(numbers(at, 3), 123);
    ensure_eq!(
        remap(at, 3 * PAGE, 1 << 46, MAYMOVE, 0).err(),
        Some(Errno::ENOMEM)
    );
    ensure_eq!(numbers(at, 3), 123);
    Ok(())
}

fn fixed_replaces_what_is_there() -> Outcome {
    let (at, target) = (numbered(2)?, numbered(5)?);
    let new = remap(at, 2 * PAGE, 3 * PAGE, MAYMOVE | REMAP_FIXED, target + PAGE)?;
    ensure_eq!(new, target + PAGE);
    ensure_eq!(numbers(target, 5), 11_205);
    ensure!(!is_mapped(at));
    let at = numbered(3)?;
    ensure_eq!(remap(at, 3 * PAGE, PAGE, MAYMOVE | REMAP_FIXED, target)?, target);
    ensure_eq!(numbers(target, 5), 11_205);
    ensure!(!is_mapped(at) && !is_mapped(at + 2 * PAGE));
    Ok(())
}

fn a_part_moves_alone() -> Outcome {
    let at = numbered(5)?;
    let target = map(2 * PAGE, READ)?;
    remap(at + PAGE, 2 * PAGE, 2 * PAGE, MAYMOVE | REMAP_FIXED, target)?;
    ensure_eq!(numbers(target, 2), 23);
    ensure_eq!(
        (
            peek::<u64>(at),
            is_mapped(at + PAGE),
            is_mapped(at + 2 * PAGE),
            numbers(at + 3 * PAGE, 2)
        ),
        (1, false, false, 45)
    );
    // The right to write has moved along.
    poke(target, 9_u64);
    Ok(())
}

fn shared_memory_is_duplicated() -> Outcome {
    let at = call(
        Sysno::mmap,
        &[0, 2 * PAGE, READ | WRITE, SHARED | ANONYMOUS, NO_FD, 0],
    )?;
    poke(at, 7_u64);
    let second = remap(at, 0, 2 * PAGE, MAYMOVE, 0)?;
    ensure!(second != at);
    ensure_eq!(peek::<u64>(second), 7);
    poke(second + PAGE, 8_u64);
    ensure_eq!(peek::<u64>(at + PAGE), 8);
    let private = map(PAGE, READ)?;
    ensure_eq!(remap(private, 0, PAGE, MAYMOVE, 0).err(), Some(Errno::EINVAL));
    Ok(())
}

fn shared_memory_does_not_grow() -> Outcome {
    let at = call(
        Sysno::mmap,
        &[0, PAGE, READ | WRITE, SHARED | ANONYMOUS, NO_FD, 0],
    )?;
    poke(at, 1_u64);
    let new = remap(at, PAGE, 2 * PAGE, MAYMOVE, 0)?;
    ensure_eq!(peek::<u64>(new), 1);
    // The mapping is larger than its object now.
    dies_of(SIGBUS, || {
        peek::<u64>(new + PAGE);
    })
}

fn dontunmap_leaves_an_empty_range() -> Outcome {
    let at = numbered(2)?;
    let new = remap(at, 2 * PAGE, 2 * PAGE, MAYMOVE | DONTUNMAP, 0)?;
    ensure_eq!(numbers(new, 2), 12);
    ensure_eq!(numbers(at, 2), 0);
    poke(at, 5_u64);
    ensure_eq!(numbers(new, 2), 12);
    let target = map(2 * PAGE, READ)?;
    ensure_eq!(
        remap(at, 2 * PAGE, 2 * PAGE, MAYMOVE | DONTUNMAP | REMAP_FIXED, target)?,
        target
    );
    ensure_eq!((numbers(target, 2), numbers(at, 2)), (50, 0));
    Ok(())
}

fn file_offsets_move_along() -> Outcome {
    let mut bytes = [0_u8; 4 * PAGE as usize];
    for (page, chunk) in bytes.chunks_mut(PAGE as usize).enumerate() {
        chunk[0] = page as u8 + 1;
    }
    let file = file_of(&bytes)?;
    let fd = file.descriptor() as u64;
    let at = call(Sysno::mmap, &[0, 2 * PAGE, READ, SHARED, fd, PAGE])?;
    let new = remap(at + PAGE, PAGE, 2 * PAGE, MAYMOVE, 0)?;
    ensure_eq!((peek::<u8>(new), peek::<u8>(new + PAGE)), (3, 4));
    ensure_eq!(peek::<u8>(at), 2);
    let again = remap(new + PAGE, 0, PAGE, MAYMOVE, 0)?;
    ensure_eq!(peek::<u8>(again), 4);
    Ok(())
}

fn argument_checks() -> Outcome {
    let at = numbered(4)?;
    let refused = |address, old, new, flags, to| remap(address, old, new, flags, to).err();
    let invalid = Some(Errno::EINVAL);
    ensure_eq!(refused(at, PAGE, PAGE, 8, 0), invalid);
    ensure_eq!(refused(at, PAGE, PAGE, 1 << 32, 0), invalid);
    ensure_eq!(refused(at + 1, PAGE, PAGE, 0, 0), invalid);
    ensure_eq!(refused(at, PAGE, 0, 0, 0), invalid);
    let to = at + 16 * PAGE;
    ensure_eq!(refused(at, PAGE, PAGE, REMAP_FIXED, to), invalid);
    ensure_eq!(refused(at, PAGE, PAGE, DONTUNMAP, to), invalid);
    ensure_eq!(refused(at, PAGE, 2 * PAGE, MAYMOVE | DONTUNMAP, 0), invalid);
    ensure_eq!(refused(at, PAGE, PAGE, MAYMOVE | REMAP_FIXED, to + 1), invalid);
    ensure_eq!(
        refused(at, PAGE, PAGE, MAYMOVE | REMAP_FIXED, u64::MAX - PAGE + 1),
        invalid
    );
    // The old and the new range overlap.
    ensure_eq!(
        refused(at, 2 * PAGE, 2 * PAGE, MAYMOVE | REMAP_FIXED, at + PAGE),
        invalid
    );
    ensure_eq!(numbers(at, 4), 1234);
    Ok(())
}

fn range_checks() -> Outcome {
    let at = numbered(4)?;
    call(Sysno::munmap, &[at + 2 * PAGE, 2 * PAGE])?;
    let refused = |address, old, new, flags, to| remap(address, old, new, flags, to).err();
    ensure_eq!(refused(at + 2 * PAGE, PAGE, PAGE, 0, 0), Some(Errno::EFAULT));
    // The old range ends behind the mapping.
    ensure_eq!(refused(at, 3 * PAGE, 5 * PAGE, MAYMOVE, 0), Some(Errno::EFAULT));
    ensure_eq!(numbers(at, 2), 12);
    Ok(())
}

fn children_get_what_moved() -> Outcome {
    let (at, target) = (numbered(3)?, map(4 * PAGE, READ)?);
    // Frames that a child shares with its parent move, and stay the child's.
    let status = in_child(|| {
        if remap(at, 3 * PAGE, 4 * PAGE, MAYMOVE | REMAP_FIXED, target).is_err() {
            return 1;
        }
        poke(target, 5_u64);
        i32::from(numbers(target, 4) != 5230) * 2
    })?;
    ensure_eq!(ended(status), 0);
    ensure_eq!(numbers(at, 3), 123);
    remap(at, 2 * PAGE, 2 * PAGE, MAYMOVE | REMAP_FIXED, target)?;
    dies_of(SIGSEGV, || {
        peek::<u64>(at);
    })
}
