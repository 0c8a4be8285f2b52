//! A folder of a test's own, and utilities that run in it.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::{env, fs, str, thread};

/// A folder in which utilities run.
pub(crate) struct Place(pub PathBuf);

impl Place {
    pub(crate) fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("levitate-levbox-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("the temporary folder is writable");
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("the folder is writable");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("the file is there")
    }

    pub(crate) fn mode(&self, name: &str) -> u32 {
        fs::symlink_metadata(self.path(name))
            .expect("the file is there")
            .mode()
            & 0o7777
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        fs::symlink_metadata(self.path(name)).is_ok()
    }

    pub(crate) fn start(&self, words: &[&str]) -> Child {
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
    pub(crate) fn run_with(&self, words: &[&str], input: &str) -> (String, String, i32) {
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
    pub(crate) fn run(&self, words: &[&str]) -> String {
        self.filter(words, "")
    }

    pub(crate) fn filter(&self, words: &[&str], input: &str) -> String {
        let (output, errors, status) = self.run_with(words, input);
        assert_eq!((errors.as_str(), status), ("", 0), "{words:?}");
        output
    }

    /// Runs a utility that must fail with a message and no output; returns the message.
    pub(crate) fn fail(&self, words: &[&str]) -> String {
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
