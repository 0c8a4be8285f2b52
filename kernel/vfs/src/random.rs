//! Where the upper layers get random bytes: one source, registered at start.

use sync::Once;

static SOURCE: Once<fn(&mut [u8])> = Once::new();

/// Registers the kernel's random number generator.
pub fn set_source(fill: fn(&mut [u8])) {
    SOURCE.call_once(|| fill);
}

/// Fills `bytes` with random bytes; with a counter-derived pattern before a source is registered.
pub fn fill(bytes: &mut [u8]) {
    if let Some(source) = SOURCE.get() {
        return source(bytes);
    }
    let mut state = sync::now_ns() | 1;
    for byte in bytes {
        state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        *byte = (state >> 56) as u8;
    }
}
