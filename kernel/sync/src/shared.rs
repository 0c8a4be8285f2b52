//! Things that several users share by choice, as threads do their files: how many users there are.
//!
//! Who looks at something for a moment holds an [`Arc`] and does not count. Only a user can make another one, so that
//! who finds that he is the only one stays so while he does nothing about it.

use alloc::sync::Arc;
use core::ops::Deref;
use core::sync::atomic::{AtomicUsize, Ordering};

/// What can be shared.
pub trait Shared {
    /// Returns the number of users.
    fn users(&self) -> &Users;

    /// Acts on the departure of the last user. Others may still look. May sleep.
    fn deserted(&self) {}
}

/// A number of users.
#[derive(Debug, Default)]
pub struct Users(AtomicUsize);

impl Users {
    /// Starts with none.
    pub const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// Returns how many there are.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

/// One user's hold on something shared, which counts until it is dropped. A clone is another user. Dropping the last
/// one may sleep.
#[derive(Debug)]
pub struct Use<T: Shared>(Arc<T>);

impl<T: Shared> Use<T> {
    /// Becomes a user.
    pub fn new(shared: Arc<T>) -> Self {
        shared.users().0.fetch_add(1, Ordering::Relaxed);
        Self(shared)
    }

    /// Reports whether there are other users.
    pub fn has_others(&self) -> bool {
        self.users().count() > 1
    }

    /// Returns what is used, for a look that does not count.
    pub fn shared(&self) -> &Arc<T> {
        &self.0
    }
}

impl<T: Shared> Clone for Use<T> {
    fn clone(&self) -> Self {
        Self::new(self.0.clone())
    }
}

impl<T: Shared> Drop for Use<T> {
    fn drop(&mut self) {
        if self.users().0.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.deserted();
        }
    }
}

impl<T: Shared> Deref for Use<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Thing {
        users: Users,
        deserted: AtomicUsize,
    }

    impl Shared for Thing {
        fn users(&self) -> &Users {
            &self.users
        }

        fn deserted(&self) {
            self.deserted.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn who_only_looks_does_not_count() {
        let first = Use::new(Arc::new(Thing::default()));
        let look = first.shared().clone();
        assert!(!first.has_others());
        let second = first.clone();
        assert!(first.has_others());
        drop(first);
        assert!(!second.has_others());
        assert_eq!(look.deserted.load(Ordering::Relaxed), 0);
        drop(second);
        assert_eq!(
            (look.users.count(), look.deserted.load(Ordering::Relaxed)),
            (0, 1)
        );
    }

    #[test]
    fn the_last_of_many_users_is_one() {
        extern crate std;
        let first = Use::new(Arc::new(Thing::default()));
        let look = first.shared().clone();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let one = first.clone();
                scope.spawn(move || (0..10_000).for_each(|_| drop(one.clone())));
            }
            drop(first);
        });
        assert_eq!(
            (look.users.count(), look.deserted.load(Ordering::Relaxed)),
            (0, 1)
        );
    }
}
