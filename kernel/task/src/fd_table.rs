//! The table of open files: small numbers to open files, lowest free number first.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use los_abi::errno::Errno;
use los_abi::syscall::Fd;
use sync::{Rank, Shared, SpinLock, SpinLockGuard, Use, Users};
use vfs::OpenFile;
use vfs::lock::{self, Owner};
use vfs::notify;

use crate::rlimit::nofile_max;

/// Bits of one word of the maps.
const WORD_BITS: usize = u64::BITS as usize;

/// Open files by number, shared by the threads that cloned with CLONE_FILES.
pub struct FdTable {
    /// Number of threads that use it.
    users: Users,
    slots: SpinLock<Slots>,
    /// Whose the record locks are that are taken through it.
    lock_owner: Owner,
}

/// A new descriptor's behaviour at execve.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnExec {
    /// The descriptor survives.
    Keep,
    /// The descriptor is closed (`FD_CLOEXEC`).
    Close,
}

impl OnExec {
    /// Reads the presence of a close-on-exec flag.
    pub const fn from_cloexec(cloexec: bool) -> Self {
        if cloexec { Self::Close } else { Self::Keep }
    }
}

/// The locked table. Nothing may be waited for meanwhile.
pub struct View<'a>(SpinLockGuard<'a, Slots>);

impl View<'_> {
    /// Returns the file of a number.
    #[inline]
    pub fn get(&self, fd: Fd) -> Option<&Arc<OpenFile>> {
        self.0.get(fd)
    }
}

#[derive(Default)]
struct Slots {
    files: Vec<Option<Arc<OpenFile>>>,
    /// One bit a slot: in use. As many words as `files` needs.
    used: Vec<u64>,
    /// One bit a slot: closed at execve.
    close_on_exec: Vec<u64>,
    /// No slot below this one is free.
    lowest_free: usize,
}

impl FdTable {
    /// Makes an empty table.
    pub fn new() -> Self {
        Self::with(Slots::default())
    }

    fn with(slots: Slots) -> Self {
        Self {
            users: Users::new(),
            slots: SpinLock::new(Rank::FdTable, slots),
            lock_owner: Owner::new_process(),
        }
    }

    /// Returns the owner of the record locks that are taken through this table.
    pub fn lock_owner(&self) -> Owner {
        self.lock_owner
    }

    /// Returns the file of a number.
    ///
    /// # Errors
    /// EBADF.
    #[inline]
    pub fn get(&self, fd: Fd) -> Result<Arc<OpenFile>, Errno> {
        let slots = self.slots.lock();
        slots.get(fd).cloned().ok_or(Errno::EBADF)
    }

    /// Locks the table to look many numbers up as of one moment.
    #[inline]
    pub fn view(&self) -> View<'_> {
        View(self.slots.lock())
    }

    /// Gives the file the lowest free number that is at least `minimum` and below `limit` (RLIMIT_NOFILE).
    ///
    /// # Errors
    /// EMFILE; ENOMEM.
    pub fn insert(
        &self,
        file: Arc<OpenFile>,
        minimum: usize,
        on_exec: OnExec,
        limit: u64,
    ) -> Result<Fd, Errno> {
        let mut slots = self.slots.lock();
        let index = slots.first_free(minimum);
        if index as u64 >= limit || index as u64 >= nofile_max() {
            return Err(Errno::EMFILE);
        }
        slots.grow_to(index + 1)?;
        slots.set(index, file, on_exec);
        Ok(Fd(index as i32))
    }

    /// Gives the file this very number, and returns the one that had it, to be dropped by the caller.
    ///
    /// # Errors
    /// EBADF for a number outside of `limit` (RLIMIT_NOFILE); ENOMEM.
    pub fn replace(
        &self,
        fd: Fd,
        file: Arc<OpenFile>,
        on_exec: OnExec,
        limit: u64,
    ) -> Result<Option<Arc<OpenFile>>, Errno> {
        let index = usize::try_from(fd.0).map_err(|_| Errno::EBADF)?;
        if index as u64 >= limit || index as u64 >= nofile_max() {
            return Err(Errno::EBADF);
        }
        let replaced = {
            let mut slots = self.slots.lock();
            slots.grow_to(index + 1)?;
            slots.set(index, file, on_exec)
        };
        Ok(replaced.inspect(|file| self.release_locks(file)))
    }

    /// Frees a number and returns its file, to be dropped by the caller.
    ///
    /// # Errors
    /// EBADF.
    pub fn remove(&self, fd: Fd) -> Result<Arc<OpenFile>, Errno> {
        let index = usize::try_from(fd.0).map_err(|_| Errno::EBADF)?;
        let file = self.slots.lock().take(index).ok_or(Errno::EBADF)?;
        self.release_locks(&file);
        Ok(file)
    }

    /// Drops the record locks of this table on a file, any descriptor of which was closed (fcntl(2)), and its watch.
    #[inline]
    fn release_locks(&self, file: &OpenFile) {
        lock::release(file, self.lock_owner);
        notify::signals::forget(file, self.lock_owner);
    }

    /// Frees all numbers of a range, as close_range(2).
    pub fn remove_range(&self, range: RangeInclusive<u32>) {
        let mut next = *range.start() as usize;
        let last = *range.end() as usize;
        loop {
            // One file at a time, so that none is dropped with the lock held.
            let file = {
                let mut slots = self.slots.lock();
                let Some(index) = slots.next_used(next).filter(|index| *index <= last) else {
                    return;
                };
                next = index + 1;
                slots.take(index)
            };
            if let Some(file) = file {
                self.release_locks(&file);
            }
        }
    }

    /// Sets close-on-exec for all open numbers of a range (CLOSE_RANGE_CLOEXEC).
    pub fn set_range_close_on_exec(&self, range: RangeInclusive<u32>) {
        let mut slots = self.slots.lock();
        let (mut next, last) = (*range.start() as usize, *range.end() as usize);
        while let Some(index) = slots.next_used(next).filter(|index| *index <= last) {
            set_bit(&mut slots.close_on_exec, index);
            next = index + 1;
        }
    }

    /// Says what happens to a number at execve.
    ///
    /// # Errors
    /// EBADF.
    pub fn on_exec(&self, fd: Fd) -> Result<OnExec, Errno> {
        let slots = self.slots.lock();
        slots.get(fd).ok_or(Errno::EBADF)?;
        let index = fd.0 as usize;
        Ok(OnExec::from_cloexec(bit(&slots.close_on_exec, index)))
    }

    /// Changes what happens to a number at execve.
    ///
    /// # Errors
    /// EBADF.
    pub fn set_on_exec(&self, fd: Fd, on_exec: OnExec) -> Result<(), Errno> {
        let mut slots = self.slots.lock();
        slots.get(fd).ok_or(Errno::EBADF)?;
        match on_exec {
            OnExec::Close => set_bit(&mut slots.close_on_exec, fd.0 as usize),
            OnExec::Keep => clear_bit(&mut slots.close_on_exec, fd.0 as usize),
        }
        Ok(())
    }

    /// Returns the lowest open number that is at least `minimum`, with its file.
    pub fn next(&self, minimum: usize) -> Option<(Fd, Arc<OpenFile>)> {
        let slots = self.slots.lock();
        let index = slots.next_used(minimum)?;
        Some((Fd(index as i32), slots.files[index].clone()?))
    }

    /// Returns the number of slots in use or free, a power of two (`FDSize` of /proc): no number is as high.
    pub fn size(&self) -> usize {
        self.slots.lock().files.len().max(WORD_BITS)
    }

    /// Makes a table for one user, with the same files under the same numbers.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn copy(&self) -> Result<Use<Self>, Errno> {
        Ok(Use::new(Arc::new(self.fork()?)))
    }

    /// Makes a table with the same files under the same numbers.
    ///
    /// # Errors
    /// ENOMEM.
    fn fork(&self) -> Result<Self, Errno> {
        let mut copy = Slots::default();
        loop {
            let wanted = self.slots.lock().last_used().map_or(0, |last| last + 1);
            copy.grow_to(wanted)?;
            let slots = self.slots.lock();
            let needed = slots.last_used().map_or(0, |last| last + 1);
            if needed <= copy.files.len() {
                let words = needed.div_ceil(WORD_BITS);
                copy.files[..needed].clone_from_slice(&slots.files[..needed]);
                copy.used[..words].copy_from_slice(&slots.used[..words]);
                copy.close_on_exec[..words].copy_from_slice(&slots.close_on_exec[..words]);
                copy.lowest_free = slots.lowest_free.min(needed);
                break;
            }
        }
        Ok(Self::with(copy))
    }

    /// Closes what execve closes.
    pub fn close_on_exec(&self) {
        let mut next = 0;
        loop {
            let file = {
                let mut slots = self.slots.lock();
                let Some(index) = next_bit(&slots.close_on_exec, next) else {
                    return;
                };
                next = index + 1;
                slots.take(index)
            };
            if let Some(file) = file {
                self.release_locks(&file);
            }
        }
    }
}

impl Default for FdTable {
    fn default() -> Self {
        Self::new()
    }
}

impl Shared for FdTable {
    fn users(&self) -> &Users {
        &self.users
    }

    /// Closes all files, whoever may be looking at the table in /proc.
    fn deserted(&self) {
        self.remove_range(0..=u32::MAX);
    }
}

impl Drop for FdTable {
    fn drop(&mut self) {
        // One that never had a user.
        self.remove_range(0..=u32::MAX);
    }
}

impl Slots {
    #[inline]
    fn get(&self, fd: Fd) -> Option<&Arc<OpenFile>> {
        self.files.get(usize::try_from(fd.0).ok()?)?.as_ref()
    }

    fn first_free(&self, minimum: usize) -> usize {
        let start = minimum.max(self.lowest_free);
        let mut word = start / WORD_BITS;
        let mut below = (1_u64 << (start % WORD_BITS)) - 1;
        while let Some(used) = self.used.get(word) {
            let free = !(used | below);
            if free != 0 {
                return word * WORD_BITS + free.trailing_zeros() as usize;
            }
            below = 0;
            word += 1;
        }
        start.max(word * WORD_BITS)
    }

    fn next_used(&self, minimum: usize) -> Option<usize> {
        next_bit(&self.used, minimum)
    }

    fn last_used(&self) -> Option<usize> {
        let word = self.used.iter().rposition(|word| *word != 0)?;
        Some(word * WORD_BITS + WORD_BITS - 1 - self.used[word].leading_zeros() as usize)
    }

    fn grow_to(&mut self, count: usize) -> Result<(), Errno> {
        if count <= self.files.len() {
            return Ok(());
        }
        // Programs see the size: select(2) looks no further, and /proc tells it.
        let slots = count.next_power_of_two().max(WORD_BITS);
        let words = slots / WORD_BITS;
        let missing = slots - self.files.len();
        self.files.try_reserve(missing).map_err(|_| Errno::ENOMEM)?;
        for map in [&mut self.used, &mut self.close_on_exec] {
            map.try_reserve(words - map.len()).map_err(|_| Errno::ENOMEM)?;
        }
        self.files.resize(slots, None);
        self.used.resize(words, 0);
        self.close_on_exec.resize(words, 0);
        Ok(())
    }

    fn set(&mut self, index: usize, file: Arc<OpenFile>, on_exec: OnExec) -> Option<Arc<OpenFile>> {
        set_bit(&mut self.used, index);
        match on_exec {
            OnExec::Close => set_bit(&mut self.close_on_exec, index),
            OnExec::Keep => clear_bit(&mut self.close_on_exec, index),
        }
        if index == self.lowest_free {
            self.lowest_free = index + 1;
        }
        self.files[index].replace(file)
    }

    fn take(&mut self, index: usize) -> Option<Arc<OpenFile>> {
        let file = self.files.get_mut(index)?.take()?;
        clear_bit(&mut self.used, index);
        clear_bit(&mut self.close_on_exec, index);
        self.lowest_free = self.lowest_free.min(index);
        Some(file)
    }
}

fn bit(map: &[u64], index: usize) -> bool {
    map[index / WORD_BITS] >> (index % WORD_BITS) & 1 != 0
}

fn set_bit(map: &mut [u64], index: usize) {
    map[index / WORD_BITS] |= 1 << (index % WORD_BITS);
}

fn clear_bit(map: &mut [u64], index: usize) {
    map[index / WORD_BITS] &= !(1 << (index % WORD_BITS));
}

/// Returns the index of the first set bit at or after `minimum`.
fn next_bit(map: &[u64], minimum: usize) -> Option<usize> {
    let first = minimum / WORD_BITS;
    let mut mask = u64::MAX << (minimum % WORD_BITS);
    for (word, bits) in map.iter().enumerate().skip(first) {
        let bits = bits & mask;
        if bits != 0 {
            return Some(word * WORD_BITS + bits.trailing_zeros() as usize);
        }
        mask = u64::MAX;
    }
    None
}

#[cfg(test)]
mod tests;
