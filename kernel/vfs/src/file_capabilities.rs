//! Capabilities that a program's file has (capabilities(7), "File capabilities"): what the attribute
//! `security.capability` holds.

use los_abi::credentials::{
    VFS_CAP_FLAGS_EFFECTIVE, VFS_CAP_REVISION_1, VFS_CAP_REVISION_2, VFS_CAP_REVISION_3,
    VFS_CAP_REVISION_MASK,
};
use los_abi::errno::Errno;

use crate::credentials::Capability;

/// Name of the attribute.
pub const NAME: &[u8] = b"security.capability";
/// Bytes of the first revision: its head, and both sets of 32 bits.
const REVISION_1_BYTES: usize = 12;
/// Bytes of the second revision: its head, and two halves of both sets.
pub(crate) const REVISION_2_BYTES: usize = 20;
/// Bytes of the third revision: the second, and the user that is root where the file counts.
const REVISION_3_BYTES: usize = 24;
/// A user number that nobody has.
const NOBODY: u32 = u32::MAX;

/// What a file adds to and keeps of who executes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileCapabilities {
    /// Capabilities that the program gets.
    pub permitted: u64,
    /// Capabilities that the program gets if they are inheritable for its caller.
    pub inheritable: u64,
    /// Whether they are in force at once.
    pub is_effective: bool,
}

/// The form of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    First,
    Second,
    Third { root: u32 },
}

impl FileCapabilities {
    /// Reads the attribute; nothing for a file whose capabilities count for another root user only.
    ///
    /// # Errors
    /// EINVAL.
    pub fn parse(value: &[u8]) -> Result<Option<Self>, Errno> {
        let form = Form::of(value)?;
        if matches!(form, Form::Third { root } if root != 0) {
            return Ok(None);
        }
        let halves = if form == Form::First { 1 } else { 2 };
        // Head, then permitted and inheritable of the low half, then of the high one.
        let set = |first: usize| {
            let half = |half: usize| u64::from(word(value, first + 2 * half).unwrap_or(0)) << (32 * half);
            (0..halves).map(half).fold(0, |set, half| set | half) & Capability::ALL
        };
        Ok(Some(Self {
            permitted: set(1),
            inheritable: set(2),
            is_effective: word(value, 0).unwrap_or(0) & VFS_CAP_FLAGS_EFFECTIVE != 0,
        }))
    }
}

impl Form {
    fn of(value: &[u8]) -> Result<Self, Errno> {
        let head = word(value, 0).ok_or(Errno::EINVAL)?;
        match (head & VFS_CAP_REVISION_MASK, value.len()) {
            (VFS_CAP_REVISION_1, REVISION_1_BYTES) => Ok(Self::First),
            (VFS_CAP_REVISION_2, REVISION_2_BYTES) => Ok(Self::Second),
            (VFS_CAP_REVISION_3, REVISION_3_BYTES) => {
                let root = word(value, 5).ok_or(Errno::EINVAL)?;
                Ok(Self::Third { root })
            }
            _ => Err(Errno::EINVAL),
        }
    }

    /// Recognises a value that a program may set or see: not the first form, and no unknown flags.
    fn of_attribute(value: &[u8]) -> Result<Self, Errno> {
        let head = word(value, 0).ok_or(Errno::EINVAL)?;
        match Self::of(value)? {
            Self::First => Err(Errno::EINVAL),
            _ if head & !VFS_CAP_REVISION_MASK & !VFS_CAP_FLAGS_EFFECTIVE != 0 => Err(Errno::EINVAL),
            form => Ok(form),
        }
    }
}

/// Checks a value to be set; `may_set` says whether the caller has CAP_SETFCAP.
///
/// # Errors
/// EINVAL for what is none; EPERM.
pub(crate) fn check(value: &[u8], may_set: bool) -> Result<(), Errno> {
    let form = Form::of_attribute(value)?;
    if !may_set {
        return Err(Errno::EPERM);
    }
    match form {
        Form::Third { root: NOBODY } => Err(Errno::EINVAL),
        _ => Ok(()),
    }
}

/// Turns a stored value into the one that getxattr(2) tells: where root is the file's root, the form without it.
///
/// # Errors
/// EINVAL for what is none.
pub(crate) fn show(value: &mut alloc::vec::Vec<u8>) -> Result<(), Errno> {
    if Form::of_attribute(value)? == (Form::Third { root: 0 }) {
        let flags = word(value, 0).unwrap_or(0) & VFS_CAP_FLAGS_EFFECTIVE;
        value.truncate(REVISION_2_BYTES);
        value[..4].copy_from_slice(&(VFS_CAP_REVISION_2 | flags).to_le_bytes());
    }
    Ok(())
}

/// Reads a word, which is little-endian on every machine.
fn word(value: &[u8], index: usize) -> Option<u32> {
    let bytes = value.get(4 * index..4 * index + 4)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn value(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn all_revisions_are_read() {
        let first = value(&[VFS_CAP_REVISION_1, 1 << 5, 1 << 6]);
        let second = value(&[VFS_CAP_REVISION_2 | 1, 1 << 10, 2, 1 << 8, u32::MAX]);
        let third = value(&[VFS_CAP_REVISION_3, 1, 2, 0, 0, 0]);
        let read = |value: &[u8]| FileCapabilities::parse(value).unwrap().unwrap();
        assert_eq!(
            read(&first),
            FileCapabilities {
                permitted: 1 << 5,
                inheritable: 1 << 6,
                is_effective: false,
            }
        );
        assert_eq!(
            read(&second),
            FileCapabilities {
                permitted: 1 << 10 | 1 << 40,
                inheritable: 2 | (Capability::ALL >> 32 << 32),
                is_effective: true,
            }
        );
        assert_eq!((read(&third).permitted, read(&third).inheritable), (1, 2));
    }

    #[test]
    fn another_root_does_not_count() {
        let other = value(&[VFS_CAP_REVISION_3, 1, 2, 0, 0, 1000]);
        assert_eq!(FileCapabilities::parse(&other), Ok(None));
    }

    #[test]
    fn sizes_belong_to_revisions() {
        for words in [
            &[][..],
            &[VFS_CAP_REVISION_1, 1],
            &[VFS_CAP_REVISION_2, 1, 2, 3],
            &[VFS_CAP_REVISION_3, 1, 2, 3, 4],
            &[0, 1, 2, 3, 4],
        ] {
            assert_eq!(FileCapabilities::parse(&value(words)), Err(Errno::EINVAL));
        }
        assert_eq!(FileCapabilities::parse(b"abc"), Err(Errno::EINVAL));
    }

    #[test]
    fn values_are_checked_before_the_right_to_set_them() {
        let second = value(&[VFS_CAP_REVISION_2, 0, 0, 0, 0]);
        assert_eq!(check(&second, true), Ok(()));
        assert_eq!(check(&second, false), Err(Errno::EPERM));
        assert_eq!(check(&second[..19], false), Err(Errno::EINVAL));
        let first = value(&[VFS_CAP_REVISION_1, 0, 0]);
        assert_eq!(check(&first, true), Err(Errno::EINVAL));
        let flags = value(&[VFS_CAP_REVISION_2 | 2, 0, 0, 0, 0]);
        assert_eq!(check(&flags, true), Err(Errno::EINVAL));
        let nobodys = value(&[VFS_CAP_REVISION_3, 0, 0, 0, 0, u32::MAX]);
        assert_eq!(check(&nobodys, true), Err(Errno::EINVAL));
    }

    #[test]
    fn a_root_that_is_root_is_not_told() {
        let mut own = value(&[VFS_CAP_REVISION_3 | 1, 1, 2, 3, 4, 0]);
        show(&mut own).unwrap();
        assert_eq!(own, value(&[VFS_CAP_REVISION_2 | 1, 1, 2, 3, 4]));
        let others = value(&[VFS_CAP_REVISION_3, 1, 2, 3, 4, 7]);
        let mut shown = others.clone();
        show(&mut shown).unwrap();
        assert_eq!(shown, others);
    }
}
