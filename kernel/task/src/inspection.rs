//! Who may look into another process (ptrace(2), "Ptrace access mode checking").

use vfs::{Capability, Credentials};

/// Which of the caller's ids count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CallerIds {
    /// Those for access to files (PTRACE_MODE_FSCREDS).
    FileSystem,
    /// The real ones (PTRACE_MODE_REALCREDS).
    Real,
}

/// Reports whether the caller may look into a process of others: one with all the same ids and no more
/// capabilities, or any with CAP_SYS_PTRACE. A process's own threads always may.
pub fn may_inspect(caller: &Credentials, ids: CallerIds, target: &Credentials) -> bool {
    let (uid, gid) = match ids {
        CallerIds::FileSystem => (caller.fsuid, caller.fsgid),
        CallerIds::Real => (caller.uid, caller.gid),
    };
    let users = [target.uid, target.euid, target.suid];
    let groups = [target.gid, target.egid, target.sgid];
    let is_same = users.iter().all(|other| *other == uid) && groups.iter().all(|other| *other == gid);
    let no_more = target.permitted & !caller.effective == 0;
    is_same && no_more || caller.capable(Capability::SysPtrace)
}
