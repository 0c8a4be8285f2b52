//! Argument and environment strings on their way from one program to the next.

use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::syscall::{UserCStr, UserPtr};
use mm::AddressSpace;

/// Longest single string with its NUL (MAX_ARG_STRLEN).
const STRING_MAX_BYTES: usize = 32 * 4096;
/// Bytes that all strings may take whatever the stack limit is (ARG_MAX).
const TOTAL_MIN_BYTES: u64 = 128 * 1024;
/// Bytes that all strings may take at most: three quarters of the default stack.
const TOTAL_MAX_BYTES: u64 = 6 << 20;
/// What each string costs beside its bytes: its pointer.
const POINTER_BYTES: usize = 8;

/// A list of NUL-terminated strings, one behind the other.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StringList {
    bytes: Vec<u8>,
    count: usize,
}

/// What the strings of one execve may still take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget(usize);

impl Budget {
    /// Returns the budget under a stack limit: a quarter of it, within bounds (execve(2), E2BIG).
    pub fn new(stack_limit: u64) -> Self {
        Self((stack_limit / 4).clamp(TOTAL_MIN_BYTES, TOTAL_MAX_BYTES) as usize)
    }

    fn spend(&mut self, string: &[u8]) -> Result<(), Errno> {
        let cost = string.len() + 1 + POINTER_BYTES;
        self.0 = self.0.checked_sub(cost).ok_or(Errno::E2BIG)?;
        Ok(())
    }
}

impl StringList {
    /// Makes an empty list.
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            count: 0,
        }
    }

    /// Copies strings of the kernel.
    ///
    /// # Errors
    /// E2BIG; ENOMEM.
    pub fn from_slices<'a>(
        strings: impl IntoIterator<Item = &'a [u8]>,
        budget: &mut Budget,
    ) -> Result<Self, Errno> {
        let mut list = Self::new();
        for string in strings {
            budget.spend(string)?;
            list.push(string)?;
        }
        Ok(list)
    }

    /// Copies a program's array of strings, which ends with a null pointer; no array is an empty one.
    ///
    /// # Errors
    /// EFAULT; E2BIG; ENOMEM.
    pub fn from_user(
        memory: &AddressSpace,
        array: UserPtr<UserCStr>,
        budget: &mut Budget,
    ) -> Result<Self, Errno> {
        let mut list = Self::new();
        if array.is_null() {
            return Ok(list);
        }
        loop {
            let place = array.offset_elements(list.count).ok_or(Errno::EFAULT)?;
            let string = memory.read(place)?;
            if string.is_null() {
                return Ok(list);
            }
            let bytes = memory.read_c_string(string, STRING_MAX_BYTES).map_err(|error| {
                if error == Errno::ENAMETOOLONG {
                    Errno::E2BIG
                } else {
                    error
                }
            })?;
            budget.spend(&bytes)?;
            list.push(&bytes)?;
        }
    }

    fn push(&mut self, string: &[u8]) -> Result<(), Errno> {
        self.bytes
            .try_reserve(string.len() + 1)
            .map_err(|_| Errno::ENOMEM)?;
        self.bytes.extend_from_slice(string);
        self.bytes.push(0);
        self.count += 1;
        Ok(())
    }

    /// Returns the number of strings.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Reports whether there is no string.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns all strings with their NULs.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Iterates over the strings without their NULs.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.split(|byte| *byte == 0).take(self.count)
    }

    /// Replaces the first string by others, as a script's interpreter does.
    ///
    /// # Errors
    /// E2BIG; ENOMEM.
    pub(crate) fn replace_first(&mut self, new: &[&[u8]], budget: &mut Budget) -> Result<(), Errno> {
        let mut list = Self::from_slices(new.iter().copied(), budget)?;
        for string in self.iter().skip(1) {
            list.push(string)?;
        }
        *self = list;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(strings: &[&[u8]]) -> StringList {
        StringList::from_slices(strings.iter().copied(), &mut Budget::new(0)).unwrap()
    }

    #[test]
    fn strings_come_back_as_they_went_in() {
        let strings: [&[u8]; 3] = [b"ls", b"", b"-l"];
        let list = list(&strings);
        assert_eq!(list.bytes(), b"ls\0\0-l\0");
        assert_eq!(list.iter().collect::<Vec<_>>(), strings);
        assert!(StringList::new().iter().next().is_none());
    }

    #[test]
    fn a_script_puts_its_interpreter_first() {
        let mut arguments = list(&[b"old", b"x"]);
        let mut budget = Budget::new(0);
        arguments
            .replace_first(&[b"/bin/sh", b"-e", b"./script"], &mut budget)
            .unwrap();
        assert_eq!(arguments, list(&[b"/bin/sh", b"-e", b"./script", b"x"]));
        let mut none = StringList::new();
        none.replace_first(&[b"/bin/sh"], &mut budget).unwrap();
        assert_eq!(none.len(), 1);
    }

    #[test]
    fn too_much_is_e2big() {
        assert_eq!(Budget::new(8 << 20), Budget(2 << 20));
        assert_eq!(Budget::new(u64::MAX), Budget(6 << 20));
        let string = alloc::vec![b'a'; 1000];
        let many = core::iter::repeat_n(&string[..], 200);
        let result = StringList::from_slices(many, &mut Budget::new(0));
        assert_eq!(result, Err(Errno::E2BIG));
    }
}
