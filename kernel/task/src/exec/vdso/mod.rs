//! The vDSO (vdso(7)): a shared object of one page that every program finds mapped, with the machine's code
//! for reading clocks and for returning from signal handlers, and the page of data below it.
//!
//! The file is made once, by [`shared_object`], from what the machine gives; there is no artefact of its
//! own in the build. Both pages are the same frames in all programs.

mod shared_object;
#[cfg(test)]
mod tests;

use alloc::sync::Arc;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::isa::IsaAbi;
use los_abi::mm::{MapFlags, ProtFlags};
use los_arch::hal::PAGE_SIZE;
use los_arch::hal::prelude::Vdso;
use los_arch::hal::vdso::CODE_OFFSET;
use los_arch::{Current, CurrentAbi};
use mm::{Access, AddressSpace, Frame, MapRequest, Pager, PagerError, Source, VmaKind, frames};
use sync::Once;

use super::load::find_room;

const PAGE_BYTES: u64 = PAGE_SIZE as u64;

/// Returns where signal handlers return to that name no place themselves; `None` where the machine's ABI wants
/// one, or there is no vDSO.
pub(crate) fn signal_return(space: &AddressSpace) -> Option<u64> {
    let offset = pages().ok()?.signal_return?;
    Some(space.vdso())
        .filter(|&header| header != 0)
        .map(|header| header + offset)
}

/// Maps both pages wherever there is room, and returns AT_SYSINFO_EHDR: where the ELF header is.
///
/// # Errors
/// ENOMEM.
pub(super) fn map(space: &AddressSpace) -> Result<u64, Errno> {
    let pages = pages()?;
    let data = find_room(space, 2 * PAGE_BYTES, PAGE_BYTES)?;
    let header = data + PAGE_BYTES;
    let all = ProtFlags::READ | ProtFlags::WRITE | ProtFlags::EXEC;
    map_page(space, data, &pages.data, VmaKind::Vvar, [ProtFlags::READ; 2])?;
    // Debuggers put breakpoints into a copy.
    let protections = [ProtFlags::READ | ProtFlags::EXEC, all];
    map_page(space, header, &pages.image, VmaKind::Vdso, protections)?;
    space.set_vdso(header);
    Ok(header)
}

/// Maps one page with a protection and the most that mprotect may make of it.
fn map_page(
    space: &AddressSpace,
    address: u64,
    page: &Arc<KernelPage>,
    kind: VmaKind,
    [protection, max_protection]: [ProtFlags; 2],
) -> Result<(), Errno> {
    space.map(MapRequest {
        address,
        length: PAGE_BYTES,
        protection,
        flags: MapFlags::PRIVATE | MapFlags::FIXED,
        source: Source::File {
            pager: page.clone(),
            offset: 0,
            max_protection,
        },
        kind,
    })?;
    Ok(())
}

/// What all programs share.
struct Pages {
    data: Arc<KernelPage>,
    image: Arc<KernelPage>,
    /// Offset in the image of the signal trampoline.
    signal_return: Option<u64>,
}

fn pages() -> Result<&'static Pages, Errno> {
    static PAGES: Once<Pages> = Once::new();
    if let Some(pages) = PAGES.get() {
        return Ok(pages);
    }
    let code = Current::vdso_code();
    let image = frames::allocate()?;
    image.write(0, &shared_object::build(&code, CurrentAbi::ELF_MACHINE));
    let pages = Pages {
        data: Arc::new(KernelPage(mm::vvar::page()?)),
        image: Arc::new(KernelPage(image)),
        signal_return: code
            .signal_return
            .map(|offset| CODE_OFFSET as u64 + u64::from(offset)),
    };
    Ok(PAGES.call_once(|| pages))
}

/// A frame of the kernel's as an object that can be mapped.
struct KernelPage(Frame);

impl Pager for KernelPage {
    fn page(&self, index: u64, _access: Access) -> Result<Frame, PagerError> {
        if index == 0 {
            Ok(self.0.clone())
        } else {
            Err(PagerError::BeyondEnd)
        }
    }

    fn cached(&self, index: u64) -> Option<Frame> {
        (index == 0).then(|| self.0.clone())
    }

    /// The mapping's kind has the name.
    fn name(&self) -> Vec<u8> {
        Vec::new()
    }

    fn device(&self) -> u64 {
        0
    }

    fn inode(&self) -> u64 {
        0
    }
}
