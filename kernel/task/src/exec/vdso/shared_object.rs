//! Making the vDSO's ELF file round the machine's code: what dynamic loaders, C libraries and unwinders look
//! at, and nothing else. Pure.
//!
//! The symbols are found by the classic hash table, which glibc, musl, Go and the kernel's own example
//! parser all read. Addresses in the file are offsets, and offsets are addresses.

use alloc::vec;
use alloc::vec::Vec;

use goblin::elf::dynamic::{
    DT_HASH, DT_NULL, DT_SONAME, DT_STRSZ, DT_STRTAB, DT_SYMENT, DT_SYMTAB, DT_VERDEF, DT_VERDEFNUM,
    DT_VERSYM,
};
use goblin::elf::header::{ELFCLASS64, ELFDATA2LSB, ELFMAG, ET_DYN, EV_CURRENT};
use goblin::elf::program_header::{PF_R, PF_X, PT_DYNAMIC, PT_GNU_EH_FRAME, PT_LOAD};
use goblin::elf::sym::{STB_GLOBAL, STT_FUNC};
use goblin::elf::symver::VER_FLG_BASE;
use goblin::elf64::header::SIZEOF_EHDR;
use goblin::elf64::program_header::SIZEOF_PHDR;
use goblin::elf64::sym::SIZEOF_SYM;
use los_arch::hal::PAGE_SIZE;
use los_arch::hal::vdso::{CODE_OFFSET, Unwind, VdsoCode, VdsoFunction};

/// The name by which programs know the object.
const NAME: &str = "linux-vdso.so.1";
const SEGMENTS: usize = 3;
/// Any section but none: there is no table of sections.
const SECTION: u16 = 1;
/// Version index of the object's own name, and of the functions.
const BASE_VERSION: u16 = 1;
const FUNCTION_VERSION: u16 = 2;

/// Revision of version definitions.
const VER_DEF_CURRENT: u16 = 1;

/// DWARF pointer encodings (LSB, "DWARF Extensions").
const PC_RELATIVE_S4: u8 = 0x1b;
const ABSOLUTE_U4: u8 = 0x03;
const TABLE_RELATIVE_S4: u8 = 0x3b;
/// The factor of offsets in the unwinding rules, -8 as SLEB128.
const DATA_ALIGNMENT: u8 = 0x78;

/// Makes the file: one page.
///
/// # Panics
/// When the machine gives more names than fit before its code; a test would have failed.
pub(super) fn build(code: &VdsoCode, machine: u16) -> Vec<u8> {
    let functions: Vec<_> = code.functions.iter().flatten().copied().collect();
    let mut strings = Strings(vec![0]);
    let mut file = Bytes(vec![0; SIZEOF_EHDR + SEGMENTS * SIZEOF_PHDR]);
    let symbol_table = file.append(&symbols(&functions, &mut strings));
    let (soname, version) = (strings.add(NAME), strings.add(code.version));
    // Directly behind the symbols, as linkers put it: simple readers of the symbols stop there.
    let string_table = file.append(&strings.0);
    let hash_table = file.append(&hash_table(&functions));
    let versions = file.append(&symbol_versions(functions.len()));
    let definitions = file.append(&version_definitions(code.version, soname, version));
    let dynamic = file.append(&words([
        (DT_SONAME, soname.into()),
        (DT_HASH, hash_table),
        (DT_STRTAB, string_table),
        (DT_SYMTAB, symbol_table),
        (DT_STRSZ, strings.0.len() as u64),
        (DT_SYMENT, SIZEOF_SYM as u64),
        (DT_VERSYM, versions),
        (DT_VERDEF, definitions),
        (DT_VERDEFNUM, 2),
        (DT_NULL, 0),
    ]));
    let dynamic = dynamic..file.end();
    let unwind_header = file.end();
    file.append(&unwinding(&code.unwind, unwind_header));
    let unwind_header = unwind_header..unwind_header + UNWIND_HEADER_BYTES;
    assert!(file.0.len() <= CODE_OFFSET, "the tables fit before the code");
    file.0.resize(CODE_OFFSET, 0);
    file.0.extend_from_slice(code.bytes);
    let whole = 0..file.0.len() as u64;
    let mut head = elf_header(machine);
    head.segment(PT_LOAD, PF_R | PF_X, &whole, PAGE_SIZE as u64);
    head.segment(PT_DYNAMIC, PF_R, &dynamic, 8);
    head.segment(PT_GNU_EH_FRAME, PF_R, &unwind_header, 4);
    file.0[..head.0.len()].copy_from_slice(&head.0);
    assert!(file.0.len() <= PAGE_SIZE, "the code fits the page");
    file.0.resize(PAGE_SIZE, 0);
    file.0
}

/// Little-endian values one behind the other.
struct Bytes(Vec<u8>);

impl Bytes {
    fn u8s(&mut self, values: &[u8]) {
        self.0.extend_from_slice(values);
    }

    fn u16s(&mut self, values: impl IntoIterator<Item = u16>) {
        self.0.extend(values.into_iter().flat_map(u16::to_le_bytes));
    }

    fn u32s(&mut self, values: impl IntoIterator<Item = u32>) {
        self.0.extend(values.into_iter().flat_map(u32::to_le_bytes));
    }

    fn u64s(&mut self, values: impl IntoIterator<Item = u64>) {
        self.0.extend(values.into_iter().flat_map(u64::to_le_bytes));
    }

    fn pad_to(&mut self, alignment: usize) {
        self.0.resize(self.0.len().next_multiple_of(alignment), 0);
    }

    fn end(&self) -> u64 {
        self.0.len() as u64
    }

    /// Appends a table and returns where it is; the next one starts on a multiple of eight.
    fn append(&mut self, table: &[u8]) -> u64 {
        let start = self.end();
        self.u8s(table);
        self.pad_to(8);
        start
    }

    fn segment(&mut self, kind: u32, flags: u32, range: &core::ops::Range<u64>, alignment: u64) {
        let bytes = range.end - range.start;
        self.u32s([kind, flags]);
        self.u64s([range.start, range.start, range.start, bytes, bytes, alignment]);
    }
}

/// The string table; its first byte is the empty string.
struct Strings(Vec<u8>);

impl Strings {
    fn add(&mut self, string: &str) -> u32 {
        let start = self.0.len() as u32;
        self.0.extend_from_slice(string.as_bytes());
        self.0.push(0);
        start
    }
}

fn elf_header(machine: u16) -> Bytes {
    let mut header = Bytes(ELFMAG.to_vec());
    header.u8s(&[ELFCLASS64, ELFDATA2LSB, EV_CURRENT]);
    header.pad_to(16);
    header.u16s([ET_DYN, machine]);
    header.u32s([EV_CURRENT.into()]);
    // No entry point, program headers behind this header, no sections.
    header.u64s([0, SIZEOF_EHDR as u64, 0]);
    header.u32s([0]);
    header.u16s([SIZEOF_EHDR as u16, SIZEOF_PHDR as u16, SEGMENTS as u16, 64, 0, 0]);
    header
}

fn symbols(functions: &[VdsoFunction], strings: &mut Strings) -> Vec<u8> {
    let mut table = Bytes(vec![0; SIZEOF_SYM]);
    for function in functions {
        table.u32s([strings.add(function.name)]);
        table.u8s(&[STB_GLOBAL << 4 | STT_FUNC, 0]);
        table.u16s([SECTION]);
        let start = CODE_OFFSET as u64 + u64::from(function.start);
        table.u64s([start, u64::from(function.end - function.start)]);
    }
    table.0
}

/// Makes the hash table: a chain of symbols for each bucket (System V ABI, "Hash Table").
fn hash_table(functions: &[VdsoFunction]) -> Vec<u8> {
    let buckets = functions.len().max(1);
    let mut heads = vec![0; buckets];
    let mut chains = vec![0; functions.len() + 1];
    for (symbol, function) in (1..).zip(functions) {
        let head = &mut heads[hash(function.name) as usize % buckets];
        chains[symbol as usize] = *head;
        *head = symbol;
    }
    let mut table = Bytes(Vec::new());
    table.u32s([heads.len() as u32, chains.len() as u32]);
    table.u32s(heads.into_iter().chain(chains));
    table.0
}

/// The hash function of ELF.
fn hash(name: &str) -> u32 {
    name.bytes().fold(0, |hash: u32, byte| {
        let sum = (hash << 4).wrapping_add(byte.into());
        let high = sum & 0xf000_0000;
        (sum ^ high >> 24) & !high
    })
}

fn symbol_versions(functions: usize) -> Vec<u8> {
    let mut table = Bytes(Vec::new());
    table.u16s([0]);
    table.u16s(core::iter::repeat_n(FUNCTION_VERSION, functions));
    table.0
}

/// Makes the definitions of the object's own name and of the version, each with its name behind it.
fn version_definitions(version: &str, soname_at: u32, version_at: u32) -> Vec<u8> {
    const DEFINITION_BYTES: u32 = 20;
    const NAME_BYTES: u32 = 8;
    let both = [
        (NAME, VER_FLG_BASE, BASE_VERSION, soname_at),
        (version, 0, FUNCTION_VERSION, version_at),
    ];
    let mut table = Bytes(Vec::new());
    for (name, flags, index, name_at) in both {
        let is_last = index == FUNCTION_VERSION;
        let next = if is_last { 0 } else { DEFINITION_BYTES + NAME_BYTES };
        table.u16s([VER_DEF_CURRENT, flags, index, 1]);
        table.u32s([hash(name), DEFINITION_BYTES, next]);
        table.u32s([name_at, 0]);
    }
    table.0
}

fn words<const COUNT: usize>(pairs: [(u64, u64); COUNT]) -> Vec<u8> {
    let mut table = Bytes(Vec::new());
    table.u64s(pairs.into_iter().flat_map(|(key, value)| [key, value]));
    table.0
}

/// What PT_GNU_EH_FRAME covers: a header with a table of one entry. The entries themselves follow.
const UNWIND_HEADER_BYTES: u64 = 20;

/// Makes `.eh_frame_hdr` and `.eh_frame`, to be placed at `place` in the file.
fn unwinding(unwind: &Unwind, place: u64) -> Vec<u8> {
    let common = common_entry(unwind);
    let common_at = place + UNWIND_HEADER_BYTES;
    let entry_at = common_at + common.len() as u64;
    let code = CODE_OFFSET as u64;
    let mut table = Bytes(Vec::new());
    table.u8s(&[1, PC_RELATIVE_S4, ABSOLUTE_U4, TABLE_RELATIVE_S4]);
    table.u32s([distance(place + 4, common_at), 1]);
    table.u32s([distance(place, code), distance(place, entry_at)]);
    table.u8s(&common);
    // The entry: its length, the way back to the common part, first address, bytes, no augmentation.
    const ENTRY_BYTES: u32 = 20;
    table.u32s([ENTRY_BYTES - 4, distance(common_at, entry_at + 4)]);
    table.u32s([distance(entry_at + 8, code), unwind.end]);
    table.u8s(&[0; 4]);
    // The end of all entries.
    table.u32s([0]);
    table.0
}

/// Makes the common information entry.
fn common_entry(unwind: &Unwind) -> Vec<u8> {
    let mut entry = Bytes(Vec::new());
    // Identifier 0, version 1, "zR": the encoding of addresses follows. Code is counted in bytes.
    entry.u32s([0]);
    entry.u8s(b"\x01zR\0\x01");
    entry.u8s(&[DATA_ALIGNMENT, unwind.return_register, 1, PC_RELATIVE_S4]);
    entry.u8s(unwind.rules);
    // Zeros are instructions that do nothing.
    entry.pad_to(4);
    let mut whole = Bytes(Vec::new());
    whole.u32s([entry.0.len() as u32]);
    whole.u8s(&entry.0);
    whole.0
}

/// Returns what leads from one place to another, as 32 bits.
fn distance(from: u64, to: u64) -> u32 {
    to.wrapping_sub(from) as u32
}
