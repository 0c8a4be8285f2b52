//! The first process of the system.
//!
//! It mounts what programs expect ([`mounts`]), opens the console ([`console`]), keeps a shell running
//! on it and reaps every orphan ([`supervisor`]), and ends the system in order ([`shutdown`]). With
//! `LEVITATE_EXEC` in its environment it runs one command instead ([`single`]); that is how the test
//! harness uses the system.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![forbid(unsafe_code)]

extern crate alloc;

mod console;
mod mounts;
mod shutdown;
mod single;
mod supervisor;

use rt::{Args, eprintln, process};

/// Process id of the first process.
const FIRST_PROCESS: i32 = 1;

rt::entry!(run);

/// Does the first process's work; any other process gets an error, or with `--exec` a rehearsal.
fn run(args: Args) -> i32 {
    if process::id() != FIRST_PROCESS {
        if args.operands().first().is_some_and(|first| first == b"--exec") {
            return single::rehearse(&args);
        }
        eprintln!("init: not PID 1");
        return 1;
    }
    mounts::prepare();
    console::open();
    match args.variable(single::MARK_VARIABLE) {
        Some(mark) => single::run(&args, mark),
        None => supervisor::run(&args),
    }
}
