//! Runs every utility for real, each test in a folder of its own, against the text that it must print.
//!
//! `poweroff` and `reboot` act on the whole system, so only their refusals are tested here. The variable
//! `LEVITATE_LEVBOX` names another build to be tested, such as the one without a C library.

mod files;
mod listing;
mod place;
mod text;

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs, str};

use place::Place;

#[test]
fn the_program_is_what_it_is_called() {
    let place = Place::new("names");
    let listed = include_str!("../../applets.txt");
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
    for name in include_str!("../../applets.txt").lines() {
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
fn sleep_takes_its_time() {
    let place = Place::new("sleep");
    let start = std::time::Instant::now();
    place.run(&["sleep", "0.05", ".05s"]);
    assert!(start.elapsed() >= Duration::from_millis(100));
    assert_eq!(place.fail(&["sleep", "x"]), "sleep: invalid time interval 'x'\n");
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
