//! Changing capabilities: capset(2), and the bounding set, the ambient set and the secure bits of prctl(2).

use los_abi::errno::Errno;
use vfs::{Capability, Credentials};

use super::SecureBits;

/// The three sets that capget(2) and capset(2) show.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sets {
    /// In force.
    pub effective: u64,
    /// What may be put in force.
    pub permitted: u64,
    /// What an execve may keep.
    pub inheritable: u64,
}

impl Sets {
    /// Returns those of an identity.
    pub fn of(credentials: &Credentials) -> Self {
        Self {
            effective: credentials.effective,
            permitted: credentials.permitted,
            inheritable: credentials.inheritable,
        }
    }
}

/// Replaces the three sets. Capabilities that do not exist are left out.
///
/// # Errors
/// EPERM for what is not permitted (capset(2)).
pub fn set(credentials: &mut Credentials, new: Sets) -> Result<(), Errno> {
    let old = &*credentials;
    let (effective, permitted) = (new.effective & Capability::ALL, new.permitted & Capability::ALL);
    let inheritable = new.inheritable & Capability::ALL;
    let within = |set: u64, limit: u64| set & !limit == 0;
    let is_capped = !old.capable(Capability::Setpcap);
    let is_allowed = (!is_capped || within(inheritable, old.inheritable | old.permitted))
        && within(inheritable, old.inheritable | old.bounding)
        && within(permitted, old.permitted)
        && within(effective, permitted);
    if !is_allowed {
        return Err(Errno::EPERM);
    }
    credentials.effective = effective;
    credentials.permitted = permitted;
    credentials.inheritable = inheritable;
    credentials.ambient &= permitted & inheritable;
    Ok(())
}

/// Returns the set of one capability, by its number as a program gives it.
fn single(number: u64) -> Result<u64, Errno> {
    let bit = u32::try_from(number)
        .ok()
        .and_then(|number| 1_u64.checked_shl(number));
    bit.filter(|bit| bit & Capability::ALL != 0).ok_or(Errno::EINVAL)
}

/// Tells whether the bounding set has a capability.
///
/// # Errors
/// EINVAL for one that does not exist.
pub fn is_bounding(credentials: &Credentials, number: u64) -> Result<bool, Errno> {
    Ok(credentials.bounding & single(number)? != 0)
}

/// Drops a capability from the bounding set.
///
/// # Errors
/// EPERM; EINVAL for one that does not exist.
pub fn drop_bounding(credentials: &mut Credentials, number: u64) -> Result<(), Errno> {
    if !credentials.capable(Capability::Setpcap) {
        return Err(Errno::EPERM);
    }
    credentials.bounding &= !single(number)?;
    Ok(())
}

/// Tells whether the ambient set has a capability.
///
/// # Errors
/// EINVAL for one that does not exist.
pub fn is_ambient(credentials: &Credentials, number: u64) -> Result<bool, Errno> {
    Ok(credentials.ambient & single(number)? != 0)
}

/// Adds a capability to the ambient set.
///
/// # Errors
/// EINVAL for one that does not exist; EPERM unless it is permitted and inheritable.
pub fn raise_ambient(credentials: &mut Credentials, number: u64) -> Result<(), Errno> {
    let capability = single(number)?;
    let is_locked = SecureBits::of(credentials).contains(SecureBits::NO_CAP_AMBIENT_RAISE);
    if is_locked || credentials.permitted & credentials.inheritable & capability == 0 {
        return Err(Errno::EPERM);
    }
    credentials.ambient |= capability;
    Ok(())
}

/// Takes a capability from the ambient set.
///
/// # Errors
/// EINVAL for one that does not exist.
pub fn lower_ambient(credentials: &mut Credentials, number: u64) -> Result<(), Errno> {
    credentials.ambient &= !single(number)?;
    Ok(())
}

/// Replaces the secure bits.
///
/// # Errors
/// EPERM for bits that do not exist, locked ones, and without CAP_SETPCAP.
pub fn set_secure_bits(credentials: &mut Credentials, bits: u64) -> Result<(), Errno> {
    let old = SecureBits::of(credentials);
    let known = SecureBits::all() | SecureBits::all().locks();
    let new = u32::try_from(bits).map_err(|_| Errno::EPERM)?;
    let new = SecureBits::from_bits_retain(new);
    let held = old & SecureBits::all().locks();
    let locked = SecureBits::from_bits_retain(held.bits() >> 1);
    let is_allowed = !(old ^ new).intersects(locked)
        && new.contains(held)
        && known.contains(new)
        && credentials.capable(Capability::Setpcap);
    if !is_allowed {
        return Err(Errno::EPERM);
    }
    credentials.securebits = new.bits();
    Ok(())
}

/// Sets whether leaving user 0 keeps permitted capabilities, until the next execve.
///
/// # Errors
/// EPERM when that is locked.
pub fn set_keep_capabilities(credentials: &mut Credentials, keep: bool) -> Result<(), Errno> {
    let mut bits = SecureBits::of(credentials);
    if bits.contains(SecureBits::KEEP_CAPS.locks()) {
        return Err(Errno::EPERM);
    }
    bits.set(SecureBits::KEEP_CAPS, keep);
    credentials.securebits = bits.bits();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KILL: u64 = Capability::Kill.bit();
    const CHOWN: u64 = Capability::Chown.bit();

    #[test]
    fn permitted_capabilities_never_come_back() {
        let mut root = Credentials::root();
        let sets = Sets {
            effective: KILL,
            permitted: KILL | CHOWN,
            inheritable: 0,
        };
        set(&mut root, sets).unwrap();
        assert_eq!(Sets::of(&root), sets);
        let more = Sets {
            permitted: Capability::ALL,
            ..sets
        };
        assert_eq!(set(&mut root, more), Err(Errno::EPERM));
        let beyond = Sets {
            effective: CHOWN,
            permitted: KILL,
            inheritable: 0,
        };
        assert_eq!(set(&mut root, beyond), Err(Errno::EPERM));
        // Without CAP_SETPCAP the inheritable set takes only what is permitted.
        let inherit = |inheritable| Sets { inheritable, ..sets };
        assert_eq!(set(&mut root, inherit(CHOWN)), Ok(()));
        assert_eq!(
            set(&mut root, inherit(Capability::SysBoot.bit())),
            Err(Errno::EPERM)
        );
    }

    #[test]
    fn the_ambient_set_follows_the_others() {
        let mut root = Credentials::root();
        let kill = u64::from(Capability::Kill as u8);
        assert_eq!(raise_ambient(&mut root, kill), Err(Errno::EPERM));
        let sets = Sets {
            inheritable: KILL,
            ..Sets::of(&root)
        };
        set(&mut root, sets).unwrap();
        raise_ambient(&mut root, kill).unwrap();
        assert_eq!(is_ambient(&root, kill), Ok(true));
        set(
            &mut root,
            Sets {
                inheritable: 0,
                ..sets
            },
        )
        .unwrap();
        assert_eq!(is_ambient(&root, kill), Ok(false));
        assert_eq!(is_ambient(&root, 41), Err(Errno::EINVAL));
        assert_eq!(is_ambient(&root, 1 << 40), Err(Errno::EINVAL));
    }

    #[test]
    fn locks_hold() {
        let mut root = Credentials::root();
        let lock = u64::from(SecureBits::NOROOT.locks().bits());
        assert_eq!(set_secure_bits(&mut root, 1 << 30), Err(Errno::EPERM));
        assert_eq!(set_secure_bits(&mut root, lock), Ok(()));
        assert_eq!(set_secure_bits(&mut root, lock | 1), Err(Errno::EPERM));
        assert_eq!(set_secure_bits(&mut root, 0), Err(Errno::EPERM));
        let keep = u64::from(SecureBits::KEEP_CAPS.locks().bits());
        assert_eq!(set_secure_bits(&mut root, lock | keep), Ok(()));
        assert_eq!(set_keep_capabilities(&mut root, true), Err(Errno::EPERM));
    }

    #[test]
    fn the_bounding_set_only_shrinks() {
        let mut root = Credentials::root();
        assert_eq!(is_bounding(&root, 0), Ok(true));
        drop_bounding(&mut root, 0).unwrap();
        assert_eq!(is_bounding(&root, 0), Ok(false));
        let mut user = Credentials::user(1, 1);
        assert_eq!(drop_bounding(&mut user, 99), Err(Errno::EPERM));
        assert_eq!(drop_bounding(&mut root, 99), Err(Errno::EINVAL));
    }
}
