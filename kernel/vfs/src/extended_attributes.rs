//! Extended attributes of an inode that lives in memory (xattr(7)): a part for file systems to build theirs with.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};

use los_abi::errno::Errno;
use los_abi::fs::XattrFlags;
use sync::{Mutex, Rank};

use crate::file_capabilities;

/// Names with values, in the order of the names.
#[derive(Debug)]
pub struct ExtendedAttributes {
    list: Mutex<Vec<Attribute>>,
    /// Whether one of them is the file's capabilities, which every write asks for.
    has_capabilities: AtomicBool,
}

#[derive(Debug)]
struct Attribute {
    name: Box<[u8]>,
    value: Box<[u8]>,
}

impl Default for ExtendedAttributes {
    fn default() -> Self {
        Self::new()
    }
}

impl ExtendedAttributes {
    /// Starts with none.
    pub const fn new() -> Self {
        Self {
            list: Mutex::new(Rank::InodeNested, Vec::new()),
            has_capabilities: AtomicBool::new(false),
        }
    }

    /// Returns a value.
    ///
    /// # Errors
    /// ENODATA; ENOMEM.
    pub fn get(&self, name: &[u8]) -> Result<Vec<u8>, Errno> {
        let list = self.list.lock();
        let at = position(&list, name).map_err(|_| Errno::ENODATA)?;
        let mut value = Vec::new();
        value
            .try_reserve_exact(list[at].value.len())
            .map_err(|_| Errno::ENOMEM)?;
        value.extend_from_slice(&list[at].value);
        Ok(value)
    }

    /// Sets a value, and returns the length of the one that was there.
    ///
    /// # Errors
    /// EEXIST and ENODATA as the flags want; ENOMEM.
    pub fn set(&self, name: &[u8], value: &[u8], flags: XattrFlags) -> Result<Option<usize>, Errno> {
        let value = copy(value)?;
        let mut list = self.list.lock();
        match position(&list, name) {
            Ok(_) if flags.contains(XattrFlags::CREATE) => Err(Errno::EEXIST),
            Ok(at) => {
                let old = core::mem::replace(&mut list[at].value, value);
                Ok(Some(old.len()))
            }
            Err(_) if flags.contains(XattrFlags::REPLACE) => Err(Errno::ENODATA),
            Err(at) => {
                list.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                let name = copy(name)?;
                if *name == *file_capabilities::NAME {
                    self.has_capabilities.store(true, Ordering::Relaxed);
                }
                list.insert(at, Attribute { name, value });
                Ok(None)
            }
        }
    }

    /// Removes an attribute, and returns the length of its value.
    ///
    /// # Errors
    /// ENODATA.
    pub fn remove(&self, name: &[u8]) -> Result<usize, Errno> {
        let mut list = self.list.lock();
        let at = position(&list, name).map_err(|_| Errno::ENODATA)?;
        let gone = list.remove(at);
        if *name == *file_capabilities::NAME {
            self.has_capabilities.store(false, Ordering::Relaxed);
        }
        Ok(gone.value.len())
    }

    /// Shows the names, in order.
    pub fn names(&self, visit: &mut dyn FnMut(&[u8])) {
        self.list
            .lock()
            .iter()
            .for_each(|attribute| visit(&attribute.name));
    }

    /// Tells whether the file has capabilities.
    #[inline]
    pub fn has_capabilities(&self) -> bool {
        self.has_capabilities.load(Ordering::Relaxed)
    }

    /// Returns the length of each name and value, for who is about to drop them.
    pub fn lengths(&mut self) -> impl Iterator<Item = (usize, usize)> {
        self.list
            .get_mut()
            .iter()
            .map(|attribute| (attribute.name.len(), attribute.value.len()))
    }
}

/// Finds an attribute, or where it belongs.
fn position(list: &[Attribute], name: &[u8]) -> Result<usize, usize> {
    list.binary_search_by(|attribute| (*attribute.name).cmp(name))
}

/// Copies bytes whose number a program chose.
fn copy(bytes: &[u8]) -> Result<Box<[u8]>, Errno> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len()).map_err(|_| Errno::ENOMEM)?;
    copy.extend_from_slice(bytes);
    Ok(copy.into_boxed_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: XattrFlags = XattrFlags::empty();

    #[test]
    fn flags_decide_on_what_exists() {
        let attributes = ExtendedAttributes::new();
        let set = |value: &[u8], flags| attributes.set(b"user.a", value, flags);
        assert_eq!(set(b"1", XattrFlags::REPLACE), Err(Errno::ENODATA));
        assert_eq!(set(b"1", XattrFlags::CREATE), Ok(None));
        assert_eq!(set(b"22", XattrFlags::CREATE), Err(Errno::EEXIST));
        assert_eq!(set(b"333", XattrFlags::REPLACE), Ok(Some(1)));
        assert_eq!(set(b"", ANY), Ok(Some(3)));
        assert_eq!(attributes.get(b"user.a"), Ok(Vec::new()));
        assert_eq!(attributes.remove(b"user.a"), Ok(0));
        assert_eq!(attributes.remove(b"user.a"), Err(Errno::ENODATA));
        assert_eq!(attributes.get(b"user.a"), Err(Errno::ENODATA));
    }

    #[test]
    fn names_come_in_order() {
        let attributes = ExtendedAttributes::new();
        for name in [&b"user.b"[..], b"trusted.z", b"user.a", b"user"] {
            attributes.set(name, b"x", ANY).unwrap();
        }
        let mut all = Vec::new();
        attributes.names(&mut |name| all.push(name.to_vec()));
        assert_eq!(all, [&b"trusted.z"[..], b"user", b"user.a", b"user.b"]);
    }

    #[test]
    fn capabilities_are_known_at_once() {
        let attributes = ExtendedAttributes::new();
        attributes.set(b"security.other", b"x", ANY).unwrap();
        assert!(!attributes.has_capabilities());
        attributes.set(file_capabilities::NAME, b"x", ANY).unwrap();
        assert!(attributes.has_capabilities());
        attributes.remove(file_capabilities::NAME).unwrap();
        assert!(!attributes.has_capabilities());
    }
}
