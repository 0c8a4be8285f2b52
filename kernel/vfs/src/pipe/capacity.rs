//! How large a pipe may be, and what its user has of such pages in all (pipe(7), "/proc files").

use los_abi::errno::Errno;

use super::Pipe;
use super::ring::PAGE_BYTES;
use crate::credentials::{Capability, Credentials};
use crate::user_limits::{Limit, Resource, Share, limit};

/// Pages of a new pipe.
const NEW_PAGES: usize = 16;
/// Pages of a new pipe whose user has more than enough of them.
const FEWEST_NEW_PAGES: usize = 2;
/// Most that any pipe holds.
const LARGEST_BYTES: usize = 1 << 31;

/// Rounds a size up to what a pipe can have: a power of two of pages.
///
/// # Errors
/// EINVAL.
pub fn round_size(bytes: usize) -> Result<usize, Errno> {
    match bytes {
        0..=LARGEST_BYTES => Ok(bytes.next_power_of_two().max(PAGE_BYTES)),
        _ => Err(Errno::EINVAL),
    }
}

/// Takes the pages of a new pipe; `None` if its user can have none.
pub(super) fn pages_of_new_pipe(credentials: &Credentials) -> Option<Share> {
    let largest = limit(Limit::PipeBytes) / PAGE_BYTES;
    let wanted = match credentials.capable(Capability::SysResource) {
        true => NEW_PAGES,
        false => NEW_PAGES.min(largest),
    };
    let mut share = Share::none(credentials.uid, Resource::PipePages);
    if exceeds(share.set(wanted), Limit::PipePagesSoft) && is_limited(credentials) {
        share.set(FEWEST_NEW_PAGES);
    }
    let is_refused = exceeds(share.of_user(), Limit::PipePagesHard) && is_limited(credentials);
    (!is_refused).then_some(share)
}

/// Tells whether a user has more pages than a limit allows; 0 is none.
fn exceeds(pages: usize, which: Limit) -> bool {
    let most = limit(which);
    most != 0 && pages > most
}

fn is_limited(credentials: &Credentials) -> bool {
    !credentials.capable(Capability::SysResource) && !credentials.capable(Capability::SysAdmin)
}

impl Pipe {
    /// Sets the bytes that it can hold, rounded up to a power of two of pages, and returns them: F_SETPIPE_SZ.
    ///
    /// # Errors
    /// EINVAL for more than any pipe holds; EPERM above a limit; EBUSY when more is in it; ENOMEM.
    pub fn set_capacity(&self, bytes: usize, credentials: &Credentials) -> Result<usize, Errno> {
        let capacity = round_size(bytes)?;
        let mut share = self.share.lock();
        let grows = capacity > self.capacity();
        if grows && capacity > limit(Limit::PipeBytes) && !credentials.capable(Capability::SysResource) {
            return Err(Errno::EPERM);
        }
        let before = share.amount();
        let of_user = share.set(capacity / PAGE_BYTES);
        let is_too_much = exceeds(of_user, Limit::PipePagesSoft) || exceeds(of_user, Limit::PipePagesHard);
        let outcome = if grows && is_too_much && is_limited(credentials) {
            Err(Errno::EPERM)
        } else {
            self.resize(capacity)
        };
        if outcome.is_err() {
            share.set(before);
        }
        outcome.map(|()| capacity)
    }
}
