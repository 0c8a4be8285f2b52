//! Locks, waiting and per-CPU data: how kernel code shares state without knowing about threads.
//!
//! [`SpinLock`] masks interrupts and never sleeps; [`Mutex`] and [`RwLock`] sleep; [`WaitQueue`] is how
//! anything waits for anything. What a thread is comes from above, as a [`Parker`].
#![no_std]
#![forbid(unsafe_op_in_unsafe_fn)]

extern crate alloc;

mod context;
mod error;
mod mutex;
mod park;
mod per_cpu;
mod rank;
mod rwlock;
mod shared;
mod spinlock;
mod wait_queue;
mod waiter;

pub use context::{KernelContext, Stack};
pub use error::{Error, Interrupted, Restart, Result, WaitError};
pub use mutex::{Mutex, MutexGuard};
pub use park::{News, Parker, ThreadHandle, Unpark, give_way, interrupted, now_ns, set_parker};
pub use per_cpu::PerCpu;
pub use rank::Rank;
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use shared::{Shared, Use, Users};
pub use spin::Once;
pub use spinlock::{SpinLock, SpinLockGuard};
pub use wait_queue::WaitQueue;
pub use waiter::Waiter;
