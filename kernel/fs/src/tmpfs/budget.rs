//! How much a tmpfs may hold: pages and inodes, and what the options say about them.

use core::sync::atomic::{AtomicU64, Ordering};

use los_abi::errno::Errno;
use mm::frames;

/// What an inode counts in the room for inodes, which extended attributes share (`BOGO_INODE_SIZE`).
const INODE_BYTES: u64 = 1024;
/// What an extended attribute counts in that room beside its name and value (`simple_xattr_space`).
const ATTRIBUTE_BYTES: usize = 40;

/// Limits and use of one file system.
#[derive(Debug)]
pub(super) struct Budget {
    pages: Counter,
    inode_bytes: Counter,
}

#[derive(Debug)]
struct Counter {
    used: AtomicU64,
    limit: u64,
}

/// What counts already; it stops to count unless it is kept.
pub(super) struct Charge<'a> {
    counter: &'a Counter,
    amount: u64,
}

impl Budget {
    /// Makes a budget; 0 is no limit.
    pub(super) const fn new(pages: u64, inodes: u64) -> Self {
        Self {
            pages: Counter::new(pages),
            inode_bytes: Counter::new(inodes.saturating_mul(INODE_BYTES)),
        }
    }

    /// Counts one page.
    ///
    /// # Errors
    /// ENOSPC, also when files would take what programs need to go on.
    pub(super) fn charge(&self) -> Result<Charge<'_>, Errno> {
        if !frames::room_for_files() {
            return Err(Errno::ENOSPC);
        }
        self.pages.charge(1)
    }

    /// Counts one inode.
    ///
    /// # Errors
    /// ENOSPC; ENOMEM when the kernel's own memory runs low.
    pub(super) fn charge_inode(&self) -> Result<Charge<'_>, Errno> {
        if !frames::headroom() {
            return Err(Errno::ENOMEM);
        }
        self.inode_bytes.charge(INODE_BYTES)
    }

    /// Counts an extended attribute.
    ///
    /// # Errors
    /// ENOSPC; ENOMEM when the kernel's own memory runs low.
    pub(super) fn charge_attribute(&self, name: usize, value: usize) -> Result<Charge<'_>, Errno> {
        if !frames::headroom() {
            return Err(Errno::ENOMEM);
        }
        self.inode_bytes.charge(attribute_bytes(name, value))
    }

    /// Fails when so many pages more are out of question.
    ///
    /// # Errors
    /// ENOSPC.
    pub(super) fn check(&self, pages: u64) -> Result<(), Errno> {
        let limit = if self.pages.limit == 0 {
            total_pages()
        } else {
            self.pages.limit
        };
        if pages > limit { Err(Errno::ENOSPC) } else { Ok(()) }
    }

    /// Takes pages off the count.
    pub(super) fn uncharge(&self, pages: u64) {
        self.pages.used.fetch_sub(pages, Ordering::Relaxed);
    }

    /// Takes an inode off the count.
    pub(super) fn uncharge_inode(&self) {
        self.inode_bytes.used.fetch_sub(INODE_BYTES, Ordering::Relaxed);
    }

    /// Takes an extended attribute off the count.
    pub(super) fn uncharge_attribute(&self, name: usize, value: usize) {
        let bytes = attribute_bytes(name, value);
        self.inode_bytes.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Returns how many pages count.
    pub(super) fn used_pages(&self) -> u64 {
        self.pages.used.load(Ordering::Relaxed)
    }

    /// Returns how much of the room for inodes is taken.
    #[cfg(test)]
    pub(super) fn used_inode_bytes(&self) -> u64 {
        self.inode_bytes.used.load(Ordering::Relaxed)
    }

    /// Returns the limit of pages and how many are free; (0, 0) without a limit, as Linux has it.
    pub(super) fn pages(&self) -> (u64, u64) {
        self.pages.state()
    }

    /// Returns the limit of inodes and how many are free.
    pub(super) fn inodes(&self) -> (u64, u64) {
        let (limit, free) = self.inode_bytes.state();
        (limit / INODE_BYTES, free / INODE_BYTES)
    }
}

const fn attribute_bytes(name: usize, value: usize) -> u64 {
    (ATTRIBUTE_BYTES + name + value) as u64
}

impl Counter {
    const fn new(limit: u64) -> Self {
        Self {
            used: AtomicU64::new(0),
            limit,
        }
    }

    fn charge(&self, amount: u64) -> Result<Charge<'_>, Errno> {
        let before = self.used.fetch_add(amount, Ordering::Relaxed);
        let charge = Charge {
            counter: self,
            amount,
        };
        if self.limit != 0 && before.saturating_add(amount) > self.limit {
            Err(Errno::ENOSPC)
        } else {
            Ok(charge)
        }
    }

    fn state(&self) -> (u64, u64) {
        (
            self.limit,
            self.limit.saturating_sub(self.used.load(Ordering::Relaxed)),
        )
    }
}

impl Charge<'_> {
    /// Makes the charge lasting.
    pub(super) fn keep(self) {
        core::mem::forget(self);
    }
}

impl Drop for Charge<'_> {
    fn drop(&mut self) {
        self.counter.used.fetch_sub(self.amount, Ordering::Relaxed);
    }
}

/// What a tmpfs is mounted with (tmpfs(5)).
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Most pages of data; 0 is no limit.
    pub pages: u64,
    /// Most inodes; 0 is no limit.
    pub inodes: u64,
    /// Mode of the root directory.
    pub mode: u16,
    /// Owner of the root directory.
    pub uid: u32,
    /// Group of the root directory.
    pub gid: u32,
}

impl Default for Options {
    /// Half of the memory, and as many inodes as that has pages.
    fn default() -> Self {
        let half = (total_pages() / 2).max(1);
        Self {
            pages: half,
            inodes: half,
            mode: 0o1777,
            uid: 0,
            gid: 0,
        }
    }
}

impl Options {
    /// Reads options as mount(2) passes them: `size=64m,mode=755`.
    ///
    /// # Errors
    /// EINVAL.
    pub fn parse(text: &[u8]) -> Result<Self, Errno> {
        let mut options = Self::default();
        for option in text
            .split(|&byte| byte == b',')
            .filter(|option| !option.is_empty())
        {
            options.apply(option).ok_or(Errno::EINVAL)?;
        }
        Ok(options)
    }

    fn apply(&mut self, option: &[u8]) -> Option<()> {
        let option = core::str::from_utf8(option).ok()?;
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match name {
            "size" => self.pages = page_count(value)?,
            "nr_blocks" => self.pages = scaled(value)?,
            "nr_inodes" => self.inodes = scaled(value)?,
            "mode" => {
                self.mode = u16::from_str_radix(value, 8)
                    .ok()
                    .filter(|&mode| mode <= 0o7777)?
            }
            "uid" => self.uid = value.parse().ok()?,
            "gid" => self.gid = value.parse().ok()?,
            // Accepted without effect: there are neither huge pages nor swap, and inode numbers are 64 bits.
            "huge" | "noswap" | "inode32" | "inode64" | "mpol" => {}
            _ => return None,
        }
        Some(())
    }
}

/// Reads a size in bytes, or in per cent of the memory, and returns it in pages.
fn page_count(value: &str) -> Option<u64> {
    const PAGE_BYTES: u64 = super::contents::PAGE_BYTES as u64;
    match value.strip_suffix('%') {
        Some(percent) => Some(total_pages().checked_mul(percent.parse().ok()?)? / 100),
        None => Some(scaled(value)?.div_ceil(PAGE_BYTES)),
    }
}

/// Reads a number with an optional `k`, `m` or `g`.
fn scaled(value: &str) -> Option<u64> {
    let shift = match value.bytes().last()?.to_ascii_lowercase() {
        b'k' => 10,
        b'm' => 20,
        b'g' => 30,
        _ => 0,
    };
    let digits = if shift == 0 {
        value
    } else {
        &value[..value.len() - 1]
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

fn total_pages() -> u64 {
    frames::statistics().total_pages as u64
}
