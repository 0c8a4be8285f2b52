//! RLIMIT_NPROC: how many threads the processes of a real user may have (getrlimit(2)).

use los_abi::errno::Errno;
use los_abi::resource::RLIMIT_NPROC;
use vfs::{Capability, Credentials};

use crate::context::Context;
use crate::pid;
use crate::process::Process;
use crate::thread::Thread;

/// Refuses a new thread beyond the limit, but to the superuser.
///
/// # Errors
/// EAGAIN.
pub(crate) fn check_birth(ctx: &Context<'_>) -> Result<(), Errno> {
    let credentials = ctx.credentials();
    let is_exempt = credentials.uid == 0
        || credentials.capable(Capability::SysResource)
        || credentials.capable(Capability::SysAdmin);
    if !is_exempt && threads_of(credentials.uid) >= ctx.process.limits().soft(RLIMIT_NPROC) {
        return Err(Errno::EAGAIN);
    }
    Ok(())
}

/// Notes whether a thread is about to become a user that has more threads than the limit already. That is no error at once, since
/// programs do not expect one, but the next execve is refused (execve(2), "execve() and EAGAIN").
pub(crate) fn note_new_user(thread: &Thread, new: &Credentials) {
    let is_over = new.uid != 0 && threads_of(new.uid) > thread.process().limits().soft(RLIMIT_NPROC);
    thread.attributes.set_over_process_limit(is_over);
}

/// Refuses a program to a thread that became a user beyond the limit, while the user still is beyond it.
///
/// # Errors
/// EAGAIN.
pub(crate) fn check_program(thread: &Thread) -> Result<(), Errno> {
    if !thread.attributes.is_over_process_limit() {
        return Ok(());
    }
    let limit = thread.process().limits().soft(RLIMIT_NPROC);
    if threads_of(thread.credentials().uid) > limit {
        return Err(Errno::EAGAIN);
    }
    thread.attributes.set_over_process_limit(false);
    Ok(())
}

/// Counts the threads of a real user's processes, with those that ended and were not waited for.
fn threads_of(uid: u32) -> u64 {
    let count = |process: &Process| {
        if process.credentials().uid == uid {
            // One that was not waited for yet still is one.
            process.thread_count().max(1) as u64
        } else {
            0
        }
    };
    pid::tree().iter().map(|node| count(&node.process)).sum()
}

#[cfg(test)]
mod tests {
    use alloc::sync::Arc;

    use los_abi::resource::Rlimit64;

    use super::*;
    use crate::rlimit::RaiseHard;
    use crate::testing;

    #[test]
    fn a_new_user_beyond_the_limit_starts_no_program() {
        let (other_family, other) = testing::program();
        let (family, thread) = testing::program();
        let limit = |limit| {
            let both = Rlimit64 {
                rlim_cur: limit,
                rlim_max: limit,
            };
            let process = thread.process();
            process.set_limit(RLIMIT_NPROC, both, RaiseHard::Allowed).unwrap();
        };
        limit(0);
        let user = Credentials::user(4711, 4711);
        note_new_user(&thread, &user);
        assert_eq!(
            check_program(&thread),
            Ok(()),
            "the first of a user is not beyond"
        );
        other.set_credentials(Arc::new(user.clone()));
        note_new_user(&thread, &user);
        thread.set_credentials(Arc::new(user));
        assert_eq!(check_program(&thread), Err(Errno::EAGAIN));
        limit(2);
        assert_eq!(check_program(&thread), Ok(()));
        limit(0);
        assert_eq!(check_program(&thread), Ok(()), "only a change of users counts");
        drop((family, other_family));
    }
}
