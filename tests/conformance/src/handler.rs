//! Signal handlers that see all that the kernel gives them: siginfo, and the interrupted state to be changed.
#![expect(
    unsafe_code,
    reason = "a handler gets the addresses of what it is told from the kernel"
)]

use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use los_abi::errno::Errno;
use los_abi::signal::{SaFlags, SigInfo, SigSet, Signal};
use los_abi::syscall::Sysno;
use rt::{process, signal};

use crate::arch::UContext;
use crate::raw::{addr, call};

/// What a case does in a handler.
pub(crate) type Body = fn(u32, &SigInfo, &mut UContext);

/// Bytes of a signal set, as the calls want to be told.
pub(crate) const SET_BYTES: u64 = 8;

static BODIES: [AtomicUsize; Signal::COUNT] = [const { AtomicUsize::new(0) }; Signal::COUNT];

/// Runs `body` at the signal, on top of `flags` with SA_SIGINFO.
pub(crate) fn install(number: u32, flags: SaFlags, mask: SigSet, body: Body) -> Result<(), Errno> {
    BODIES[number as usize - 1].store(body as usize, Ordering::Relaxed);
    signal::handle(number, enter, flags, mask)
}

extern "C" fn enter(number: i32, info: usize, context: usize) {
    let number = number.cast_unsigned();
    let body = BODIES[number as usize - 1].load(Ordering::Relaxed);
    // SAFETY: only `install` stores there, and it stores functions of this type.
    let body: Body = unsafe { core::mem::transmute(body) };
    // SAFETY: the kernel passes the address of a siginfo in the frame that the handler runs on.
    let info = unsafe { &*(info as *const SigInfo) };
    // SAFETY: as above; nothing else refers to the frame while the handler runs.
    let context = unsafe { &mut *(context as *mut UContext) };
    body(number, info, context);
}

/// What handlers leave for the case: a log of numbers, in the order in which they were written.
pub(crate) struct Log {
    length: AtomicU32,
    entries: [AtomicU64; 64],
}

impl Log {
    /// Makes an empty log.
    pub(crate) const fn new() -> Self {
        Self {
            length: AtomicU32::new(0),
            entries: [const { AtomicU64::new(0) }; 64],
        }
    }

    /// Writes a number.
    pub(crate) fn push(&self, value: u64) {
        let index = self.length.fetch_add(1, Ordering::Relaxed) as usize;
        if let Some(entry) = self.entries.get(index) {
            entry.store(value, Ordering::Relaxed);
        }
    }

    /// Returns how many numbers were written.
    pub(crate) fn len(&self) -> usize {
        self.length.load(Ordering::Relaxed) as usize
    }

    /// Reads a number; 0 beyond the end.
    pub(crate) fn get(&self, index: usize) -> u64 {
        self.entries
            .get(index)
            .map_or(0, |entry| entry.load(Ordering::Relaxed))
    }

    /// Compares with what was expected.
    pub(crate) fn is(&self, expected: &[u64]) -> bool {
        self.len() == expected.len()
            && expected
                .iter()
                .enumerate()
                .all(|(i, value)| self.get(i) == *value)
    }
}

impl core::fmt::Debug for Log {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list()
            .entries((0..self.len()).map(|index| self.get(index)))
            .finish()
    }
}

/// Returns the set with these signals.
pub(crate) fn set_of(numbers: &[u32]) -> SigSet {
    let signals = numbers.iter().filter_map(|number| Signal::new(*number));
    signals.fold(SigSet::EMPTY, SigSet::with)
}

/// Sends a signal to this process.
pub(crate) fn raise(number: u32) -> Result<u64, Errno> {
    call(Sysno::kill, &[process::id() as u64, number.into()])
}

/// Queues a signal with a value to a process.
pub(crate) fn queue(pid: i32, number: u32, value: u64) -> Result<u64, Errno> {
    let mut info = SigInfo {
        si_code: los_abi::signal::SI_QUEUE,
        ..SigInfo::default()
    };
    info.fields[0] = process::id() as u64;
    info.fields[1] = value;
    call(Sysno::rt_sigqueueinfo, &[pid as u64, number.into(), addr(&info)])
}
