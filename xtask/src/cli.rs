//! The command line of `cargo xtask`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::arch::Arch;
use crate::build;
use crate::cargo::Profile;
use crate::docs;
use crate::exec::{self, Job};
use crate::golden::Golden;
use crate::guest_files::FileOptions;
use crate::initramfs;
use crate::packages::{self, Tool};
use crate::paths::Paths;
use crate::qemu::{Console, Machine};
use crate::rootfs;
use crate::run::{self, Debian, Debugger};
use crate::test;

/// Builds, boots and tests Levitate.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Builds kernel, userspace and initramfs into target/boot/ARCH
    Build {
        #[command(flatten)]
        build: BuildOptions,
    },
    /// Boots to an interactive prompt on this terminal (poweroff ends it, Ctrl-A X quits QEMU)
    Run {
        #[command(flatten)]
        build: BuildOptions,
        #[command(flatten)]
        machine: MachineOptions,
        #[command(flatten)]
        files: FileOptions,
        /// Adds Debian's static busybox and bash to the default initramfs
        #[arg(long, conflicts_with_all = ["initramfs", "root"])]
        debian: bool,
        /// Waits for gdb and prints the line to type
        #[arg(long)]
        gdb: bool,
    },
    /// Runs one command in a fresh guest: its output, its exit status (124 time-out, 125 kernel panic)
    Exec {
        #[command(flatten)]
        build: BuildOptions,
        #[command(flatten)]
        machine: MachineOptions,
        #[command(flatten)]
        files: FileOptions,
        /// Seconds that boot and command may take together
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        timeout: u64,
        /// The command and its arguments
        #[arg(last = true, required = true, value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// Makes a root file system of Debian packages for run and exec, and prints where it is
    Rootfs {
        /// The machine; the host's by default
        #[arg(long)]
        arch: Option<Arch>,
        /// The packages; what they depend on is added
        #[arg(long, value_name = "NAME", required = true, value_delimiter = ',')]
        packages: Vec<String>,
        /// Puts it there: a tarball where the name ends in .tar, else a folder
        #[arg(long, value_name = "DIR|TARBALL")]
        output: Option<PathBuf>,
    },
    /// Writes the generated pages of docs/
    Docs,
    /// Runs all tests, or those whose name contains FILTER
    Test {
        /// Tests this machine's guests only; both by default
        #[arg(long)]
        arch: Option<Arch>,
        /// Rewrites the golden transcripts instead of comparing with them
        #[arg(long)]
        update_golden: bool,
        /// Boots the guests with this kernel instead of Levitate's (needs --arch)
        #[arg(long, value_name = "FILE", requires = "arch")]
        kernel: Option<PathBuf>,
        /// A part of the name of a step or test
        filter: Option<String>,
    },
}

#[derive(Debug, Args)]
struct BuildOptions {
    /// The machine; the host's by default
    #[arg(long)]
    arch: Option<Arch>,
    /// Optimises (the default)
    #[arg(long, conflicts_with = "debug")]
    release: bool,
    /// Builds with debug assertions
    #[arg(long)]
    debug: bool,
}

impl BuildOptions {
    fn arch(&self) -> Result<Arch> {
        self.arch.map_or_else(Arch::host, Ok)
    }

    fn profile(&self) -> Profile {
        if self.debug {
            Profile::Debug
        } else {
            Profile::Release
        }
    }
}

/// Options that shape the virtual machine.
#[derive(Clone, Debug, Args)]
pub(crate) struct MachineOptions {
    /// RAM in MiB [default: 512, or what the initramfs needs]
    #[arg(long, value_name = "MIB")]
    memory: Option<u32>,
    /// Number of processors
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    smp: u32,
    /// QEMU's processor model
    #[arg(long, value_name = "MODEL")]
    cpu: Option<String>,
    /// QEMU's board
    #[arg(long, value_name = "BOARD")]
    machine: Option<String>,
    /// Words for the kernel command line
    #[arg(long, value_name = "WORDS", default_value = "", allow_hyphen_values = true)]
    append: String,
    /// Boots this kernel instead of Levitate's, such as Linux for a comparison
    #[arg(long, value_name = "FILE")]
    kernel: Option<PathBuf>,
    /// The least important messages that the kernel prints
    #[arg(long, value_name = "LEVEL")]
    log: Option<LogLevel>,
}

impl MachineOptions {
    /// Returns the user's own kernel.
    pub(crate) fn kernel(&self) -> Option<&Path> {
        self.kernel.as_deref()
    }

    /// Returns the machine, without an initramfs.
    pub(crate) fn machine(&self, arch: Arch, kernel: &Path, console: Console) -> Machine {
        let level = self
            .log
            .map_or_else(String::new, |level| format!("loglevel={} ", level.number()));
        Machine {
            append: format!("{level}{}", self.append),
            memory_mib: self.memory,
            smp: self.smp,
            cpu: self.cpu.clone(),
            board: self.machine.clone(),
            console,
            ..Machine::new(arch, kernel)
        }
    }
}

/// Levels by name, for `loglevel=`, which prints what is below its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    /// One above the severity of syslog(2); Linux has no level for tracing.
    fn number(self) -> u8 {
        match self {
            Self::Error => 4,
            Self::Warn => 5,
            Self::Info => 7,
            Self::Debug => 8,
            Self::Trace => 9,
        }
    }
}

/// Parses the command line and does what it says.
pub(crate) fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    let paths = Paths::find()?;
    match cli.command {
        Command::Build { build } => {
            let artifacts = build::build(&paths, build.arch()?, build.profile(), None)?;
            println!(
                "{}\n{}",
                artifacts.kernel.display(),
                artifacts.initramfs.display()
            );
        }
        Command::Run {
            build,
            machine,
            files,
            debian,
            gdb,
        } => {
            let choice = run::Choice {
                debian: if debian { Debian::Added } else { Debian::Absent },
                debugger: if gdb { Debugger::Awaited } else { Debugger::Absent },
            };
            run::run(&paths, build.arch()?, build.profile(), &machine, &files, choice)?;
        }
        Command::Exec {
            build,
            machine,
            files,
            timeout,
            command,
        } => {
            let limit = Duration::from_secs(timeout);
            let job = job(&paths, &build, &machine, &files, command, limit)?;
            let end = exec::run(&paths, job, &mut std::io::stdout().lock())?;
            return Ok(exec::exit_code(&end));
        }
        Command::Rootfs {
            arch,
            packages,
            output,
        } => {
            let arch = arch.map_or_else(Arch::host, Ok)?;
            let made = rootfs::make(&paths, arch, &packages, output.as_deref())?;
            println!("{}", made.display());
        }
        Command::Docs => docs::write(paths.root())?,
        Command::Test {
            arch,
            update_golden,
            kernel,
            filter,
        } => {
            let options = test::Options {
                arches: arch.map_or_else(|| Arch::ALL.to_vec(), |arch| vec![arch]),
                filter,
                golden: if update_golden {
                    Golden::Update
                } else {
                    Golden::Compare
                },
                kernel,
            };
            return test::run(paths, options);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn job(
    paths: &Paths,
    build: &BuildOptions,
    machine: &MachineOptions,
    files: &FileOptions,
    command: Vec<String>,
    limit: Duration,
) -> Result<Job> {
    let arch = build.arch()?;
    packages::require(&[Tool::qemu_system(arch)])?;
    let artifacts = build::build(paths, arch, build.profile(), machine.kernel())?;
    let machine = machine.machine(arch, &artifacts.kernel, Console::Plain);
    let base = files.base(&artifacts, || initramfs::for_commands(paths, arch, &artifacts))?;
    Ok(Job {
        machine,
        base,
        command,
        limit,
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn exec_takes_everything_behind_the_dashes() {
        let words = [
            "x", "exec", "--arch", "x86_64", "--add", "a:/b", "--", "sh", "-c", "--add",
        ];
        let Command::Exec { command, build, .. } = Cli::parse_from(words).command else {
            panic!("not exec");
        };
        assert_eq!(command, ["sh", "-c", "--add"]);
        assert_eq!(build.arch, Some(Arch::X86_64));
    }

    #[test]
    fn the_log_level_leads_the_command_line() {
        let words = ["x", "run", "--log", "debug", "--append", "-- one two"];
        let Command::Run { machine, .. } = Cli::parse_from(words).command else {
            panic!("not run");
        };
        let machine = machine.machine(Arch::Aarch64, Path::new("k"), Console::Plain);
        assert_eq!(machine.append, "loglevel=8 -- one two");
    }

    #[test]
    fn contradictions_are_refused() {
        assert!(Cli::try_parse_from(["x", "build", "--release", "--debug"]).is_err());
        assert!(Cli::try_parse_from(["x", "exec"]).is_err());
        assert!(Cli::try_parse_from(["x", "rootfs"]).is_err());
        assert!(Cli::try_parse_from(["x", "run", "--root", "a", "--initramfs", "b"]).is_err());
        assert!(Cli::try_parse_from(["x", "build", "--arch", "riscv64"]).is_err());
    }
}
