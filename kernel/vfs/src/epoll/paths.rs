//! How many ways lead from a file up through sets that stand in each other: each is a chain of wake-ups, so that
//! there may be only so many, the longer the fewer (Linux's `path_limits`).

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use los_abi::errno::Errno;

use super::interest::Memberships;
use super::{Epoll, NESTING_MAX, of};
use crate::file::OpenFile;

/// Most ways by the number of sets between the file and the uppermost one.
const PATHS_MAX: [usize; NESTING_MAX] = [usize::MAX, 500, 100, 50, 10];

/// Checks the ways up from a new member, or from all files below it if it is a set. No two checks have one number.
///
/// # Errors
/// EINVAL for too many; EINTR for a thread that is to die.
pub(super) fn check(member: &Arc<OpenFile>, check: u64) -> Result<(), Errno> {
    match of(member) {
        Some(inner) => check_below(inner, check),
        None => count(member.sets(), 0, &mut [0; NESTING_MAX]),
    }
}

fn check_below(set: &Epoll, number: u64) -> Result<(), Errno> {
    if set.counted.swap(number, Ordering::Relaxed) == number {
        return Ok(());
    }
    let mut next = set.first_member();
    while let Some((key, file)) = next {
        if !sync::give_way() {
            return Err(Errno::EINTR);
        }
        if let Some(file) = file {
            check(&file, number)?;
        }
        next = set.member_after(key);
    }
    Ok(())
}

/// Counts the ways to sets that are in none, by their length.
fn count(sets: &Memberships, depth: usize, counts: &mut [usize; NESTING_MAX]) -> Result<(), Errno> {
    let mut next = sets.first();
    while let Some((place, set)) = next {
        if !sync::give_way() {
            return Err(Errno::EINTR);
        }
        if let Some(set) = set.upgrade() {
            match set.above.get().filter(|above| above.first().is_some()) {
                Some(_) if depth + 1 == NESTING_MAX => return Err(Errno::EINVAL),
                Some(above) => count(above, depth + 1, counts)?,
                None => {
                    counts[depth] += 1;
                    if counts[depth] > PATHS_MAX[depth] {
                        return Err(Errno::EINVAL);
                    }
                }
            }
        }
        next = sets.after(place);
    }
    Ok(())
}
