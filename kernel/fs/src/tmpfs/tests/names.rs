//! Names in directories against a map.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;

use los_abi::fs::RenameFlags;
use proptest::prelude::*;

use super::*;

/// What a name leads to in the model: an inode, and whether it is a directory.
type Model = BTreeMap<(usize, u8), (u64, bool)>;

#[derive(Clone, Debug)]
enum Step {
    Create(usize, u8),
    MakeDirectory(usize, u8),
    Unlink(usize, u8),
    RemoveDirectory(usize, u8),
    Link((usize, u8), (usize, u8)),
    Rename((usize, u8), (usize, u8), u32),
}

fn step() -> impl Strategy<Value = Step> {
    let place = || (0..2_usize, 0..6_u8);
    prop_oneof![
        place().prop_map(|(directory, name)| Step::Create(directory, name)),
        place().prop_map(|(directory, name)| Step::MakeDirectory(directory, name)),
        place().prop_map(|(directory, name)| Step::Unlink(directory, name)),
        place().prop_map(|(directory, name)| Step::RemoveDirectory(directory, name)),
        (place(), place()).prop_map(|(from, to)| Step::Link(from, to)),
        (place(), place(), 0..3_u32).prop_map(|(from, to, flags)| Step::Rename(from, to, flags)),
    ]
}

fn list(directory: &Arc<dyn Inode>, cursor: u64, most: usize) -> (Vec<(Vec<u8>, u64)>, u64) {
    let mut found = Vec::new();
    let next = open(directory)
        .read_directory(cursor, &mut |entry| {
            let takes = found.len() < most;
            if takes {
                found.push((entry.name.to_vec(), entry.inode));
            }
            takes
        })
        .unwrap();
    (found, next)
}

fn apply(directories: &[Arc<dyn Inode>; 2], model: &mut Model, step: &Step) {
    match *step {
        Step::Create(directory, name) => add(directories, model, (directory, name), FileKind::Regular),
        Step::MakeDirectory(directory, name) => {
            add(directories, model, (directory, name), FileKind::Directory)
        }
        Step::Unlink(directory, name) => {
            let expected = match model.get(&(directory, name)) {
                None => Err(Errno::ENOENT),
                Some((_, true)) => Err(Errno::EISDIR),
                Some(_) => Ok(()),
            };
            assert_eq!(directories[directory].unlink(&[name]), expected);
            if expected.is_ok() {
                model.remove(&(directory, name));
            }
        }
        Step::RemoveDirectory(directory, name) => {
            let expected = match model.get(&(directory, name)) {
                None => Err(Errno::ENOENT),
                Some((_, false)) => Err(Errno::ENOTDIR),
                Some(_) => Ok(()),
            };
            assert_eq!(directories[directory].rmdir(&[name]), expected);
            if expected.is_ok() {
                model.remove(&(directory, name));
            }
        }
        Step::Link(from, to) => {
            let Some(&(inode, false)) = model.get(&from) else {
                return;
            };
            let file = directories[from.0].lookup(&[from.1]).unwrap();
            let expected = if model.contains_key(&to) {
                Err(Errno::EEXIST)
            } else {
                Ok(())
            };
            assert_eq!(directories[to.0].link(&[to.1], &file), expected);
            model.entry(to).or_insert((inode, false));
        }
        Step::Rename(from, to, flags) => rename(directories, model, from, to, flags),
    }
}

fn add(directories: &[Arc<dyn Inode>; 2], model: &mut Model, place: (usize, u8), kind: FileKind) {
    match directories[place.0].create(&[place.1], &node(kind)) {
        Ok(inode) => {
            let entry = (inode.metadata().inode, kind == FileKind::Directory);
            assert_eq!(model.insert(place, entry), None);
        }
        Err(errno) => {
            assert_eq!(errno, Errno::EEXIST);
            assert!(model.contains_key(&place));
        }
    }
}

fn rename(
    directories: &[Arc<dyn Inode>; 2],
    model: &mut Model,
    from: (usize, u8),
    to: (usize, u8),
    flags: u32,
) {
    let (source, target) = (model.get(&from).copied(), model.get(&to).copied());
    let expected = match (source, target) {
        (None, _) => Err(Errno::ENOENT),
        (Some(source), Some(target)) if source.0 == target.0 => Ok(()),
        (_, None) if flags == 2 => Err(Errno::ENOENT),
        (_, Some(_)) if flags == 1 => Err(Errno::EEXIST),
        (Some((_, true)), Some((_, false))) if flags == 0 => Err(Errno::ENOTDIR),
        (Some((_, false)), Some((_, true))) if flags == 0 => Err(Errno::EISDIR),
        _ => Ok(()),
    };
    let flags = RenameFlags::from_bits_retain(flags);
    let result = directories[from.0].rename(&[from.1], &directories[to.0], &[to.1], flags);
    assert_eq!(result, expected);
    let (Some(source), Ok(())) = (source, expected) else {
        return;
    };
    if target.is_some_and(|target| target.0 == source.0) {
        return;
    }
    model.insert(to, source);
    match target {
        Some(target) if flags.contains(RenameFlags::EXCHANGE) => model.insert(from, target),
        _ => model.remove(&from),
    };
}

/// Checks names, numbers, link counts and `..` of both directories.
fn check(directories: &[Arc<dyn Inode>; 2], model: &Model) {
    for (at, directory) in directories.iter().enumerate() {
        let mine = || model.iter().filter(|((in_directory, _), _)| *in_directory == at);
        let (entries, _) = list(directory, 0, usize::MAX);
        assert_eq!((&entries[0].0[..], &entries[1].0[..]), (&b"."[..], &b".."[..]));
        let listed: BTreeSet<_> = entries[2..].iter().cloned().collect();
        assert_eq!(listed.len(), entries.len() - 2);
        assert_eq!(
            listed,
            mine()
                .map(|((_, name), (inode, _))| (alloc::vec![*name], *inode))
                .collect()
        );
        let children = mine().filter(|(_, (_, is_directory))| *is_directory).count();
        assert_eq!(directory.metadata().links as usize, 2 + children);
        for ((_, name), (inode, is_directory)) in mine() {
            let found = directory.lookup(&[*name]).unwrap();
            assert_eq!(found.metadata().inode, *inode);
            if *is_directory {
                assert_eq!(list(&found, 1, 1).0[0].1, directory.metadata().inode);
            } else {
                let names = model.values().filter(|(other, _)| other == inode).count();
                assert_eq!(found.metadata().links as usize, names);
            }
        }
    }
}

proptest! {
    #[test]
    fn names_are_as_a_map(steps in prop::collection::vec(step(), 0..60)) {
        let fs = file_system();
        let root = fs.root();
        let make = |name: &[u8]| root.create(name, &node(FileKind::Directory)).unwrap();
        let directories = [make(b"a"), make(b"b")];
        let mut model = Model::new();
        for step in &steps {
            apply(&directories, &mut model, step);
        }
        check(&directories, &model);
    }

    #[test]
    fn a_listing_sees_what_stays_exactly_once(
        removed in prop::collection::btree_set(0..60_u32, 0..60),
        added in 0..90_u32,
        first in 0..62_usize,
    ) {
        let fs = file_system();
        let root = fs.root();
        for index in 0..60 {
            regular(&root, format!("{index}").as_bytes());
        }
        let (mut seen, cursor) = list(&root, 0, first);
        for index in &removed {
            root.unlink(format!("{index}").as_bytes()).unwrap();
        }
        for index in 0..added {
            regular(&root, format!("new{index}").as_bytes());
        }
        let (rest, end) = list(&root, cursor, usize::MAX);
        seen.extend(rest);
        for index in (0..60).filter(|index| !removed.contains(index)) {
            let name = format!("{index}").into_bytes();
            prop_assert_eq!(seen.iter().filter(|(seen, _)| *seen == name).count(), 1);
        }
        let names: BTreeSet<_> = seen.iter().map(|(name, _)| name).collect();
        prop_assert_eq!(names.len(), seen.len());
        prop_assert_eq!(list(&root, end, usize::MAX).0, Vec::new());
    }
}

#[test]
fn directories_that_are_in_use_stay() {
    let fs = file_system();
    let root = fs.root();
    let directory = root.create(b"d", &node(FileKind::Directory)).unwrap();
    regular(&directory, b"f");
    assert_eq!(root.rmdir(b"d"), Err(Errno::ENOTEMPTY));
    let other = root.create(b"e", &node(FileKind::Directory)).unwrap();
    assert_eq!(
        root.rename(b"e", &root, b"d", RenameFlags::empty()),
        Err(Errno::ENOTEMPTY)
    );
    directory.unlink(b"f").unwrap();
    root.rename(b"e", &root, b"d", RenameFlags::empty()).unwrap();
    assert_eq!(
        root.lookup(b"d").unwrap().metadata().inode,
        other.metadata().inode
    );
    assert_eq!(directory.metadata().links, 0);
    assert_eq!(
        directory.create(b"f", &node(FileKind::Regular)).err(),
        Some(Errno::ENOENT)
    );
    let nothing = open(&directory).read_directory(0, &mut |_| true);
    assert_eq!(nothing, Err(Errno::ENOENT));
}

#[test]
fn links_stay_within_one_file_system() {
    let (here, there) = (file_system(), file_system());
    let file = regular(&here.root(), b"f");
    assert_eq!(there.root().link(b"f", &file), Err(Errno::EXDEV));
    let renamed = here
        .root()
        .rename(b"f", &there.root(), b"f", RenameFlags::empty());
    assert_eq!(renamed, Err(Errno::EXDEV));
}

#[test]
fn symbolic_links_and_unnamed_files() {
    let fs = file_system();
    let root = fs.root();
    let link = root
        .symlink(b"l", b"to/where", &node(FileKind::SymbolicLink))
        .unwrap();
    assert_eq!(
        (link.read_link().unwrap(), link.metadata().size),
        (b"to/where".to_vec(), 8)
    );
    let unnamed = root.create_unnamed(&node(FileKind::Regular)).unwrap();
    assert_eq!(unnamed.metadata().links, 0);
    root.link(b"named", &unnamed).unwrap();
    assert_eq!(unnamed.metadata().links, 1);
    assert_eq!(
        link.open(OpenFlags::empty(), &Credentials::root()).err(),
        Some(Errno::ELOOP.into())
    );
}

#[test]
fn changes_of_names_are_changes_of_the_directory() {
    let fs = file_system();
    let root = fs.root();
    let times = || (root.metadata().modified, root.metadata().changed);
    let before = times();
    regular(&root, b"f");
    let created = times();
    assert!(created.0 > before.0 && created.1 > before.1);
    root.unlink(b"f").unwrap();
    assert!(times().0 > created.0);
}
