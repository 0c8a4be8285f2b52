//! Devices without hardware: null, zero, full, random, urandom (null(4), full(4), random(4)).

use alloc::sync::Arc;

use los_abi::errno::Errno;
use los_abi::fs::{OpenFlags, make_device};
use los_abi::syscall::UserPtr;
use mm::io::{Sink, Source};
use mm::{AnonymousPager, Pager};
use vfs::{Credentials, FileKind, FileOps, Io, IoctlContext};

use super::{Device, random, register};

/// Major number of memory devices.
const MEM_MAJOR: u32 = 1;
/// Bytes that move at a time.
const CHUNK_BYTES: usize = 256;
/// Bytes between two looks at signals.
const PIECE_BYTES: usize = 4096;
/// random(4): asks how much entropy there is, as an `int`.
const RNDGETENTCNT: u32 = 0x8004_5200;
/// What a generator that is seeded answers, in bits.
const ENTROPY_BITS: i32 = 256;

/// The devices, each also its own open file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Memory {
    /// The end of the file; swallows all.
    Null,
    /// Zeros without end; swallows all.
    Zero,
    /// Zeros without end; has no room.
    Full,
    /// Random bytes; what is written stirs the generator.
    Random,
}

/// Registers them.
///
/// # Errors
/// EEXIST when that was done before; ENOMEM.
pub(crate) fn init() -> Result<(), Errno> {
    for (name, minor, device) in [
        ("null", 3, Memory::Null),
        ("zero", 5, Memory::Zero),
        ("full", 7, Memory::Full),
        ("random", 8, Memory::Random),
        ("urandom", 9, Memory::Random),
    ] {
        register(
            name,
            FileKind::CharacterDevice,
            make_device(MEM_MAJOR, minor),
            0o666,
            Arc::new(device),
        )?;
    }
    Ok(())
}

impl Device for Memory {
    fn open(&self, _flags: OpenFlags, _credentials: &Credentials) -> sync::Result<Arc<dyn FileOps>> {
        Ok(Arc::new(*self))
    }
}

impl FileOps for Memory {
    fn ignores_seeking(&self) -> bool {
        true
    }

    fn read_at(&self, out: &mut dyn Sink, _offset: u64, _io: &Io) -> sync::Result<usize> {
        Ok(match self {
            Self::Null => 0,
            Self::Zero | Self::Full => zeros(out)?,
            Self::Random => read_random(out)?,
        })
    }

    fn write_at(&self, input: &mut dyn Source, _offset: u64, _io: &Io) -> sync::Result<usize> {
        match self {
            Self::Null | Self::Zero => Ok(input.remaining()),
            Self::Full if input.remaining() == 0 => Ok(0),
            Self::Full => Err(Errno::ENOSPC.into()),
            Self::Random => Ok(stir(input)?),
        }
    }

    fn ioctl(&self, context: &IoctlContext<'_>, request: u32, argument: u64) -> sync::Result<usize> {
        if *self != Self::Random || request != RNDGETENTCNT {
            return Err(Errno::ENOTTY.into());
        }
        context.memory.write(UserPtr::new(argument), &ENTROPY_BITS)?;
        Ok(0)
    }

    /// Each mapping of /dev/zero is new memory; a private one is what MAP_ANONYMOUS gives.
    fn pager(&self) -> Option<Arc<dyn Pager>> {
        (*self == Self::Zero).then(|| Arc::new(AnonymousPager::endless()) as Arc<dyn Pager>)
    }
}

/// Tells whether others have had their chance, and the thread need not look after anything else, signals included.
fn goes_on() -> bool {
    sync::give_way() && !sync::interrupted()
}

fn zeros(out: &mut dyn Sink) -> Result<usize, Errno> {
    let mut done = 0;
    while out.remaining() > 0 && (done == 0 || goes_on()) {
        let count = out.remaining().min(PIECE_BYTES);
        match out.put_zeros(count) {
            Ok(put) => done += put,
            Err(_) if done > 0 => break,
            Err(errno) => return Err(errno),
        }
        if !done.is_multiple_of(PIECE_BYTES) {
            break;
        }
    }
    Ok(done)
}

fn read_random(out: &mut dyn Sink) -> Result<usize, Errno> {
    let mut done = 0_usize;
    while out.remaining() > 0 && (done == 0 || !done.is_multiple_of(PIECE_BYTES) || goes_on()) {
        let mut chunk = [0; CHUNK_BYTES];
        let count = out.remaining().min(CHUNK_BYTES);
        random::fill(&mut chunk[..count]);
        match out.put(&chunk[..count]) {
            Ok(put) if put == count => done += put,
            Ok(put) => return Ok(done + put),
            Err(_) if done > 0 => break,
            Err(errno) => return Err(errno),
        }
    }
    Ok(done)
}

fn stir(input: &mut dyn Source) -> Result<usize, Errno> {
    let mut done = 0_usize;
    while input.remaining() > 0 && (done == 0 || !done.is_multiple_of(PIECE_BYTES) || goes_on()) {
        let mut chunk = [0; CHUNK_BYTES];
        match input.take(&mut chunk) {
            Ok(0) => break,
            Ok(taken) => {
                random::stir(&chunk[..taken]);
                done += taken;
            }
            Err(_) if done > 0 => break,
            Err(errno) => return Err(errno),
        }
    }
    Ok(done)
}
