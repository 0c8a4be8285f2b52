//! NUL-terminated copies of byte strings, as system calls take them.

use alloc::vec::Vec;

use los_abi::syscall::{UserCStr, UserPtr};

use crate::{Errno, Result};

/// A string with a NUL at its end and none before it.
pub(crate) struct CString(Vec<u8>);

impl CString {
    /// Copies the text.
    ///
    /// # Errors
    /// EINVAL when it holds a NUL, since no such path or argument can exist.
    pub(crate) fn new(text: &[u8]) -> Result<Self> {
        if text.contains(&0) {
            return Err(Errno::EINVAL);
        }
        let mut bytes = Vec::with_capacity(text.len() + 1);
        bytes.extend_from_slice(text);
        bytes.push(0);
        Ok(Self(bytes))
    }

    /// Returns the address, valid while the string lives.
    pub(crate) fn as_user(&self) -> UserCStr {
        UserCStr::new(self.0.as_ptr() as u64)
    }
}

/// Strings and the null-terminated array of their addresses: `argv` and `envp`.
pub(crate) struct CStringArray {
    addresses: Vec<u64>,
    _strings: Vec<CString>,
}

impl CStringArray {
    /// Copies the texts.
    ///
    /// # Errors
    /// EINVAL when one holds a NUL.
    pub(crate) fn new(texts: &[Vec<u8>]) -> Result<Self> {
        let strings: Vec<CString> = texts
            .iter()
            .map(|text| CString::new(text))
            .collect::<Result<_>>()?;
        let ends = core::iter::once(0);
        let addresses = strings
            .iter()
            .map(|string| string.as_user().addr())
            .chain(ends)
            .collect();
        Ok(Self {
            addresses,
            _strings: strings,
        })
    }

    /// Returns the address, valid while the array lives.
    pub(crate) fn as_user(&self) -> UserPtr<UserCStr> {
        UserPtr::new(self.addresses.as_ptr() as u64)
    }
}
