//! The kernel's random number generator: ChaCha20 with a key that is replaced whenever it was used, so that what
//! was given out cannot be computed from what is in memory later.
//!
//! One use of the key makes more than most requests ask for: the rest waits in a [`Pool`] for the next ones.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sync::{Rank, SpinLock};

/// Bytes of the generator's key.
pub const KEY_BYTES: usize = 32;
/// Uses of the key after which the source of the seed is asked again.
const RESEED_INTERVAL: u32 = 1 << 16;
/// What ChaCha20 makes at a time, in 4 blocks, without the next key.
const POOL_BYTES: usize = 4 * 64 - KEY_BYTES;

struct Generator {
    key: [u8; KEY_BYTES],
    uses: u32,
    pool: Pool,
    seed: Option<fn(&mut [u8])>,
}

static GENERATOR: SpinLock<Generator> = SpinLock::new(
    Rank::Device,
    Generator {
        key: [0; KEY_BYTES],
        uses: 0,
        pool: Pool::EMPTY,
        seed: None,
    },
);

/// Random bytes that nobody has had yet, at the end; the others are zero.
struct Pool {
    bytes: [u8; POOL_BYTES],
    left: usize,
}

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
    if bytes.len() > POOL_BYTES {
        let mut stream = generator.use_key();
        drop(generator);
        return stream.fill_bytes(bytes);
    }
    if bytes.len() > generator.pool.left {
        let mut stream = generator.use_key();
        generator.pool.refill(&mut stream);
    }
    generator.pool.take(bytes);
}

/// Mixes bytes into the state; nobody can make it worse by what they choose.
pub fn stir(bytes: &[u8]) {
    GENERATOR.lock().stir(bytes);
}

impl Pool {
    const EMPTY: Self = Self {
        bytes: [0; POOL_BYTES],
        left: 0,
    };

    fn refill(&mut self, stream: &mut ChaCha20Rng) {
        stream.fill_bytes(&mut self.bytes);
        self.left = POOL_BYTES;
    }

    /// Moves bytes out of the pool, which holds enough.
    fn take(&mut self, out: &mut [u8]) {
        let start = POOL_BYTES - self.left;
        let taken = &mut self.bytes[start..start + out.len()];
        out.copy_from_slice(taken);
        taken.fill(0);
        self.left -= out.len();
    }
}

impl Generator {
    /// Returns the key's stream behind its first bytes, which are the next key.
    fn use_key(&mut self) -> ChaCha20Rng {
        self.uses += 1;
        if self.uses >= RESEED_INTERVAL {
            self.reseed();
        }
        let mut stream = ChaCha20Rng::from_seed(self.key);
        stream.fill_bytes(&mut self.key);
        stream
    }

    fn reseed(&mut self) {
        self.uses = 0;
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
        // What was made before does not know of these bytes.
        self.pool = Pool::EMPTY;
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
        let (mut third, mut long) = ([0; 100], [0; 1000]);
        fill(&mut third);
        fill(&mut long);
        assert_ne!(second, third);
        assert_ne!(long[..100], third);
        assert!(long[990..].iter().any(|&byte| byte != 0));
    }

    #[test]
    fn what_was_given_out_is_not_kept() {
        let mut pool = Pool::EMPTY;
        pool.refill(&mut ChaCha20Rng::from_seed([1; KEY_BYTES]));
        let (all, mut out) = (pool.bytes, [0; 100]);
        pool.take(&mut out[..60]);
        pool.take(&mut out[60..]);
        assert_eq!(out, all[..100]);
        assert!(pool.bytes[..100].iter().all(|&byte| byte == 0));
        assert_eq!((pool.left, &pool.bytes[100..]), (POOL_BYTES - 100, &all[100..]));
    }

    #[test]
    fn stirring_changes_the_state() {
        let state = |bytes: &[u8]| {
            let mut generator = Generator {
                key: [1; KEY_BYTES],
                uses: 0,
                pool: Pool::EMPTY,
                seed: None,
            };
            generator.stir(bytes);
            generator.key
        };
        assert_ne!(state(b"a"), state(b"b"));
        assert_ne!(state(&[0; 32]), [1; KEY_BYTES]);
    }
}
