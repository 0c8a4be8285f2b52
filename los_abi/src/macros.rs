//! Two macros that write a family of numbers once and give it a list of its names.
//!
//! The lists let a log line show a name for a number, and let the tests compare every member of a family
//! with Linux's headers without naming it again.

/// Defines constants of one type and, under the family's name, the list of their names and values.
macro_rules! constants {
    ($($(#[$meta:meta])* $family:ident: $type:ty { $($name:ident = $value:expr, $doc:literal;)* })*) => {
        $(
            $(#[doc = $doc] pub const $name: $type = $value;)*
            $(#[$meta])*
            pub const $family: &[(&str, $type)] = &[$((stringify!($name), $name)),*];
        )*
    };
}

/// Defines types of 32-bit flags that are arguments of system calls. Unknown bits survive decoding: the
/// handler refuses them.
macro_rules! flags {
    ($($(#[$meta:meta])* $type:ident { $($name:ident = $value:expr, $doc:literal;)* })*) => {
        $(
            bitflags::bitflags! {
                $(#[$meta])*
                #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
                pub struct $type: u32 {
                    $(#[doc = $doc] const $name = $value;)*
                }
            }

            impl $crate::syscall::Arg for $type {
                fn decode(raw: u64) -> Self {
                    Self::from_bits_retain(raw as u32)
                }

                fn encode(self) -> u64 {
                    u64::from(self.bits())
                }

                fn format(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                    if self.is_empty() { f.write_str("0") } else { bitflags::parser::to_writer(self, f) }
                }
            }
        )*
    };
}

/// Defines structures that lie in memory shared with user space exactly as in Linux's headers.
///
/// Padding is named, so every byte is initialised; the default is all zeroes.
macro_rules! wire {
    ($($(#[$meta:meta])* $type:ident { $($(#[$field_meta:meta])* $field:ident: $field_type:ty,)* })*) => {
        $(
            $(#[$meta])*
            #[derive(
                Clone,
                Copy,
                Debug,
                zerocopy::FromBytes,
                zerocopy::IntoBytes,
                zerocopy::Immutable,
                zerocopy::KnownLayout,
            )]
            #[repr(C)]
            pub struct $type {
                $($(#[$field_meta])* pub $field: $field_type,)*
            }

            impl Default for $type {
                fn default() -> Self {
                    zerocopy::FromZeros::new_zeroed()
                }
            }
        )*
    };
}

pub(crate) use {constants, flags, wire};
