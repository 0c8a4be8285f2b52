//! Signals about files: the receivers that fcntl(2) designates, and what they are sent.

use alloc::sync::{Arc, Weak};

use los_abi::errno::Errno;
use los_abi::fs::{F_OWNER_PGRP, F_OWNER_PID, F_OWNER_TID, FOwnerEx};
use los_abi::poll::PollEvents;
use los_abi::signal::{
    SI_KERNEL, SI_SIGIO, SIGBUS, SIGCHLD, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP, SigInfo, Signal,
};
use vfs::OpenFile;
use vfs::owner::{News, Reason, ReceiverKind, SignalReceiver};

use super::send::{Target, send_locked};
use crate::context::Context;
use crate::pid::{self, Pid};
use crate::process::Process;
use crate::thread::Thread;
use crate::tree::{GroupName, Tree};

/// Who gets signals about a file.
enum Receiver {
    Thread(Weak<Thread>),
    /// A process, which one of its threads may have stood for.
    Process(Pid, Weak<Process>),
    Group(GroupName),
}

/// Sets the receiver of signals about a file: F_SETOWN. A negative number is a group, 0 is nobody.
///
/// # Errors
/// EINVAL for the number that has no opposite; ESRCH.
pub fn set_owner(ctx: &Context<'_>, file: &OpenFile, number: i32) -> Result<(), Errno> {
    let kind = match number < 0 {
        true => ReceiverKind::Group,
        false => ReceiverKind::Process,
    };
    let number = number.checked_abs().ok_or(Errno::EINVAL)?;
    set_receiver(ctx, file, kind, number)
}

/// Sets the receiver by kind: F_SETOWN_EX.
///
/// # Errors
/// EINVAL for an unknown kind; ESRCH.
pub fn set_owner_by_kind(ctx: &Context<'_>, file: &OpenFile, owner: &FOwnerEx) -> Result<(), Errno> {
    let kind = match owner.kind {
        F_OWNER_TID => ReceiverKind::Thread,
        F_OWNER_PID => ReceiverKind::Process,
        F_OWNER_PGRP => ReceiverKind::Group,
        _ => return Err(Errno::EINVAL),
    };
    set_receiver(ctx, file, kind, owner.pid)
}

fn set_receiver(ctx: &Context<'_>, file: &OpenFile, kind: ReceiverKind, number: i32) -> Result<(), Errno> {
    let receiver = match number {
        0 => None,
        _ => {
            let number = u32::try_from(number).map_err(|_| Errno::ESRCH)?;
            Some(Receiver::find(&pid::tree(), kind, number)?)
        }
    };
    let receiver = receiver.map(|receiver| Arc::new(receiver) as Arc<dyn SignalReceiver>);
    let credentials = ctx.credentials();
    file.owner().set(receiver, credentials.uid, credentials.euid);
    Ok(())
}

/// Returns the receiver as F_GETOWN tells it: a negative number is a group, 0 is nobody.
pub fn owner(file: &OpenFile) -> i32 {
    let Some(receiver) = file.owner().receiver() else {
        return 0;
    };
    let number = receiver.number().unwrap_or(0).cast_signed();
    match receiver.kind() {
        ReceiverKind::Group => -number,
        ReceiverKind::Thread | ReceiverKind::Process => number,
    }
}

/// Returns the receiver as F_GETOWN_EX tells it.
pub fn owner_by_kind(file: &OpenFile) -> FOwnerEx {
    let Some(receiver) = file.owner().receiver() else {
        return FOwnerEx::default();
    };
    FOwnerEx {
        kind: match receiver.kind() {
            ReceiverKind::Thread => F_OWNER_TID,
            ReceiverKind::Process => F_OWNER_PID,
            ReceiverKind::Group => F_OWNER_PGRP,
        },
        pid: receiver.number().unwrap_or(0).cast_signed(),
    }
}

/// Makes signals about a terminal that nobody receives yet go to its foreground group, or to the caller.
pub fn own_terminal(ctx: &Context<'_>, file: &OpenFile, terminal: &tty::Terminal) {
    let owner = file.owner();
    if owner.receiver().is_some() {
        return;
    }
    let receiver = match u32::try_from(terminal.foreground_group()) {
        Ok(group) if group != 0 => Receiver::Group(pid::tree().name_group(group)),
        _ => Receiver::Process(ctx.process.pid(), Arc::downgrade(ctx.process)),
    };
    let credentials = ctx.credentials();
    owner.set(Some(Arc::new(receiver)), credentials.uid, credentials.euid);
}

impl Receiver {
    /// # Errors
    /// ESRCH.
    fn find(tree: &Tree, kind: ReceiverKind, number: Pid) -> Result<Self, Errno> {
        let process = tree.process(number).cloned();
        let thread = tree.thread(number);
        if kind == ReceiverKind::Group && tree.has_group(number) {
            return Ok(Self::Group(tree.name_group(number)));
        }
        let of_thread = thread.as_ref().map(|thread| thread.process().clone());
        let process = process.or(of_thread).ok_or(Errno::ESRCH)?;
        Ok(match (kind, thread) {
            (ReceiverKind::Group, _) => Self::Group(tree.name_group(number)),
            (ReceiverKind::Thread, Some(thread)) => Self::Thread(Arc::downgrade(&thread)),
            _ => Self::Process(number, Arc::downgrade(&process)),
        })
    }
}

impl SignalReceiver for Receiver {
    fn kind(&self) -> ReceiverKind {
        match self {
            Self::Thread(_) => ReceiverKind::Thread,
            Self::Process(..) => ReceiverKind::Process,
            Self::Group(_) => ReceiverKind::Group,
        }
    }

    fn number(&self) -> Option<u32> {
        match self {
            Self::Thread(thread) => {
                let thread = thread.upgrade().filter(|thread| !thread.is_gone())?;
                Some(thread.tid())
            }
            Self::Process(number, process) => {
                let process = process.upgrade().filter(|process| process.pid() == *number)?;
                pid::process(process.pid()).map(|process| process.pid())
            }
            Self::Group(group) => {
                let has_members = pid::tree().named_group(*group).next().is_some();
                has_members.then_some(group.number())
            }
        }
    }

    fn send(&self, news: &News) {
        match self {
            Self::Thread(thread) => {
                if let Some(thread) = thread.upgrade() {
                    tell(&pid::tree(), Target::Thread(&thread), news);
                }
            }
            Self::Process(_, process) => {
                if let Some(process) = process.upgrade() {
                    tell(&pid::tree(), Target::Process(&process), news);
                }
            }
            Self::Group(group) => {
                let tree = pid::tree();
                for process in tree.named_group(*group) {
                    tell(&tree, Target::Member(process), news);
                }
            }
        }
    }
}

/// Sends the signal, or SIGIO where that has no place.
fn tell(tree: &Tree, target: Target<'_>, news: &News) {
    if !may_tell(target, news) {
        return;
    }
    let told = Signal::new(news.signal)
        .map(|signal| send_locked(tree, target, &info_of(signal, news.fd, news.reason)));
    if told != Some(Ok(())) {
        // A standard signal always finds a place.
        let _queued = send_locked(tree, target, &SigInfo::new(Signal::IO, SI_KERNEL));
    }
}

/// Checks that who set the receiver may signal him, with other rules than kill(2) has.
fn may_tell(target: Target<'_>, news: &News) -> bool {
    let receiver = match target {
        Target::Process(process) | Target::Member(process) => process.credentials(),
        Target::Thread(thread) => thread.credentials(),
    };
    let is_his = |user: u32| user == receiver.uid || user == receiver.suid;
    news.euid == 0 || is_his(news.euid) || is_his(news.uid)
}

fn info_of(signal: Signal, fd: i32, reason: Reason) -> SigInfo {
    // Codes of these would be taken for their own.
    let is_ambiguous = matches!(
        signal.number(),
        SIGILL | SIGFPE | SIGSEGV | SIGBUS | SIGTRAP | SIGCHLD | SIGSYS
    );
    let code = if is_ambiguous { SI_SIGIO } else { reason.code() };
    let band = match reason {
        Reason::Readable => PollEvents::IN | PollEvents::RDNORM,
        Reason::Writable => PollEvents::OUT | PollEvents::WRNORM | PollEvents::WRBAND,
        Reason::Message => PollEvents::IN | PollEvents::RDNORM | PollEvents::MSG,
    };
    SigInfo::io(signal, code, band.bits().into(), fd)
}

#[cfg(test)]
mod tests {
    use los_abi::signal::{POLL_IN, SigSet};

    use super::*;
    use crate::signal::set_mask;
    use crate::signal::wait::take;
    use crate::testing;

    fn news(uid: u32, signal: u32) -> News {
        News {
            uid,
            euid: uid,
            signal,
            fd: 5,
            reason: Reason::Readable,
        }
    }

    #[test]
    fn receivers_get_the_signal_that_was_chosen() {
        let (_family, thread) = testing::program();
        set_mask(&thread, SigSet::ALL);
        let number = thread.process().pid();
        let find = |kind| Receiver::find(&pid::tree(), kind, number).ok().unwrap();
        let group = thread.process().group();
        let by_group = Receiver::find(&pid::tree(), ReceiverKind::Group, group)
            .ok()
            .unwrap();
        assert_eq!(by_group.number(), Some(group));
        let taken = || take(&thread, SigSet::ALL).map(|info| (info.si_signo, info.si_code));
        for receiver in [find(ReceiverKind::Process), find(ReceiverKind::Thread), by_group] {
            receiver.send(&news(0, 0));
            assert_eq!(taken(), Some((29, SI_KERNEL)));
            receiver.send(&news(0, 40));
            let info = take(&thread, SigSet::ALL).unwrap();
            assert_eq!((info.si_signo, info.si_code), (40, POLL_IN));
            assert_eq!(info.fields[..2], [0x41, 5]);
            receiver.send(&news(0, SIGCHLD));
            assert_eq!(taken(), Some((17, SI_SIGIO)));
        }
        assert_eq!(find(ReceiverKind::Process).number(), Some(number));
        let nobody = Receiver::find(&pid::tree(), ReceiverKind::Process, 1_000_000);
        assert_eq!(nobody.err(), Some(Errno::ESRCH));
    }

    #[test]
    fn others_are_not_told() {
        let (_family, thread) = testing::program();
        set_mask(&thread, SigSet::ALL);
        let receiver = Receiver::Thread(Arc::downgrade(&thread));
        receiver.send(&news(1000, 40));
        assert!(take(&thread, SigSet::ALL).is_none());
    }
}
