//! The program that holds all utilities: `levbox`, or the name of any of them.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![forbid(unsafe_code)]

rt::entry!(levitate_levbox::main);
