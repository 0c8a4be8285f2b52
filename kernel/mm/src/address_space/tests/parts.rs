//! What is kept of parts of mappings: policies, names, seals.

use alloc::sync::Arc;

use los_abi::numa::MPOL_BIND;

use super::*;
use crate::policy::{Mode, Policy};

fn bound() -> Policy {
    Policy::new(Mode::new(MPOL_BIND).unwrap(), 1).unwrap()
}

#[test]
fn policies_split_and_join_mappings() {
    let _turn = testing::exclusive();
    let space = AddressSpace::new().unwrap();
    let at = START;
    map_fixed(&space, at, 4, READ_WRITE);
    space.bind(at + PAGE, PAGE, bound()).unwrap();
    let policies = [0, 1, 2, 3].map(|page| space.policy_at(at + page * PAGE).unwrap());
    assert_eq!(
        policies.map(|policy| policy == bound()),
        [false, true, false, false]
    );
    assert_eq!(space.inner.lock().mappings.len(), 3);
    assert_eq!(space.bind(at, 5 * PAGE, bound()), Err(Errno::EFAULT));
    space.bind(at, 4 * PAGE, Policy::DEFAULT).unwrap();
    assert_eq!(space.inner.lock().mappings.len(), 1);
}

#[test]
fn names_split_and_join_mappings() {
    let _turn = testing::exclusive();
    let space = AddressSpace::new().unwrap();
    let at = START;
    map_fixed(&space, at, 4, READ_WRITE);
    let name: Arc<[u8]> = b"name"[..].into();
    space.set_name(at + PAGE, PAGE, Some(&name)).unwrap();
    assert_eq!(space.inner.lock().mappings.len(), 3);
    // Equal names are one, wherever they come from.
    let same: Arc<[u8]> = b"name"[..].into();
    space.set_name(at, PAGE, Some(&same)).unwrap();
    assert_eq!(space.inner.lock().mappings.len(), 2);
    assert_eq!(space.set_name(at, 5 * PAGE, None), Err(Errno::ENOMEM));
    assert_eq!(space.inner.lock().mappings.len(), 1);
}

#[test]
fn sealed_parts_stay() {
    let _turn = testing::exclusive();
    let space = AddressSpace::new().unwrap();
    let at = START;
    map_fixed(&space, at, 4, READ_WRITE);
    space.seal(at + PAGE, PAGE).unwrap();
    assert_eq!(space.unmap(at, 4 * PAGE), Err(Errno::EPERM));
    assert_eq!(space.protect(at, 4 * PAGE, ProtFlags::READ), Err(Errno::EPERM));
    assert_eq!(space.seal(at + 3 * PAGE, 2 * PAGE), Err(Errno::ENOMEM));
    space.unmap(at + 2 * PAGE, 2 * PAGE).unwrap();
    assert_eq!(space.inner.lock().mappings.pages(), 2);
}
