//! The system as a whole: uname(2), sysinfo(2), reboot(2), getrandom(2), equal on both machines.

use crate::macros::{constants, flags, wire};

flags! {
    /// Flags of getrandom(2) (`GRND_*`).
    GetRandomFlags {
        NONBLOCK = 1, "Fails rather than waits.";
        RANDOM = 2, "From the pool of `/dev/random`.";
        INSECURE = 4, "Even before the pool is ready.";
    }
}

constants! {
    /// Commands of reboot(2).
    REBOOT_COMMANDS: u32 {
        LINUX_REBOOT_CMD_RESTART = 0x0123_4567, "Restarts.";
        LINUX_REBOOT_CMD_HALT = 0xcdef_0123, "Halts.";
        LINUX_REBOOT_CMD_CAD_ON = 0x89ab_cdef, "Ctrl-Alt-Del restarts.";
        LINUX_REBOOT_CMD_CAD_OFF = 0, "Ctrl-Alt-Del is SIGINT to init.";
        LINUX_REBOOT_CMD_POWER_OFF = 0x4321_fedc, "Switches off.";
        LINUX_REBOOT_CMD_RESTART2 = 0xa1b2_c3d4, "Restarts with a string.";
        LINUX_REBOOT_CMD_SW_SUSPEND = 0xd000_fce2, "Suspends to disk.";
        LINUX_REBOOT_CMD_KEXEC = 0x4558_4543, "Starts another kernel.";
    }

    /// Words that reboot(2) insists on.
    REBOOT_MAGICS: u32 {
        LINUX_REBOOT_MAGIC1 = 0xfee1_dead, "First word.";
        LINUX_REBOOT_MAGIC2 = 672_274_793, "Second word.";
        LINUX_REBOOT_MAGIC2A = 85_072_278, "Second word, too.";
        LINUX_REBOOT_MAGIC2B = 369_367_448, "Second word, too.";
        LINUX_REBOOT_MAGIC2C = 537_993_216, "Second word, too.";
    }
}

/// Length of a string of [`Utsname`], without its NUL (`__NEW_UTS_LEN`).
pub const UTS_LEN: usize = 64;

wire! {
    /// Names of the system, each NUL-terminated.
    #[derive(PartialEq, Eq)]
    Utsname {
        /// Name of the kernel.
        sysname: [u8; 65],
        /// Name of the host.
        nodename: [u8; 65],
        /// Release of the kernel.
        release: [u8; 65],
        /// Version of the kernel.
        version: [u8; 65],
        /// Name of the machine.
        machine: [u8; 65],
        /// Name of the NIS domain.
        domainname: [u8; 65],
    }

    /// State of the system.
    #[derive(PartialEq, Eq)]
    Sysinfo {
        /// Seconds since boot.
        uptime: i64,
        /// Load averages over 1, 5 and 15 minutes, in units of 1/65536.
        loads: [u64; 3],
        /// Memory, in units of `mem_unit`.
        totalram: u64,
        /// Free memory.
        freeram: u64,
        /// Shared memory.
        sharedram: u64,
        /// Memory in buffers.
        bufferram: u64,
        /// Swap space.
        totalswap: u64,
        /// Free swap space.
        freeswap: u64,
        /// Number of threads.
        procs: u16,
        /// Padding.
        pad: u16,
        /// Padding.
        pad2: u32,
        /// High memory.
        totalhigh: u64,
        /// Free high memory.
        freehigh: u64,
        /// Unit of the sizes, in bytes.
        mem_unit: u32,
        /// Padding.
        pad3: u32,
    }
}

impl Utsname {
    /// Stores a text in one of the fields, cut to what fits before its NUL.
    pub fn set(field: &mut [u8; UTS_LEN + 1], text: &[u8]) {
        let length = text.len().min(UTS_LEN);
        *field = [0; UTS_LEN + 1];
        field[..length].copy_from_slice(&text[..length]);
    }
}

#[cfg(test)]
mod tests {
    use super::Utsname;

    #[test]
    fn names_of_the_system_always_end() {
        let mut names = Utsname::default();
        Utsname::set(&mut names.nodename, &[b'x'; 100]);
        assert_eq!((names.nodename[63], names.nodename[64]), (b'x', 0));
        Utsname::set(&mut names.nodename, b"a");
        assert_eq!(names.nodename[..2], [b'a', 0]);
    }
}
