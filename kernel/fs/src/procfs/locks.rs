//! `/proc/locks`: who holds locks on files (proc_locks(5)).

use los_abi::errno::Errno;
use vfs::lock::{Kind, Listed, Strength};
use vfs::{device_major, device_minor};

use super::root::System;
use super::text::Text;

pub(super) fn all(_: &System, text: &mut Text) -> Result<(), Errno> {
    for (index, lock) in vfs::lock::list()?.iter().enumerate() {
        write_lock(text, index + 1, lock);
    }
    Ok(())
}

fn write_lock(text: &mut Text, number: usize, lock: &Listed) {
    let kind = match lock.kind {
        Kind::Flock => "FLOCK ",
        Kind::Posix => "POSIX ",
        Kind::OpenFile => "OFDLCK",
    };
    let strength = match lock.strength {
        Strength::Shared => "READ",
        Strength::Exclusive => "WRITE",
    };
    let (major, minor) = (device_major(lock.device), device_minor(lock.device));
    write!(
        text,
        "{number}: {kind} ADVISORY  {strength} {} {major:02x}:{minor:02x}:{} {} ",
        lock.pid, lock.inode, lock.range.first
    );
    if lock.range.is_open_ended() {
        writeln!(text, "EOF");
    } else {
        writeln!(text, "{}", lock.range.last);
    }
}

#[cfg(test)]
mod tests {
    use vfs::lock::Range;

    use super::*;

    #[test]
    fn lines_are_as_linux_writes_them() {
        let mut text = Text::new();
        let mut lock = Listed {
            kind: Kind::Posix,
            strength: Strength::Exclusive,
            pid: 12,
            device: vfs::make_device(0, 27),
            inode: 345,
            range: Range { first: 7, last: 9 },
        };
        write_lock(&mut text, 1, &lock);
        lock.kind = Kind::Flock;
        lock.strength = Strength::Shared;
        lock.range = Range {
            first: 0,
            last: i64::MAX as u64,
        };
        write_lock(&mut text, 2, &lock);
        assert_eq!(
            text.finish().unwrap(),
            b"1: POSIX  ADVISORY  WRITE 12 00:1b:345 7 9\n2: FLOCK  ADVISORY  READ 12 00:1b:345 0 EOF\n"
        );
    }
}
