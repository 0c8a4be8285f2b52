//! Memory for host tests: the mock machine's RAM, given to the allocator once for the whole process.

extern crate std;

use alloc::sync::Arc;
use std::sync::{Mutex, MutexGuard, PoisonError};

use los_abi::mm::{MapFlags, ProtFlags};
use los_arch::Current;
use los_arch::hal::VirtAddr;
use los_arch::hal::boot::Boot;
use los_arch::hal::paging::PageFlags;
use sync::Once;

use crate::kernel_space::{self, Segment};
use crate::{AddressSpace, MapRequest, Source, VmaKind, frames};

/// Where the mock's kernel image is mapped.
const IMAGE: VirtAddr = VirtAddr::new(0xffff_ffff_8000_0000);

/// Starts memory management on the mock; every test that uses frames calls it first.
pub fn start() {
    static STARTED: Once<()> = Once::new();
    STARTED.call_once(|| {
        // SAFETY: the mock does nothing unsafe.
        let boot = unsafe { Current::boot_info(0) };
        frames::init(&boot, &[]);
        let code = Segment {
            virt: IMAGE,
            phys: boot.kernel.start,
            bytes: boot.kernel.len() / 2,
            flags: PageFlags::READ | PageFlags::EXECUTE,
        };
        let data = Segment {
            virt: IMAGE + code.bytes,
            phys: code.phys + code.bytes,
            flags: PageFlags::READ | PageFlags::WRITE,
            ..code
        };
        kernel_space::init(&boot, &[code, data]);
    });
}

/// Starts memory management and keeps other tests that call this away until the guard is dropped: for tests
/// that count frames or use up memory.
pub fn exclusive() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    start();
    // The last test's space is still in the slot that all host threads share.
    AddressSpace::deactivate();
    turn
}

/// Makes an address space with `bytes` bytes of private memory at `address`, and activates it on this
/// host thread.
///
/// # Panics
/// When that fails.
pub fn space_with_memory(address: u64, bytes: u64) -> Arc<AddressSpace> {
    start();
    let space = AddressSpace::new().expect("memory for an address space");
    let request = MapRequest {
        address,
        length: bytes,
        protection: ProtFlags::READ | ProtFlags::WRITE,
        flags: MapFlags::PRIVATE | MapFlags::ANONYMOUS | MapFlags::FIXED,
        source: Source::Anonymous,
        kind: VmaKind::Plain,
    };
    space.map(request).expect("a place for the memory");
    space.activate();
    space
}
