//! What a process says of its own memory, which it may change (prctl(2), PR_SET_MM): checkpoint programs make one process
//! look like another. Only /proc, core dumps and brk(2) look at it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::MountFlags;
use los_abi::isa::IsaAbi;
use los_abi::prctl as abi;
use los_abi::prctl::PrctlMmMap;
use los_abi::resource::{RLIM_INFINITY, RLIMIT_DATA};
use los_arch::CurrentAbi;
use los_arch::hal::prelude::*;
use mm::AddressSpace;
use vfs::permission::{self, Permission};
use vfs::text::DenyWrite;
use vfs::{Credentials, FileKind, OpenFile};

use super::{Image, Process};

/// Bytes of the auxiliary vector that a process can have.
pub const AUXV_BYTES: usize = CurrentAbi::AUXV_WORDS * size_of::<u64>();

impl Process {
    /// Changes one of the addresses.
    ///
    /// # Errors
    /// EINVAL for an unknown one, an address that no program can have, or an end before its start; ENOSPC for more
    /// data than RLIMIT_DATA; EFAULT for strings or a stack above all that is mapped.
    pub fn set_memory_address(
        &self,
        memory: &AddressSpace,
        operation: u64,
        address: u64,
    ) -> Result<(), Errno> {
        check_address(address)?;
        let mut description = self.describe_memory(memory);
        let field = field(&mut description, operation).ok_or(Errno::EINVAL)?;
        *field = address;
        self.check_description(&description)?;
        let is_of_stack = matches!(
            operation,
            abi::PR_SET_MM_START_STACK
                | abi::PR_SET_MM_ARG_START
                | abi::PR_SET_MM_ARG_END
                | abi::PR_SET_MM_ENV_START
                | abi::PR_SET_MM_ENV_END
        );
        if is_of_stack && !memory.is_any_mapped_from(address) {
            return Err(Errno::EFAULT);
        }
        self.put_description(memory, &description, None);
        Ok(())
    }

    /// Checks all addresses of a description.
    ///
    /// # Errors
    /// EINVAL and ENOSPC as above.
    pub fn check_description(&self, new: &PrctlMmMap) -> Result<(), Errno> {
        let addresses = [
            new.start_code,
            new.end_code,
            new.start_data,
            new.end_data,
            new.start_brk,
            new.brk,
            new.start_stack,
            new.arg_start,
            new.arg_end,
            new.env_start,
            new.env_end,
        ];
        addresses.into_iter().try_for_each(check_address)?;
        let is_ordered = new.start_code < new.end_code
            && new.start_data <= new.end_data
            && new.start_brk <= new.brk
            && new.arg_start <= new.arg_end
            && new.env_start <= new.env_end;
        if !is_ordered {
            return Err(Errno::EINVAL);
        }
        let limit = self.limits.soft(RLIMIT_DATA);
        let data_bytes = (new.brk - new.start_brk) + (new.end_data - new.start_data);
        if limit < RLIM_INFINITY && data_bytes > limit {
            return Err(Errno::ENOSPC);
        }
        Ok(())
    }

    /// Changes all addresses, which have been checked, and the auxiliary vector if there is a new one.
    pub fn put_description(&self, memory: &AddressSpace, new: &PrctlMmMap, auxv: Option<Arc<[u64]>>) {
        memory.set_break_range(new.start_brk, new.brk);
        self.update_image(|image| {
            image.code = (new.start_code, new.end_code);
            image.data = (new.start_data, new.end_data);
            image.stack_start = new.start_stack;
            image.arguments = (new.arg_start, new.arg_end);
            image.environment = (new.env_start, new.env_end);
            if let Some(auxv) = &auxv {
                image.auxv = auxv.clone();
            }
        });
    }

    /// Changes the first words of the auxiliary vector; the last pair of all stays zeros.
    ///
    /// # Errors
    /// EINVAL for more than a process can have; ENOMEM.
    pub fn set_auxv(&self, start: &[u8]) -> Result<(), Errno> {
        let old = self.image();
        let new = auxiliary_vector(old.auxv_words(), start)?;
        self.update_image(|image| image.auxv = new.clone());
        Ok(())
    }

    /// Changes the program's file, once nothing of the old one is mapped any more.
    ///
    /// # Errors
    /// EBADF for O_PATH; EACCES for what the caller may not execute, or what is open for writing; EBUSY.
    pub fn set_executable(
        &self,
        memory: &AddressSpace,
        credentials: &Credentials,
        file: &Arc<OpenFile>,
    ) -> Result<(), Errno> {
        file.ops()?;
        let inode = file.inode();
        let mount = file.path().mount.flags();
        if inode.kind() != FileKind::Regular || mount.contains(MountFlags::NOEXEC) {
            return Err(Errno::EACCES);
        }
        permission::check(credentials, &**inode, Permission::EXECUTE)?;
        if let Some(old) = self.executable() {
            let old = old.inode().metadata();
            let mut is_mapped = false;
            memory.for_each_vma(&mut |vma| {
                is_mapped |= vma.inode == old.inode && vma.device == old.device && vma.inode != 0;
            });
            if is_mapped {
                return Err(Errno::EBUSY);
            }
        }
        let unwritable = Arc::new(DenyWrite::new(inode).map_err(|_| Errno::EACCES)?);
        self.update_image(|image| {
            image.executable = Some(file.clone());
            image._unwritable = Some(unwritable.clone());
        });
        Ok(())
    }

    fn describe_memory(&self, memory: &AddressSpace) -> PrctlMmMap {
        let image = self.image();
        let (start_brk, brk) = memory.break_range();
        PrctlMmMap {
            start_code: image.code.0,
            end_code: image.code.1,
            start_data: image.data.0,
            end_data: image.data.1,
            start_brk,
            brk,
            start_stack: image.stack_start,
            arg_start: image.arguments.0,
            arg_end: image.arguments.1,
            env_start: image.environment.0,
            env_end: image.environment.1,
            ..PrctlMmMap::default()
        }
    }

    /// Replaces the image by a changed copy of it.
    fn update_image(&self, change: impl Fn(&mut Image)) {
        loop {
            let old = self.image();
            let mut new = Image::clone(&old);
            change(&mut new);
            let new = Arc::new(new);
            let mut place = self.image.lock();
            if Arc::ptr_eq(&place, &old) {
                let replaced = core::mem::replace(&mut *place, new);
                drop(place);
                drop(replaced);
                return;
            }
        }
    }
}

/// Returns the vector with other words at its start, and zeros as its last pair.
///
/// # Errors
/// As [`Process::set_auxv`].
pub fn auxiliary_vector(old: &[u64], start: &[u8]) -> Result<Arc<[u64]>, Errno> {
    if start.len() > AUXV_BYTES {
        return Err(Errno::EINVAL);
    }
    let mut words = Vec::new();
    words
        .try_reserve_exact(CurrentAbi::AUXV_WORDS)
        .map_err(|_| Errno::ENOMEM)?;
    words.extend_from_slice(&old[..old.len().min(CurrentAbi::AUXV_WORDS)]);
    words.resize(CurrentAbi::AUXV_WORDS, 0_u64);
    zerocopy::IntoBytes::as_mut_bytes(&mut words[..])[..start.len()].copy_from_slice(start);
    words[CurrentAbi::AUXV_WORDS - 2..].fill(0);
    Ok(words.into())
}

fn field(description: &mut PrctlMmMap, operation: u64) -> Option<&mut u64> {
    Some(match operation {
        abi::PR_SET_MM_START_CODE => &mut description.start_code,
        abi::PR_SET_MM_END_CODE => &mut description.end_code,
        abi::PR_SET_MM_START_DATA => &mut description.start_data,
        abi::PR_SET_MM_END_DATA => &mut description.end_data,
        abi::PR_SET_MM_START_STACK => &mut description.start_stack,
        abi::PR_SET_MM_START_BRK => &mut description.start_brk,
        abi::PR_SET_MM_BRK => &mut description.brk,
        abi::PR_SET_MM_ARG_START => &mut description.arg_start,
        abi::PR_SET_MM_ARG_END => &mut description.arg_end,
        abi::PR_SET_MM_ENV_START => &mut description.env_start,
        abi::PR_SET_MM_ENV_END => &mut description.env_end,
        _ => return None,
    })
}

fn check_address(address: u64) -> Result<(), Errno> {
    let is_possible = (mm::lowest_address()..los_arch::Current::USER_END).contains(&address);
    if is_possible { Ok(()) } else { Err(Errno::EINVAL) }
}

#[cfg(test)]
mod tests {
    use los_abi::fs::OpenFlags;

    use super::*;
    use crate::testing;

    fn description() -> PrctlMmMap {
        PrctlMmMap {
            start_code: 0x10_0000,
            end_code: 0x10_1000,
            start_data: 0x10_1000,
            end_data: 0x10_2000,
            start_brk: 0x10_2000,
            brk: 0x10_2000,
            start_stack: 0x10_8000,
            arg_start: 0x10_8000,
            arg_end: 0x10_8000,
            env_start: 0x10_8000,
            env_end: 0x10_8010,
            ..PrctlMmMap::default()
        }
    }

    #[test]
    fn addresses_are_checked_and_kept() {
        let (family, _thread) = testing::program();
        let process = &family.children[0];
        let memory = process.memory().unwrap();
        assert_eq!(process.check_description(&description()), Ok(()));
        process.put_description(&memory, &description(), None);
        assert_eq!(memory.break_range(), (0x10_2000, 0x10_2000));
        assert_eq!(process.image().environment, (0x10_8000, 0x10_8010));
        let set = |operation, address| process.set_memory_address(&memory, operation, address);
        assert_eq!(set(abi::PR_SET_MM_ARG_END, 0x10_8100), Ok(()));
        assert_eq!(process.image().arguments, (0x10_8000, 0x10_8100));
        assert_eq!(set(abi::PR_SET_MM_ARG_START, 0x10_8101), Err(Errno::EINVAL));
        assert_eq!(set(abi::PR_SET_MM_START_CODE, 0x10_1000), Err(Errno::EINVAL));
        assert_eq!(set(abi::PR_SET_MM_ENV_END, 0x7000_0000), Err(Errno::EFAULT));
        assert_eq!(set(abi::PR_SET_MM_ENV_END, u64::MAX), Err(Errno::EINVAL));
        assert_eq!(set(abi::PR_SET_MM_AUXV, 0x10_8000), Err(Errno::EINVAL));
        assert_eq!(process.image().environment, (0x10_8000, 0x10_8010));
        let lowest = los_arch::Current::USER_START;
        let set_from = |address| set(abi::PR_SET_MM_ARG_START, address);
        let both = || [set_from(lowest), set_from(lowest - 1)];
        assert_eq!(testing::with_lowest_address(0, both), [Ok(()); 2]);
        let refused = [Ok(()), Err(Errno::EINVAL)];
        assert_eq!(testing::with_lowest_address(lowest, both), refused);
    }

    #[test]
    fn what_only_names_a_file_is_no_program() {
        let (family, thread) = testing::program();
        let memory = thread.process().memory().unwrap();
        let credentials = Credentials::root();
        let caller = testing::caller(&credentials);
        let set = |file| thread.process().set_executable(&memory, &credentials, &file);
        let name = vfs::ops::open(&caller, vfs::At::Cwd, b"program", OpenFlags::PATH, 0).unwrap();
        assert_eq!(set(name), Err(Errno::EBADF));
        assert_eq!(set(testing::open(b"program")), Ok(()));
        drop(family);
    }

    #[test]
    fn the_vector_ends_with_zeros() {
        let full = [0xff; AUXV_BYTES];
        let words = auxiliary_vector(&[], &full).unwrap();
        assert_eq!(words.len(), CurrentAbi::AUXV_WORDS);
        assert_eq!(words[CurrentAbi::AUXV_WORDS - 3..], [u64::MAX, 0, 0]);
        let words = auxiliary_vector(&words, &[1; 8]).unwrap();
        assert_eq!(words[..2], [0x0101_0101_0101_0101, u64::MAX]);
        let long = [0; AUXV_BYTES + 1];
        assert_eq!(auxiliary_vector(&[], &long), Err(Errno::EINVAL));
    }
}
