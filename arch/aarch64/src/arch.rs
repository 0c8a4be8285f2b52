//! The sum of the contract.

use crate::Aarch64;

impl hal::Arch for Aarch64 {
    type Abi = los_abi::isa::aarch64::Abi;
}
