//! What a terminal needs to know about sessions and process groups (termios(3), credentials(7)).

use alloc::sync::Arc;

use los_abi::signal::Signal;
use sync::Once;

use crate::terminal::Terminal;

/// The process that makes the current call, as job control sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TtyCaller {
    /// Its process id.
    pub pid: i32,
    /// Its process group.
    pub group: i32,
    /// Its session, which is its leader's process id.
    pub session: i32,
    /// Whether it may take a terminal from another session (CAP_SYS_ADMIN).
    pub privileged: bool,
}

impl TtyCaller {
    /// Reports whether the process leads its session.
    pub const fn is_session_leader(&self) -> bool {
        self.pid == self.session
    }
}

/// Sessions and process groups, implemented by the process table.
pub trait JobControl: Sync {
    /// Describes the calling process; `None` on a kernel thread.
    fn caller(&self) -> Option<TtyCaller>;

    /// Sends a signal to every member of a group. Callable from interrupts.
    fn signal_group(&self, group: i32, signal: Signal);

    /// Reports whether the calling thread blocks or ignores the signal.
    fn caller_ignores(&self, signal: Signal) -> bool;

    /// Reports whether no member of the group has a parent in the same session but another group.
    fn is_orphaned(&self, group: i32) -> bool;

    /// Returns the session of a group; `None` where there is no such group.
    fn session_of_group(&self, group: i32) -> Option<i32>;

    /// Returns the controlling terminal of a session.
    fn controlling_terminal(&self, session: i32) -> Option<Arc<Terminal>>;

    /// Sets or clears the controlling terminal of a session.
    fn set_controlling_terminal(&self, session: i32, terminal: Option<Arc<Terminal>>);
}

static JOB_CONTROL: Once<&'static dyn JobControl> = Once::new();

/// Registers the process table. Until then a terminal knows no sessions and signals nobody.
pub fn set_job_control(job_control: &'static dyn JobControl) {
    JOB_CONTROL.call_once(|| job_control);
}

pub(crate) fn get() -> Option<&'static dyn JobControl> {
    JOB_CONTROL.get().copied()
}
