//! Memory with rules of its own: that nobody else sees, that may vanish, at the lowest addresses, and what a debugger does
//! to memory that the program itself may not change.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use los_abi::credentials::Personality;
use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::mm::{MADV_DODUMP, MADV_DONTNEED, MADV_KEEPONFORK, MADV_WIPEONFORK, MapFlags};
use los_abi::syscall::Sysno;
use rt::fs::{self, File};
use rt::process;

use super::memory::{PAGE, file_of, map};
use super::{dies_of, ended, program};
use crate::arch::exit_with;
use crate::harness::{Failure, Outcome, in_child};
use crate::raw::{addr, addr_mut, call, jump, peek, poke};
use crate::{cases, ensure, ensure_eq};

cases![
    secret_memory_is_no_file_to_read,
    secret_memory_is_seen_by_its_program_only,
    secret_memory_is_locked,
    droppable_memory_is_not_for_children,
    droppable_memory_is_checked,
    low_addresses_need_a_capability,
    page_zero_is_mapped_for_old_programs,
    debuggers_write_to_memory_that_is_read_only,
    debuggers_change_code,
    debuggers_do_not_change_files,
];

const READ: u64 = 1;
const WRITE: u64 = 2;
const EXEC: u64 = 4;
const SHARED: u64 = 1;
const PRIVATE: u64 = 2;
const DROPPABLE: u64 = MapFlags::DROPPABLE as u64;
const FIXED: u64 = 0x10;
const ANONYMOUS: u64 = 0x20;
const SEGV: u32 = 11;
const NO_FILE: u64 = u64::MAX;

fn secret(bytes: u64) -> Result<u64, Failure> {
    let fd = match call(Sysno::memfd_secret, &[0]) {
        Err(Errno::ENOSYS) => return Err(Failure::Skip("a Linux without secret memory")),
        other => other?,
    };
    if bytes > 0 {
        call(Sysno::ftruncate, &[fd, bytes])?;
    }
    Ok(fd)
}

fn secret_memory_is_no_file_to_read() -> Outcome {
    let fd = secret(0)?;
    ensure_eq!(call(Sysno::memfd_secret, &[1]), Err(Errno::EINVAL));
    let closing = call(Sysno::memfd_secret, &[0o2_000_000])?;
    ensure_eq!(call(Sysno::fcntl, &[closing, 1]), Ok(1));
    ensure_eq!(call(Sysno::fcntl, &[fd, 1]), Ok(0));
    ensure_eq!(
        fs::read_link(format!("/proc/self/fd/{fd}").as_bytes())?,
        b"/secretmem (deleted)"
    );
    let mut word = 0_u64;
    let place = addr_mut(&mut word);
    ensure_eq!(call(Sysno::read, &[fd, place, 8]), Err(Errno::EINVAL));
    ensure_eq!(call(Sysno::write, &[fd, place, 8]), Err(Errno::EINVAL));
    ensure_eq!(call(Sysno::pread64, &[fd, place, 8, 0]), Err(Errno::ESPIPE));
    ensure_eq!(call(Sysno::lseek, &[fd, 0, 0]), Err(Errno::ESPIPE));
    ensure_eq!(call(Sysno::ftruncate, &[fd, 2 * PAGE]), Ok(0));
    ensure_eq!(call(Sysno::ftruncate, &[fd, PAGE]), Err(Errno::EINVAL));
    ensure_eq!(call(Sysno::fallocate, &[fd, 0, 0, PAGE]), Err(Errno::EOPNOTSUPP));
    let metadata = File::from_descriptor(fd as i32).metadata()?;
    ensure_eq!((metadata.size(), metadata.permissions()), (2 * PAGE, 0o600));
    Ok(())
}

fn secret_memory_is_seen_by_its_program_only() -> Outcome {
    let fd = secret(PAGE)?;
    let at = call(Sysno::mmap, &[0, 2 * PAGE, READ | WRITE, SHARED, fd, 0])?;
    poke(at, 0x5ec_u64);
    // A child has it too, and calls can be given it.
    let child = in_child(|| i32::from(peek::<u64>(at) != 0x5ec))?;
    ensure_eq!(ended(child), 0);
    let (reader, mut writer) = process::pipe()?;
    ensure_eq!(call(Sysno::write, &[writer.descriptor() as u64, at, 8]), Ok(8));
    drop(reader);
    let _ = writer.write_all(b"");
    let memory = File::open_with(b"/proc/self/mem", OpenFlags::RDWR, 0)?.into_descriptor() as u64;
    let mut word = 0_u64;
    let place = addr_mut(&mut word);
    ensure_eq!(call(Sysno::pread64, &[memory, place, 8, at]), Err(Errno::EIO));
    ensure_eq!(call(Sysno::pwrite64, &[memory, place, 8, at]), Err(Errno::EIO));
    ensure_eq!(peek::<u64>(at), 0x5ec);
    dies_of(7, || {
        peek::<u8>(at + PAGE);
    })
}

fn secret_memory_is_locked() -> Outcome {
    let fd = secret(2 * PAGE)?;
    let map_as = |protection, kind| call(Sysno::mmap, &[0, PAGE, protection, kind, fd, 0]);
    ensure_eq!(map_as(READ | WRITE, PRIVATE), Err(Errno::EINVAL));
    ensure_eq!(map_as(READ | EXEC, SHARED), Err(Errno::EPERM));
    let at = map_as(READ | WRITE, SHARED)?;
    poke(at, 1_u8);
    ensure_eq!(
        call(Sysno::mprotect, &[at, PAGE, READ | EXEC]),
        Err(Errno::EACCES)
    );
    ensure_eq!(
        call(Sysno::madvise, &[at, PAGE, MADV_DONTNEED as u64]),
        Err(Errno::EINVAL)
    );
    ensure_eq!(call(Sysno::munlock, &[at, PAGE]), Ok(0));
    ensure!(flags_of(at)?.contains(" lo "), "it stays locked");
    let limited = in_child(|| {
        let limit = [PAGE, PAGE];
        let _ = call(Sysno::prlimit64, &[0, 8, addr(&limit), 0]);
        let _ = call(Sysno::setresuid, &[1000, 1000, 1000]);
        let both = call(Sysno::mmap, &[0, 2 * PAGE, READ, SHARED, fd, 0]);
        i32::from(both != Err(Errno::EAGAIN))
    })?;
    ensure_eq!(ended(limited), 0);
    Ok(())
}

/// Returns the letters that smaps shows of the mapping that starts at an address.
fn flags_of(at: u64) -> Result<String, Failure> {
    let smaps = String::from_utf8_lossy(&fs::read(b"/proc/self/smaps")?).into_owned();
    let start = smaps
        .find(&format!("\n{at:x}-"))
        .ok_or(Failure::Wrong(format!("{at:x} is not mapped")))?;
    let rest = &smaps[start + 1..];
    let line = rest.lines().find_map(|line| line.strip_prefix("VmFlags:"));
    Ok(String::from(line.unwrap_or_default()))
}

fn droppable(more: u64) -> Result<u64, Errno> {
    let flags = DROPPABLE | ANONYMOUS | more;
    call(Sysno::mmap, &[0, PAGE, READ | WRITE, flags, NO_FILE, 0])
}

fn droppable_memory_is_not_for_children() -> Outcome {
    let at = match droppable(0) {
        Err(Errno::EINVAL) => return Err(Failure::Skip("an older Linux")),
        other => other?,
    };
    // It reads as zero or as what was stored.
    poke(at, 7_u8);
    ensure!([0, 7].contains(&peek::<u8>(at)), "another value");
    let child = in_child(|| peek::<u8>(at).into())?;
    ensure_eq!(ended(child), 0);
    let flags = flags_of(at)?;
    for flag in [" wf ", " dd ", " nr ", " dp "] {
        ensure!(flags.contains(flag), "{flag} is not among {flags}");
    }
    Ok(())
}

fn droppable_memory_is_checked() -> Outcome {
    let at = match droppable(0) {
        Err(Errno::EINVAL) => return Err(Failure::Skip("an older Linux")),
        other => other?,
    };
    let flags = [MapFlags::LOCKED, MapFlags::HUGETLB, MapFlags::GROWSDOWN];
    for flag in flags {
        ensure!(droppable(flag.bits().into()) == Err(Errno::EINVAL), "{flag:?}");
    }
    let file = file_of(b"contents")?;
    let fd = file.descriptor() as u64;
    ensure_eq!(
        call(Sysno::mmap, &[0, PAGE, READ, DROPPABLE, fd, 0]),
        Err(Errno::EINVAL)
    );
    let advise = |advice: i32| call(Sysno::madvise, &[at, PAGE, advice as u64]);
    ensure_eq!(advise(MADV_DODUMP), Err(Errno::EINVAL));
    ensure_eq!(advise(MADV_KEEPONFORK), Err(Errno::EINVAL));
    ensure_eq!(advise(MADV_WIPEONFORK), Ok(0));
    ensure_eq!(call(Sysno::mlock, &[at, PAGE]), Ok(0));
    ensure!(!flags_of(at)?.contains(" lo "), "it is never locked");
    Ok(())
}

fn low_addresses_need_a_capability() -> Outcome {
    let low = |flags| call(Sysno::mmap, &[0, PAGE, READ | WRITE, flags, NO_FILE, 0]);
    let fixed = PRIVATE | ANONYMOUS | FIXED;
    let refused = in_child(|| {
        let _ = call(Sysno::setresuid, &[1000, 1000, 1000]);
        i32::from(low(fixed) != Err(Errno::EPERM))
    })?;
    ensure_eq!(ended(refused), 0);
    ensure_eq!(low(fixed), Ok(0));
    poke(16, 9_u8);
    ensure_eq!(peek::<u8>(16), 9);
    ensure_eq!(fs::read(b"/proc/self/maps")?[..14], *b"00000000-00001");
    // What is only a hint goes higher.
    let hint = call(Sysno::mmap, &[PAGE, PAGE, READ, PRIVATE | ANONYMOUS, NO_FILE, 0])?;
    ensure!(hint >= PAGE, "{hint:x}");
    let lowest = String::from_utf8_lossy(&fs::read(b"/proc/sys/vm/mmap_min_addr")?).into_owned();
    let lowest: u64 = lowest.trim().parse().unwrap_or(0);
    ensure_eq!(lowest % PAGE, 0);
    ensure!(lowest >= PAGE, "{lowest}");
    ensure!(hint >= lowest, "{hint:x}");
    // Nor does a mapping move there without it.
    let other = map(PAGE, READ)?;
    let refused = in_child(|| {
        let _ = call(Sysno::setresuid, &[1000, 1000, 1000]);
        i32::from(call(Sysno::mremap, &[other, PAGE, PAGE, 3, 0]) != Err(Errno::EPERM))
    })?;
    ensure_eq!(ended(refused), 0);
    ensure_eq!(call(Sysno::mremap, &[other, PAGE, PAGE, 3, 0]), Ok(0));
    Ok(())
}

/// Tells by the exit status whether page 0 can be read and not be written, and is like that for good.
pub(super) fn helper() -> i32 {
    let maps = fs::read(b"/proc/self/maps").unwrap_or_default();
    i32::from(!maps.starts_with(b"00000000-00001000 r-xp 00000000 00:00 0"))
}

fn page_zero_is_mapped_for_old_programs() -> Outcome {
    let run = |credentials: &dyn Fn()| {
        in_child(|| {
            let _ = call(Sysno::personality, &[Personality::MMAP_PAGE_ZERO.bits().into()]);
            credentials();
            let words: [&[u8]; 3] = [b"conformance", b"--helper", b"page-zero"];
            process::execute(&program(), &words.map(Vec::from), &[]);
            9
        })
    };
    ensure_eq!(ended(run(&|| {})?), 0);
    // Who may not map it has none.
    let nobody = run(&|| {
        let _ = call(Sysno::setresuid, &[1000, 1000, 1000]);
    })?;
    ensure_eq!(ended(nobody), 1);
    Ok(())
}

fn memory_file() -> Result<u64, Errno> {
    let file = File::open_with(b"/proc/self/mem", OpenFlags::RDWR, 0)?;
    Ok(file.into_descriptor() as u64)
}

fn debuggers_write_to_memory_that_is_read_only() -> Outcome {
    let memory = memory_file()?;
    let word = 0x1234_5678_u64;
    let store = |at| call(Sysno::pwrite64, &[memory, addr(&word), 8, at]);
    let at = map(2 * PAGE, READ)?;
    ensure_eq!(store(at), Ok(8));
    ensure_eq!(peek::<u64>(at), word);
    dies_of(SEGV, || poke(at, 1_u64))?;
    // Across two pages, of which nothing may be done with the second.
    ensure_eq!(call(Sysno::mprotect, &[at + PAGE, PAGE, 0]), Ok(0));
    ensure_eq!(store(at + PAGE - 4), Ok(8));
    let mut read = 0_u64;
    ensure_eq!(
        call(Sysno::pread64, &[memory, addr_mut(&mut read), 8, at + PAGE - 4]),
        Ok(8)
    );
    ensure_eq!(read, word);
    dies_of(SEGV, || {
        peek::<u8>(at + PAGE);
    })?;
    // The child of a fork has the same, and its own.
    let child = in_child(|| {
        let memory = memory_file().unwrap_or(0);
        let other = 5_u64;
        let _ = call(Sysno::pwrite64, &[memory, addr(&other), 8, at]);
        i32::from(peek::<u64>(at) != 5)
    })?;
    ensure_eq!(ended(child), 0);
    ensure_eq!(peek::<u64>(at), word);
    Ok(())
}

fn debuggers_change_code() -> Outcome {
    let code = [exit_with(3), exit_with(4)];
    let at = map(PAGE, READ | WRITE)?;
    let length = code[0].len() as u64;
    for (index, byte) in code[0].iter().enumerate() {
        poke(at + index as u64, *byte);
    }
    call(Sysno::mprotect, &[at, PAGE, READ | EXEC])?;
    let run = || {
        in_child(|| {
            jump(at);
            9
        })
    };
    ensure_eq!(ended(run()?), 3);
    let memory = memory_file()?;
    ensure_eq!(
        call(Sysno::pwrite64, &[memory, addr(&code[1][..]), length, at]),
        Ok(length)
    );
    ensure_eq!(ended(run()?), 4);
    Ok(())
}

fn debuggers_do_not_change_files() -> Outcome {
    let file = file_of(&[7; 4096])?;
    let fd = file.descriptor() as u64;
    let memory = memory_file()?;
    let word = 1_u64;
    let store = |at| call(Sysno::pwrite64, &[memory, addr(&word), 8, at]);
    let private = call(Sysno::mmap, &[0, PAGE, READ, PRIVATE, fd, 0])?;
    ensure_eq!(store(private), Ok(8));
    ensure_eq!(peek::<u64>(private), 1);
    ensure_eq!(fs::read(b"mapped")?[..8], [7; 8]);
    let shared = call(Sysno::mmap, &[0, PAGE, READ, SHARED, fd, 0])?;
    ensure_eq!(store(shared), Err(Errno::EIO));
    ensure_eq!(peek::<u8>(shared), 7);
    ensure_eq!(store(1 << 20), Err(Errno::EIO));
    Ok(())
}
