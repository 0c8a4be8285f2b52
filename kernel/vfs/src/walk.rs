//! The path walk: from bytes to a place in the tree (path_resolution(7)).
//!
//! A cached component costs one search permission check, one hash and one look into the directory's table;
//! nothing is allocated unless a symbolic link is met.

use alloc::borrow::Cow;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use bitflags::bitflags;
use los_abi::errno::Errno;
use los_abi::fs::{MountFlags, NAME_MAX, PATH_MAX};

use crate::attributes::FileKind;
use crate::file::OpenFile;
use crate::name;
use crate::path::{Caller, Path};
use crate::permission;

/// Most symbolic links that one walk follows.
const LINKS_MAX: u32 = 40;

/// Where a relative path starts.
#[derive(Clone)]
pub enum At {
    /// The working directory.
    Cwd,
    /// The directory that a descriptor is open for.
    File(Arc<OpenFile>),
}

bitflags! {
    /// How a walk treats the last component.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Lookup: u8 {
        /// A symbolic link there is followed.
        const FOLLOW = 1;
        /// An empty path is the starting place itself.
        const EMPTY_PATH = 2;
        /// It must be a directory.
        const DIRECTORY = 4;
    }
}

/// Finds the place of a path that exists.
///
/// # Errors
/// ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG.
pub fn resolve(caller: &Caller<'_>, at: At, path: &[u8], lookup: Lookup) -> Result<Path, Errno> {
    if path.is_empty() && lookup.contains(Lookup::EMPTY_PATH) {
        return Ok(match at {
            At::Cwd => caller.cwd.clone(),
            At::File(file) => file.path().clone(),
        });
    }
    let mut walk = Walk::new(caller, at, path)?;
    let mut last = walk.advance_to_last(Cow::Borrowed(path))?;
    let mut had_slash = false;
    loop {
        had_slash |= last.has_slash;
        let follows = lookup.contains(Lookup::FOLLOW) || had_slash;
        match walk.finish(&last)? {
            Some(link) if follows => match walk.follow(&link)? {
                Some(target) => last = walk.advance_to_last(target)?,
                None => break,
            },
            Some(link) => {
                walk.current = link;
                break;
            }
            None => break,
        }
    }
    walk.current.inode()?;
    if (had_slash || lookup.contains(Lookup::DIRECTORY)) && !walk.current.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    Ok(walk.current)
}

/// The last component of a path.
pub(crate) struct Last<'p> {
    path: Cow<'p, [u8]>,
    name: Range<usize>,
    hash: u64,
    /// What it is.
    pub(crate) kind: LastKind,
    /// Whether slashes follow, so that it must be a directory.
    pub(crate) has_slash: bool,
}

/// What a last component is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LastKind {
    /// A proper name.
    Name,
    /// `.`.
    Dot,
    /// `..`.
    DotDot,
    /// There is none: the path is `/`.
    Root,
}

impl Last<'_> {
    /// Returns the name; empty for the root.
    pub(crate) fn name(&self) -> &[u8] {
        &self.path[self.name.clone()]
    }

    /// Returns the name's hash.
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }
}

/// A walk in progress: where it stands and how many links it has followed.
pub(crate) struct Walk<'a> {
    caller: &'a Caller<'a>,
    pub(crate) current: Path,
    links: u32,
}

impl<'a> Walk<'a> {
    /// Starts where the path says: at the root or at `at`.
    ///
    /// # Errors
    /// ENOENT for an empty path; ENAMETOOLONG; ENOTDIR for an `at` that is no directory.
    pub(crate) fn new(caller: &'a Caller<'a>, at: At, path: &[u8]) -> Result<Self, Errno> {
        if path.len() >= PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let current = match (path.first(), at) {
            (None, _) => return Err(Errno::ENOENT),
            (Some(b'/'), _) => caller.root.clone(),
            (_, At::Cwd) => caller.cwd.clone(),
            (_, At::File(file)) if file.path().is_directory() => file.path().clone(),
            _ => return Err(Errno::ENOTDIR),
        };
        Ok(Self {
            caller,
            current,
            links: 0,
        })
    }

    /// Walks up to the last component of a path and stands in the directory that it is to be looked up in.
    ///
    /// # Errors
    /// As [`resolve`].
    pub(crate) fn advance_to_last<'p>(&mut self, mut path: Cow<'p, [u8]>) -> Result<Last<'p>, Errno> {
        let mut start = skip_slashes(&path, 0);
        if start == path.len() {
            return Ok(Last {
                path,
                name: start..start,
                hash: 0,
                kind: LastKind::Root,
                has_slash: false,
            });
        }
        loop {
            match self.current.dentry.kind() {
                Some(FileKind::Directory) => {}
                Some(_) => return Err(Errno::ENOTDIR),
                None => return Err(Errno::ENOENT),
            }
            permission::check_search(self.caller.credentials, &**self.current.inode()?)?;
            let component = name::component(&path[start..]);
            if component.length > NAME_MAX {
                return Err(Errno::ENAMETOOLONG);
            }
            let end = start + component.length;
            let next = skip_slashes(&path, end);
            let kind = match &path[start..end] {
                b"." => LastKind::Dot,
                b".." => LastKind::DotDot,
                _ => LastKind::Name,
            };
            let last = Last {
                path,
                name: start..end,
                hash: component.hash,
                kind,
                has_slash: next > end,
            };
            if next == last.path.len() {
                return Ok(last);
            }
            let link = self.finish(&last)?;
            path = last.path;
            start = next;
            if let Some(link) = link
                && let Some(target) = self.follow(&link)?
            {
                path = Cow::Owned(join(target, &path[start..])?);
                start = skip_slashes(&path, 0);
                if start == path.len() {
                    return Err(Errno::ENOENT);
                }
            }
        }
    }

    /// Steps onto a component, which may not exist. A symbolic link is returned instead of stepped on.
    ///
    /// # Errors
    /// Those of the file system.
    #[inline]
    pub(crate) fn finish(&mut self, last: &Last<'_>) -> Result<Option<Path>, Errno> {
        match last.kind {
            LastKind::Root | LastKind::Dot => {}
            LastKind::DotDot => self.current.ascend(&self.caller.root),
            LastKind::Name => {
                let child = self.current.dentry.child(last.name(), last.hash)?;
                if child.kind() == Some(FileKind::SymbolicLink) {
                    return Ok(Some(Path {
                        mount: self.current.mount.clone(),
                        dentry: child,
                    }));
                }
                self.current.dentry = child;
                self.current.cross_mounts();
            }
        }
        Ok(None)
    }

    /// Follows a symbolic link in the current directory: returns the path to go on with, or `None` when the
    /// link has led to a place by itself.
    ///
    /// # Errors
    /// ELOOP; ENOENT for an empty target; those of the file system.
    pub(crate) fn follow(&mut self, link: &Path) -> Result<Option<Cow<'static, [u8]>>, Errno> {
        self.links += 1;
        if self.links > LINKS_MAX || link.mount.flags().contains(MountFlags::NOSYMFOLLOW) {
            return Err(Errno::ELOOP);
        }
        let inode = link.inode()?;
        if let Some(place) = inode.follow_link(self.caller.credentials) {
            self.current = place?;
            return Ok(None);
        }
        let target = inode.read_link()?;
        inode.note_access();
        match target.first() {
            None => return Err(Errno::ENOENT),
            Some(b'/') => self.current = self.caller.root.clone(),
            Some(_) => {}
        }
        Ok(Some(Cow::Owned(target)))
    }
}

#[inline]
fn skip_slashes(path: &[u8], mut index: usize) -> usize {
    while path.get(index) == Some(&b'/') {
        index += 1;
    }
    index
}

/// Puts the rest of a path behind a link's target.
fn join(target: Cow<'_, [u8]>, rest: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut joined = target.into_owned();
    joined.try_reserve(rest.len() + 1).map_err(|_| Errno::ENOMEM)?;
    joined.push(b'/');
    joined.extend_from_slice(rest);
    Ok(joined)
}
