//! The page with the code that returns from signal handlers, for machines whose ABI has no restorer.
//!
//! One frame for all programs. Linux has the code in its vDSO; debuggers and unwinders know it by its two
//! instructions.

use alloc::sync::Arc;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::isa::{Isa, IsaAbi};
use los_abi::mm::{MapFlags, ProtFlags};
use los_arch::CurrentAbi;
use los_arch::hal::PAGE_SIZE;
use mm::{Access, AddressSpace, Frame, MapRequest, Pager, PagerError, Source, VmaKind, frames};
use sync::Once;

/// `mov x8, #139` (rt_sigreturn) and `svc #0`.
const TRAMPOLINE: [u32; 2] = [0xd280_1168, 0xd400_0001];

struct SignalPage(Frame);

impl Pager for SignalPage {
    fn page(&self, index: u64, _access: Access) -> Result<Frame, PagerError> {
        if index == 0 {
            Ok(self.0.clone())
        } else {
            Err(PagerError::BeyondEnd)
        }
    }

    fn name(&self) -> Vec<u8> {
        b"[sigpage]".to_vec()
    }

    fn device(&self) -> u64 {
        0
    }

    fn inode(&self) -> u64 {
        0
    }
}

/// Maps the page if the machine needs it, and returns its address or 0.
///
/// # Errors
/// ENOMEM.
pub(super) fn map(space: &AddressSpace) -> Result<u64, Errno> {
    if CurrentAbi::ISA != Isa::Aarch64 {
        return Ok(0);
    }
    let protection = ProtFlags::READ | ProtFlags::EXEC;
    space.map(MapRequest {
        address: 0,
        length: PAGE_SIZE as u64,
        protection,
        flags: MapFlags::PRIVATE,
        source: Source::File {
            pager: page()?,
            offset: 0,
            max_protection: protection,
        },
        kind: VmaKind::Vdso,
    })
}

fn page() -> Result<Arc<SignalPage>, Errno> {
    static PAGE: Once<Arc<SignalPage>> = Once::new();
    if let Some(page) = PAGE.get() {
        return Ok(page.clone());
    }
    let frame = frames::allocate()?;
    for (index, instruction) in TRAMPOLINE.iter().enumerate() {
        frame.write(index * 4, &instruction.to_le_bytes());
    }
    Ok(PAGE.call_once(|| Arc::new(SignalPage(frame))).clone())
}
