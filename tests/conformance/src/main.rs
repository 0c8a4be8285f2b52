//! Conformance cases: each is a small Linux program that must pass on Linux before it counts against Levitate.
//!
//! `conformance --list` names the cases, `conformance [NAME...]` runs them, each in a child of its own,
//! and prints `ok NAME`, `not ok NAME: why` or `skip NAME: why`, then the totals. A case is a function that
//! returns an error text; what it leaves behind lies in a directory of its own that is the current one.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![deny(unsafe_code)]

extern crate alloc;

mod arch;
mod cases;
mod clock;
mod core_file;
mod descriptors;
mod elf;
mod handler;
mod harness;
mod inotify;
mod raw;
mod thread;
mod worker;

use rt::Args;

rt::entry!(run);

fn run(args: Args) -> i32 {
    let names = args.operands();
    if names.first().is_some_and(|first| first == b"--list") {
        for case in cases::all() {
            rt::println!("{}", case.short_name());
        }
        return 0;
    }
    if let [first, rest @ ..] = names
        && first == b"--helper"
    {
        return cases::helper(rest, &args.environment);
    }
    harness::run_all(names)
}
