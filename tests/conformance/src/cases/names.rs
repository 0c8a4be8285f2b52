//! Names: directories, links, renames, permissions on the way.

use los_abi::errno::Errno;
use los_abi::syscall::Sysno;
use rt::fs::{self, File};
use rt::process;

use crate::cases::ended;
use crate::harness::{Failure, Outcome, in_child};
use crate::raw::{addr, addr_mut, call};
use crate::{cases, ensure, ensure_eq};

cases![
    making_and_removing_directories,
    unlink_rules,
    rename_replaces,
    rename_rules,
    rename_flags,
    hard_links,
    symbolic_links,
    symlink_loops,
    long_names,
    trailing_slashes,
    dots,
    working_directory,
    relative_to_a_descriptor,
    access_checks,
    permissions_of_a_user,
    sticky_directories,
    ownership,
    device_nodes_and_fifos,
    removed_working_directory,
    no_names_are_made_in_proc,
];

const CWD: u64 = -100_i64 as u64;

fn touch(path: &[u8]) -> Result<(), Errno> {
    File::create(path, 0o644).map(drop)
}

fn making_and_removing_directories() -> Outcome {
    fs::create_directory(b"d", 0o755)?;
    ensure_eq!(fs::create_directory(b"d", 0o755).err(), Some(Errno::EEXIST));
    ensure_eq!(fs::create_directory(b"none/d", 0o755).err(), Some(Errno::ENOENT));
    fs::create_directory(b"d/e", 0o755)?;
    ensure_eq!(fs::metadata(b"d")?.raw().stx_nlink, 3);
    ensure_eq!(fs::remove_directory(b"d").err(), Some(Errno::ENOTEMPTY));
    fs::remove_directory(b"d/e")?;
    ensure_eq!(fs::remove_directory(b"d/.").err(), Some(Errno::EINVAL));
    fs::remove_directory(b"d")?;
    ensure_eq!(fs::remove_directory(b"d").err(), Some(Errno::ENOENT));
    touch(b"f")?;
    ensure_eq!(fs::remove_directory(b"f").err(), Some(Errno::ENOTDIR));
    Ok(())
}

fn unlink_rules() -> Outcome {
    fs::create_directory(b"d", 0o755)?;
    ensure_eq!(fs::remove_file(b"d").err(), Some(Errno::EISDIR));
    ensure_eq!(fs::remove_file(b"none").err(), Some(Errno::ENOENT));
    touch(b"f")?;
    ensure_eq!(fs::remove_file(b"f/").err(), Some(Errno::ENOTDIR));
    ensure_eq!(
        call(Sysno::unlinkat, &[CWD, addr(b"f\0"), 0x1000]).err(),
        Some(Errno::EINVAL)
    );
    Ok(())
}

fn rename_replaces() -> Outcome {
    File::create(b"a", 0o644)?.write_all(b"new")?;
    File::create(b"b", 0o644)?.write_all(b"old")?;
    fs::rename(b"a", b"b")?;
    ensure_eq!(fs::read(b"b")?, b"new");
    ensure_eq!(fs::metadata(b"a").err(), Some(Errno::ENOENT));
    fs::rename(b"b", b"b")?;
    fs::create_directory(b"d", 0o755)?;
    fs::create_directory(b"e", 0o755)?;
    fs::rename(b"d", b"e")?;
    touch(b"e/f")?;
    fs::rename(b"e/f", b"g")?;
    ensure_eq!(fs::metadata(b"g")?.size(), 0);
    Ok(())
}

fn rename_rules() -> Outcome {
    fs::create_directory(b"d", 0o755)?;
    fs::create_directory(b"full", 0o755)?;
    touch(b"full/x")?;
    touch(b"f")?;
    ensure_eq!(fs::rename(b"d", b"d/inside").err(), Some(Errno::EINVAL));
    ensure_eq!(fs::rename(b"d", b"full").err(), Some(Errno::ENOTEMPTY));
    ensure_eq!(fs::rename(b"f", b"d").err(), Some(Errno::EISDIR));
    ensure_eq!(fs::rename(b"d", b"f").err(), Some(Errno::ENOTDIR));
    ensure_eq!(fs::rename(b"none", b"x").err(), Some(Errno::ENOENT));
    ensure_eq!(fs::rename(b"d/.", b"x").err(), Some(Errno::EBUSY));
    Ok(())
}

fn rename_flags() -> Outcome {
    File::create(b"a", 0o644)?.write_all(b"A")?;
    File::create(b"b", 0o644)?.write_all(b"B")?;
    let rename = |flags: u64| call(Sysno::renameat2, &[CWD, addr(b"a\0"), CWD, addr(b"b\0"), flags]);
    ensure_eq!(rename(1).err(), Some(Errno::EEXIST));
    rename(2)?;
    ensure_eq!(fs::read(b"a")?, b"B");
    ensure_eq!(fs::read(b"b")?, b"A");
    ensure_eq!(rename(3).err(), Some(Errno::EINVAL));
    ensure_eq!(rename(0x80).err(), Some(Errno::EINVAL));
    Ok(())
}

fn hard_links() -> Outcome {
    File::create(b"a", 0o644)?.write_all(b"x")?;
    fs::hard_link(b"a", b"b")?;
    ensure_eq!(fs::hard_link(b"a", b"b").err(), Some(Errno::EEXIST));
    fs::remove_file(b"a")?;
    ensure_eq!(fs::read(b"b")?, b"x");
    fs::create_directory(b"d", 0o755)?;
    ensure_eq!(fs::hard_link(b"d", b"e").err(), Some(Errno::EPERM));
    Ok(())
}

fn symbolic_links() -> Outcome {
    File::create(b"a", 0o644)?.write_all(b"x")?;
    fs::symlink(b"a", b"link")?;
    ensure_eq!(fs::read(b"link")?, b"x");
    ensure_eq!(fs::read_link(b"link")?, b"a");
    ensure_eq!(fs::read_link(b"a").err(), Some(Errno::EINVAL));
    ensure_eq!(fs::symlink_metadata(b"link")?.kind(), fs::FileKind::Symlink);
    let mut small = [0_u8; 1];
    fs::symlink(b"longer", b"link2")?;
    ensure_eq!(
        call(
            Sysno::readlinkat,
            &[CWD, addr(b"link2\0"), addr_mut(&mut small), 1]
        )?,
        1
    );
    ensure_eq!(
        call(
            Sysno::readlinkat,
            &[CWD, addr(b"link2\0"), addr_mut(&mut small), 0]
        )
        .err(),
        Some(Errno::EINVAL)
    );
    ensure_eq!(fs::symlink(b"", b"empty").err(), Some(Errno::ENOENT));
    fs::create_directory(b"d", 0o755)?;
    fs::symlink(b"../a", b"d/up")?;
    ensure_eq!(fs::read(b"d/up")?, b"x");
    fs::symlink(b"made", b"to-make")?;
    File::create(b"to-make", 0o644)?;
    ensure_eq!(fs::metadata(b"made")?.size(), 0);
    Ok(())
}

fn symlink_loops() -> Outcome {
    fs::symlink(b"y", b"x")?;
    fs::symlink(b"x", b"y")?;
    ensure_eq!(fs::metadata(b"x").err(), Some(Errno::ELOOP));
    ensure_eq!(fs::metadata(b"x/z").err(), Some(Errno::ELOOP));
    Ok(())
}

fn long_names() -> Outcome {
    touch(&[b'n'; 255])?;
    ensure_eq!(touch(&[b'n'; 256]).err(), Some(Errno::ENAMETOOLONG));
    let mut path = b"./".repeat(2047);
    path.push(b'p');
    touch(&path)?;
    path.push(b'q');
    ensure_eq!(touch(&path).err(), Some(Errno::ENAMETOOLONG));
    Ok(())
}

fn trailing_slashes() -> Outcome {
    touch(b"f")?;
    fs::create_directory(b"d/", 0o755)?;
    ensure_eq!(fs::metadata(b"f/").err(), Some(Errno::ENOTDIR));
    ensure!(fs::metadata(b"d//")?.is_directory());
    ensure_eq!(touch(b"new/").err(), Some(Errno::EISDIR));
    fs::symlink(b"d", b"link")?;
    ensure!(fs::symlink_metadata(b"link/")?.is_directory());
    Ok(())
}

fn dots() -> Outcome {
    fs::create_directory(b"d", 0o755)?;
    touch(b"f")?;
    ensure_eq!(fs::metadata(b"d/../f")?.size(), 0);
    ensure_eq!(fs::metadata(b"none/../f").err(), Some(Errno::ENOENT));
    ensure_eq!(fs::metadata(b"f/..").err(), Some(Errno::ENOTDIR));
    ensure_eq!(
        fs::metadata(b"/../..")?.identity(),
        fs::metadata(b"/")?.identity()
    );
    Ok(())
}

fn working_directory() -> Outcome {
    let here = fs::current_directory()?;
    fs::create_directory(b"d", 0o755)?;
    fs::change_directory(b"d")?;
    ensure_eq!(fs::current_directory()?, fs::join(&here, b"d"));
    fs::change_directory(b"..")?;
    ensure_eq!(fs::current_directory()?, here);
    touch(b"f")?;
    ensure_eq!(fs::change_directory(b"f").err(), Some(Errno::ENOTDIR));
    let mut small = [0_u8; 2];
    ensure_eq!(
        call(Sysno::getcwd, &[addr_mut(&mut small), 2]).err(),
        Some(Errno::ERANGE)
    );
    fs::change_directory(b"/")?;
    ensure_eq!(fs::current_directory()?, b"/");
    Ok(())
}

fn relative_to_a_descriptor() -> Outcome {
    fs::create_directory(b"d", 0o755)?;
    touch(b"d/f")?;
    let directory = File::open(b"d")?;
    let fd = directory.descriptor() as u64;
    ensure_eq!(call(Sysno::faccessat, &[fd, addr(b"f\0"), 0])?, 0);
    ensure_eq!(
        call(Sysno::faccessat, &[999, addr(b"f\0"), 0]).err(),
        Some(Errno::EBADF)
    );
    let file = File::open(b"d/f")?;
    ensure_eq!(
        call(Sysno::faccessat, &[file.descriptor() as u64, addr(b"f\0"), 0]).err(),
        Some(Errno::ENOTDIR)
    );
    ensure_eq!(call(Sysno::faccessat, &[999, addr(b"/\0"), 0])?, 0);
    call(Sysno::fchdir, &[fd])?;
    ensure_eq!(fs::metadata(b"f")?.size(), 0);
    Ok(())
}

fn access_checks() -> Outcome {
    touch(b"f")?;
    ensure_eq!(
        call(Sysno::faccessat, &[CWD, addr(b"f\0"), 8]).err(),
        Some(Errno::EINVAL)
    );
    ensure_eq!(call(Sysno::faccessat, &[CWD, addr(b"f\0"), 4])?, 0);
    // Even root executes only what somebody may execute.
    ensure_eq!(
        call(Sysno::faccessat, &[CWD, addr(b"f\0"), 1]).err(),
        Some(Errno::EACCES)
    );
    Ok(())
}

fn as_user(uid: u32, action: impl FnOnce() -> Result<(), Errno>) -> Result<Option<Errno>, Failure> {
    if process::effective_user() != 0 {
        return Err(Failure::Skip("not root"));
    }
    let status = in_child(|| {
        let dropped = call(Sysno::setgid, &[uid.into()]).and_then(|_| call(Sysno::setuid, &[uid.into()]));
        dropped
            .and_then(|_| action())
            .map_or_else(|errno| errno.code(), |()| 0)
    })?;
    Ok(Errno::from_code(ended(status)))
}

fn permissions_of_a_user() -> Outcome {
    fs::set_permissions(b".", 0o755)?;
    fs::create_directory(b"closed", 0o700)?;
    touch(b"closed/f")?;
    File::create(b"secret", 0o600)?;
    ensure_eq!(
        as_user(1000, || File::open(b"secret").map(drop))?,
        Some(Errno::EACCES)
    );
    ensure_eq!(
        as_user(1000, || fs::metadata(b"closed/f").map(drop))?,
        Some(Errno::EACCES)
    );
    ensure_eq!(as_user(1000, || touch(b"new"))?, Some(Errno::EACCES));
    ensure_eq!(
        as_user(1000, || fs::set_permissions(b"secret", 0o777))?,
        Some(Errno::EPERM)
    );
    ensure_eq!(as_user(1000, || fs::metadata(b"secret").map(drop))?, None);
    Ok(())
}

fn sticky_directories() -> Outcome {
    fs::set_permissions(b".", 0o755)?;
    fs::create_directory(b"shared", 0o777)?;
    fs::set_permissions(b"shared", 0o1777)?;
    touch(b"shared/roots")?;
    ensure_eq!(
        as_user(1000, || fs::remove_file(b"shared/roots"))?,
        Some(Errno::EPERM)
    );
    ensure_eq!(
        as_user(1000, || touch(b"shared/own")
            .and_then(|()| fs::remove_file(b"shared/own")))?,
        None
    );
    Ok(())
}

fn ownership() -> Outcome {
    fs::set_permissions(b".", 0o755)?;
    touch(b"f")?;
    if process::effective_user() == 0 {
        fs::set_permissions(b"f", 0o6755)?;
        fs::set_owner(b"f", 1000, 50)?;
        ensure_eq!(fs::metadata(b"f")?.owner(), (1000, 50));
        fs::set_owner(b"f", u32::MAX, 60)?;
        ensure_eq!(fs::metadata(b"f")?.owner(), (1000, 60));
        ensure_eq!(fs::metadata(b"f")?.permissions(), 0o755);
    }
    ensure_eq!(as_user(1000, || fs::set_owner(b"f", 0, 0))?, Some(Errno::EPERM));
    Ok(())
}

fn device_nodes_and_fifos() -> Outcome {
    fs::make_node(b"fifo", 0o010_644, 0)?;
    ensure_eq!(fs::metadata(b"fifo")?.kind(), fs::FileKind::Fifo);
    let (writer, reader) = (b"fifo", b"fifo");
    let pid = crate::harness::spawn(|| {
        i32::from(
            File::open_with(writer, los_abi::fs::OpenFlags::WRONLY, 0)
                .and_then(|mut file| file.write_all(b"through"))
                .is_err(),
        )
    })?;
    ensure_eq!(fs::read(reader)?, b"through");
    ensure_eq!(ended(crate::harness::wait_for(pid)?), 0);
    if process::effective_user() == 0 {
        match fs::make_node(b"null", 0o020_666, 0x103) {
            Ok(()) => ensure_eq!(fs::read(b"null").unwrap_or(alloc::vec![1]), b""),
            // A host that denies device nodes or mounts nodev.
            Err(errno) => ensure_eq!(errno, Errno::EPERM),
        }
    }
    Ok(())
}

fn removed_working_directory() -> Outcome {
    let path = fs::join(&fs::current_directory()?, b"gone");
    fs::create_directory(&path, 0o755)?;
    fs::change_directory(&path)?;
    fs::remove_directory(&path)?;
    ensure_eq!(touch(b"f").err(), Some(Errno::ENOENT));
    ensure_eq!(fs::current_directory().err(), Some(Errno::ENOENT));
    fs::change_directory(b"..")?;
    Ok(())
}

fn no_names_are_made_in_proc() -> Outcome {
    if !fs::metadata(b"/proc/self/stat").is_ok_and(|stat| !stat.is_directory()) {
        return Err(Failure::Skip("no /proc"));
    }
    for path in [&b"/proc/new"[..], b"/proc/self/new"] {
        ensure_eq!(touch(path).err(), Some(Errno::ENOENT));
        ensure_eq!(fs::create_directory(path, 0o755).err(), Some(Errno::ENOENT));
        ensure_eq!(fs::symlink(b"target", path).err(), Some(Errno::ENOENT));
    }
    ensure_eq!(
        fs::create_directory(b"/proc/self", 0o755).err(),
        Some(Errno::EEXIST)
    );
    ensure_eq!(fs::remove_file(b"/proc/version").err(), Some(Errno::EPERM));
    Ok(())
}
