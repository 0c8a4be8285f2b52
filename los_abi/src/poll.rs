//! Waiting for files: poll(2), select(2) and epoll(7) (`asm-generic/poll.h`, `linux/eventpoll.h`).

use crate::macros::{constants, flags, wire};

bitflags::bitflags! {
    /// Conditions of a file (`POLL*`); the same bits are the low ones of `EPOLL*`.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct PollEvents: u16 {
        /// Data can be read.
        const IN = 0x1;
        /// Urgent data can be read.
        const PRI = 0x2;
        /// Data can be written.
        const OUT = 0x4;
        /// An error; always reported.
        const ERR = 0x8;
        /// The other end is gone; always reported.
        const HUP = 0x10;
        /// No such descriptor; always reported.
        const NVAL = 0x20;
        /// Normal data can be read.
        const RDNORM = 0x40;
        /// Priority data can be read.
        const RDBAND = 0x80;
        /// Normal data can be written.
        const WRNORM = 0x100;
        /// Priority data can be written.
        const WRBAND = 0x200;
        /// A message is there.
        const MSG = 0x400;
        /// Removes from a set (`/dev/poll`).
        const REMOVE = 0x1000;
        /// The other end will write no more.
        const RDHUP = 0x2000;
    }
}

impl PollEvents {
    /// What is reported even if not asked for.
    pub const ALWAYS: Self = Self::ERR.union(Self::HUP).union(Self::NVAL);
    /// What makes a descriptor ready in the read set of select(2).
    pub const SELECT_READ: Self = Self::RDNORM
        .union(Self::RDBAND)
        .union(Self::IN)
        .union(Self::HUP)
        .union(Self::ERR)
        .union(Self::NVAL);
    /// What makes a descriptor ready in the write set of select(2).
    pub const SELECT_WRITE: Self = Self::WRBAND
        .union(Self::WRNORM)
        .union(Self::OUT)
        .union(Self::ERR)
        .union(Self::NVAL);
    /// What makes a descriptor ready in the except set of select(2).
    pub const SELECT_EXCEPT: Self = Self::PRI.union(Self::NVAL);
}

flags! {
    /// Flags of epoll_create1(2) (`EPOLL_*`).
    EpollCreateFlags {
        CLOEXEC = 0o2_000_000, "Closed by execve.";
    }
}

constants! {
    /// Operations of epoll_ctl(2).
    EPOLL_OPERATIONS: u32 {
        EPOLL_CTL_ADD = 1, "Adds a file.";
        EPOLL_CTL_DEL = 2, "Removes a file.";
        EPOLL_CTL_MOD = 3, "Changes the events of a file.";
    }
}

/// In epoll events: only changes are reported.
pub const EPOLLET: u32 = 1 << 31;
/// In epoll events: reported once.
pub const EPOLLONESHOT: u32 = 1 << 30;
/// In epoll events: no suspension until handled.
pub const EPOLLWAKEUP: u32 = 1 << 29;
/// In epoll events: wakes one waiter.
pub const EPOLLEXCLUSIVE: u32 = 1 << 28;

/// `struct epoll_event` of the caller's machine: see [`EpollEvent`](crate::isa::IsaAbi::EpollEvent).
#[derive(Debug)]
pub enum AnyEpollEvent {}

wire! {
    /// A descriptor and its conditions, for poll(2).
    #[derive(PartialEq, Eq)]
    PollFd {
        /// Descriptor; negative ones are skipped.
        fd: i32,
        /// Conditions asked for: [`PollEvents`].
        events: u16,
        /// Conditions that hold: [`PollEvents`].
        revents: u16,
    }

    /// Set of descriptors, for select(2). The calls read and write only as many words as the highest
    /// descriptor needs.
    #[derive(PartialEq, Eq)]
    FdSet {
        /// One bit for each descriptor, from the lowest bit of the first word.
        words: [u64; 16],
    }
}

/// Highest number of descriptors in an [`FdSet`].
pub const FD_SETSIZE: usize = 1024;

impl FdSet {
    /// Returns how many 64-bit words hold this many descriptors.
    pub const fn word_count(descriptors: usize) -> usize {
        descriptors.div_ceil(64)
    }

    /// Tells whether the descriptor is in the set.
    pub const fn contains(&self, fd: usize) -> bool {
        fd < FD_SETSIZE && self.words[fd / 64] & (1 << (fd % 64)) != 0
    }

    /// Adds a descriptor; one beyond the set is ignored.
    pub const fn insert(&mut self, fd: usize) {
        if fd < FD_SETSIZE {
            self.words[fd / 64] |= 1 << (fd % 64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FD_SETSIZE, FdSet};

    #[test]
    fn fd_sets_hold_what_was_inserted() {
        let mut set = FdSet::default();
        for fd in [0, 63, 64, 1023, FD_SETSIZE] {
            set.insert(fd);
        }
        let members = (0..FD_SETSIZE + 8).filter(|&fd| set.contains(fd)).count();
        assert_eq!(members, 4);
        assert!(set.contains(64) && set.words[1] == 1);
        assert_eq!(
            (FdSet::word_count(0), FdSet::word_count(64), FdSet::word_count(65)),
            (0, 1, 2)
        );
    }
}
