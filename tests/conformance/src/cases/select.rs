//! Sets of descriptors of any size: pselect6(2).

use los_abi::errno::Errno;
use los_abi::fs::F_DUPFD;
use los_abi::syscall::Sysno;
use rt::{fs, io, process};

use crate::harness::Outcome;
use crate::raw::{addr, addr_mut, call};
use crate::{cases, ensure, ensure_eq};

cases![
    descriptors_beyond_fd_setsize_are_asked,
    the_table_bounds_the_count,
    no_sets_are_as_large_as_wanted,
];

const RLIMIT_NOFILE: u64 = 7;
/// Words of the sets here: 4096 descriptors.
const WORDS: usize = 64;
const COUNT: u64 = 64 * WORDS as u64;

type Set = [u64; WORDS];

fn set_of(descriptors: &[u64]) -> Set {
    let mut set = [0; WORDS];
    for fd in descriptors {
        set[*fd as usize / 64] |= 1 << (fd % 64);
    }
    set
}

/// Asks without waiting.
fn select(count: u64, read: &mut Set, write: &mut Set) -> Result<u64, Errno> {
    let no_time = [0_u64; 2];
    call(
        Sysno::pselect6,
        &[count, addr_mut(read), addr_mut(write), 0, addr(&no_time), 0],
    )
}

fn allow_descriptors() -> Result<(), Errno> {
    let limits = [COUNT, COUNT];
    call(Sysno::prlimit64, &[0, RLIMIT_NOFILE, addr(&limits), 0]).map(drop)
}

fn duplicate(fd: i32, least: u64) -> Result<u64, Errno> {
    call(Sysno::fcntl, &[fd as u64, F_DUPFD.into(), least])
}

fn descriptors_beyond_fd_setsize_are_asked() -> Outcome {
    allow_descriptors()?;
    let (reader, writer) = process::pipe()?;
    let readers = [1024, 2111].map(|least| duplicate(reader.descriptor(), least));
    let readers = [readers[0]?, readers[1]?];
    let last = duplicate(writer.descriptor(), COUNT - 1)?;
    let mut read = set_of(&[readers[0], readers[1], last]);
    let mut write = set_of(&[readers[0], last]);
    // A pipe's writer is never ready for reading, nor its reader for writing.
    ensure_eq!(select(COUNT, &mut read, &mut write)?, 1);
    ensure_eq!((read, write), (set_of(&[]), set_of(&[last])));
    io::write(writer.descriptor(), b"x")?;
    read = set_of(&readers);
    write = set_of(&[]);
    ensure_eq!(select(COUNT, &mut read, &mut write)?, 2);
    ensure_eq!(read, set_of(&readers));
    // What is behind the count stays as it is.
    read = set_of(&readers);
    write = set_of(&[last]);
    ensure_eq!(select(1025, &mut read, &mut write)?, 1);
    ensure_eq!((read, write), (set_of(&readers), set_of(&[last])));
    let closed = readers[1] + 1;
    let mut read = set_of(&[closed]);
    ensure_eq!(
        select(COUNT, &mut read, &mut set_of(&[])).err(),
        Some(Errno::EBADF)
    );
    Ok(())
}

/// Returns how many places the table of files has.
fn table_size() -> Result<u64, Errno> {
    let status = fs::read(b"/proc/self/status")?;
    let lines = core::str::from_utf8(&status).map_err(|_| Errno::EINVAL)?;
    let size = lines.lines().find_map(|line| line.strip_prefix("FDSize:"));
    let size = size.and_then(|size| size.trim().parse().ok());
    size.ok_or(Errno::EINVAL)
}

/// What stands in a set behind the table's end is not even looked at; before it a number must be open.
fn the_table_bounds_the_count() -> Outcome {
    allow_descriptors()?;
    let (reader, writer) = process::pipe()?;
    let [reader, writer] = [reader.descriptor(), writer.descriptor()].map(|fd| fd as u64);
    let first_size = table_size()?;
    ensure!(
        first_size.is_power_of_two() && first_size < COUNT / 2,
        "{first_size}"
    );
    duplicate(reader as i32, first_size)?;
    let size = table_size()?;
    ensure_eq!(size, 2 * first_size);
    let mut behind = set_of(&[writer, size, COUNT - 1]);
    ensure_eq!(select(COUNT, &mut set_of(&[reader, size]), &mut behind), Ok(1));
    ensure_eq!(behind, set_of(&[writer, size, COUNT - 1]));
    for closed in [first_size + 1, size - 1] {
        let refused = select(COUNT, &mut set_of(&[closed]), &mut set_of(&[]));
        ensure_eq!((closed, refused), (closed, Err(Errno::EBADF)));
    }
    Ok(())
}

fn no_sets_are_as_large_as_wanted() -> Outcome {
    let no_time = [0_u64; 2];
    let ask = |count: i32| call(Sysno::pselect6, &[count as u64, 0, 0, 0, addr(&no_time), 0]);
    for count in [0, 1, 1025, i32::MAX] {
        ensure_eq!((count, ask(count)), (count, Ok(0)));
    }
    ensure_eq!(ask(-1).err(), Some(Errno::EINVAL));
    Ok(())
}
