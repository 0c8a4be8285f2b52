//! Watching files, and reading what the watches tell (inotify(7)).

use alloc::string::String;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::inotify::{InotifyEvent, InotifyFlags, InotifyMask as Mask};
use los_abi::syscall::Sysno;
use rt::fs::File;
use rt::io;
use zerocopy::FromBytes;

use crate::raw::{addr, call};

pub(crate) type Event = (i32, Mask, String);

pub(crate) fn create() -> Result<u64, Errno> {
    call(Sysno::inotify_init1, &[InotifyFlags::NONBLOCK.bits().into()])
}

pub(crate) fn watch(fd: u64, path: &[u8], mask: Mask) -> Result<i32, Errno> {
    let mut name = path.to_vec();
    name.push(0);
    let wd = call(
        Sysno::inotify_add_watch,
        &[fd, addr(&name[..]), mask.bits().into()],
    )?;
    Ok(wd as i32)
}

/// Reads all events: watch, what, and name.
pub(crate) fn read(fd: u64) -> Result<Vec<Event>, Errno> {
    let mut bytes = [0xaa_u8; 4096];
    let length = match io::read(fd as i32, &mut bytes) {
        Err(Errno::EAGAIN) => 0,
        length => length?,
    };
    let mut rest = &bytes[..length];
    let mut events = Vec::new();
    let mut cookie = 0;
    while let Ok((event, behind)) = InotifyEvent::read_from_prefix(rest) {
        let (name, next) = behind.split_at(event.len as usize);
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        let mask = Mask::from_bits_retain(event.mask);
        let is_move = mask.intersects(Mask::MOVED_FROM | Mask::MOVED_TO);
        let is_second = mask.contains(Mask::MOVED_TO) && cookie != 0;
        if (event.cookie != 0) != is_move || is_second && event.cookie != cookie {
            return Err(Errno::EBADMSG);
        }
        if event.len % 16 != 0 || name[end..].iter().any(|byte| *byte != 0) {
            return Err(Errno::EBADMSG);
        }
        cookie = event.cookie;
        let name = String::from_utf8_lossy(&name[..end]).into_owned();
        events.push((event.wd, mask, name));
        rest = next;
    }
    Ok(events)
}

pub(crate) fn event(wd: i32, mask: Mask, name: &str) -> Event {
    (wd, mask, String::from(name))
}

pub(crate) fn make(path: &[u8]) -> Result<File, Errno> {
    File::open_with(path, OpenFlags::CREAT | OpenFlags::RDWR, 0o644)
}
