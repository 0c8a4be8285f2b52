//! Makes the files of an archive's entries, as Linux's `init/initramfs.c` does: what is in the way goes, files
//! with several names share what was made first, directories get their times at the end.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::time::Timespec;
use mm::io::{SliceSource, Source};
use vfs::ops::{self, NewTime};
use vfs::{At, Caller, FileKind, Lookup, Path, make_device, walk};

use super::newc::Entry;

/// Mode of directories that no entry describes.
const PARENT_MODE: u16 = 0o755;

/// The files made so far.
pub(super) struct Tree<'a> {
    caller: Caller<'a>,
    /// Path of the first name of each file that has several.
    links: BTreeMap<(u32, u32, u32), Vec<u8>>,
    /// Directories and their times, which making files in them would change.
    directories: Vec<(Path, i64)>,
}

/// Whether an entry is another name of a file that exists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Name {
    First,
    Further,
}

impl<'a> Tree<'a> {
    /// Starts at the caller's root.
    pub(super) fn new(caller: &Caller<'a>) -> Self {
        let mut caller = caller.clone();
        caller.umask = 0;
        Self {
            caller,
            links: BTreeMap::new(),
            directories: Vec::new(),
        }
    }

    /// Makes what an entry describes.
    ///
    /// # Errors
    /// Those of the virtual file system: ENOSPC, ENOMEM, ENOTDIR, ENAMETOOLONG.
    pub(super) fn place(&mut self, entry: &Entry<'_>) -> Result<(), Errno> {
        let path = absolute(entry.name)?;
        match self.place_at(&path, entry) {
            Err(Errno::ENOENT) => {
                self.make_parents(&path)?;
                self.place_at(&path, entry)
            }
            result => result,
        }
    }

    /// Forgets which files have several names: numbers mean something within one archive only.
    pub(super) fn forget_links(&mut self) {
        self.links.clear();
    }

    /// Sets the times of directories.
    ///
    /// # Errors
    /// The first that occurs; all are tried.
    pub(super) fn finish(&mut self) -> Result<(), Errno> {
        let mut result = Ok(());
        for (path, modified) in self.directories.drain(..) {
            result = result.and(set_time(&self.caller, &path, modified));
        }
        result
    }

    fn place_at(&mut self, path: &[u8], entry: &Entry<'_>) -> Result<(), Errno> {
        match entry.kind {
            FileKind::Directory => self.place_directory(path, entry),
            FileKind::SymbolicLink => {
                self.clear(path, None)?;
                ops::symlink(&self.caller, entry.data, At::Cwd, path)?;
                let made = self.find(path)?;
                ops::change_owner(self.caller.credentials, &made, Some(entry.uid), Some(entry.gid))?;
                set_time(&self.caller, &made, entry.modified)
            }
            FileKind::Regular => self.place_file(path, entry),
            _ => self.place_special(path, entry),
        }
    }

    fn place_directory(&mut self, path: &[u8], entry: &Entry<'_>) -> Result<(), Errno> {
        self.clear(path, Some(FileKind::Directory))?;
        match ops::make_directory(&self.caller, At::Cwd, path, entry.mode & 0o1777) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno),
        }
        let made = self.find(path)?;
        self.describe(&made, entry)?;
        self.directories.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.directories.push((made, entry.modified));
        Ok(())
    }

    fn place_file(&mut self, path: &[u8], entry: &Entry<'_>) -> Result<(), Errno> {
        // The data come with any one of the names; the others are empty and must not cut them off.
        let truncate = match self.join(path, entry)? {
            Name::Further => OpenFlags::empty(),
            Name::First => {
                self.clear(path, Some(FileKind::Regular))?;
                OpenFlags::TRUNC
            }
        };
        let flags = OpenFlags::WRONLY | OpenFlags::CREAT | OpenFlags::NOFOLLOW | truncate;
        let file = ops::open(&self.caller, At::Cwd, path, flags, entry.mode).map_err(errno)?;
        let mut source = SliceSource::new(entry.data);
        while source.remaining() > 0 {
            if file.write(&mut source, u64::MAX).map_err(errno)? == 0 {
                return Err(Errno::EIO);
            }
        }
        self.describe(file.path(), entry)?;
        set_time(&self.caller, file.path(), entry.modified)
    }

    fn place_special(&mut self, path: &[u8], entry: &Entry<'_>) -> Result<(), Errno> {
        if self.join(path, entry)? == Name::Further {
            return Ok(());
        }
        self.clear(path, None)?;
        let rdev = make_device(entry.device.0, entry.device.1);
        ops::make_node(&self.caller, At::Cwd, path, entry.kind, entry.mode, rdev)?;
        let made = self.find(path)?;
        self.describe(&made, entry)?;
        set_time(&self.caller, &made, entry.modified)
    }

    /// Makes the entry a further name of a file that the archive had before, or remembers it as the first.
    fn join(&mut self, path: &[u8], entry: &Entry<'_>) -> Result<Name, Errno> {
        if entry.links < 2 {
            return Ok(Name::First);
        }
        let Some(first) = self.links.get(&entry.identity) else {
            self.links.insert(entry.identity, path.to_vec());
            return Ok(Name::First);
        };
        if first == path {
            return Ok(Name::Further);
        }
        let first = self.find(first)?;
        self.clear(path, None)?;
        ops::link(&self.caller, &first, At::Cwd, path)?;
        Ok(Name::Further)
    }

    /// Removes what stands at a path, unless it is of the kind `keep`.
    fn clear(&self, path: &[u8], keep: Option<FileKind>) -> Result<(), Errno> {
        let kind = match self.find(path).and_then(|found| Ok(found.inode()?.kind())) {
            Ok(kind) => kind,
            Err(Errno::ENOENT) => return Ok(()),
            Err(errno) => return Err(errno),
        };
        if Some(kind) == keep {
            return Ok(());
        }
        if kind == FileKind::Directory {
            ops::remove_directory(&self.caller, At::Cwd, path)
        } else {
            ops::unlink(&self.caller, At::Cwd, path)
        }
    }

    /// Sets owner and mode; the owner first, since that takes set-id bits away.
    fn describe(&self, path: &Path, entry: &Entry<'_>) -> Result<(), Errno> {
        let credentials = self.caller.credentials;
        ops::change_owner(credentials, path, Some(entry.uid), Some(entry.gid))?;
        ops::change_mode(credentials, path, entry.mode)
    }

    fn find(&self, path: &[u8]) -> Result<Path, Errno> {
        walk::resolve(&self.caller, At::Cwd, path, Lookup::empty())
    }

    fn make_parents(&self, path: &[u8]) -> Result<(), Errno> {
        let slashes = path.iter().enumerate().skip(1).filter(|&(_, &byte)| byte == b'/');
        for (at, _) in slashes {
            match ops::make_directory(&self.caller, At::Cwd, &path[..at], PARENT_MODE) {
                Ok(()) | Err(Errno::EEXIST) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}

fn absolute(name: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut path = Vec::new();
    path.try_reserve_exact(name.len() + 1)
        .map_err(|_| Errno::ENOMEM)?;
    path.push(b'/');
    path.extend_from_slice(name);
    Ok(path)
}

fn set_time(caller: &Caller<'_>, path: &Path, seconds: i64) -> Result<(), Errno> {
    let time = NewTime::At(Timespec {
        tv_sec: seconds,
        tv_nsec: 0,
    });
    ops::set_times(caller.credentials, path, time, time)
}

/// Nothing here waits, so nothing is ever interrupted.
fn errno(error: sync::Error) -> Errno {
    match error {
        sync::Error::Errno(errno) => errno,
        sync::Error::Restart(_) => Errno::EINTR,
    }
}
