//! Bombs of mappings, stacks, pipes, arguments and directories: see [`super::bombs`].

use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::signal::{SIGKILL, SIGSEGV};
use los_abi::syscall::Sysno;
use rt::{fs, process};

use crate::cases::bombs::{again_and_again, only_on_levitate, set_limit};
use crate::cases::memory::{ANONYMOUS, NO_FD, PAGE, PRIVATE, READ, WRITE};
use crate::cases::{ended, program};
use crate::harness::{Failure, Outcome, in_child};
use crate::raw::{addr, addr_mut, call};
use crate::{cases, ensure, ensure_eq};

cases![
    mappings_are_counted,
    recursion_ends_at_the_limit,
    recursion_without_a_limit_finds_the_killer,
    full_pipes_run_out_of_descriptors,
    full_pipes_without_a_limit,
    large_arguments_return_their_memory,
    deep_directories_are_removed,
    deep_directories_go_with_their_file_system,
];

const RLIMIT_STACK: u64 = 3;
const RLIMIT_NOFILE: u64 = 7;

fn map(address: u64, bytes: u64, protection: u64) -> Result<u64, Errno> {
    call(
        Sysno::mmap,
        &[address, bytes, protection, PRIVATE | ANONYMOUS, NO_FD, 0],
    )
}

/// Mappings that differ from their neighbours cannot merge: there may be `vm.max_map_count` of them, and no call
/// that needs one more succeeds.
fn mappings_are_counted() -> Outcome {
    let text = fs::read(b"/proc/sys/vm/max_map_count")?;
    let most: u64 = core::str::from_utf8(&text)
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .ok_or(Errno::EINVAL)?;
    if most > 100_000 {
        return Err(Failure::Skip("vm.max_map_count is high"));
    }
    again_and_again(|| {
        let status = in_child(|| match fill_mappings(most) {
            Ok(()) => 0,
            Err(line) => line,
        })?;
        ensure_eq!(ended(status), 0);
        Ok(())
    })
}

/// Returns the number of the step that fails.
fn fill_mappings(most: u64) -> Result<(), i32> {
    let step = |number: i32| move |_: Errno| number;
    let start = map(0, (2 * most + 4) * PAGE, 0).map_err(step(1))?;
    let mut made = 0;
    let refused = loop {
        // Every other page.
        match call(Sysno::mprotect, &[start + (2 * made + 1) * PAGE, PAGE, READ]) {
            Ok(_) => made += 1,
            Err(errno) => break errno,
        }
    };
    let is_near = made <= most / 2 && made + 100 > most / 2;
    if refused != Errno::ENOMEM || !is_near {
        return Err(2);
    }
    // A hole in the middle needs one more mapping too.
    let hole = call(Sysno::munmap, &[start + (2 * made + 2) * PAGE, PAGE]);
    if hole.err() != Some(Errno::ENOMEM) {
        return Err(3);
    }
    // The room of one that goes is free for another.
    call(Sysno::munmap, &[start, 2 * PAGE]).map_err(step(4))?;
    map(0, PAGE, READ | WRITE).map_err(step(5)).map(drop)
}

/// Uses up its stack, a quarter of a page a turn.
#[expect(unconditional_recursion, reason = "the stack's end is what ends it")]
fn recurse(depth: u64) -> u64 {
    let room = core::hint::black_box([depth; 128]);
    recurse(depth + 1) + room[(depth % 128) as usize]
}

fn recursion_ends_at_the_limit() -> Outcome {
    again_and_again(|| {
        for limit in [64 << 10, 1 << 20, 8 << 20] {
            let status = in_child(|| match set_limit(RLIMIT_STACK, limit) {
                Ok(()) => recurse(0) as i32,
                Err(_) => 1,
            })?;
            ensure_eq!((limit, ended(status)), (limit, 128 + SIGSEGV as i32));
        }
        Ok(())
    })
}

fn recursion_without_a_limit_finds_the_killer() -> Outcome {
    only_on_levitate()?;
    again_and_again(|| {
        let status = in_child(|| match set_limit(RLIMIT_STACK, u64::MAX) {
            Ok(()) => recurse(0) as i32,
            Err(_) => 1,
        })?;
        // Where memory is larger than the room below the stack, that ends first.
        let status = ended(status);
        ensure!(
            [128 + SIGKILL as i32, 128 + SIGSEGV as i32].contains(&status),
            "{status}"
        );
        Ok(())
    })
}

/// Fills pipes until there can be no more of them; returns the reason.
fn fill_pipes() -> Errno {
    const NONBLOCK: u64 = 0o4000;
    let bytes = [7_u8; 4096];
    loop {
        let mut ends = [0_i32; 2];
        if let Err(errno) = call(Sysno::pipe2, &[addr_mut(&mut ends), NONBLOCK]) {
            return errno;
        }
        loop {
            match call(Sysno::write, &[ends[1] as u64, addr(&bytes), 4096]) {
                Ok(_) => {}
                Err(Errno::EAGAIN) => break,
                Err(errno) => return errno,
            }
        }
    }
}

fn full_pipes_run_out_of_descriptors() -> Outcome {
    again_and_again(|| {
        let status = in_child(|| match set_limit(RLIMIT_NOFILE, 200) {
            Ok(()) => i32::from(fill_pipes() != Errno::EMFILE),
            Err(_) => 2,
        })?;
        ensure_eq!(ended(status), 0);
        Ok(())
    })
}

fn full_pipes_without_a_limit() -> Outcome {
    only_on_levitate()?;
    again_and_again(|| {
        let status = in_child(|| match set_limit(RLIMIT_NOFILE, 1 << 20) {
            Ok(()) => match fill_pipes() {
                Errno::ENOMEM | Errno::ENFILE | Errno::EMFILE => 0,
                errno => errno.code(),
            },
            Err(_) => 2,
        })?;
        let status = ended(status);
        ensure!(status == 0 || status == 128 + SIGKILL as i32, "{status}");
        Ok(())
    })
}

/// The most that execve takes: the strings go into the new stack, and are given back when it fails or ends.
fn large_arguments_return_their_memory() -> Outcome {
    const STRING: usize = 100 << 10;
    let path = program();
    let words = |count: usize| {
        let mut words = Vec::from([b"program".to_vec(), b"--helper".to_vec(), b"nothing".to_vec()]);
        words.extend((0..count).map(|_| alloc::vec![b'a'; STRING]));
        words
    };
    again_and_again(|| {
        let status = in_child(|| {
            // A quarter of the stack's limit is for the strings (execve(2)).
            if set_limit(RLIMIT_STACK, 8 << 20).is_err() {
                return 1;
            }
            for _ in 0..3 {
                if process::execute(&path, &words(21), &[]) != Errno::E2BIG {
                    return 2;
                }
            }
            process::execute(&path, &words(19), &[]).code()
        })?;
        ensure_eq!(ended(status), 0);
        Ok(())
    })
}

const DEPTH: usize = 3000;

fn dig(depth: usize) -> Result<(), Errno> {
    for _ in 0..depth {
        fs::create_directory(b"d", 0o755)?;
        fs::change_directory(b"d")?;
    }
    Ok(())
}

fn deep_directories_are_removed() -> Outcome {
    let top = fs::current_directory()?;
    again_and_again(|| {
        dig(DEPTH)?;
        // The path is longer than any that can be told.
        ensure!(fs::current_directory().is_err());
        for _ in 0..DEPTH {
            fs::change_directory(b"..")?;
            fs::remove_directory(b"d")?;
        }
        ensure_eq!(fs::current_directory()?, top);
        Ok(())
    })
}

/// What is in a file system that is unmounted goes at once, however deep it is.
fn deep_directories_go_with_their_file_system() -> Outcome {
    only_on_levitate()?;
    fs::create_directory(b"mounted", 0o755)?;
    again_and_again(|| {
        let mounted = call(
            Sysno::mount,
            &[addr(b"none\0"), addr(b"mounted\0"), addr(b"tmpfs\0"), 0, 0],
        );
        if mounted.err() == Some(Errno::EPERM) {
            return Err(Failure::Skip("not root"));
        }
        mounted?;
        let top = fs::current_directory()?;
        fs::change_directory(b"mounted")?;
        dig(5 * DEPTH)?;
        fs::change_directory(&top)?;
        call(Sysno::umount2, &[addr(b"mounted\0"), 0])?;
        Ok(())
    })
}
