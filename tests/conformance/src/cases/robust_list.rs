//! Lists of robust locks, which the kernel marks when their owner dies (set_robust_list(2)).

use core::sync::atomic::{AtomicU64, Ordering};

use los_abi::errno::Errno;
use los_abi::futex::{FUTEX_OWNER_DIED, FUTEX_WAITERS};
use los_abi::syscall::Sysno;

use crate::cases::ended;
use crate::harness::{Outcome, in_child};
use crate::raw::{addr, addr_mut, call, peek, poke};
use crate::worker::Thread;
use crate::{cases, ensure_eq};

cases![robust_locks_are_marked_at_death, robust_list_is_told];

/// A list of robust locks as set_robust_list(2) describes it: the head, then one entry a lock, each with the
/// lock's word behind it.
#[repr(C)]
struct RobustList {
    head: [u64; 3],
    entries: [[u64; 2]; 4],
}

static ROBUST: AtomicU64 = AtomicU64::new(0);

/// Registers the list, takes the locks in it, and dies.
extern "C" fn robust_owner(_: u64) -> i32 {
    let list = ROBUST.load(Ordering::SeqCst);
    let _ = call(Sysno::set_robust_list, &[list, 24]);
    let tid = call(Sysno::gettid, &[]).unwrap_or(0) as u32;
    let word = |index: u64| list + 24 + index * 16 + 8;
    poke(word(0), tid);
    poke(word(1), tid | FUTEX_WAITERS);
    // Another's, and one that is being taken.
    poke(word(2), tid + 1);
    poke(word(3), tid);
    0
}

fn robust_locks_are_marked_at_death() -> Outcome {
    let mut list = RobustList {
        head: [0; 3],
        entries: [[0; 2]; 4],
    };
    let at = addr_mut(&mut list);
    let entry = |index: u64| at + 24 + index * 16;
    poke(at, entry(0));
    poke(at + 8, 8_u64);
    poke(at + 16, entry(3));
    for index in 0..2 {
        poke(entry(index), entry(index + 1));
    }
    poke(entry(2), at);
    ROBUST.store(at, Ordering::SeqCst);
    let owner = Thread::start(robust_owner, 0)?;
    let tid = owner.tid();
    owner.join()?;
    let word = |index: u64| peek::<u32>(entry(index) + 8);
    ensure_eq!(word(0), FUTEX_OWNER_DIED);
    ensure_eq!(word(1), FUTEX_OWNER_DIED | FUTEX_WAITERS);
    ensure_eq!(word(2), tid + 1);
    ensure_eq!(word(3), FUTEX_OWNER_DIED);
    // A list that leads nowhere harms nobody.
    let status = in_child(|| {
        let lost = [8_u64, 8, 0];
        i32::from(call(Sysno::set_robust_list, &[addr(&lost), 24]).is_err())
    })?;
    ensure_eq!(ended(status), 0);
    Ok(())
}

fn robust_list_is_told() -> Outcome {
    let list = [0_u64; 3];
    call(Sysno::set_robust_list, &[addr(&list), 24])?;
    ensure_eq!(
        call(Sysno::set_robust_list, &[addr(&list), 25]).err(),
        Some(Errno::EINVAL)
    );
    let mut answer = [0_u64; 2];
    let (head, size) = (addr_mut(&mut answer[0]), addr_mut(&mut answer[1]));
    let get = |tid: u64, head, size| call(Sysno::get_robust_list, &[tid, head, size]);
    get(0, head, size)?;
    ensure_eq!([peek::<u64>(head), peek::<u64>(size)], [addr(&list), 24]);
    get(call(Sysno::gettid, &[])?, head, size)?;
    ensure_eq!(get(0x3fff_ffff, head, size).err(), Some(Errno::ESRCH));
    ensure_eq!(get(0, 8, size).err(), Some(Errno::EFAULT));
    ensure_eq!(get(0, head, 8).err(), Some(Errno::EFAULT));
    call(Sysno::set_robust_list, &[0, 24])?;
    Ok(())
}
