//! Tests of the table of open files.

use alloc::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::testing;

const LIMIT: u64 = 100;

fn table_with(count: usize) -> FdTable {
    let table = FdTable::new();
    for _ in 0..count {
        table
            .insert(testing::open(b"/program"), 0, OnExec::Keep, LIMIT)
            .unwrap();
    }
    table
}

#[test]
fn the_lowest_free_number_is_next() {
    let table = table_with(70);
    for number in [5, 3, 64] {
        drop(table.remove(Fd(number)).unwrap());
    }
    let next = |minimum| table.insert(testing::open(b"/program"), minimum, OnExec::Keep, LIMIT);
    assert_eq!(
        [next(0), next(4), next(0), next(0)],
        [3, 5, 64, 70].map(|number| Ok(Fd(number)))
    );
    assert_eq!(next(90), Ok(Fd(90)));
    assert_eq!(table.get(Fd(-1)).err(), Some(Errno::EBADF));
    assert_eq!(table.get(Fd(89)).err(), Some(Errno::EBADF));
}

#[test]
fn limits_are_kept() {
    let table = table_with(3);
    let file = table.get(Fd(0)).unwrap();
    assert_eq!(table.insert(file.clone(), 0, OnExec::Keep, 3), Err(Errno::EMFILE));
    let at_limit = table.replace(Fd(3), file.clone(), OnExec::Keep, 3);
    assert_eq!(at_limit.err(), Some(Errno::EBADF));
    assert!(table.replace(Fd(2), file, OnExec::Keep, 3).unwrap().is_some());
}

#[test]
fn execve_closes_what_it_should() {
    let table = table_with(3);
    table.set_on_exec(Fd(1), OnExec::Close).unwrap();
    let child = table.fork().unwrap();
    child.close_on_exec();
    let open = |table: &FdTable| [0, 1, 2].map(|number| table.get(Fd(number)).is_ok());
    assert_eq!(open(&child), [true, false, true]);
    assert_eq!(open(&table), [true, true, true]);
    child.remove_range(1..=u32::MAX);
    assert_eq!(open(&child), [true, false, false]);
}

proptest! {
    #[test]
    fn behaves_like_a_map(steps in prop::collection::vec((0_u8..5, 0_usize..90), 0..150)) {
        let mut table = FdTable::new();
        let mut model: BTreeMap<usize, OnExec> = BTreeMap::new();
        let file = testing::open(b"/program");
        for (step, number) in steps {
            let fd = Fd(number as i32);
            match step {
                0 => {
                    let expected = (number..).find(|index| !model.contains_key(index)).unwrap();
                    let got = table.insert(file.clone(), number, OnExec::Close, LIMIT);
                    if expected < LIMIT as usize {
                        prop_assert_eq!(got, Ok(Fd(expected as i32)));
                        model.insert(expected, OnExec::Close);
                    } else {
                        prop_assert_eq!(got, Err(Errno::EMFILE));
                    }
                }
                1 => {
                    let old = table.replace(fd, file.clone(), OnExec::Keep, LIMIT).unwrap();
                    prop_assert_eq!(old.is_some(), model.insert(number, OnExec::Keep).is_some());
                }
                2 => prop_assert_eq!(table.remove(fd).is_ok(), model.remove(&number).is_some()),
                3 => prop_assert_eq!(table.on_exec(fd).ok(), model.get(&number).copied()),
                _ => table = table.fork().unwrap(),
            }
            let open: Vec<_> = core::iter::successors(table.next(0), |(fd, _)| table.next(fd.0 as usize + 1))
                .map(|(fd, _)| fd.0 as usize)
                .collect();
            prop_assert_eq!(open, model.keys().copied().collect::<Vec<_>>());
        }
    }
}

#[test]
fn the_last_user_closes_what_others_look_at() {
    let table = Use::new(Arc::new(table_with(1)));
    let fd = Fd(0);
    let (other, onlooker) = (table.clone(), table.shared().clone());
    drop(table);
    assert!(other.get(fd).is_ok());
    drop(other);
    assert_eq!(onlooker.get(fd).err(), Some(Errno::EBADF));
}
