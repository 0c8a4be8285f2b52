//! The PVH entry and the translation of its start info. `boot.S` has the state on entry and on exit.

use core::arch::global_asm;

use hal::boot::{Boot, BootInfo};
use hal::paging::Paging;
use hal::{PhysAddr, PhysRange};

use super::pvh::StartInfo;
use crate::X86_64;
use crate::console;
use crate::mmu::read_physical;

/// Where physical address 0 would be in the kernel's image: the linker script's and the boot tables'.
const IMAGE_BASE: u64 = 0xffff_ffff_8000_0000;
/// Firmware data and room for the code that starts other processors.
const RESERVED_LOW_BYTES: u64 = 0x1_0000;
const BOOT_STACK_BYTES: usize = 64 << 10;

global_asm!(
    include_str!("../boot.S"),
    IMAGE_BASE = const IMAGE_BASE,
    DIRECT_MAP_SLOT = const (X86_64::DIRECT_MAP_BASE >> 39) & 511,
    BOOT_STACK_BYTES = const BOOT_STACK_BYTES,
);

unsafe extern "C" {
    safe static __kernel_start: u8;
    safe static __kernel_end: u8;
}

impl Boot for X86_64 {
    unsafe fn boot_info(argument: usize) -> BootInfo {
        let mut info = BootInfo {
            protocol: "PVH",
            kernel: kernel_range(),
            ..BootInfo::default()
        };
        let Some(start) = StartInfo::read(argument as u64, &read_physical) else {
            complain(b"the loader gave no PVH start info\r\n");
            return info;
        };
        start.for_each_region(&read_physical, |range, is_ram| {
            let list = if is_ram {
                &mut info.memory
            } else {
                &mut info.reserved
            };
            if list.try_push(range).is_err() {
                complain(b"the loader's memory map is too long, a region is not used\r\n");
            }
        });
        if info.memory.is_empty() {
            complain(b"the loader gave no memory map, which PVH has since version 1\r\n");
        }
        for range in [
            PhysRange::from_start_len(0, RESERVED_LOW_BYTES),
            start.itself,
            start.command_line,
        ] {
            // A full list means a firmware map of 64 regions; what it names first matters more.
            let _ = info.reserved.try_push(range);
        }
        info.initramfs = start.initramfs;
        info.rsdp = (start.rsdp != 0).then(|| PhysAddr::new(start.rsdp));
        info.command_line = command_line(&start);
        info
    }
}

/// Returns where the image is in physical memory.
fn kernel_range() -> PhysRange {
    let [start, end] = [&raw const __kernel_start, &raw const __kernel_end]
        .map(|symbol| PhysAddr::new(symbol.addr() as u64 - IMAGE_BASE));
    PhysRange { start, end }
}

fn command_line(start: &StartInfo) -> &'static [u8] {
    let range = start.command_line;
    if range.is_empty() {
        return b"";
    }
    let text = X86_64::direct_map(range.start).cast_const();
    // SAFETY: the range was read through the boot mappings just now; it is reserved, so it never changes.
    unsafe { core::slice::from_raw_parts(text, range.len() as usize) }
}

/// Says on the console what is wrong with the loader: nothing else can be told yet.
fn complain(message: &[u8]) {
    console::init();
    console::write(message);
}
