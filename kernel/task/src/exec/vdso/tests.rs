//! The vDSO as a loader reads it.

use goblin::elf::Elf;
use goblin::elf::program_header::{PF_R, PF_X, PT_DYNAMIC, PT_GNU_EH_FRAME, PT_LOAD};

use super::*;

const MACHINE: u16 = 62;

fn file() -> Vec<u8> {
    shared_object::build(&Current::vdso_code(), MACHINE)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn address(table: &Elf<'_>, tag: u64) -> usize {
    let dynamic = table.dynamic.as_ref().unwrap();
    let entry = dynamic.dyns.iter().find(|entry| entry.d_tag == tag).unwrap();
    usize::try_from(entry.d_val).unwrap()
}

#[test]
fn loaders_find_every_function_and_its_version() {
    let bytes = file();
    let elf = Elf::parse(&bytes).unwrap();
    assert!(elf.is_lib && elf.is_64 && elf.little_endian);
    assert_eq!(elf.header.e_machine, MACHINE);
    assert_eq!(elf.soname, Some("linux-vdso.so.1"));
    let symbols: Vec<_> = elf.dynsyms.iter().skip(1).collect();
    let names: Vec<_> = symbols
        .iter()
        .map(|symbol| elf.dynstrtab.get_at(symbol.st_name).unwrap())
        .collect();
    let code = Current::vdso_code();
    let expected: Vec<_> = code.functions.iter().flatten().collect();
    assert_eq!(
        names,
        expected.iter().map(|function| function.name).collect::<Vec<_>>()
    );
    for (symbol, function) in symbols.iter().zip(expected) {
        assert!(symbol.is_function() && symbol.st_shndx != 0);
        assert_eq!(symbol.st_value, CODE_OFFSET as u64 + u64::from(function.start));
        assert_eq!(symbol.st_size, u64::from(function.end - function.start));
    }
}

/// Looks a name up as the System V ABI describes it.
fn look_up(bytes: &[u8], elf: &Elf<'_>, name: &str) -> Option<usize> {
    use goblin::elf::dynamic::DT_HASH;
    let table = address(elf, DT_HASH);
    let mut hash: u32 = 0;
    for byte in name.bytes() {
        hash = (hash << 4).wrapping_add(byte.into());
        let high = hash & 0xf000_0000;
        hash = (hash ^ high >> 24) & !high;
    }
    let buckets = word(bytes, table);
    let mut symbol = word(bytes, table + 8 + 4 * (hash % buckets) as usize) as usize;
    while symbol != 0 {
        let found = elf.dynsyms.get(symbol)?;
        if elf.dynstrtab.get_at(found.st_name) == Some(name) {
            return Some(symbol);
        }
        symbol = word(bytes, table + 8 + 4 * (buckets as usize + symbol)) as usize;
    }
    None
}

#[test]
fn the_hash_table_leads_to_every_name() {
    let bytes = file();
    let elf = Elf::parse(&bytes).unwrap();
    for function in Current::vdso_code().functions.iter().flatten() {
        assert!(
            look_up(&bytes, &elf, function.name).is_some(),
            "{}",
            function.name
        );
    }
    assert_eq!(look_up(&bytes, &elf, "__vdso_nothing"), None);
}

#[test]
fn the_strings_follow_the_symbols() {
    use goblin::elf::dynamic::{DT_STRTAB, DT_SYMTAB};
    use goblin::elf::sym::sym64::SIZEOF_SYM;
    let bytes = file();
    let elf = Elf::parse(&bytes).unwrap();
    // No table of sections tells the number of symbols.
    let symbols = Current::vdso_code().functions.iter().flatten().count() + 1;
    assert_eq!(
        address(&elf, DT_SYMTAB) + symbols * SIZEOF_SYM,
        address(&elf, DT_STRTAB)
    );
}

#[test]
fn versions_are_defined_and_used() {
    use goblin::elf::dynamic::{DT_VERDEF, DT_VERSYM};
    let bytes = file();
    let elf = Elf::parse(&bytes).unwrap();
    let versions = address(&elf, DT_VERSYM);
    for symbol in 1..elf.dynsyms.len() {
        assert_eq!(bytes[versions + 2 * symbol], 2);
    }
    // The second definition: revision 1, no flags, index 2, one name.
    let first = address(&elf, DT_VERDEF);
    let second = first + word(&bytes, first + 16) as usize;
    assert_eq!(bytes[second..second + 8], [1, 0, 0, 0, 2, 0, 1, 0]);
    // The hash that glibc has compiled in for this version.
    assert_eq!(word(&bytes, second + 8), 61_765_110);
    let name = word(&bytes, second + word(&bytes, second + 12) as usize) as usize;
    assert_eq!(elf.dynstrtab.get_at(name), Some("LINUX_2.6"));
    assert_eq!(word(&bytes, second + 16), 0);
}

#[test]
fn segments_lie_in_the_one_page() {
    let bytes = file();
    let elf = Elf::parse(&bytes).unwrap();
    let kinds: Vec<_> = elf.program_headers.iter().map(|header| header.p_type).collect();
    assert_eq!(kinds, [PT_LOAD, PT_DYNAMIC, PT_GNU_EH_FRAME]);
    let load = &elf.program_headers[0];
    assert_eq!((load.p_flags, load.p_vaddr, load.p_offset), (PF_R | PF_X, 0, 0));
    assert_eq!(bytes.len(), PAGE_SIZE);
    let end = load.p_filesz as usize;
    assert!(bytes[end..].iter().all(|byte| *byte == 0));
    assert!(
        elf.program_headers
            .iter()
            .all(|one| one.p_offset + one.p_filesz <= load.p_filesz)
    );
}

#[test]
fn unwinders_find_the_one_rule() {
    let bytes = file();
    let elf = Elf::parse(&bytes).unwrap();
    let header = elf.program_headers[2].p_vaddr as usize;
    let relative = |at: usize| (at as u32).wrapping_add(word(&bytes, at)) as usize;
    let common = relative(header + 4);
    assert_eq!(common, header + 20);
    // Identifier, version, augmentation.
    assert_eq!(bytes[common + 4..common + 12], *b"\0\0\0\0\x01zR\0");
    let entry = common + 4 + word(&bytes, common) as usize;
    assert_eq!(header + word(&bytes, header + 16) as usize, entry);
    assert_eq!(header + word(&bytes, header + 12) as usize, CODE_OFFSET);
    assert_eq!(entry + 4 - word(&bytes, entry + 4) as usize, common);
    assert_eq!(relative(entry + 8), CODE_OFFSET);
    assert_eq!(word(&bytes, entry + 12), Current::vdso_code().unwind.end);
    let end = entry + 4 + word(&bytes, entry) as usize;
    assert_eq!(word(&bytes, end), 0);
}

#[test]
fn both_pages_are_mapped_side_by_side() {
    mm::testing::start();
    let space = AddressSpace::new().unwrap();
    let header = map(&space).unwrap();
    let mut seen = Vec::new();
    space.for_each_vma(&mut |vma| seen.push((vma.kind, vma.start, vma.end, vma.protection)));
    let (data, end) = (header - PAGE_BYTES, header + PAGE_BYTES);
    let execute = ProtFlags::READ | ProtFlags::EXEC;
    assert_eq!(
        seen,
        [
            (VmaKind::Vvar, data, header, ProtFlags::READ),
            (VmaKind::Vdso, header, end, execute),
        ]
    );
    let mut magic = [0; 4];
    space.read_bytes(header, &mut magic).unwrap();
    assert_eq!(&magic, b"\x7fELF");
    assert_eq!(signal_return(&space), Some(header + CODE_OFFSET as u64 + 3));
    let elsewhere = header + 64 * PAGE_BYTES;
    let moved = mm::RemapRequest {
        address: header,
        old_length: PAGE_BYTES,
        new_length: PAGE_BYTES,
        flags: los_abi::mm::MremapFlags::MAYMOVE | los_abi::mm::MremapFlags::FIXED,
        new_address: elsewhere,
        lowest: mm::lowest_address(),
    };
    assert_eq!(space.remap(moved), Ok(elsewhere));
    assert_eq!(signal_return(&space), Some(elsewhere + CODE_OFFSET as u64 + 3));
    // The data can never be written, the code in a copy only.
    let write = ProtFlags::READ | ProtFlags::WRITE;
    assert_eq!(space.protect(data, PAGE_BYTES, write), Err(Errno::EACCES));
    assert_eq!(space.protect(elsewhere, PAGE_BYTES, write), Ok(()));
}
