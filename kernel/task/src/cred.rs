//! Changing identity: setuid(2) and its relatives, with what they do to capabilities (capabilities(7)).

pub mod capabilities;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use bitflags::bitflags;
use los_abi::errno::Errno;
use vfs::{Capability, Credentials};

use crate::context::Context;
use crate::core_dump;
use crate::process_limit;
use crate::thread::Thread;

/// The number that stands for "leave it alone" in setreuid(2) and its relatives.
const KEEP: u32 = u32::MAX;

/// Capabilities that come and go with user 0 as the user for access to files (capabilities(7), "Effect of user ID
/// changes on capabilities").
const FILE_CAPABILITIES: u64 = Capability::Chown.bit()
    | Capability::DacOverride.bit()
    | Capability::DacReadSearch.bit()
    | Capability::Fowner.bit()
    | Capability::Fsetid.bit()
    | Capability::LinuxImmutable.bit()
    | Capability::Mknod.bit()
    | Capability::MacOverride.bit();

bitflags! {
    /// `SECBIT_*` of `linux/securebits.h`: how far user 0 is special. Each has a lock in the next higher bit.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct SecureBits: u32 {
        /// User 0 gets no capabilities by execve.
        const NOROOT = 1 << 0;
        /// Changing users leaves capabilities alone.
        const NO_SETUID_FIXUP = 1 << 2;
        /// Leaving user 0 keeps permitted capabilities.
        const KEEP_CAPS = 1 << 4;
        /// The ambient set does not grow.
        const NO_CAP_AMBIENT_RAISE = 1 << 6;
    }
}

impl SecureBits {
    /// Returns the bits of an identity, its locks among them.
    pub fn of(credentials: &Credentials) -> Self {
        Self::from_bits_retain(credentials.securebits)
    }

    /// Returns the locks of these bits.
    pub const fn locks(self) -> Self {
        Self::from_bits_retain(self.bits() << 1)
    }
}

/// Applies a change to the calling thread's identity.
///
/// # Errors
/// Those of the change.
pub fn change(
    ctx: &Context<'_>,
    change: impl FnOnce(&mut Credentials) -> Result<(), Errno>,
) -> Result<(), Errno> {
    let mut new = Credentials::clone(ctx.credentials());
    change(&mut new)?;
    commit(ctx.thread, new);
    Ok(())
}

/// Gives a thread, which calls, a new identity. One with other rights is closed to inspection and outlives its
/// parent without a signal (prctl(2), PR_SET_DUMPABLE and PR_SET_PDEATHSIG).
pub(crate) fn commit(thread: &Thread, new: Credentials) {
    let old = thread.credentials();
    if new.uid != old.uid {
        process_limit::note_new_user(thread, &new);
    }
    let acts_as = |who: &Credentials| [who.euid, who.egid, who.fsuid, who.fsgid];
    if acts_as(&old) != acts_as(&new) || new.permitted & !old.permitted != 0 {
        thread.process().set_dumpable(core_dump::settings::of_set_id());
        thread.parent_death_signal.store(0, Ordering::Relaxed);
    }
    thread.set_credentials(Arc::new(new));
}

/// Sets the user as setuid(2): all three numbers with privilege, the effective one without.
///
/// # Errors
/// EINVAL for -1; EPERM.
pub fn set_uid(credentials: &mut Credentials, uid: u32) -> Result<(), Errno> {
    if uid == KEEP {
        return Err(Errno::EINVAL);
    }
    let old = credentials.clone();
    if credentials.capable(Capability::Setuid) {
        (credentials.uid, credentials.suid) = (uid, uid);
    } else if uid != credentials.uid && uid != credentials.suid {
        return Err(Errno::EPERM);
    }
    (credentials.euid, credentials.fsuid) = (uid, uid);
    fix_capabilities(&old, credentials);
    Ok(())
}

/// Sets the group as setgid(2).
///
/// # Errors
/// EINVAL for -1; EPERM.
pub fn set_gid(credentials: &mut Credentials, gid: u32) -> Result<(), Errno> {
    if gid == KEEP {
        return Err(Errno::EINVAL);
    }
    if credentials.capable(Capability::Setgid) {
        (credentials.gid, credentials.sgid) = (gid, gid);
    } else if gid != credentials.gid && gid != credentials.sgid {
        return Err(Errno::EPERM);
    }
    (credentials.egid, credentials.fsgid) = (gid, gid);
    Ok(())
}

/// Sets real and effective user as setreuid(2).
///
/// # Errors
/// EPERM.
pub fn set_reuid(credentials: &mut Credentials, real: u32, effective: u32) -> Result<(), Errno> {
    let old = credentials.clone();
    let privileged = old.capable(Capability::Setuid);
    if real != KEEP {
        if !privileged && real != old.uid && real != old.euid {
            return Err(Errno::EPERM);
        }
        credentials.uid = real;
    }
    if effective != KEEP {
        if !privileged && ![old.uid, old.euid, old.suid].contains(&effective) {
            return Err(Errno::EPERM);
        }
        credentials.euid = effective;
    }
    if real != KEEP || (effective != KEEP && effective != old.uid) {
        credentials.suid = credentials.euid;
    }
    credentials.fsuid = credentials.euid;
    fix_capabilities(&old, credentials);
    Ok(())
}

/// Sets real and effective group as setregid(2).
///
/// # Errors
/// EPERM.
pub fn set_regid(credentials: &mut Credentials, real: u32, effective: u32) -> Result<(), Errno> {
    let old = credentials.clone();
    let privileged = old.capable(Capability::Setgid);
    if real != KEEP {
        if !privileged && real != old.gid && real != old.egid {
            return Err(Errno::EPERM);
        }
        credentials.gid = real;
    }
    if effective != KEEP {
        if !privileged && ![old.gid, old.egid, old.sgid].contains(&effective) {
            return Err(Errno::EPERM);
        }
        credentials.egid = effective;
    }
    if real != KEEP || (effective != KEEP && effective != old.gid) {
        credentials.sgid = credentials.egid;
    }
    credentials.fsgid = credentials.egid;
    Ok(())
}

/// Sets real, effective and saved user as setresuid(2).
///
/// # Errors
/// EPERM.
pub fn set_resuid(credentials: &mut Credentials, new: [u32; 3]) -> Result<(), Errno> {
    let old = credentials.clone();
    let known = [old.uid, old.euid, old.suid];
    let is_allowed = |id: &u32| *id == KEEP || known.contains(id);
    if !old.capable(Capability::Setuid) && !new.iter().all(is_allowed) {
        return Err(Errno::EPERM);
    }
    let pick = |id: u32, old: u32| if id == KEEP { old } else { id };
    credentials.uid = pick(new[0], old.uid);
    credentials.euid = pick(new[1], old.euid);
    credentials.suid = pick(new[2], old.suid);
    credentials.fsuid = credentials.euid;
    fix_capabilities(&old, credentials);
    Ok(())
}

/// Sets real, effective and saved group as setresgid(2).
///
/// # Errors
/// EPERM.
pub fn set_resgid(credentials: &mut Credentials, new: [u32; 3]) -> Result<(), Errno> {
    let old = credentials.clone();
    let known = [old.gid, old.egid, old.sgid];
    let is_allowed = |id: &u32| *id == KEEP || known.contains(id);
    if !old.capable(Capability::Setgid) && !new.iter().all(is_allowed) {
        return Err(Errno::EPERM);
    }
    let pick = |id: u32, old: u32| if id == KEEP { old } else { id };
    credentials.gid = pick(new[0], old.gid);
    credentials.egid = pick(new[1], old.egid);
    credentials.sgid = pick(new[2], old.sgid);
    credentials.fsgid = credentials.egid;
    Ok(())
}

/// Sets the user for access to files as setfsuid(2), with the capabilities that are about files.
///
/// # Errors
/// EPERM, which the call itself does not tell; EINVAL for -1.
pub fn set_fsuid(credentials: &mut Credentials, uid: u32) -> Result<(), Errno> {
    let old = credentials.clone();
    if uid == KEEP {
        return Err(Errno::EINVAL);
    }
    let is_own = [old.uid, old.euid, old.suid, old.fsuid].contains(&uid);
    if !is_own && !old.capable(Capability::Setuid) {
        return Err(Errno::EPERM);
    }
    credentials.fsuid = uid;
    if !SecureBits::of(&old).contains(SecureBits::NO_SETUID_FIXUP) {
        if old.fsuid == 0 && uid != 0 {
            credentials.effective &= !FILE_CAPABILITIES;
        }
        if old.fsuid != 0 && uid == 0 {
            credentials.effective |= old.permitted & FILE_CAPABILITIES;
        }
    }
    Ok(())
}

/// Sets the group for access to files as setfsgid(2).
///
/// # Errors
/// EPERM, which the call itself does not tell; EINVAL for -1.
pub fn set_fsgid(credentials: &mut Credentials, gid: u32) -> Result<(), Errno> {
    let old = &*credentials;
    if gid == KEEP {
        return Err(Errno::EINVAL);
    }
    let is_own = [old.gid, old.egid, old.sgid, old.fsgid].contains(&gid);
    if !is_own && !old.capable(Capability::Setgid) {
        return Err(Errno::EPERM);
    }
    credentials.fsgid = gid;
    Ok(())
}

/// Sets the supplementary groups as setgroups(2).
///
/// # Errors
/// EPERM.
pub fn set_groups(credentials: &mut Credentials, mut groups: Vec<u32>) -> Result<(), Errno> {
    if !credentials.capable(Capability::Setgid) {
        return Err(Errno::EPERM);
    }
    groups.sort_unstable();
    credentials.groups = Arc::new(groups);
    Ok(())
}

/// Drops or regains capabilities as the superuser's number comes and goes.
fn fix_capabilities(old: &Credentials, new: &mut Credentials) {
    if SecureBits::of(old).contains(SecureBits::NO_SETUID_FIXUP) {
        return;
    }
    let had_root = [old.uid, old.euid, old.suid].contains(&0);
    let has_root = [new.uid, new.euid, new.suid].contains(&0);
    if had_root && !has_root {
        if !SecureBits::of(old).contains(SecureBits::KEEP_CAPS) {
            new.permitted = 0;
            new.effective = 0;
        }
        new.ambient = 0;
    }
    if old.euid == 0 && new.euid != 0 {
        new.effective = 0;
    }
    if old.euid != 0 && new.euid == 0 {
        new.effective = new.permitted;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_superuser_becomes_somebody_for_good() {
        let mut credentials = Credentials::root();
        set_uid(&mut credentials, 1000).unwrap();
        assert_eq!(
            (credentials.uid, credentials.euid, credentials.suid),
            (1000, 1000, 1000)
        );
        assert_eq!((credentials.effective, credentials.permitted), (0, 0));
        assert_eq!(set_uid(&mut credentials, 0), Err(Errno::EPERM));
    }

    #[test]
    fn dropping_the_effective_user_is_reversible() {
        let mut credentials = Credentials::root();
        set_resuid(&mut credentials, [KEEP, 1000, KEEP]).unwrap();
        assert!(!credentials.capable(Capability::Kill));
        set_resuid(&mut credentials, [KEEP, 0, KEEP]).unwrap();
        assert!(credentials.capable(Capability::Kill));
    }

    #[test]
    fn file_access_is_given_up_and_taken_back() {
        let mut credentials = Credentials::root();
        set_fsuid(&mut credentials, 1000).unwrap();
        assert_eq!((credentials.fsuid, credentials.euid), (1000, 0));
        assert!(!credentials.capable(Capability::DacOverride) && credentials.capable(Capability::Kill));
        set_fsuid(&mut credentials, 0).unwrap();
        assert_eq!(credentials.effective, Capability::ALL);
        let mut user = Credentials::user(1000, 1000);
        assert_eq!(set_fsuid(&mut user, 0), Err(Errno::EPERM));
        assert_eq!(set_fsgid(&mut user, 0), Err(Errno::EPERM));
        assert_eq!(set_fsgid(&mut user, 1000), Ok(()));
        assert_eq!(set_fsuid(&mut user, KEEP), Err(Errno::EINVAL));
    }

    #[test]
    fn users_swap_only_their_own_numbers() {
        let mut credentials = Credentials::user(1000, 1000);
        assert_eq!(set_reuid(&mut credentials, KEEP, 1001), Err(Errno::EPERM));
        assert_eq!(set_regid(&mut credentials, 5, KEEP), Err(Errno::EPERM));
        assert_eq!(set_groups(&mut credentials, alloc::vec![3]), Err(Errno::EPERM));
        assert_eq!(set_uid(&mut credentials, KEEP), Err(Errno::EINVAL));
    }
}
