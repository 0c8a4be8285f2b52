//! What waiting needs to know about threads: how to stop the running one and how to start it again.

use alloc::sync::Arc;
use core::hint::spin_loop;

use los_arch::{Current, hal::prelude::Timer};

use crate::rank;

/// A thread as the waker sees it.
pub trait Unpark: Send + Sync {
    /// Gives the thread its token and makes it runnable if it is parked. Callable from interrupts.
    fn unpark(&self);

    /// Does so for news of a kind, if that concerns who waits; a [`Thread`](ThreadHandle) looks itself. Returns
    /// whether the news is taken care of by that.
    fn unpark_for(&self, news: News) -> bool {
        let _any = news;
        self.unpark();
        true
    }
}

/// What a wake-up tells of: the bits of poll(2) that may have become true, or 0 for anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct News(pub u16);

impl News {
    /// Nothing in particular.
    pub const ANY: Self = Self(0);
}

/// A thread that can be woken.
pub type ThreadHandle = Arc<dyn Unpark>;

/// The scheduler as the waiter sees it.
pub trait Parker: Sync {
    /// Returns the running thread.
    fn current(&self) -> ThreadHandle;

    /// Stops the running thread until it has a token or the monotonic deadline has passed, and takes the
    /// token. May return early: callers check their condition again.
    fn park(&self, deadline_ns: Option<u64>);

    /// Reports whether the running thread has a signal to attend to.
    fn interrupted(&self) -> bool;

    /// Lets others run if it is their turn; false when the running thread is to die.
    fn give_way(&self) -> bool;
}

static PARKER: spin::Once<&'static dyn Parker> = spin::Once::new();

/// Registers the scheduler. Until then, and in host tests, waiting spins.
pub fn set_parker(parker: &'static dyn Parker) {
    PARKER.call_once(|| parker);
}

/// Returns nanoseconds of monotonic time.
#[inline]
pub fn now_ns() -> u64 {
    Current::monotonic_ns()
}

pub(crate) fn current() -> ThreadHandle {
    match PARKER.get() {
        Some(parker) => parker.current(),
        None => Arc::new(Spinner),
    }
}

pub(crate) fn park(deadline_ns: Option<u64>) {
    rank::assert_may_sleep();
    match PARKER.get() {
        Some(parker) => parker.park(deadline_ns),
        None => spin_loop(),
    }
}

/// Reports whether the running thread has a signal to attend to.
pub fn interrupted() -> bool {
    PARKER.get().is_some_and(|parker| parker.interrupted())
}

/// Lets others run if it is their turn, in the middle of work that a program has made long; false when the work is
/// for nothing, since the thread is to die. To be asked without spin locks held.
pub fn give_way() -> bool {
    rank::assert_may_sleep();
    PARKER.get().is_none_or(|parker| parker.give_way())
}

/// The stand-in thread before there is a scheduler: it never really parks.
struct Spinner;

impl Unpark for Spinner {
    fn unpark(&self) {}
}
