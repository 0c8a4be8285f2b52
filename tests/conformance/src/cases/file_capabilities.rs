//! Capabilities that a program's file gives, and who does not get them (capabilities(7), "File capabilities").

use alloc::vec::Vec;

use los_abi::credentials::{VFS_CAP_FLAGS_EFFECTIVE, VFS_CAP_REVISION_2, VFS_CAP_REVISION_3};
use los_abi::errno::Errno;
use los_abi::fs::MountFlags;
use los_abi::prctl::{PR_CAP_AMBIENT_RAISE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_SECUREBITS};
use los_abi::signal::Signal;
use los_abi::syscall::Sysno;
use los_abi::task::CloneFlags;
use rt::{fs, process};

use super::capabilities::{ambient, become_user, control, get, make_program, run_program, set};
use crate::harness::{Failure, Outcome};
use crate::raw::{addr, call};
use crate::{cases, ensure_eq};

cases![
    a_program_gets_what_its_file_has,
    capabilities_need_not_be_in_force,
    inheritable_ones_need_both_sides,
    a_program_that_gets_too_little_does_not_start,
    they_end_ambient_ones,
    root_of_a_set_user_id_program_gets_only_them,
    another_root_user_is_not_meant,
    no_new_privs_ignores_them,
    mounts_without_set_id_ignore_them,
    nothing_is_gained_while_directories_are_shared,
];

const KILL: u32 = 5;
const NET_BIND: u32 = 10;
const NO_SETUID_FIXUP: u64 = 1 << 2;

/// Gives a file capabilities below 32, or tells that it cannot have any.
fn give(path: &[u8], head: u32, permitted: u32, inheritable: u32, root: u32) -> Outcome {
    let words = [head, permitted, inheritable, 0, 0, root];
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let length = if head & !VFS_CAP_FLAGS_EFFECTIVE == VFS_CAP_REVISION_3 {
        24
    } else {
        20
    };
    let name = b"security.capability\0";
    match call(
        Sysno::setxattr,
        &[addr(path), addr(name), addr(&bytes[..]), length, 0],
    ) {
        Err(Errno::EOPNOTSUPP) => Err(Failure::Skip("no attributes on this file system")),
        other => {
            other?;
            Ok(())
        }
    }
}

/// Makes the program with a mode and capabilities.
fn program_with(mode: u32, flags: u32, permitted: u32, inheritable: u32) -> Outcome {
    make_program(b"program", mode)?;
    give(
        b"program\0",
        VFS_CAP_REVISION_2 | flags,
        permitted,
        inheritable,
        0,
    )
}

const EFFECTIVE: u32 = VFS_CAP_FLAGS_EFFECTIVE;

fn a_program_gets_what_its_file_has() -> Outcome {
    program_with(0o755, EFFECTIVE, 1 << NET_BIND, 1 << KILL)?;
    run_program(b"./program", become_user, b"1234:400:0:1:0", 0)
}

fn capabilities_need_not_be_in_force() -> Outcome {
    program_with(0o755, 0, 1 << NET_BIND, 0)?;
    run_program(b"./program", become_user, b"1234:0:0:1:0", 0)
}

fn inheritable_ones_need_both_sides() -> Outcome {
    program_with(0o755, EFFECTIVE, 0, 1 << NET_BIND | 1 << KILL)?;
    let inherit = || {
        let [effective, permitted, _] = get()?;
        set([effective, permitted, 1 << NET_BIND])?;
        become_user()
    };
    run_program(b"./program", inherit, b"1234:400:0:1:0", 0)
}

fn a_program_that_gets_too_little_does_not_start() -> Outcome {
    let limit = || {
        control(PR_CAPBSET_DROP, &[u64::from(KILL)])?;
        become_user()
    };
    program_with(0o755, EFFECTIVE, 1 << NET_BIND | 1 << KILL, 0)?;
    run_program(b"./program", limit, b"", 126)?;
    // One that puts them in force itself is believed to see what it has.
    program_with(0o755, 0, 1 << NET_BIND | 1 << KILL, 0)?;
    run_program(b"./program", limit, b"1234:0:0:1:0", 0)
}

fn they_end_ambient_ones() -> Outcome {
    let keep = || {
        let [effective, permitted, _] = get()?;
        set([effective, permitted, 1 << NET_BIND])?;
        ambient(PR_CAP_AMBIENT_RAISE, u64::from(NET_BIND))?;
        control(PR_SET_SECUREBITS, &[NO_SETUID_FIXUP])?;
        become_user()
    };
    program_with(0o755, 0, 0, 0)?;
    run_program(b"./program", keep, b"1234:0:0:0:40000", 0)
}

fn root_of_a_set_user_id_program_gets_only_them() -> Outcome {
    program_with(0o4755, EFFECTIVE, 1 << NET_BIND, 0)?;
    run_program(b"./program", become_user, b"0:400:0:1:0", 0)
}

fn another_root_user_is_not_meant() -> Outcome {
    make_program(b"program", 0o755)?;
    give(b"program\0", VFS_CAP_REVISION_3 | EFFECTIVE, 1 << NET_BIND, 0, 77)?;
    run_program(b"./program", become_user, b"1234:0:0:0:40000", 0)?;
    give(b"program\0", VFS_CAP_REVISION_3 | EFFECTIVE, 1 << NET_BIND, 0, 0)?;
    run_program(b"./program", become_user, b"1234:400:0:1:0", 0)
}

fn no_new_privs_ignores_them() -> Outcome {
    let refuse = || {
        become_user()?;
        control(PR_SET_NO_NEW_PRIVS, &[1, 0, 0, 0])?;
        Ok(())
    };
    program_with(0o755, EFFECTIVE, 1 << NET_BIND, 0)?;
    run_program(b"./program", refuse, b"1234:0:0:1:0", 0)
}

fn mounts_without_set_id_ignore_them() -> Outcome {
    fs::create_directory(b"m", 0o755)?;
    let (none, kind) = (b"none\0", b"tmpfs\0");
    let flags = u64::from(MountFlags::NOSUID.bits());
    call(Sysno::mount, &[addr(none), addr(b"m\0"), addr(kind), flags, 0])?;
    let outcome = make_program(b"m/program", 0o755)
        .and_then(|()| {
            give(
                b"m/program\0",
                VFS_CAP_REVISION_2 | EFFECTIVE,
                1 << NET_BIND,
                0,
                0,
            )
        })
        .and_then(|()| run_program(b"./m/program", become_user, b"1234:0:0:0:40000", 0));
    call(Sysno::umount2, &[addr(b"m\0"), 0])?;
    outcome
}

/// A process that shares the working directory could change it under the program.
fn nothing_is_gained_while_directories_are_shared() -> Outcome {
    let share = || {
        become_user()?;
        let parent = process::id() as u64;
        let flags = CloneFlags::FS.bits() | u64::from(Signal::CHLD.number());
        if call(Sysno::clone, &[flags, 0, 0, 0, 0])? == 0 {
            while call(Sysno::getppid, &[]) == Ok(parent) {
                rt::time::sleep_ms(20);
            }
            process::exit_now(0);
        }
        Ok(())
    };
    make_program(b"program", 0o4755)?;
    run_program(b"./program", share, b"1234:0:0:1:0", 0)?;
    program_with(0o755, EFFECTIVE, 1 << NET_BIND, 0)?;
    run_program(b"./program", share, b"1234:0:0:1:0", 0)?;
    ensure_eq!(get()?[2], 0);
    Ok(())
}
