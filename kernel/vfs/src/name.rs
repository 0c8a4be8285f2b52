//! Components of paths: where one ends, and its hash, in one pass over the bytes.

/// Multiplier of the hash, from the golden ratio.
const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;
const LOW_BITS: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// A component at the start of some bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Component {
    /// Number of bytes up to the slash or the end.
    pub(crate) length: usize,
    /// Hash of those bytes.
    pub(crate) hash: u64,
}

/// Measures and hashes the component at the start of `path`, eight bytes at a time.
#[inline]
pub(crate) fn component(path: &[u8]) -> Component {
    let (mut length, mut hash) = (0, 0);
    let (words, rest) = path.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        let slashes = word ^ (LOW_BITS * u64::from(b'/'));
        let found = slashes.wrapping_sub(LOW_BITS) & !slashes & HIGH_BITS;
        if found != 0 {
            let bytes = found.trailing_zeros() / 8;
            let kept = word & !(u64::MAX << (bytes * 8));
            length += bytes as usize;
            return Component {
                length,
                hash: finish(mix(hash, kept), length),
            };
        }
        hash = mix(hash, word);
        length += 8;
    }
    let mut last = 0;
    for (index, &byte) in rest.iter().enumerate() {
        if byte == b'/' {
            break;
        }
        last |= u64::from(byte) << (index * 8);
        length += 1;
    }
    Component {
        length,
        hash: finish(mix(hash, last), length),
    }
}

/// Hashes a name.
#[inline]
pub(crate) fn hash(name: &[u8]) -> u64 {
    component(name).hash
}

#[inline]
const fn mix(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(5) ^ word).wrapping_mul(MULTIPLIER)
}

/// Makes the high bits, which tell entries apart, and the low ones, which choose the place, depend on all.
#[inline]
const fn finish(hash: u64, length: usize) -> u64 {
    let hash = mix(hash, length as u64);
    hash ^ (hash >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_the_first_slash(bytes in proptest::collection::vec(prop_oneof![Just(b'/'), any::<u8>()], 0..40)) {
            let end = bytes.iter().position(|&byte| byte == b'/').unwrap_or(bytes.len());
            let found = component(&bytes);
            prop_assert_eq!(found.length, end);
            prop_assert_eq!(found.hash, hash(&bytes[..end]));
        }
    }

    #[test]
    fn similar_names_differ() {
        let names: [&[u8]; 6] = [b"", b"a", b"a\0", b"abcdefgh", b"abcdefgh\0", b"bcdefgha"];
        for (index, one) in names.iter().enumerate() {
            assert!(names[..index].iter().all(|other| hash(other) != hash(one)));
        }
    }
}
