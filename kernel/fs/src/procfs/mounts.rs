//! Mounts as a task sees them, and the types of file systems (proc_pid_mounts(5), proc_pid_mountinfo(5)).

use alloc::sync::Arc;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::TMPFS_MAGIC;
use vfs::{Mount, Path, device_major, device_minor};

use super::root::System;
use super::task::Task;
use super::text::Text;

type Done = Result<(), Errno>;

/// Bytes that separate fields, and the backslash that replaces them.
const ESCAPED: &[u8] = b" \t\n\\#";

pub(super) fn file_systems(_: &System, text: &mut Text) -> Done {
    for kind in vfs::filesystems::all() {
        let mark = if kind.needs_device() { "" } else { "nodev" };
        writeln!(text, "{mark}\t{}", kind.name());
    }
    Ok(())
}

/// Returns the pages that the files of the mounted tmpfs hold: the page cache of a system without disks.
pub(super) fn tmpfs_pages() -> usize {
    let fs = ::task::current().and_then(|thread| thread.fs());
    let namespace = fs.and_then(|fs| fs.lock().root.mount.namespace());
    let mut seen = Vec::new();
    let mut pages = 0;
    for mount in namespace.iter().flat_map(|namespace| namespace.mounts()) {
        let state = mount.file_system().statfs();
        let device = mount.file_system().device();
        if state.f_type == TMPFS_MAGIC && !seen.contains(&device) {
            seen.push(device);
            pages += (state.f_blocks - state.f_bfree) as usize;
        }
    }
    pages
}

/// One line of either file.
struct Line<'a> {
    id: u64,
    parent: u64,
    device: u64,
    place: &'a [u8],
    options: &'a [u8],
    kind: &'a str,
    source: &'a [u8],
    special: &'a [u8],
}

/// Writes /proc/PID/mounts, which has the format of fstab(5).
pub(super) fn table(task: &Task, text: &mut Text) -> Done {
    for_each(task, &mut |line| write_table_line(text, line))
}

/// Writes /proc/PID/mountinfo.
pub(super) fn info(task: &Task, text: &mut Text) -> Done {
    for_each(task, &mut |line| write_info_line(text, line))
}

fn for_each(task: &Task, visit: &mut dyn FnMut(&Line<'_>)) -> Done {
    let fs = task
        .thread()
        .and_then(|thread| thread.fs())
        .ok_or(Errno::EINVAL)?;
    let root = fs.lock().root.clone();
    let Some(namespace) = root.mount.namespace() else {
        return Ok(());
    };
    for mount in namespace.mounts() {
        let Some(place) = place_below(&mount, &root) else {
            continue;
        };
        let file_system = mount.file_system();
        visit(&Line {
            id: mount.id(),
            parent: mount.place().map_or(mount.id(), |place| place.mount.id()),
            device: file_system.device(),
            place: &place,
            options: &mount.options(),
            kind: file_system.name(),
            source: mount.source(),
            special: &file_system.options(),
        });
    }
    Ok(())
}

/// Returns where a mount is as seen from a root directory, if it is below.
fn place_below(mount: &Arc<Mount>, root: &Path) -> Option<Vec<u8>> {
    let place = mount.root().to_cwd_bytes(root).ok()?;
    place.starts_with(b"/").then_some(place)
}

fn write_table_line(text: &mut Text, line: &Line<'_>) {
    text.escaped(line.source, ESCAPED);
    text.bytes(b" ");
    text.escaped(line.place, ESCAPED);
    write!(text, " {} ", line.kind);
    text.bytes(line.options);
    text.bytes(b" 0 0\n");
}

fn write_info_line(text: &mut Text, line: &Line<'_>) {
    let (major, minor) = (device_major(line.device), device_minor(line.device));
    write!(text, "{} {} {major}:{minor} / ", line.id, line.parent);
    text.escaped(line.place, ESCAPED);
    text.bytes(b" ");
    // Those of the mount, then those of the file system, which come last in the whole.
    text.bytes(line.options.strip_suffix(line.special).unwrap_or(line.options));
    write!(text, " - {} ", line.kind);
    text.escaped(line.source, ESCAPED);
    text.bytes(if line.options.starts_with(b"ro") {
        b" ro"
    } else {
        b" rw"
    });
    text.bytes(line.special);
    text.bytes(b"\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: Line<'_> = Line {
        id: 4,
        parent: 1,
        device: vfs::make_device(0, 21),
        place: b"/my tmp",
        options: b"rw,nosuid,relatime,size=64k",
        kind: "tmpfs",
        source: b"none",
        special: b",size=64k",
    };

    #[test]
    fn lines_are_as_linux_writes_them() {
        let mut text = Text::new();
        write_table_line(&mut text, &LINE);
        write_info_line(&mut text, &LINE);
        let bytes = text.finish().unwrap();
        let expected = "none /my\\040tmp tmpfs rw,nosuid,relatime,size=64k 0 0\n\
            4 1 0:21 / /my\\040tmp rw,nosuid,relatime - tmpfs none rw,size=64k\n";
        assert_eq!(str::from_utf8(&bytes), Ok(expected));
    }
}
