//! Who a program runs as: set-id bits, root, and the capabilities that execve grants or takes
//! (capabilities(7), "Transformation of capabilities during execve()"). Files have no capabilities of their own.

use core::sync::atomic::Ordering;

use los_abi::credentials::Personality;
use los_abi::errno::Errno;
use los_abi::fs::MountFlags;
use los_abi::resource::RLIMIT_STACK;
use vfs::permission::{self, Permission, SET_GID, SET_UID};
use vfs::{Credentials, OpenFile};

use crate::core_dump::{Dumpable, settings};
use crate::cred::{self, SecureBits};
use crate::process::Process;
use crate::thread::Thread;

/// Largest soft limit of the stack of a program with more rights than its caller (`_STK_LIM`).
const SECURE_STACK_BYTES: u64 = 8 << 20;
const GROUP_EXECUTE: u16 = 0o010;

/// The identities that a program's file gives to who executes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct SetId {
    uid: Option<u32>,
    gid: Option<u32>,
}

/// Who a program runs as, and what follows from it.
pub(super) struct Identity {
    pub(super) credentials: Credentials,
    /// Whether the program has rights that its caller lacks, so that libraries trust no environment (AT_SECURE).
    pub(super) is_secure: bool,
    /// The caller's personality, but for what the program does not inherit.
    pub(super) personality: Personality,
    /// Whether others may look into the program's memory.
    pub(super) is_dumpable: bool,
}

/// Finds out who a program will run as.
///
/// # Errors
/// Those of asking for the file's attributes.
pub(super) fn of_program(
    old: &Credentials,
    personality: Personality,
    file: &OpenFile,
) -> Result<Identity, Errno> {
    let set_id = SetId::of_file(file)?;
    let mut identity = transform(old, personality, set_id);
    let may_read = match file.path().inode() {
        Ok(inode) => permission::check(old, &**inode, Permission::READ).is_ok(),
        Err(_) => true,
    };
    identity.is_dumpable &= may_read;
    Ok(identity)
}

impl Identity {
    /// Returns the soft limit of the program's stack: one with more rights than its caller gets none that could move
    /// its mappings to where the caller wants them.
    pub(super) fn stack_limit(&self, process: &Process) -> u64 {
        let limit = process.limits().soft(RLIMIT_STACK);
        if self.is_secure {
            limit.min(SECURE_STACK_BYTES)
        } else {
            limit
        }
    }

    /// Makes a thread, alone in its process, have this identity.
    pub(super) fn put_on(self, thread: &Thread) {
        let process = thread.process();
        process
            .limits()
            .lower_soft(RLIMIT_STACK, self.stack_limit(process));
        process.set_dumpable(if self.is_dumpable {
            Dumpable::User
        } else {
            settings::of_set_id()
        });
        if self.is_secure {
            // The parent of who gains rights must not send it signals any more.
            thread.parent_death_signal.store(0, Ordering::Relaxed);
        }
        thread.attributes.store_personality(self.personality);
        cred::commit(thread, self.credentials);
    }
}

impl SetId {
    fn of_file(file: &OpenFile) -> Result<Self, Errno> {
        if file.path().mount.flags().contains(MountFlags::NOSUID) {
            return Ok(Self::default());
        }
        let metadata = file.metadata()?;
        let has = |bits| metadata.mode & bits == bits;
        Ok(Self {
            uid: has(SET_UID).then_some(metadata.uid),
            gid: has(SET_GID | GROUP_EXECUTE).then_some(metadata.gid),
        })
    }
}

fn transform(old: &Credentials, personality: Personality, set_id: SetId) -> Identity {
    let mut new = old.clone();
    let honoured = if old.no_new_privs {
        SetId::default()
    } else {
        set_id
    };
    new.euid = honoured.uid.unwrap_or(new.euid);
    new.egid = honoured.gid.unwrap_or(new.egid);

    let root_counts = !SecureBits::of(old).contains(SecureBits::NOROOT);
    let is_root = root_counts && (new.uid == 0 || new.euid == 0);
    let is_effective = root_counts && new.euid == 0;
    new.permitted = if is_root {
        old.bounding | old.inheritable
    } else {
        0
    };
    let gains = new.permitted & !old.permitted != 0;
    let is_set_id = new.euid != old.uid || new.egid != old.gid;
    if old.no_new_privs && (is_set_id || gains) {
        new.euid = new.uid;
        new.egid = new.gid;
        new.permitted &= old.permitted;
    }
    (new.suid, new.fsuid) = (new.euid, new.euid);
    (new.sgid, new.fsgid) = (new.egid, new.egid);
    if is_set_id {
        new.ambient = 0;
    }
    let beyond_ambient = new.permitted & !new.ambient != 0;
    new.permitted |= new.ambient;
    new.effective = if is_effective { new.permitted } else { new.ambient };
    new.securebits &= !SecureBits::KEEP_CAPS.bits();

    let lost = if honoured != SetId::default() || gains {
        Personality::CLEARED_BY_SET_ID
    } else {
        Personality::empty()
    };
    Identity {
        is_secure: is_set_id || new.uid != 0 && (is_effective || beyond_ambient),
        // A 64-bit program chooses by its headers which mappings can be executed.
        personality: personality - lost - Personality::READ_IMPLIES_EXEC,
        // The caller's ids count here, as on Linux; the program's own count when they are put on.
        is_dumpable: old.euid == old.uid && old.egid == old.gid,
        credentials: new,
    }
}

#[cfg(test)]
mod tests {
    use vfs::Capability;

    use super::*;

    const NONE: SetId = SetId { uid: None, gid: None };
    const ROOT: SetId = SetId {
        uid: Some(0),
        gid: None,
    };

    fn execute(old: &Credentials, set_id: SetId) -> Identity {
        transform(old, Personality::ADDR_NO_RANDOMIZE, set_id)
    }

    fn user() -> Credentials {
        Credentials::user(1000, 100)
    }

    #[test]
    fn root_gets_everything_that_the_bounding_set_leaves() {
        let root = Credentials {
            bounding: Capability::ALL & !Capability::SysBoot.bit(),
            ..Credentials::root()
        };
        let identity = execute(&root, NONE);
        assert_eq!(identity.credentials.permitted, root.bounding);
        assert_eq!(identity.credentials.effective, root.bounding);
        assert!(!identity.is_secure);
        assert_eq!(identity.personality, Personality::ADDR_NO_RANDOMIZE);
        let plain = Credentials {
            securebits: SecureBits::NOROOT.bits(),
            ..root
        };
        let identity = execute(&plain, NONE);
        assert_eq!(
            (identity.credentials.permitted, identity.credentials.effective),
            (0, 0)
        );
    }

    #[test]
    fn a_set_user_id_program_is_privileged_and_secure() {
        let identity = execute(&user(), ROOT);
        let new = &identity.credentials;
        assert_eq!((new.uid, new.euid, new.suid, new.fsuid), (1000, 0, 0, 0));
        assert_eq!((new.permitted, new.effective), (Capability::ALL, Capability::ALL));
        assert!(identity.is_secure);
        assert!(identity.personality.is_empty());
        // Back to the user, who keeps nothing.
        let other = SetId {
            uid: Some(1000),
            gid: None,
        };
        let identity = execute(new, other);
        assert_eq!(
            (identity.credentials.permitted, identity.credentials.effective),
            (0, 0)
        );
        assert!(!identity.is_secure && !identity.is_dumpable);
    }

    #[test]
    fn nothing_is_gained_after_no_new_privs() {
        let user = Credentials {
            no_new_privs: true,
            ..user()
        };
        let identity = execute(&user, ROOT);
        assert_eq!(identity.credentials.euid, 1000);
        assert_eq!(identity.credentials.permitted, 0);
        assert!(!identity.is_secure);
        // Root that has given up capabilities does not get them back.
        let root = Credentials {
            no_new_privs: true,
            permitted: 1,
            effective: 1,
            ..Credentials::root()
        };
        assert_eq!(execute(&root, NONE).credentials.permitted, 1);
    }

    #[test]
    fn ambient_capabilities_survive_plain_programs_only() {
        let kept = Capability::NetBindService.bit();
        let user = Credentials {
            permitted: kept,
            inheritable: kept,
            ambient: kept,
            ..user()
        };
        let identity = execute(&user, NONE);
        assert_eq!(identity.credentials.effective, kept);
        assert!(!identity.is_secure);
        let group = SetId {
            uid: None,
            gid: Some(5),
        };
        let identity = execute(&user, group);
        assert_eq!(
            (identity.credentials.ambient, identity.credentials.effective),
            (0, 0)
        );
        assert!(identity.is_secure);
    }
}
