//! The file that events are read from.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::fmt::Write;

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::inotify::{InotifyEvent, InotifyMask};
use los_abi::poll::PollEvents;
use los_abi::syscall::UserPtr;
use los_abi::tty::FIONREAD;
use mm::io::Sink;
use sync::{Rank, SpinLock, WaitQueue};
use zerocopy::IntoBytes;

use super::watches::Watch;
use crate::anonymous::{AnonymousInode, anonymous_file};
use crate::attributes::{FileKind, device_major, device_minor};
use crate::credentials::Credentials;
use crate::file::OpenFile;
use crate::inode::{FileOps, Io, IoctlContext};
use crate::owner::{Reason, SignalList};
use crate::path::Path;
use crate::poll::{PollTable, READABLE};
use crate::user_limits::{Limit, Resource, Share, limit};

const HEADER_BYTES: usize = size_of::<InotifyEvent>();
/// Bits of the minor number in the kernel's own form of a device number, which fdinfo shows.
const MINOR_BITS: u32 = 20;
/// What a watch remembers of the wish.
const KEPT: InotifyMask = InotifyMask::ALL_EVENTS
    .union(InotifyMask::ONESHOT)
    .union(InotifyMask::EXCL_UNLINK);

/// An instance: watches, and the events that nobody has read.
pub struct Inotify {
    this: Weak<Self>,
    /// The user whose limits count.
    user: u32,
    queued_events_max: usize,
    state: SpinLock<State>,
    readers: Arc<WaitQueue>,
    signals: SignalList,
    _share: Share,
}

struct State {
    next_wd: i32,
    watches: BTreeMap<i32, (Arc<Watch>, Share)>,
    events: VecDeque<Event>,
    /// Whether an event in the queue tells that others were lost.
    has_overflow: bool,
}

#[derive(PartialEq, Eq)]
struct Event {
    wd: i32,
    mask: InotifyMask,
    cookie: u32,
    name: Vec<u8>,
}

/// Makes an instance: inotify_init1(2).
///
/// # Errors
/// EMFILE beyond the user's limit; ENFILE; ENOMEM.
pub fn create(flags: OpenFlags, credentials: &Credentials) -> Result<Arc<OpenFile>, Errno> {
    let inotify = Inotify::new(credentials.euid)?;
    let inode = AnonymousInode::new(FileKind::Regular, 0o600);
    anonymous_file(b"anon_inode:inotify", inode, inotify, flags, credentials)
}

impl Inotify {
    pub(super) fn new(user: u32) -> Result<Arc<Self>, Errno> {
        if !mm::frames::headroom() {
            return Err(Errno::ENOMEM);
        }
        let most = limit(Limit::InotifyInstances);
        let share = Share::take_one(user, Resource::InotifyInstances, most).ok_or(Errno::EMFILE)?;
        Ok(Arc::new_cyclic(|this| Self {
            this: this.clone(),
            user,
            queued_events_max: limit(Limit::InotifyQueuedEvents),
            state: SpinLock::new(
                Rank::FileSystem,
                State {
                    next_wd: 1,
                    watches: BTreeMap::new(),
                    events: VecDeque::new(),
                    has_overflow: false,
                },
            ),
            readers: Arc::new(WaitQueue::new()),
            signals: SignalList::new(),
            _share: share,
        }))
    }

    /// Returns the instance behind an open file.
    ///
    /// # Errors
    /// EINVAL for another kind of file; EBADF for O_PATH.
    pub fn of(file: &OpenFile) -> Result<&Self, Errno> {
        let any: &dyn Any = &**file.ops()?;
        any.downcast_ref().ok_or(Errno::EINVAL)
    }

    /// Watches a file, or changes what it is watched for, and returns the number of the watch.
    ///
    /// # Errors
    /// EEXIST with `MASK_CREATE`; ENOSPC beyond the user's limit; ENOMEM.
    pub fn add(&self, path: &Path, mask: InotifyMask) -> Result<i32, Errno> {
        let inode = path.inode()?;
        let kept = mask.intersection(KEPT);
        if let Some(known) = self.find(inode) {
            return change(&known, kept, mask);
        }
        if !mm::frames::headroom() {
            return Err(Errno::ENOMEM);
        }
        let most = limit(Limit::InotifyWatches);
        let share = Share::take_one(self.user, Resource::InotifyWatches, most).ok_or(Errno::ENOSPC)?;
        let wd = {
            let mut state = self.state.lock();
            let wd = state.next_wd;
            state.next_wd = wd.checked_add(1).ok_or(Errno::ENOSPC)?;
            wd
        };
        let superblock = super::identity(path.mount.superblock());
        let watch = Watch::new(&self.this, wd, inode, superblock, kept);
        self.state.lock().watches.insert(wd, (watch.clone(), share));
        match watch.enter() {
            None => Ok(wd),
            Some(known) => {
                // Another thread was faster.
                let removed = self.state.lock().watches.remove(&wd);
                drop(removed);
                change(&known, kept, mask)
            }
        }
    }

    fn find(&self, inode: &Arc<dyn crate::Inode>) -> Option<Arc<Watch>> {
        let mut next = 0;
        while let Some(watch) = super::watches::next(inode, next) {
            next = watch.id() + 1;
            let is_ours = |group: Arc<Self>| core::ptr::eq(&raw const *group, self);
            if watch.group().is_some_and(is_ours) {
                return Some(watch);
            }
        }
        None
    }

    /// Ends a watch: inotify_rm_watch(2).
    ///
    /// # Errors
    /// EINVAL for a number that is none.
    pub fn remove(&self, wd: i32) -> Result<(), Errno> {
        match self.end(wd) {
            true => Ok(()),
            false => Err(Errno::EINVAL),
        }
    }

    /// Ends a watch, which is told; false for a number that is none.
    pub(super) fn end(&self, wd: i32) -> bool {
        let removed = self.state.lock().watches.remove(&wd);
        let Some((watch, share)) = removed else {
            return false;
        };
        watch.leave();
        drop(share);
        self.push(wd, InotifyMask::IGNORED, 0, b"");
        true
    }

    /// Queues an event, unless it is the same as the last one.
    pub(super) fn push(&self, wd: i32, mask: InotifyMask, cookie: u32, name: &[u8]) {
        let mut copy = Vec::new();
        let has_room = mm::frames::headroom() && copy.try_reserve_exact(name.len()).is_ok();
        if has_room {
            copy.extend_from_slice(name);
        }
        let event = Event {
            wd,
            mask,
            cookie,
            name: copy,
        };
        let mut state = self.state.lock();
        let is_queued = match has_room && state.events.len() < self.queued_events_max {
            true => state.add(event),
            false => state.overflow(),
        };
        drop(state);
        if is_queued {
            self.readers.wake_all_for(READABLE);
            self.signals.tell(Reason::Readable);
        }
    }

    /// Takes the next event if it fits into so many bytes.
    fn take(&self, room: usize) -> Option<Result<Event, Errno>> {
        let mut state = self.state.lock();
        if state.events.front()?.length() > room {
            return Some(Err(Errno::EINVAL));
        }
        let event = state.events.pop_front()?;
        if event.mask.contains(InotifyMask::Q_OVERFLOW) {
            state.has_overflow = false;
        }
        Some(Ok(event))
    }
}

/// Changes what is watched for.
fn change(known: &Watch, kept: InotifyMask, wish: InotifyMask) -> Result<i32, Errno> {
    if wish.contains(InotifyMask::MASK_CREATE) {
        return Err(Errno::EEXIST);
    }
    known.set_mask(kept, wish.contains(InotifyMask::MASK_ADD));
    Ok(known.wd)
}

impl State {
    fn add(&mut self, event: Event) -> bool {
        let is_same =
            |last: &Event| last.wd == event.wd && last.mask == event.mask && last.name == event.name;
        if self.events.back().is_some_and(is_same) {
            return false;
        }
        if self.events.try_reserve(1).is_err() {
            return self.overflow();
        }
        self.events.push_back(event);
        true
    }

    /// Notes that events are lost, once.
    fn overflow(&mut self) -> bool {
        if self.has_overflow || self.events.try_reserve(1).is_err() {
            return false;
        }
        self.has_overflow = true;
        self.events.push_back(Event {
            wd: -1,
            mask: InotifyMask::Q_OVERFLOW,
            cookie: 0,
            name: Vec::new(),
        });
        true
    }
}

impl Event {
    /// Returns the length of the name with at least one zero behind it.
    fn name_length(&self) -> usize {
        match self.name.len() {
            0 => 0,
            length => (length + 1).next_multiple_of(HEADER_BYTES),
        }
    }

    fn length(&self) -> usize {
        HEADER_BYTES + self.name_length()
    }

    /// # Errors
    /// EFAULT.
    fn store(&self, out: &mut dyn Sink) -> Result<(), Errno> {
        let length = self.name_length();
        let header = InotifyEvent {
            wd: self.wd,
            mask: self.mask.bits(),
            cookie: self.cookie,
            len: length as u32,
        };
        let mut stored = out.put(header.as_bytes())?;
        if length > 0 {
            stored += out.put(&self.name)?;
            stored += out.put_zeros(length - self.name.len())?;
        }
        match stored == self.length() {
            true => Ok(()),
            false => Err(Errno::EFAULT),
        }
    }
}

impl FileOps for Inotify {
    fn read_at(&self, out: &mut dyn Sink, _offset: u64, io: &Io) -> sync::Result<usize> {
        let mut total = 0;
        loop {
            let event = match self.take(out.remaining()) {
                Some(event) => event,
                None if total > 0 => return Ok(total),
                None if io.nonblocking() => return Err(Errno::EAGAIN.into()),
                None => self
                    .readers
                    .wait_interruptible(None, || self.take(out.remaining()))?,
            };
            match event {
                Ok(event) => {
                    // What cannot be stored is lost, as in Linux.
                    event.store(out)?;
                    total += event.length();
                }
                Err(_) if total > 0 => return Ok(total),
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    fn is_seekable(&self) -> bool {
        false
    }

    fn ignores_seeking(&self) -> bool {
        true
    }

    fn poll(&self, table: &mut PollTable<'_>) -> PollEvents {
        table.register(&self.readers);
        match self.state.lock().events.is_empty() {
            true => PollEvents::empty(),
            false => PollEvents::IN | PollEvents::RDNORM,
        }
    }

    fn signal_lists(&self) -> [Option<&SignalList>; 2] {
        [Some(&self.signals), None]
    }

    fn ioctl(&self, context: &IoctlContext<'_>, request: u32, argument: u64) -> sync::Result<usize> {
        if request != FIONREAD {
            return Err(Errno::ENOTTY.into());
        }
        let length: usize = self.state.lock().events.iter().map(Event::length).sum();
        context.memory.write(UserPtr::new(argument), &(length as i32))?;
        Ok(0)
    }

    fn sync(&self) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    fn describe(&self, out: &mut dyn Write) -> core::fmt::Result {
        let mut below = i32::MAX;
        loop {
            let watch = {
                let state = self.state.lock();
                let found = state.watches.range(..below).next_back();
                found.map(|(_, (watch, _))| watch.clone())
            };
            let Some(watch) = watch else {
                return Ok(());
            };
            below = watch.wd;
            let metadata = watch.inode.metadata();
            let device = u64::from(device_major(metadata.device)) << MINOR_BITS
                | u64::from(device_minor(metadata.device));
            let (wd, inode, mask) = (watch.wd, metadata.inode, watch.mask().bits());
            writeln!(
                out,
                "inotify wd:{wd:x} ino:{inode:x} sdev:{device:x} mask:{mask:x} ignored_mask:0 "
            )?;
        }
    }
}

impl Drop for Inotify {
    fn drop(&mut self) {
        let watches = core::mem::take(&mut self.state.get_mut().watches);
        for (watch, _) in watches.values() {
            watch.leave();
        }
    }
}
