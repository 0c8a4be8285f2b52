//! Waiting for children: wait4(2) and waitid(2).

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use los_abi::errno::Errno;
use los_abi::signal::Signal;
use los_abi::task::{WaitFlags, WaitStatus};

use crate::accounting::Usage;
use crate::context::Context;
use crate::pid::{self, Pid};
use crate::process::Process;
use crate::signal::send;
use crate::tree::Tree;

/// Which children to wait for.
#[derive(Clone, Debug)]
pub enum Which {
    /// Any.
    Any,
    /// The one with this number.
    Process(Pid),
    /// Members of this process group.
    Group(Pid),
    /// This very one, whatever has its number by now (P_PIDFD).
    Child(Arc<Process>),
}

/// What became of a child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Waited {
    /// The child.
    pub pid: Pid,
    /// Its real user.
    pub uid: u32,
    /// What happened.
    pub status: WaitStatus,
    /// What it and its own children used.
    pub usage: Usage,
}

impl Waited {
    /// Returns `si_code` and `si_status` of what happened.
    pub fn code(&self) -> (i32, i32) {
        send::child_code(self.status)
    }
}

impl Which {
    /// Reads the first argument of wait4(2).
    ///
    /// # Errors
    /// ESRCH for the lowest number.
    pub fn from_wait4(ctx: &Context<'_>, pid: i32) -> Result<Self, Errno> {
        match pid {
            _ if pid == i32::MIN => Err(Errno::ESRCH),
            ..-1 => Ok(Self::Group(pid.unsigned_abs())),
            -1 => Ok(Self::Any),
            0 => Ok(Self::Group(ctx.process.group())),
            _ => Ok(Self::Process(pid.cast_unsigned())),
        }
    }

    fn includes(&self, child: &Arc<Process>) -> bool {
        match self {
            Self::Any => true,
            Self::Process(pid) => child.pid() == *pid,
            Self::Group(group) => child.group() == *group,
            Self::Child(process) => Arc::ptr_eq(child, process),
        }
    }
}

/// Waits for a child to end (`EXITED`), stop (`UNTRACED`) or continue (`CONTINUED`), and reaps it if it ended;
/// `None` if none has and the options say `NOHANG`.
///
/// # Errors
/// ECHILD without such children; a restart after a signal.
pub fn wait(ctx: &Context<'_>, which: &Which, options: WaitFlags) -> sync::Result<Option<Waited>> {
    let (parent, tid) = (ctx.process, ctx.thread.tid());
    if options.contains(WaitFlags::NOHANG) {
        return Ok(look(parent, tid, which, options)?);
    }
    let found = ctx
        .process
        .child_events
        .wait_interruptible(None, || look(parent, tid, which, options).transpose())?;
    Ok(Some(found?))
}

/// Looks once for a child with something to tell.
fn look(parent: &Process, tid: Pid, which: &Which, options: WaitFlags) -> Result<Option<Waited>, Errno> {
    let (waited, reaped) = {
        let mut tree = pid::tree();
        let Some((child, status)) = find(&tree, parent, tid, which, options)? else {
            return Ok(None);
        };
        let waited = Waited {
            pid: child.pid(),
            uid: child.credentials().uid,
            status,
            usage: total_usage(&child),
        };
        let is_end = matches!(status, WaitStatus::Exited(_) | WaitStatus::Signaled { .. });
        let reaped = if options.contains(WaitFlags::NOWAIT) {
            None
        } else if is_end {
            parent.dead_children.lock().add(&waited.usage);
            tree.remove_process(child.pid())
        } else {
            child.stop.clear_report();
            None
        };
        (waited, (reaped, child))
    };
    drop(reaped);
    Ok(Some(waited))
}

/// Finds the first child with something to tell.
///
/// # Errors
/// ECHILD when there is no child that could ever have.
fn find(
    tree: &Tree,
    parent: &Process,
    tid: Pid,
    which: &Which,
    options: WaitFlags,
) -> Result<Option<(Arc<Process>, WaitStatus)>, Errno> {
    let is_own = |child: &Process| {
        !options.contains(WaitFlags::NOTHREAD) || child.parent_thread.load(Ordering::Relaxed) == tid
    };
    let mut exists = false;
    for child in tree.children(parent.pid()) {
        if !which.includes(child) || !is_eligible(child, options) || !is_own(child) {
            continue;
        }
        // Who does not ask for ends has nothing to expect of a zombie.
        exists |= !child.is_zombie() || options.contains(WaitFlags::EXITED);
        if let Some(status) = news(child, options) {
            return Ok(Some((child.clone(), status)));
        }
    }
    if exists { Ok(None) } else { Err(Errno::ECHILD) }
}

/// Applies `__WALL` and `__WCLONE`: children that end with another signal than SIGCHLD are "clone" children.
fn is_eligible(child: &Process, options: WaitFlags) -> bool {
    let is_clone = child.exit_signal.load(Ordering::Relaxed) != Signal::CHLD.number();
    options.contains(WaitFlags::ALL) || is_clone == options.contains(WaitFlags::CLONE)
}

fn news(child: &Process, options: WaitFlags) -> Option<WaitStatus> {
    if child.is_zombie() {
        let status = WaitStatus::decode(child.exit_status().cast_signed());
        return options.contains(WaitFlags::EXITED).then_some(status);
    }
    let wanted = |status: &WaitStatus| match status {
        WaitStatus::Stopped(_) => options.contains(WaitFlags::UNTRACED),
        WaitStatus::Continued => options.contains(WaitFlags::CONTINUED),
        _ => false,
    };
    child.stop.report().filter(wanted)
}

fn total_usage(child: &Process) -> Usage {
    let mut usage = child.threads.lock().dead();
    usage.peak_pages = child.peak_pages.load(Ordering::Relaxed);
    usage.add(&child.dead_children.lock());
    usage
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    const EXITED: WaitFlags = WaitFlags::EXITED;

    fn bury(child: &Process, status: WaitStatus) {
        child
            .status
            .store(status.encode().cast_unsigned(), Ordering::Relaxed);
        child.is_zombie.store(true, Ordering::Relaxed);
    }

    #[test]
    fn three_children_are_reaped_and_there_is_no_fourth() {
        let family = testing::family(3);
        assert_eq!(look(&family.parent, 0, &Which::Any, EXITED), Ok(None));
        for (code, child) in family.children.iter().enumerate() {
            bury(child, WaitStatus::Exited(code as i32));
        }
        let mut codes = [0, 1, 2].map(|_: usize| {
            let waited = look(&family.parent, 0, &Which::Any, EXITED).unwrap().unwrap();
            assert!(pid::process(waited.pid).is_none());
            waited.status
        });
        codes.sort_by_key(|status| status.encode());
        assert_eq!(codes, [0, 1, 2].map(WaitStatus::Exited));
        assert_eq!(look(&family.parent, 0, &Which::Any, EXITED), Err(Errno::ECHILD));
    }

    #[test]
    fn numbers_and_groups_select() {
        let family = testing::family(2);
        let [first, second] = [&family.children[0], &family.children[1]];
        bury(
            second,
            WaitStatus::Signaled {
                signal: 9,
                core_dumped: false,
            },
        );
        let by_number = |child: &Process| Which::Process(child.pid());
        assert_eq!(look(&family.parent, 0, &by_number(first), EXITED), Ok(None));
        let kept = look(&family.parent, 0, &by_number(second), EXITED | WaitFlags::NOWAIT);
        assert_eq!(kept.unwrap().unwrap().pid, second.pid());
        let group = Which::Group(family.parent.group());
        assert_eq!(
            look(&family.parent, 0, &group, EXITED).unwrap().unwrap().pid,
            second.pid()
        );
        assert_eq!(
            look(&family.parent, 0, &by_number(second), EXITED),
            Err(Errno::ECHILD)
        );
        assert_eq!(
            look(&family.parent, 0, &Which::Group(9999), EXITED),
            Err(Errno::ECHILD)
        );
        bury(first, WaitStatus::Exited(0));
        look(&family.parent, 0, &Which::Any, EXITED).unwrap();
    }

    #[test]
    fn clone_children_need_to_be_asked_for() {
        let family = testing::family(1);
        family.children[0].exit_signal.store(0, Ordering::Relaxed);
        bury(&family.children[0], WaitStatus::Exited(0));
        assert_eq!(look(&family.parent, 0, &Which::Any, EXITED), Err(Errno::ECHILD));
        let all = EXITED | WaitFlags::ALL;
        assert!(look(&family.parent, 0, &Which::Any, all).unwrap().is_some());
    }
    #[test]
    fn other_threads_children_are_left_out_when_asked() {
        let family = testing::family(1);
        bury(&family.children[0], WaitStatus::Exited(0));
        let mine = EXITED | WaitFlags::NOTHREAD;
        let stranger = family.parent.pid() + 1;
        assert_eq!(
            look(&family.parent, stranger, &Which::Any, mine),
            Err(Errno::ECHILD)
        );
        let own = look(&family.parent, family.parent.pid(), &Which::Any, mine);
        assert!(own.unwrap().is_some());
    }

    #[test]
    fn a_zombie_has_nothing_for_who_does_not_ask_for_ends() {
        let family = testing::family(1);
        let stops = WaitFlags::UNTRACED;
        assert_eq!(look(&family.parent, 0, &Which::Any, stops), Ok(None));
        bury(&family.children[0], WaitStatus::Exited(0));
        let outcome = look(&family.parent, 0, &Which::Any, stops);
        assert_eq!(outcome, Err(Errno::ECHILD));
    }

    #[test]
    fn a_process_is_known_beyond_its_number() {
        let family = testing::family(2);
        bury(&family.children[0], WaitStatus::Exited(4));
        let which = Which::Child(family.children[0].clone());
        let waited = look(&family.parent, 0, &which, EXITED).unwrap().unwrap();
        assert_eq!(waited.status, WaitStatus::Exited(4));
        assert_eq!(look(&family.parent, 0, &which, EXITED), Err(Errno::ECHILD));
    }
}
