//! The sum of the traits.

use hal::Arch;

use crate::X86_64;

impl Arch for X86_64 {
    type Abi = los_abi::isa::x86_64::Abi;
}
