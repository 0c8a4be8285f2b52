//! Tests of file locks; ranges are held to a model with a lock on every byte.

use std::thread;

use los_abi::fs::{F_RDLCK, F_UNLCK, F_WRLCK, Flock, OpenFlags};
use proptest::prelude::*;

use super::*;
use crate::credentials::Credentials;
use crate::{At, ops, testing};

fn files() -> [Arc<OpenFile>; 2] {
    let root = testing::root();
    let credentials = Credentials::root();
    let caller = testing::caller(&root, &credentials);
    let flags = OpenFlags::RDWR | OpenFlags::CREAT;
    [(); 2].map(|()| ops::open(&caller, At::Cwd, b"/f", flags, 0o600).unwrap())
}

const EAGAIN: sync::Error = sync::Error::Errno(Errno::EAGAIN);

#[test]
fn whole_file_locks_exclude_and_end_with_the_file() {
    let [one, other] = files();
    flock(&one, 1, Some(Strength::Shared), Patience::None).unwrap();
    flock(&other, 2, Some(Strength::Shared), Patience::None).unwrap();
    assert_eq!(
        flock(&one, 1, Some(Strength::Exclusive), Patience::None),
        Err(EAGAIN)
    );
    flock(&other, 2, None, Patience::None).unwrap();
    flock(&one, 1, Some(Strength::Exclusive), Patience::None).unwrap();
    assert_eq!(
        flock(&other, 2, Some(Strength::Shared), Patience::None),
        Err(EAGAIN)
    );
    let waiting = thread::spawn(move || flock(&other, 2, Some(Strength::Exclusive), Patience::Wait));
    drop(one);
    waiting.join().unwrap().unwrap();
}

#[test]
fn structures_are_read_and_written() {
    let [file, _] = files();
    let parse = |l_type, l_start, l_len| {
        Range::parse(
            &file,
            &Flock {
                l_type,
                l_start,
                l_len,
                ..Flock::default()
            },
        )
    };
    let range = |first, last| Range { first, last };
    assert_eq!(parse(F_RDLCK, 5, 10), Ok((range(5, 14), Some(Strength::Shared))));
    assert_eq!(parse(F_UNLCK, 5, -5), Ok((range(0, 4), None)));
    assert_eq!(
        parse(F_WRLCK, 5, 0),
        Ok((range(5, i64::MAX as u64), Some(Strength::Exclusive)))
    );
    assert_eq!(parse(F_WRLCK, -1, 1), Err(Errno::EINVAL));
    assert_eq!(parse(F_WRLCK, i64::MAX, 2), Err(Errno::EOVERFLOW));
    assert_eq!(parse(9, 0, 0), Err(Errno::EINVAL));
    let owner = (Owner::Process(1), 1);
    set_record(
        &file,
        owner,
        range(5, i64::MAX as u64),
        Some(Strength::Exclusive),
        Patience::None,
    )
    .unwrap();
    let found = blocking_record(&file, Owner::Process(2), range(9, 9), Strength::Shared).unwrap();
    let told = found.to_flock();
    assert_eq!(
        (told.l_type, told.l_start, told.l_len, told.l_pid),
        (F_WRLCK, 5, 0, 1)
    );
    assert_eq!(
        blocking_record(&file, Owner::Process(1), range(9, 9), Strength::Shared),
        None
    );
    release(&file, Owner::Process(1));
    assert_eq!(
        blocking_record(&file, Owner::Process(2), range(9, 9), Strength::Shared),
        None
    );
}

#[test]
fn changing_a_lock_in_vain_loses_it() {
    let [one, other] = files();
    flock(&one, 1, Some(Strength::Shared), Patience::None).unwrap();
    flock(&other, 2, Some(Strength::Shared), Patience::None).unwrap();
    assert_eq!(
        flock(&one, 1, Some(Strength::Exclusive), Patience::None),
        Err(EAGAIN)
    );
    flock(&other, 2, Some(Strength::Exclusive), Patience::None).unwrap();
}

#[test]
fn waiting_in_a_circle_is_refused() {
    let [file, _] = files();
    let first = Range { first: 0, last: 0 };
    let second = Range { first: 1, last: 1 };
    let [one, other] = [(); 2].map(|()| (Owner::new_process(), 0));
    let lock = move |file: &OpenFile, owner, range, patience| {
        set_record(file, owner, range, Some(Strength::Exclusive), patience)
    };
    lock(&file, one, first, Patience::None).unwrap();
    lock(&file, other, second, Patience::None).unwrap();
    // Whichever comes second closes the circle and gives up, and the other gets its lock.
    let attempt = move |file: &OpenFile, owner: (Owner, i32), range| {
        let outcome = lock(file, owner, range, Patience::Wait);
        release(file, owner.0);
        outcome
    };
    let waiting = thread::spawn({
        let file = file.clone();
        move || attempt(&file, one, second)
    });
    let mut outcomes = [attempt(&file, other, first), waiting.join().unwrap()];
    outcomes.sort_by_key(Result::is_err);
    assert_eq!(outcomes, [Ok(()), Err(sync::Error::Errno(Errno::EDEADLK))]);
}

proptest! {
    #[test]
    fn ranges_are_as_if_every_byte_had_its_own_lock(
        steps in proptest::collection::vec((0_u64..3, 0_u64..20, 0_u64..8, 0_u8..3), 1..60),
    ) {
        let mut records = Vec::new();
        let mut model = [[None; 30]; 3];
        for (process, first, more, action) in steps {
            let strength = [None, Some(Strength::Shared), Some(Strength::Exclusive)][usize::from(action)];
            let range = Range { first, last: first + more };
            let owner = Owner::Process(process);
            let bytes = first as usize..=(first + more) as usize;
            let blocked = strength.is_some_and(|wanted| {
                (0..3).filter(|other| *other != process as usize).any(|other| {
                    model[other][bytes.clone()].iter().flatten().any(|held| conflict(*held, wanted))
                })
            });
            let blocker = strength.and_then(|wanted| record::blocker(&records, owner, range, wanted));
            prop_assert_eq!(blocker.is_some(), blocked);
            if !blocked {
                record::replace(&mut records, (owner, 0), range, strength).unwrap();
                model[process as usize][bytes].fill(strength);
            }
            for (process, bytes) in model.iter().enumerate() {
                for (byte, expected) in bytes.iter().enumerate() {
                    let mut held = records.iter().filter(|record| {
                        let at = Range { first: byte as u64, last: byte as u64 };
                        record.owner == Owner::Process(process as u64) && record.range.overlaps(at)
                    });
                    prop_assert_eq!(held.next().map(|record| record.strength), *expected);
                    prop_assert!(held.next().is_none());
                }
            }
        }
    }
}
