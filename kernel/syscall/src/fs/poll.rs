//! Waiting for files: poll(2) and select(2).

use alloc::vec::Vec;
use core::mem::offset_of;

use los_abi::errno::Errno;
use los_abi::poll::{FD_SETSIZE, PollEvents, PollFd};
use los_abi::signal::{SIGSET_SIZE, SigSet, SigSetArgument};
use los_abi::syscall::{Fd, UserPtr};
use los_abi::task::RLIMIT_NOFILE;
use los_abi::time::{Timespec, Timeval};
use sync::{Error, Restart, Result, now_ns};
use task::{Context, signal};
use vfs::multiplex::{self, PollFailure, PollItem};

const WORD_BITS: usize = u64::BITS as usize;
/// This many requests of a poll are kept on the stack.
const FEW: usize = 16;
/// Files that are looked up at a time.
const PIECE: usize = 256;

pub(crate) fn poll(ctx: &Context<'_>, fds: UserPtr<PollFd>, count: u32, timeout_ms: i32) -> Result<usize> {
    let timeout_ns = u64::try_from(timeout_ms).ok().map(|ms| ms * 1_000_000);
    poll_until(ctx, fds, count, deadline(timeout_ns))
}

pub(crate) fn ppoll(
    ctx: &Context<'_>,
    fds: UserPtr<PollFd>,
    count: u32,
    timeout: UserPtr<Timespec>,
    mask: UserPtr<SigSet>,
    mask_size: usize,
) -> Result<usize> {
    let deadline_ns = deadline(read_timeout(ctx, timeout)?);
    if !mask.is_null() {
        set_mask(ctx, mask, mask_size)?;
    }
    let result = poll_until(ctx, fds, count, deadline_ns);
    store_rest(ctx, timeout, deadline_ns);
    result
}

/// Turns a duration into a monotonic deadline; 0 stays 0 and means not to wait.
pub(super) fn deadline(timeout_ns: Option<u64>) -> Option<u64> {
    timeout_ns.map(|ns| if ns == 0 { 0 } else { now_ns().saturating_add(ns) })
}

pub(super) fn read_timeout(ctx: &Context<'_>, timeout: UserPtr<Timespec>) -> Result<Option<u64>> {
    if timeout.is_null() {
        return Ok(None);
    }
    let time = ctx.memory().read(timeout)?;
    Ok(Some(time.to_ns().ok_or(Errno::EINVAL)?))
}

/// Stores what is left of the time; a program that passed constants keeps them.
fn store_rest(ctx: &Context<'_>, timeout: UserPtr<Timespec>, deadline_ns: Option<u64>) {
    if let Some(deadline_ns) = deadline_ns {
        let rest = Timespec::from_ns(deadline_ns.saturating_sub(now_ns()));
        let _read_only = ctx.memory().write(timeout, &rest);
    }
}

pub(super) fn set_mask(ctx: &Context<'_>, mask: UserPtr<SigSet>, mask_size: usize) -> Result<()> {
    if mask_size != SIGSET_SIZE {
        return Err(Errno::EINVAL.into());
    }
    let mask = ctx.memory().read(mask)?;
    signal::set_mask_for_call(ctx.thread, mask);
    Ok(())
}

fn poll_until(
    ctx: &Context<'_>,
    fds: UserPtr<PollFd>,
    count: u32,
    deadline_ns: Option<u64>,
) -> Result<usize> {
    if u64::from(count) > ctx.process.limits().soft(RLIMIT_NOFILE) {
        return Err(Errno::EINVAL.into());
    }
    let count = count as usize;
    let mut few = [PollFd::default(); FEW];
    let mut many = Vec::new();
    let requests = if count <= FEW {
        &mut few[..count]
    } else {
        many.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
        many.resize(count, PollFd::default());
        &mut many[..]
    };
    ctx.memory().read_values(fds, requests)?;
    let mut items = items(ctx, requests)?;
    let ready = wait(&mut items, deadline_ns)?;
    for (index, (request, item)) in requests.iter().zip(&items).enumerate() {
        // What is there already is not stored again, but memory that cannot be written is always found.
        let found = item.found.bits();
        if found != request.revents || index % FEW == 0 {
            let place = fds.offset_elements(index).ok_or(Errno::EFAULT)?;
            let place = place.addr().wrapping_add(offset_of!(PollFd, revents) as u64);
            ctx.memory().write(UserPtr::new(place), &found)?;
        }
    }
    Ok(ready)
}

/// Makes the items of descriptors: negative ones are passed over, closed ones are invalid.
fn items(ctx: &Context<'_>, requests: &[PollFd]) -> Result<Vec<PollItem>> {
    let mut items = Vec::new();
    items
        .try_reserve_exact(requests.len())
        .map_err(|_| Errno::ENOMEM)?;
    // In pieces, since the table is locked for each.
    for piece in requests.chunks(PIECE) {
        ctx.files()
            .for_each(piece.iter().map(|request| Fd(request.fd)), |index, file| {
                let is_closed = piece[index].fd >= 0 && file.is_none();
                items.push(PollItem {
                    file: file.cloned(),
                    wanted: PollEvents::from_bits_retain(piece[index].events),
                    found: if is_closed {
                        PollEvents::NVAL
                    } else {
                        PollEvents::empty()
                    },
                });
            });
    }
    Ok(items)
}

fn wait(items: &mut [PollItem], deadline_ns: Option<u64>) -> Result<usize> {
    multiplex::poll(items, deadline_ns).map_err(|failure| match failure {
        // Linux's poll and select are made again only when no handler ran.
        PollFailure::Interrupted => Error::Restart(Restart::NoHand),
        PollFailure::NoMemory => Errno::ENOMEM.into(),
    })
}

pub(crate) fn select(
    ctx: &Context<'_>,
    count: i32,
    read: UserPtr<u64>,
    write: UserPtr<u64>,
    except: UserPtr<u64>,
    timeout: UserPtr<Timeval>,
) -> Result<usize> {
    let timeout_ns = if timeout.is_null() {
        None
    } else {
        let time = ctx.memory().read(timeout)?;
        if time.tv_sec < 0 || time.tv_usec < 0 {
            return Err(Errno::EINVAL.into());
        }
        Some(
            (time.tv_sec as u64)
                .saturating_mul(1_000_000_000)
                .saturating_add(time.tv_usec as u64 * 1000),
        )
    };
    let deadline_ns = deadline(timeout_ns);
    let result = select_until(ctx, count, [read, write, except], deadline_ns);
    if let Some(deadline_ns) = deadline_ns {
        let rest = Timeval::from_ns(deadline_ns.saturating_sub(now_ns()));
        let _read_only = ctx.memory().write(timeout, &rest);
    }
    result
}

pub(crate) fn pselect6(
    ctx: &Context<'_>,
    count: i32,
    read: UserPtr<u64>,
    write: UserPtr<u64>,
    except: UserPtr<u64>,
    timeout: UserPtr<Timespec>,
    mask: UserPtr<SigSetArgument>,
) -> Result<usize> {
    let deadline_ns = deadline(read_timeout(ctx, timeout)?);
    if !mask.is_null() {
        let argument = ctx.memory().read(mask)?;
        if argument.set != 0 {
            set_mask(ctx, UserPtr::new(argument.set), argument.size as usize)?;
        }
    }
    let result = select_until(ctx, count, [read, write, except], deadline_ns);
    store_rest(ctx, timeout, deadline_ns);
    result
}

/// What each of the three sets asks for.
const ASKED: [PollEvents; 3] = [
    PollEvents::SELECT_READ,
    PollEvents::SELECT_WRITE,
    PollEvents::SELECT_EXCEPT,
];

fn select_until(
    ctx: &Context<'_>,
    count: i32,
    sets: [UserPtr<u64>; 3],
    deadline_ns: Option<u64>,
) -> Result<usize> {
    let count = usize::try_from(count).map_err(|_| Errno::EINVAL)?.min(FD_SETSIZE);
    let words = count.div_ceil(WORD_BITS);
    let mut wanted: Sets = [[0; FD_SETSIZE / WORD_BITS]; 3];
    for (set, wanted) in sets.iter().zip(&mut wanted).filter(|(set, _)| !set.is_null()) {
        for (index, word) in wanted.iter_mut().enumerate().take(words) {
            *word = ctx
                .memory()
                .read(set.offset_elements(index).ok_or(Errno::EFAULT)?)?;
        }
    }
    let mut items = select_items(ctx, &wanted, count)?;
    wait(&mut items, deadline_ns)?;
    let mut found: Sets = [[0; FD_SETSIZE / WORD_BITS]; 3];
    let mut ready = 0;
    for (item, fd) in items.iter().zip(members(&wanted, count)) {
        if item.found.is_empty() {
            continue;
        }
        for set in 0..3 {
            let bit = 1 << (fd % WORD_BITS);
            if wanted[set][fd / WORD_BITS] & bit != 0 && item.found.intersects(ASKED[set]) {
                found[set][fd / WORD_BITS] |= bit;
                ready += 1;
            }
        }
    }
    for (set, found) in sets.iter().zip(&found).filter(|(set, _)| !set.is_null()) {
        for (index, word) in found.iter().enumerate().take(words) {
            ctx.memory()
                .write(set.offset_elements(index).ok_or(Errno::EFAULT)?, word)?;
        }
    }
    Ok(ready)
}

/// What the three sets have, one bit a descriptor.
type Sets = [[u64; FD_SETSIZE / WORD_BITS]; 3];

/// Returns the descriptors below `count` that are in any of the sets, in ascending order.
fn members(sets: &Sets, count: usize) -> impl Iterator<Item = usize> {
    (0..count.div_ceil(WORD_BITS)).flat_map(move |index| {
        let mut left = sets[0][index] | sets[1][index] | sets[2][index];
        if count < (index + 1) * WORD_BITS {
            left &= (1 << (count % WORD_BITS)) - 1;
        }
        core::iter::from_fn(move || {
            let bit = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            (bit < WORD_BITS).then_some(index * WORD_BITS + bit)
        })
    })
}

fn select_items(ctx: &Context<'_>, wanted: &Sets, count: usize) -> Result<Vec<PollItem>> {
    let mut items = Vec::new();
    let bits = wanted.iter().flatten().map(|word| word.count_ones() as usize);
    items
        .try_reserve_exact(bits.sum::<usize>().min(count))
        .map_err(|_| Errno::ENOMEM)?;
    let mut numbers = members(wanted, count);
    let mut is_closed = false;
    ctx.files()
        .for_each(members(wanted, count).map(|fd| Fd(fd as i32)), |_, file| {
            let fd = numbers.next().unwrap_or_default();
            let asked = (0..3)
                .filter(|&set| wanted[set][fd / WORD_BITS] >> (fd % WORD_BITS) & 1 != 0)
                .fold(PollEvents::empty(), |events, set| events | ASKED[set]);
            is_closed |= file.is_none();
            items.push(PollItem {
                file: file.cloned(),
                wanted: asked,
                found: PollEvents::empty(),
            });
        });
    if is_closed {
        Err(Errno::EBADF.into())
    } else {
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_those_of_any_set_below_the_count() {
        let mut sets: Sets = [[0; FD_SETSIZE / WORD_BITS]; 3];
        sets[0][0] = 1 << 3 | 1 << 63;
        sets[1][0] = 1 << 3 | 1 << 4;
        sets[2][1] = 1 | 1 << 5;
        let of = |count| members(&sets, count).collect::<Vec<_>>();
        assert_eq!(of(128), [3, 4, 63, 64, 69]);
        assert_eq!(of(69), [3, 4, 63, 64]);
        assert_eq!(of(64), [3, 4, 63]);
        assert_eq!(of(4), [3]);
        assert!(of(0).is_empty());
    }
}
