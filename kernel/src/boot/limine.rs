//! The Limine boot protocol, base revision 3: the requests, and their answers as a `BootInfo`.
//!
//! The requests lie in the image, where the boot loader finds and answers them. The translation works on
//! plain values, so that it is tested without a boot loader.

use hal::boot::{BootInfo, MAX_MEMORY_REGIONS};
use hal::{PhysAddr, PhysRange};
use limine::BaseRevision;
use limine::memory_map::{Entry, EntryType};
use limine::request::{
    DeviceTreeBlobRequest, ExecutableAddressRequest, ExecutableCmdlineRequest, HhdmRequest, MemoryMapRequest,
    ModuleRequest, RequestsEndMarker, RequestsStartMarker, RsdpRequest,
};

#[used]
#[cfg_attr(target_os = "none", unsafe(link_section = ".requests_start_marker"))]
static START: RequestsStartMarker = RequestsStartMarker::new();
#[used]
#[cfg_attr(target_os = "none", unsafe(link_section = ".requests_end_marker"))]
static END: RequestsEndMarker = RequestsEndMarker::new();
#[used]
#[cfg_attr(target_os = "none", unsafe(link_section = ".requests"))]
static BASE_REVISION: BaseRevision = BaseRevision::with_revision(3);
#[used]
#[cfg_attr(target_os = "none", unsafe(link_section = ".requests"))]
static DIRECT_MAP: HhdmRequest = HhdmRequest::new();
#[used]
#[cfg_attr(target_os = "none", unsafe(link_section = ".requests"))]
static MEMORY_MAP: MemoryMapRequest = MemoryMapRequest::new();
#[used]
#[cfg_attr(target_os = "none", unsafe(link_section = ".requests"))]
static MODULES: ModuleRequest = ModuleRequest::new();
#[used]
#[cfg_attr(target_os = "none", unsafe(link_section = ".requests"))]
static COMMAND_LINE: ExecutableCmdlineRequest = ExecutableCmdlineRequest::new();
#[used]
#[cfg_attr(target_os = "none", unsafe(link_section = ".requests"))]
static EXECUTABLE: ExecutableAddressRequest = ExecutableAddressRequest::new();
#[used]
#[cfg_attr(target_os = "none", unsafe(link_section = ".requests"))]
static RSDP: RsdpRequest = RsdpRequest::new();
#[used]
#[cfg_attr(target_os = "none", unsafe(link_section = ".requests"))]
static DEVICE_TREE: DeviceTreeBlobRequest = DeviceTreeBlobRequest::new();

/// Limine's answers as plain values.
struct Answers<'a> {
    /// Where the boot loader maps physical address 0.
    direct_map_offset: u64,
    memory: &'a [&'a Entry],
    /// Virtual address and bytes of the first module, which is the initramfs.
    initramfs: Option<(u64, u64)>,
    command_line: &'static [u8],
    /// Physical address of the image.
    image: u64,
    image_bytes: u64,
    /// Physical at base revision 3.
    rsdp: Option<u64>,
    /// Virtual address of the device tree and its size.
    device_tree: Option<(u64, u64)>,
}

/// Reads the answers, if Limine has loaded this image.
#[cfg(target_os = "none")]
pub(crate) fn boot_info() -> Option<BootInfo> {
    if !BASE_REVISION.is_supported() {
        return None;
    }
    let memory = MEMORY_MAP.get_response()?.entries();
    let initramfs = MODULES.get_response().and_then(|response| {
        let module = response.modules().first()?;
        Some((module.addr() as u64, module.size()))
    });
    let (start, end) = crate::start::image_bounds();
    Some(translate(&Answers {
        direct_map_offset: DIRECT_MAP.get_response()?.offset(),
        memory,
        initramfs,
        command_line: COMMAND_LINE
            .get_response()
            .map_or(b"", |response| response.cmdline().to_bytes()),
        image: EXECUTABLE.get_response()?.physical_base(),
        image_bytes: end - start,
        rsdp: RSDP.get_response().map(|response| response.address() as u64),
        device_tree: DEVICE_TREE.get_response().map(|response| {
            let blob = response.dtb_ptr().cast::<u32>();
            // SAFETY: Limine maps the blob whole, and it is longer than two words.
            let size = unsafe { blob.add(1) };
            // SAFETY: as above; the second word is the size, big-endian.
            let bytes = u32::from_be(unsafe { size.read_unaligned() });
            (blob as u64, u64::from(bytes))
        }),
    }))
}

fn translate(answers: &Answers<'_>) -> BootInfo {
    let to_physical = |(address, bytes): (u64, u64)| {
        PhysRange::from_start_len(address.wrapping_sub(answers.direct_map_offset), bytes)
    };
    let mut info = BootInfo {
        protocol: "Limine",
        kernel: PhysRange::from_start_len(answers.image, answers.image_bytes),
        initramfs: answers.initramfs.map(to_physical),
        device_tree: answers.device_tree.map(to_physical),
        rsdp: answers.rsdp.map(PhysAddr::new),
        command_line: answers.command_line,
        ..BootInfo::default()
    };
    for entry in answers.memory.iter().take(MAX_MEMORY_REGIONS) {
        let range = PhysRange::from_start_len(entry.base, entry.length);
        // Image and modules are inside of the direct map and reserved by name; boot loader memory holds
        // the answers themselves and the tables that are active now.
        if entry.entry_type == EntryType::USABLE || entry.entry_type == EntryType::EXECUTABLE_AND_MODULES {
            info.memory.push(range);
        } else {
            info.reserved.push(range);
        }
    }
    info
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFSET: u64 = 0xffff_8000_0000_0000;

    fn entry(base: u64, length: u64, entry_type: EntryType) -> Entry {
        Entry {
            base,
            length,
            entry_type,
        }
    }

    #[test]
    fn answers_become_boot_information() {
        let entries = [
            entry(0x1000, 0x9e000, EntryType::USABLE),
            entry(0x9f000, 0x1000, EntryType::ACPI_NVS),
            entry(0x10_0000, 0x20_0000, EntryType::EXECUTABLE_AND_MODULES),
            entry(0x30_0000, 0x1000, EntryType::BOOTLOADER_RECLAIMABLE),
        ];
        let info = translate(&Answers {
            direct_map_offset: OFFSET,
            memory: &entries.iter().collect::<Vec<_>>(),
            initramfs: Some((OFFSET + 0x20_0000, 0x5000)),
            command_line: b"quiet",
            image: 0x10_0000,
            image_bytes: 0x8_0000,
            rsdp: Some(0xe0000),
            device_tree: None,
        });
        assert_eq!(info.protocol, "Limine");
        assert_eq!(info.memory.len(), 2);
        assert_eq!(info.reserved.len(), 2);
        assert_eq!(info.initramfs, Some(PhysRange::from_start_len(0x20_0000, 0x5000)));
        assert_eq!(info.kernel, PhysRange::from_start_len(0x10_0000, 0x8_0000));
        assert_eq!(info.rsdp, Some(PhysAddr::new(0xe0000)));
        assert_eq!(info.command_line, b"quiet");
    }

    #[test]
    fn too_many_regions_are_cut_and_never_panic() {
        let entries = vec![entry(0, 0x1000, EntryType::USABLE); 2 * MAX_MEMORY_REGIONS];
        let info = translate(&Answers {
            direct_map_offset: OFFSET,
            memory: &entries.iter().collect::<Vec<_>>(),
            initramfs: None,
            command_line: b"",
            image: 0,
            image_bytes: 0,
            rsdp: None,
            device_tree: Some((OFFSET, 0x100)),
        });
        assert_eq!(info.memory.len(), MAX_MEMORY_REGIONS);
        assert_eq!(info.device_tree, Some(PhysRange::from_start_len(0, 0x100)));
    }
}
