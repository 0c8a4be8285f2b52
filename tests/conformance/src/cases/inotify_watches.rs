//! Watches and their queues: what can be watched, how a watch changes, how events are read (inotify(7)).

use alloc::string::String;

use los_abi::errno::Errno;
use los_abi::inotify::{InotifyFlags, InotifyMask as Mask};
use los_abi::poll::PollEvents;
use los_abi::syscall::Sysno;
use los_abi::tty::FIONREAD;
use rt::fs::{self, File};
use rt::{io, process, time};

use crate::descriptors::{is_readable, readiness, target};
use crate::harness::{Outcome, spawn, wait_for};
use crate::inotify::{create, event, make, read, watch};
use crate::raw::{addr_mut, call};
use crate::{cases, ensure, ensure_eq};

cases![
    a_watch_can_be_changed,
    a_watch_for_one_event,
    children_without_names_can_be_excluded,
    links_can_be_watched_themselves,
    only_directories,
    a_read_waits,
    small_buffers,
    events_are_counted_in_bytes,
    facts_are_shown,
    argument_checks,
];

fn a_watch_can_be_changed() -> Outcome {
    let fd = create()?;
    drop(make(b"f")?);
    ensure_eq!(watch(fd, b"f", Mask::ATTRIB)?, 1);
    ensure_eq!(watch(fd, b"./f", Mask::OPEN | Mask::MASK_ADD)?, 1);
    let again = watch(fd, b"f", Mask::OPEN | Mask::MASK_CREATE);
    ensure_eq!(again.err(), Some(Errno::EEXIST));
    fs::set_permissions(b"f", 0o600)?;
    drop(File::open(b"f")?);
    ensure_eq!(read(fd)?, [event(1, Mask::ATTRIB, ""), event(1, Mask::OPEN, "")]);
    ensure_eq!(watch(fd, b"f", Mask::OPEN)?, 1);
    fs::set_permissions(b"f", 0o644)?;
    ensure_eq!(read(fd)?, []);
    call(Sysno::inotify_rm_watch, &[fd, 1])?;
    ensure_eq!(read(fd)?, [event(1, Mask::IGNORED, "")]);
    // Numbers are not used again.
    ensure_eq!(watch(fd, b"f", Mask::OPEN)?, 2);
    Ok(())
}

fn a_watch_for_one_event() -> Outcome {
    let fd = create()?;
    drop(make(b"f")?);
    watch(fd, b"f", Mask::ATTRIB | Mask::ONESHOT)?;
    fs::set_permissions(b"f", 0o600)?;
    fs::set_permissions(b"f", 0o644)?;
    ensure_eq!(
        read(fd)?,
        [event(1, Mask::ATTRIB, ""), event(1, Mask::IGNORED, "")]
    );
    Ok(())
}

fn children_without_names_can_be_excluded() -> Outcome {
    let fd = create()?;
    let file = make(b"f")?;
    watch(fd, b".", Mask::MODIFY)?;
    fs::remove_file(b"f")?;
    io::write(file.descriptor(), b"x")?;
    ensure_eq!(read(fd)?, [event(1, Mask::MODIFY, "f")]);
    watch(fd, b".", Mask::MODIFY | Mask::EXCL_UNLINK)?;
    io::write(file.descriptor(), b"x")?;
    ensure_eq!(read(fd)?, []);
    Ok(())
}

fn links_can_be_watched_themselves() -> Outcome {
    let fd = create()?;
    drop(make(b"f")?);
    fs::symlink(b"f", b"l")?;
    ensure_eq!(watch(fd, b"l", Mask::ALL_EVENTS | Mask::DONT_FOLLOW)?, 1);
    ensure_eq!(watch(fd, b"l", Mask::ATTRIB)?, 2);
    fs::set_permissions(b"l", 0o600)?;
    fs::remove_file(b"l")?;
    let expected = [
        event(2, Mask::ATTRIB, ""),
        event(1, Mask::ATTRIB, ""),
        event(1, Mask::DELETE_SELF, ""),
        event(1, Mask::IGNORED, ""),
    ];
    ensure_eq!(read(fd)?, expected);
    Ok(())
}

fn only_directories() -> Outcome {
    let fd = create()?;
    drop(make(b"f")?);
    let file = watch(fd, b"f", Mask::OPEN | Mask::ONLYDIR);
    ensure_eq!(file.err(), Some(Errno::ENOTDIR));
    watch(fd, b".", Mask::OPEN | Mask::ONLYDIR)?;
    Ok(())
}

fn a_read_waits() -> Outcome {
    let fd = call(Sysno::inotify_init1, &[0])?;
    watch(fd, b".", Mask::CREATE)?;
    ensure!(!is_readable(fd)?);
    let child = spawn(|| {
        time::sleep_ms(20);
        i32::from(make(b"f").is_err())
    })?;
    ensure_eq!(read(fd)?, [event(1, Mask::CREATE, "f")]);
    wait_for(child)?;
    let child = spawn(|| {
        time::sleep_ms(20);
        i32::from(make(b"g").is_err())
    })?;
    let both = PollEvents::IN | PollEvents::RDNORM;
    ensure_eq!(readiness(fd, both, 20_000)?, both);
    wait_for(child)?;
    Ok(())
}

fn small_buffers() -> Outcome {
    let fd = create()?;
    watch(fd, b".", Mask::CREATE)?;
    let mut bytes = [0; 64];
    // Without an event the size does not matter.
    ensure_eq!(io::read(fd as i32, &mut bytes[..1]), Err(Errno::EAGAIN));
    drop((make(b"a")?, make(b"b")?));
    ensure_eq!(io::read(fd as i32, &mut bytes[..31]), Err(Errno::EINVAL));
    ensure_eq!(io::read(fd as i32, &mut bytes[..33]), Ok(32));
    ensure_eq!(io::read(fd as i32, &mut bytes), Ok(32));
    drop(make(b"fifteen-letters")?);
    ensure_eq!(io::read(fd as i32, &mut bytes), Ok(32));
    drop(make(b"sixteen-letters-")?);
    ensure_eq!(io::read(fd as i32, &mut bytes), Ok(48));
    Ok(())
}

fn events_are_counted_in_bytes() -> Outcome {
    let fd = create()?;
    watch(fd, b".", Mask::CREATE)?;
    let mut length = -1_i32;
    call(Sysno::ioctl, &[fd, FIONREAD.into(), addr_mut(&mut length)])?;
    ensure_eq!(length, 0);
    drop((make(b"a")?, make(b"b")?));
    call(Sysno::ioctl, &[fd, FIONREAD.into(), addr_mut(&mut length)])?;
    ensure_eq!(length, 64);
    Ok(())
}

fn facts_are_shown() -> Outcome {
    let fd = create()?;
    ensure_eq!(target(fd)?, b"anon_inode:inotify");
    drop(make(b"f")?);
    watch(fd, b"f", Mask::MODIFY | Mask::ONESHOT)?;
    let text = fs::read(alloc::format!("/proc/self/fdinfo/{fd}").as_bytes())?;
    let text = String::from_utf8_lossy(&text).into_owned();
    ensure!(text.contains("\ninotify wd:1 ino:"), "{text}");
    ensure!(text.contains(" mask:80000002 ignored_mask:0"), "{text}");
    for name in ["max_queued_events", "max_user_instances", "max_user_watches"] {
        let value = fs::read(alloc::format!("/proc/sys/fs/inotify/{name}").as_bytes())?;
        let number: Option<u64> = String::from_utf8_lossy(&value).trim().parse().ok();
        ensure!(number.is_some_and(|number| number > 100), "{name}");
    }
    Ok(())
}

fn argument_checks() -> Outcome {
    ensure_eq!(call(Sysno::inotify_init1, &[1]).err(), Some(Errno::EINVAL));
    let fd = call(Sysno::inotify_init1, &[InotifyFlags::CLOEXEC.bits().into()])?;
    ensure_eq!(call(Sysno::fcntl, &[fd, 1, 0]), Ok(1));
    ensure_eq!(watch(fd, b".", Mask::empty()).err(), Some(Errno::EINVAL));
    let unknown = Mask::from_bits_retain(0x1000);
    ensure_eq!(watch(999, b".", unknown).err(), Some(Errno::EINVAL));
    let both = Mask::OPEN | Mask::MASK_ADD | Mask::MASK_CREATE;
    ensure_eq!(watch(999, b".", both).err(), Some(Errno::EBADF));
    ensure_eq!(watch(fd, b".", both).err(), Some(Errno::EINVAL));
    ensure_eq!(watch(fd, b"nothing", Mask::OPEN).err(), Some(Errno::ENOENT));
    let (reader, _writer) = process::pipe()?;
    let other = reader.descriptor() as u64;
    ensure_eq!(watch(other, b"nothing", Mask::OPEN).err(), Some(Errno::EINVAL));
    ensure_eq!(
        call(Sysno::inotify_add_watch, &[fd, 16, 1]).err(),
        Some(Errno::EFAULT)
    );
    ensure_eq!(call(Sysno::inotify_rm_watch, &[fd, 1]).err(), Some(Errno::EINVAL));
    ensure_eq!(
        call(Sysno::inotify_rm_watch, &[other, 1]).err(),
        Some(Errno::EINVAL)
    );
    ensure_eq!(call(Sysno::inotify_rm_watch, &[999, 1]).err(), Some(Errno::EBADF));
    ensure_eq!(io::write(fd as i32, b"x"), Err(Errno::EBADF));
    // Only what may be read may be watched.
    drop(make(b"secret")?);
    fs::set_permissions(b"secret", 0)?;
    let child = spawn(|| {
        let refused =
            call(Sysno::setresuid, &[1000, 1000, 1000]).and_then(|_| watch(fd, b"secret", Mask::OPEN));
        i32::from(refused != Err(Errno::EACCES))
    })?;
    ensure_eq!(process::shell_status(wait_for(child)?), 0);
    Ok(())
}
