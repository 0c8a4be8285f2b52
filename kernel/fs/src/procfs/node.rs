//! The inodes of /proc: tables of entries, and what stands behind an entry.
//!
//! A [`Subject`] is what a file tells about: the system, or a task. A directory is a static table of
//! [`Entry`]s, or a [`Listing`] whose names come and go. Text is made at every read of its beginning; reads
//! further on see the same text.

use alloc::sync::Arc;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use mm::io::{Sink, Source};
use sync::{Rank, SpinLock};
use vfs::{Access, Credentials, FileKind, FileOps, Inode, Io, Metadata, Path, SetAttributes, clock};

use super::listing::{Found, Label, Listing, ListingFile};
use super::text::Text;

/// Longest text that a file takes in one write.
const WRITE_BYTES_MAX: usize = 4096;

/// What the files of a directory tell about.
pub(super) trait Subject: Clone + Send + Sync + 'static {
    /// Returns the user and group that own the files.
    fn owner(&self) -> (u32, u32);

    /// Tells whether it is closed to inspection, so that what is told of it belongs to root (PR_SET_DUMPABLE).
    fn is_closed(&self) -> bool {
        false
    }

    /// Returns the monotonic time since which the subject exists.
    fn born_ns(&self) -> u64;

    /// Reports whether the subject always exists.
    fn is_permanent(&self) -> bool;

    /// Checks that the subject still exists.
    ///
    /// # Errors
    /// ENOENT.
    fn check(&self) -> Result<(), Errno>;

    /// Checks that somebody may see what only the owner shows.
    ///
    /// # Errors
    /// EACCES.
    fn check_inspection(&self, credentials: &Credentials) -> Result<(), Errno>;

    /// Checks that and opens what the owner shows, of the same program.
    ///
    /// # Errors
    /// EACCES; those of opening.
    fn inspect(&self, credentials: &Credentials, open: OpenData<Self>) -> Result<Arc<dyn FileOps>, Errno> {
        self.check_inspection(credentials)?;
        open(self)
    }
}

/// Makes a file's text.
pub(super) type Show<S> = fn(&S, &mut Text) -> Result<(), Errno>;
/// Opens data.
pub(super) type OpenData<S> = fn(&S) -> Result<Arc<dyn FileOps>, Errno>;
/// Takes what was written to a file.
pub(super) type Store<S> = fn(&S, &[u8]) -> Result<(), Errno>;

/// What stands behind a name.
pub(super) enum Content<S: 'static> {
    /// Text.
    Text(Show<S>),
    /// Text that only those may open who may inspect the subject.
    Guarded(Show<S>),
    /// Text that can be changed.
    Setting(Show<S>, Store<S>),
    /// Data that only those may open who may inspect the subject; made at every opening.
    Data(OpenData<S>),
    /// A symbolic link.
    Link(fn(&S) -> Result<Vec<u8>, Errno>),
    /// A link to a place.
    Place(fn(&S) -> Result<Path, Errno>),
    /// A directory with a table.
    Table(&'static [Entry<S>]),
    /// A directory of names that come and go; made for the subject with this inode number.
    Listing(fn(&S, u64) -> Arc<dyn Inode>),
}

impl<S> Clone for Content<S> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<S> Copy for Content<S> {}

impl<S> Content<S> {
    const fn kind(&self) -> FileKind {
        match self {
            Self::Text(_) | Self::Guarded(_) | Self::Setting(..) | Self::Data(_) => FileKind::Regular,
            Self::Link(_) | Self::Place(_) => FileKind::SymbolicLink,
            Self::Table(_) | Self::Listing(_) => FileKind::Directory,
        }
    }
}

/// A name in a directory's table.
pub(super) struct Entry<S: 'static> {
    pub(super) name: &'static str,
    pub(super) mode: u16,
    pub(super) content: Content<S>,
}

/// Returns the inode number of the entry at an index of a directory's table.
pub(super) const fn number_in(directory: u64, index: usize) -> u64 {
    (directory << 8) + index as u64 + 1
}

/// Finds a name in a table.
///
/// # Errors
/// ENOENT.
pub(super) fn find<S: Subject>(
    table: &'static [Entry<S>],
    name: &[u8],
    subject: &S,
    directory: u64,
) -> Result<Arc<dyn Inode>, Errno> {
    subject.check()?;
    let index = table.iter().position(|entry| entry.name.as_bytes() == name);
    let index = index.ok_or(Errno::ENOENT)?;
    let (entry, number) = (&table[index], number_in(directory, index));
    Ok(match entry.content {
        Content::Listing(make) => make(subject, number),
        content => Arc::new(Node::new(subject.clone(), entry.mode, content, number, directory)),
    })
}

/// Finds the entry of a table at or behind a position.
pub(super) fn entry_at<S>(table: &'static [Entry<S>], position: u64, directory: u64) -> Option<Found> {
    let index = usize::try_from(position).ok()?;
    let entry = table.get(index)?;
    Some(Found {
        position,
        number: number_in(directory, index),
        kind: entry.content.kind(),
        name: Label::Fixed(entry.name),
    })
}

/// An inode with its content.
pub(super) struct Node<S: 'static> {
    subject: S,
    mode: u16,
    kind: FileKind,
    content: Content<S>,
    number: u64,
    /// Number of the directory above.
    parent: u64,
}

impl<S: Subject> Node<S> {
    /// Makes an inode in the directory with the number `parent`.
    pub(super) fn new(subject: S, mode: u16, content: Content<S>, number: u64, parent: u64) -> Self {
        Self {
            subject,
            mode,
            kind: content.kind(),
            content,
            number,
            parent,
        }
    }
}

impl<S> Node<S> {
    /// Returns what the inode tells about.
    pub(super) fn subject(&self) -> &S {
        &self.subject
    }

    /// Returns the inode number.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl<S: Subject> Inode for Node<S> {
    fn check_new_names(&self) -> Result<(), Errno> {
        // As Linux, whose look for the name already fails.
        Err(Errno::ENOENT)
    }

    fn kind(&self) -> FileKind {
        self.kind
    }

    fn access(&self) -> Access {
        // What everybody may read of a directory tells nothing.
        let is_open = self.kind == FileKind::Directory && self.mode == 0o555;
        let (uid, gid) = if is_open || !self.subject.is_closed() {
            self.subject.owner()
        } else {
            (0, 0)
        };
        Access {
            mode: self.mode,
            uid,
            gid,
        }
    }

    fn metadata(&self) -> Metadata {
        describe(self, self.number, self.subject.born_ns())
    }

    fn set_attributes(&self, changes: &SetAttributes) -> Result<(), Errno> {
        refuse_changes(changes)
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        match self.content {
            Content::Table(table) => find(table, name, &self.subject, self.number),
            _ => Err(Errno::ENOTDIR),
        }
    }

    fn read_link(&self) -> Result<Vec<u8>, Errno> {
        match self.content {
            Content::Link(target) => target(&self.subject),
            Content::Place(place) => {
                self.subject.check_inspection(&super::reader())?;
                Ok(super::path_bytes(&place(&self.subject)?))
            }
            _ => Err(Errno::EINVAL),
        }
    }

    fn follow_link(&self, credentials: &Credentials) -> Option<Result<Path, Errno>> {
        let Content::Place(place) = self.content else {
            return None;
        };
        let allowed = self.subject.check_inspection(credentials);
        Some(allowed.and_then(|()| place(&self.subject)))
    }

    fn truncate(&self, _size: u64) -> Result<(), Errno> {
        // Shells open what they write to with O_TRUNC; what cannot be written says so when it is.
        if self.kind == FileKind::Regular {
            Ok(())
        } else {
            Err(Errno::EINVAL)
        }
    }

    fn open(self: Arc<Self>, _flags: OpenFlags, credentials: &Credentials) -> sync::Result<Arc<dyn FileOps>> {
        self.subject.check()?;
        if matches!(self.content, Content::Guarded(_)) {
            self.subject.check_inspection(credentials)?;
        }
        Ok(match self.content {
            Content::Table(table) => {
                let (subject, number) = (self.subject.clone(), self.number);
                let listing = TableListing {
                    subject,
                    table,
                    number,
                };
                Arc::new(ListingFile {
                    listing,
                    number,
                    parent: self.parent,
                })
            }
            Content::Data(open) => self.subject.inspect(credentials, open)?,
            _ => Arc::new(TextFile {
                node: self,
                text: SpinLock::new(Rank::FileSystem, Arc::new(Vec::new())),
            }),
        })
    }

    fn is_cacheable(&self) -> bool {
        self.subject.is_permanent()
    }
}

/// Fills in what an inode's own methods do not tell.
pub(super) fn describe(inode: &dyn Inode, number: u64, born_ns: u64) -> Metadata {
    let access = inode.access();
    let time = los_abi::time::Timespec::from_ns(clock::realtime_offset_ns().wrapping_add(born_ns));
    let kind = inode.kind();
    Metadata {
        device: super::device(),
        inode: number,
        kind,
        mode: access.mode,
        links: if kind == FileKind::Directory { 2 } else { 1 },
        uid: access.uid,
        gid: access.gid,
        rdev: 0,
        size: 0,
        blocks: 0,
        block_size: 1024,
        accessed: time,
        modified: time,
        changed: time,
        created: time,
    }
}

/// Answers a change of attributes: times are not kept, mode and owner belong to the kernel.
///
/// # Errors
/// EPERM.
pub(super) fn refuse_changes(changes: &SetAttributes) -> Result<(), Errno> {
    let owned = changes.mode.is_some() || changes.uid.is_some() || changes.gid.is_some();
    if owned { Err(Errno::EPERM) } else { Ok(()) }
}

/// An open file with text.
struct TextFile<S: 'static> {
    node: Arc<Node<S>>,
    /// What the last read of the beginning made.
    text: SpinLock<Arc<Vec<u8>>>,
}

impl<S: Subject> FileOps for TextFile<S> {
    fn read_at(&self, out: &mut dyn Sink, offset: u64, _io: &Io) -> sync::Result<usize> {
        let text = if offset == 0 {
            self.show()?
        } else {
            self.text.lock().clone()
        };
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        match text.get(start..) {
            Some(rest) if !rest.is_empty() => Ok(out.put(rest)?),
            _ => Ok(0),
        }
    }

    fn write_at(&self, input: &mut dyn Source, _offset: u64, _io: &Io) -> sync::Result<usize> {
        let Content::Setting(_, store) = self.node.content else {
            return Err(Errno::EIO.into());
        };
        let length = input.remaining().min(WRITE_BYTES_MAX);
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(length).map_err(|_| Errno::ENOMEM)?;
        bytes.resize(length, 0);
        let taken = input.take(&mut bytes)?;
        store(&self.node.subject, &bytes[..taken])?;
        Ok(taken)
    }

    fn is_pollable(&self) -> bool {
        false
    }

    fn end(&self) -> Result<u64, Errno> {
        Err(Errno::EINVAL)
    }
}

impl<S: Subject> TextFile<S> {
    fn show(&self) -> Result<Arc<Vec<u8>>, Errno> {
        let (Content::Text(show) | Content::Guarded(show) | Content::Setting(show, _)) = self.node.content
        else {
            return Err(Errno::EINVAL);
        };
        // A task that is gone has no file any more, but a descriptor of one.
        self.node.subject.check().map_err(|_| Errno::ESRCH)?;
        let mut text = Text::new();
        show(&self.node.subject, &mut text)?;
        let text = Arc::new(text.finish()?);
        let old = core::mem::replace(&mut *self.text.lock(), text.clone());
        drop(old);
        Ok(text)
    }
}

/// The names of a table.
struct TableListing<S: 'static> {
    subject: S,
    table: &'static [Entry<S>],
    number: u64,
}

impl<S: Subject> Listing for TableListing<S> {
    fn at(&self, position: u64) -> Result<Option<Found>, Errno> {
        self.subject.check()?;
        Ok(entry_at(self.table, position, self.number))
    }
}
