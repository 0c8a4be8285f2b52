//! The arguments and the environment with which a program starts, and the macro that names its `main`.

use alloc::vec::Vec;

/// What execve(2) handed to the program.
#[derive(Clone, Debug, Default)]
pub struct Args {
    /// `argv`: the program's name, then its arguments.
    pub arguments: Vec<Vec<u8>>,
    /// `envp`: variables as `NAME=value`.
    pub environment: Vec<Vec<u8>>,
}

impl Args {
    /// Returns the last component of `argv[0]`: the name under which the program was called.
    pub fn program_name(&self) -> &[u8] {
        let path = self.arguments.first().map_or(&b""[..], Vec::as_slice);
        path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
    }

    /// Returns the arguments behind the program's name.
    pub fn operands(&self) -> &[Vec<u8>] {
        self.arguments.get(1..).unwrap_or_default()
    }

    /// Returns the value of an environment variable.
    pub fn variable(&self, name: &[u8]) -> Option<&[u8]> {
        self.environment
            .iter()
            .find_map(|entry| entry.strip_prefix(name)?.strip_prefix(b"="))
    }
}

/// Makes `$main: fn(rt::Args) -> i32` the program's entry; what it returns is the exit status.
///
/// A file that uses it must begin with `#![cfg_attr(target_os = "none", no_std, no_main)]`.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        #[cfg(target_os = "none")]
        #[unsafe(no_mangle)]
        extern "Rust" fn levitate_main(args: $crate::Args) -> i32 {
            $main(args)
        }

        #[cfg(not(target_os = "none"))]
        fn main() {
            use std::os::unix::ffi::OsStringExt;
            let arguments = std::env::args_os().map(OsStringExt::into_vec).collect();
            let environment = std::env::vars_os()
                .map(|(name, value)| [name.into_vec(), value.into_vec()].join(&b'='))
                .collect();
            // The standard library ignores SIGPIPE on entry; these programs expect Linux's default.
            $crate::signal::reset($crate::signal::SIGPIPE);
            $crate::process::exit($main($crate::Args {
                arguments,
                environment,
            }))
        }
    };
}

#[cfg(test)]
mod tests {
    use super::Args;
    use alloc::vec::Vec;

    #[test]
    fn names_and_variables_are_found() {
        let args = Args {
            arguments: Vec::from([b"/bin/ls".to_vec(), b"-l".to_vec()]),
            environment: Vec::from([b"PATHS=x".to_vec(), b"PATH=/bin:/sbin".to_vec()]),
        };
        assert_eq!(args.program_name(), b"ls");
        assert_eq!(args.operands(), [b"-l".to_vec()]);
        assert_eq!(args.variable(b"PATH"), Some(&b"/bin:/sbin"[..]));
        assert_eq!(args.variable(b"HOME"), None);
        assert_eq!(Args::default().program_name(), b"");
    }
}
