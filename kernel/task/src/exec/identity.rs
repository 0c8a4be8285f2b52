//! Who a program runs as: set-id bits, root, and the capabilities that execve grants or takes
//! (capabilities(7), "Transformation of capabilities during execve()").

use core::sync::atomic::Ordering;

use los_abi::credentials::Personality;
use los_abi::errno::Errno;
use los_abi::fs::MountFlags;
use los_abi::resource::RLIMIT_STACK;
use vfs::file_capabilities::{self, FileCapabilities};
use vfs::permission::{self, Permission, SET_GID, SET_UID};
use vfs::{Capability, Credentials, OpenFile};

use crate::core_dump::{Dumpable, settings};
use crate::cred::{self, SecureBits};
use crate::process::Process;
use crate::thread::Thread;

/// Largest soft limit of the stack of a program with more rights than its caller (`_STK_LIM`).
const SECURE_STACK_BYTES: u64 = 8 << 20;
const GROUP_EXECUTE: u16 = 0o010;

/// What a program's file gives to who executes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Gifts {
    uid: Option<u32>,
    gid: Option<u32>,
    capabilities: Option<FileCapabilities>,
}

/// Whether threads outside of the process use its root and working directory, and so could lead a program with more
/// rights astray (`LSM_UNSAFE_SHARE`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sharing {
    Own,
    WithOthers,
}

/// Who a program runs as, and what follows from it.
#[derive(Debug)]
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
/// EPERM if the caller may not get all capabilities that the program counts on; EINVAL for senseless ones; those of
/// asking for the file's attributes.
pub(super) fn of_program(
    old: &Credentials,
    personality: Personality,
    file: &OpenFile,
    sharing: Sharing,
) -> Result<Identity, Errno> {
    let gifts = Gifts::of_file(file)?;
    let mut identity = transform(old, personality, gifts, sharing)?;
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

impl Gifts {
    fn of_file(file: &OpenFile) -> Result<Self, Errno> {
        if file.path().mount.flags().contains(MountFlags::NOSUID) {
            return Ok(Self::default());
        }
        let metadata = file.metadata()?;
        let has = |bits| metadata.mode & bits == bits;
        Ok(Self {
            uid: has(SET_UID).then_some(metadata.uid),
            gid: has(SET_GID | GROUP_EXECUTE).then_some(metadata.gid),
            capabilities: capabilities_of(file)?,
        })
    }
}

/// Reads the file's own capabilities, if it has any that count.
fn capabilities_of(file: &OpenFile) -> Result<Option<FileCapabilities>, Errno> {
    match file.inode().extended_attribute(file_capabilities::NAME) {
        Ok(value) => FileCapabilities::parse(&value),
        Err(Errno::ENODATA | Errno::EOPNOTSUPP) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The permitted set before the ambient one is added, and whether all of it is in force at once.
struct Granted {
    permitted: u64,
    is_effective: bool,
}

/// Grants what the file's capabilities say: those that the bounding set leaves, and those that both sides call
/// inheritable.
///
/// # Errors
/// EPERM if the program gets less than it counts on.
fn grant(old: &Credentials, file: Option<FileCapabilities>) -> Result<Granted, Errno> {
    let Some(file) = file else {
        return Ok(Granted {
            permitted: 0,
            is_effective: false,
        });
    };
    let permitted = old.bounding & file.permitted | old.inheritable & file.inheritable;
    if file.is_effective && file.permitted & !permitted != 0 {
        return Err(Errno::EPERM);
    }
    Ok(Granted {
        permitted,
        is_effective: file.is_effective,
    })
}

/// Grants root everything, unless the secure bits say that root is like others, or a set-user-id program's file
/// says by its capabilities what it needs.
fn grant_root(granted: &mut Granted, new: &Credentials, has_capabilities: bool) {
    if SecureBits::of(new).contains(SecureBits::NOROOT) {
        return;
    }
    let becomes_root = new.euid == 0 && new.uid != 0;
    if has_capabilities && becomes_root {
        return;
    }
    if new.uid == 0 || new.euid == 0 {
        granted.permitted = new.bounding | new.inheritable;
    }
    granted.is_effective |= new.euid == 0;
}

fn transform(
    old: &Credentials,
    personality: Personality,
    gifts: Gifts,
    sharing: Sharing,
) -> Result<Identity, Errno> {
    let mut new = old.clone();
    let honours_set_id = !old.no_new_privs;
    let set_uid = gifts.uid.filter(|_| honours_set_id);
    let set_gid = gifts.gid.filter(|_| honours_set_id);
    new.euid = set_uid.unwrap_or(new.euid);
    new.egid = set_gid.unwrap_or(new.egid);

    let mut granted = grant(old, gifts.capabilities)?;
    grant_root(&mut granted, &new, gifts.capabilities.is_some());
    let gains = granted.permitted & !old.permitted != 0;
    let changes_ids = new.euid != old.euid || !old.in_group(new.egid);
    let is_unsafe = old.no_new_privs || sharing == Sharing::WithOthers;
    if is_unsafe && (changes_ids || gains) {
        if old.no_new_privs || !old.capable(Capability::Setuid) {
            new.euid = new.uid;
            new.egid = new.gid;
        }
        granted.permitted &= old.permitted;
    }
    (new.suid, new.fsuid) = (new.euid, new.euid);
    (new.sgid, new.fsgid) = (new.egid, new.egid);
    if changes_ids || gifts.capabilities.is_some() {
        new.ambient = 0;
    }
    let beyond_ambient = granted.permitted & !new.ambient != 0;
    new.permitted = granted.permitted | new.ambient;
    new.effective = if granted.is_effective {
        new.permitted
    } else {
        new.ambient
    };
    new.securebits &= !SecureBits::KEEP_CAPS.bits();

    let lost = if set_uid.is_some() || set_gid.is_some() || gains {
        Personality::CLEARED_BY_SET_ID
    } else {
        Personality::empty()
    };
    let has_other_ids = new.euid != old.uid || new.egid != old.gid;
    Ok(Identity {
        is_secure: changes_ids || has_other_ids || new.uid != 0 && (granted.is_effective || beyond_ambient),
        // A 64-bit program chooses by its headers which mappings can be executed.
        personality: personality - lost - Personality::READ_IMPLIES_EXEC,
        // The caller's ids count here, as on Linux; the program's own count when they are put on.
        is_dumpable: old.euid == old.uid && old.egid == old.gid,
        credentials: new,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Gifts = Gifts {
        uid: None,
        gid: None,
        capabilities: None,
    };
    const ROOT: Gifts = Gifts { uid: Some(0), ..NONE };

    fn execute(old: &Credentials, gifts: Gifts) -> Identity {
        transform(old, Personality::ADDR_NO_RANDOMIZE, gifts, Sharing::Own).unwrap()
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
        let other = Gifts {
            uid: Some(1000),
            ..NONE
        };
        let identity = execute(new, other);
        assert_eq!(
            (identity.credentials.permitted, identity.credentials.effective),
            (0, 0)
        );
        assert!(identity.is_secure && !identity.is_dumpable);
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
        let group = Gifts { gid: Some(5), ..NONE };
        let identity = execute(&user, group);
        assert_eq!(
            (identity.credentials.ambient, identity.credentials.effective),
            (0, 0)
        );
        assert!(identity.is_secure);
    }

    const BIND: u64 = Capability::NetBindService.bit();
    const KILL: u64 = Capability::Kill.bit();

    fn gives(permitted: u64, inheritable: u64, is_effective: bool) -> Gifts {
        Gifts {
            capabilities: Some(FileCapabilities {
                permitted,
                inheritable,
                is_effective,
            }),
            ..NONE
        }
    }

    #[test]
    fn capabilities_of_a_file_are_got() {
        let identity = execute(&user(), gives(BIND, KILL, true));
        let new = &identity.credentials;
        assert_eq!((new.permitted, new.effective), (BIND, BIND));
        assert!(identity.is_secure);
        assert!(identity.personality.is_empty());
        // Those of programs that put them in force themselves.
        let identity = execute(&user(), gives(BIND, 0, false));
        let new = &identity.credentials;
        assert_eq!((new.permitted, new.effective), (BIND, 0));
        // What is inheritable for both sides.
        let heir = Credentials {
            inheritable: KILL,
            ..user()
        };
        let new = execute(&heir, gives(BIND, KILL, true)).credentials;
        assert_eq!((new.permitted, new.inheritable), (BIND | KILL, KILL));
    }

    #[test]
    fn a_program_that_would_get_too_little_does_not_start() {
        let bounded = Credentials {
            bounding: Capability::ALL & !BIND,
            ..user()
        };
        let execute = |gifts| {
            let identity = transform(&bounded, Personality::empty(), gifts, Sharing::Own);
            identity.map(|identity| identity.credentials.permitted)
        };
        assert_eq!(execute(gives(BIND | KILL, 0, true)), Err(Errno::EPERM));
        assert_eq!(execute(gives(BIND | KILL, 0, false)), Ok(KILL));
    }

    #[test]
    fn capabilities_of_a_file_end_ambient_ones() {
        let user = Credentials {
            permitted: KILL,
            inheritable: KILL,
            ambient: KILL,
            ..user()
        };
        let new = execute(&user, gives(BIND, 0, true)).credentials;
        assert_eq!((new.ambient, new.permitted), (0, BIND));
        // Even those of a file that gives nothing.
        let new = execute(&user, gives(0, 0, false)).credentials;
        assert_eq!((new.ambient, new.permitted), (0, 0));
    }

    #[test]
    fn a_set_user_id_program_with_capabilities_gets_only_those() {
        let both = Gifts {
            uid: Some(0),
            ..gives(BIND, 0, true)
        };
        let new = execute(&user(), both).credentials;
        assert_eq!((new.euid, new.permitted), (0, BIND));
        // For root itself nothing is different.
        let root = Credentials::root();
        assert_eq!(execute(&root, both).credentials.permitted, Capability::ALL);
    }

    #[test]
    fn nothing_is_gained_where_others_may_interfere() {
        let shared = |old: &Credentials, gifts| {
            transform(old, Personality::empty(), gifts, Sharing::WithOthers).unwrap()
        };
        let identity = shared(&user(), ROOT);
        assert_eq!(identity.credentials.euid, 1000);
        assert_eq!(identity.credentials.permitted, 0);
        let identity = shared(&user(), gives(BIND, 0, true));
        assert_eq!(
            (identity.credentials.permitted, identity.credentials.effective),
            (0, 0)
        );
        // Who may change users keeps the change.
        let setuid = Credentials {
            permitted: Capability::Setuid.bit(),
            effective: Capability::Setuid.bit(),
            ..user()
        };
        let new = shared(&setuid, ROOT).credentials;
        assert_eq!((new.euid, new.permitted), (0, Capability::Setuid.bit()));
    }

    #[test]
    fn no_new_privs_means_files_too() {
        let user = Credentials {
            no_new_privs: true,
            ..user()
        };
        let new = execute(&user, gives(BIND, 0, true)).credentials;
        assert_eq!((new.permitted, new.effective), (0, 0));
    }
}
