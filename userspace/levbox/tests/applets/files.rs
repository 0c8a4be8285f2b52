//! Utilities that make, copy, move, remove and date files.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::place::Place;

#[test]
fn cp_copies_files_and_trees() {
    let place = Place::new("cp");
    place.write("a", "contents");
    fs::set_permissions(place.path("a"), PermissionsExt::from_mode(0o750)).expect("the file is ours");
    place.run(&["cp", "a", "b"]);
    assert_eq!(
        (place.read("b"), place.mode("b") & 0o700),
        ("contents".into(), 0o700)
    );
    place.run(&["mkdir", "-p", "d/sub"]);
    assert_eq!(
        place.run(&["cp", "-v", "a", "b", "d"]),
        "'a' -> 'd/a'\n'b' -> 'd/b'\n"
    );
    place.write("d/sub/deep", "deep");
    symlink("../a", place.path("d/link")).expect("the folder is writable");
    place.run(&["cp", "-r", "d", "e"]);
    assert_eq!(place.read("e/sub/deep"), "deep");
    assert_eq!(
        fs::read_link(place.path("e/link")).expect("a link"),
        Path::new("../a")
    );
    place.run(&["cp", "-r", "d", "e"]);
    assert_eq!(place.read("e/d/sub/deep"), "deep");
    place.run(&["cp", "-rL", "d", "f"]);
    assert!(
        fs::symlink_metadata(place.path("f/link"))
            .expect("a file")
            .is_file()
    );

    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::options()
        .write(true)
        .open(place.path("a"))
        .expect("ours")
        .set_modified(old)
        .expect("ours");
    place.run(&["cp", "-p", "a", "kept"]);
    assert_eq!(
        fs::metadata(place.path("kept"))
            .expect("a file")
            .modified()
            .expect("a time"),
        old
    );
    assert_eq!(place.mode("kept"), 0o750);

    assert_eq!(place.fail(&["cp", "d", "g"]), "cp: omitting directory 'd'\n");
    assert_eq!(
        place.fail(&["cp", "x", "g"]),
        "cp: can't stat 'x': No such file or directory\n"
    );
    assert_eq!(
        place.fail(&["cp", "a", "a"]),
        "cp: 'a' and 'a' are the same file\n"
    );
    assert_eq!(
        place.fail(&["cp", "a", "b", "none"]),
        "cp: target 'none' is not a directory\n"
    );
    assert!(place.fail(&["cp", "a"]).starts_with("Usage: cp "));
    assert_eq!(
        place.fail(&["cp", "-r", "d", "d/inside"]),
        "cp: can't copy 'd/inside' into itself\n"
    );
    assert_eq!(place.read("a"), "contents");
}

#[test]
fn ln_makes_links() {
    let place = Place::new("ln");
    place.write("a", "text");
    place.run(&["ln", "a", "hard"]);
    assert_eq!(fs::metadata(place.path("a")).expect("a file").nlink(), 2);
    place.run(&["ln", "-s", "a", "soft"]);
    assert_eq!(fs::read_link(place.path("soft")).expect("a link"), Path::new("a"));
    assert_eq!(place.fail(&["ln", "-s", "b", "soft"]), "ln: soft: File exists\n");
    place.run(&["ln", "-sf", "b", "soft"]);
    assert_eq!(fs::read_link(place.path("soft")).expect("a link"), Path::new("b"));
    place.run(&["mkdir", "d"]);
    assert_eq!(
        place.run(&["ln", "-sv", "../a", "../hard", "d"]),
        "'d/a' -> '../a'\n'd/hard' -> '../hard'\n"
    );
    assert_eq!(place.read("d/a"), "text");
    place.run(&["ln", "-s", "d", "dl"]);
    place.run(&["ln", "-sfn", "a", "dl"]);
    assert_eq!(fs::read_link(place.path("dl")).expect("a link"), Path::new("a"));
    place.run(&["ln", "-f", "a", "hard"]);
    assert_eq!(place.read("hard"), "text");
    assert_eq!(
        place.fail(&["ln", "x", "y"]),
        "ln: y: No such file or directory\n"
    );
}

#[test]
fn directories_are_made_and_removed() {
    let place = Place::new("mkdir");
    place.run(&["mkdir", "a", "b"]);
    assert_eq!(
        place.fail(&["mkdir", "a"]),
        "mkdir: can't create directory 'a': File exists\n"
    );
    place.run(&["mkdir", "-p", "a", "a/b/c//d/"]);
    assert!(place.path("a/b/c/d").is_dir());
    place.run(&["mkdir", "-m", "1700", "m"]);
    assert_eq!(place.mode("m"), 0o1700);
    place.write("file", "");
    let message = place.fail(&["mkdir", "-p", "file/x"]);
    assert_eq!(
        message,
        "mkdir: can't create directory 'file/x': Not a directory\n"
    );
    assert_eq!(
        place.fail(&["mkdir", "-m", "9", "x"]),
        "mkdir: invalid mode '9'\n"
    );
    assert_eq!(place.fail(&["rmdir", "a"]), "rmdir: 'a': Directory not empty\n");
    place.run(&["rmdir", "-p", "a/b/c/d"]);
    assert!(!place.exists("a"));
    place.run(&["rmdir", "b", "m"]);
    assert_eq!(place.fail(&["rmdir", "file"]), "rmdir: 'file': Not a directory\n");
}

#[test]
fn mv_renames() {
    let place = Place::new("mv");
    place.write("a", "text");
    place.run(&["mv", "a", "b"]);
    assert_eq!((place.exists("a"), place.read("b")), (false, "text".into()));
    place.write("c", "other");
    place.run(&["mkdir", "d"]);
    assert_eq!(
        place.run(&["mv", "-v", "b", "c", "d"]),
        "'b' -> 'd/b'\n'c' -> 'd/c'\n"
    );
    place.write("n", "kept");
    place.run(&["mv", "-n", "d/b", "n"]);
    assert_eq!(place.read("n"), "kept");
    place.run(&["mv", "d/b", "n"]);
    assert_eq!(place.read("n"), "text");
    assert_eq!(place.filter(&["mv", "n", "m"], ""), "");
    assert_eq!(
        place.fail(&["mv", "x", "y"]),
        "mv: can't rename 'x': No such file or directory\n"
    );
    assert_eq!(
        place.fail(&["mv", "m", "m"]),
        "mv: 'm' and 'm' are the same file\n"
    );
    assert_eq!(
        place.fail(&["mv", "m", "d", "none"]),
        "mv: target 'none' is not a directory\n"
    );
}

#[test]
fn mv_copies_where_a_file_system_ends() {
    let (place, other) = (Place::new("mv-here"), Path::new("/dev/shm"));
    let device = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev()).ok();
    if device(other).is_none() || device(other) == device(&place.0) {
        eprintln!("skipped: no second file system to move to");
        return;
    }
    let target = other.join(format!("levitate-mv-{}", std::process::id()));
    place.run(&["mkdir", "tree"]);
    place.write("tree/file", "text");
    place.run(&["mv", "tree", target.to_str().expect("a plain path")]);
    let text = fs::read_to_string(target.join("file"));
    fs::remove_dir_all(&target).expect("it arrived");
    assert_eq!(
        (text.expect("the file came along").as_str(), place.exists("tree")),
        ("text", false)
    );
}

#[test]
fn rm_removes_files_and_trees() {
    let place = Place::new("rm");
    place.write("a", "");
    place.run(&["mkdir", "-p", "d/e/f"]);
    place.write("d/e/g", "");
    symlink("d", place.path("link")).expect("the folder is writable");
    place.run(&["rm", "a"]);
    assert_eq!(
        place.fail(&["rm", "a"]),
        "rm: can't remove 'a': No such file or directory\n"
    );
    place.run(&["rm", "-f", "a"]);
    place.run(&["rm", "-f"]);
    assert_eq!(place.fail(&["rm", "d"]), "rm: can't remove 'd': Is a directory\n");
    place.run(&["rm", "-r", "link"]);
    assert!(place.exists("d/e/g") && !place.exists("link"));
    place.run(&["rm", "-rf", "d"]);
    assert!(!place.exists("d"));
    for path in ["/", ".", "..", "x/.."] {
        assert_eq!(
            place.fail(&["rm", "-rf", path]),
            format!("rm: refusing to remove '{path}'\n")
        );
    }
    for name in ["yes", "no"] {
        place.write(name, "");
    }
    let (_, questions, status) = place.run_with(&["rm", "-i", "yes", "no"], "y\nn\n");
    assert_eq!((questions.as_str(), status), ("rm: 'yes'? rm: 'no'? ", 0));
    assert_eq!((place.exists("yes"), place.exists("no")), (false, true));
}

#[test]
fn touch_makes_files_and_sets_times() {
    let place = Place::new("touch");
    place.run(&["touch", "-c", "a"]);
    assert!(!place.exists("a"));
    place.run(&["touch", "a", "b"]);
    assert_eq!(place.read("a"), "");
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::options()
        .write(true)
        .open(place.path("a"))
        .expect("ours")
        .set_modified(old)
        .expect("ours");
    let modified = || {
        fs::metadata(place.path("a"))
            .expect("a file")
            .modified()
            .expect("a time")
    };
    place.run(&["touch", "-a", "a"]);
    assert_eq!(modified(), old);
    place.run(&["touch", "a"]);
    assert!(modified() > old + Duration::from_secs(1000));
    place.run(&["touch", "-t", "200109090146.40", "a"]);
    assert_eq!(modified(), old);
    place.run(&["touch", "-m", "-t", "1201010000", "a"]);
    assert!(modified() > old);
    place.run(&["touch", "-t", "0109090146.40", "reference"]);
    place.run(&["touch", "-r", "reference", "a", "new"]);
    assert_eq!(modified(), old);
    assert_eq!(
        fs::metadata(place.path("new"))
            .expect("a file")
            .modified()
            .expect("a time"),
        old
    );
    for wrong in ["02300000", "1", "20240101000000", "0101000x", "01010000.1"] {
        let message = format!("touch: invalid date format '{wrong}'\n");
        assert_eq!(place.fail(&["touch", "-t", wrong, "a"]), message);
    }
    assert_eq!(
        place.fail(&["touch", "-r", "missing", "a"]),
        "touch: missing: No such file or directory\n"
    );
    assert_eq!(
        place.fail(&["touch", "none/x"]),
        "touch: none/x: No such file or directory\n"
    );
}
