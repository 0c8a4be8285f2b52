//! Extended attributes of files (xattr(7)). Where the directory's file system stores none of programs' own, the
//! cases are skipped.

use alloc::vec;
use alloc::vec::Vec;

use los_abi::credentials::{VFS_CAP_FLAGS_EFFECTIVE, VFS_CAP_REVISION_2, VFS_CAP_REVISION_3};
use los_abi::errno::Errno;
use los_abi::fs::{AtFlags, OpenFlags, XATTR_SIZE_MAX, XattrArgs};
use los_abi::syscall::Sysno;
use rt::fs::{self, File};

use crate::harness::{Failure, Outcome};
use crate::raw::{addr, addr_mut, call};
use crate::{cases, ensure_eq};

cases![
    attributes_are_kept_and_listed,
    flags_ask_for_what_exists,
    buffers_may_be_too_small,
    arguments_are_checked_before_the_file,
    names_have_known_beginnings,
    links_and_devices_have_none_of_users,
    rights_decide_who_uses_which_names,
    descriptors_name_files,
    calls_of_directories,
    capabilities_are_checked,
    capabilities_go_with_changes,
];

const CREATE: u64 = 1;
const REPLACE: u64 = 2;
const USER: u64 = 1234;
const CWD: u64 = -100_i64 as u64;
const CAPABILITY: &[u8] = b"security.capability\0";

/// Makes the file `f`, or tells that there is nothing to try here.
fn file() -> Result<File, Failure> {
    let file = File::open_with(b"f", OpenFlags::RDWR | OpenFlags::CREAT, 0o644)?;
    match set(b"user.probe\0", b"", 0) {
        Err(Errno::EOPNOTSUPP) => Err(Failure::Skip("no attributes on this file system")),
        other => {
            other?;
            remove(b"user.probe\0")?;
            Ok(file)
        }
    }
}

fn set_of(path: &[u8], name: &[u8], value: &[u8], flags: u64) -> Result<u64, Errno> {
    let arguments = [addr(path), addr(name), addr(value), value.len() as u64, flags];
    call(Sysno::setxattr, &arguments)
}

fn set(name: &[u8], value: &[u8], flags: u64) -> Result<u64, Errno> {
    set_of(b"f\0", name, value, flags)
}

fn get_of(path: &[u8], name: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut value = vec![0; 100];
    let arguments = [addr(path), addr(name), addr_mut(&mut value[..]), 100];
    let length = call(Sysno::getxattr, &arguments)?;
    value.truncate(length as usize);
    Ok(value)
}

fn get(name: &[u8]) -> Result<Vec<u8>, Errno> {
    get_of(b"f\0", name)
}

fn remove(name: &[u8]) -> Result<u64, Errno> {
    call(Sysno::removexattr, &[addr(b"f\0"), addr(name)])
}

/// Returns the names, but for those that the system may give every file, sorted.
fn names() -> Result<Vec<Vec<u8>>, Errno> {
    let mut list = vec![0; 1000];
    let length = call(Sysno::listxattr, &[addr(b"f\0"), addr_mut(&mut list[..]), 1000])?;
    let names = list[..length as usize].split_inclusive(|byte| *byte == 0);
    let mut names: Vec<_> = names
        .filter(|name| !name.starts_with(b"security.selinux"))
        .map(<[u8]>::to_vec)
        .collect();
    names.sort();
    Ok(names)
}

fn attributes_are_kept_and_listed() -> Outcome {
    let _file = file()?;
    ensure_eq!(names()?.len(), 0);
    ensure_eq!(get(b"user.a\0"), Err(Errno::ENODATA));
    ensure_eq!(set(b"user.a\0", b"first", 0), Ok(0));
    ensure_eq!(set(b"user.b\0", b"", 0), Ok(0));
    ensure_eq!(set(b"trusted.c\0", b"\0\xff", 0), Ok(0));
    ensure_eq!(get(b"user.a\0")?, b"first");
    ensure_eq!(get(b"user.b\0")?, b"");
    ensure_eq!(get(b"trusted.c\0")?, b"\0\xff");
    ensure_eq!(names()?, [&b"trusted.c\0"[..], b"user.a\0", b"user.b\0"]);
    ensure_eq!(set(b"user.a\0", b"another value", 0), Ok(0));
    ensure_eq!(get(b"user.a\0")?, b"another value");
    // Another name of the file shows the same.
    fs::hard_link(b"f", b"g")?;
    ensure_eq!(get_of(b"g\0", b"user.a\0")?, b"another value");
    ensure_eq!(remove(b"user.a\0"), Ok(0));
    ensure_eq!(remove(b"user.a\0"), Err(Errno::ENODATA));
    ensure_eq!(names()?, [&b"trusted.c\0"[..], b"user.b\0"]);
    // A new file of the same name has none.
    fs::remove_file(b"f")?;
    let _file = file()?;
    ensure_eq!(names()?.len(), 0);
    Ok(())
}

fn flags_ask_for_what_exists() -> Outcome {
    let _file = file()?;
    ensure_eq!(set(b"user.a\0", b"x", REPLACE), Err(Errno::ENODATA));
    ensure_eq!(set(b"user.a\0", b"x", CREATE | REPLACE), Err(Errno::ENODATA));
    ensure_eq!(set(b"user.a\0", b"x", CREATE), Ok(0));
    ensure_eq!(set(b"user.a\0", b"y", CREATE), Err(Errno::EEXIST));
    ensure_eq!(set(b"user.a\0", b"y", CREATE | REPLACE), Err(Errno::EEXIST));
    ensure_eq!(get(b"user.a\0")?, b"x");
    ensure_eq!(set(b"user.a\0", b"y", REPLACE), Ok(0));
    ensure_eq!(get(b"user.a\0")?, b"y");
    Ok(())
}

fn buffers_may_be_too_small() -> Outcome {
    let _file = file()?;
    let name = b"user.a\0";
    set(name, b"0123456789", 0)?;
    let get = |at: u64, size: u64| call(Sysno::getxattr, &[addr(b"f\0"), addr(name), at, size]);
    ensure_eq!(get(0, 0), Ok(10));
    ensure_eq!(get(8, 9), Err(Errno::ERANGE));
    ensure_eq!(get(8, 10), Err(Errno::EFAULT));
    let list = |at: u64, size: u64| call(Sysno::listxattr, &[addr(b"f\0"), at, size]);
    let length = list(0, 0)?;
    ensure_eq!(list(8, length - 1), Err(Errno::ERANGE));
    ensure_eq!(list(8, length), Err(Errno::EFAULT));
    // An empty value needs no place.
    set(name, b"", 0)?;
    ensure_eq!(get(8, 1), Ok(0));
    Ok(())
}

fn arguments_are_checked_before_the_file() -> Outcome {
    let _file = file()?;
    let (absent, name) = (b"absent\0", b"user.a\0");
    let set = |name: u64, value: u64, size: usize, flags: u64| {
        call(Sysno::setxattr, &[addr(absent), name, value, size as u64, flags])
    };
    ensure_eq!(set(8, 8, XATTR_SIZE_MAX + 1, 4), Err(Errno::EINVAL));
    ensure_eq!(set(8, 8, XATTR_SIZE_MAX + 1, 0), Err(Errno::EFAULT));
    ensure_eq!(set(addr(b"\0"), 8, 1, 0), Err(Errno::ERANGE));
    let mut long = [b'a'; 300];
    long[299] = 0;
    ensure_eq!(set(addr(&long), 8, 1, 0), Err(Errno::ERANGE));
    ensure_eq!(set(addr(name), 8, XATTR_SIZE_MAX + 1, 0), Err(Errno::E2BIG));
    ensure_eq!(set(addr(name), 8, 1, 0), Err(Errno::EFAULT));
    ensure_eq!(set(addr(name), addr(name), 1, 0), Err(Errno::ENOENT));
    ensure_eq!(get_of(absent, b"\0"), Err(Errno::ERANGE));
    ensure_eq!(get_of(absent, name), Err(Errno::ENOENT));
    Ok(())
}

fn names_have_known_beginnings() -> Outcome {
    let _file = file()?;
    ensure_eq!(set(b"user.\0", b"x", 0), Err(Errno::EINVAL));
    ensure_eq!(get(b"user.\0"), Err(Errno::EINVAL));
    ensure_eq!(set(b"user\0", b"x", 0), Err(Errno::EOPNOTSUPP));
    ensure_eq!(set(b"another.name\0", b"x", 0), Err(Errno::EOPNOTSUPP));
    ensure_eq!(get(b"another.name\0"), Err(Errno::EOPNOTSUPP));
    ensure_eq!(remove(b"another.name\0"), Err(Errno::EOPNOTSUPP));
    ensure_eq!(set(b"system.name\0", b"x", 0), Err(Errno::EOPNOTSUPP));
    Ok(())
}

fn links_and_devices_have_none_of_users() -> Outcome {
    let _file = file()?;
    let name = b"user.a\0";
    fs::symlink(b"f", b"link")?;
    let on_link = |call_number| call(call_number, &[addr(b"link\0"), addr(name), addr(name), 1, 0]);
    ensure_eq!(on_link(Sysno::lsetxattr), Err(Errno::EPERM));
    ensure_eq!(on_link(Sysno::lgetxattr), Err(Errno::ENODATA));
    ensure_eq!(on_link(Sysno::lremovexattr), Err(Errno::EPERM));
    // Through the link it is the file's.
    ensure_eq!(set_of(b"link\0", name, b"x", 0), Ok(0));
    ensure_eq!(get(name)?, b"x");
    call(Sysno::mknodat, &[CWD, addr(b"pipe\0"), 0o10_666, 0])?;
    ensure_eq!(set_of(b"pipe\0", name, b"x", 0), Err(Errno::EPERM));
    ensure_eq!(get_of(b"pipe\0", name), Err(Errno::ENODATA));
    ensure_eq!(set_of(b"pipe\0", b"trusted.a\0", b"x", 0), Ok(0));
    ensure_eq!(get_of(b"pipe\0", b"trusted.a\0")?, b"x");
    Ok(())
}

fn rights_decide_who_uses_which_names() -> Outcome {
    let _file = file()?;
    set(b"user.a\0", b"x", 0)?;
    set(b"trusted.a\0", b"x", 0)?;
    set(b"security.a\0", b"x", 0)?;
    fs::create_directory(b"sticky", 0o777)?;
    fs::set_permissions(b"sticky", 0o1777)?;
    fs::set_permissions(b".", 0o755)?;
    call(Sysno::setresuid, &[USER, USER, USER])?;
    ensure_eq!(get(b"user.a\0")?, b"x");
    ensure_eq!(set(b"user.a\0", b"y", 0), Err(Errno::EACCES));
    ensure_eq!(remove(b"user.a\0"), Err(Errno::EACCES));
    ensure_eq!(get(b"trusted.a\0"), Err(Errno::ENODATA));
    ensure_eq!(set(b"trusted.a\0", b"y", 0), Err(Errno::EPERM));
    ensure_eq!(get(b"security.a\0")?, b"x");
    ensure_eq!(set(b"security.a\0", b"y", 0), Err(Errno::EPERM));
    ensure_eq!(remove(b"security.a\0"), Err(Errno::EPERM));
    ensure_eq!(names()?, [&b"security.a\0"[..], b"user.a\0"]);
    // Everybody may write there, and only the owner says what it is.
    ensure_eq!(set_of(b"sticky\0", b"user.a\0", b"y", 0), Err(Errno::EPERM));
    ensure_eq!(get_of(b"sticky\0", b"user.a\0"), Err(Errno::ENODATA));
    Ok(())
}

fn descriptors_name_files() -> Outcome {
    let file = file()?;
    let name = b"user.a\0";
    let fd = file.descriptor() as u64;
    ensure_eq!(call(Sysno::fsetxattr, &[fd, addr(name), addr(b"x"), 1, 0]), Ok(0));
    ensure_eq!(get(name)?, b"x");
    ensure_eq!(call(Sysno::fgetxattr, &[fd, addr(name), 0, 0]), Ok(1));
    ensure_eq!(call(Sysno::flistxattr, &[fd, 0, 0]), Ok(name.len() as u64));
    ensure_eq!(call(Sysno::fremovexattr, &[fd, addr(name)]), Ok(0));
    let closed = call(Sysno::fgetxattr, &[999, addr(name), 0, 0]);
    ensure_eq!(closed, Err(Errno::EBADF));
    let path_only = File::open_with(b"f", OpenFlags::PATH, 0)?;
    let fd = path_only.descriptor() as u64;
    let arguments = [fd, addr(name), addr(b"x"), 1, 0];
    ensure_eq!(call(Sysno::fsetxattr, &arguments), Err(Errno::EBADF));
    ensure_eq!(call(Sysno::flistxattr, &[fd, 0, 0]), Err(Errno::EBADF));
    Ok(())
}

/// Linux has these since 6.13.
fn calls_of_directories() -> Outcome {
    let file = file()?;
    let name = b"user.a\0";
    let (none, empty) = (0, u64::from(AtFlags::EMPTY_PATH.bits()));
    let arguments = XattrArgs {
        value: addr(b"value"),
        size: 5,
        flags: 0,
    };
    let set = |path: &[u8], flags: u64, size: u64| {
        let place = [CWD, addr(path), flags, addr(name), addr(&arguments), size];
        call(Sysno::setxattrat, &place)
    };
    let result = set(b"f\0", none, 16);
    if result == Err(Errno::ENOSYS) {
        return Err(Failure::Skip("an older Linux"));
    }
    ensure_eq!(result, Ok(0));
    ensure_eq!(get(name)?, b"value");
    ensure_eq!(set(b"f\0", none, 15), Err(Errno::EINVAL));
    ensure_eq!(set(b"f\0", none, 4097), Err(Errno::E2BIG));
    ensure_eq!(set(b"f\0", 1, 16), Err(Errno::EINVAL));
    let mut into = [0_u8; 8];
    let mut get = |flags: u32, path: u64, at_flags: u64| {
        let arguments = XattrArgs {
            value: addr_mut(&mut into),
            size: 8,
            flags,
        };
        let fd = file.descriptor() as u64;
        let place = [fd, path, at_flags, addr(name), addr(&arguments), 16];
        call(Sysno::getxattrat, &place)
    };
    ensure_eq!(get(1, addr(b"\0"), empty), Err(Errno::EINVAL));
    ensure_eq!(get(0, addr(b"\0"), empty), Ok(5));
    ensure_eq!(get(0, 0, empty), Ok(5));
    ensure_eq!(get(0, 0, none), Err(Errno::EFAULT));
    ensure_eq!(get(0, addr(b"\0"), none), Err(Errno::ENOENT));
    ensure_eq!(&into[..5], b"value");
    let list = [CWD, addr(b"f\0"), none, 0, 0];
    ensure_eq!(call(Sysno::listxattrat, &list), Ok(name.len() as u64));
    let removed = call(Sysno::removexattrat, &[CWD, addr(b"f\0"), none, addr(name)]);
    ensure_eq!(removed, Ok(0));
    ensure_eq!(call(Sysno::listxattrat, &list), Ok(0));
    Ok(())
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn capabilities_are_checked() -> Outcome {
    let _file = file()?;
    let second = words(&[VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE, 1, 2, 3, 4]);
    ensure_eq!(set(CAPABILITY, b"x", 0), Err(Errno::EINVAL));
    ensure_eq!(set(CAPABILITY, &second[..16], 0), Err(Errno::EINVAL));
    ensure_eq!(
        set(CAPABILITY, &words(&[VFS_CAP_REVISION_2 | 2, 0, 0, 0, 0]), 0),
        Err(Errno::EINVAL)
    );
    ensure_eq!(set(CAPABILITY, &second, 0), Ok(0));
    ensure_eq!(get(CAPABILITY)?, second);
    ensure_eq!(
        call(Sysno::getxattr, &[addr(b"f\0"), addr(CAPABILITY), 0, 0]),
        Ok(20)
    );
    // Those of root are told without root's number, those of others with it.
    ensure_eq!(
        set(CAPABILITY, &words(&[VFS_CAP_REVISION_3, 1, 2, 3, 4, 0]), 0),
        Ok(0)
    );
    ensure_eq!(get(CAPABILITY)?, words(&[VFS_CAP_REVISION_2, 1, 2, 3, 4]));
    let others = words(&[VFS_CAP_REVISION_3, 1, 2, 3, 4, 77]);
    ensure_eq!(set(CAPABILITY, &others, 0), Ok(0));
    ensure_eq!(get(CAPABILITY)?, others);
    fs::set_permissions(b".", 0o755)?;
    call(Sysno::setresuid, &[USER, USER, USER])?;
    ensure_eq!(set(CAPABILITY, &second, 0), Err(Errno::EPERM));
    ensure_eq!(set(CAPABILITY, b"x", 0), Err(Errno::EINVAL));
    ensure_eq!(remove(CAPABILITY), Err(Errno::EPERM));
    Ok(())
}

/// Not even root keeps them over a change of contents or owner.
fn capabilities_go_with_changes() -> Outcome {
    let mut file = file()?;
    let value = words(&[VFS_CAP_REVISION_2, 1, 0, 0, 0]);
    let has = || call(Sysno::getxattr, &[addr(b"f\0"), addr(CAPABILITY), 0, 0]);
    set(CAPABILITY, &value, 0)?;
    fs::set_permissions(b"f", 0o755)?;
    ensure_eq!(has(), Ok(20));
    file.write_all(b"x")?;
    ensure_eq!(has(), Err(Errno::ENODATA));
    set(CAPABILITY, &value, 0)?;
    call(Sysno::ftruncate, &[file.descriptor() as u64, 7])?;
    ensure_eq!(has(), Err(Errno::ENODATA));
    set(CAPABILITY, &value, 0)?;
    call(Sysno::truncate, &[addr(b"f\0"), 5])?;
    ensure_eq!(has(), Err(Errno::ENODATA));
    set(CAPABILITY, &value, 0)?;
    fs::set_owner(b"f", 0, 0)?;
    ensure_eq!(has(), Err(Errno::ENODATA));
    set(CAPABILITY, &value, 0)?;
    drop(File::open_with(b"f", OpenFlags::WRONLY | OpenFlags::TRUNC, 0)?);
    ensure_eq!(has(), Err(Errno::ENODATA));
    Ok(())
}
