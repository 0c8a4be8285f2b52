//! The one error type of the kernel: an errno, or the wish to make the system call again.

use los_abi::errno::Errno;

/// How a system call that a signal interrupted continues; never visible to programs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Restart {
    /// Again if the handler has SA_RESTART or there is no handler, else EINTR (Linux's ERESTARTSYS).
    Sys,
    /// Again only if there is no handler (ERESTARTNOHAND).
    NoHand,
    /// Again in any case (ERESTARTNOINTR).
    NoIntr,
    /// Through `restart_syscall` with what the thread has stored (ERESTART_RESTARTBLOCK), EINTR with a handler.
    Block,
}

/// Why a kernel operation did not succeed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// The program is told so.
    Errno(Errno),
    /// The signal code decides.
    Restart(Restart),
}

/// The result of a kernel operation.
pub type Result<T> = core::result::Result<T, Error>;

/// A wait that ended because a signal is pending.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interrupted;

/// Why an interruptible wait ended without its condition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitError {
    /// A signal is pending.
    Interrupted,
    /// The deadline has passed.
    TimedOut,
}

impl From<Errno> for Error {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl From<Interrupted> for Error {
    fn from(_: Interrupted) -> Self {
        Self::Restart(Restart::Sys)
    }
}

impl From<WaitError> for Error {
    fn from(error: WaitError) -> Self {
        match error {
            WaitError::Interrupted => Interrupted.into(),
            WaitError::TimedOut => Self::Errno(Errno::ETIMEDOUT),
        }
    }
}
