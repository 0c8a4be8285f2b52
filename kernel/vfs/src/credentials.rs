//! Who is asking: user and group numbers and capabilities (credentials(7), capabilities(7)).

use alloc::sync::Arc;
use alloc::vec::Vec;

/// A privilege, by its number in `linux/capability.h`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are those of capabilities(7)")]
pub enum Capability {
    Chown = 0,
    DacOverride = 1,
    DacReadSearch = 2,
    Fowner = 3,
    Fsetid = 4,
    Kill = 5,
    Setgid = 6,
    Setuid = 7,
    Setpcap = 8,
    LinuxImmutable = 9,
    NetBindService = 10,
    NetBroadcast = 11,
    NetAdmin = 12,
    NetRaw = 13,
    IpcLock = 14,
    IpcOwner = 15,
    SysModule = 16,
    SysRawio = 17,
    SysChroot = 18,
    SysPtrace = 19,
    SysPacct = 20,
    SysAdmin = 21,
    SysBoot = 22,
    SysNice = 23,
    SysResource = 24,
    SysTime = 25,
    SysTtyConfig = 26,
    Mknod = 27,
    Lease = 28,
    AuditWrite = 29,
    AuditControl = 30,
    Setfcap = 31,
    MacOverride = 32,
    MacAdmin = 33,
    Syslog = 34,
    WakeAlarm = 35,
    BlockSuspend = 36,
    AuditRead = 37,
    Perfmon = 38,
    Bpf = 39,
    CheckpointRestore = 40,
}

impl Capability {
    /// Every capability that exists, as a set.
    pub const ALL: u64 = (1 << 41) - 1;

    /// The set of this one.
    pub const fn bit(self) -> u64 {
        1 << self as u8
    }
}

/// The identity of a process. Immutable: a change makes a new one.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Real user.
    pub uid: u32,
    /// Effective user.
    pub euid: u32,
    /// Saved user.
    pub suid: u32,
    /// User for access to files.
    pub fsuid: u32,
    /// Real group.
    pub gid: u32,
    /// Effective group.
    pub egid: u32,
    /// Saved group.
    pub sgid: u32,
    /// Group for access to files.
    pub fsgid: u32,
    /// Supplementary groups, sorted.
    pub groups: Arc<Vec<u32>>,
    /// Capabilities in force.
    pub effective: u64,
    /// Capabilities that may be put in force.
    pub permitted: u64,
    /// Capabilities that an execve may keep.
    pub inheritable: u64,
    /// Capabilities that an execve may grant.
    pub bounding: u64,
    /// Capabilities that an execve keeps for programs without file capabilities.
    pub ambient: u64,
    /// `SECBIT_*`.
    pub securebits: u32,
    /// Whether execve grants nothing any more.
    pub no_new_privs: bool,
}

impl Credentials {
    /// Returns the first process's identity.
    pub fn root() -> Self {
        Self {
            effective: Capability::ALL,
            permitted: Capability::ALL,
            ..Self::user(0, 0)
        }
    }

    /// Returns an identity without privileges.
    pub fn user(uid: u32, gid: u32) -> Self {
        Self {
            uid,
            euid: uid,
            suid: uid,
            fsuid: uid,
            gid,
            egid: gid,
            sgid: gid,
            fsgid: gid,
            groups: Arc::new(Vec::new()),
            effective: 0,
            permitted: 0,
            inheritable: 0,
            bounding: Capability::ALL,
            ambient: 0,
            securebits: 0,
            no_new_privs: false,
        }
    }

    /// Tells whether a capability is in force.
    #[inline]
    pub fn capable(&self, capability: Capability) -> bool {
        self.effective & capability.bit() != 0
    }

    /// Tells whether files of a group are those of a group of this process.
    pub fn in_group(&self, gid: u32) -> bool {
        self.fsgid == gid || self.groups.binary_search(&gid).is_ok()
    }

    /// Returns the identity that access(2) asks about: the real one, with root's capabilities only for root.
    pub fn real(&self) -> Self {
        let mut real = self.clone();
        real.fsuid = self.uid;
        real.fsgid = self.gid;
        real.effective = if self.uid == 0 { self.permitted } else { 0 };
        real
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_real_identity_of_a_setuid_program_has_no_privileges() {
        let setuid = Credentials {
            uid: 1000,
            gid: 1000,
            ..Credentials::root()
        };
        assert!(setuid.capable(Capability::DacOverride));
        let real = setuid.real();
        assert_eq!((real.fsuid, real.fsgid), (1000, 1000));
        assert!(!real.capable(Capability::DacOverride));
    }

    #[test]
    fn groups_are_found() {
        let user = Credentials {
            groups: Arc::new(alloc::vec![4, 20, 24]),
            ..Credentials::user(1000, 1000)
        };
        assert!(user.in_group(1000) && user.in_group(20) && !user.in_group(21));
    }
}
