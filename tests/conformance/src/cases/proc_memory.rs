//! What /proc tells of a process's memory page by page, and what can be changed there; and files whose end lies within a
//! page that is mapped.

use alloc::string::String;

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::syscall::Sysno;
use rt::fs::{self, File};

use super::ended;
use super::memory::{PAGE, file_of, map};
use crate::harness::{Outcome, in_child};
use crate::raw::{addr, addr_mut, call, peek, poke};
use crate::{cases, ensure, ensure_eq};

cases![
    pages_are_told_one_by_one,
    frames_are_told_to_root_only,
    the_peak_can_be_forgotten,
    badness_by_the_old_scale,
    bytes_behind_the_end_do_not_come_back,
];

const READ_WRITE: u64 = 3;
const SHARED: u64 = 1;
const PRESENT: u64 = 1 << 63;
const OF_FILE: u64 = 1 << 61;
const EXCLUSIVE: u64 = 1 << 56;
const FRAME: u64 = (1 << 55) - 1;

fn entries<const COUNT: usize>(at: u64) -> Result<[u64; COUNT], Errno> {
    let file = File::open(b"/proc/self/pagemap")?;
    let mut words = [u64::MAX; COUNT];
    let fd = file.descriptor() as u64;
    let bytes = 8 * COUNT as u64;
    let read = call(Sysno::pread64, &[fd, addr_mut(&mut words), bytes, at / PAGE * 8])?;
    if read == bytes { Ok(words) } else { Err(Errno::EIO) }
}

fn pages_are_told_one_by_one() -> Outcome {
    let at = map(3 * PAGE, READ_WRITE)?;
    poke(at, 1_u8);
    peek::<u8>(at + PAGE);
    let known = |word: u64| word & (PRESENT | OF_FILE | EXCLUSIVE);
    ensure_eq!(entries::<3>(at)?.map(known), [PRESENT | EXCLUSIVE, PRESENT, 0]);
    let file = file_of(&[7; 4096])?;
    let mapped = call(
        Sysno::mmap,
        &[0, PAGE, READ_WRITE, SHARED, file.descriptor() as u64, 0],
    )?;
    poke(mapped, 1_u8);
    ensure_eq!(entries::<1>(mapped)?.map(known), [PRESENT | OF_FILE | EXCLUSIVE]);
    let fd = File::open(b"/proc/self/pagemap")?.into_descriptor() as u64;
    let mut word = 0_u64;
    let place = addr_mut(&mut word);
    ensure_eq!(call(Sysno::pread64, &[fd, place, 7, 0]), Err(Errno::EINVAL));
    ensure_eq!(call(Sysno::pread64, &[fd, place, 8, 4]), Err(Errno::EINVAL));
    // Behind all that a program can have there is nothing.
    ensure_eq!(call(Sysno::pread64, &[fd, place, 8, 1 << 45]), Ok(0));
    ensure_eq!(call(Sysno::lseek, &[fd, 0, 2]), Err(Errno::EINVAL));
    Ok(())
}

fn frames_are_told_to_root_only() -> Outcome {
    let at = map(PAGE, READ_WRITE)?;
    poke(at, 1_u8);
    ensure!(entries::<1>(at)?[0] & FRAME != 0, "root sees the frame");
    let hidden = in_child(|| {
        let user = call(Sysno::setresuid, &[1000, 1000, 1000]);
        // A process that has changed its user is closed until it says otherwise.
        let _ = call(Sysno::prctl, &[4, 1, 0, 0, 0]);
        let words = entries::<1>(at);
        i32::from(user.is_err() || words.is_ok_and(|[word]| word & FRAME != 0))
    })?;
    ensure_eq!(ended(hidden), 0);
    Ok(())
}

fn kilobytes(name: &str) -> Result<u64, Errno> {
    let status = String::from_utf8_lossy(&fs::read(b"/proc/self/status")?).into_owned();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let digits = line.and_then(|line| line.trim_start_matches(':').split_whitespace().next());
    digits.and_then(|digits| digits.parse().ok()).ok_or(Errno::EIO)
}

fn store(path: &[u8], text: &[u8]) -> Result<u64, Errno> {
    let file = File::open_with(path, OpenFlags::WRONLY, 0)?;
    call(
        Sysno::write,
        &[file.descriptor() as u64, addr(text), text.len() as u64],
    )
}

fn the_peak_can_be_forgotten() -> Outcome {
    const LENGTH: u64 = 8 << 20;
    let at = map(LENGTH, READ_WRITE)?;
    for page in (at..at + LENGTH).step_by(PAGE as usize) {
        poke(page, 1_u8);
    }
    call(Sysno::munmap, &[at, LENGTH])?;
    let before = kilobytes("VmHWM")?;
    ensure!(before >= LENGTH >> 10, "{before} kB");
    ensure_eq!(store(b"/proc/self/clear_refs", b"5\n"), Ok(2));
    let after = kilobytes("VmHWM")?;
    ensure!(after + (LENGTH >> 11) < before, "{before} kB, then {after} kB");
    ensure_eq!(store(b"/proc/self/clear_refs", b"1"), Ok(1));
    for wrong in [&b"0"[..], b"6", b"x"] {
        let answer = store(b"/proc/self/clear_refs", wrong);
        ensure!(answer == Err(Errno::EINVAL), "{wrong:?}: {answer:?}");
    }
    Ok(())
}

fn badness_by_the_old_scale() -> Outcome {
    let shown = || {
        let old = fs::read(b"/proc/self/oom_adj")?;
        let new = fs::read(b"/proc/self/oom_score_adj")?;
        let words: [String; 2] = [old, new].map(|bytes| String::from_utf8_lossy(&bytes).trim().into());
        Ok::<_, Errno>(words)
    };
    ensure_eq!(shown()?, ["0", "0"]);
    ensure_eq!(store(b"/proc/self/oom_adj", b"8"), Ok(1));
    ensure_eq!(shown()?, ["7", "470"]);
    ensure_eq!(store(b"/proc/self/oom_adj", b"15"), Ok(2));
    ensure_eq!(shown()?, ["15", "1000"]);
    for wrong in ["16", "-18", "x"] {
        let answer = store(b"/proc/self/oom_adj", wrong.as_bytes());
        ensure!(answer == Err(Errno::EINVAL), "{wrong}: {answer:?}");
    }
    let refused = in_child(|| {
        let _ = call(Sysno::setresuid, &[1000, 1000, 1000]);
        let _ = call(Sysno::prctl, &[4, 1, 0, 0, 0]);
        i32::from(store(b"/proc/self/oom_adj", b"-17") != Err(Errno::EACCES))
    })?;
    ensure_eq!(ended(refused), 0);
    Ok(())
}

fn bytes_behind_the_end_do_not_come_back() -> Outcome {
    type Grow = fn(u64) -> Result<u64, Errno>;
    let ways: [(&str, Grow); 3] = [
        ("ftruncate", |fd| call(Sysno::ftruncate, &[fd, 4096])),
        ("pwrite", |fd| call(Sysno::pwrite64, &[fd, addr(b"end"), 3, 4000])),
        ("fallocate", |fd| call(Sysno::fallocate, &[fd, 0, 0, 4096])),
    ];
    for (name, grow) in ways {
        let file = file_of(&[7; 100])?;
        let fd = file.descriptor() as u64;
        let at = call(Sysno::mmap, &[0, PAGE, READ_WRITE, SHARED, fd, 0])?;
        poke(at + 99, 8_u8);
        poke(at + 200, 9_u8);
        match grow(fd) {
            Err(Errno::EOPNOTSUPP) if name == "fallocate" => continue,
            other => other?,
        };
        let mut bytes = [1_u8; 2];
        for (byte, offset) in bytes.iter_mut().zip([99, 200]) {
            call(Sysno::pread64, &[fd, addr_mut(byte), 1, offset])?;
        }
        ensure!(bytes == [8, 0], "{name}: {bytes:?}");
        ensure_eq!(peek::<u8>(at + 200), 0);
        fs::remove_file(b"mapped")?;
    }
    Ok(())
}
