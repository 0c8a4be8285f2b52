//! Signals that are read from a file: signalfd(2).
//!
//! A file only says which signals. Who reads it or asks it takes his own: those pending for his thread and his
//! process, whoever made the file.

use alloc::sync::Arc;
use core::any::Any;
use core::fmt::Write;
use core::sync::atomic::{AtomicU64, Ordering, fence};

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::poll::PollEvents;
use los_abi::signal::{SigInfo, SigSet, SignalfdFlags, SignalfdSiginfo};
use los_abi::syscall::Fd;
use mm::io::Sink;
use sync::{Once, WaitQueue};
use vfs::{AnonymousInode, FileKind, FileOps, Io, OpenFile, PollTable, anonymous_file};
use zerocopy::IntoBytes;

use super::mask::recalculate;
use super::wait::take;
use crate::context::Context;
use crate::fd_table::OnExec;
use crate::process::Process;
use crate::sched;
use crate::thread::Thread;

const RECORD_BYTES: usize = size_of::<SignalfdSiginfo>();

/// Where those wait who read signals of a process from files, made with the first.
pub(crate) type Readers = Once<Arc<WaitQueue>>;

/// Wakes who reads signals of a process from files. Called when a signal is pending.
pub(crate) fn tell(process: &Process) {
    // Orders the signal before the look; pairs with the fence of who joins the queue.
    fence(Ordering::SeqCst);
    if let Some(queue) = process.signal_readers.get() {
        queue.wake_all();
    }
}

fn readers(process: &Process) -> &Arc<WaitQueue> {
    process.signal_readers.call_once(|| Arc::new(WaitQueue::new()))
}

/// What a file of signals refers to.
struct SignalFile {
    /// The signals that it gives.
    set: AtomicU64,
}

/// Makes a file that gives the signals of a set: signalfd4(2).
///
/// # Errors
/// EINVAL for unknown flags; EMFILE; ENFILE; ENOMEM.
pub fn open(ctx: &Context<'_>, set: SigSet, flags: SignalfdFlags) -> Result<Fd, Errno> {
    check_flags(flags)?;
    if !mm::frames::headroom() {
        return Err(Errno::ENOMEM);
    }
    let signals = Arc::new(SignalFile {
        set: AtomicU64::new(blockable(set).0),
    });
    let inode = AnonymousInode::new(FileKind::Regular, 0o600);
    // The bits of the flags are those of the open flags.
    let status = OpenFlags::from_bits_retain((flags & SignalfdFlags::NONBLOCK).bits());
    let file = anonymous_file(
        b"anon_inode:[signalfd]",
        inode,
        signals,
        status | OpenFlags::RDWR,
        ctx.credentials(),
    )?;
    let on_exec = OnExec::from_cloexec(flags.contains(SignalfdFlags::CLOEXEC));
    ctx.install(file, on_exec)
}

/// Replaces the set of a file: signalfd4(2) with a descriptor.
///
/// # Errors
/// EINVAL for unknown flags and for another kind of file; EBADF.
pub fn change(ctx: &Context<'_>, fd: Fd, set: SigSet, flags: SignalfdFlags) -> Result<(), Errno> {
    check_flags(flags)?;
    let file = ctx.files().get(fd)?;
    SignalFile::of(&file)?
        .set
        .store(blockable(set).0, Ordering::SeqCst);
    tell(ctx.process);
    Ok(())
}

fn check_flags(flags: SignalfdFlags) -> Result<(), Errno> {
    match SignalfdFlags::all().contains(flags) {
        true => Ok(()),
        false => Err(Errno::EINVAL),
    }
}

fn blockable(set: SigSet) -> SigSet {
    set.difference(SigSet::UNSTOPPABLE)
}

impl SignalFile {
    fn of(file: &OpenFile) -> Result<&Self, Errno> {
        let any: &dyn Any = &**file.ops()?;
        any.downcast_ref().ok_or(Errno::EINVAL)
    }

    fn set(&self) -> SigSet {
        SigSet(self.set.load(Ordering::SeqCst))
    }

    /// Takes one signal of a thread.
    fn take(&self, thread: &Thread) -> Option<SigInfo> {
        let info = take(thread, self.set())?;
        recalculate(thread);
        Some(info)
    }

    /// Takes as many signals as there is room for; waits for the first one only.
    fn read(&self, thread: &Thread, out: &mut dyn Sink, io: &Io) -> sync::Result<usize> {
        let room = out.remaining() / RECORD_BYTES;
        if room == 0 {
            return Err(Errno::EINVAL.into());
        }
        let mut count = 0;
        while count < room {
            let info = match self.take(thread) {
                Some(info) => info,
                None if count > 0 => break,
                None if io.nonblocking() => return Err(Errno::EAGAIN.into()),
                None => readers(thread.process()).wait_interruptible(None, || self.take(thread))?,
            };
            let stored = out.put(SignalfdSiginfo::from(&info).as_bytes());
            match stored {
                Ok(RECORD_BYTES) => count += 1,
                _ if count > 0 => break,
                _ => return Err(Errno::EFAULT.into()),
            }
        }
        Ok(count * RECORD_BYTES)
    }

    /// Tells whether a thread could read something.
    fn has_some(&self, thread: &Thread) -> bool {
        let pending = thread.pending.members().union(thread.process().pending.members());
        !pending.intersection(self.set()).is_empty()
    }
}

impl FileOps for SignalFile {
    fn read_at(&self, out: &mut dyn Sink, _offset: u64, io: &Io) -> sync::Result<usize> {
        let thread = sched::current().ok_or(Errno::ESRCH)?;
        self.read(&thread, out, io)
    }

    fn is_seekable(&self) -> bool {
        false
    }

    fn ignores_seeking(&self) -> bool {
        true
    }

    fn poll(&self, table: &mut PollTable<'_>) -> PollEvents {
        let Some(thread) = sched::current() else {
            return PollEvents::empty();
        };
        table.register(readers(thread.process()));
        match self.has_some(&thread) {
            true => PollEvents::IN,
            false => PollEvents::empty(),
        }
    }

    fn sync(&self) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    fn describe(&self, out: &mut dyn Write) -> core::fmt::Result {
        writeln!(out, "sigmask:\t{:016x}", self.set().0)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use los_abi::signal::{SI_QUEUE, Signal};
    use mm::io::VecSink;
    use zerocopy::FromBytes;

    use super::*;
    use crate::signal::{send_to_process, send_to_thread, set_mask};
    use crate::testing;

    const NONBLOCKING: Io = Io {
        flags: OpenFlags::NONBLOCK,
        size_limit: u64::MAX,
    };

    fn read(file: &SignalFile, thread: &Thread, records: usize) -> sync::Result<Vec<SignalfdSiginfo>> {
        let mut sink = VecSink::new(records * RECORD_BYTES + 5);
        let count = file.read(thread, &mut sink, &NONBLOCKING)?;
        let bytes = sink.into_vec();
        assert_eq!(bytes.len(), count);
        let record = |bytes: &[u8]| SignalfdSiginfo::read_from_bytes(bytes).unwrap();
        Ok(bytes.chunks(RECORD_BYTES).map(record).collect())
    }

    #[test]
    fn gives_the_signals_of_its_set_to_who_reads() {
        let (_family, thread) = testing::program();
        set_mask(&thread, SigSet::ALL);
        let wanted = SigSet::EMPTY.with(Signal::USR1).with(Signal::new(40).unwrap());
        let file = SignalFile {
            set: AtomicU64::new(wanted.0),
        };
        assert_eq!(read(&file, &thread, 4).err(), Some(Errno::EAGAIN.into()));
        send_to_process(thread.process(), &SigInfo::kill(Signal::USR2, 0, 7, 8)).unwrap();
        assert!(!file.has_some(&thread));
        let queue = |value| SigInfo::queue(Signal::new(40).unwrap(), 7, 8, value);
        send_to_process(thread.process(), &queue(1)).unwrap();
        send_to_process(thread.process(), &queue(2)).unwrap();
        send_to_thread(&thread, &SigInfo::kill(Signal::USR1, 0, 7, 8)).unwrap();
        assert!(file.has_some(&thread));
        // The thread's own first, then the process's by number and arrival, no more than there is room for.
        let first: Vec<_> = read(&file, &thread, 2)
            .unwrap()
            .iter()
            .map(|info| (info.ssi_signo, info.ssi_code, info.ssi_int, info.ssi_pid))
            .collect();
        assert_eq!(first, [(10, 0, 0, 7), (40, SI_QUEUE, 1, 7)]);
        assert_eq!(read(&file, &thread, 2).unwrap()[0].ssi_int, 2);
        assert!(!file.has_some(&thread));
        assert_eq!(thread.process().pending(), SigSet::EMPTY.with(Signal::USR2));
        let small = file.read(&thread, &mut VecSink::new(RECORD_BYTES - 1), &NONBLOCKING);
        assert_eq!(small, Err(Errno::EINVAL.into()));
    }

    #[test]
    fn tells_who_waits_for_the_process() {
        struct Told(core::sync::atomic::AtomicU32);
        impl sync::Unpark for Told {
            fn unpark(&self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let (_family, thread) = testing::program();
        set_mask(&thread, SigSet::ALL);
        let told = Arc::new(Told(core::sync::atomic::AtomicU32::new(0)));
        let mut waiter = sync::Waiter::for_thread(told.clone());
        waiter.register(readers(thread.process())).unwrap();
        send_to_thread(&thread, &SigInfo::kill(Signal::USR1, 0, 7, 8)).unwrap();
        send_to_process(thread.process(), &SigInfo::kill(Signal::USR1, 0, 7, 8)).unwrap();
        assert_eq!(told.0.load(Ordering::Relaxed), 2);
    }
}
