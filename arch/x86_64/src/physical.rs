//! Reading structures that firmware left in physical memory, as a closure so that tests can fake it. Pure.

/// Fills the buffer from a physical address; false when not all of it is accessible.
pub(crate) trait ReadPhysical: Fn(u64, &mut [u8]) -> bool {}
impl<F: Fn(u64, &mut [u8]) -> bool> ReadPhysical for F {}

/// Reads `N` bytes at `base + offset`.
pub(crate) fn read_bytes<const N: usize>(
    read: &impl ReadPhysical,
    base: u64,
    offset: u64,
) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    read(base.checked_add(offset)?, &mut bytes).then_some(bytes)
}

/// Reads a byte.
pub(crate) fn read_u8(read: &impl ReadPhysical, base: u64, offset: u64) -> Option<u8> {
    read_bytes::<1>(read, base, offset).map(|[byte]| byte)
}

/// Reads a little-endian 16-bit word.
pub(crate) fn read_u16(read: &impl ReadPhysical, base: u64, offset: u64) -> Option<u16> {
    read_bytes(read, base, offset).map(u16::from_le_bytes)
}

/// Reads a little-endian 32-bit word.
pub(crate) fn read_u32(read: &impl ReadPhysical, base: u64, offset: u64) -> Option<u32> {
    read_bytes(read, base, offset).map(u32::from_le_bytes)
}

/// Reads a little-endian 64-bit word.
pub(crate) fn read_u64(read: &impl ReadPhysical, base: u64, offset: u64) -> Option<u64> {
    read_bytes(read, base, offset).map(u64::from_le_bytes)
}

#[cfg(test)]
pub(crate) mod fake {
    //! Physical memory in a vector.

    extern crate std;

    use super::ReadPhysical;
    use std::vec::Vec;

    /// Memory that starts at `base` and ends with the vector.
    pub(crate) fn reader(base: u64, memory: Vec<u8>) -> impl ReadPhysical {
        move |address: u64, bytes: &mut [u8]| {
            let Some(start) = address.checked_sub(base) else {
                return false;
            };
            let start = usize::try_from(start).unwrap();
            let source = memory.get(start..start.saturating_add(bytes.len()));
            source.is_some_and(|source| {
                bytes.copy_from_slice(source);
                true
            })
        }
    }
}
