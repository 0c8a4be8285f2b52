//! The kernel's random number generator: ChaCha20 with a key that every request replaces, so that what was
//! given out cannot be computed from what is in memory later.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sync::{Rank, SpinLock};

/// Bytes of the generator's key.
pub const KEY_BYTES: usize = 32;
/// Requests after which the source of the seed is asked again.
const RESEED_INTERVAL: u32 = 1 << 16;

struct Generator {
    key: [u8; KEY_BYTES],
    requests: u32,
    seed: Option<fn(&mut [u8])>,
}

static GENERATOR: SpinLock<Generator> = SpinLock::new(
    Rank::Device,
    Generator {
        key: [0; KEY_BYTES],
        requests: 0,
        seed: None,
    },
);

/// Seeds the generator from `seed`, which fills its argument with what is unpredictable and is asked again
/// from time to time, and makes the generator the kernel's.
pub fn init(seed: fn(&mut [u8])) {
    let mut generator = GENERATOR.lock();
    generator.seed = Some(seed);
    generator.reseed();
    drop(generator);
    vfs::random::set_source(fill);
}

/// Fills `bytes` with random bytes.
pub fn fill(bytes: &mut [u8]) {
    let mut generator = GENERATOR.lock();
    generator.requests += 1;
    if generator.requests >= RESEED_INTERVAL {
        generator.reseed();
    }
    let mut stream = ChaCha20Rng::from_seed(generator.key);
    stream.fill_bytes(&mut generator.key);
    drop(generator);
    stream.fill_bytes(bytes);
}

/// Mixes bytes into the state; nobody can make it worse by what they choose.
pub fn stir(bytes: &[u8]) {
    GENERATOR.lock().stir(bytes);
}

impl Generator {
    fn reseed(&mut self) {
        self.requests = 0;
        if let Some(seed) = self.seed {
            let mut fresh = [0; KEY_BYTES];
            seed(&mut fresh);
            self.stir(&fresh);
        }
    }

    fn stir(&mut self, bytes: &[u8]) {
        for block in bytes.chunks(KEY_BYTES) {
            for (key, byte) in self.key.iter_mut().zip(block) {
                *key ^= byte;
            }
            let mut stream = ChaCha20Rng::from_seed(self.key);
            stream.fill_bytes(&mut self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed(bytes: &mut [u8]) {
        bytes.fill(7);
    }

    #[test]
    fn output_never_repeats_and_fills_everything() {
        init(seed);
        let (mut first, mut second) = ([0; 100], [0; 100]);
        fill(&mut first);
        vfs::random::fill(&mut second);
        assert_ne!(first, second);
        assert!(first.iter().any(|&byte| byte != 0) && first[90..].iter().any(|&byte| byte != 0));
    }

    #[test]
    fn stirring_changes_the_state() {
        let state = |bytes: &[u8]| {
            let mut generator = Generator {
                key: [1; KEY_BYTES],
                requests: 0,
                seed: None,
            };
            generator.stir(bytes);
            generator.key
        };
        assert_ne!(state(b"a"), state(b"b"));
        assert_ne!(state(&[0; 32]), [1; KEY_BYTES]);
    }
}
