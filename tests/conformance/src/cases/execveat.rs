//! execveat(2): programs by descriptor, and what that does to scripts.

use alloc::format;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::{AtFlags, OpenFlags};
use los_abi::syscall::Sysno;
use rt::fs;

use crate::cases::{ended, program};
use crate::harness::{Outcome, in_child};
use crate::raw::{addr, call};
use crate::{cases, ensure, ensure_eq};

cases![
    a_descriptor_is_executed,
    a_path_from_a_directory_is_executed,
    arguments_are_checked,
    links_need_not_be_followed,
    a_script_by_descriptor_is_read,
    a_script_whose_descriptor_closes_is_enoent,
    five_interpreters_are_the_most,
    long_strings_are_e2big,
];

const O_CLOEXEC: OpenFlags = OpenFlags::CLOEXEC;

fn with_nul(path: &[u8]) -> Vec<u8> {
    let mut path = path.to_vec();
    path.push(0);
    path
}

/// Executes with arguments of which only the helper's words matter.
fn execveat(dirfd: i64, path: &[u8], words: &[&[u8]], flags: AtFlags) -> Errno {
    let path = with_nul(path);
    let strings: Vec<_> = words.iter().map(|word| with_nul(word)).collect();
    let mut argv: Vec<u64> = strings.iter().map(|string| addr(string.as_slice())).collect();
    argv.push(0);
    let none = 0_u64;
    let arguments = [
        dirfd.cast_unsigned(),
        addr(path.as_slice()),
        addr(argv.as_slice()),
        addr(&none),
        u64::from(flags.bits()),
    ];
    call(Sysno::execveat, &arguments).err().unwrap_or(Errno::EIO)
}

/// The helper that answers whether descriptor 3 or so is open: status 0.
fn helper_words(fd: &[u8]) -> [&[u8]; 4] {
    [b"conformance", b"--helper", b"is-open", fd]
}

/// Opens a file that execve closes only if the flags say so.
fn open(path: &[u8], flags: OpenFlags) -> Result<i64, Errno> {
    const F_SETFD: u64 = 2;
    let fd = fs::File::open_with(path, flags, 0)?.into_descriptor();
    let closes = u64::from(flags.contains(O_CLOEXEC));
    call(Sysno::fcntl, &[fd as u64, F_SETFD, closes])?;
    Ok(i64::from(fd))
}

fn a_descriptor_is_executed() -> Outcome {
    for flags in [OpenFlags::empty(), O_CLOEXEC, OpenFlags::PATH] {
        let fd = open(&program(), flags)?;
        let number = format!("{fd}").into_bytes();
        let words = helper_words(&number);
        let status = in_child(|| {
            execveat(fd, b"", &words, AtFlags::EMPTY_PATH);
            98
        })?;
        ensure_eq!(ended(status), i32::from(!flags.contains(O_CLOEXEC)));
        call(Sysno::close, &[fd as u64])?;
    }
    Ok(())
}

fn a_path_from_a_directory_is_executed() -> Outcome {
    let program = program();
    let slash = program.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    let directory = open(&program[..slash + 1], OpenFlags::DIRECTORY)?;
    for (dirfd, path) in [(directory, &program[slash + 1..]), (999, &program[..])] {
        let status = in_child(|| {
            execveat(dirfd, path, &helper_words(b"0"), AtFlags::empty());
            98
        })?;
        ensure_eq!(ended(status), 1);
    }
    Ok(())
}

fn arguments_are_checked() -> Outcome {
    let fd = open(&program(), OpenFlags::empty())?;
    let unknown = AtFlags::from_bits_retain(1);
    for (dirfd, path, flags, errno) in [
        (fd, &b""[..], AtFlags::empty(), Errno::ENOENT),
        (fd, b"", unknown, Errno::ENOENT),
        (fd, b"x", unknown, Errno::EINVAL),
        (fd, b"x", AtFlags::empty(), Errno::ENOTDIR),
        (999, b"", AtFlags::EMPTY_PATH, Errno::EBADF),
        (999, b"x", AtFlags::empty(), Errno::EBADF),
        (-100, b"", AtFlags::EMPTY_PATH, Errno::EACCES),
        (-100, b"/nowhere", AtFlags::empty(), Errno::ENOENT),
    ] {
        ensure_eq!(execveat(dirfd, path, &[b"x"], flags), errno);
    }
    Ok(())
}

fn links_need_not_be_followed() -> Outcome {
    fs::symlink(&program(), b"link")?;
    let refused = execveat(-100, b"link", &[b"x"], AtFlags::SYMLINK_NOFOLLOW);
    ensure_eq!(refused, Errno::ELOOP);
    let status = in_child(|| {
        execveat(-100, b"link", &helper_words(b"0"), AtFlags::empty());
        98
    })?;
    ensure_eq!(ended(status), 1);
    Ok(())
}

/// Keeps what a child lists from showing.
fn close_output() {
    for fd in [1, 2] {
        let _closed = call(Sysno::close, &[fd]);
    }
}

fn script(name: &[u8], interpreter: &[u8]) -> Result<(), Errno> {
    let mut file = fs::File::create(name, 0o755)?;
    file.write_all(b"#!")?;
    file.write_all(interpreter)?;
    file.write_all(b"\n")
}

fn a_script_by_descriptor_is_read() -> Outcome {
    let mut interpreter = program();
    interpreter.extend_from_slice(b" --list");
    script(b"script", &interpreter)?;
    let fd = open(b"script", OpenFlags::empty())?;
    let status = in_child(|| {
        close_output();
        execveat(fd, b"", &[b"script"], AtFlags::EMPTY_PATH);
        98
    })?;
    // Standard output is closed, so nothing is listed; the program has run all the same.
    ensure!(ended(status) != 98);
    Ok(())
}

fn a_script_whose_descriptor_closes_is_enoent() -> Outcome {
    script(b"script", &program())?;
    let fd = open(b"script", O_CLOEXEC)?;
    ensure_eq!(
        execveat(fd, b"", &[b"script"], AtFlags::EMPTY_PATH),
        Errno::ENOENT
    );
    let directory = open(b".", OpenFlags::DIRECTORY | O_CLOEXEC)?;
    ensure_eq!(
        execveat(directory, b"script", &[b"script"], AtFlags::empty()),
        Errno::ENOENT
    );
    Ok(())
}

fn five_interpreters_are_the_most() -> Outcome {
    let here = fs::current_directory()?;
    script(b"0", &program())?;
    for level in 1..=5_u8 {
        let below = format!("{}/{}", core::str::from_utf8(&here).unwrap_or("."), level - 1);
        script(format!("{level}").as_bytes(), below.as_bytes())?;
    }
    // Five rewrites lead to the program, which runs no case of such a name.
    let status = in_child(|| {
        close_output();
        execveat(-100, b"4", &[b"4"], AtFlags::empty());
        98
    })?;
    ensure!(ended(status) != 98);
    ensure_eq!(execveat(-100, b"5", &[b"5"], AtFlags::empty()), Errno::ELOOP);
    Ok(())
}

fn long_strings_are_e2big() -> Outcome {
    const MAX_ARG_STRLEN: usize = 131_072;
    let longest = alloc::vec![b'x'; MAX_ARG_STRLEN - 1];
    let mut too_long = longest.clone();
    too_long.push(b'x');
    let refused = execveat(-100, &program(), &[b"x", &too_long], AtFlags::empty());
    ensure_eq!(refused, Errno::E2BIG);
    let status = in_child(|| {
        let words: [&[u8]; 3] = [b"conformance", b"--list", &longest];
        close_output();
        execveat(-100, &program(), &words, AtFlags::empty());
        98
    })?;
    ensure!(ended(status) != 98);
    Ok(())
}
