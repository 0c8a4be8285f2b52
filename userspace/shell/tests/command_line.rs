//! Tests of how the shell is called, of its messages, and of a session at a terminal.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;
use std::{env, str, thread};

/// How long a session may stay silent.
const PATIENCE: Duration = Duration::from_secs(20);

fn shell() -> Command {
    let path =
        env::var_os("LEVITATE_SHELL").map_or_else(|| env!("CARGO_BIN_EXE_shell").into(), PathBuf::from);
    let mut command = Command::new(path);
    command
        .env_clear()
        .envs([("PATH", "/usr/bin:/bin"), ("HOME", "/root"), ("LC_ALL", "C")]);
    command
}

/// Runs a shell to its end; returns standard output, standard error and the status.
fn run(arguments: &[&str], input: &str) -> (String, String, i32) {
    let mut child = shell()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the shell can be started");
    let mut stdin = child.stdin.take().expect("its input is a pipe");
    // A shell that has ended already does not read.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: &[u8]| str::from_utf8(bytes).expect("it prints text").to_owned();
    (
        text(&output.stdout),
        text(&output.stderr),
        output.status.code().unwrap_or(-1),
    )
}

fn run_text(text: &str) -> (String, String, i32) {
    run(&["-c", text], "")
}

#[test]
fn commands_come_from_an_operand_with_parameters() {
    assert_eq!(
        run(&["-c", "echo $0 $1 $#", "name", "a", "b"], "").0,
        "name a 2\n"
    );
    assert_eq!(run(&["-ec", "false; echo never"], "").2, 1);
    assert_eq!(run(&["-e", "-u", "-c", "echo $-"], "").0, "eu\n");
    assert_eq!(run(&["-o", "nounset", "-c", "echo $-"], "").0, "u\n");
    assert_eq!(run(&["-c"], "").2, 2);
    assert_eq!(run(&["-Z"], "").2, 2);
    let (_, message, status) = run(&["/nonexistent/script"], "");
    assert_eq!(
        (
            status,
            message.contains("cannot open /nonexistent/script: No such file")
        ),
        (127, true)
    );
}

#[test]
fn commands_come_from_standard_input_line_by_line() {
    assert_eq!(
        run(&[], "echo a\nif true\nthen echo b\nfi\nexit 4\necho c\n").0,
        "a\nb\n"
    );
    // What follows a command on standard input is input for that command.
    assert_eq!(
        run(&[], "read x\nfrom input\necho \"[$x]\"\ncat\nrest\nof it").0,
        "[from input]\nrest\nof it"
    );
    assert_eq!(run(&["-s", "p", "q"], "echo $1 $2").0, "p q\n");
    assert_eq!(run(&[], "cat <<E\nno end").0, "no end");
    assert_eq!(run(&[], "if true; then echo x\n").2, 2);
    assert_eq!(run(&[], "").2, 0);
}

#[test]
fn failures_have_messages_and_statuses() {
    let cases = [
        ("nosuchprogram", "nosuchprogram: not found", 127),
        ("./nosuchfile", "./nosuchfile: No such file or directory", 127),
        ("/etc", "/etc: Permission denied", 126),
        ("echo )", "syntax error: unexpected \")\"", 2),
        ("if", "syntax error: unexpected end of file", 2),
        ("echo ${x?gone}; echo never", "x: gone", 2),
        ("set -u; echo $x", "x: parameter not set", 2),
        ("echo $((1/0))", "division by zero", 2),
        (
            "cat < /nonexistent",
            "cannot open /nonexistent: No such file or directory",
            2,
        ),
        (
            "echo > /nonexistent/x",
            "cannot create /nonexistent/x: No such file or directory",
            2,
        ),
        (
            "cd /nonexistent",
            "cd: can't cd to /nonexistent: No such file or directory",
            2,
        ),
        ("echo >&9", "9: Bad file descriptor", 2),
        ("echo x > /dev/full", "write error: No space left on device", 1),
        ("readonly r=1; r=2; echo never", "r: is read only", 2),
        ("sh -c 'kill -TERM $$'", "Terminated", 143),
        ("f() { f; }; f", "functions nested too deeply", 2),
    ];
    for (text, message, status) in cases {
        let (output, errors, code) = run_text(text);
        assert_eq!((code, output.as_str()), (status, ""), "{text}");
        assert!(errors.contains(message), "{text}: {errors}");
    }
}

#[test]
fn scripts_without_an_interpreter_are_run() {
    let path = env::temp_dir().join(format!("levitate-script-{}", std::process::id()));
    std::fs::write(&path, "echo script $1 $#\nexit 3\n").expect("the temporary folder is writable");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&path, mode).expect("the file is ours");
    let result = run_text(&format!("{} a b; echo $?", path.display()));
    std::fs::remove_file(&path).expect("the file is ours");
    assert_eq!(result.0, "script a 2\n3\n");
}

#[test]
fn commands_are_traced() {
    assert_eq!(run_text("set -x; a=1; echo $a b").1, "+ a=1\n+ echo 1 b\n");
}

/// A shell on a terminal of its own, driven by what it prints.
struct Session {
    child: std::process::Child,
    terminal: Receiver<Vec<u8>>,
    input: std::process::ChildStdin,
    seen: String,
}

impl Session {
    /// Starts one under `script`, which makes the terminal; `None` where the host has no such program.
    fn start() -> Option<Self> {
        let path = env::var_os("LEVITATE_SHELL").unwrap_or_else(|| env!("CARGO_BIN_EXE_shell").into());
        let mut child = Command::new("script")
            .args(["-q", "-e", "-c", path.to_str()?, "/dev/null"])
            .env_clear()
            .envs([
                ("PATH", "/usr/bin:/bin"),
                ("HOME", "/root"),
                ("PS1", "ready> "),
                ("PS2", "more> "),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let (mut output, input) = (child.stdout.take()?, child.stdin.take()?);
        let (sender, terminal) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(length) = output.read(&mut buffer) {
                if length == 0 || sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Some(Self {
            child,
            terminal,
            input,
            seen: String::new(),
        })
    }

    /// Reads until a text appears; what stood before it is returned.
    fn expect(&mut self, text: &str) -> String {
        loop {
            if let Some(index) = self.seen.find(text) {
                let before = self.seen[..index].to_owned();
                self.seen.drain(..index + text.len());
                return before;
            }
            match self.terminal.recv_timeout(PATIENCE) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => {
                    let _ = self.child.kill();
                    panic!("no {text:?} came; last seen: {:?}", self.seen);
                }
            }
        }
    }

    fn send(&mut self, text: &str) {
        self.input
            .write_all(text.as_bytes())
            .expect("the terminal takes input");
    }
}

#[test]
fn a_session_at_a_terminal() {
    let Some(mut session) = Session::start() else {
        eprintln!("skipped: the host has no script(1)");
        return;
    };
    session.expect("ready> ");
    session.send("echo one; tty >/dev/null && echo terminal\n");
    session.expect("\r\none\r\nterminal\r\n");
    session.expect("ready> ");
    // A command may go on over several lines.
    session.send("if true\n");
    session.expect("more> ");
    session.send("then echo tw''o; fi\n");
    session.expect("two\r\n");
    session.expect("ready> ");
    // Ctrl-C gives up the line and leaves the shell alone.
    session.send("echo given up\x03");
    session.expect("ready> ");
    session.send("echo status $?\n");
    session.expect("\r\nstatus 130\r\n");
    session.expect("ready> ");
    // It ends the command in the foreground, also between rounds of a loop.
    session.send("while :; do echo ro''und; sleep 100; echo nev''er; done\n");
    session.expect("round\r\n");
    thread::sleep(Duration::from_millis(300));
    session.send("\x03");
    assert!(!session.expect("ready> ").contains("never"));
    session.send("echo $?; true & wait; sleep 100 &\n");
    session.expect("130\r\n");
    session.expect("ready> ");
    session.send("jobs; kill %1; wait %1; echo $?\n");
    session.expect(
        "Running  true & wait; sleep 100 &"
            .rsplit("; ")
            .next()
            .expect("a part"),
    );
    session.expect("143\r\n");
    session.expect("ready> ");
    // Ctrl-Z stops a job, which goes on where it is told to.
    session.send("sleep 4 | cat; echo after\n");
    session.expect("after\r\n");
    thread::sleep(Duration::from_millis(150));
    session.send("\x1a");
    session.expect("Stopped");
    session.expect("ready> ");
    session.send("fg; echo con''tinued\n");
    session.expect("continued\r\n");
    session.expect("ready> ");
    // An error does not end the session; the end of the input does.
    session.send("echo ${x?gone}\n");
    session.expect("x: gone\r\n");
    session.expect("ready> ");
    session.send("(exit 9)\n");
    session.expect("ready> ");
    session.send("\x04");
    let status = session.child.wait().expect("it ends");
    assert_eq!(status.code(), Some(9));
}

#[test]
fn traps_run_at_a_prompt_and_before_the_end() {
    let (output, errors, status) = run(
        &["-i"],
        "trap 'echo caught' USR1 INT\nkill -USR1 $$\nkill -INT $$\necho on\ntrap 'echo end' EXIT\nexit 3\n",
    );
    assert_eq!(
        (output.as_str(), status),
        ("caught\ncaught\non\nend\n", 3),
        "{errors}"
    );
    let (output, _, status) = run(
        &["-i"],
        "trap '' INT\nkill -INT $$\nsh -c 'kill -INT $$; echo alive'\n",
    );
    assert_eq!((output.as_str(), status), ("alive\n", 0));
}

#[test]
fn a_signal_ends_waiting_for_a_child() {
    let (output, errors, _) = run_text(
        "trap 'echo caught' USR1; sleep 30 & child=$!; (sleep 2; kill -USR1 $$) & wait $child; echo $?; kill $child",
    );
    assert_eq!((output.as_str(), errors.as_str()), ("caught\n138\n", ""));
    // Its end is news also when the script ignores such news.
    let (output, errors, _) = run_text("trap '' CHLD; sleep 0.2 & wait $!; echo $?");
    assert_eq!((output.as_str(), errors.as_str()), ("0\n", ""));
}
