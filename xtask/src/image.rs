//! The kernel's boot image, made from its ELF file by reading program headers; no other tool is needed.
//!
//! x86_64 boots the ELF itself (PVH), so only what no loader reads is cut off. aarch64 boots a flat
//! binary that begins with the arm64 Image header (Linux: Documentation/arch/arm64/booting.rst).

use anyhow::{Context, Result, bail};
use goblin::elf::Elf;
use goblin::elf::program_header::PT_LOAD;

use crate::arch::Arch;

/// The largest kernel image that makes sense; a wrong address in the ELF would ask for far more.
const MAX_IMAGE_BYTES: u64 = 64 << 20;
/// Offset and value of the magic number in the arm64 Image header.
const IMAGE_MAGIC_OFFSET: usize = 56;
const IMAGE_MAGIC: &[u8] = b"ARM\x64";

/// Returns what a boot loader of this machine takes as the kernel.
pub(crate) fn boot_image(arch: Arch, elf: &[u8]) -> Result<Vec<u8>> {
    match arch {
        Arch::X86_64 => without_sections(elf),
        Arch::Aarch64 => {
            let image = flat(elf)?;
            if image.get(IMAGE_MAGIC_OFFSET..IMAGE_MAGIC_OFFSET + IMAGE_MAGIC.len()) != Some(IMAGE_MAGIC) {
                bail!("the kernel does not begin with the arm64 Image header");
            }
            Ok(image)
        }
    }
}

/// Returns the ELF file without sections (symbols, debug information): what program headers describe
/// stays byte for byte in its place.
pub(crate) fn without_sections(elf: &[u8]) -> Result<Vec<u8>> {
    let parsed = Elf::parse(elf).context("parsing an ELF file")?;
    if !parsed.is_64 || !parsed.little_endian {
        bail!("an ELF file that is not 64-bit little-endian");
    }
    let header_end =
        parsed.header.e_phoff + u64::from(parsed.header.e_phentsize) * u64::from(parsed.header.e_phnum);
    let end = parsed
        .program_headers
        .iter()
        .map(|segment| segment.p_offset + segment.p_filesz)
        .fold(header_end, u64::max);
    let mut image = elf
        .get(..usize::try_from(end)?)
        .context("a segment ends behind the file")?
        .to_vec();
    // e_shoff (8 bytes), then e_shentsize, e_shnum and e_shstrndx: "no section header table".
    for field in [0x28..0x30, 0x3a..0x40] {
        image
            .get_mut(field)
            .context("an ELF header that is too short")?
            .fill(0);
    }
    Ok(image)
}

/// Returns the bytes of memory from the lowest to the highest loaded one, as `objcopy -O binary` does.
fn flat(elf: &[u8]) -> Result<Vec<u8>> {
    let parsed = Elf::parse(elf).context("parsing the kernel")?;
    let segments = || {
        parsed
            .program_headers
            .iter()
            .filter(|segment| segment.p_type == PT_LOAD && segment.p_filesz > 0)
    };
    let start = segments()
        .map(|segment| segment.p_paddr)
        .min()
        .context("the kernel has no segments")?;
    let end = segments()
        .map(|segment| segment.p_paddr.saturating_add(segment.p_filesz))
        .max();
    let size = end.map_or(0, |end| end - start);
    if size > MAX_IMAGE_BYTES {
        bail!("the kernel's physical addresses span {size} bytes: a linker script is wrong");
    }
    let mut image = vec![0; usize::try_from(size)?];
    for segment in segments() {
        let bytes = elf
            .get(segment.file_range())
            .context("a segment ends behind the file")?;
        let at = usize::try_from(segment.p_paddr - start)?;
        image[at..at + bytes.len()].copy_from_slice(bytes);
    }
    Ok(image)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Builds an ELF file of LOAD segments, given as (physical address, bytes), and trailing rubbish
    /// that stands for debug information.
    pub(crate) fn elf(segments: &[(u64, &[u8])]) -> Vec<u8> {
        let mut file = vec![0u8; 64 + 56 * segments.len()];
        file[..8].copy_from_slice(b"\x7fELF\x02\x01\x01\0");
        file[16..20].copy_from_slice(&[2, 0, 62, 0]);
        file[0x20..0x28].copy_from_slice(&64u64.to_le_bytes());
        file[0x34..0x36].copy_from_slice(&64u16.to_le_bytes());
        file[0x36..0x38].copy_from_slice(&56u16.to_le_bytes());
        file[0x38..0x3a].copy_from_slice(&u16::try_from(segments.len()).unwrap().to_le_bytes());
        for (index, (address, bytes)) in segments.iter().enumerate() {
            let offset = file.len() as u64;
            let header = 64 + 56 * index;
            let size = bytes.len() as u64;
            let fields = [
                (8, offset),
                (16, *address),
                (24, *address),
                (32, size),
                (40, size),
            ];
            file[header] = 1;
            for (at, value) in fields {
                file[header + at..header + at + 8].copy_from_slice(&value.to_le_bytes());
            }
            file.extend_from_slice(bytes);
        }
        file.extend_from_slice(b"debug");
        file
    }

    #[test]
    fn sections_are_cut_off() {
        let file = elf(&[(0x1000, b"code"), (0x2000, b"data")]);
        let image = without_sections(&file).unwrap();
        assert!(image.ends_with(b"codedata"));
        assert_eq!(Elf::parse(&image).unwrap().program_headers.len(), 2);
    }

    #[test]
    fn a_flat_image_keeps_distances() {
        let image = flat(&elf(&[(0x4008, b"data"), (0x4000, b"code")])).unwrap();
        assert_eq!(image, b"code\0\0\0\0data");
    }

    #[test]
    fn an_absurd_span_is_refused() {
        assert!(flat(&elf(&[(0, b"a"), (u64::MAX - 16, b"b")])).is_err());
    }

    #[test]
    fn an_arm64_image_needs_its_header() {
        let mut code = [0u8; 64];
        assert!(boot_image(Arch::Aarch64, &elf(&[(0, &code)])).is_err());
        code[56..60].copy_from_slice(b"ARM\x64");
        assert_eq!(boot_image(Arch::Aarch64, &elf(&[(0, &code)])).unwrap(), code);
    }

    #[test]
    fn rubbish_is_an_error() {
        assert!(boot_image(Arch::X86_64, b"not an ELF file").is_err());
        assert!(without_sections(&elf(&[(0, b"x")])[..70]).is_err());
    }
}
