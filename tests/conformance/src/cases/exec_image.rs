//! What execve makes of odd ELF files. Faults that Linux finds before it gives up the old program are errors;
//! later ones end the caller by SIGSEGV.

use alloc::vec::Vec;

use los_abi::auxv::{
    AT_BASE, AT_BASE_PLATFORM, AT_CLKTCK, AT_EGID, AT_ENTRY, AT_EUID, AT_EXECFN, AT_FLAGS, AT_GID, AT_HWCAP,
    AT_HWCAP2, AT_MINSIGSTKSZ, AT_NULL, AT_PAGESZ, AT_PHDR, AT_PHENT, AT_PHNUM, AT_PLATFORM, AT_RANDOM,
    AT_SECURE, AT_UID,
};
use los_abi::errno::Errno;
use rt::{fs, process};

use super::vdso::{auxiliary, auxv};
use crate::cases::{ended, program};
use crate::elf::{BASE, ENTRY, Elf, HEADER, PAGE, PT_GNU_STACK, PT_LOAD, Segment, write_program};
use crate::harness::{Failure, Outcome, in_child_with_output};
use crate::raw::{peek, poke};
use crate::{arch, cases, ensure, ensure_eq};

cases![
    plain_program_runs,
    movable_program_without_interpreter_runs,
    later_segments_replace_earlier_ones,
    segments_may_descend,
    unknown_headers_are_ignored,
    auxiliary_vector_describes_the_program,
    auxiliary_vector_is_complete,
    large_alignment_is_kept,
    memory_without_bytes_in_the_file_is_zero,
    the_stack_is_executable_on_request,
    entry_outside_of_memory_is_sigsegv,
    bad_segments_are_sigsegv,
    the_interpreter_replaces_what_is_in_its_place,
    bytes_missing_from_the_file_are_sigbus,
    bad_headers_are_enoexec,
    bad_interpreter_names_are_enoexec,
    bad_interpreters,
];

/// Statuses of a shell for programs that a signal has ended.
const SIGBUS: i32 = 128 + 7;
const SIGSEGV: i32 = 128 + 11;
/// Status of programs that did what they should.
const GOOD: u8 = 42;

/// How an execution ended.
#[derive(PartialEq, Eq, Debug)]
enum End {
    /// execve returned.
    Refused(Errno),
    /// The program, or who executed it, ended so.
    Status(i32),
}

const GOOD_END: End = End::Status(GOOD as i32);

fn execute_words(path: &[u8], words: &[&[u8]]) -> Result<End, Failure> {
    let words: Vec<Vec<u8>> = words.iter().map(|word| word.to_vec()).collect();
    let (output, status) = in_child_with_output(|writer| {
        let _ = call_cloexec(writer.descriptor());
        let errno = process::execute(path, &words, &[]);
        let _ = rt::io::write_all(writer.descriptor(), &errno.code().to_le_bytes());
        0
    })?;
    let refused = output
        .first_chunk()
        .and_then(|code| Errno::from_code(i32::from_le_bytes(*code)));
    Ok(refused.map_or(End::Status(ended(status)), End::Refused))
}

fn call_cloexec(descriptor: i32) -> Result<u64, Errno> {
    use los_abi::fs::{F_SETFD, FD_CLOEXEC};
    let arguments = [descriptor as u64, u64::from(F_SETFD), u64::from(FD_CLOEXEC)];
    crate::raw::call(los_abi::syscall::Sysno::fcntl, &arguments)
}

fn execute(elf: &Elf) -> Result<End, Failure> {
    execute_bytes(&elf.bytes())
}

fn execute_bytes(bytes: &[u8]) -> Result<End, Failure> {
    write_program(b"odd", bytes)?;
    execute_words(b"./odd", &[b"odd"])
}

/// Executes a file that names this program as its interpreter, which then looks at it.
fn execute_inspected(elf: Elf) -> Result<End, Failure> {
    let mut interpreter = program();
    interpreter.push(0);
    elf.with_interpreter(&interpreter).write(b"inspected")?;
    execute_words(b"./inspected", &[b"inspected", b"--helper", b"image"])
}

fn headers() -> Result<Vec<[u64; 8]>, Failure> {
    let (Some(table), Some(count)) = (auxiliary(AT_PHDR)?, auxiliary(AT_PHNUM)?) else {
        return Ok(Vec::new());
    };
    let words = |at: u64| core::array::from_fn(|word| peek(at + 8 * word as u64));
    Ok((0..count).map(|index| words(table + ENTRY * index)).collect())
}

/// Runs in the interpreter's place: looks at what was mapped for the program.
pub(crate) fn helper() -> i32 {
    i32::from(inspect().unwrap_or(1))
}

fn inspect() -> Result<u8, Failure> {
    let bias = auxiliary(AT_ENTRY)?.unwrap_or_default() - PAGE;
    let mut alignment = 1;
    for header in headers()? {
        let [kind, offset, address, _, file_bytes, memory_bytes, align, _] = header;
        let (kind, flags) = (kind as u32, (kind >> 32) as u32);
        if kind == PT_GNU_STACK {
            let maps = fs::read(b"/proc/self/maps")?;
            let line = maps
                .split(|byte| *byte == b'\n')
                .find(|line| line.ends_with(b"[stack]"));
            let wanted: &[u8] = if flags & 1 == 0 { b" rw-p " } else { b" rwxp " };
            if !line.is_some_and(|line| line.windows(6).any(|part| part == wanted)) {
                return Ok(2);
            }
        }
        if kind != PT_LOAD {
            continue;
        }
        alignment = align.max(alignment);
        let start = bias + address;
        if offset == 0 && file_bytes != 0 && peek::<[u8; 4]>(start) != *b"\x7fELF" {
            return Ok(3);
        }
        for place in start + file_bytes..start + memory_bytes {
            if peek::<u8>(place) != 0 {
                return Ok(4);
            }
        }
        // Linux lets zeros be written whatever the flags say.
        if flags & 2 != 0 || memory_bytes > file_bytes + PAGE {
            poke(start + memory_bytes - 1, 7_u8);
        }
    }
    Ok(if bias.is_multiple_of(alignment) { GOOD } else { 5 })
}

fn plain_program_runs() -> Outcome {
    ensure_eq!(execute(&Elf::exiting(GOOD))?, GOOD_END);
    Ok(())
}

fn movable_program_without_interpreter_runs() -> Outcome {
    ensure_eq!(execute(&Elf::movable(GOOD))?, GOOD_END);
    let mut elf = Elf::movable(GOOD);
    elf.segments[0].alignment = 2 << 20;
    ensure_eq!(execute(&elf)?, GOOD_END);
    Ok(())
}

fn later_segments_replace_earlier_ones() -> Outcome {
    let mut elf = Elf::exiting(1);
    elf.segments.push(Segment::code(2 * PAGE, BASE + PAGE, PAGE));
    elf.pieces.push((2 * PAGE, arch::exit_with(GOOD)));
    elf.pieces.push((3 * PAGE, Vec::new()));
    ensure_eq!(execute(&elf)?, GOOD_END);
    Ok(())
}

fn segments_may_descend() -> Outcome {
    let mut elf = Elf::exiting(GOOD);
    elf.segments.insert(0, Segment::code(0, BASE + 16 * PAGE, PAGE));
    ensure_eq!(execute(&elf)?, GOOD_END);
    Ok(())
}

fn unknown_headers_are_ignored() -> Outcome {
    let mut elf = Elf::exiting(GOOD);
    for kind in [0, 5, 0x6fff_0000, 0x7fff_ffff] {
        let mut segment = Segment::code(u64::MAX, u64::MAX, u64::MAX);
        segment.kind = kind;
        elf.segments.push(segment);
    }
    ensure_eq!(execute(&elf)?, GOOD_END);
    Ok(())
}

fn auxiliary_vector_describes_the_program() -> Outcome {
    ensure_eq!(execute_inspected(Elf::movable(0))?, GOOD_END);
    // This program itself has no interpreter.
    ensure_eq!(auxiliary(AT_BASE)?, Some(0));
    ensure!(headers()?.iter().any(|header| header[0] as u32 == PT_LOAD));
    Ok(())
}

/// What Linux tells every program, in its order; the vDSO may be switched off, and newer entries follow.
const KEYS: [u64; 19] = [
    AT_MINSIGSTKSZ,
    AT_HWCAP,
    AT_PAGESZ,
    AT_CLKTCK,
    AT_PHDR,
    AT_PHENT,
    AT_PHNUM,
    AT_BASE,
    AT_FLAGS,
    AT_ENTRY,
    AT_UID,
    AT_EUID,
    AT_GID,
    AT_EGID,
    AT_SECURE,
    AT_RANDOM,
    AT_HWCAP2,
    AT_EXECFN,
    AT_PLATFORM,
];

fn auxiliary_vector_is_complete() -> Outcome {
    let found = auxv()?;
    let keys: Vec<u64> = found.iter().map(|entry| entry.0).collect();
    let known: Vec<u64> = keys.iter().copied().filter(|key| KEYS.contains(key)).collect();
    ensure_eq!(known, KEYS);
    ensure_eq!(keys.last(), Some(&AT_NULL));
    ensure!(!keys.contains(&AT_BASE_PLATFORM));
    let value = |key| auxiliary(key).map(Option::unwrap_or_default);
    ensure_eq!(
        [value(AT_PAGESZ)?, value(AT_CLKTCK)?, value(AT_PHENT)?],
        [4096, 100, 56]
    );
    ensure_eq!([value(AT_FLAGS)?, value(AT_SECURE)?], [0, 0]);
    ensure!(value(AT_HWCAP)? != 0);
    // A signal frame with the registers that every processor has, and no more than all that there are.
    ensure!((1000..20_000).contains(&value(AT_MINSIGSTKSZ)?));
    let string = |at: u64| -> Vec<u8> { (at..).map(peek::<u8>).take_while(|byte| *byte != 0).collect() };
    ensure_eq!(string(value(AT_PLATFORM)?), arch::ISA.name().as_bytes());
    ensure!(string(value(AT_EXECFN)?).ends_with(b"conformance"));
    Ok(())
}

fn large_alignment_is_kept() -> Outcome {
    for alignment in [0x1_0000, 2 << 20, 64 << 20] {
        let mut elf = Elf::movable(0);
        elf.segments[0].alignment = alignment;
        ensure_eq!(execute_inspected(elf)?, GOOD_END);
    }
    Ok(())
}

fn memory_without_bytes_in_the_file_is_zero() -> Outcome {
    let mut elf = Elf::movable(0);
    // A piece that ends in the middle of a page, with zeros behind it and junk in the file.
    elf.pieces.push((2 * PAGE, alloc::vec![0xee; PAGE as usize]));
    let mut data = Segment::code(2 * PAGE, 2 * PAGE, 100);
    (data.flags, data.memory_bytes) = (6, 3 * PAGE + 5);
    elf.segments.push(data);
    // Nothing but zeros.
    let mut zeros = Segment::code(0, 8 * PAGE + 8, 0);
    (zeros.flags, zeros.memory_bytes) = (6, 2 * PAGE);
    elf.segments.push(zeros);
    (zeros.flags, zeros.address) = (4, 16 * PAGE);
    elf.segments.push(zeros);
    ensure_eq!(execute_inspected(elf)?, GOOD_END);
    Ok(())
}

fn the_stack_is_executable_on_request() -> Outcome {
    for flags in [6, 7] {
        let mut elf = Elf::movable(0);
        let mut stack = Segment::code(0, 0, 0);
        (stack.kind, stack.flags) = (PT_GNU_STACK, flags);
        elf.segments.push(stack);
        ensure_eq!(execute_inspected(elf)?, GOOD_END);
    }
    Ok(())
}

fn entry_outside_of_memory_is_sigsegv() -> Outcome {
    for entry in [0, BASE + 64 * PAGE, 1 << 60, arch::KERNEL_ADDRESS, u64::MAX - 3] {
        let mut elf = Elf::exiting(GOOD);
        elf.entry = entry;
        ensure_eq!((entry, execute(&elf)?), (entry, End::Status(SIGSEGV)));
    }
    Ok(())
}

fn bad_segments_are_sigsegv() -> Outcome {
    let changes: [fn(&mut Segment); 7] = [
        // More bytes in the file than in memory.
        |segment| segment.file_bytes = segment.memory_bytes + 1,
        // The place in the file and in memory do not match.
        |segment| segment.offset += 8,
        |segment| segment.address = arch::KERNEL_ADDRESS,
        |segment| segment.memory_bytes = 1 << 60,
        |segment| segment.memory_bytes = u64::MAX,
        |segment| segment.address = u64::MAX - PAGE + 1,
        |segment| segment.kind = 0,
    ];
    for (index, change) in changes.iter().enumerate() {
        for mut elf in [Elf::exiting(GOOD), Elf::movable(GOOD)] {
            change(&mut elf.segments[0]);
            ensure_eq!(
                (index, elf.kind, execute(&elf)?),
                (index, elf.kind, End::Status(SIGSEGV))
            );
        }
    }
    Ok(())
}

fn the_interpreter_replaces_what_is_in_its_place() -> Outcome {
    Elf::exiting(GOOD).write(b"interpreter")?;
    let elf = Elf::exiting(1).with_interpreter(b"./interpreter\0");
    ensure_eq!(execute(&elf)?, GOOD_END);
    Ok(())
}

fn bytes_missing_from_the_file_are_sigbus() -> Outcome {
    let bytes = Elf::exiting(GOOD).bytes();
    ensure_eq!(execute_bytes(&bytes[..PAGE as usize])?, End::Status(SIGBUS));
    Ok(())
}

fn bad_headers_are_enoexec() -> Outcome {
    // Offset and bytes of the change, all in the ELF header.
    let changes: [(usize, &[u8]); 9] = [
        (0, b"\x7fELG"),
        // No executable file: relocatable, core dump.
        (16, &[1, 0]),
        (16, &[4, 0]),
        // Another machine.
        (18, &[2, 0]),
        // The table of program headers: outside of the file, of another size, empty, too long.
        (32, &[0, 0, 0, 0, 1]),
        (32, &[0, 0, 0, 0, 0, 0, 0, 0x80]),
        (54, &[57, 0]),
        (56, &[0, 0]),
        (56, &[0xff, 0xff]),
    ];
    for (offset, new) in changes {
        let mut bytes = Elf::exiting(GOOD).bytes();
        bytes[offset..offset + new.len()].copy_from_slice(new);
        let end = execute_bytes(&bytes)?;
        ensure_eq!((offset, new, end), (offset, new, End::Refused(Errno::ENOEXEC)));
    }
    Ok(())
}

fn bad_interpreter_names_are_enoexec() -> Outcome {
    for name in [&b"x"[..], b"\0", b"", b"./missing and not ended"] {
        let elf = Elf::movable(GOOD).with_interpreter(name);
        ensure_eq!((name, execute(&elf)?), (name, End::Refused(Errno::ENOEXEC)));
    }
    let mut elf = Elf::movable(GOOD).with_interpreter(b"./missing\0");
    ensure_eq!(execute(&elf)?, End::Refused(Errno::ENOENT));
    elf.segments[0].file_bytes = 4097;
    ensure_eq!(execute(&elf)?, End::Refused(Errno::ENOEXEC));
    Ok(())
}

fn bad_interpreters() -> Outcome {
    let elf = Elf::movable(1).with_interpreter(b"./interpreter\0");
    let mut foreign = Elf::movable(GOOD).bytes();
    foreign[18] ^= 62 ^ 183;
    let mut no_headers = Elf::movable(GOOD).bytes();
    no_headers[56] = 0;
    let good = Elf::movable(GOOD).bytes();
    let mut wrong_segment = Elf::movable(GOOD);
    wrong_segment.segments[0].memory_bytes = 1;
    let wrong_segment = wrong_segment.bytes();
    let text = alloc::vec![b'x'; 200];
    for (bytes, end) in [
        (&good, GOOD_END),
        (&text, End::Refused(Errno::ELIBBAD)),
        (&foreign, End::Refused(Errno::ELIBBAD)),
        (&no_headers, End::Refused(Errno::ELIBBAD)),
        (&good[..HEADER as usize - 1].to_vec(), End::Refused(Errno::EIO)),
        (&good[..HEADER as usize].to_vec(), End::Refused(Errno::ELIBBAD)),
        (&wrong_segment, End::Status(SIGSEGV)),
    ] {
        write_program(b"interpreter", bytes)?;
        ensure_eq!((bytes.len(), execute(&elf)?), (bytes.len(), end));
    }
    Ok(())
}
