//! Core dumps (core(5)): each case lets a child die, and reads what that left in the current directory. They apply
//! where the pattern of names is the plain `core`.

use alloc::vec::Vec;

use los_abi::auxv::AT_PAGESZ;
use los_abi::core_dump::{
    ELF_IDENT, NT_AUXV, NT_FILE, NT_PRFPREG, NT_PRPSINFO, NT_PRSTATUS, NT_SIGINFO, PrPsInfo, PrStatus,
};
use los_abi::errno::Errno;
use los_abi::mm::{MADV_DODUMP, MADV_DONTDUMP};
use los_abi::prctl::PR_SET_DUMPABLE;
use los_abi::resource::{RLIM_INFINITY, RLIMIT_CORE, Rlimit64};
use los_abi::signal::{CLD_DUMPED, SIGABRT, SIGILL, SIGQUIT, SIGTERM, SigInfo};
use los_abi::syscall::Sysno;
use rt::process::{self, WaitStatus};
use rt::{fs, signal};

use crate::arch::{DUMPED_COUNTER, DUMPED_STACK, signals};
use crate::cases::program;
use crate::core_file::{Core, value};
use crate::harness::{Failure, Outcome, in_child, spawn};
use crate::raw::{addr, addr_mut, call, jump, poke};
use crate::thread::{self, STACK_BYTES, shared_page};
use crate::{cases, ensure, ensure_eq};

cases![
    a_core_tells_of_the_process,
    every_thread_is_recorded,
    registers_are_those_of_the_fault,
    memory_is_written,
    no_limit_no_core,
    a_limit_cuts_the_core,
    undumpable_processes_leave_none,
    only_some_signals_leave_one,
    advice_keeps_memory_out,
    the_filter_chooses,
    the_filter_is_read_and_inherited,
    links_are_not_followed,
    the_umask_must_leave_the_mode,
    the_parent_is_told,
];

const PAGE: u64 = 4096;
const ANONYMOUS_PRIVATE: u64 = 0x22;
const MARK: u64 = 0x0123_4567_89ab_cdef;

/// Skips where dumps go elsewhere.
fn prepare() -> Outcome {
    let read = |name: &[u8]| fs::read(name).unwrap_or_default();
    let plain = read(b"/proc/sys/kernel/core_pattern") == b"core\n"
        && read(b"/proc/sys/kernel/core_uses_pid") == b"0\n";
    if plain {
        Ok(())
    } else {
        Err(Failure::Skip("cores go elsewhere"))
    }
}

fn limit(bytes: u64) {
    let limit = Rlimit64 {
        rlim_cur: bytes,
        rlim_max: RLIM_INFINITY,
    };
    let _ = call(Sysno::prlimit64, &[0, RLIMIT_CORE.into(), addr(&limit), 0]);
}

fn die_of(number: u32) {
    signal::reset(number);
    let _ = call(Sysno::kill, &[process::id() as u64, number.into()]);
}

/// Lets a child die of SIGABRT after `first`, with room for a core.
fn dying(first: impl FnOnce()) -> Result<WaitStatus, Failure> {
    prepare()?;
    in_child(|| {
        limit(RLIM_INFINITY);
        first();
        die_of(SIGABRT);
        0
    })
}

fn has_core(status: WaitStatus) -> bool {
    matches!(
        status,
        WaitStatus::Signaled {
            core_dumped: true,
            ..
        }
    )
}

fn a_core_tells_of_the_process() -> Outcome {
    prepare()?;
    let pid = spawn(|| {
        limit(RLIM_INFINITY);
        die_of(SIGABRT);
        0
    })?;
    let status = crate::harness::wait_for(pid)?;
    ensure!(has_core(status), "{status:?}");
    let found = fs::File::open(b"core")?.metadata()?;
    ensure_eq!(found.permissions(), 0o600);
    let core = Core::read()?;
    let kinds: Vec<u32> = core.notes.iter().map(|note| note.1).collect();
    let first = [NT_PRSTATUS, NT_PRPSINFO, NT_SIGINFO, NT_AUXV, NT_FILE, NT_PRFPREG];
    ensure!(kinds.starts_with(&first), "{kinds:x?}");
    ensure!(core.notes[..6].iter().all(|note| note.0 == b"CORE"));
    let thread: PrStatus = value(core.note(NT_PRSTATUS)?, 0)?;
    ensure_eq!((thread.pr_pid, thread.pr_ppid), (pid, process::id()));
    ensure_eq!(
        (thread.si_signo, thread.pr_cursig),
        (SIGABRT as i32, SIGABRT as i16)
    );
    let told: PrPsInfo = value(core.note(NT_PRPSINFO)?, 0)?;
    ensure_eq!(
        (told.pr_pid, told.pr_ppid, told.pr_sname),
        (pid, process::id(), b'R')
    );
    ensure!(told.pr_fname.starts_with(b"conformance\0"), "{:?}", told.pr_fname);
    ensure!(told.pr_psargs.windows(11).any(|part| part == b"conformance"));
    let info: SigInfo = value(core.note(NT_SIGINFO)?, 0)?;
    ensure_eq!((info.si_signo, info.si_code), (SIGABRT as i32, 0));
    ensure_eq!(info.fields[0] as i32, pid);
    let auxv = core.note(NT_AUXV)?.chunks_exact(16);
    let words = |entry: &[u8]| value::<[u64; 2]>(entry, 0).unwrap_or_default();
    ensure!(auxv.map(words).any(|entry| entry == [AT_PAGESZ, PAGE]));
    the_files_are_told(&core)
}

fn the_files_are_told(core: &Core) -> Outcome {
    let files = core.note(NT_FILE)?;
    let [count, unit]: [u64; 2] = value(files, 0)?;
    ensure_eq!(unit, PAGE);
    let names = files.get(16 + count as usize * 24..).unwrap_or_default();
    let path = program();
    ensure_eq!(names.split(|byte| *byte == 0).next(), Some(path.as_slice()));
    let [start, end, offset]: [u64; 3] = value(files, 16)?;
    ensure!(start < end && offset == 0);
    ensure_eq!(core.segment(start)?.p_vaddr, start);
    Ok(())
}

extern "C" fn sleep_in_thread(place: u64) -> i32 {
    poke(place, call(Sysno::gettid, &[]).unwrap_or_default());
    poke(place + 8, addr(&place));
    thread::publish(place + 16, 1);
    loop {
        rt::time::sleep_ms(1000);
    }
}

extern "C" fn spin_in_thread(place: u64) -> i32 {
    poke(place, call(Sysno::gettid, &[]).unwrap_or_default());
    poke(place + 8, addr(&place));
    thread::publish(place + 16, 1);
    loop {
        core::hint::spin_loop();
    }
}

fn every_thread_is_recorded() -> Outcome {
    let page = shared_page()?;
    let threads: [(u64, extern "C" fn(u64) -> i32); 3] = [
        (page, sleep_in_thread),
        (page + 32, spin_in_thread),
        (page + 64, sleep_in_thread),
    ];
    let status = dying(|| {
        for (place, function) in threads {
            let _ = thread::start(function, place);
            thread::wait_until_changed(place + 16, 0);
        }
    })?;
    ensure!(has_core(status), "{status:?}");
    let core = Core::read()?;
    ensure_eq!(core.all(NT_PRSTATUS).count(), 4);
    ensure_eq!(core.all(NT_PRFPREG).count(), 4);
    for (place, _) in threads {
        let [tid, stack]: [u64; 2] = [crate::raw::peek(place), crate::raw::peek(place + 8)];
        let mut notes = core.all(NT_PRSTATUS);
        let note = notes
            .find(|note| value::<PrStatus>(note, 0).is_ok_and(|thread| thread.pr_pid as u64 == tid))
            .ok_or(Failure::Wrong("a thread is missing".into()))?;
        let pointer: u64 = value(note, size_of::<PrStatus>() + 8 * DUMPED_STACK)?;
        ensure!(
            pointer <= stack && stack - pointer < STACK_BYTES,
            "{pointer:#x} {stack:#x}"
        );
        ensure!(core.word(pointer)?.is_some());
    }
    Ok(())
}

fn registers_are_those_of_the_fault() -> Outcome {
    let code = call(Sysno::mmap, &[0, PAGE, 7, ANONYMOUS_PRIVATE, u64::MAX, 0])?;
    for (index, byte) in signals::ILLEGAL.iter().enumerate() {
        poke(code + index as u64, *byte);
    }
    let status = dying(|| {
        signal::reset(SIGILL);
        jump(code);
    })?;
    ensure!(has_core(status), "{status:?}");
    let core = Core::read()?;
    let counter: u64 = value(
        core.note(NT_PRSTATUS)?,
        size_of::<PrStatus>() + 8 * DUMPED_COUNTER,
    )?;
    ensure_eq!(counter, code);
    let info: SigInfo = value(core.note(NT_SIGINFO)?, 0)?;
    ensure_eq!((info.si_signo, info.address()), (SIGILL as i32, code));
    Ok(())
}

fn memory() -> Result<u64, Errno> {
    call(Sysno::mmap, &[0, 4 * PAGE, 3, ANONYMOUS_PRIVATE, u64::MAX, 0])
}

fn memory_is_written() -> Outcome {
    let at = memory()?;
    let shared = shared_page()?;
    let status = dying(|| {
        poke(at + PAGE, MARK);
        poke(shared, MARK);
        // Protection keeps nothing out.
        let _ = call(Sysno::mprotect, &[at, 4 * PAGE, 0]);
    })?;
    ensure!(has_core(status), "{status:?}");
    let core = Core::read()?;
    ensure_eq!(core.word(at)?, Some(0));
    ensure_eq!(core.word(at + PAGE)?, Some(MARK));
    ensure_eq!(core.word(shared)?, Some(MARK));
    ensure_eq!(core.segment(at)?.p_flags, 0);
    ensure!(core.word(addr(&at))?.is_some());
    Ok(())
}

fn no_limit_no_core() -> Outcome {
    prepare()?;
    for bytes in [0, 1, PAGE - 1] {
        let status = in_child(|| {
            limit(bytes);
            die_of(SIGABRT);
            0
        })?;
        ensure_eq!(process::shell_status(status), 128 + SIGABRT as i32);
        ensure!(!has_core(status));
        ensure_eq!(fs::read(b"core").err(), Some(Errno::ENOENT));
    }
    Ok(())
}

fn a_limit_cuts_the_core() -> Outcome {
    prepare()?;
    let bytes = 4 * PAGE;
    let at = memory()?;
    let status = in_child(|| {
        (0..4).for_each(|page| poke(at + page * PAGE, MARK));
        limit(bytes);
        die_of(SIGABRT);
        0
    })?;
    ensure!(has_core(status), "{status:?}");
    let found = fs::read(b"core")?;
    ensure!(
        !found.is_empty() && found.len() as u64 <= bytes,
        "{} bytes",
        found.len()
    );
    ensure_eq!(found[..4], ELF_IDENT[..4]);
    Ok(())
}

fn undumpable_processes_leave_none() -> Outcome {
    let status = dying(|| {
        let _ = call(Sysno::prctl, &[PR_SET_DUMPABLE as u64, 0, 0, 0, 0]);
    })?;
    ensure!(!has_core(status));
    ensure_eq!(fs::read(b"core").err(), Some(Errno::ENOENT));
    Ok(())
}

fn only_some_signals_leave_one() -> Outcome {
    let status = dying(|| die_of(SIGTERM))?;
    ensure!(!has_core(status));
    ensure_eq!(fs::read(b"core").err(), Some(Errno::ENOENT));
    let status = dying(|| die_of(SIGQUIT))?;
    ensure_eq!(process::shell_status(status), 128 + SIGQUIT as i32);
    ensure!(has_core(status));
    Ok(())
}

fn advice_keeps_memory_out() -> Outcome {
    let (kept, left_out) = (memory()?, memory()?);
    let status = dying(|| {
        for (at, advices) in [
            (kept, &[MADV_DONTDUMP, MADV_DODUMP][..]),
            (left_out, &[MADV_DONTDUMP]),
        ] {
            poke(at, MARK);
            for advice in advices {
                let _ = call(Sysno::madvise, &[at, 4 * PAGE, *advice as u64]);
            }
        }
    })?;
    ensure!(has_core(status), "{status:?}");
    let core = Core::read()?;
    ensure_eq!(core.word(kept)?, Some(MARK));
    ensure_eq!(core.word(left_out)?, None);
    Ok(())
}

const FILTER: &[u8] = b"/proc/self/coredump_filter";

fn set_filter(text: &[u8]) -> Result<(), Errno> {
    let flags = los_abi::fs::OpenFlags::WRONLY;
    fs::File::open_with(FILTER, flags, 0)?.write_all(text)
}

fn the_filter_chooses() -> Outcome {
    let (private, shared) = (memory()?, shared_page()?);
    let status = dying(|| {
        poke(private, MARK);
        poke(shared, MARK);
        let _ = set_filter(b"2");
    })?;
    ensure!(has_core(status), "{status:?}");
    let core = Core::read()?;
    ensure_eq!(core.word(private)?, None);
    ensure_eq!(core.word(shared)?, Some(MARK));
    Ok(())
}

fn the_filter_is_read_and_inherited() -> Outcome {
    ensure_eq!(fs::read(FILTER)?, b"00000033\n");
    set_filter(b"0x17\n")?;
    ensure_eq!(fs::read(FILTER)?, b"00000017\n");
    set_filter(b"0xfffff")?;
    ensure_eq!(fs::read(FILTER)?, b"000001ff\n");
    set_filter(b"010")?;
    ensure_eq!(set_filter(b"x").err(), Some(Errno::EINVAL));
    let status = in_child(|| i32::from(fs::read(FILTER) != Ok(b"00000008\n".to_vec())))?;
    ensure_eq!(process::shell_status(status), 0);
    Ok(())
}

fn links_are_not_followed() -> Outcome {
    let target = b"elsewhere";
    fs::File::create(target, 0o644)?.write_all(b"text")?;
    for make in [fs::symlink, fs::hard_link] {
        let _ = fs::remove_file(b"core");
        make(target, b"core")?;
        ensure!(has_core(dying(|| {})?));
        ensure_eq!(fs::read(target)?, b"text");
        Core::read()?;
        ensure_eq!(fs::read_link(b"core").err(), Some(Errno::EINVAL));
    }
    Ok(())
}

fn the_umask_must_leave_the_mode() -> Outcome {
    let status = dying(|| {
        process::set_umask(0o200);
    })?;
    ensure!(!has_core(status));
    Ok(())
}

fn the_parent_is_told() -> Outcome {
    const P_PID: u64 = 1;
    const WEXITED: u64 = 4;
    prepare()?;
    let pid = spawn(|| {
        limit(RLIM_INFINITY);
        die_of(SIGABRT);
        0
    })?;
    let mut info = SigInfo::default();
    call(
        Sysno::waitid,
        &[P_PID, pid as u64, addr_mut(&mut info), WEXITED, 0],
    )?;
    ensure_eq!(info.si_code, CLD_DUMPED);
    Ok(())
}
