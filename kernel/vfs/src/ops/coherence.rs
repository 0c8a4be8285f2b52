//! Property: whatever names come, go and move, the cache answers as the file system would.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use std::format;

use los_abi::fs::{OpenFlags, RenameFlags, UmountFlags};
use proptest::prelude::*;

use super::*;
use crate::credentials::Credentials;
use crate::inode::Inode;
use crate::testing;
use crate::walk::{Lookup, resolve};

#[derive(Clone, Debug)]
enum Step {
    Create(String),
    Mkdir(String),
    Unlink(String),
    Rmdir(String),
    Rename(String, String, u32),
    Link(String, String),
    Find(String),
}

fn any_path() -> impl Strategy<Value = String> {
    proptest::collection::vec(prop_oneof!["a", "b", "c"], 1..4)
        .prop_map(|names| names.iter().map(|name| format!("/{name}")).collect())
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        any_path().prop_map(Step::Create),
        any_path().prop_map(Step::Mkdir),
        any_path().prop_map(Step::Mkdir),
        any_path().prop_map(Step::Unlink),
        any_path().prop_map(Step::Rmdir),
        (any_path(), any_path(), 0_u32..3).prop_map(|(from, to, flags)| Step::Rename(from, to, flags)),
        (any_path(), any_path()).prop_map(|(from, to)| Step::Link(from, to)),
        any_path().prop_map(Step::Find),
    ]
}

/// Does a step; what it answers is the business of other tests.
fn apply(caller: &Caller<'_>, step: &Step) {
    let find = |path: &str| resolve(caller, At::Cwd, path.as_bytes(), Lookup::empty());
    let _answer = match step {
        Step::Create(path) => open(caller, At::Cwd, path.as_bytes(), OpenFlags::CREAT, 0o644)
            .map(drop)
            .map_err(|_| Errno::EIO),
        Step::Mkdir(path) => make_directory(caller, At::Cwd, path.as_bytes(), 0o755),
        Step::Unlink(path) => unlink(caller, At::Cwd, path.as_bytes()),
        Step::Rmdir(path) => remove_directory(caller, At::Cwd, path.as_bytes()),
        Step::Rename(from, to, flags) => {
            let flags = RenameFlags::from_bits_retain(*flags);
            rename(caller, At::Cwd, from.as_bytes(), At::Cwd, to.as_bytes(), flags)
        }
        Step::Link(from, to) => find(from).and_then(|source| link(caller, &source, At::Cwd, to.as_bytes())),
        Step::Find(path) => find(path).map(drop),
    };
}

/// Finds an inode without the cache.
fn ask(root: &Path, path: &str) -> Option<Arc<dyn Inode>> {
    let mut inode = root.inode().unwrap().clone();
    for name in path.split('/').skip(1) {
        if inode.kind() != FileKind::Directory {
            return None;
        }
        inode = inode.lookup(name.as_bytes()).ok()?;
    }
    Some(inode)
}

fn all_paths() -> Vec<String> {
    let mut paths = Vec::new();
    let mut level = std::vec![String::new()];
    for _ in 0..3 {
        level = level
            .iter()
            .flat_map(|path| ["a", "b", "c"].map(|name| format!("{path}/{name}")))
            .collect();
        paths.extend(level.clone());
    }
    paths
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_cache_is_right(steps in proptest::collection::vec(any_step(), 1..80)) {
        let root = testing::root();
        let credentials = Credentials::root();
        let caller = testing::caller(&root, &credentials);
        let paths = all_paths();
        for (index, step) in steps.iter().enumerate() {
            apply(&caller, step);
            // Looking everywhere fills the cache, so it is done now and then only.
            if index % 8 != 7 && index + 1 != steps.len() {
                continue;
            }
            for path in &paths {
                let found = resolve(&caller, At::Cwd, path.as_bytes(), Lookup::empty());
                let asked = ask(&root, path);
                let number = |inode: &Arc<dyn Inode>| inode.metadata().inode;
                let cached = found.as_ref().ok().map(|path| number(path.inode().unwrap()));
                prop_assert_eq!(cached, asked.as_ref().map(number), "{} after {:?}", path, step);
                if let Ok(found) = found {
                    prop_assert_eq!(found.to_bytes(&root), path.as_bytes());
                }
            }
        }
        drop(caller);
        prop_assert_eq!(unmount(&testing::caller(&root, &credentials), b"/", UmountFlags::empty()), Err(Errno::EINVAL));
    }
}
