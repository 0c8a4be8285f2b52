//! What programs may know of the processor: AT_HWCAP, the features line of /proc/cpuinfo, and the
//! identification registers whose reads from EL0 the kernel answers as Linux does (HWCAP_CPUID).
//!
//! Everything comes from [`IdRegisters::visible`], which hides what the kernel does not manage: SVE, SME,
//! pointer authentication, branch targets and memory tags.

use core::fmt;

// ID_AA64ISAR0_EL1 without TLB and TME.
const VISIBLE_ISAR0: u64 = 0xf0ff_ffff_f0ff_fff0;
// ID_AA64ISAR1_EL1 without LS64, XS, SPECRES and the four authentication fields.
const VISIBLE_ISAR1: u64 = 0x00ff_f0ff_00ff_f00f;
// ID_AA64PFR0_EL1: DIT, ASIMD and FP; EL1 and EL0 read as AArch64 only.
const VISIBLE_PFR0: u64 = 0x000f_0000_00ff_0000;
const FIXED_PFR0: u64 = 0x11;
// ID_AA64PFR1_EL1: SSBS.
const VISIBLE_PFR1: u64 = 0xf0;
// ID_AA64MMFR2_EL1: AT.
const VISIBLE_MMFR2: u64 = 0xf << 32;
/// ID_AA64DFR0_EL1 as programs see it: the Armv8 debug architecture and nothing else.
const FIXED_DFR0: u64 = 6;
/// MPIDR_EL1 as programs see it.
const FIXED_MPIDR: u64 = 1 << 31;

/// `mrs Xt, S3_0_C0_Cm_op2`: the instruction without Cm, op2 and Xt.
const MRS_ID: u32 = 0xd538_0000;
const MRS_ID_MASK: u32 = 0xffff_f000;

/// The identification registers of a CPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct IdRegisters {
    /// MIDR_EL1.
    pub midr: u64,
    /// ID_AA64ISAR0_EL1.
    pub isar0: u64,
    /// ID_AA64ISAR1_EL1.
    pub isar1: u64,
    /// ID_AA64PFR0_EL1.
    pub pfr0: u64,
    /// ID_AA64PFR1_EL1.
    pub pfr1: u64,
    /// ID_AA64MMFR2_EL1.
    pub mmfr2: u64,
}

/// A read of an identification register by a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IdRead {
    /// The general register that takes the value; 31 takes nothing.
    pub destination: usize,
    /// The value.
    pub value: u64,
}

impl IdRegisters {
    /// Returns the registers with everything hidden that programs cannot use here.
    pub const fn visible(self) -> Self {
        Self {
            midr: self.midr,
            isar0: self.isar0 & VISIBLE_ISAR0,
            isar1: self.isar1 & VISIBLE_ISAR1,
            pfr0: self.pfr0 & VISIBLE_PFR0 | FIXED_PFR0,
            pfr1: self.pfr1 & VISIBLE_PFR1,
            mmfr2: self.mmfr2 & VISIBLE_MMFR2,
        }
    }

    /// Returns AT_HWCAP and AT_HWCAP2.
    pub fn capabilities(self) -> (u64, u64) {
        let visible = self.visible();
        CAPABILITIES
            .iter()
            .filter(|capability| capability.is_present(&visible))
            .fold((0, 0), |(first, second), capability| {
                match capability.bit.checked_sub(SECOND_WORD) {
                    None => (first | 1 << capability.bit, second),
                    Some(bit) => (first, second | 1 << bit),
                }
            })
    }

    /// Decodes an instruction that EL0 was refused; `None` unless it reads an identification register
    /// that Linux emulates (Documentation/arch/arm64/cpu-feature-registers).
    pub fn emulate_read(self, instruction: u32) -> Option<IdRead> {
        if instruction & MRS_ID_MASK != MRS_ID {
            return None;
        }
        let visible = self.visible();
        let value = match (instruction >> 8 & 0xf, instruction >> 5 & 7) {
            (0, 0) => visible.midr,
            (0, 5) => FIXED_MPIDR,
            (0, 6) => 0,
            (4, 0) => visible.pfr0,
            (4, 1) => visible.pfr1,
            (5, 0) => FIXED_DFR0,
            (6, 0) => visible.isar0,
            (6, 1) => visible.isar1,
            (7, 2) => visible.mmfr2,
            (2..=7, _) => 0,
            _ => return None,
        };
        Some(IdRead {
            destination: (instruction & 0x1f) as usize,
            value,
        })
    }

    /// Writes the lines of /proc/cpuinfo below `processor`.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_cpuinfo(self, timer_hz: u64, out: &mut dyn fmt::Write) -> fmt::Result {
        // Linux derives the figure from the timer: loops_per_jiffy = hz / HZ, shown as twice that.
        let hundredths = timer_hz / 5000;
        writeln!(out, "BogoMIPS\t: {}.{:02}", hundredths / 100, hundredths % 100)?;
        write!(out, "Features\t:")?;
        let visible = self.visible();
        for capability in CAPABILITIES.iter().filter(|one| one.is_present(&visible)) {
            write!(out, " {}", capability.name)?;
        }
        let midr = self.midr;
        writeln!(out, "\nCPU implementer\t: {:#04x}", midr >> 24 & 0xff)?;
        writeln!(out, "CPU architecture: 8")?;
        writeln!(out, "CPU variant\t: {:#x}", midr >> 20 & 0xf)?;
        writeln!(out, "CPU part\t: {:#05x}", midr >> 4 & 0xfff)?;
        writeln!(out, "CPU revision\t: {}", midr & 0xf)
    }
}

/// Bits from here on belong to AT_HWCAP2.
const SECOND_WORD: u32 = 64;

/// One name of /proc/cpuinfo with its AT_HWCAP bit and the field that announces it.
struct Capability {
    name: &'static str,
    bit: u32,
    register: fn(&IdRegisters) -> u64,
    shift: u32,
    at_least: u64,
    /// The field is signed: 15 means absent.
    signed: bool,
}

impl Capability {
    fn is_present(&self, registers: &IdRegisters) -> bool {
        let field = (self.register)(registers) >> self.shift & 0xf;
        field >= self.at_least && !(self.signed && field == 0xf)
    }
}

const fn isar0(name: &'static str, bit: u32, shift: u32, at_least: u64) -> Capability {
    field(name, bit, |registers| registers.isar0, shift, at_least)
}

const fn isar1(name: &'static str, bit: u32, shift: u32, at_least: u64) -> Capability {
    field(name, bit, |registers| registers.isar1, shift, at_least)
}

const fn pfr0_signed(name: &'static str, bit: u32, shift: u32, at_least: u64) -> Capability {
    let unsigned = field(name, bit, |registers| registers.pfr0, shift, at_least);
    Capability {
        signed: true,
        ..unsigned
    }
}

const fn always(name: &'static str, bit: u32) -> Capability {
    field(name, bit, |_| 0, 0, 0)
}

const fn field(
    name: &'static str,
    bit: u32,
    register: fn(&IdRegisters) -> u64,
    shift: u32,
    at_least: u64,
) -> Capability {
    Capability {
        name,
        bit,
        register,
        shift,
        at_least,
        signed: false,
    }
}

/// In the order of their bits, as Linux lists them (uapi/asm/hwcap.h, kernel/cpuinfo.c).
const CAPABILITIES: [Capability; 37] = [
    pfr0_signed("fp", 0, 16, 0),
    pfr0_signed("asimd", 1, 20, 0),
    always("evtstrm", 2),
    isar0("aes", 3, 4, 1),
    isar0("pmull", 4, 4, 2),
    isar0("sha1", 5, 8, 1),
    isar0("sha2", 6, 12, 1),
    isar0("crc32", 7, 16, 1),
    isar0("atomics", 8, 20, 2),
    pfr0_signed("fphp", 9, 16, 1),
    pfr0_signed("asimdhp", 10, 20, 1),
    always("cpuid", 11),
    isar0("asimdrdm", 12, 28, 1),
    isar1("jscvt", 13, 12, 1),
    isar1("fcma", 14, 16, 1),
    isar1("lrcpc", 15, 20, 1),
    isar1("dcpop", 16, 0, 1),
    isar0("sha3", 17, 32, 1),
    isar0("sm3", 18, 36, 1),
    isar0("sm4", 19, 40, 1),
    isar0("asimddp", 20, 44, 1),
    isar0("sha512", 21, 12, 2),
    isar0("asimdfhm", 23, 48, 1),
    field("dit", 24, |registers| registers.pfr0, 48, 1),
    field("uscat", 25, |registers| registers.mmfr2, 32, 1),
    isar1("ilrcpc", 26, 20, 2),
    isar0("flagm", 27, 52, 1),
    field("ssbs", 28, |registers| registers.pfr1, 4, 2),
    isar1("sb", 29, 36, 1),
    isar1("dcpodp", SECOND_WORD, 0, 2),
    isar0("flagm2", SECOND_WORD + 7, 52, 2),
    isar1("frint", SECOND_WORD + 8, 32, 1),
    isar1("i8mm", SECOND_WORD + 13, 52, 1),
    isar1("bf16", SECOND_WORD + 14, 44, 1),
    isar1("dgh", SECOND_WORD + 15, 48, 1),
    isar0("rng", SECOND_WORD + 16, 60, 1),
    isar1("ebf16", SECOND_WORD + 32, 44, 2),
];

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::string::String;

    /// The registers of a Cortex-A72 r0p3.
    const CORTEX_A72: IdRegisters = IdRegisters {
        midr: 0x410f_d083,
        isar0: 0x1_1120,
        isar1: 0,
        pfr0: 0x2222,
        pfr1: 0,
        mmfr2: 0,
    };

    #[test]
    fn cortex_a72_has_what_linux_shows() {
        // fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid
        assert_eq!(CORTEX_A72.capabilities(), (0x8ff, 0));
    }

    #[test]
    fn what_the_kernel_does_not_manage_stays_hidden() {
        let everything = IdRegisters {
            midr: 0,
            isar0: u64::MAX,
            isar1: u64::MAX,
            pfr0: 0x1111_1111_1111_1111,
            pfr1: u64::MAX,
            mmfr2: u64::MAX,
        };
        let (first, second) = everything.capabilities();
        let (sve, paca, pacg) = (1 << 22, 1 << 30, 1 << 31);
        assert_eq!(first & (sve | paca | pacg), 0);
        let (sve2, bti, mte, sme) = (1 << 1, 1 << 17, 1 << 18, 1 << 23);
        assert_eq!(second & (sve2 | bti | mte | sme), 0);
    }

    #[test]
    fn a_processor_without_floating_point_announces_none() {
        let soft = IdRegisters {
            pfr0: 0xff_0011,
            ..CORTEX_A72
        };
        assert_eq!(soft.capabilities().0 & 0b11, 0);
    }

    #[test]
    fn reads_of_identification_registers_are_emulated() {
        // mrs x5, midr_el1; mrs x1, id_aa64isar0_el1; mrs xzr, id_aa64mmfr0_el1
        let read = |instruction| CORTEX_A72.emulate_read(instruction);
        let midr = IdRead {
            destination: 5,
            value: 0x410f_d083,
        };
        assert_eq!(read(0xd538_0005), Some(midr));
        let isar0 = IdRead {
            destination: 1,
            value: 0x1_1120,
        };
        assert_eq!(read(0xd538_0601), Some(isar0));
        let nothing = IdRead {
            destination: 31,
            value: 0,
        };
        assert_eq!(read(0xd538_071f), Some(nothing));
        // mrs x0, sctlr_el1; udf #0; msr of the same register
        assert_eq!(read(0xd538_1000), None);
        assert_eq!(read(0), None);
        assert_eq!(read(0xd518_0005), None);
    }

    #[test]
    fn cpuinfo_reads_like_linux() {
        let mut text = String::new();
        let result = CORTEX_A72.write_cpuinfo(62_500_000, &mut text);
        assert!(result.is_ok());
        let expected = "BogoMIPS\t: 125.00\n\
            Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid\n\
            CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\n\
            CPU part\t: 0xd08\nCPU revision\t: 3\n";
        assert_eq!(text, expected);
    }
}
