//! What core dumps see.

use super::*;

fn dumped(space: &AddressSpace, page: u64) -> Option<u8> {
    let mut bytes = [0xaa; PAGE_SIZE];
    let is_there = space.dump_page(VirtAddr::new(page), &mut bytes);
    is_there.then_some(bytes[0])
}

#[test]
fn pages_are_shown_whatever_their_protection() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, 4 * PAGE);
    put(&space, START + PAGE, 7).unwrap();
    assert_eq!(get(&space, START + 2 * PAGE), Ok(0));
    space.protect(START, 4 * PAGE, ProtFlags::empty()).unwrap();
    let before = free_pages();
    assert_eq!(dumped(&space, START + PAGE), Some(7));
    // Neither what was never touched nor what was only read is there, and looking changes nothing.
    for nothing in [START, START + 2 * PAGE, START + 4 * PAGE] {
        assert_eq!(dumped(&space, nothing), None);
    }
    assert_eq!(free_pages(), before);
}
