//! Calls about memory that few programs make: seals, other pages of an object, advice about processes, what of a file is
//! in memory, names, and rules for executable memory.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use los_abi::Isa;
use los_abi::errno::Errno;
use los_abi::fs::{IoVec, OpenFlags};
use los_abi::mm::{
    Cachestat, CachestatRange, MADV_COLD, MADV_DONTNEED, MADV_DONTNEED_LOCKED, MADV_NORMAL, MapFlags,
};
use los_abi::prctl::{
    PR_GET_AUXV, PR_GET_MDWE, PR_MCE_KILL, PR_MCE_KILL_EARLY, PR_MCE_KILL_GET, PR_MCE_KILL_SET, PR_SET_MDWE,
    PR_SET_VMA,
};
use los_abi::syscall::Sysno;
use rt::fs::{self, File};

use super::ended;
use super::memory::{PAGE, map};
use crate::arch::ISA;
use crate::harness::{Failure, Outcome, first_wrong, in_child, spawn_sleeper, wait_for};
use crate::raw::{addr, addr_mut, call, peek, poke};
use crate::{cases, ensure, ensure_eq};

cases![
    sealed_mappings_stay,
    sealed_contents_stay_where_they_could_not_be_written,
    seals_are_checked,
    other_pages_of_an_object,
    other_pages_are_checked,
    advice_about_processes,
    memory_of_the_dying,
    pages_of_a_file_in_memory,
    locked_pages_can_be_dropped,
    keys_that_no_processor_has,
    names_of_anonymous_memory,
    names_are_checked,
    memory_stays_unexecutable,
    rules_for_executable_memory_are_checked,
    the_auxiliary_vector_is_told,
    broken_pages,
];

const READ: u64 = 1;
const WRITE: u64 = 2;
const EXEC: u64 = 4;

fn control(option: i32, arguments: [u64; 4]) -> Result<u64, Errno> {
    let [arg2, arg3, arg4, arg5] = arguments;
    call(Sysno::prctl, &[option as u64, arg2, arg3, arg4, arg5])
}

fn seal(address: u64, length: u64) -> Result<u64, Errno> {
    call(Sysno::mseal, &[address, length, 0])
}

fn advise(address: u64, advice: i32) -> Result<u64, Errno> {
    call(Sysno::madvise, &[address, PAGE, advice as u64])
}

fn sealed_mappings_stay() -> Outcome {
    let at = map(4 * PAGE, READ | WRITE)?;
    match seal(at + PAGE, PAGE) {
        Err(Errno::ENOSYS) => return Err(Failure::Skip("an older Linux")),
        other => ensure_eq!(other, Ok(0)),
    }
    ensure_eq!(seal(at + PAGE, PAGE), Ok(0));
    let sealed = Err(Errno::EPERM);
    ensure_eq!(call(Sysno::munmap, &[at, 4 * PAGE]), sealed);
    ensure_eq!(call(Sysno::mprotect, &[at + PAGE, PAGE, READ]), sealed);
    ensure_eq!(call(Sysno::mprotect, &[at + PAGE, PAGE, READ | WRITE]), sealed);
    ensure_eq!(call(Sysno::mremap, &[at + PAGE, PAGE, 2 * PAGE, 1, 0]), sealed);
    let fixed = u64::from((MapFlags::PRIVATE | MapFlags::ANONYMOUS | MapFlags::FIXED).bits());
    ensure_eq!(
        call(Sysno::mmap, &[at + PAGE, PAGE, READ, fixed, u64::MAX, 0]),
        sealed
    );
    // It can be used, and what is beside it can change.
    poke(at + PAGE, 5_u8);
    ensure_eq!(call(Sysno::mprotect, &[at, PAGE, READ]), Ok(0));
    ensure_eq!(call(Sysno::munmap, &[at + 2 * PAGE, 2 * PAGE]), Ok(0));
    let child = in_child(|| i32::from(call(Sysno::munmap, &[at + PAGE, PAGE]) != Err(Errno::EPERM)))?;
    ensure_eq!(ended(child), 0);
    ensure_eq!(peek::<u8>(at + PAGE), 5);
    Ok(())
}

fn sealed_contents_stay_where_they_could_not_be_written() -> Outcome {
    let at = map(2 * PAGE, READ | WRITE)?;
    poke(at, 7_u8);
    call(Sysno::mprotect, &[at, PAGE, READ])?;
    if seal(at, 2 * PAGE) == Err(Errno::ENOSYS) {
        return Err(Failure::Skip("an older Linux"));
    }
    ensure_eq!(advise(at, MADV_DONTNEED), Err(Errno::EPERM));
    ensure_eq!(peek::<u8>(at), 7);
    ensure_eq!(advise(at, MADV_NORMAL), Ok(0));
    ensure_eq!(advise(at + PAGE, MADV_DONTNEED), Ok(0));
    Ok(())
}

fn seals_are_checked() -> Outcome {
    let at = map(3 * PAGE, READ)?;
    if seal(at, 0) == Err(Errno::ENOSYS) {
        return Err(Failure::Skip("an older Linux"));
    }
    ensure_eq!(call(Sysno::mseal, &[at, PAGE, 1]), Err(Errno::EINVAL));
    ensure_eq!(seal(at + 1, PAGE), Err(Errno::EINVAL));
    ensure_eq!(seal(at, u64::MAX), Err(Errno::EINVAL));
    call(Sysno::munmap, &[at + PAGE, PAGE])?;
    ensure_eq!(seal(at, 3 * PAGE), Err(Errno::ENOMEM));
    // Nothing is sealed then.
    ensure_eq!(call(Sysno::munmap, &[at, PAGE]), Ok(0));
    Ok(())
}

/// Makes a file whose pages are numbered, and maps it shared.
pub(super) fn numbered(pages: u64) -> Result<(File, u64), Errno> {
    let mut file = File::open_with(b"f", OpenFlags::RDWR | OpenFlags::CREAT, 0o644)?;
    for number in 0..pages {
        file.write_all(&vec![number as u8; PAGE as usize])?;
    }
    let arguments = [0, pages * PAGE, READ | WRITE, 1, file.descriptor() as u64, 0];
    let at = call(Sysno::mmap, &arguments)?;
    Ok((file, at))
}

fn other_pages_of_an_object() -> Outcome {
    let (_file, at) = numbered(4)?;
    ensure_eq!(call(Sysno::remap_file_pages, &[at, PAGE, 0, 3, 0]), Ok(0));
    ensure_eq!(
        call(Sysno::remap_file_pages, &[at + 3 * PAGE, PAGE, 0, 0, 0]),
        Ok(0)
    );
    let numbers = [0, 1, 2, 3].map(|page| peek::<u8>(at + page * PAGE));
    ensure_eq!(numbers, [3, 1, 2, 0]);
    poke(at, 9_u8);
    ensure_eq!(fs::read(b"f")?[3 * PAGE as usize], 9);
    Ok(())
}

fn other_pages_are_checked() -> Outcome {
    let (_file, at) = numbered(2)?;
    let remap = |at: u64, length: u64, protection: u64, page: u64| {
        call(Sysno::remap_file_pages, &[at, length, protection, page, 0])
    };
    ensure_eq!(remap(at, PAGE, READ, 0), Err(Errno::EINVAL));
    ensure_eq!(remap(at, 0, 0, 0), Err(Errno::EINVAL));
    ensure_eq!(remap(at, PAGE, 0, u64::MAX), Err(Errno::EINVAL));
    ensure_eq!(remap(at, 3 * PAGE, 0, 0), Err(Errno::EINVAL));
    let private = map(PAGE, READ)?;
    ensure_eq!(remap(private, PAGE, 0, 0), Err(Errno::EINVAL));
    Ok(())
}

fn advice_about_processes() -> Outcome {
    let at = map(2 * PAGE, READ | WRITE)?;
    let ranges = [at, at + PAGE].map(|iov_base| IoVec {
        iov_base,
        iov_len: PAGE,
    });
    let advise = |fd: u64, count: u64, advice: i32, flags: u64| {
        let arguments = [fd, addr(&ranges), count, advice as u64, flags];
        call(Sysno::process_madvise, &arguments)
    };
    let pid = spawn_sleeper(|| ())?;
    let child = call(Sysno::pidfd_open, &[pid as u64, 0])?;
    let own = call(Sysno::pidfd_open, &[rt::process::id() as u64, 0])?;
    ensure_eq!(advise(own, 2, MADV_COLD, 0), Ok(2 * PAGE));
    ensure_eq!(advise(child, 2, MADV_COLD, 0), Ok(2 * PAGE));
    ensure_eq!(advise(child, 2, MADV_DONTNEED, 0), Err(Errno::EINVAL));
    ensure_eq!(advise(child, 2, MADV_COLD, 1), Err(Errno::EINVAL));
    ensure_eq!(advise(999, 2, MADV_COLD, 0), Err(Errno::EBADF));
    ensure_eq!(advise(child, 2000, MADV_COLD, 0), Err(Errno::EINVAL));
    call(Sysno::munmap, &[at + PAGE, PAGE])?;
    // What was done before the hole counts.
    ensure_eq!(advise(own, 2, MADV_COLD, 0), Ok(PAGE));
    call(Sysno::kill, &[pid as u64, 9])?;
    wait_for(pid)?;
    ensure_eq!(advise(child, 1, MADV_COLD, 0), Err(Errno::ESRCH));
    Ok(())
}

fn memory_of_the_dying() -> Outcome {
    let pid = spawn_sleeper(|| ())?;
    let fd = call(Sysno::pidfd_open, &[pid as u64, 0])?;
    let release = |fd: u64, flags: u64| call(Sysno::process_mrelease, &[fd, flags]);
    ensure_eq!(release(fd, 1), Err(Errno::EINVAL));
    ensure_eq!(release(999, 0), Err(Errno::EBADF));
    ensure_eq!(release(fd, 0), Err(Errno::EINVAL));
    call(Sysno::kill, &[pid as u64, 9])?;
    let answer = release(fd, 0);
    ensure!(matches!(answer, Ok(0) | Err(Errno::ESRCH)), "{answer:?}");
    wait_for(pid)?;
    ensure_eq!(release(fd, 0), Err(Errno::ESRCH));
    Ok(())
}

fn pages_of_a_file_in_memory() -> Outcome {
    let name = b"pages\0";
    let fd = call(Sysno::memfd_create, &[addr(name), 0])?;
    let bytes = vec![1_u8; 3 * PAGE as usize];
    call(Sysno::pwrite64, &[fd, addr(&bytes[..]), 3 * PAGE, 0])?;
    call(Sysno::ftruncate, &[fd, 100 * PAGE])?;
    call(Sysno::pwrite64, &[fd, addr(&bytes[..]), 1, 50 * PAGE])?;
    let look = |off: u64, len: u64, flags: u64| {
        let mut state = Cachestat::default();
        let range = CachestatRange { off, len };
        call(Sysno::cachestat, &[fd, addr(&range), addr_mut(&mut state), flags])?;
        Ok::<_, Errno>(state.nr_cache)
    };
    match look(0, 0, 0) {
        Err(Errno::ENOSYS) => return Err(Failure::Skip("an older Linux")),
        other => ensure_eq!(other, Ok(4)),
    }
    ensure_eq!(look(PAGE, PAGE + 1, 0), Ok(2));
    ensure_eq!(look(3 * PAGE, 40 * PAGE, 0), Ok(0));
    ensure_eq!(look(10 * PAGE, 0, 0), Ok(1));
    ensure_eq!(look(1000 * PAGE, 0, 0), Ok(0));
    ensure_eq!(look(0, 0, 1), Err(Errno::EINVAL));
    ensure_eq!(call(Sysno::cachestat, &[fd, 8, 8, 0]), Err(Errno::EFAULT));
    ensure_eq!(call(Sysno::cachestat, &[999, 8, 8, 0]), Err(Errno::EBADF));
    Ok(())
}

fn locked_pages_can_be_dropped() -> Outcome {
    let at = map(PAGE, READ | WRITE)?;
    poke(at, 3_u8);
    call(Sysno::mlock, &[at, PAGE])?;
    ensure_eq!(advise(at, MADV_DONTNEED), Err(Errno::EINVAL));
    ensure_eq!(advise(at, MADV_DONTNEED_LOCKED), Ok(0));
    ensure_eq!(peek::<u8>(at), 0);
    Ok(())
}

fn keys_that_no_processor_has() -> Outcome {
    let at = map(PAGE, READ)?;
    let protect = |key: i32| call(Sysno::pkey_mprotect, &[at, PAGE, READ | WRITE, key as u64]);
    match protect(-1) {
        Err(Errno::ENOSYS) => return Err(Failure::Skip("a Linux without keys")),
        other => ensure_eq!(other, Ok(0)),
    }
    poke(at, 1_u8);
    ensure_eq!(protect(13), Err(Errno::EINVAL));
    ensure_eq!(call(Sysno::pkey_alloc, &[1, 0]), Err(Errno::EINVAL));
    // A key that the processor has is a number; this one has none, and each machine says so in its own way.
    let answer = call(Sysno::pkey_alloc, &[0, 0]);
    let without = match ISA {
        Isa::X86_64 => Errno::EINVAL,
        Isa::Aarch64 => Errno::ENOSPC,
    };
    ensure!(answer.is_ok() || answer == Err(without), "{answer:?}");
    ensure_eq!(call(Sysno::pkey_alloc, &[0, 0x100]), Err(Errno::EINVAL));
    ensure_eq!(call(Sysno::pkey_free, &[13]), Err(Errno::EINVAL));
    Ok(())
}

/// Returns the ends of the lines of /proc/self/maps that start in a range, with their ends as page counts.
fn names_between(start: u64, end: u64) -> Result<Vec<(u64, String)>, Errno> {
    let maps = String::from_utf8_lossy(&fs::read(b"/proc/self/maps")?).into_owned();
    let number = |text: &str| u64::from_str_radix(text, 16).unwrap_or(0);
    let lines = maps.lines().filter_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (first, last) = range.split_once('-')?;
        let name = rest.find('[').map_or("", |at| &rest[at..]);
        let first = number(first);
        (start..end)
            .contains(&first)
            .then(|| ((number(last) - first) / PAGE, String::from(name)))
    });
    Ok(lines.collect())
}

fn set_name(address: u64, length: u64, name: u64) -> Result<u64, Errno> {
    control(PR_SET_VMA, [0, address, length, name])
}

fn names_of_anonymous_memory() -> Outcome {
    let around = map(8 * PAGE, 0)?;
    let at = around + PAGE;
    call(Sysno::mprotect, &[at, 4 * PAGE, READ | WRITE])?;
    let names = || names_between(at, at + 4 * PAGE);
    ensure_eq!(names()?, [(4, String::new())]);
    if set_name(at + PAGE, PAGE, addr(b"a name\0")) == Err(Errno::EINVAL) {
        return Err(Failure::Skip("a Linux without names"));
    }
    let named = (1, String::from("[anon:a name]"));
    let parts = [(1, String::new()), named.clone(), (2, String::new())];
    ensure_eq!(names()?, parts);
    // Neighbours of the same name are one mapping.
    ensure_eq!(set_name(at, 2 * PAGE, addr(b"a name\0")), Ok(0));
    ensure_eq!(names()?, [(2, named.1), (2, String::new())]);
    ensure_eq!(set_name(at, 4 * PAGE, 0), Ok(0));
    ensure_eq!(names()?, [(4, String::new())]);
    let flags = u64::from((MapFlags::SHARED | MapFlags::ANONYMOUS).bits());
    let shared = call(Sysno::mmap, &[0, PAGE, READ, flags, u64::MAX, 0])?;
    ensure_eq!(set_name(shared, PAGE, addr(b"both\0")), Ok(0));
    let expected = [(1, String::from("[anon_shmem:both]"))];
    ensure_eq!(names_between(shared, shared + PAGE)?, expected);
    Ok(())
}

fn names_are_checked() -> Outcome {
    let at = map(3 * PAGE, READ)?;
    let name = addr(b"name\0");
    if set_name(at, PAGE, name).is_err() {
        return Err(Failure::Skip("a Linux without names"));
    }
    ensure_eq!(set_name(at, PAGE, addr(b"in [brackets]\0")), Err(Errno::EINVAL));
    ensure_eq!(set_name(at, PAGE, addr(b"new\nline\0")), Err(Errno::EINVAL));
    let mut long = [b'x'; 81];
    long[80] = 0;
    ensure_eq!(set_name(at, PAGE, addr(&long)), Err(Errno::EINVAL));
    long[79] = 0;
    ensure_eq!(set_name(at, PAGE, addr(&long)), Ok(0));
    ensure_eq!(set_name(at, PAGE, 8), Err(Errno::EFAULT));
    ensure_eq!(set_name(at + 1, PAGE, name), Err(Errno::EINVAL));
    ensure_eq!(set_name(at, 0, name), Ok(0));
    ensure_eq!(control(PR_SET_VMA, [1, at, PAGE, name]), Err(Errno::EINVAL));
    call(Sysno::munmap, &[at + PAGE, PAGE])?;
    ensure_eq!(set_name(at, 3 * PAGE, name), Err(Errno::ENOMEM));
    let (_file, at) = numbered(1)?;
    ensure_eq!(set_name(at, PAGE, name), Err(Errno::EBADF));
    Ok(())
}

fn memory_stays_unexecutable() -> Outcome {
    let status = in_child(|| {
        let Ok(code) = map(PAGE, READ | EXEC) else {
            return 1;
        };
        if control(PR_SET_MDWE, [1, 0, 0, 0]).is_err() {
            return 77;
        }
        let Ok(data) = map(PAGE, READ) else { return 2 };
        let protect = |at: u64, protection: u64| call(Sysno::mprotect, &[at, PAGE, protection]);
        let refused = Err(Errno::EACCES);
        let answers = [
            protect(data, READ | EXEC) == refused,
            protect(code, READ | WRITE | EXEC) == refused,
            protect(code, READ | EXEC).is_ok(),
            map(PAGE, READ | WRITE | EXEC) == Err(Errno::EACCES),
            map(PAGE, READ | EXEC).is_ok(),
            protect(data, READ | WRITE).is_ok(),
            control(PR_GET_MDWE, [0; 4]) == Ok(1),
        ];
        let child = in_child(|| i32::from(map(PAGE, READ | WRITE | EXEC) != Err(Errno::EACCES)));
        let inherited = child.is_ok_and(|status| ended(status) == 0);
        match first_wrong(&answers) {
            0 => i32::from(!inherited),
            wrong => wrong,
        }
    })?;
    if ended(status) == 77 {
        return Err(Failure::Skip("an older Linux"));
    }
    ensure_eq!(ended(status), 0);
    Ok(())
}

fn rules_for_executable_memory_are_checked() -> Outcome {
    if control(PR_GET_MDWE, [0; 4]).is_err() {
        return Err(Failure::Skip("an older Linux"));
    }
    ensure_eq!(control(PR_SET_MDWE, [4, 0, 0, 0]), Err(Errno::EINVAL));
    ensure_eq!(control(PR_SET_MDWE, [2, 0, 0, 0]), Err(Errno::EINVAL));
    ensure_eq!(control(PR_SET_MDWE, [1, 1, 0, 0]), Err(Errno::EINVAL));
    ensure_eq!(control(PR_GET_MDWE, [1, 0, 0, 0]), Err(Errno::EINVAL));
    ensure_eq!(control(PR_SET_MDWE, [3, 0, 0, 0]), Ok(0));
    ensure_eq!(control(PR_SET_MDWE, [3, 0, 0, 0]), Ok(0));
    ensure_eq!(control(PR_SET_MDWE, [1, 0, 0, 0]), Err(Errno::EPERM));
    ensure_eq!(control(PR_SET_MDWE, [0, 0, 0, 0]), Err(Errno::EPERM));
    ensure_eq!(control(PR_GET_MDWE, [0; 4]), Ok(3));
    let child = in_child(|| control(PR_GET_MDWE, [0; 4]).unwrap_or(9) as i32)?;
    ensure_eq!(ended(child), 0);
    Ok(())
}

fn the_auxiliary_vector_is_told() -> Outcome {
    let mut bytes = [0_u8; 64];
    let length = match control(PR_GET_AUXV, [addr_mut(&mut bytes), 64, 0, 0]) {
        Err(Errno::EINVAL) => return Err(Failure::Skip("an older Linux")),
        other => other?,
    };
    ensure!(length > 64, "{length} bytes");
    ensure_eq!(&fs::read(b"/proc/self/auxv")?[..64], bytes);
    ensure_eq!(
        control(PR_GET_AUXV, [addr_mut(&mut bytes), 64, 1, 0]),
        Err(Errno::EINVAL)
    );
    ensure_eq!(control(PR_GET_AUXV, [8, 64, 0, 0]), Err(Errno::EFAULT));
    Ok(())
}

fn broken_pages() -> Outcome {
    let get = || control(PR_MCE_KILL_GET, [0; 4]);
    ensure_eq!(get(), Ok(2));
    ensure_eq!(
        control(PR_MCE_KILL, [PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0]),
        Ok(0)
    );
    ensure_eq!(get(), Ok(1));
    ensure_eq!(ended(in_child(|| get().unwrap_or(9) as i32)?), 1);
    ensure_eq!(control(PR_MCE_KILL, [0, 0, 0, 0]), Ok(0));
    ensure_eq!(get(), Ok(2));
    ensure_eq!(control(PR_MCE_KILL, [0, 1, 0, 0]), Err(Errno::EINVAL));
    ensure_eq!(control(PR_MCE_KILL, [1, 3, 0, 0]), Err(Errno::EINVAL));
    ensure_eq!(control(PR_MCE_KILL, [2, 0, 0, 0]), Err(Errno::EINVAL));
    ensure_eq!(control(PR_MCE_KILL, [0, 0, 1, 0]), Err(Errno::EINVAL));
    ensure_eq!(control(PR_MCE_KILL_GET, [1, 0, 0, 0]), Err(Errno::EINVAL));
    Ok(())
}
