//! Programs and scripts of the test file system, executed as far as a host can: up to the first instruction.

extern crate std;

use core::sync::atomic::AtomicBool;

use los_abi::credentials::Personality;
use los_abi::syscall::{UserCStr, UserPtr};
use los_arch::hal::prelude::Paging as _;

use vfs::Credentials;

use super::*;
use crate::core_dump::Dumpable;
use crate::{inspect, testing};

fn request(path: &[u8], arguments: &[&[u8]]) -> Result<ExecRequest, Errno> {
    let credentials = Credentials::root();
    let caller = testing::caller(&credentials);
    let mut budget = Budget::new(8 << 20);
    Ok(ExecRequest {
        file: open(&caller, At::Cwd, path, Lookup::FOLLOW)?,
        is_unreachable: false,
        path: path.to_vec(),
        arguments: StringList::from_slices(arguments.iter().copied(), &mut budget)?,
        environment: StringList::from_slices([&b"A=1"[..]], &mut budget)?,
        budget,
    })
}

/// Executes in a fresh process and hands the result with the context to `look`.
fn execute<R>(
    path: &[u8],
    arguments: &[&[u8]],
    look: impl FnOnce(sync::Result<usize>, &Context<'_>) -> R,
) -> R {
    let (family, thread) = testing::program();
    let result = {
        let mut ctx = Context::new(&thread, TrapFrame::new_user(1, 2)).unwrap();
        let outcome = request(path, arguments).map_err(Into::into);
        let outcome = outcome.and_then(|request| execve(&ctx, request));
        ctx.refresh();
        look(outcome, &ctx)
    };
    drop(family);
    result
}

fn argument(ctx: &Context<'_>, index: u64) -> Vec<u8> {
    let pointers = ctx.frame().stack_pointer();
    let pointer: u64 = ctx.memory().read(UserPtr::new(pointers + 8 + 8 * index)).unwrap();
    ctx.memory().read_c_string(UserCStr::new(pointer), 100).unwrap()
}

#[test]
fn a_program_finds_its_segments_and_arguments() {
    execute(b"/program", &[b"program", b"-v"], |outcome, ctx| {
        assert_eq!(outcome, Ok(0));
        assert_eq!(ctx.frame().program_counter(), 0x40_1000);
        assert_eq!(ctx.frame().stack_pointer() % 16, 0);
        let read = |address| ctx.memory().read(UserPtr::<u32>::new(address));
        assert_eq!(read(0x40_1000), Ok(0xcccc_cccc));
        assert_eq!(read(0x40_0000), Ok(0x464c_457f));
        // The end of the file's part, the rest of its page, and the pages of zeros.
        assert_eq!(
            [read(0x40_202c), read(0x40_2030), read(0x40_5000)],
            [Ok(0xcccc_cccc), Ok(0), Ok(0)]
        );
        assert_eq!(read(testing::PROGRAM_MEMORY), Err(Errno::EFAULT));
        assert_eq!(argument(ctx, 1), b"-v");
        assert_eq!(ctx.thread.name().as_bytes(), b"program");
        assert_eq!(ctx.process.image().code, (0x40_1000, 0x40_1080));
    });
}

#[test]
fn a_script_is_handed_to_its_interpreter() {
    execute(b"/script", &[b"zero", b"one"], |outcome, ctx| {
        assert_eq!(outcome, Ok(0));
        let arguments: Vec<_> = (0..4).map(|index| argument(ctx, index)).collect();
        assert_eq!(arguments, [&b"/program"[..], b"-x", b"/script", b"one"]);
        assert_eq!(ctx.thread.name().as_bytes(), b"script");
    });
}

#[test]
fn what_cannot_be_executed_leaves_the_caller_as_it_was() {
    for (path, errno) in [
        (&b"/other-machine"[..], Errno::ENOEXEC),
        (b"/empty", Errno::ENOEXEC),
        (b"/lost-script", Errno::ENOENT),
        (b"/loop", Errno::ELOOP),
        (b"/nowhere", Errno::ENOENT),
        (b"/", Errno::EACCES),
    ] {
        execute(path, &[b"x"], |outcome, ctx| {
            assert_eq!(outcome, Err(errno.into()), "{}", path.escape_ascii());
            assert_eq!(ctx.frame().program_counter(), 1);
            let word = ctx.memory().read(UserPtr::<u64>::new(testing::PROGRAM_MEMORY));
            assert_eq!(word, Ok(0));
            assert_eq!(ctx.thread.name().as_bytes(), b"test");
        });
    }
}

#[test]
fn what_cannot_be_mapped_ends_the_caller() {
    execute(b"/unmappable", &[b"x"], |outcome, ctx| {
        assert_eq!(outcome, Err(Errno::ENOEXEC.into()));
        assert!(ctx.thread.pending().contains(Signal::SEGV));
    });
    execute(b"/other-machine", &[b"x"], |_, ctx| {
        assert!(!ctx.thread.pending().contains(Signal::SEGV));
    });
}

#[test]
fn frames_come_back() {
    const ROUNDS: usize = 500;
    const ATTEMPTS: usize = 5;
    execute(b"/program", &[b"x"], |outcome, _| assert_eq!(outcome, Ok(0)));
    let mut lost_by_attempt = (0..ATTEMPTS).map(|_| {
        let before = mm::frames::statistics().free_pages;
        for _ in 0..ROUNDS {
            execute(b"/program", &[b"x"], |outcome, _| assert_eq!(outcome, Ok(0)));
            execute(b"/other-machine", &[b"x"], |outcome, _| assert!(outcome.is_err()));
        }
        before.saturating_sub(mm::frames::statistics().free_pages)
    });
    // Other tests use frames meanwhile, but not at every attempt; a leak shows in each.
    assert!(lost_by_attempt.any(|lost| lost < ROUNDS / 2));
}

#[test]
fn page_zero_is_for_who_may_map_there() {
    let has_page_zero = |lowest, credentials: Credentials| {
        let (family, thread) = testing::program();
        thread.attributes.store_personality(Personality::MMAP_PAGE_ZERO);
        thread.set_credentials(Arc::new(credentials));
        let mut has_it = false;
        {
            let mut ctx = Context::new(&thread, TrapFrame::new_user(1, 2)).unwrap();
            let request = request(b"/program", &[b"program"]).unwrap();
            let outcome = testing::with_lowest_address(lowest, || execve(&ctx, request));
            assert_eq!(outcome, Ok(0));
            ctx.refresh();
            ctx.memory().for_each_vma(&mut |vma| has_it |= vma.start == 0);
        }
        drop(family);
        has_it
    };
    let lowest = Current::USER_START;
    assert!(has_page_zero(lowest, Credentials::root()));
    assert!(!has_page_zero(lowest, Credentials::user(1000, 1000)));
    assert!(has_page_zero(0, Credentials::user(1000, 1000)));
}

#[test]
fn nobody_sees_a_program_without_its_identity() {
    // Who has changed its user ends with a program that others may not look into.
    let credentials = Arc::new(Credentials {
        uid: 1000,
        ..Credentials::root()
    });
    for _ in 0..200 {
        let (family, thread) = testing::program();
        let process = thread.process();
        thread.set_credentials(credentials.clone());
        process.set_dumpable(Dumpable::User);
        let old = process.memory().unwrap();
        let (has_begun, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
        let look = || {
            let is_last = is_over.load(Ordering::SeqCst);
            let (memory, is_dumpable) =
                inspect::between_programs(process, || (process.memory(), process.is_dumpable()));
            has_begun.store(true, Ordering::SeqCst);
            let is_new = memory.is_some_and(|memory| !Arc::ptr_eq(&memory, &old));
            (is_new || is_last).then_some((is_new, is_dumpable))
        };
        std::thread::scope(|scope| {
            let looks = scope.spawn(|| core::iter::repeat_with(look).flatten().next());
            let mut ctx = Context::new(&thread, TrapFrame::new_user(1, 2)).unwrap();
            let request = request(b"/program", &[b"program"]).unwrap();
            while !has_begun.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            let outcome = execve(&ctx, request);
            ctx.refresh();
            is_over.store(true, Ordering::SeqCst);
            assert_eq!(outcome, Ok(0));
            assert_eq!(looks.join().unwrap(), Some((true, false)));
        });
        drop(family);
    }
}
