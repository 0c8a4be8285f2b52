//! This CPU's paragraph of `/proc/cpuinfo`, with the lines of Linux that programs read.

use core::arch::x86_64::CpuidResult;
use core::fmt;

use crate::features::{self, cpuid};
use crate::timer;

/// Writes the paragraph with the empty line that ends it.
pub(crate) fn write(index: usize, out: &mut dyn fmt::Write) -> fmt::Result {
    let signature = Signature(cpuid(1, 0).eax);
    let khz = timer::counter_hz() / 1000;
    writeln!(out, "processor\t: {index}")?;
    out.write_str("vendor_id\t: ")?;
    let vendor = cpuid(0, 0);
    write_text(out, &[vendor.ebx, vendor.edx, vendor.ecx])?;
    writeln!(out, "\ncpu family\t: {}", signature.family())?;
    writeln!(out, "model\t\t: {}", signature.model())?;
    out.write_str("model name\t: ")?;
    write_model_name(out)?;
    writeln!(out, "\nstepping\t: {}", signature.0 & 0xf)?;
    writeln!(out, "cpu MHz\t\t: {}.{:03}", khz / 1000, khz % 1000)?;
    writeln!(out, "fpu\t\t: yes\nfpu_exception\t: yes")?;
    writeln!(out, "cpuid level\t: {}", vendor.eax)?;
    out.write_str("wp\t\t: yes\nflags\t\t:")?;
    write_flags(out)?;
    let line_bytes = (cpuid(1, 0).ebx >> 8 & 0xff) * 8;
    let widths = cpuid(0x8000_0008, 0).eax;
    writeln!(out, "\nbogomips\t: {}.{:02}", khz / 500, khz / 5 % 100)?;
    writeln!(
        out,
        "clflush size\t: {line_bytes}\ncache_alignment\t: {line_bytes}"
    )?;
    let (physical, virt) = (widths & 0xff, widths >> 8 & 0xff);
    writeln!(
        out,
        "address sizes\t: {physical} bits physical, {virt} bits virtual\npower management:\n"
    )
}

/// EAX of CPUID leaf 1: family, model and stepping (SDM volume 2, CPUID).
struct Signature(u32);

impl Signature {
    fn family(&self) -> u32 {
        match self.0 >> 8 & 0xf {
            0xf => 0xf + (self.0 >> 20 & 0xff),
            family => family,
        }
    }

    fn model(&self) -> u32 {
        let model = self.0 >> 4 & 0xf;
        if self.family() < 6 {
            model
        } else {
            model | self.0 >> 12 & 0xf0
        }
    }
}

fn write_model_name(out: &mut dyn fmt::Write) -> fmt::Result {
    let leaves = [0x8000_0002, 0x8000_0003, 0x8000_0004].map(|leaf| {
        let CpuidResult { eax, ebx, ecx, edx } = cpuid(leaf, 0);
        [eax, ebx, ecx, edx]
    });
    write_text(out, leaves.as_flattened())
}

/// Writes the characters that CPUID packs into registers, up to the first NUL.
fn write_text(out: &mut dyn fmt::Write, words: &[u32]) -> fmt::Result {
    words
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .take_while(|&byte| byte != 0)
        .try_for_each(|byte| out.write_char(char::from(byte)))
}

fn write_flags(out: &mut dyn fmt::Write) -> fmt::Result {
    let (basic, extended) = (cpuid(1, 0), cpuid(0x8000_0001, 0));
    let (structured, xsave) = (cpuid(7, 0), cpuid(0xd, 1));
    let registers = [
        (basic.edx, BASIC_EDX),
        (extended.edx, EXTENDED_EDX),
        (basic.ecx, BASIC_ECX),
        (extended.ecx, EXTENDED_ECX),
        (structured.ebx, STRUCTURED_EBX),
        (xsave.eax, XSAVE_EAX),
        (structured.ecx, STRUCTURED_ECX),
    ];
    for (register, names) in registers {
        for &(bit, name) in names {
            if register >> bit & 1 != 0 {
                write!(out, " {name}")?;
            }
        }
    }
    if features::has(features::INVARIANT_TSC) {
        out.write_str(" constant_tsc nonstop_tsc")?;
    }
    Ok(())
}

/// Names of Linux for the bits of a CPUID register.
type Names = &'static [(u32, &'static str)];

const BASIC_EDX: Names = &[
    (0, "fpu"),
    (1, "vme"),
    (2, "de"),
    (3, "pse"),
    (4, "tsc"),
    (5, "msr"),
    (6, "pae"),
    (7, "mce"),
    (8, "cx8"),
    (9, "apic"),
    (11, "sep"),
    (12, "mtrr"),
    (13, "pge"),
    (14, "mca"),
    (15, "cmov"),
    (16, "pat"),
    (17, "pse36"),
    (19, "clflush"),
    (23, "mmx"),
    (24, "fxsr"),
    (25, "sse"),
    (26, "sse2"),
    (27, "ss"),
    (28, "ht"),
];

const EXTENDED_EDX: Names = &[
    (11, "syscall"),
    (20, "nx"),
    (22, "mmxext"),
    (25, "fxsr_opt"),
    (26, "pdpe1gb"),
    (27, "rdtscp"),
    (29, "lm"),
    (30, "3dnowext"),
    (31, "3dnow"),
];

const BASIC_ECX: Names = &[
    (0, "pni"),
    (1, "pclmulqdq"),
    (3, "monitor"),
    (9, "ssse3"),
    (12, "fma"),
    (13, "cx16"),
    (17, "pcid"),
    (19, "sse4_1"),
    (20, "sse4_2"),
    (21, "x2apic"),
    (22, "movbe"),
    (23, "popcnt"),
    (24, "tsc_deadline_timer"),
    (25, "aes"),
    (26, "xsave"),
    (28, "avx"),
    (29, "f16c"),
    (30, "rdrand"),
    (31, "hypervisor"),
];

const EXTENDED_ECX: Names = &[
    (0, "lahf_lm"),
    (2, "svm"),
    (4, "cr8_legacy"),
    (5, "abm"),
    (6, "sse4a"),
    (8, "3dnowprefetch"),
];

const STRUCTURED_EBX: Names = &[
    (0, "fsgsbase"),
    (3, "bmi1"),
    (5, "avx2"),
    (7, "smep"),
    (8, "bmi2"),
    (9, "erms"),
    (10, "invpcid"),
    (16, "avx512f"),
    (17, "avx512dq"),
    (18, "rdseed"),
    (19, "adx"),
    (20, "smap"),
    (23, "clflushopt"),
    (24, "clwb"),
    (28, "avx512cd"),
    (29, "sha_ni"),
    (30, "avx512bw"),
    (31, "avx512vl"),
];

const XSAVE_EAX: Names = &[(0, "xsaveopt"), (1, "xsavec"), (2, "xgetbv1")];

const STRUCTURED_ECX: Names = &[(2, "umip"), (16, "la57"), (22, "rdpid")];
