//! The stack that a new program finds: argument count, pointers, auxiliary vector and strings, as Linux lays
//! them out (getauxval(3), System V ABI "Initial Process Stack").
//!
//! From the top: a null word, the program's file name, the environment strings, the argument strings, the
//! machine's name, 16 random bytes; then, aligned, the auxiliary vector, the pointers and the count.

use alloc::vec::Vec;

use los_abi::auxv::{AT_EXECFN, AT_NULL, AT_PLATFORM, AT_RANDOM};
use los_abi::errno::Errno;
use los_abi::isa::IsaAbi;
use los_arch::CurrentAbi;

use super::arguments::StringList;

/// Alignment of the first stack pointer.
const ALIGNMENT: u64 = 16;
const WORD: u64 = 8;

/// What goes onto the stack.
pub(crate) struct StackContents<'a> {
    pub(crate) arguments: &'a StringList,
    pub(crate) environment: &'a StringList,
    /// AT_EXECFN.
    pub(crate) file_name: &'a [u8],
    /// AT_PLATFORM.
    pub(crate) platform: &'a [u8],
    /// What AT_RANDOM points to.
    pub(crate) random: [u8; 16],
    /// Bytes to leave between the argument strings and what is below them, so that its place is not known.
    pub(crate) shift: u64,
    /// The entries in order; those of the three addresses above have any value, AT_NULL is not among them.
    pub(crate) auxv: &'a [(u64, u64)],
}

/// A stack ready to be copied to user memory.
#[derive(Debug)]
pub(crate) struct StackImage {
    /// The first stack pointer, where `bytes` goes.
    pub(crate) pointer: u64,
    pub(crate) bytes: Vec<u8>,
    /// First and one past the last address of the argument strings.
    pub(crate) arguments: (u64, u64),
    /// First and one past the last address of the environment strings.
    pub(crate) environment: (u64, u64),
    /// The auxiliary vector with the addresses filled in, and room for as many words as a process can have.
    pub(crate) auxv: Vec<u64>,
}

impl StackContents<'_> {
    /// Lays the contents out below `top`.
    ///
    /// # Errors
    /// ENOMEM.
    pub(crate) fn lay_out(&self, top: u64) -> Result<StackImage, Errno> {
        let file_name_at = top - WORD - (self.file_name.len() as u64 + 1);
        let environment_at = file_name_at - self.environment.bytes().len() as u64;
        let arguments_at = environment_at - self.arguments.bytes().len() as u64;
        let platform_at = ((arguments_at - self.shift) & !(ALIGNMENT - 1)) - (self.platform.len() as u64 + 1);
        let random_at = platform_at - self.random.len() as u64;
        let auxv = self.fill_auxv(file_name_at, platform_at, random_at)?;
        let pointers = 1 + self.arguments.len() + 1 + self.environment.len() + 1;
        let words = (pointers + auxv.len()) as u64;
        let pointer = (random_at - words * WORD) & !(ALIGNMENT - 1);

        let mut writer = Writer::new(pointer, top)?;
        writer.word(self.arguments.len() as u64);
        writer.pointers(self.arguments, arguments_at);
        writer.pointers(self.environment, environment_at);
        for word in &auxv {
            writer.word(*word);
        }
        writer.bytes_at(random_at, &self.random);
        writer.bytes_at(platform_at, self.platform);
        writer.bytes_at(arguments_at, self.arguments.bytes());
        writer.bytes_at(environment_at, self.environment.bytes());
        writer.bytes_at(file_name_at, self.file_name);
        Ok(StackImage {
            pointer,
            bytes: writer.finish(),
            arguments: (arguments_at, environment_at),
            environment: (environment_at, file_name_at),
            auxv,
        })
    }

    fn fill_auxv(&self, file_name: u64, platform: u64, random: u64) -> Result<Vec<u64>, Errno> {
        let mut words = Vec::new();
        words
            .try_reserve_exact(CurrentAbi::AUXV_WORDS)
            .map_err(|_| Errno::ENOMEM)?;
        for (key, value) in self.auxv {
            let value = match *key {
                AT_EXECFN => file_name,
                AT_PLATFORM => platform,
                AT_RANDOM => random,
                _ => *value,
            };
            words.extend([*key, value]);
        }
        words.extend([AT_NULL, 0]);
        Ok(words)
    }
}

/// Bytes between the stack pointer and the top; what is not written is zero.
struct Writer {
    start: u64,
    bytes: Vec<u8>,
    next: usize,
}

impl Writer {
    fn new(start: u64, top: u64) -> Result<Self, Errno> {
        let length = (top - start) as usize;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(length).map_err(|_| Errno::ENOMEM)?;
        bytes.resize(length, 0);
        Ok(Self {
            start,
            bytes,
            next: 0,
        })
    }

    fn word(&mut self, value: u64) {
        self.bytes[self.next..self.next + WORD as usize].copy_from_slice(&value.to_ne_bytes());
        self.next += WORD as usize;
    }

    /// Writes a pointer to each string of a list that starts at `address`, and a null pointer.
    fn pointers(&mut self, list: &StringList, mut address: u64) {
        for string in list.iter() {
            self.word(address);
            address += string.len() as u64 + 1;
        }
        self.word(0);
    }

    fn bytes_at(&mut self, address: u64, bytes: &[u8]) {
        let place = (address - self.start) as usize;
        self.bytes[place..place + bytes.len()].copy_from_slice(bytes);
    }

    fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use los_abi::auxv::AT_PAGESZ;
    use proptest::prelude::*;

    use super::super::arguments::Budget;
    use super::*;

    const TOP: u64 = 0x7fff_ffff_f000;

    fn list(strings: &[Vec<u8>]) -> StringList {
        let strings = strings.iter().map(Vec::as_slice);
        StringList::from_slices(strings, &mut Budget::new(u64::MAX)).unwrap()
    }

    fn lay_out(arguments: &StringList, environment: &StringList, shift: u64) -> StackImage {
        let contents = StackContents {
            arguments,
            environment,
            file_name: b"/bin/ls",
            platform: b"x86_64",
            random: [7; 16],
            shift,
            auxv: &[
                (AT_PAGESZ, 4096),
                (AT_RANDOM, 0),
                (AT_EXECFN, 0),
                (AT_PLATFORM, 0),
            ],
        };
        contents.lay_out(TOP).unwrap()
    }

    /// Reads the stack as a C library's start code does.
    struct Reader<'a> {
        image: &'a StackImage,
    }

    impl Reader<'_> {
        fn word(&self, index: usize) -> u64 {
            let bytes = &self.image.bytes[index * 8..index * 8 + 8];
            u64::from_ne_bytes(bytes.try_into().unwrap())
        }

        fn string(&self, address: u64) -> Vec<u8> {
            let start = (address - self.image.pointer) as usize;
            let bytes = &self.image.bytes[start..];
            bytes.iter().copied().take_while(|byte| *byte != 0).collect()
        }

        fn strings(&self, mut index: usize) -> (Vec<Vec<u8>>, usize) {
            let mut strings = Vec::new();
            while self.word(index) != 0 {
                strings.push(self.string(self.word(index)));
                index += 1;
            }
            (strings, index + 1)
        }
    }

    proptest! {
        #[test]
        fn programs_find_what_was_passed(
            arguments in prop::collection::vec(prop::collection::vec(1_u8.., 0..20), 0..10),
            environment in prop::collection::vec(prop::collection::vec(1_u8.., 0..20), 0..10),
            shift in 0_u64..8192,
        ) {
            let image = lay_out(&list(&arguments), &list(&environment), shift);
            prop_assert_eq!(image.pointer % 16, 0);
            prop_assert_eq!(image.pointer + image.bytes.len() as u64, TOP);
            let reader = Reader { image: &image };
            prop_assert_eq!(reader.word(0), arguments.len() as u64);
            let (found, next) = reader.strings(1);
            prop_assert_eq!(found, arguments);
            let (found, mut next) = reader.strings(next);
            prop_assert_eq!(found, environment);
            let mut seen = 0;
            while reader.word(next) != AT_NULL {
                let value = reader.word(next + 1);
                match reader.word(next) {
                    AT_EXECFN => prop_assert_eq!(reader.string(value), b"/bin/ls"),
                    AT_PLATFORM => prop_assert_eq!(reader.string(value), b"x86_64"),
                    AT_RANDOM => prop_assert_eq!(&reader.string(value)[..16], &[7; 16]),
                    key => prop_assert_eq!((key, value), (AT_PAGESZ, 4096)),
                }
                seen += 1;
                next += 2;
            }
            prop_assert_eq!(seen, 4);
        }
    }
}
