//! /proc/PID/maps: the mappings of a process (proc_pid_maps(5)).

use los_abi::errno::Errno;
use los_abi::mm::ProtFlags;
use mm::{VmaInfo, VmaKind};
use vfs::{device_major, device_minor};

use super::task::Task;
use super::text::Text;

/// Columns before the name.
pub(super) const NAME_COLUMN: usize = 73;

pub(super) fn show(task: &Task, text: &mut Text) -> Result<(), Errno> {
    if let Some(memory) = task.process().memory() {
        memory.for_each_vma(&mut |vma| write_mapping(text, vma));
    }
    Ok(())
}

pub(super) fn write_mapping(text: &mut Text, vma: &VmaInfo) {
    let line = text.len();
    let letter = |flag, letter| {
        if vma.protection.contains(flag) {
            letter
        } else {
            '-'
        }
    };
    let (read, write) = (letter(ProtFlags::READ, 'r'), letter(ProtFlags::WRITE, 'w'));
    let execute = letter(ProtFlags::EXEC, 'x');
    let sharing = if vma.shared { 's' } else { 'p' };
    let (major, minor) = (device_major(vma.device), device_minor(vma.device));
    write!(
        text,
        "{:08x}-{:08x} {read}{write}{execute}{sharing} ",
        vma.start, vma.end
    );
    write!(text, "{:08x} {major:02x}:{minor:02x} {} ", vma.offset, vma.inode);
    let name: &[u8] = match vma.kind {
        VmaKind::Plain => &vma.name,
        VmaKind::Stack => b"[stack]",
        VmaKind::Heap => b"[heap]",
        VmaKind::Vdso => b"[vdso]",
        VmaKind::Vvar => b"[vvar]",
    };
    if !name.is_empty() {
        text.pad(line, NAME_COLUMN);
        text.escaped(name, b"\n");
    }
    text.bytes(b"\n");
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn line(vma: &VmaInfo) -> Vec<u8> {
        let mut text = Text::new();
        write_mapping(&mut text, vma);
        text.finish().unwrap()
    }

    fn program() -> VmaInfo {
        VmaInfo {
            start: 0x40_0000,
            end: 0x45_2000,
            protection: ProtFlags::READ | ProtFlags::EXEC,
            max_protection: ProtFlags::READ | ProtFlags::EXEC,
            attributes: mm::VmaAttributes::empty(),
            shared: false,
            kind: VmaKind::Plain,
            offset: 0x1000,
            device: vfs::make_device(8, 2),
            inode: 173_521,
            name: b"/usr/bin/dbus-daemon".to_vec(),
        }
    }

    #[test]
    fn files_are_shown_with_their_place() {
        // The example of the man page.
        let expected = b"00400000-00452000 r-xp 00001000 08:02 173521                             \
            /usr/bin/dbus-daemon\n";
        assert_eq!(line(&program()), expected);
    }

    #[test]
    fn anonymous_memory_has_no_name_but_a_use() {
        let heap = VmaInfo {
            start: 0x7fff_b2c0_d000,
            end: 0x7fff_b2c2_e000,
            protection: ProtFlags::READ | ProtFlags::WRITE,
            kind: VmaKind::Stack,
            offset: 0,
            device: 0,
            inode: 0,
            name: Vec::new(),
            ..program()
        };
        let stack = line(&heap);
        assert_eq!(
            stack,
            b"7fffb2c0d000-7fffb2c2e000 rw-p 00000000 00:00 0                          [stack]\n"
        );
        let shared = VmaInfo {
            kind: VmaKind::Plain,
            shared: true,
            protection: ProtFlags::empty(),
            ..heap
        };
        assert_eq!(
            line(&shared),
            b"7fffb2c0d000-7fffb2c2e000 ---s 00000000 00:00 0 \n"
        );
    }
}
