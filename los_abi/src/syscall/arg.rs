//! Arguments of system calls: what one register holds, and how it is read, written and shown.
//!
//! Pointers from user space are allegations. [`UserPtr`], [`UserSlice`] and [`UserCStr`] carry an address
//! and a type and cannot be dereferenced; the kernel's memory management turns them into data, or into
//! EFAULT. All are plain 64-bit words, so arrays of them (such as `argv`) can be read from user memory.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A value that travels in one register of a system call.
pub trait Arg: Sized {
    /// Reads the value from its register. Every bit pattern is a value; the bits above a narrow type are
    /// dropped, as the C prototypes of Linux do.
    fn decode(raw: u64) -> Self;

    /// Returns the register that holds this value.
    fn encode(self) -> u64;

    /// Shows the value as strace would.
    ///
    /// # Errors
    /// Only those of the formatter.
    fn format(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// Number of an open file of the calling process.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    Default,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
#[repr(transparent)]
pub struct Fd(pub i32);

impl Fd {
    /// `AT_FDCWD`: stands for the working directory in the `*at` calls.
    pub const CWD: Self = Self(-100);
}

/// Address of a `T` in user space, not yet checked in any way.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct UserPtr<T> {
    address: u64,
    pointee: PhantomData<T>,
}

impl<T> UserPtr<T> {
    /// The null pointer.
    pub const NULL: Self = Self::new(0);

    /// Wraps an address.
    pub const fn new(address: u64) -> Self {
        Self {
            address,
            pointee: PhantomData,
        }
    }

    /// Returns the address.
    pub const fn addr(self) -> u64 {
        self.address
    }

    /// Tells whether the address is zero.
    pub const fn is_null(self) -> bool {
        self.address == 0
    }

    /// Reads the address as that of another type.
    pub const fn cast<U>(self) -> UserPtr<U> {
        UserPtr::new(self.address)
    }

    /// Returns the address `count` elements further on, or `None` where that overflows.
    pub const fn offset_elements(self, count: usize) -> Option<Self> {
        let Some(bytes) = count.checked_mul(size_of::<T>()) else {
            return None;
        };
        self.offset_bytes(bytes)
    }

    /// Returns the address `bytes` further on, or `None` where that overflows.
    pub const fn offset_bytes(self, bytes: usize) -> Option<Self> {
        match self.address.checked_add(bytes as u64) {
            Some(address) => Some(Self::new(address)),
            None => None,
        }
    }
}

// Written by hand because derives would ask the same of `T`, which is never there.
impl<T> Clone for UserPtr<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for UserPtr<T> {}
impl<T> PartialEq for UserPtr<T> {
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address
    }
}
impl<T> Eq for UserPtr<T> {}
impl<T> Hash for UserPtr<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.address.hash(state);
    }
}
impl<T> Default for UserPtr<T> {
    fn default() -> Self {
        Self::NULL
    }
}
impl<T> fmt::Debug for UserPtr<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        format_address(self.address, f)
    }
}

/// Address and length of an array of `T` in user space, not yet checked in any way.
pub struct UserSlice<T> {
    /// Address of the first element.
    pub ptr: UserPtr<T>,
    /// Number of elements.
    pub len: usize,
}

impl<T> UserSlice<T> {
    /// Joins an address and a number of elements.
    pub const fn new(ptr: UserPtr<T>, len: usize) -> Self {
        Self { ptr, len }
    }

    /// Returns the size of the whole array, or `None` where that overflows.
    pub const fn byte_len(self) -> Option<usize> {
        self.len.checked_mul(size_of::<T>())
    }
}

impl<T> Clone for UserSlice<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for UserSlice<T> {}
impl<T> fmt::Debug for UserSlice<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}[{}]", self.ptr, self.len)
    }
}

/// Address of a NUL-terminated string in user space, not yet checked in any way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct UserCStr(u64);

impl UserCStr {
    /// Wraps an address.
    pub const fn new(address: u64) -> Self {
        Self(address)
    }

    /// Returns the address.
    pub const fn addr(self) -> u64 {
        self.0
    }

    /// Tells whether the address is zero.
    pub const fn is_null(self) -> bool {
        self.0 == 0
    }

    /// Returns the address of the first byte.
    pub const fn as_ptr(self) -> UserPtr<u8> {
        UserPtr::new(self.0)
    }
}

impl fmt::Debug for UserCStr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        format_address(self.0, f)
    }
}

fn format_address(address: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if address == 0 {
        f.write_str("NULL")
    } else {
        write!(f, "{address:#x}")
    }
}

/// Implements [`Arg`] for integers by the conversions that C makes between them and a register.
macro_rules! integer_args {
    ($($type:ty: $raw:ident => $decode:expr, $value:ident => $encode:expr;)*) => {
        $(impl Arg for $type {
            fn decode($raw: u64) -> Self {
                $decode
            }

            fn encode(self) -> u64 {
                let $value = self;
                $encode
            }

            fn format(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        })*
    };
}

integer_args! {
    i32: raw => (raw as u32).cast_signed(), value => i64::from(value).cast_unsigned();
    u32: raw => raw as u32, value => u64::from(value);
    i64: raw => raw.cast_signed(), value => value.cast_unsigned();
    u64: raw => raw, value => value;
    usize: raw => raw as usize, value => value as u64;
}

impl Arg for Fd {
    fn decode(raw: u64) -> Self {
        Self(i32::decode(raw))
    }

    fn encode(self) -> u64 {
        self.0.encode()
    }

    fn format(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::CWD {
            f.write_str("AT_FDCWD")
        } else {
            self.0.format(f)
        }
    }
}

impl<T> Arg for UserPtr<T> {
    fn decode(raw: u64) -> Self {
        Self::new(raw)
    }

    fn encode(self) -> u64 {
        self.addr()
    }

    fn format(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Arg for UserCStr {
    fn decode(raw: u64) -> Self {
        Self::new(raw)
    }

    fn encode(self) -> u64 {
        self.addr()
    }

    fn format(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{Arg, Fd, UserCStr, UserPtr, UserSlice};
    use crate::fs::AtFlags;
    use proptest::prelude::*;

    fn round_trips<A: Arg + PartialEq + Copy + std::fmt::Debug>(value: A) {
        assert_eq!(A::decode(value.encode()), value);
    }

    proptest! {
        #[test]
        fn every_register_decodes_and_round_trips(raw in any::<u64>()) {
            round_trips(i32::decode(raw));
            round_trips(u32::decode(raw));
            round_trips(i64::decode(raw));
            round_trips(u64::decode(raw));
            round_trips(usize::decode(raw));
            round_trips(Fd::decode(raw));
            round_trips(UserPtr::<u32>::decode(raw));
            round_trips(UserCStr::decode(raw));
            round_trips(AtFlags::decode(raw));
            prop_assert_eq!(UserPtr::<u32>::decode(raw).encode(), raw);
            prop_assert_eq!(AtFlags::decode(raw).bits(), raw as u32);
        }
    }

    #[test]
    fn narrow_types_ignore_the_upper_half() {
        assert_eq!(i32::decode(0xdead_beef_ffff_ffff), -1);
        assert_eq!(Fd::decode(0xffff_ff9c), Fd::CWD);
        assert_eq!(Fd::decode((-100_i64).cast_unsigned()), Fd::CWD);
        assert_eq!(u32::decode(1 << 32), 0);
    }

    #[test]
    fn pointers_never_wrap() {
        let pointer = UserPtr::<u64>::new(u64::MAX - 15);
        assert_eq!(pointer.offset_elements(1), Some(UserPtr::new(u64::MAX - 7)));
        assert_eq!(pointer.offset_elements(2), None);
        assert_eq!(UserPtr::<u64>::NULL.offset_elements(usize::MAX), None);
        assert_eq!(UserSlice::new(pointer, 3).byte_len(), Some(24));
        assert_eq!(UserSlice::new(pointer, usize::MAX).byte_len(), None);
    }
}
