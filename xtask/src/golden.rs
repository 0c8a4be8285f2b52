//! Golden transcripts: what a boot prints, held against a file of `tests/golden`.
//!
//! Only CR LF becomes LF. Nothing else is changed, so whatever varies from run to run is a fault of the
//! kernel's log and not of the comparison.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::expect::Expect;
use crate::guest::{Guest, Keyboard};
use crate::qemu::Machine;

/// What the default shell prints when it waits for a line.
pub(crate) const PROMPT: &str = "\n# ";
/// Generous, for slow and busy machines: it only ends what hangs.
const LIMIT: Duration = Duration::from_secs(300);

/// What to do with a golden file that differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Golden {
    /// Report the difference.
    Compare,
    /// Write the new text.
    Update,
}

/// What one session printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    /// From the kernel's first line to the prompt.
    pub(crate) boot: String,
    /// From `poweroff` to the end.
    pub(crate) shutdown: String,
}

/// Boots to the prompt and powers off.
pub(crate) fn session(machine: &Machine) -> Result<Session> {
    let guest = Guest::start(machine.command(), Keyboard::Connected, LIMIT)?;
    dialogue(Expect::new(guest))
}

fn dialogue(mut expect: Expect) -> Result<Session> {
    let boot = expect.wait_for(PROMPT).context("booting to the prompt")?;
    expect.send_line("poweroff")?;
    let shutdown = expect.until_end().context("powering off")?;
    Ok(Session { boot, shutdown })
}

/// Holds a text against its golden file.
///
/// # Errors
/// Shows the first line that differs.
pub(crate) fn check(path: &Path, text: &str, mode: Golden) -> Result<()> {
    if mode == Golden::Update {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        return fs::write(path, text).with_context(|| format!("writing {}", path.display()));
    }
    let expected = match fs::read_to_string(path) {
        Ok(expected) => expected,
        Err(error) => bail!("{}: {error} (--update-golden writes it)", path.display()),
    };
    match difference(&expected, text) {
        None => Ok(()),
        Some(difference) => bail!("{}:{difference}", path.display()),
    }
}

/// Describes the first difference of two texts by line number.
pub(crate) fn difference(expected: &str, actual: &str) -> Option<String> {
    if expected == actual {
        return None;
    }
    let mut expected_lines = expected.split('\n');
    let mut actual_lines = actual.split('\n');
    let mut number = 1;
    loop {
        let (want, have) = (expected_lines.next(), actual_lines.next());
        if want != have {
            let show =
                |line: Option<&str>| line.map_or_else(|| "the end".to_owned(), |line| format!("{line:?}"));
            return Some(format!("{number}: expected {}, found {}", show(want), show(have)));
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::tests::script;

    #[test]
    fn a_session_is_cut_at_the_prompt() {
        let text = "printf 'Levitate\\r\\ninit: ready\\r\\n# '; read word; printf \"$word\\r\\nbye\\r\\n\"";
        let session = dialogue(Expect::new(script(text, LIMIT))).unwrap();
        assert_eq!(session.boot, "Levitate\ninit: ready\n# ");
        assert_eq!(session.shutdown, "poweroff\nbye\n");
    }

    #[test]
    fn the_first_difference_is_named() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(
            difference("a\nb\n", "a\nc\n").unwrap(),
            "2: expected \"b\", found \"c\""
        );
        assert_eq!(difference("a", "a\n").unwrap(), "2: expected the end, found \"\"");
        assert_eq!(difference("a\n", "a").unwrap(), "2: expected \"\", found the end");
    }

    #[test]
    fn golden_files_are_written_only_on_demand() {
        let folder = std::env::temp_dir().join(format!("xtask-golden-{}", std::process::id()));
        let path = folder.join("boot.log");
        assert!(check(&path, "x\n", Golden::Compare).is_err());
        check(&path, "x\n", Golden::Update).unwrap();
        check(&path, "x\n", Golden::Compare).unwrap();
        assert!(check(&path, "y\n", Golden::Compare).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
