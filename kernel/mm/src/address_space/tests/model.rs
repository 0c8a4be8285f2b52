//! Random histories against a model that is an array of pages.

use proptest::prelude::*;

use super::*;
use los_abi::mm::MremapFlags;

const PAGES: usize = 24;

/// What is mapped at a page: its protection, its first word, and whether it was ever writable.
type Model = [Option<(ProtFlags, u64, bool)>; 2 * PAGES];

#[derive(Clone, Debug)]
enum Step {
    Map(usize, usize, ProtFlags),
    Unmap(usize, usize),
    Protect(usize, usize, ProtFlags),
    Empty(usize, usize),
    Write(usize, u64),
    Move(usize, usize, usize),
    Fork(ForkPolicy),
    Other,
}

fn protection() -> impl Strategy<Value = ProtFlags> {
    prop::sample::select(alloc::vec![
        ProtFlags::empty(),
        ProtFlags::READ,
        READ_WRITE,
        READ_WRITE,
        READ_WRITE
    ])
}

fn range() -> impl Strategy<Value = (usize, usize)> {
    (0..PAGES, 1..8_usize).prop_map(|(start, pages)| (start, (start + pages).min(PAGES)))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (range(), protection()).prop_map(|((start, end), protection)| Step::Map(start, end, protection)),
        2 => range().prop_map(|(start, end)| Step::Unmap(start, end)),
        3 => (range(), protection()).prop_map(|((start, end), protection)| Step::Protect(start, end, protection)),
        1 => range().prop_map(|(start, end)| Step::Empty(start, end)),
        8 => (0..PAGES, any::<u64>()).prop_map(|(page, value)| Step::Write(page, value)),
        2 => (range(), 0..PAGES).prop_map(|((start, end), to)| Step::Move(start, end, to)),
        1 => prop::sample::select(alloc::vec![ForkPolicy::Eager, ForkPolicy::CopyOnWrite]).prop_map(Step::Fork),
        1 => Just(Step::Other),
    ]
}

fn address(page: usize) -> u64 {
    // Two tables of level 0 are involved.
    0x20_0000 + page as u64 * PAGE - 10 * PAGE
}

fn apply(space: &AddressSpace, model: &mut Model, step: &Step) {
    match *step {
        Step::Map(start, end, protection) => {
            map_fixed(space, address(start), (end - start) as u64, protection);
            model[start..end].fill(Some((protection, 0, protection.contains(ProtFlags::WRITE))));
        }
        Step::Unmap(start, end) => {
            space.unmap(address(start), (end - start) as u64 * PAGE).unwrap();
            model[start..end].fill(None);
        }
        Step::Protect(start, end, protection) => {
            let result = space.protect(address(start), (end - start) as u64 * PAGE, protection);
            let mapped = model[start..end].iter_mut().map_while(|page| page.as_mut());
            let change = |page: &mut (ProtFlags, u64, bool)| {
                page.0 = protection;
                page.2 |= protection.contains(ProtFlags::WRITE);
            };
            let changed = mapped.map(change).count();
            assert_eq!(result.is_ok(), changed == end - start);
        }
        Step::Empty(start, end) => {
            let whole = model[start..end].iter().all(Option::is_some);
            let result = space.advise(address(start), (end - start) as u64 * PAGE, MADV_DONTNEED);
            assert_eq!(result.is_ok(), whole);
            model[start..end].iter_mut().flatten().for_each(|page| page.1 = 0);
        }
        Step::Write(page, value) => {
            let allowed = model[page]
                .as_mut()
                .filter(|page| page.0.contains(ProtFlags::WRITE));
            assert_eq!(put(space, address(page), value).is_ok(), allowed.is_some());
            if let Some(page) = allowed {
                page.1 = value;
            }
        }
        Step::Move(start, end, to) => {
            let length = (end - start) as u64 * PAGE;
            let result = space.remap(RemapRequest {
                address: address(start),
                old_length: length,
                new_length: length,
                flags: MremapFlags::MAYMOVE | MremapFlags::FIXED,
                new_address: address(to),
                lowest: Current::USER_START,
            });
            let pages = end - start;
            if start < to + pages && to < end {
                assert_eq!(result, Err(Errno::EINVAL));
            } else if model[start].is_none() {
                assert_eq!(result, Err(Errno::EFAULT));
            } else {
                assert_eq!(result, Ok(address(to)));
                for page in (0..pages)
                    .filter(|page| model[start + page].is_some())
                    .collect::<Vec<_>>()
                {
                    model[to + page] = model[start + page].take();
                }
            }
        }
        Step::Fork(_) | Step::Other => {}
    }
}

fn check(space: &AddressSpace, model: &Model) {
    for (page, expected) in model.iter().enumerate() {
        let readable = expected.filter(|(protection, ..)| !protection.is_empty());
        assert_eq!(
            get(space, address(page)).ok(),
            readable.map(|(_, value, _)| value),
            "page {page}"
        );
    }
    // Alike neighbours are joined.
    let properties = |page: &Option<(ProtFlags, u64, bool)>| page.map(|page| (page.0, page.2));
    let borders = model
        .windows(2)
        .filter(|pair| properties(&pair[1]) != properties(&pair[0]));
    let starts = borders.filter(|pair| pair[1].is_some()).count() + usize::from(model[0].is_some());
    assert_eq!(ranges(space).len(), starts);
}

proptest! {
    #[test]
    fn spaces_behave_as_arrays_of_pages(steps in prop::collection::vec(step(), 1..80)) {
        let _turn = testing::exclusive();
        let _ = zero_frame();
        let before = free_pages();
        let mut worlds = alloc::vec![(AddressSpace::new().unwrap(), [None; 2 * PAGES])];
        worlds[0].0.activate();
        for step in &steps {
            let (space, model) = &mut worlds[0];
            match step {
                Step::Fork(policy) => {
                    let child = (space.fork(*policy).unwrap(), *model);
                    worlds.truncate(3);
                    worlds.push(child);
                }
                Step::Other => {
                    worlds.rotate_left(1);
                    worlds[0].0.activate();
                }
                _ => apply(space, model, step),
            }
            for (space, model) in &worlds {
                check(space, model);
            }
        }
        AddressSpace::deactivate();
        drop(worlds);
        prop_assert_eq!(free_pages(), before);
    }
}
