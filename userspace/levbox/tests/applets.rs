//! Runs every utility for real, each test in a folder of its own, against the text that it must print.
//!
//! `poweroff` and `reboot` act on the whole system, so only their refusals are tested here. The variable
//! `LEVITATE_LEVBOX` names another build to be tested, such as the one without a C library.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};
use std::{env, fs, str, thread};

/// A folder in which utilities run.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("levitate-levbox-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("the temporary folder is writable");
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("the folder is writable");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("the file is there")
    }

    fn mode(&self, name: &str) -> u32 {
        fs::symlink_metadata(self.path(name))
            .expect("the file is there")
            .mode()
            & 0o7777
    }

    fn exists(&self, name: &str) -> bool {
        fs::symlink_metadata(self.path(name)).is_ok()
    }

    fn start(&self, words: &[&str]) -> Child {
        let program =
            env::var_os("LEVITATE_LEVBOX").map_or_else(|| env!("CARGO_BIN_EXE_levbox").into(), PathBuf::from);
        Command::new(program)
            .args(words)
            .current_dir(&self.0)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("levbox can be started")
    }

    /// Runs a utility with input; returns standard output, standard error and the status.
    fn run_with(&self, words: &[&str], input: &str) -> (String, String, i32) {
        let mut child = self.start(words);
        let mut stdin = child.stdin.take().expect("its input is a pipe");
        let input = input.to_owned();
        // One that ended already does not read; one that prints meanwhile must be read from.
        let writer = thread::spawn(move || stdin.write_all(input.as_bytes()));
        let output = child.wait_with_output().expect("it ends");
        let _ = writer.join().expect("the writer does not panic");
        let text = |bytes: &[u8]| str::from_utf8(bytes).expect("it prints text").to_owned();
        (
            text(&output.stdout),
            text(&output.stderr),
            output.status.code().unwrap_or(-1),
        )
    }

    /// Runs a utility that must succeed silently but for its output.
    fn run(&self, words: &[&str]) -> String {
        self.filter(words, "")
    }

    fn filter(&self, words: &[&str], input: &str) -> String {
        let (output, errors, status) = self.run_with(words, input);
        assert_eq!((errors.as_str(), status), ("", 0), "{words:?}");
        output
    }

    /// Runs a utility that must fail with a message and no output; returns the message.
    fn fail(&self, words: &[&str]) -> String {
        let (output, errors, status) = self.run_with(words, "");
        assert_eq!((output.as_str(), status), ("", 1), "{words:?}");
        errors
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_program_is_what_it_is_called() {
    let place = Place::new("names");
    let listed = include_str!("../applets.txt");
    assert_eq!(place.run(&[]), listed);
    assert_eq!(place.run(&["--list"]), listed);
    assert_eq!(place.run(&["hello"]), "Hello from userspace!\n");
    assert_eq!(
        place.run_with(&["nosuch"], ""),
        (String::new(), "nosuch: applet not found\n".into(), 127)
    );
    symlink(env!("CARGO_BIN_EXE_levbox"), place.path("hello")).expect("the folder is writable");
    let output = Command::new(place.path("hello"))
        .output()
        .expect("the link can be run");
    assert_eq!(output.stdout, b"Hello from userspace!\n");
}

#[test]
fn every_utility_refuses_unknown_options() {
    let place = Place::new("options");
    for name in include_str!("../applets.txt").lines() {
        if matches!(name, "true" | "false" | "hello" | "echo" | "ps") {
            continue;
        }
        let message = place.fail(&[name, "--no-such-option"]);
        assert!(message.starts_with(&format!(
            "{name}: unrecognized option '--no-such-option'\nUsage: {name} "
        )));
        assert!(
            place
                .run(&[name, "--help"])
                .starts_with(&format!("Usage: {name} "))
        );
    }
}

#[test]
fn cat_joins_files() {
    let place = Place::new("cat");
    place.write("a", "one\n");
    place.write("b", "two");
    assert_eq!(place.run(&["cat", "a", "b"]), "one\ntwo");
    assert_eq!(place.filter(&["cat"], "input"), "input");
    assert_eq!(
        place.filter(&["cat", "a", "-", "b"], "input\n"),
        "one\ninput\ntwo"
    );
    assert_eq!(place.run(&["cat", "-n", "a", "b"]), "     1\tone\n     2\ttwo");
    let big = "0123456789".repeat(50_000);
    assert_eq!(place.filter(&["cat"], &big), big);
    assert_eq!(
        place.run_with(&["cat", "x", "a"], ""),
        ("one\n".into(), "cat: x: No such file or directory\n".into(), 1)
    );
    assert_eq!(place.fail(&["cat", "."]), "cat: .: Is a directory\n");
}

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
fn echo_prints_its_arguments() {
    let place = Place::new("echo");
    assert_eq!(place.run(&["echo"]), "\n");
    assert_eq!(place.run(&["echo", "a", "b  c"]), "a b  c\n");
    assert_eq!(place.run(&["echo", "-n", "a"]), "a");
    assert_eq!(place.run(&["echo", "a\\tb"]), "a\\tb\n");
    assert_eq!(place.run(&["echo", "-e", "a\\tb\\c", "d"]), "a\tb");
    assert_eq!(place.run(&["echo", "-x", "--", "-"]), "-x -- -\n");
}

#[test]
fn env_prints_and_changes_the_environment() {
    let place = Place::new("env");
    assert_eq!(place.run(&["env"]), "PATH=/usr/bin:/bin\n");
    assert_eq!(place.run(&["env", "-i", "A=1", "B=2"]), "A=1\nB=2\n");
    assert_eq!(place.run(&["env", "-u", "PATH", "A=1", "A=2"]), "A=2\n");
    assert_eq!(
        place.run(&["env", "A=x y", "sh", "-c", "echo \"$A\" $0 $1", "-n", "b"]),
        "x y -n b\n"
    );
    assert_eq!(place.run_with(&["env", "sh", "-c", "exit 5"], "").2, 5);
    let missing = place.run_with(&["env", "nosuch"], "");
    assert_eq!(
        missing,
        (
            String::new(),
            "env: nosuch: No such file or directory\n".into(),
            127
        )
    );
    assert_eq!(place.run_with(&["env", "/etc/passwd"], "").2, 126);
}

#[test]
fn head_and_tail_show_the_ends() {
    let place = Place::new("head");
    let lines: String = (1..=20).map(|number| format!("line {number}\n")).collect();
    let part = |from: usize, to: usize| {
        (from..=to)
            .map(|number| format!("line {number}\n"))
            .collect::<String>()
    };
    place.write("f", &lines);
    place.write("short", "no newline");
    assert_eq!(place.run(&["head", "f"]), part(1, 10));
    assert_eq!(place.run(&["head", "-n", "3", "f"]), part(1, 3));
    assert_eq!(place.run(&["head", "-2", "f"]), part(1, 2));
    assert_eq!(place.run(&["head", "-n0", "f"]), "");
    assert_eq!(place.run(&["head", "-c", "6", "f"]), "line 1");
    assert_eq!(place.filter(&["head", "-n", "1"], &lines), "line 1\n");
    assert_eq!(
        place.run(&["head", "-n1", "f", "short"]),
        "==> f <==\nline 1\n\n==> short <==\nno newline"
    );
    assert_eq!(place.run(&["head", "-q", "-n1", "f", "f"]), "line 1\nline 1\n");
    assert_eq!(place.run(&["tail", "f"]), part(11, 20));
    assert_eq!(place.run(&["tail", "-n", "2", "f"]), part(19, 20));
    assert_eq!(place.run(&["tail", "-1", "f"]), part(20, 20));
    assert_eq!(place.run(&["tail", "-n", "+19", "f"]), part(19, 20));
    assert_eq!(place.run(&["tail", "-c", "3", "f"]), "20\n");
    assert_eq!(place.run(&["tail", "-c", "+100", "f"]), lines[99..]);
    assert_eq!(place.run(&["tail", "-n", "3", "short"]), "no newline");
    let big: String = (0..30_000).map(|number| format!("{number}\n")).collect();
    assert_eq!(place.filter(&["tail", "-n", "2"], &big), "29998\n29999\n");
    assert_eq!(place.filter(&["head", "-n", "29999"], &big), big[..big.len() - 6]);
    assert_eq!(
        place.fail(&["head", "-n", "x", "f"]),
        "head: invalid number 'x'\n"
    );
    assert_eq!(place.fail(&["tail", "x"]), "tail: x: No such file or directory\n");
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
fn ps_lists_processes() {
    let place = Place::new("ps");
    let output = place.run(&["ps"]);
    let mut lines = output.lines();
    assert_eq!(lines.next(), Some("  PID USER     STAT   TIME COMMAND"));
    assert!(
        lines.any(|line| line.ends_with("levbox ps") && line.contains(" R ")),
        "{output}"
    );
}

#[test]
fn pwd_names_the_folder() {
    let place = Place::new("pwd");
    let real = fs::canonicalize(&place.0).expect("the folder is there");
    assert_eq!(place.run(&["pwd"]), format!("{}\n", real.display()));
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
fn sleep_takes_its_time() {
    let place = Place::new("sleep");
    let start = std::time::Instant::now();
    place.run(&["sleep", "0.05", ".05s"]);
    assert!(start.elapsed() >= Duration::from_millis(100));
    assert_eq!(place.fail(&["sleep", "x"]), "sleep: invalid time interval 'x'\n");
}

#[test]
fn sort_orders_lines() {
    let place = Place::new("sort");
    let sort = |words: &[&str], input: &str| place.filter(&[&["sort"], words].concat(), input);
    assert_eq!(sort(&[], "b\na\nC\n\nb"), "\nC\na\nb\nb\n");
    assert_eq!(sort(&["-r"], "a\nc\nb\n"), "c\nb\na\n");
    assert_eq!(sort(&["-u"], "b\na\nb\na\n"), "a\nb\n");
    assert_eq!(sort(&["-n"], "10\n9\n-1\nx\n1.5\n"), "-1\nx\n1.5\n9\n10\n");
    assert_eq!(sort(&["-nr"], "10\n9\n100\n"), "100\n10\n9\n");
    assert_eq!(sort(&["-f"], "b\nA\na\nB\n"), "A\na\nB\nb\n");
    assert_eq!(sort(&["-nu"], "1\n01\n2\n"), "1\n2\n");
    assert_eq!(sort(&["-k", "2"], "x 2\ny 1\n"), "y 1\nx 2\n");
    assert_eq!(
        sort(&["-t", ":", "-k", "3n"], "a:b:10\nc:d:9\n"),
        "c:d:9\na:b:10\n"
    );
    assert_eq!(
        sort(&["-t:", "-k2,2", "-k1,1r"], "a:1\nb:1\nc:0\n"),
        "c:0\nb:1\na:1\n"
    );
    assert_eq!(sort(&["-s", "-k1,1"], "a 2\na 1\n"), "a 2\na 1\n");
    assert_eq!(sort(&["-k1,1"], "a 2\na 1\n"), "a 1\na 2\n");
    assert_eq!(sort(&[], ""), "");
    place.write("f", "b\na");
    place.write("g", "c\n");
    assert_eq!(place.run(&["sort", "-o", "f", "f", "g"]), "");
    assert_eq!(place.read("f"), "a\nb\nc\n");
    let (_, message, status) = place.run_with(&["sort", "none"], "");
    assert_eq!(
        (message.as_str(), status),
        ("sort: none: No such file or directory\n", 2)
    );
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

#[test]
fn truth_has_a_status() {
    let place = Place::new("truth");
    assert_eq!(
        place.run_with(&["true", "ignored"], ""),
        (String::new(), String::new(), 0)
    );
    assert_eq!(place.run_with(&["false"], ""), (String::new(), String::new(), 1));
}

#[test]
fn uname_names_the_system() {
    let place = Place::new("uname");
    let read = |name: &str| fs::read_to_string(Path::new("/proc/sys/kernel").join(name)).unwrap_or_default();
    let (release, host) = (read("osrelease"), read("hostname"));
    assert_eq!(place.run(&["uname"]), "Linux\n");
    assert_eq!(place.run(&["uname", "-n"]), host);
    assert_eq!(
        place.run(&["uname", "-snr"]),
        format!("Linux {} {}", host.trim(), release)
    );
    let all = place.run(&["uname", "-a"]);
    assert_eq!(all.trim_end(), place.run(&["uname", "-snrvm"]).trim_end());
    assert!(all.trim_end().ends_with(place.run(&["uname", "-m"]).trim_end()));
}

#[test]
fn wc_counts() {
    let place = Place::new("wc");
    place.write("a", "one two\nthree\n");
    place.write("b", "no newline");
    assert_eq!(place.run(&["wc", "a"]), " 2  3 14 a\n");
    assert_eq!(place.run(&["wc", "-l", "a"]), "2 a\n");
    assert_eq!(
        place.run(&["wc", "a", "b"]),
        " 2  3 14 a\n 0  2 10 b\n 2  5 24 total\n"
    );
    assert_eq!(place.filter(&["wc"], "a b\n"), "      1       2       4\n");
    assert_eq!(place.filter(&["wc", "-c"], "a b\n"), "4\n");
    assert_eq!(place.filter(&["wc", "-m"], "h\u{e4}\n"), "3\n");
    assert_eq!(place.filter(&["wc", "-cw"], "a b\n"), "      2       4\n");
    assert_eq!(place.fail(&["wc", "x"]), "wc: x: No such file or directory\n");
}

#[test]
fn lost_output_is_an_error() {
    let place = Place::new("full");
    let full = fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("Linux has this device");
    let output = Command::new(env!("CARGO_BIN_EXE_levbox"))
        .args(["ls", "-l", "/"])
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .expect("levbox can be started");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stderr.ends_with(b"write error: No space left on device\n"));
    assert_eq!(place.run(&["ls"]), "");
}

#[test]
fn tail_follows_files() {
    let place = Place::new("tail-follow");
    place.write("a", "1\n2\n");
    place.write("b", "");
    let mut child = place.start(&["tail", "-f", "-n", "1", "a", "b"]);
    let mut lines = BufReader::new(child.stdout.take().expect("its output is a pipe")).lines();
    let mut next = || lines.next().expect("it goes on").expect("it prints text");
    assert_eq!(
        [next(), next(), next(), next()],
        ["==> a <==", "2", "", "==> b <=="]
    );
    let append = |name: &str, text: &str| {
        let file = fs::File::options().append(true).open(place.path(name));
        file.expect("ours").write_all(text.as_bytes()).expect("ours");
    };
    append("b", "3\n");
    assert_eq!(next(), "3");
    append("a", "4\n");
    assert_eq!([next(), next(), next()], ["", "==> a <==", "4"]);
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}
