//! Wrong arguments: Linux's answers, in Linux's order.

use super::*;
use los_abi::mm::{MADV_FREE, MADV_POPULATE_WRITE, MADV_WIPEONFORK};

#[test]
fn mmap_refuses() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, PAGE);
    let map = |address, length, flags| {
        space
            .map(MapRequest {
                length,
                ..anonymous(address, 1, READ_WRITE, flags)
            })
            .unwrap_err()
    };
    let fixed = PRIVATE | MapFlags::FIXED;
    let top = Current::USER_END;
    assert_eq!(map(0, 0, MapFlags::empty()), Errno::EINVAL);
    assert_eq!(map(0, u64::MAX, PRIVATE), Errno::ENOMEM);
    assert_eq!(map(0, top + PAGE, PRIVATE), Errno::ENOMEM);
    assert_eq!(map(top, PAGE, fixed), Errno::ENOMEM);
    assert_eq!(map(START + 1, PAGE, fixed), Errno::EINVAL);
    assert_eq!(map(0, PAGE, fixed), Errno::EPERM);
    assert_eq!(
        map(START, PAGE, PRIVATE | MapFlags::FIXED_NOREPLACE),
        Errno::EEXIST
    );
    assert_eq!(map(0, PAGE, MapFlags::ANONYMOUS), Errno::EINVAL);
    assert_eq!(
        map(0, PAGE, MapFlags::SHARED | MapFlags::GROWSDOWN),
        Errno::EINVAL
    );
    assert_eq!(
        map(0, PAGE, MapFlags::from_bits_retain(MapFlags::SHARED_VALIDATE)),
        Errno::EINVAL
    );
    // More than all of RAM, and more than the limit.
    assert_eq!(map(0, 1 << 40, PRIVATE), Errno::ENOMEM);
    space.set_limits(Limits {
        address_space: 3 * PAGE,
        ..Limits::default()
    });
    assert_eq!(map(0, 3 * PAGE, PRIVATE), Errno::ENOMEM);
    assert!(space.map(anonymous(START, 3, READ_WRITE, fixed)).is_ok());
    space.set_limits(Limits {
        data: 4 * PAGE,
        ..Limits::default()
    });
    assert_eq!(map(0, 2 * PAGE, PRIVATE), Errno::ENOMEM);
    assert!(space.map(anonymous(0, 2, ProtFlags::READ, PRIVATE)).is_ok());
}

#[test]
fn promises_without_reserve_may_exceed_memory() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, PAGE);
    let pages = (1 << 40) / PAGE;
    let address = space
        .map(anonymous(0, pages, READ_WRITE, PRIVATE | MapFlags::NORESERVE))
        .unwrap();
    put(&space, address + (1 << 39), 1).unwrap();
    assert_eq!(get(&space, address + (1 << 39)), Ok(1));
}

#[test]
fn munmap_refuses() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, PAGE);
    for (address, length) in [
        (START + 1, PAGE),
        (START, 0),
        (START, u64::MAX),
        (Current::USER_END, PAGE),
        (u64::MAX - 4095, PAGE),
    ] {
        assert_eq!(
            space.unmap(address, length),
            Err(Errno::EINVAL),
            "{address:#x} {length:#x}"
        );
    }
    assert_eq!(space.unmap(START + 5 * PAGE, PAGE), Ok(()));
    assert_eq!(ranges(&space).len(), 1);
}

#[test]
fn mprotect_refuses() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, 2 * PAGE);
    let unknown = ProtFlags::from_bits_retain(1 << 20);
    let both = ProtFlags::GROWSDOWN | ProtFlags::GROWSUP;
    assert_eq!(space.protect(START + 1, 0, ProtFlags::READ), Err(Errno::EINVAL));
    assert_eq!(space.protect(START, PAGE, both), Err(Errno::EINVAL));
    assert_eq!(space.protect(START, 0, unknown), Ok(()));
    assert_eq!(
        space.protect(START, u64::MAX, ProtFlags::READ),
        Err(Errno::ENOMEM)
    );
    assert_eq!(space.protect(START, PAGE, unknown), Err(Errno::EINVAL));
    assert_eq!(
        space.protect(START, PAGE, ProtFlags::GROWSDOWN),
        Err(Errno::EINVAL)
    );
    assert_eq!(space.protect(0, PAGE, ProtFlags::READ), Err(Errno::ENOMEM));
    // What is mapped below the gap has changed.
    assert_eq!(
        space.protect(START + PAGE, 2 * PAGE, ProtFlags::READ),
        Err(Errno::ENOMEM)
    );
    assert_eq!(put(&space, START + PAGE, 1), Err(Errno::EFAULT));
    put(&space, START, 1).unwrap();
}

#[test]
fn madvise_refuses() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, PAGE);
    assert_eq!(space.advise(START, PAGE, 4711), Err(Errno::EINVAL));
    assert_eq!(space.advise(START + 1, PAGE, MADV_DONTNEED), Err(Errno::EINVAL));
    assert_eq!(space.advise(START, u64::MAX, MADV_DONTNEED), Err(Errno::EINVAL));
    assert_eq!(
        space.advise(u64::MAX - 4095, PAGE, MADV_DONTNEED),
        Err(Errno::EINVAL)
    );
    assert_eq!(space.advise(START, 0, MADV_DONTNEED), Ok(()));
    let shared = space
        .map(anonymous(0, 1, ProtFlags::READ, MapFlags::SHARED))
        .unwrap();
    assert_eq!(space.advise(shared, PAGE, MADV_FREE), Err(Errno::EINVAL));
    assert_eq!(space.advise(shared, PAGE, MADV_WIPEONFORK), Err(Errno::EINVAL));
    assert_eq!(
        space.advise(shared, PAGE, MADV_POPULATE_WRITE),
        Err(Errno::EINVAL)
    );
    assert_eq!(
        space.advise(START, 2 * PAGE, MADV_POPULATE_WRITE),
        Err(Errno::ENOMEM)
    );
}

#[test]
fn too_many_mappings_are_refused() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, PAGE);
    let pages = 2 * max_mappings() as u64;
    let address = space
        .map(anonymous(
            0,
            pages,
            ProtFlags::READ,
            PRIVATE | MapFlags::NORESERVE,
        ))
        .unwrap();
    let mut results = (0..pages)
        .step_by(2)
        .map(|page| space.protect(address + page * PAGE, PAGE, ProtFlags::empty()));
    assert_eq!(results.find(Result::is_err), Some(Err(Errno::ENOMEM)));
    assert!(ranges(&space).len() <= max_mappings());
}
