//! What this processor can do, found by CPUID and switched on where it exists. Nothing is assumed but what
//! the boot code insists on: long mode and no-execute.

use core::arch::x86_64::{__cpuid_count, CpuidResult};
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags};
use x86_64::registers::xcontrol::{XCr0, XCr0Flags};

use crate::pte;
use crate::state::{ExtendedLayout, LEGACY_BYTES};

/// Supervisor-mode access prevention is on: user memory is reachable between STAC and CLAC only.
pub(crate) const SMAP: u32 = 1 << 0;
/// RDFSBASE and its family are on.
pub(crate) const FSGSBASE: u32 = 1 << 1;
/// RDRAND exists.
pub(crate) const RDRAND: u32 = 1 << 2;
/// The local APIC's timer can wait for a value of the time-stamp counter.
pub(crate) const TSC_DEADLINE: u32 = 1 << 3;
/// The time-stamp counter runs at a constant rate in all power states.
pub(crate) const INVARIANT_TSC: u32 = 1 << 4;

/// The features in use, as bits. Also read by `vectors.S`.
pub(crate) static FEATURES: AtomicU32 = AtomicU32::new(0);
/// What XSAVE saves; 0 when only FXSAVE exists.
static EXTENDED_FEATURES: AtomicU64 = AtomicU64::new(0);
/// How many bytes it writes.
static EXTENDED_BYTES: AtomicUsize = AtomicUsize::new(LEGACY_BYTES);

/// Reports whether a feature is in use.
#[inline]
pub(crate) fn has(feature: u32) -> bool {
    FEATURES.load(Ordering::Relaxed) & feature != 0
}

/// Returns how extended registers are saved.
pub(crate) fn extended_layout() -> ExtendedLayout {
    ExtendedLayout {
        bytes: EXTENDED_BYTES.load(Ordering::Relaxed),
        features: EXTENDED_FEATURES.load(Ordering::Relaxed),
    }
}

/// Returns a CPUID leaf, zeros where it does not exist.
pub(crate) fn cpuid(leaf: u32, subleaf: u32) -> CpuidResult {
    const NONE: CpuidResult = CpuidResult {
        eax: 0,
        ebx: 0,
        ecx: 0,
        edx: 0,
    };
    let range = leaf & 0xffff_0000;
    if range == HYPERVISOR_LEAVES && __cpuid_count(1, 0).ecx >> 31 == 0 {
        return NONE;
    }
    if leaf > __cpuid_count(range, 0).eax {
        return NONE;
    }
    __cpuid_count(leaf, subleaf)
}

/// First of the leaves that a hypervisor answers.
pub(crate) const HYPERVISOR_LEAVES: u32 = 0x4000_0000;

/// Detects the features and switches them on for this CPU.
pub(crate) fn init() {
    let (basic, structured) = (cpuid(1, 0), cpuid(7, 0));
    let (extended, power) = (cpuid(0x8000_0001, 0), cpuid(0x8000_0007, 0));
    let bits = [
        (SMAP, structured.ebx, 20),
        (FSGSBASE, structured.ebx, 0),
        (RDRAND, basic.ecx, 30),
        (TSC_DEADLINE, basic.ecx, 24),
        (INVARIANT_TSC, power.edx, 8),
    ];
    let features = bits
        .iter()
        .filter(|&&(_, register, bit)| register >> bit & 1 != 0)
        .fold(0, |features, &(feature, ..)| features | feature);
    if extended.edx >> 26 & 1 != 0 {
        pte::set_max_leaf_level(2);
    }
    init_control_registers(basic, structured);
    if basic.ecx >> 26 & 1 != 0 {
        init_xsave();
    }
    FEATURES.store(features, Ordering::Relaxed);
}

fn init_control_registers(basic: CpuidResult, structured: CpuidResult) {
    let optional = [
        (Cr4Flags::PAGE_GLOBAL, basic.edx, 13),
        (Cr4Flags::OSXSAVE, basic.ecx, 26),
        (Cr4Flags::FSGSBASE, structured.ebx, 0),
        (Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION, structured.ebx, 7),
        (Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION, structured.ebx, 20),
        (Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION, structured.ecx, 2),
        (Cr4Flags::MACHINE_CHECK_EXCEPTION, basic.edx, 7),
    ];
    let mut cr4 = Cr4Flags::PHYSICAL_ADDRESS_EXTENSION | Cr4Flags::OSFXSR | Cr4Flags::OSXMMEXCPT_ENABLE;
    for (flag, register, bit) in optional {
        cr4.set(flag, register >> bit & 1 != 0);
    }
    let cr0 = Cr0Flags::PROTECTED_MODE_ENABLE
        | Cr0Flags::MONITOR_COPROCESSOR
        | Cr0Flags::EXTENSION_TYPE
        | Cr0Flags::NUMERIC_ERROR
        | Cr0Flags::WRITE_PROTECT
        | Cr0Flags::ALIGNMENT_MASK
        | Cr0Flags::PAGING;
    // SAFETY: paging stays as it is; the rest turns on protections and the FPU, all supported by CPUID.
    unsafe { Cr0::write_raw(cr0.bits()) };
    // SAFETY: as above; no kernel page is user-accessible and no user page is touched without STAC.
    unsafe { Cr4::write_raw(cr4.bits()) };
}

/// Enables every component that XSAVE's standard format has room for and that programs use: x87, SSE, AVX
/// and AVX-512.
fn init_xsave() {
    const WANTED: XCr0Flags = XCr0Flags::X87
        .union(XCr0Flags::SSE)
        .union(XCr0Flags::AVX)
        .union(AVX_512);
    const AVX_512: XCr0Flags = XCr0Flags::OPMASK
        .union(XCr0Flags::ZMM_HI256)
        .union(XCr0Flags::HI16_ZMM);
    let leaf = cpuid(0xd, 0);
    let supported = u64::from(leaf.edx) << 32 | u64::from(leaf.eax);
    let mut enabled = WANTED.intersection(XCr0Flags::from_bits_truncate(supported));
    if !enabled.contains(AVX_512 | XCr0Flags::AVX) {
        enabled.remove(AVX_512);
    }
    // SAFETY: CR4.OSXSAVE is set, the components are supported and their dependencies hold.
    unsafe { XCr0::write(enabled) };
    EXTENDED_FEATURES.store(enabled.bits(), Ordering::Relaxed);
    // EBX is the size for what XCR0 enables now.
    let bytes = usize::try_from(cpuid(0xd, 0).ebx).unwrap_or(LEGACY_BYTES);
    EXTENDED_BYTES.store(bytes, Ordering::Relaxed);
}
