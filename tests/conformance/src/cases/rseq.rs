//! Restartable sequences: registration, the fields, and critical sections that are aborted.

use core::sync::atomic::{AtomicU64, Ordering};

use los_abi::errno::Errno;
use los_abi::rseq::{RSEQ_CPU_ID_UNINITIALIZED, RSEQ_FLAG_UNREGISTER, RSEQ_ORIGINAL_BYTES, Rseq, RseqCs};
use los_abi::signal::{SIGSEGV, SIGUSR1, SIGVTALRM, SaFlags, SigInfo, SigSet};
use los_abi::syscall::Sysno;

use crate::arch::{self, KERNEL_ADDRESS, RESTARTABLE, RESTARTABLE_PARTS, UContext};
use crate::cases::{dies_of, ended};
use crate::handler::install;
use crate::harness::{Outcome, in_child, spawn, wait_for};
use crate::raw::{addr, addr_mut, call, invoke_long, peek, poke};
use crate::thread;
use crate::{cases, ensure, ensure_eq};

cases![
    registration_argument_checks,
    the_area_tells_the_cpu,
    an_undisturbed_section_ends,
    a_signal_aborts_the_section,
    another_thread_aborts_the_section,
    a_disturbance_outside_of_the_section_clears_it,
    wrong_sections_kill,
    handlers_run_all_the_same,
    forks_keep_the_area_and_threads_do_not,
    barriers_for_sections_want_registration,
];

/// What stands before the abort handler of [`RESTARTABLE`].
const SIGNATURE: u64 = 0x5305_3053;
const BYTES: u64 = RSEQ_ORIGINAL_BYTES as u64;
/// Turns of a section that is to be aborted: more than there is time for.
const FOR_EVER: u64 = u64::MAX;
/// Where in the page the parts are that a case needs.
const DESCRIPTOR: u64 = 0x100;
const CODE: u64 = 0x200;

static SEEN: AtomicU64 = AtomicU64::new(0);

/// Returns a page with [`RESTARTABLE`] in it, for an area at its start and a descriptor.
fn page() -> Result<u64, Errno> {
    let page = call(Sysno::mmap, &[0, 4096, 7, 0x22, u64::MAX, 0])?;
    for (index, byte) in RESTARTABLE.iter().enumerate() {
        poke(page + CODE + index as u64, *byte);
    }
    Ok(page)
}

fn registered_page() -> Result<u64, Errno> {
    let page = page()?;
    call(Sysno::rseq, &[page, BYTES, 0, SIGNATURE])?;
    Ok(page)
}

fn section(page: u64) -> RseqCs {
    let [start, end, abort] = RESTARTABLE_PARTS;
    RseqCs {
        start_ip: page + CODE + start,
        post_commit_offset: end - start,
        abort_ip: page + CODE + abort,
        ..RseqCs::default()
    }
}

/// Counts down in a section; returns 1 if that was aborted.
fn run(page: u64, section: RseqCs, turns: u64) -> i64 {
    poke(page + DESCRIPTOR, section);
    let pointer = page + core::mem::offset_of!(Rseq, rseq_cs) as u64;
    invoke_long(page + CODE, [pointer, page + DESCRIPTOR, turns])
}

fn registration_argument_checks() -> Outcome {
    let page = page()?;
    let ask = |area, bytes, flags: u32, signature| {
        call(Sysno::rseq, &[area, bytes, u64::from(flags), signature]).err()
    };
    let (off, invalid) = (RSEQ_FLAG_UNREGISTER, Some(Errno::EINVAL));
    ensure_eq!(ask(page, BYTES, off, SIGNATURE), invalid);
    ensure_eq!(ask(page, BYTES, 4, SIGNATURE), invalid);
    ensure_eq!(ask(page, BYTES - 1, 0, SIGNATURE), invalid);
    ensure_eq!(ask(page, 0, 0, SIGNATURE), invalid);
    ensure_eq!(ask(page + 8, BYTES, 0, SIGNATURE), invalid);
    ensure_eq!(ask(KERNEL_ADDRESS, BYTES, 0, SIGNATURE), Some(Errno::EFAULT));
    ensure_eq!(ask(page, BYTES, 0, SIGNATURE), None);
    ensure_eq!(ask(page, BYTES, 0, SIGNATURE), Some(Errno::EBUSY));
    ensure_eq!(ask(page, BYTES, 0, 1), Some(Errno::EPERM));
    ensure_eq!(ask(page, 2 * BYTES, 0, 1), invalid);
    ensure_eq!(ask(page + 64, BYTES, 0, SIGNATURE), invalid);
    ensure_eq!(ask(page + 64, BYTES, off, SIGNATURE), invalid);
    ensure_eq!(ask(page, 2 * BYTES, off, SIGNATURE), invalid);
    ensure_eq!(ask(page, BYTES, off, 1), Some(Errno::EPERM));
    ensure_eq!(ask(page, BYTES, off | 2, SIGNATURE), invalid);
    ensure_eq!(ask(page, BYTES, off, SIGNATURE), None);
    ensure_eq!(ask(page, BYTES, off, SIGNATURE), invalid);
    // Areas grow: a longer one is fine.
    ensure_eq!(ask(page + 64, 2 * BYTES, 0, 7), None);
    Ok(())
}

fn the_area_tells_the_cpu() -> Outcome {
    // One CPU, so that the answers can be compared.
    call(Sysno::sched_setaffinity, &[0, 8, addr(&1_u64)])?;
    let page = page()?;
    poke(page, [u8::MAX; 4]);
    call(Sysno::rseq, &[page, BYTES, 0, SIGNATURE])?;
    let mut cpu = u32::MAX;
    call(Sysno::getcpu, &[addr_mut(&mut cpu), 0, 0])?;
    let area: Rseq = peek(page);
    ensure_eq!((area.cpu_id, area.cpu_id_start), (cpu, cpu));
    ensure_eq!((area.rseq_cs, area.flags, area.node_id), (0, 0, 0));
    call(
        Sysno::rseq,
        &[page, BYTES, u64::from(RSEQ_FLAG_UNREGISTER), SIGNATURE],
    )?;
    let area: Rseq = peek(page);
    ensure_eq!((area.cpu_id, area.cpu_id_start), (RSEQ_CPU_ID_UNINITIALIZED, 0));
    Ok(())
}

fn an_undisturbed_section_ends() -> Outcome {
    let page = registered_page()?;
    let attempts = (0..1000).find(|_| run(page, section(page), 10) == 0);
    ensure!(attempts.is_some());
    Ok(())
}

/// Where the interrupted code goes on is in the frame already: the section was aborted before it was made.
fn note_the_counter(_number: u32, _info: &SigInfo, context: &mut UContext) {
    SEEN.store(arch::program_counter(context), Ordering::Relaxed);
}

/// Has SIGVTALRM sent after a while of running, again and again.
fn interrupt_later() -> Result<u64, Errno> {
    const ITIMER_VIRTUAL: u64 = 1;
    let after: [u64; 4] = [0, 5_000, 0, 5_000];
    call(Sysno::setitimer, &[ITIMER_VIRTUAL, addr(&after), 0])
}

fn a_signal_aborts_the_section() -> Outcome {
    let page = registered_page()?;
    install(SIGVTALRM, SaFlags::empty(), SigSet::EMPTY, note_the_counter)?;
    let section = section(page);
    interrupt_later()?;
    // Another thread's turn may abort it first.
    while SEEN.load(Ordering::Relaxed) != section.abort_ip {
        ensure_eq!(run(page, section, FOR_EVER), 1);
    }
    ensure_eq!(peek::<Rseq>(page).rseq_cs, 0);
    Ok(())
}

fn another_thread_aborts_the_section() -> Outcome {
    call(Sysno::sched_setaffinity, &[0, 8, addr(&1_u64)])?;
    let page = registered_page()?;
    let other = spawn(|| {
        loop {
            let _ = call(Sysno::sched_yield, &[]);
        }
    })?;
    let aborted = run(page, section(page), FOR_EVER);
    call(Sysno::kill, &[other as u64, 9])?;
    wait_for(other)?;
    ensure_eq!(aborted, 1);
    ensure_eq!(peek::<Rseq>(page).rseq_cs, 0);
    Ok(())
}

fn a_disturbance_outside_of_the_section_clears_it() -> Outcome {
    let page = registered_page()?;
    while run(page, section(page), 1) != 0 {}
    install(SIGVTALRM, SaFlags::empty(), SigSet::EMPTY, note_the_counter)?;
    crate::handler::raise(SIGVTALRM)?;
    ensure_eq!(peek::<Rseq>(page).rseq_cs, 0);
    Ok(())
}

fn wrong_sections_kill() -> Outcome {
    let page = page()?;
    let good = section(page);
    for (what, bad) in [
        ("version", RseqCs { version: 1, ..good }),
        ("flags", RseqCs { flags: 8, ..good }),
        (
            "abort inside",
            RseqCs {
                abort_ip: good.start_ip + 1,
                ..good
            },
        ),
        (
            "no signature",
            RseqCs {
                abort_ip: good.abort_ip + 1,
                ..good
            },
        ),
        (
            "abort in the kernel",
            RseqCs {
                abort_ip: KERNEL_ADDRESS,
                ..good
            },
        ),
    ] {
        let status = in_child(|| {
            let _ = call(Sysno::rseq, &[page, BYTES, 0, SIGNATURE]);
            let _ = install(SIGVTALRM, SaFlags::empty(), SigSet::EMPTY, note_the_counter);
            let _ = interrupt_later();
            run(page, bad, FOR_EVER) as i32
        })?;
        ensure!(ended(status) == 128 + SIGSEGV as i32, "{what}: {status:?}");
    }
    dies_of(SIGSEGV, || {
        // An area that is gone.
        let _ = call(Sysno::rseq, &[page, BYTES, 0, SIGNATURE]);
        let _ = install(SIGVTALRM, SaFlags::empty(), SigSet::EMPTY, note_the_counter);
        let _ = call(Sysno::munmap, &[page, 4096]);
        let _ = crate::handler::raise(SIGVTALRM);
    })
}

/// Ends the process by a status that tells the signal.
fn exit_by_handler(number: u32, _info: &SigInfo, _context: &mut UContext) {
    rt::process::exit_now(40 + number as i32);
}

/// A wrong section costs a SIGSEGV that can be handled, and takes no other signal its handler: only SIGSEGV itself
/// loses the one that it had.
fn handlers_run_all_the_same() -> Outcome {
    let page = page()?;
    for (number, handled) in [(SIGUSR1, SIGSEGV), (SIGSEGV, SIGSEGV)] {
        let run = || {
            in_child(|| {
                let ready = call(Sysno::rseq, &[page, BYTES, 0, SIGNATURE])
                    .and_then(|_| install(SIGSEGV, SaFlags::empty(), SigSet::EMPTY, exit_by_handler))
                    .and_then(|()| install(SIGUSR1, SaFlags::empty(), SigSet::EMPTY, exit_by_handler));
                poke(page + core::mem::offset_of!(Rseq, rseq_cs) as u64, 8_u64);
                let raised = crate::handler::raise(number);
                i32::from(ready.is_err() || raised.is_err())
            })
        };
        // Another thread's turn in the middle of the handler of SIGSEGV ends it.
        let mut statuses = (0..20).map(|_| run().map(ended));
        let expected = 40 + handled as i32;
        ensure!(
            statuses.any(|status| status.is_ok_and(|status| status == expected)),
            "signal {number}"
        );
    }
    Ok(())
}

/// Tries to give up the area at an address; returns 0 or the errno.
extern "C" fn give_up(area: u64) -> i32 {
    let arguments = [area, BYTES, u64::from(RSEQ_FLAG_UNREGISTER), SIGNATURE];
    call(Sysno::rseq, &arguments).map_or_else(|errno| errno.code(), |_| 0)
}

extern "C" fn give_up_in_thread(area: u64) -> i32 {
    SEEN.store(give_up(area).cast_unsigned().into(), Ordering::Relaxed);
    0
}

fn forks_keep_the_area_and_threads_do_not() -> Outcome {
    let page = registered_page()?;
    ensure_eq!(ended(in_child(|| give_up(page))?), 0);
    thread::start(give_up_in_thread, page)?.join();
    ensure_eq!(SEEN.load(Ordering::Relaxed), Errno::EINVAL.code() as u64);
    ensure_eq!(give_up(page), 0);
    ensure_eq!(ended(in_child(|| give_up(page))?), Errno::EINVAL.code());
    Ok(())
}

fn barriers_for_sections_want_registration() -> Outcome {
    const RSEQ: u64 = 0x80;
    const REGISTER_RSEQ: u64 = 0x100;
    const FLAG_CPU: u64 = 1;
    let barrier = |command, flags, cpu| call(Sysno::membarrier, &[command, flags, cpu]);
    ensure_eq!(barrier(0, 0, 0)? & (RSEQ | REGISTER_RSEQ), RSEQ | REGISTER_RSEQ);
    ensure_eq!(barrier(RSEQ, 2, 0).err(), Some(Errno::EINVAL));
    ensure_eq!(barrier(RSEQ, 0, 0).err(), Some(Errno::EPERM));
    ensure_eq!(barrier(REGISTER_RSEQ, FLAG_CPU, 0).err(), Some(Errno::EINVAL));
    barrier(REGISTER_RSEQ, 0, 0)?;
    barrier(RSEQ, 0, 0)?;
    barrier(RSEQ, FLAG_CPU, 0)?;
    // A CPU that does not exist has nobody to restart.
    barrier(RSEQ, FLAG_CPU, 100_000)?;
    Ok(())
}
