//! System calls: the table of rows, their numbers, and the types of their arguments.
//!
//! [`for_each_syscall!`](crate::for_each_syscall) is the table, [`Sysno`] what this crate makes of it,
//! [`Arg`] how one register becomes one argument.

pub mod arg;
pub mod sysno;
pub mod table;

pub use arg::{Arg, Fd, UserCStr, UserPtr, UserSlice};
pub use sysno::{Call, Support, Sysno, format_call};

/// Every type that a row of the table names: import it by glob where a callback is expanded.
pub mod prelude {
    pub use super::arg::{Arg, Fd, UserCStr, UserPtr};
    pub use crate::credentials::{CapUserData, CapUserHeader};
    pub use crate::fs::{
        AccessMode, AnyStat, AtFlags, CloseRangeFlags, FallocateFlags, IoVec, MountFlags, ReadWriteFlags,
        RenameFlags, Statfs, Statx, StatxMask, UmountFlags, Utimbuf, XattrArgs, XattrFlags,
    };
    pub use crate::futex::{FutexWaitv, RobustListHead};
    pub use crate::inotify::{InotifyFlags, InotifyMask};
    pub use crate::mm::{
        Cachestat, CachestatRange, MapFlags, MemfdFlags, Mlock2Flags, MlockallFlags, MsyncFlags, ProtFlags,
    };
    pub use crate::poll::{AnyEpollEvent, EpollCreateFlags, PollFd};
    pub use crate::resource::{Rlimit64, Rusage, Tms};
    pub use crate::rseq::Rseq;
    pub use crate::schedule::{SchedAttr, SchedParam};
    pub use crate::signal::{SigAction, SigEvent, SigInfo, SigSet, SigSetArgument, SignalfdFlags, StackT};
    pub use crate::system::{GetRandomFlags, Sysinfo, Utsname};
    pub use crate::task::{CloneArgs, PidfdFlags, PidfdSignalFlags, WaitFlags};
    pub use crate::time::{
        Itimerspec, Itimerval, TimerfdFlags, TimerfdSetFlags, Timespec, Timeval, Timex, Timezone,
    };
}
