//! Pages that go from an object go from its mappings, in every space.

use super::*;
use crate::{AnonymousPager, Copies, Pager, PagerError};

fn map_object(space: &AddressSpace, pager: &Arc<AnonymousPager>, flags: MapFlags, first: u64) -> u64 {
    let source = Source::File {
        pager: pager.clone(),
        offset: first * PAGE,
        max_protection: ProtFlags::all(),
    };
    let request = MapRequest {
        source,
        ..anonymous(0, 4, READ_WRITE, flags)
    };
    space.map(request).unwrap()
}

#[test]
fn a_hole_shows_everywhere_but_in_copies() {
    let _turn = testing::exclusive();
    let before = free_pages();
    let pager = Arc::new(AnonymousPager::endless());
    let space = space_with_memory(START, PAGE);
    let shared = map_object(&space, &pager, MapFlags::SHARED, 0);
    let private = map_object(&space, &pager, MapFlags::PRIVATE, 1);
    (0..4).for_each(|page| put(&space, shared + page * PAGE, page + 1).unwrap());
    put(&space, private, 20).unwrap();
    assert_eq!(get(&space, private + PAGE), Ok(3));
    let child = space.fork(ForkPolicy::CopyOnWrite).unwrap();
    let resident = space.statistics().resident_pages;
    pager.discard(1..3).unwrap();
    assert!(space.statistics().resident_pages < resident);
    for space in [&space, &child] {
        let words: Vec<_> = (0..4)
            .map(|page| get(space, shared + page * PAGE).unwrap())
            .collect();
        assert_eq!(words, [1, 0, 0, 4]);
        // The first page of the private mapping was copied before.
        let words: Vec<_> = (0..3)
            .map(|page| get(space, private + page * PAGE).unwrap())
            .collect();
        assert_eq!(words, [20, 0, 4]);
    }
    // Shared again from here on.
    put(&child, shared + PAGE, 9).unwrap();
    assert_eq!(get(&space, shared + PAGE), Ok(9));
    AddressSpace::deactivate();
    drop((space, child, pager));
    assert!(free_pages() + 8 >= before);
}

#[test]
fn beyond_the_end_copies_go_as_well() {
    let _turn = testing::exclusive();
    let pager = Arc::new(AnonymousPager::endless());
    let space = space_with_memory(START, PAGE);
    let private = map_object(&space, &pager, MapFlags::PRIVATE, 0);
    put(&space, private + PAGE, 5).unwrap();
    let mappings = pager.mappings().unwrap();
    mappings.unmap(pager.object(), 1..u64::MAX, Copies::Keep);
    assert_eq!(get(&space, private + PAGE), Ok(5));
    mappings.unmap(pager.object(), 1..u64::MAX, Copies::Drop);
    assert_eq!(get(&space, private + PAGE), Ok(0));
    // Another object's pages stay.
    put(&space, private + PAGE, 6).unwrap();
    mappings.unmap(pager.object() + 1, 0..u64::MAX, Copies::Drop);
    assert_eq!(get(&space, private + PAGE), Ok(6));
}

#[test]
fn shared_memory_ends_where_it_was_mapped() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, PAGE);
    let pager = AnonymousPager::new(2, 0);
    assert!(pager.page(1, Access::Write).is_ok());
    assert_eq!(pager.page(2, Access::Read).err(), Some(PagerError::BeyondEnd));
    drop(space);
}

#[test]
fn a_fork_at_the_same_time_keeps_no_page_that_went() {
    extern crate std;
    let _turn = testing::exclusive();
    let pager = Arc::new(AnonymousPager::endless());
    let space = space_with_memory(START, PAGE);
    let shared = map_object(&space, &pager, MapFlags::SHARED, 0);
    let private = map_object(&space, &pager, MapFlags::PRIVATE, 0);
    for round in 0..300 {
        for page in 0..4 {
            put(&space, shared + page * PAGE, page + 1).unwrap();
            assert_eq!(get(&space, private + page * PAGE), Ok(page + 1));
        }
        let children = std::thread::scope(|scope| {
            let forks = scope.spawn(|| [(); 4].map(|()| space.fork(ForkPolicy::CopyOnWrite).unwrap()));
            (0..round % 32).for_each(|_| std::thread::yield_now());
            pager.discard(1..3).unwrap();
            forks.join().unwrap()
        });
        for child in children.iter().chain([&space]) {
            for mapping in [shared, private] {
                let words = [0, 1, 2, 3].map(|page| get(child, mapping + page * PAGE).unwrap());
                assert_eq!(words, [1, 0, 0, 4]);
            }
        }
    }
    AddressSpace::deactivate();
}
