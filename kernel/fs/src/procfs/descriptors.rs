//! The directories `fd` and `fdinfo` of a task: one entry for every open descriptor.

use alloc::sync::Arc;

use ::task::fd_table::OnExec;
use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::syscall::Fd;
use vfs::{Access, Credentials, FileKind, FileOps, Inode, Metadata, OpenFile, SetAttributes};

use super::listing::{Found, Label, Listing, ListingFile};
use super::node::{Content, Node, Subject, describe, refuse_changes};
use super::task::Task;
use super::text::{Text, parse_number};

/// Bits of a descriptor in an inode number.
const FD_BITS: u32 = 24;

/// Makes the directory of links to open files.
pub(super) fn links(task: &Task, number: u64) -> Arc<dyn Inode> {
    Arc::new(Descriptors {
        task: task.clone(),
        number,
        entries: Entries::Links,
    })
}

/// Makes the directory of facts about open files.
pub(super) fn infos(task: &Task, number: u64) -> Arc<dyn Inode> {
    Arc::new(Descriptors {
        task: task.clone(),
        number,
        entries: Entries::Infos,
    })
}

/// What the entries of a directory are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Entries {
    Links,
    Infos,
}

impl Entries {
    fn kind(self) -> FileKind {
        match self {
            Self::Links => FileKind::SymbolicLink,
            Self::Infos => FileKind::Regular,
        }
    }
}

/// One of the directories.
#[derive(Clone)]
struct Descriptors {
    task: Task,
    number: u64,
    entries: Entries,
}

impl Inode for Descriptors {
    fn check_new_names(&self) -> Result<(), Errno> {
        // As Linux, whose look for the name already fails.
        Err(Errno::ENOENT)
    }

    fn kind(&self) -> FileKind {
        FileKind::Directory
    }

    fn access(&self) -> Access {
        let (uid, gid) = self.task.owner();
        let mode = if self.entries == Entries::Links {
            0o500
        } else {
            0o555
        };
        Access { mode, uid, gid }
    }

    fn metadata(&self) -> Metadata {
        describe(self, self.number, self.task.born_ns())
    }

    fn set_attributes(&self, changes: &SetAttributes) -> Result<(), Errno> {
        refuse_changes(changes)
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        self.task.check()?;
        let fd = parse_number(name).and_then(|number| i32::try_from(number).ok());
        let fd = Fd(fd.ok_or(Errno::ENOENT)?);
        let descriptor = Descriptor {
            task: self.task.clone(),
            fd,
        };
        let (mode, content) = match self.entries {
            Entries::Links => (
                descriptor.link_mode()?,
                Content::Place(|it: &Descriptor| Ok(it.file()?.path().clone())),
            ),
            Entries::Infos => (0o444, Content::Guarded(show_info)),
        };
        descriptor.check()?;
        Ok(Arc::new(Node::new(
            descriptor,
            mode,
            content,
            self.number_of(fd),
            self.number,
        )))
    }

    fn open(self: Arc<Self>, _flags: OpenFlags, credentials: &Credentials) -> sync::Result<Arc<dyn FileOps>> {
        self.task.check_inspection(credentials)?;
        let (number, parent) = (self.number, self.task.number());
        Ok(Arc::new(ListingFile {
            listing: Self::clone(&self),
            number,
            parent,
        }))
    }

    fn is_cacheable(&self) -> bool {
        false
    }

    fn caches_absence(&self) -> bool {
        false
    }
}

impl Listing for Descriptors {
    fn at(&self, position: u64) -> Result<Option<Found>, Errno> {
        self.task.check()?;
        // A zombie has no files, but still the directory.
        let Ok(files) = self.task.files() else {
            return Ok(None);
        };
        let minimum = usize::try_from(position).unwrap_or(usize::MAX);
        Ok(files.next(minimum).map(|(fd, _)| Found {
            position: fd.0 as u64,
            number: self.number_of(fd),
            kind: self.entries.kind(),
            name: Label::Number(fd.0.cast_unsigned()),
        }))
    }
}

impl Descriptors {
    fn number_of(&self, fd: Fd) -> u64 {
        self.number << FD_BITS | u64::from(fd.0.cast_unsigned())
    }
}

/// One descriptor, as the subject of its entry.
#[derive(Clone)]
struct Descriptor {
    task: Task,
    fd: Fd,
}

impl Descriptor {
    fn file(&self) -> Result<Arc<OpenFile>, Errno> {
        self.task.files()?.get(self.fd).map_err(|_| Errno::ENOENT)
    }

    /// Returns the mode of the link, which tells how the file is open.
    fn link_mode(&self) -> Result<u16, Errno> {
        let file = self.file()?;
        let read = if file.is_readable() { 0o500 } else { 0o100 };
        let write = if file.is_writable() { 0o300 } else { 0 };
        Ok(read | write)
    }
}

impl Subject for Descriptor {
    fn owner(&self) -> (u32, u32) {
        self.task.owner()
    }

    fn born_ns(&self) -> u64 {
        self.task.born_ns()
    }

    fn is_permanent(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), Errno> {
        self.task.check()?;
        self.file().map(drop)
    }

    fn check_inspection(&self, credentials: &Credentials) -> Result<(), Errno> {
        self.task.check_inspection(credentials)
    }
}

fn show_info(descriptor: &Descriptor, text: &mut Text) -> Result<(), Errno> {
    let file = descriptor.file()?;
    let mut flags = file.flags();
    if descriptor.task.files()?.on_exec(descriptor.fd) == Ok(OnExec::Close) {
        flags |= OpenFlags::CLOEXEC;
    }
    let (mount, inode) = (file.path().mount.id(), file.metadata()?.inode);
    write_info(text, file.position(), flags, mount, inode);
    if let Ok(ops) = file.ops() {
        // The text keeps the failure.
        let _recorded = ops.describe(text);
    }
    Ok(())
}

fn write_info(text: &mut Text, position: u64, flags: OpenFlags, mount: u64, inode: u64) {
    writeln!(text, "pos:\t{position}");
    writeln!(text, "flags:\t0{:o}", flags.bits());
    writeln!(text, "mnt_id:\t{mount}");
    writeln!(text, "ino:\t{inode}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn infos_are_as_linux_writes_them() {
        let mut text = Text::new();
        write_info(&mut text, 5, OpenFlags::RDWR | OpenFlags::APPEND, 12, 99);
        assert_eq!(
            text.finish().unwrap(),
            b"pos:\t5\nflags:\t02002\nmnt_id:\t12\nino:\t99\n"
        );
    }
}
