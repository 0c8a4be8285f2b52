//! Runs init as an ordinary process: it refuses, or rehearses one command without touching the system.

use std::process::Command;

/// Runs init with arguments; returns standard output, standard error and the status.
fn run(arguments: &[&str]) -> (String, String, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_init"))
        .args(arguments)
        .env_clear()
        .envs([("LEVITATE_EXEC", "mark"), ("TERM", "vt100"), ("EXTRA", "kept")])
        .output()
        .expect("init can be started");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it prints text");
    (text(output.stdout), text(output.stderr), output.status.code())
}

#[test]
fn only_the_first_process_is_init() {
    assert_eq!(run(&[]), (String::new(), "init: not PID 1\n".into(), Some(1)));
}

#[test]
fn the_status_stands_behind_the_output() {
    let cases = [
        ("echo out; exit 42", "out\n", 42),
        ("kill -9 $$", "", 137),
        // What init adopts is reaped and does not count.
        ("(exit 5) & exit 3", "", 3),
        ("printf 'no newline'", "no newline", 0),
    ];
    for (text, output, status) in cases {
        let expected = format!("\nmark begin\n{output}\nmark status={status}\n");
        assert_eq!(run(&["--exec", "sh", "-c", text]).0, expected, "{text}");
    }
}

#[test]
fn failing_to_start_has_the_status_of_a_shell() {
    let (output, errors, status) = run(&["--exec", "nosuchprogram"]);
    assert_eq!(
        (output.as_str(), status),
        ("\nmark begin\n\nmark status=127\n", Some(0))
    );
    assert_eq!(errors, "init: nosuchprogram: No such file or directory\n");
    assert!(run(&["--exec", "/etc/passwd"]).0.ends_with("mark status=126\n"));
    assert!(run(&["--exec"]).0.ends_with("mark status=127\n"));
}

#[test]
fn programs_get_a_usual_environment() {
    let (output, _, _) = run(&["--exec", "env"]);
    let mut lines: Vec<&str> = output
        .lines()
        .filter(|line| line.contains('=') && !line.starts_with("mark"))
        .collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "EXTRA=kept",
            "HOME=/root",
            "PATH=/bin:/sbin:/usr/bin:/usr/sbin",
            "SHELL=/bin/sh",
            "TERM=vt100"
        ]
    );
}
