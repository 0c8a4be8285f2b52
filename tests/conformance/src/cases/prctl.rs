//! prctl(2): what a process says of its own memory, the cycle counter, and options that few programs use.

use alloc::vec::Vec;

use los_abi::Isa;
use los_abi::errno::Errno;
use los_abi::prctl as abi;
use los_abi::prctl::PrctlMmMap;
use los_abi::syscall::Sysno;
use rt::fs::{self, File};

use super::{dies_of, ended};
use crate::arch::{ISA, cycles};
use crate::harness::{Failure, Outcome, in_child};
use crate::raw::{addr, addr_mut, call};
use crate::{cases, ensure, ensure_eq};

cases![
    the_description_of_memory_is_checked,
    arguments_can_be_shown_elsewhere,
    the_auxiliary_vector_can_be_replaced,
    the_programs_file_stays_while_it_is_mapped,
    single_addresses_need_a_capability,
    the_cycle_counter_can_be_hidden,
    seccomp_is_off,
    storage_servers_need_a_capability,
    options_of_other_machines,
];

const SEGV: u32 = 11;
/// The last page that a program can have.
const LAST_PAGE: u64 = match ISA {
    Isa::X86_64 => (1 << 47) - 0x2000,
    Isa::Aarch64 => (1 << 48) - 0x1000,
};
/// Words of the auxiliary vector that are looked at.
const WORDS: usize = 80;

fn control(option: i32, arguments: [u64; 4]) -> Result<u64, Errno> {
    let [arg2, arg3, arg4, arg5] = arguments;
    call(Sysno::prctl, &[option as u64, arg2, arg3, arg4, arg5])
}

fn set_mm(operation: u64, arguments: [u64; 3]) -> Result<u64, Errno> {
    let [arg3, arg4, arg5] = arguments;
    control(abi::PR_SET_MM, [operation, arg3, arg4, arg5])
}

fn set_map(map: &PrctlMmMap) -> Result<u64, Errno> {
    set_mm(abi::PR_SET_MM_MAP, [addr(map), size_of::<PrctlMmMap>() as u64, 0])
}

/// Returns what the process says of its memory now, from /proc/self/stat (proc_pid_stat(5)).
fn description() -> Result<PrctlMmMap, Failure> {
    let bytes = fs::read(b"/proc/self/stat")?;
    let text = core::str::from_utf8(&bytes).unwrap_or_default();
    let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    // The first field behind the name is the third.
    let fields: Vec<u64> = rest
        .split_whitespace()
        .map(|field| field.parse().unwrap_or(0))
        .collect();
    let field = |number: usize| fields.get(number - 3).copied().unwrap_or(0);
    Ok(PrctlMmMap {
        start_code: field(26),
        end_code: field(27),
        start_stack: field(28),
        start_data: field(45),
        end_data: field(46),
        start_brk: field(47),
        brk: call(Sysno::brk, &[0])?,
        arg_start: field(48),
        arg_end: field(49),
        env_start: field(50),
        env_end: field(51),
        auxv: 0,
        auxv_size: 0,
        exe_fd: u32::MAX,
    })
}

fn the_description_of_memory_is_checked() -> Outcome {
    let mut size = 0_u32;
    ensure_eq!(
        set_mm(abi::PR_SET_MM_MAP_SIZE, [addr_mut(&mut size), 0, 0]),
        Ok(0)
    );
    ensure_eq!(size as usize, size_of::<PrctlMmMap>());
    ensure_eq!(set_mm(abi::PR_SET_MM_MAP_SIZE, [8, 0, 0]), Err(Errno::EFAULT));
    ensure_eq!(
        set_mm(abi::PR_SET_MM_MAP_SIZE, [addr_mut(&mut size), 0, 1]),
        Err(Errno::EINVAL)
    );
    let good = description()?;
    let place = addr(&good);
    ensure_eq!(set_mm(abi::PR_SET_MM_MAP, [place, 96, 0]), Err(Errno::EINVAL));
    ensure_eq!(set_mm(abi::PR_SET_MM_MAP, [8, 104, 0]), Err(Errno::EFAULT));
    ensure_eq!(set_map(&good), Ok(0));
    let changes: [fn(&mut PrctlMmMap); 9] = [
        |map| map.start_code = map.end_code,
        |map| map.start_data = map.end_data + 1,
        |map| map.start_brk = map.brk + 1,
        |map| map.arg_start = map.arg_end + 1,
        |map| map.env_end = map.env_start - 1,
        |map| map.start_stack = 8,
        |map| map.start_stack = u64::MAX >> 1,
        |map| map.auxv_size = 16,
        |map| (map.auxv, map.auxv_size) = (map.arg_start, 4096),
    ];
    for (index, change) in changes.iter().enumerate() {
        let mut bad = good;
        change(&mut bad);
        ensure!(set_map(&bad) == Err(Errno::EINVAL), "change {index}");
    }
    let mut bad = good;
    (bad.auxv, bad.auxv_size) = (8, 16);
    ensure_eq!(set_map(&bad), Err(Errno::EFAULT));
    bad = good;
    bad.exe_fd = 99;
    ensure_eq!(set_map(&bad), Err(Errno::EBADF));
    ensure_eq!(description()?, good);
    Ok(())
}

fn arguments_can_be_shown_elsewhere() -> Outcome {
    let title = *b"another\0title\0";
    let settings = *b"A=1\0";
    let old = description()?;
    let new = PrctlMmMap {
        arg_start: addr(&title),
        arg_end: addr(&title) + title.len() as u64,
        env_start: addr(&settings),
        env_end: addr(&settings) + settings.len() as u64,
        ..old
    };
    ensure_eq!(set_map(&new), Ok(0));
    ensure_eq!(fs::read(b"/proc/self/cmdline")?, title);
    ensure_eq!(fs::read(b"/proc/self/environ")?, settings);
    ensure_eq!(description()?, new);
    // A child starts with it.
    let child = in_child(|| i32::from(fs::read(b"/proc/self/cmdline").unwrap_or_default() != title))?;
    ensure_eq!(ended(child), 0);
    Ok(())
}

fn the_auxiliary_vector_can_be_replaced() -> Outcome {
    let words: [u64; 6] = [6, 4096, 17, 100, 0, 0];
    let mut map = description()?;
    (map.auxv, map.auxv_size) = (addr(&words), size_of_val(&words) as u32);
    ensure_eq!(set_map(&map), Ok(0));
    let shown = fs::read(b"/proc/self/auxv")?;
    let expected: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    ensure_eq!(shown, expected);
    let mut told = [u64::MAX; WORDS];
    let bytes = control(abi::PR_GET_AUXV, [addr_mut(&mut told), WORDS as u64 * 8, 0, 0])?;
    ensure_eq!(told[..6], words);
    ensure!(
        bytes > 48 && bytes < WORDS as u64 * 8,
        "{bytes} bytes are all there is"
    );
    let count = bytes as usize / 8;
    ensure!(
        told[6..count].iter().all(|&word| word == 0),
        "what lies behind the end"
    );
    // All that there is room for: the last pair is the end.
    let full = [1_u64; WORDS];
    (map.auxv, map.auxv_size) = (addr(&full), bytes as u32);
    ensure_eq!(set_map(&map), Ok(0));
    ensure_eq!(fs::read(b"/proc/self/auxv")?.len() as u64, bytes);
    map.auxv_size += 8;
    ensure_eq!(set_map(&map), Err(Errno::EINVAL));
    Ok(())
}

fn the_programs_file_stays_while_it_is_mapped() -> Outcome {
    let mut map = description()?;
    drop(File::create(b"plain", 0o644)?);
    let plain = File::open(b"plain")?;
    map.exe_fd = plain.descriptor() as u32;
    ensure_eq!(set_map(&map), Err(Errno::EACCES));
    drop(File::create(b"program", 0o755)?);
    let program = File::open(b"program")?;
    map.exe_fd = program.descriptor() as u32;
    ensure_eq!(set_map(&map), Err(Errno::EBUSY));
    let directory = File::open(b"/")?;
    map.exe_fd = directory.descriptor() as u32;
    ensure_eq!(set_map(&map), Err(Errno::EACCES));
    Ok(())
}

fn single_addresses_need_a_capability() -> Outcome {
    ensure_eq!(
        set_mm(abi::PR_SET_MM_START_CODE, [1 << 20, 1, 0]),
        Err(Errno::EINVAL)
    );
    ensure_eq!(
        set_mm(abi::PR_SET_MM_START_CODE, [1 << 20, 0, 1]),
        Err(Errno::EINVAL)
    );
    let refused = in_child(|| {
        let _ = call(Sysno::setresuid, &[1000, 1000, 1000]);
        let tries = [1, 7, 12, 13, 99].map(|operation| set_mm(operation, [1 << 20, 0, 0]));
        i32::from(tries != [Err(Errno::EPERM); 5])
    })?;
    ensure_eq!(ended(refused), 0);
    let old = description()?;
    if set_mm(abi::PR_SET_MM_ARG_END, [old.arg_end, 0, 0]) == Err(Errno::EPERM) {
        return Err(Failure::Skip("root is without CAP_SYS_RESOURCE"));
    }
    let title = *b"title\0";
    ensure_eq!(
        set_mm(abi::PR_SET_MM_ARG_START, [old.arg_end + 1, 0, 0]),
        Err(Errno::EINVAL)
    );
    ensure_eq!(
        set_mm(abi::PR_SET_MM_ARG_END, [old.arg_start - 1, 0, 0]),
        Err(Errno::EINVAL)
    );
    // Whichever is lower, the end goes up before the start does.
    let (start, end) = (addr(&title), addr(&title) + 6);
    let (first, second) = if end > old.arg_start {
        ((abi::PR_SET_MM_ARG_END, end), (abi::PR_SET_MM_ARG_START, start))
    } else {
        ((abi::PR_SET_MM_ARG_START, start), (abi::PR_SET_MM_ARG_END, end))
    };
    ensure_eq!(set_mm(first.0, [first.1, 0, 0]), Ok(0));
    ensure_eq!(set_mm(second.0, [second.1, 0, 0]), Ok(0));
    ensure_eq!(fs::read(b"/proc/self/cmdline")?, title);
    ensure_eq!(set_mm(99, [start, 0, 0]), Err(Errno::EINVAL));
    // Only strings and the stack have to be mapped, which the last page of all is not.
    ensure_eq!(
        set_mm(abi::PR_SET_MM_START_STACK, [LAST_PAGE, 0, 0]),
        Err(Errno::EFAULT)
    );
    ensure_eq!(set_mm(abi::PR_SET_MM_END_CODE, [1 << 46, 0, 0]), Ok(0));
    ensure_eq!(
        set_mm(abi::PR_SET_MM_AUXV, [start, 1 << 20, 0]),
        Err(Errno::EINVAL)
    );
    ensure_eq!(set_mm(abi::PR_SET_MM_AUXV, [8, 16, 0]), Err(Errno::EFAULT));
    ensure_eq!(set_mm(abi::PR_SET_MM_AUXV, [addr(&[6_u64, 1]), 16, 0]), Ok(0));
    ensure_eq!(fs::read(b"/proc/self/auxv")?[..2], [6, 0]);
    ensure_eq!(set_mm(abi::PR_SET_MM_EXE_FILE, [99, 0, 0]), Err(Errno::EBADF));
    Ok(())
}

fn the_cycle_counter_can_be_hidden() -> Outcome {
    let get = || {
        let mut access = 0_u32;
        control(abi::PR_GET_TSC, [addr_mut(&mut access), 0, 0, 0]).map(|_| access)
    };
    match get() {
        Err(Errno::EINVAL) => return Err(Failure::Skip("an older Linux")),
        access => ensure_eq!(access, Ok(abi::PR_TSC_ENABLE)),
    }
    ensure_eq!(control(abi::PR_GET_TSC, [8, 0, 0, 0]), Err(Errno::EFAULT));
    ensure_eq!(control(abi::PR_SET_TSC, [0, 0, 0, 0]), Err(Errno::EINVAL));
    ensure_eq!(control(abi::PR_SET_TSC, [3, 0, 0, 0]), Err(Errno::EINVAL));
    ensure!(cycles() != 0, "the counter counts");
    let hide = || control(abi::PR_SET_TSC, [abi::PR_TSC_SIGSEGV.into(), 0, 0, 0]);
    dies_of(SEGV, || {
        let _ = hide();
        cycles();
    })?;
    // It is the thread's own, and a child's.
    ensure_eq!(hide(), Ok(0));
    ensure_eq!(get(), Ok(abi::PR_TSC_SIGSEGV));
    dies_of(SEGV, || {
        cycles();
    })?;
    ensure_eq!(
        control(abi::PR_SET_TSC, [abi::PR_TSC_ENABLE.into(), 0, 0, 0]),
        Ok(0)
    );
    ensure!(cycles() != 0, "the counter counts again");
    Ok(())
}

fn seccomp_is_off() -> Outcome {
    ensure_eq!(control(abi::PR_GET_SECCOMP, [0; 4]), Ok(0));
    ensure_eq!(control(abi::PR_GET_SECCOMP, [1; 4]), Ok(0));
    ensure_eq!(control(abi::PR_SET_SECCOMP, [0; 4]), Err(Errno::EINVAL));
    ensure_eq!(control(abi::PR_SET_SECCOMP, [9, 0, 0, 0]), Err(Errno::EINVAL));
    Ok(())
}

fn storage_servers_need_a_capability() -> Outcome {
    let refused = in_child(|| {
        let _ = call(Sysno::setresuid, &[1000, 1000, 1000]);
        let tries = [
            control(abi::PR_SET_IO_FLUSHER, [9; 4]),
            control(abi::PR_GET_IO_FLUSHER, [9; 4]),
        ];
        i32::from(tries != [Err(Errno::EPERM); 2])
    })?;
    ensure_eq!(ended(refused), 0);
    let get = || control(abi::PR_GET_IO_FLUSHER, [0; 4]);
    if get() == Err(Errno::EPERM) {
        return Err(Failure::Skip("root is without CAP_SYS_RESOURCE"));
    }
    ensure_eq!(get(), Ok(0));
    ensure_eq!(control(abi::PR_SET_IO_FLUSHER, [2, 0, 0, 0]), Err(Errno::EINVAL));
    ensure_eq!(control(abi::PR_SET_IO_FLUSHER, [1, 0, 0, 1]), Err(Errno::EINVAL));
    ensure_eq!(control(abi::PR_GET_IO_FLUSHER, [1, 0, 0, 0]), Err(Errno::EINVAL));
    ensure_eq!(control(abi::PR_SET_IO_FLUSHER, [1, 0, 0, 0]), Ok(0));
    ensure_eq!(get(), Ok(1));
    ensure_eq!(ended(in_child(|| get().unwrap_or(9) as i32)?), 1);
    ensure_eq!(control(abi::PR_SET_IO_FLUSHER, [0, 0, 0, 0]), Ok(0));
    ensure_eq!(get(), Ok(0));
    Ok(())
}

/// Alignment, floating point modes and byte order of other machines, and what has gone.
fn options_of_other_machines() -> Outcome {
    let mut word = 0_u64;
    for option in [5, 6, 9, 10, 11, 12, 19, 20, 43, 44, 45, 46, 60, 61] {
        let answer = control(option, [addr_mut(&mut word), 0, 0, 0]);
        ensure!(answer == Err(Errno::EINVAL), "option {option}: {answer:?}");
    }
    Ok(())
}
