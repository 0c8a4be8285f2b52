//! RLIMIT_NPROC: how many threads the processes of a real user may have (getrlimit(2)).

use los_abi::errno::Errno;
use los_abi::resource::RLIMIT_NPROC;
use vfs::{Capability, Credentials};

use crate::context::Context;
use crate::thread::Thread;
use crate::user_count::{Share, UserCount};

/// The threads of users' processes; one of a process that ended counts until that was waited for.
static THREADS: UserCount = UserCount::new();

/// Counts a new thread for the caller's user. Beyond the limit it refuses one, but to the superuser.
///
/// # Errors
/// EAGAIN.
pub(crate) fn count_birth(ctx: &Context<'_>) -> Result<Share, Errno> {
    let credentials = ctx.credentials();
    let is_exempt = credentials.uid == 0
        || credentials.capable(Capability::SysResource)
        || credentials.capable(Capability::SysAdmin);
    let limit = match is_exempt {
        true => u64::MAX,
        false => ctx.process.limits().soft(RLIMIT_NPROC),
    };
    THREADS.take(credentials.uid, limit).ok_or(Errno::EAGAIN)
}

/// Counts a thread for the user that it becomes; without memory to count it counts for nobody.
pub(crate) fn count_for(uid: u32) -> Option<Share> {
    THREADS.take(uid, u64::MAX)
}

/// Notes whether a thread is about to become a user that has more threads than the limit already. That is no error at
/// once, since programs do not expect one, but the next execve is refused (execve(2), "execve() and EAGAIN").
pub(crate) fn note_new_user(thread: &Thread, new: &Credentials) {
    let is_over = new.uid != 0 && THREADS.of(new.uid) > thread.process().limits().soft(RLIMIT_NPROC);
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
    if THREADS.of(thread.credentials().uid) > limit {
        return Err(Errno::EAGAIN);
    }
    thread.attributes.set_over_process_limit(false);
    Ok(())
}

#[cfg(test)]
mod tests {
    use alloc::sync::Arc;

    use los_abi::resource::Rlimit64;

    use super::*;
    use crate::pid;
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
        // One that has ended counts until it was waited for.
        assert_eq!(THREADS.of(4711), 2);
        for one in [&other, &thread] {
            let process = one.process();
            *process.last_share.lock() = one.take_share();
            assert_eq!(THREADS.of(4711), 2);
        }
        pid::tree().remove_process(other.process().pid());
        assert_eq!(THREADS.of(4711), 1);
        drop((family, other_family));
        assert_eq!(THREADS.of(4711), 0);
    }
}
