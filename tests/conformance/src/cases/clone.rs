//! clone(2), clone3(2), unshare(2): what is shared, what is stored, what is refused.

use los_abi::errno::Errno;
use los_abi::signal::{SIGCHLD, SIGUSR1, SIGUSR2};
use los_abi::syscall::Sysno;
use los_abi::task::{CLONE_ARGS_SIZE_VER0, CloneArgs, CloneFlags};
use rt::{process, signal};

use crate::arch::thread_pointer;
use crate::cases::ended;
use crate::harness::{Failure, Outcome, catch, in_child, wait_for};
use crate::raw::{addr, addr_mut, call, peek, poke};
use crate::thread::{self, STACK_BYTES, THREAD, Words, publish, shared_page, stack, wait_until_changed};
use crate::{cases, ensure, ensure_eq};

cases![
    senseless_flags_are_einval,
    an_exit_signal_of_clone_is_not_checked,
    clone3_refuses_wrong_sizes,
    clone3_refuses_wrong_arguments,
    clone3_forks_and_stores_the_numbers,
    clone3_starts_a_thread_on_its_stack,
    a_number_can_be_chosen,
    child_settid_is_in_the_childs_memory,
    vfork_shares_the_memory,
    handlers_can_be_cleared,
    a_sibling_is_the_parents_child,
    files_and_directories_are_shared,
    memory_is_shared_without_threads,
    unshare_gives_own_copies,
    unshare_refuses_what_others_use,
    process_limit_is_eagain,
];

const CLONE_ARGS_BYTES: u64 = size_of::<CloneArgs>() as u64;

extern "C" fn return_argument(argument: u64) -> i32 {
    argument as i32
}

fn clone(flags: CloneFlags) -> Option<Errno> {
    thread::clone(flags, SIGCHLD, Words::default(), return_argument, 0).err()
}

fn clone3(arguments: &CloneArgs) -> Result<u64, Errno> {
    thread::clone3(arguments, CLONE_ARGS_BYTES, return_argument, 0)
}

fn arguments(flags: CloneFlags) -> CloneArgs {
    CloneArgs {
        flags: flags.bits(),
        exit_signal: u64::from(SIGCHLD),
        ..CloneArgs::default()
    }
}

fn senseless_flags_are_einval() -> Outcome {
    for flags in [
        CloneFlags::THREAD | CloneFlags::VM,
        CloneFlags::SIGHAND,
        CloneFlags::NEWNS | CloneFlags::FS,
        CloneFlags::NEWUSER | CloneFlags::FS,
        CloneFlags::PIDFD | CloneFlags::PARENT_SETTID,
        CloneFlags::PIDFD | CloneFlags::DETACHED,
    ] {
        ensure_eq!(clone(flags), Some(Errno::EINVAL));
    }
    // What has no meaning any more is accepted.
    for flags in [
        CloneFlags::DETACHED,
        CloneFlags::UNTRACED | CloneFlags::IO | CloneFlags::SYSVSEM,
    ] {
        ensure_eq!(clone(flags), None);
        ensure!(process::wait(-1, process::WaitFlags::empty())?.is_some());
    }
    Ok(())
}

fn an_exit_signal_of_clone_is_not_checked() -> Outcome {
    let pid = thread::clone(CloneFlags::empty(), 0x7f, Words::default(), return_argument, 3)?;
    let (waited, status) = process::wait(pid as i32, process::WaitFlags::ALL)?.ok_or(Errno::ECHILD)?;
    ensure_eq!((waited as u64, ended(status)), (pid, 3));
    Ok(())
}

fn clone3_refuses_wrong_sizes() -> Outcome {
    let mut large = [0_u64; 513];
    large[4] = u64::from(SIGCHLD);
    let try_size = |words: &[u64; 513], size: u64| {
        let result = call(Sysno::clone3, &[addr(words), size]);
        if result == Ok(0) {
            process::exit_now(0);
        }
        result
    };
    for (size, errno) in [(0, Errno::EINVAL), (63, Errno::EINVAL), (4097, Errno::E2BIG)] {
        ensure_eq!(try_size(&large, size).err(), Some(errno));
    }
    for size in [CLONE_ARGS_SIZE_VER0 as u64, CLONE_ARGS_BYTES, 4096] {
        let pid = try_size(&large, size)?;
        ensure_eq!(ended(wait_for(pid as i32)?), 0);
    }
    large[11] = 1;
    ensure_eq!(try_size(&large, 4096).err(), Some(Errno::E2BIG));
    ensure_eq!(
        call(Sysno::clone3, &[8, CLONE_ARGS_BYTES]).err(),
        Some(Errno::EFAULT)
    );
    Ok(())
}

fn clone3_refuses_wrong_arguments() -> Outcome {
    let plain = arguments(CloneFlags::empty());
    let thread = CloneArgs {
        exit_signal: u64::from(SIGCHLD),
        ..arguments(THREAD)
    };
    let number = [5_u32];
    for wrong in [
        arguments(CloneFlags::DETACHED),
        arguments(CloneFlags::from_bits_retain(1)),
        arguments(CloneFlags::from_bits_retain(1 << 40)),
        arguments(CloneFlags::VM | CloneFlags::SIGHAND | CloneFlags::CLEAR_SIGHAND),
        arguments(CloneFlags::PARENT),
        thread,
        CloneArgs {
            exit_signal: 65,
            ..plain
        },
        CloneArgs {
            exit_signal: 1 << 32 | 17,
            ..plain
        },
        CloneArgs {
            stack: 0x1000,
            ..plain
        },
        CloneArgs {
            stack_size: 0x1000,
            ..plain
        },
        CloneArgs {
            set_tid_size: 1,
            ..plain
        },
        CloneArgs {
            set_tid: addr(&number),
            ..plain
        },
        CloneArgs {
            set_tid: addr(&number),
            set_tid_size: 33,
            ..plain
        },
        CloneArgs {
            cgroup: 1 << 32,
            ..arguments(CloneFlags::INTO_CGROUP)
        },
    ] {
        ensure_eq!(clone3(&wrong).err(), Some(Errno::EINVAL));
    }
    let cgroup = CloneArgs {
        cgroup: 9999,
        ..arguments(CloneFlags::INTO_CGROUP)
    };
    ensure_eq!(clone3(&cgroup).err(), Some(Errno::EBADF));
    let unreadable = CloneArgs {
        set_tid: 8,
        set_tid_size: 1,
        ..plain
    };
    ensure_eq!(clone3(&unreadable).err(), Some(Errno::EFAULT));
    Ok(())
}

fn clone3_forks_and_stores_the_numbers() -> Outcome {
    let page = shared_page()?;
    let settid = CloneFlags::PARENT_SETTID | CloneFlags::CHILD_SETTID;
    let request = CloneArgs {
        parent_tid: page,
        child_tid: page + 4,
        ..arguments(settid)
    };
    let pid = thread::clone3(&request, CLONE_ARGS_BYTES, return_argument, 7)?;
    ensure_eq!(ended(wait_for(pid as i32)?), 7);
    ensure_eq!(
        (peek::<u32>(page), peek::<u32>(page + 4)),
        (pid as u32, pid as u32)
    );
    Ok(())
}

/// Tells its thread pointer, an address on its stack, and that it has run.
extern "C" fn describe_thread(page: u64) -> i32 {
    let local = 0_u64;
    poke(page + 8, thread_pointer());
    poke(page + 16, addr(&local));
    publish(page, 1);
    0
}

fn clone3_starts_a_thread_on_its_stack() -> Outcome {
    let page = shared_page()?;
    let stack = stack()?;
    poke::<u32>(page + 4, 1);
    let flags = THREAD | CloneFlags::SETTLS | CloneFlags::CHILD_CLEARTID;
    let request = CloneArgs {
        flags: flags.bits(),
        stack,
        stack_size: STACK_BYTES,
        tls: page + 64,
        child_tid: page + 4,
        ..CloneArgs::default()
    };
    thread::clone3(&request, CLONE_ARGS_BYTES, describe_thread, page)?;
    wait_until_changed(page + 4, 1);
    ensure_eq!((peek::<u32>(page), peek::<u32>(page + 4)), (1, 0));
    ensure_eq!(peek::<u64>(page + 8), page + 64);
    let local: u64 = peek(page + 16);
    ensure!(local >= stack && local < stack + STACK_BYTES);
    Ok(())
}

fn a_number_can_be_chosen() -> Outcome {
    let choose = |number: i32| {
        let numbers = [number];
        clone3(&CloneArgs {
            set_tid: addr(&numbers),
            set_tid_size: 1,
            ..arguments(CloneFlags::empty())
        })
    };
    for number in [0, -1, i32::MAX] {
        ensure_eq!(choose(number).err(), Some(Errno::EINVAL));
    }
    match choose(process::id()) {
        Err(Errno::EPERM) => return Err(Failure::Skip("not privileged")),
        other => ensure_eq!(other.err(), Some(Errno::EEXIST)),
    }
    let free = (20_000..30_000)
        .find(|pid| call(Sysno::kill, &[*pid, 0]) == Err(Errno::ESRCH))
        .ok_or(Errno::EAGAIN)?;
    let pid = choose(free as i32)?;
    ensure_eq!(pid, free);
    ensure_eq!(ended(wait_for(pid as i32)?), 0);
    let status = in_child(|| {
        let dropped = call(Sysno::setuid, &[1000]);
        i32::from(dropped.is_err() || choose(free as i32) != Err(Errno::EPERM))
    })?;
    ensure_eq!(ended(status), 0);
    Ok(())
}

extern "C" fn compare_word(place: u64) -> i32 {
    i32::from(u64::from(peek::<u32>(place)) != call(Sysno::gettid, &[]).unwrap_or(0))
}

fn child_settid_is_in_the_childs_memory() -> Outcome {
    let mut word = 7_u32;
    let words = Words {
        child_tid: addr_mut(&mut word),
        ..Words::default()
    };
    let place = words.child_tid;
    let pid = thread::clone(CloneFlags::CHILD_SETTID, SIGCHLD, words, compare_word, place)?;
    ensure_eq!(ended(wait_for(pid as i32)?), 0);
    ensure_eq!(peek::<u32>(place), 7);
    let words = Words {
        child_tid: 8,
        parent_tid: 8,
        ..Words::default()
    };
    // A bad address has no effect.
    let flags = CloneFlags::CHILD_SETTID | CloneFlags::PARENT_SETTID | CloneFlags::CHILD_CLEARTID;
    let pid = thread::clone(flags, SIGCHLD, words, return_argument, 4)?;
    ensure_eq!(ended(wait_for(pid as i32)?), 4);
    Ok(())
}

extern "C" fn store_late(place: u64) -> i32 {
    rt::time::sleep_ms(20);
    poke::<u32>(place, 5);
    0
}

fn vfork_shares_the_memory() -> Outcome {
    let mut word = 0_u32;
    let place = addr_mut(&mut word);
    let flags = CloneFlags::VM | CloneFlags::VFORK;
    let pid = thread::clone(flags, SIGCHLD, Words::default(), store_late, place)?;
    ensure_eq!(peek::<u32>(place), 5);
    ensure_eq!(ended(wait_for(pid as i32)?), 0);
    Ok(())
}

extern "C" fn tell_handlers(_: u64) -> i32 {
    let handler = |signal: u32| {
        let mut action = [1_u64; 4];
        let asked = call(
            Sysno::rt_sigaction,
            &[u64::from(signal), 0, addr_mut(&mut action), 8],
        );
        asked.map_or(9, |_| action[0] as i32)
    };
    handler(SIGUSR1) * 10 + handler(SIGUSR2)
}

fn handlers_can_be_cleared() -> Outcome {
    catch(SIGUSR1);
    signal::ignore(SIGUSR2);
    let cleared = arguments(CloneFlags::CLEAR_SIGHAND);
    let pid = thread::clone3(&cleared, CLONE_ARGS_BYTES, tell_handlers, 0)?;
    // The default for what was caught, and still ignored what was.
    ensure_eq!(ended(wait_for(pid as i32)?), 1);
    Ok(())
}

fn a_sibling_is_the_parents_child() -> Outcome {
    let page = shared_page()?;
    let status = in_child(|| {
        let flags = CloneFlags::PARENT;
        match thread::clone(flags, SIGCHLD, Words::default(), return_argument, 6) {
            Ok(pid) => {
                poke(page, pid as i32);
                i32::from(call(Sysno::wait4, &[u64::MAX, 0, 0, 0]) != Err(Errno::ECHILD))
            }
            Err(_) => 2,
        }
    })?;
    ensure_eq!(ended(status), 0);
    ensure_eq!(ended(wait_for(peek(page))?), 6);
    Ok(())
}

extern "C" fn open_and_move(_: u64) -> i32 {
    let opened = call(Sysno::dup3, &[0, 50, 0]);
    let moved = rt::fs::change_directory(b"/");
    i32::from(opened.is_err() || moved.is_err())
}

fn files_and_directories_are_shared() -> Outcome {
    let here = rt::fs::current_directory()?;
    for (flags, is_open, has_moved) in [
        (CloneFlags::empty(), false, false),
        (CloneFlags::FILES, true, false),
        (CloneFlags::FS, false, true),
    ] {
        let pid = thread::clone(flags, SIGCHLD, Words::default(), open_and_move, 0)?;
        ensure_eq!(ended(wait_for(pid as i32)?), 0);
        ensure_eq!(call(Sysno::close, &[50]).is_ok(), is_open);
        ensure_eq!(rt::fs::current_directory()? != here, has_moved);
        rt::fs::change_directory(&here)?;
    }
    Ok(())
}

extern "C" fn store_and_end(place: u64) -> i32 {
    publish(place, 5);
    0
}

fn memory_is_shared_without_threads() -> Outcome {
    let mut word = 0_u32;
    let place = addr_mut(&mut word);
    let pid = thread::clone(CloneFlags::VM, SIGCHLD, Words::default(), store_and_end, place)?;
    ensure_eq!(ended(wait_for(pid as i32)?), 0);
    ensure_eq!(peek::<u32>(place), 5);
    Ok(())
}

extern "C" fn unshare_first(_: u64) -> i32 {
    let flags = CloneFlags::FILES | CloneFlags::FS | CloneFlags::SYSVSEM;
    match call(Sysno::unshare, &[flags.bits()]) {
        Ok(0) => open_and_move(0),
        _ => 9,
    }
}

fn unshare_gives_own_copies() -> Outcome {
    let here = rt::fs::current_directory()?;
    let flags = CloneFlags::FILES | CloneFlags::FS;
    let pid = thread::clone(flags, SIGCHLD, Words::default(), unshare_first, 0)?;
    ensure_eq!(ended(wait_for(pid as i32)?), 0);
    ensure_eq!(call(Sysno::close, &[50]).err(), Some(Errno::EBADF));
    ensure_eq!(rt::fs::current_directory()?, here);
    Ok(())
}

extern "C" fn wait_for_word(place: u64) -> i32 {
    wait_until_changed(place, 0);
    0
}

fn unshare_refuses_what_others_use() -> Outcome {
    let unshare = |flags: CloneFlags| call(Sysno::unshare, &[flags.bits()]).err();
    for flags in [
        CloneFlags::PARENT,
        CloneFlags::SETTLS,
        CloneFlags::from_bits_retain(1),
    ] {
        ensure_eq!(unshare(flags), Some(Errno::EINVAL));
    }
    let alone = CloneFlags::THREAD | CloneFlags::SIGHAND | CloneFlags::VM;
    ensure_eq!(unshare(alone), None);
    let page = shared_page()?;
    let other = thread::start(wait_for_word, page)?;
    for flags in [CloneFlags::THREAD, CloneFlags::SIGHAND, CloneFlags::VM] {
        ensure_eq!(unshare(flags), Some(Errno::EINVAL));
    }
    ensure_eq!(unshare(CloneFlags::FILES | CloneFlags::FS), None);
    publish(page, 1);
    other.join();
    Ok(())
}

fn process_limit_is_eagain() -> Outcome {
    const RLIMIT_NPROC: u64 = 6;
    let status = in_child(|| {
        if call(Sysno::setuid, &[4242]).is_err() {
            return 77;
        }
        let limit = [3_u64, 3];
        let _set = call(Sysno::prlimit64, &[0, RLIMIT_NPROC, addr(&limit), 0]);
        let mut made = 0;
        loop {
            match thread::clone(CloneFlags::empty(), SIGCHLD, Words::default(), pause, 0) {
                Ok(_) => made += 1,
                Err(Errno::EAGAIN) => break,
                Err(_) => return 50,
            }
            if made > 10 {
                break;
            }
        }
        let page = shared_page().unwrap_or(0);
        let thread = thread::start(wait_for_word, page);
        let _killed = call(Sysno::kill, &[0, 0]);
        made * 2 + i32::from(thread.is_ok())
    })?;
    if ended(status) == 77 {
        return Err(Failure::Skip("not root"));
    }
    // Two more beside the process itself, and no thread.
    ensure_eq!(ended(status), 4);
    Ok(())
}

/// Lives until its parent is gone.
extern "C" fn pause(_: u64) -> i32 {
    const PR_SET_PDEATHSIG: u64 = 1;
    let _asked = call(Sysno::prctl, &[PR_SET_PDEATHSIG, 9, 0, 0, 0]);
    loop {
        rt::time::sleep_ms(200);
        if call(Sysno::getppid, &[]) == Ok(1) {
            return 0;
        }
    }
}
