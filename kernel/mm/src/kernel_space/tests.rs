//! The kernel's tables on the mock machine, and stacks.

use alloc::vec::Vec;

use los_arch::hal::paging::LeafAction;

use super::*;
use crate::testing;

fn leaves() -> Vec<Leaf> {
    testing::start();
    let mut space = SPACE.lock();
    let KernelSpace { table, tables, .. } = &mut *space;
    let mut leaves = Vec::new();
    let (start, end) = (VirtAddr::new(1 << 63), VirtAddr::new(u64::MAX));
    table.for_each_leaf(tables, start, end, &mut |_, leaf| {
        leaves.push(leaf);
        LeafAction::Keep
    });
    leaves
}

fn query(address: u64) -> Option<Leaf> {
    let space = SPACE.lock();
    space.table.query(&space.tables, VirtAddr::new(address))
}

#[test]
fn nothing_is_writable_and_executable() {
    let _turn = testing::exclusive();
    let leaves = leaves();
    assert!(leaves.len() > 10);
    for leaf in leaves {
        assert!(
            !leaf.flags.contains(PageFlags::WRITE | PageFlags::EXECUTE),
            "{leaf:?}"
        );
        assert!(!leaf.flags.contains(PageFlags::USER), "{leaf:?}");
        assert!(
            leaf.flags.contains(PageFlags::READ | PageFlags::GLOBAL),
            "{leaf:?}"
        );
    }
}

#[test]
fn code_cannot_be_changed_through_the_direct_map() {
    let _turn = testing::exclusive();
    // SAFETY: the mock does nothing unsafe.
    let boot = unsafe { Current::boot_info(0) };
    testing::start();
    let alias = |phys: PhysAddr| query(Current::DIRECT_MAP_BASE + phys.as_u64()).unwrap().flags;
    let code_end = boot.kernel.start + boot.kernel.len() / 2;
    assert!(!alias(boot.kernel.start).intersects(PageFlags::WRITE | PageFlags::EXECUTE));
    assert!(alias(code_end).contains(PageFlags::WRITE));
    let image = query(0xffff_ffff_8000_0000).unwrap();
    assert_eq!(
        (image.phys, image.flags.contains(PageFlags::EXECUTE)),
        (boot.kernel.start, true)
    );
}

#[test]
fn all_ram_and_all_devices_are_mapped_and_nothing_else() {
    let _turn = testing::exclusive();
    // SAFETY: the mock does nothing unsafe.
    let boot = unsafe { Current::boot_info(0) };
    testing::start();
    let direct = |phys: u64| query(Current::DIRECT_MAP_BASE + phys);
    for range in boot.memory {
        for at in [range.start.as_u64(), range.end.as_u64() - 1] {
            let leaf = direct(at).unwrap();
            assert_eq!(leaf.phys.as_u64() + (at & (Leaf::bytes(leaf.level) - 1)), at);
            assert!(!leaf.flags.contains(PageFlags::DEVICE));
        }
    }
    for device in Current::device_ranges() {
        assert!(
            direct(device.start.as_u64())
                .unwrap()
                .flags
                .contains(PageFlags::DEVICE)
        );
    }
    assert_eq!(direct(los_arch_mock::RAM_HOLE.start.as_u64()), None);
}

#[test]
fn stacks_have_guards_and_return() {
    let _turn = testing::exclusive();
    let stacks: Vec<_> = (0..40).map(|_| allocate_stack().unwrap()).collect();
    for stack in &stacks {
        let top = stack.top() as u64;
        assert!(query(top - 1).is_some() && query(top - STACK_BYTES as u64).is_some());
        assert!(query(top).is_none() && query(top - STACK_BYTES as u64 - 1).is_none());
    }
    let mut tops: Vec<_> = stacks.iter().map(KernelStack::top).collect();
    tops.dedup();
    assert_eq!(tops.len(), 40);
    drop(stacks);
    // Now as many are kept as ever will be.
    let before = frames::statistics().free_pages;
    let stacks: Vec<_> = (0..40).map(|_| allocate_stack().unwrap()).collect();
    assert!(frames::statistics().free_pages < before);
    drop(stacks);
    assert_eq!(frames::statistics().free_pages, before);
}

#[test]
fn devices_are_mapped_for_drivers() {
    let _turn = testing::exclusive();
    let at = map_device(PhysRange::from_start_len(0xfebc_0234, 0x2000)).unwrap();
    assert_eq!(at.page_offset(), 0x234);
    let leaf = query(at.as_u64() + 0x1fff).unwrap();
    assert_eq!(leaf.phys.as_u64(), 0xfebc_2000);
    assert!(leaf.flags.contains(PageFlags::DEVICE | PageFlags::WRITE));
}
