//! The shell's program: `sh`.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![forbid(unsafe_code)]

rt::entry!(levitate_shell::main);
