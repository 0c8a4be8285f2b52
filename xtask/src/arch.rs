//! [`Arch`]: the two machines, and every fact about them that the other modules need.

use std::fmt;

use anyhow::{Result, bail};
use clap::ValueEnum;

/// A machine that Levitate runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Arch {
    /// 64-bit Arm, QEMU's `virt` board.
    #[value(name = "aarch64", alias = "arm64")]
    Aarch64,
    /// 64-bit x86, QEMU's `q35` board.
    #[value(name = "x86_64", alias = "amd64")]
    X86_64,
}

impl Arch {
    /// Both machines, in the order in which tests visit them.
    pub(crate) const ALL: [Self; 2] = [Self::Aarch64, Self::X86_64];

    /// Returns the machine that xtask itself runs on.
    ///
    /// # Errors
    /// Fails on a host of a third architecture, where `--arch` must be given.
    pub(crate) fn host() -> Result<Self> {
        match std::env::consts::ARCH {
            "aarch64" => Ok(Self::Aarch64),
            "x86_64" => Ok(Self::X86_64),
            other => bail!("the host is {other}: choose a machine with --arch aarch64 or --arch x86_64"),
        }
    }

    /// Tells whether programs of this machine run on the host's processor.
    pub(crate) fn is_native(self) -> bool {
        self.name() == std::env::consts::ARCH
    }

    /// Returns the other machine.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Aarch64 => Self::X86_64,
            Self::X86_64 => Self::Aarch64,
        }
    }

    /// Returns the name that users type and `uname -m` prints.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Aarch64 => "aarch64",
            Self::X86_64 => "x86_64",
        }
    }

    /// Returns rustc's target for both kernel and userspace.
    pub(crate) fn target(self) -> &'static str {
        match self {
            Self::Aarch64 => "aarch64-unknown-none-softfloat",
            Self::X86_64 => "x86_64-unknown-none",
        }
    }

    /// Returns Debian's name of the architecture.
    pub(crate) fn debian(self) -> &'static str {
        match self {
            Self::Aarch64 => "arm64",
            Self::X86_64 => "amd64",
        }
    }

    /// Returns the serial console's name, as `console=` takes it.
    pub(crate) fn console(self) -> &'static str {
        match self {
            Self::Aarch64 => "ttyAMA0",
            Self::X86_64 => "ttyS0",
        }
    }

    /// Returns the system emulator's program name.
    pub(crate) fn qemu_system(self) -> &'static str {
        match self {
            Self::Aarch64 => "qemu-system-aarch64",
            Self::X86_64 => "qemu-system-x86_64",
        }
    }

    /// Returns the user-mode emulator's program name.
    pub(crate) fn qemu_user(self) -> &'static str {
        match self {
            Self::Aarch64 => "qemu-aarch64-static",
            Self::X86_64 => "qemu-x86_64-static",
        }
    }

    /// Returns QEMU's default board.
    pub(crate) fn board(self) -> &'static str {
        match self {
            Self::Aarch64 => "virt",
            Self::X86_64 => "q35",
        }
    }

    /// Returns QEMU's default processor model.
    pub(crate) fn cpu(self) -> &'static str {
        match self {
            Self::Aarch64 => "max",
            // QEMU 7.2 computes the flags wrongly after cmpxchg16b; without it nothing uses it.
            Self::X86_64 => "max,-cx16",
        }
    }

    /// Returns `e_machine` of the ELF header (`EM_AARCH64`, `EM_X86_64`).
    pub(crate) fn elf_machine(self) -> u16 {
        match self {
            Self::Aarch64 => goblin::elf::header::EM_AARCH64,
            Self::X86_64 => goblin::elf::header::EM_X86_64,
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
