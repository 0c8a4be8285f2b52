//! Where a dump goes: a file with holes, or a pipe.

use los_arch::hal::PAGE_SIZE;
use mm::io::SliceSource;
use vfs::OpenFile;

/// Takes the bytes of a dump in their order.
pub(super) trait Emit {
    /// Takes bytes.
    ///
    /// # Errors
    /// [`Ended`] when no more are taken.
    fn emit(&mut self, bytes: &[u8]) -> Result<(), Ended>;
}

/// The dump ends here: its limit is reached, the file takes no more, or the process was killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ended;

/// Counts what it is given.
#[derive(Default)]
pub(super) struct Counter(pub(super) u64);

impl Emit for Counter {
    fn emit(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        self.0 += bytes.len() as u64;
        Ok(())
    }
}

/// A dump that is being written.
pub(super) struct Output<'a> {
    pub(super) file: &'a OpenFile,
    /// Whether what was not written reads as zeros.
    pub(super) has_holes: bool,
    /// Most bytes to write, holes not counted (RLIMIT_CORE).
    pub(super) limit: u64,
    /// Most bytes that the file may have (RLIMIT_FSIZE).
    pub(super) size_limit: u64,
    pub(super) position: u64,
    pub(super) written: u64,
}

impl Output<'_> {
    /// Leaves out bytes, which are zeros.
    ///
    /// # Errors
    /// [`Ended`].
    pub(super) fn skip(&mut self, bytes: u64) -> Result<(), Ended> {
        static ZEROS: [u8; PAGE_SIZE] = [0; PAGE_SIZE];
        if self.has_holes {
            give_way()?;
            self.position += bytes;
            return Ok(());
        }
        let mut left = bytes;
        while left > 0 {
            let now = left.min(PAGE_SIZE as u64);
            self.emit(&ZEROS[..now as usize])?;
            left -= now;
        }
        Ok(())
    }

    /// Makes the file as long as the dump is, if that ends in a hole.
    ///
    /// # Errors
    /// [`Ended`].
    pub(super) fn finish(&mut self, is_hole_last: bool) -> Result<(), Ended> {
        if is_hole_last && self.has_holes && self.position > 0 {
            self.position -= 1;
            self.emit(&[0])?;
        }
        Ok(())
    }
}

/// Lets others run when they should: a dump can take long.
fn give_way() -> Result<(), Ended> {
    if sync::give_way() { Ok(()) } else { Err(Ended) }
}

impl Emit for Output<'_> {
    fn emit(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        give_way()?;
        let written = self.written + bytes.len() as u64;
        if written > self.limit {
            return Err(Ended);
        }
        let mut left = bytes;
        while !left.is_empty() {
            let mut source = SliceSource::new(left);
            let done = if self.has_holes {
                self.file.write_at(&mut source, self.position, self.size_limit)
            } else {
                self.file.write(&mut source, self.size_limit)
            };
            let done = done.ok().filter(|done| *done > 0).ok_or(Ended)?;
            self.position += done as u64;
            left = left.get(done..).unwrap_or_default();
        }
        self.written = written;
        Ok(())
    }
}
