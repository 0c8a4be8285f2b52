//! Files of /proc in the form that programs parse.

use rt::fs;

use crate::harness::Outcome;
use crate::{cases, ensure};

cases![cpu_paragraphs_end_with_an_empty_line];

fn cpu_paragraphs_end_with_an_empty_line() -> Outcome {
    // procps reads on until it finds one.
    let text = fs::read(b"/proc/cpuinfo")?;
    ensure!(text.starts_with(b"processor\t: 0\n"));
    ensure!(text.ends_with(b"\n\n"));
    Ok(())
}
