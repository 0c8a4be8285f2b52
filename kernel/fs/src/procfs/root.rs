//! The topmost directory: the system's files, and a directory for every process.

use alloc::sync::Arc;
use alloc::vec::Vec;

use ::task::pid;
use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use vfs::{Access, Credentials, FileKind, FileOps, Inode, Metadata, SetAttributes};

use super::listing::{Found, Label, Listing, ListingFile};
use super::node::{Content, Entry, Subject, describe, entry_at, find, refuse_changes};
use super::task::Task;
use super::text::parse_number;
use super::{locks, mounts, settings, system};

/// Inode number.
pub(super) const NUMBER: u64 = 1;
/// Position of process 0, which does not exist, in the listing: behind the table.
const PROCESSES: u64 = 256;

/// The system as a subject.
#[derive(Clone, Copy)]
pub(super) struct System;

impl Subject for System {
    fn owner(&self) -> (u32, u32) {
        (0, 0)
    }

    fn born_ns(&self) -> u64 {
        0
    }

    fn is_permanent(&self) -> bool {
        true
    }

    fn check(&self) -> Result<(), Errno> {
        Ok(())
    }

    fn check_inspection(&self, _credentials: &Credentials) -> Result<(), Errno> {
        Ok(())
    }
}

static TABLE: &[Entry<System>] = &[
    text("cmdline", system::command_line),
    text("cpuinfo", system::cpu_info),
    text("filesystems", mounts::file_systems),
    text("loadavg", system::load_average),
    text("locks", locks::all),
    text("meminfo", system::memory),
    link("mounts", |_| Ok(b"self/mounts".to_vec())),
    link("self", |_| own_name(Own::Process)),
    text("stat", system::statistics),
    Entry {
        name: "sys",
        mode: 0o555,
        content: Content::Table(settings::TABLE),
    },
    link("thread-self", |_| own_name(Own::Thread)),
    text("uptime", system::uptime),
    text("version", system::version),
];

pub(super) const fn text(name: &'static str, show: super::node::Show<System>) -> Entry<System> {
    Entry {
        name,
        mode: 0o444,
        content: Content::Text(show),
    }
}

const fn link(name: &'static str, target: fn(&System) -> Result<Vec<u8>, Errno>) -> Entry<System> {
    Entry {
        name,
        mode: 0o777,
        content: Content::Link(target),
    }
}

/// Which of its names the running thread asks for.
enum Own {
    Process,
    Thread,
}

fn own_name(which: Own) -> Result<Vec<u8>, Errno> {
    let thread = ::task::current().ok_or(Errno::ENOENT)?;
    let process = thread.process().pid();
    Ok(match which {
        Own::Process => alloc::format!("{process}"),
        Own::Thread => alloc::format!("{process}/task/{}", thread.tid()),
    }
    .into_bytes())
}

/// The topmost directory.
pub(super) struct Root;

impl Inode for Root {
    fn check_new_names(&self) -> Result<(), Errno> {
        // As Linux, whose look for the name already fails.
        Err(Errno::ENOENT)
    }

    fn kind(&self) -> FileKind {
        FileKind::Directory
    }

    fn access(&self) -> Access {
        Access {
            mode: 0o555,
            uid: 0,
            gid: 0,
        }
    }

    fn metadata(&self) -> Metadata {
        let links = 2 + pid::counts().processes as u32;
        Metadata {
            links,
            ..describe(self, NUMBER, 0)
        }
    }

    fn set_attributes(&self, changes: &SetAttributes) -> Result<(), Errno> {
        refuse_changes(changes)
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        match parse_number(name) {
            Some(number) => Ok(Task::find(number).ok_or(Errno::ENOENT)?.directory()),
            None => find(TABLE, name, &System, NUMBER),
        }
    }

    fn open(
        self: Arc<Self>,
        _flags: OpenFlags,
        _credentials: &Credentials,
    ) -> sync::Result<Arc<dyn FileOps>> {
        Ok(Arc::new(ListingFile {
            listing: RootListing,
            number: NUMBER,
            parent: NUMBER,
        }))
    }

    fn caches_absence(&self) -> bool {
        false
    }
}

/// The system's files, then the processes.
struct RootListing;

impl Listing for RootListing {
    fn at(&self, position: u64) -> Result<Option<Found>, Errno> {
        if let Some(found) = entry_at(TABLE, position, NUMBER) {
            return Ok(Some(found));
        }
        let minimum = u32::try_from(position.saturating_sub(PROCESSES)).unwrap_or(pid::PID_MAX);
        Ok(pid::next_process(minimum).map(|process| Found {
            position: PROCESSES + u64::from(process.pid()),
            number: Task::of_process(&process).number(),
            kind: FileKind::Directory,
            name: Label::Number(process.pid()),
        }))
    }
}

#[cfg(test)]
mod tests {
    use mm::io::VecSink;
    use vfs::Io;

    use super::*;

    #[test]
    fn the_table_fits_before_the_processes() {
        assert!((TABLE.len() as u64) < PROCESSES);
        assert!(TABLE.is_sorted_by_key(|entry| entry.name));
    }

    #[test]
    fn absent_names_are_enoent() {
        assert_eq!(Root.lookup(b"nothing").err(), Some(Errno::ENOENT));
        assert_eq!(Root.lookup(b"4294967295").err(), Some(Errno::ENOENT));
        assert_eq!(Root.lookup(b"007").err(), Some(Errno::ENOENT));
    }

    fn read(file: &dyn FileOps, offset: u64, room: usize) -> Vec<u8> {
        let mut sink = VecSink::new(room);
        file.read_at(&mut sink, offset, &Io::KERNEL).unwrap();
        sink.into_vec()
    }

    #[test]
    fn text_is_made_anew_at_its_beginning_only() {
        let mut inode: Arc<dyn Inode> = Arc::new(Root);
        for name in ["sys", "kernel", "random", "uuid"] {
            inode = inode.lookup(name.as_bytes()).unwrap();
        }
        let file = inode.open(OpenFlags::empty(), &Credentials::root()).unwrap();
        let start = read(&*file, 0, 10);
        let rest = read(&*file, 10, 100);
        assert_eq!((start.len(), rest.len()), (10, 27));
        assert_eq!(read(&*file, 10, 100), rest);
        assert_ne!(read(&*file, 0, 10), start);
        assert!(read(&*file, 37, 100).is_empty() && read(&*file, u64::MAX, 100).is_empty());
    }

    #[test]
    fn listing_goes_on_where_it_was_cut() {
        let open = || {
            Arc::new(Root)
                .open(OpenFlags::empty(), &Credentials::root())
                .unwrap()
        };
        let list = |portion: usize| {
            let (file, mut cursor, mut names) = (open(), 0, Vec::new());
            loop {
                let mut left = portion;
                let before = names.len();
                cursor = file
                    .read_directory(cursor, &mut |entry| {
                        let takes = left > 0;
                        if takes {
                            left -= 1;
                            names.push((entry.name.to_vec(), entry.inode));
                        }
                        takes
                    })
                    .unwrap();
                if names.len() == before {
                    return names;
                }
            }
        };
        let whole = list(usize::MAX);
        assert_eq!(list(1), whole);
        assert_eq!(list(3), whole);
        assert_eq!((&*whole[0].0, &*whole[1].0), (&b"."[..], &b".."[..]));
        for (name, number) in &whole[2..] {
            assert_eq!(Root.lookup(name).unwrap().metadata().inode, *number);
        }
    }
}
