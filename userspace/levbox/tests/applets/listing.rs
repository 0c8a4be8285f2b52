//! `ls`.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::time::{Duration, SystemTime};
use std::{fs, str};

use crate::place::Place;

#[test]
fn ls_lists_names() {
    let place = Place::new("ls");
    for name in ["b", "a", ".hidden", "c d"] {
        place.write(name, "12345");
    }
    place.run(&["mkdir", "-p", "dir/sub"]);
    place.write("dir/x", "");
    symlink("a", place.path("link")).expect("the folder is writable");
    assert_eq!(place.run(&["ls"]), "a\nb\nc d\ndir\nlink\n");
    assert_eq!(place.run(&["ls", "-A"]), ".hidden\na\nb\nc d\ndir\nlink\n");
    assert_eq!(
        place.run(&["ls", "-a1"]),
        ".\n..\n.hidden\na\nb\nc d\ndir\nlink\n"
    );
    assert_eq!(place.run(&["ls", "-r"]), "link\ndir\nc d\nb\na\n");
    assert_eq!(place.run(&["ls", "-F"]), "a\nb\nc d\ndir/\nlink@\n");
    assert_eq!(place.run(&["ls", "-C"]), "a  b  c d  dir  link\n");
    assert_eq!(place.run(&["ls", "b", "dir", "a"]), "a\nb\n\ndir:\nsub\nx\n");
    assert_eq!(place.run(&["ls", "-R", "dir"]), "dir:\nsub\nx\n\ndir/sub:\n");
    assert_eq!(place.run(&["ls", "-d", "dir", "."]), ".\ndir\n");
    let inode = fs::metadata(place.path("a")).expect("a file").ino();
    assert_eq!(place.run(&["ls", "-i", "a"]), format!("{inode} a\n"));
    assert_eq!(
        place.fail(&["ls", "none"]),
        "ls: none: No such file or directory\n"
    );
}

#[test]
fn ls_describes_files() {
    let place = Place::new("ls-long");
    place.write("file", &"x".repeat(1500));
    fs::set_permissions(place.path("file"), PermissionsExt::from_mode(0o4755)).expect("the file is ours");
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::options()
        .write(true)
        .open(place.path("file"))
        .expect("ours")
        .set_modified(old)
        .expect("ours");
    symlink("file", place.path("link")).expect("the folder is writable");
    let metadata = fs::metadata(place.path("file")).expect("a file");
    let owner = format!("{} {}", metadata.uid(), metadata.gid());
    assert_eq!(
        place.run(&["ls", "-n", "file"]),
        format!("-rwsr-xr-x 1 {owner} 1500 Sep  9  2001 file\n")
    );
    assert_eq!(
        place.run(&["ls", "-nh", "file"]),
        format!("-rwsr-xr-x 1 {owner} 1.5K Sep  9  2001 file\n")
    );
    let link = place.run(&["ls", "-l", "link"]);
    assert!(
        link.starts_with("lrwxrwxrwx 1 ") && link.ends_with(" link -> file\n"),
        "{link}"
    );
    let all = place.run(&["ls", "-l"]);
    let lines: Vec<&str> = all.lines().collect();
    assert_eq!((lines.len(), lines[0].starts_with("total ")), (3, true), "{all}");
    let device = place.run(&["ls", "-l", "/dev/zero"]);
    assert!(
        device.starts_with("crw-rw-rw- 1 ") && device.contains(" 1, 5 "),
        "{device}"
    );
    place.write("new", "");
    assert_eq!(place.run(&["ls", "-t"]).lines().next_back(), Some("file"));
    assert_eq!(place.run(&["ls", "-S"]).lines().next(), Some("file"));
}
