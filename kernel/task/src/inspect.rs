//! Who may look into another process: ptrace(2), "Ptrace access mode checking".

use alloc::sync::Arc;

use los_abi::errno::Errno;
use vfs::{Capability, Credentials};

use crate::context::Context;
use crate::process::Process;

/// Which of its identities the asking process is judged by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Identity {
    /// That for access to files (PTRACE_MODE_FSCREDS): what asks is the use of a file.
    FileSystem,
    /// The real one (PTRACE_MODE_REALCREDS): what asks is a system call.
    Real,
}

/// Checks that the caller of a system call may look into a process: its own, one with all the same ids and no
/// more capabilities unless execve has made it unreadable, and every one with CAP_SYS_PTRACE.
///
/// # Errors
/// EPERM.
pub fn check(ctx: &Context<'_>, process: &Arc<Process>) -> Result<(), Errno> {
    let is_own = Arc::ptr_eq(process, ctx.process);
    if is_own || allows(ctx.credentials(), process, &process.credentials(), Identity::Real) {
        Ok(())
    } else {
        Err(Errno::EPERM)
    }
}

/// Reports whether somebody may look into a process that is not its own and acts as `target`.
pub fn allows(credentials: &Credentials, process: &Process, target: &Credentials, by: Identity) -> bool {
    if credentials.capable(Capability::SysPtrace) {
        return true;
    }
    let (uid, gid, capabilities) = match by {
        Identity::FileSystem => (credentials.fsuid, credentials.fsgid, credentials.effective),
        Identity::Real => (credentials.uid, credentials.gid, credentials.permitted),
    };
    let same_user = [target.uid, target.euid, target.suid].iter().all(|id| *id == uid);
    let same_group = [target.gid, target.egid, target.sgid].iter().all(|id| *id == gid);
    let no_more = target.permitted & !capabilities == 0;
    same_user && same_group && no_more && process.is_dumpable()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn the_same_user_may_look_unless_the_program_gained_rights() {
        let process = testing::process(41_000);
        let user = Credentials::user(1000, 1000);
        let look = |target: &Credentials, by| allows(&user, &process, target, by);
        assert!(look(&user, Identity::Real));
        let mut set_id = user.clone();
        set_id.euid = 0;
        assert!(!look(&set_id, Identity::Real));
        let mut capable = user.clone();
        capable.permitted = Capability::Kill.bit();
        assert!(!look(&capable, Identity::FileSystem));
        process.set_dumpable(false);
        assert!(!look(&user, Identity::Real));
        assert!(allows(&Credentials::root(), &process, &capable, Identity::Real));
    }
}
