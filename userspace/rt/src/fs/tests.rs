//! Tests of [`super`], by real system calls on the host.

extern crate std;

use super::{AccessMode, File, FileKind};
use crate::Errno;
use std::os::unix::ffi::OsStringExt;
use std::vec::Vec;

/// A folder of its own for one test.
struct Folder(Vec<u8>);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(std::format!("levitate-rt-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the temporary folder is writable");
        Self(path.into_os_string().into_vec())
    }

    fn path(&self, name: &str) -> Vec<u8> {
        super::join(&self.0, name.as_bytes())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(str::from_utf8(&self.0).expect("the path is ours"));
    }
}

#[test]
fn files_are_written_read_and_described() {
    let folder = Folder::new("files");
    let path = folder.path("file");
    File::create(&path, 0o640)
        .unwrap()
        .write_all(b"contents")
        .unwrap();
    assert_eq!(super::read(&path).unwrap(), b"contents");
    let metadata = super::metadata(&path).unwrap();
    assert_eq!((metadata.kind(), metadata.size()), (FileKind::Regular, 8));
    super::set_permissions(&path, 0o4711).unwrap();
    assert_eq!(super::metadata(&path).unwrap().permissions(), 0o4711);
    assert_eq!(
        File::open(&path).unwrap().metadata().unwrap().identity(),
        metadata.identity()
    );
    assert_eq!(super::access(&path, AccessMode::R_OK), Ok(()));
    assert_eq!(
        super::access(&folder.path("no"), AccessMode::empty()),
        Err(Errno::ENOENT)
    );
    assert_eq!(File::open(b"a\0b").map(drop), Err(Errno::EINVAL));
}

#[test]
fn directories_links_and_names_change() {
    let folder = Folder::new("names");
    let inner = folder.path("inner");
    super::create_directory(&inner, 0o755).unwrap();
    assert_eq!(super::create_directory(&inner, 0o755), Err(Errno::EEXIST));
    for index in 0..1000 {
        let name = std::format!("entry-with-a-long-name-{index}");
        File::create(&super::join(&inner, name.as_bytes()), 0o600).unwrap();
    }
    let mut names: Vec<_> = super::read_directory(&inner)
        .unwrap()
        .into_iter()
        .map(|e| e.name)
        .collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 1000);
    assert_eq!(super::remove_directory(&inner), Err(Errno::ENOTEMPTY));

    let link = folder.path("link");
    super::symlink(b"inner", &link).unwrap();
    assert_eq!(super::read_link(&link).unwrap(), b"inner");
    assert_eq!(super::symlink_metadata(&link).unwrap().kind(), FileKind::Symlink);
    assert!(super::metadata(&link).unwrap().is_directory());
    super::rename(&link, &folder.path("moved")).unwrap();
    assert_eq!(super::read_link(&link), Err(Errno::ENOENT));
    super::remove_file(&folder.path("moved")).unwrap();
    assert_eq!(
        super::read_directory(&folder.path("moved")).map(drop),
        Err(Errno::ENOENT)
    );
}

#[test]
fn the_working_directory_is_absolute() {
    assert_eq!(
        super::current_directory().unwrap(),
        std::env::current_dir().unwrap().into_os_string().into_vec()
    );
}

#[test]
fn paths_come_apart_and_together() {
    for (path, parent, name) in [
        ("/usr/lib", "/usr", "lib"),
        ("/usr/", "/", "usr"),
        ("usr", ".", "usr"),
        ("a//b//", "a", "b"),
        ("/", "/", "/"),
        ("//", "/", "/"),
        ("", ".", ""),
    ] {
        assert_eq!(super::parent(path.as_bytes()), parent.as_bytes(), "{path}");
        assert_eq!(super::file_name(path.as_bytes()), name.as_bytes(), "{path}");
    }
    assert_eq!(super::join(b"/", b"x"), b"/x");
    assert_eq!(super::join(b"a", b"x"), b"a/x");
    assert_eq!(super::join(b"", b"x"), b"x");
}
