//! What /proc tells about memory, and the limits of the break area, the stack and all mappings.

use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::signal::SIGSEGV;
use los_abi::syscall::Sysno;
use rt::fs;

use crate::cases::memory::{ANONYMOUS, FIXED, NO_FD, PAGE, PRIVATE, READ, SHARED, WRITE, file_of, map};
use crate::cases::{dies_of, ended};
use crate::harness::{Outcome, first_wrong, in_child};
use crate::raw::{addr, call, peek, poke};
use crate::{cases, ensure, ensure_eq};

cases![
    neighbours_are_one_line,
    lines_tell_what_is_mapped,
    smaps_tells_what_is_in_memory,
    smaps_names_the_properties,
    statm_counts_pages,
    address_space_limit,
    data_limit,
    break_stops_at_mappings,
    growsdown_mappings_grow,
    protection_of_a_whole_stack,
];

const RLIMIT_DATA: u64 = 2;
const RLIMIT_AS: u64 = 9;
const GROWSDOWN: u64 = 0x100;
const PROT_GROWSDOWN: u64 = 0x0100_0000;

/// Returns the lines of maps that lie in a range.
fn lines(start: u64, end: u64) -> Result<Vec<Vec<u8>>, Errno> {
    let text = fs::read(b"/proc/self/maps")?;
    let within = |line: &&[u8]| {
        let from = hexadecimal(line);
        from >= start && from < end
    };
    Ok(text
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .filter(within)
        .map(<[u8]>::to_vec)
        .collect())
}

fn hexadecimal(text: &[u8]) -> u64 {
    let digits = text.iter().map_while(|&byte| char::from(byte).to_digit(16));
    digits.fold(0, |value, digit| value * 16 + u64::from(digit))
}

fn decimal(text: &[u8]) -> u64 {
    let digits = text.iter().skip_while(|byte| !byte.is_ascii_digit());
    digits
        .map_while(|&byte| char::from(byte).to_digit(10))
        .fold(0, |value, digit| value * 10 + u64::from(digit))
}

/// Returns a field of the mapping that starts at an address, as smaps shows it.
fn field(start: u64, name: &[u8]) -> Result<Vec<u8>, Errno> {
    let text = fs::read(b"/proc/self/smaps")?;
    let mut lines = text.split(|&byte| byte == b'\n');
    lines
        .by_ref()
        .find(|line| hexadecimal(line) == start && line.contains(&b'-'));
    let value = lines.find_map(|line| line.strip_prefix(name));
    value.map(<[u8]>::to_vec).ok_or(Errno::ENOENT)
}

/// Maps pages with room around them, so that no neighbour joins.
fn island(pages: u64) -> Result<u64, Errno> {
    let at = map((pages + 2) * PAGE, 0)? + PAGE;
    call(Sysno::mprotect, &[at, pages * PAGE, READ | WRITE])?;
    Ok(at)
}

fn neighbours_are_one_line() -> Outcome {
    let at = island(4)?;
    let count = || lines(at, at + 4 * PAGE).map(|lines| lines.len());
    (0..4).for_each(|page| poke(at + page * PAGE, 1_u8));
    ensure_eq!(count()?, 1);
    call(Sysno::mprotect, &[at + PAGE, PAGE, READ])?;
    ensure_eq!(count()?, 3);
    call(Sysno::mprotect, &[at + 2 * PAGE, PAGE, READ])?;
    ensure_eq!(count()?, 3);
    call(Sysno::mprotect, &[at + PAGE, 2 * PAGE, READ | WRITE])?;
    ensure_eq!(count()?, 1);
    call(Sysno::munmap, &[at + PAGE, PAGE])?;
    let flags = PRIVATE | ANONYMOUS | FIXED;
    call(Sysno::mmap, &[at + PAGE, PAGE, READ | WRITE, flags, NO_FD, 0])?;
    ensure_eq!(count()?, 1);
    call(Sysno::madvise, &[at + PAGE, PAGE, 10])?;
    ensure_eq!(count()?, 3);
    call(Sysno::madvise, &[at, 4 * PAGE, 11])?;
    ensure_eq!(count()?, 1);
    Ok(())
}

fn lines_tell_what_is_mapped() -> Outcome {
    let file = file_of(&[1; 3 * PAGE as usize])?;
    let at = island(3)?;
    let fd = file.descriptor() as u64;
    call(Sysno::mmap, &[at, PAGE, READ, SHARED | FIXED, fd, 2 * PAGE])?;
    call(
        Sysno::mmap,
        &[at + PAGE, PAGE, READ | WRITE, PRIVATE | FIXED, fd, PAGE],
    )?;
    let found = lines(at, at + 3 * PAGE)?;
    ensure_eq!(found.len(), 3);
    let range = alloc::format!("{:x}-{:x} ", at, at + PAGE);
    ensure!(found[0].starts_with(range.as_bytes()));
    let properties =
        |line: usize, start: usize, end: usize| found[line].get(range.len() + start..range.len() + end);
    ensure_eq!(properties(0, 0, 13), Some(b"r--s 00002000".as_slice()));
    ensure_eq!(properties(1, 0, 13), Some(b"rw-p 00001000".as_slice()));
    ensure_eq!(properties(2, 0, 21), Some(b"rw-p 00000000 00:00 0".as_slice()));
    ensure!(found[0].ends_with(b"/mapped") && found[1].ends_with(b"/mapped"));
    let text = fs::read(b"/proc/self/maps")?;
    ensure!(text.windows(7).any(|part| part == b"[stack]"));
    Ok(())
}

fn smaps_tells_what_is_in_memory() -> Outcome {
    let at = island(4)?;
    poke(at, 1_u8);
    poke(at + 2 * PAGE, 1_u8);
    let kib = |name: &[u8]| field(at, name).map(|text| decimal(&text));
    ensure_eq!((kib(b"Size:")?, kib(b"Rss:")?, kib(b"Anonymous:")?), (16, 8, 8));
    ensure_eq!(
        (kib(b"Pss:")?, kib(b"Private_Dirty:")?, kib(b"Shared_Dirty:")?),
        (8, 8, 0)
    );
    ensure_eq!(kib(b"Locked:")?, 0);
    // What was written to stays so when it must not be written to any more.
    call(Sysno::mprotect, &[at, PAGE, READ])?;
    ensure_eq!((kib(b"Size:")?, kib(b"Private_Dirty:")?), (4, 4));
    call(Sysno::mprotect, &[at, PAGE, READ | WRITE])?;
    // While a child shares the pages, half of each counts.
    let shared = || {
        let (pss, dirty) = (field(at, b"Pss:"), field(at, b"Shared_Dirty:"));
        let right = pss.is_ok_and(|text| decimal(&text) == 4) && dirty.is_ok_and(|text| decimal(&text) == 8);
        let eager =
            fs::read(b"/proc/cmdline").is_ok_and(|text| text.windows(10).any(|part| part == b"fork=eager"));
        i32::from(!right && !eager)
    };
    ensure_eq!(ended(in_child(shared)?), 0);
    let sum = fs::read(b"/proc/self/smaps_rollup")?;
    ensure!(sum.windows(8).any(|part| part == b"[rollup]"));
    Ok(())
}

fn smaps_names_the_properties() -> Outcome {
    let at = island(2)?;
    call(Sysno::mlock, &[at, PAGE])?;
    let flags = |start| field(start, b"VmFlags:");
    let has = |text: &[u8], wanted: &[u8]| text.split(|&byte| byte == b' ').any(|word| word == wanted);
    let locked = flags(at)?;
    for letters in [b"rd", b"wr", b"mr", b"mw", b"me", b"lo", b"ac"] {
        ensure!(has(&locked, letters), "{}", locked.escape_ascii());
    }
    ensure!(!has(&locked, b"ex") && !has(&locked, b"sh"));
    ensure_eq!(decimal(&field(at, b"Locked:")?), 4);
    call(Sysno::madvise, &[at + PAGE, PAGE, 18])?;
    let wiped = flags(at + PAGE)?;
    ensure!(has(&wiped, b"wf") && !has(&wiped, b"lo"));
    Ok(())
}

fn statm() -> Result<[u64; 3], Errno> {
    let text = fs::read(b"/proc/self/statm")?;
    let mut words = text.split(|&byte| byte == b' ').map(decimal);
    Ok([(); 3].map(|()| words.next().unwrap_or(0)))
}

fn statm_counts_pages() -> Outcome {
    // The buffer of the first reading is mapped already at the second.
    statm()?;
    let [size, resident, _] = statm()?;
    ensure!(size > 0 && resident > 0 && resident <= size);
    let at = map(1000 * PAGE, READ | WRITE)?;
    (0..500).for_each(|page| poke(at + page * PAGE, 1_u8));
    let [larger, fuller, shared] = statm()?;
    ensure!((1000..1040).contains(&(larger - size)), "{size} {larger}");
    // Linux counts resident pages in batches on each processor.
    ensure!((430..600).contains(&(fuller - resident)), "{resident} {fuller}");
    ensure!(shared < fuller);
    Ok(())
}

fn limit(resource: u64, bytes: u64) -> Result<u64, Errno> {
    call(Sysno::prlimit64, &[0, resource, addr(&[bytes, bytes]), 0])
}

fn address_space_limit() -> Outcome {
    let status = in_child(|| {
        let Ok([size, ..]) = statm() else { return 1 };
        if limit(RLIMIT_AS, (size + 100) * PAGE).is_err() {
            return 2;
        }
        let answers = [
            map(200 * PAGE, READ).err() == Some(Errno::ENOMEM),
            map(50 * PAGE, 0).is_ok(),
            call(
                Sysno::mremap,
                &[map(10 * PAGE, READ).unwrap_or(0), 10 * PAGE, 200 * PAGE, 1, 0],
            )
            .err()
                == Some(Errno::ENOMEM),
        ];
        first_wrong(&answers)
    })?;
    ensure_eq!(ended(status), 0);
    Ok(())
}

fn data_limit() -> Outcome {
    let status = in_child(|| {
        let (Ok(start), Ok(reader)) = (call(Sysno::brk, &[0]), map(5000 * PAGE, READ)) else {
            return 1;
        };
        if limit(RLIMIT_DATA, 2000 * PAGE).is_err() {
            return 2;
        }
        let answers = [
            map(3000 * PAGE, READ | WRITE).err() == Some(Errno::ENOMEM),
            // What is not written to is no data, until it may be.
            map(3000 * PAGE, READ).is_ok(),
            call(Sysno::mprotect, &[reader, 5000 * PAGE, READ | WRITE]).err() == Some(Errno::ENOMEM),
            call(Sysno::brk, &[start + 3000 * PAGE]) == Ok(start),
        ];
        first_wrong(&answers)
    })?;
    ensure_eq!(ended(status), 0);
    Ok(())
}

fn break_stops_at_mappings() -> Outcome {
    let start = call(Sysno::brk, &[0])?;
    let wall = (start + 20 * PAGE) & !(PAGE - 1);
    let flags = PRIVATE | ANONYMOUS | 0x10_0000;
    ensure_eq!(call(Sysno::mmap, &[wall, PAGE, READ, flags, NO_FD, 0])?, wall);
    ensure_eq!(call(Sysno::brk, &[wall + PAGE])?, start);
    ensure_eq!(call(Sysno::brk, &[start + 10 * PAGE])?, start + 10 * PAGE);
    poke(start + 9 * PAGE, 7_u8);
    // Part of a page stays mapped.
    ensure_eq!(call(Sysno::brk, &[start + 9 * PAGE + 1])?, start + 9 * PAGE + 1);
    ensure_eq!(peek::<u8>(start + 9 * PAGE), 7);
    // Below the start nothing happens.
    ensure_eq!(call(Sysno::brk, &[PAGE])?, start + 9 * PAGE + 1);
    ensure_eq!(call(Sysno::brk, &[start])?, start);
    call(Sysno::munmap, &[wall, PAGE])?;
    Ok(())
}

/// Maps a page that grows down, with free space of 600 pages below.
fn growing() -> Result<u64, Errno> {
    let low = map(601 * PAGE, 0)?;
    call(Sysno::munmap, &[low, 601 * PAGE])?;
    let at = low + 600 * PAGE;
    let flags = PRIVATE | ANONYMOUS | FIXED | GROWSDOWN;
    call(Sysno::mmap, &[at, PAGE, READ | WRITE, flags, NO_FD, 0])
}

fn growsdown_mappings_grow() -> Outcome {
    let at = growing()?;
    poke(at - 5 * PAGE, 3_u8);
    ensure_eq!(peek::<u8>(at - 3 * PAGE), 0);
    // Below it a gap is kept to what may be accessed.
    let low = at - 400 * PAGE;
    let flags = PRIVATE | ANONYMOUS | FIXED;
    call(Sysno::mmap, &[low, PAGE, READ | WRITE, flags, NO_FD, 0])?;
    poke(at - 100 * PAGE, 1_u8);
    dies_of(SIGSEGV, || poke(at - 250 * PAGE, 1_u8))
}

fn protection_of_a_whole_stack() -> Outcome {
    let at = growing()?;
    poke(at - 2 * PAGE, 3_u8);
    let protect = |address, flags| call(Sysno::mprotect, &[address, PAGE, READ | flags]).err();
    ensure_eq!(protect(at, PROT_GROWSDOWN), None);
    dies_of(SIGSEGV, || poke(at - 2 * PAGE, 1_u8))?;
    ensure_eq!(peek::<u8>(at - 2 * PAGE), 3);
    let plain = map(PAGE, READ)?;
    ensure_eq!(protect(plain, PROT_GROWSDOWN), Some(Errno::EINVAL));
    ensure_eq!(protect(plain, PROT_GROWSDOWN | 0x0200_0000), Some(Errno::EINVAL));
    Ok(())
}
