//! The accesses themselves: try, serve the fault, try again; or walk the tables of a space that is not
//! active.

use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::syscall::{UserCStr, UserPtr, UserSlice};
use los_arch::Current;
use los_arch::hal::paging::Access;
use los_arch::hal::prelude::*;
use los_arch::hal::uaccess::UserFault;
use los_arch::hal::{PAGE_SIZE, VirtAddr};
use sync::Once;
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::address_space::{Accessor, AddressSpace, FaultError};
use crate::frames::Frame;

/// A fault that was served this many times without any progress is given up.
const MAX_VAIN_FAULTS: u32 = 64;

/// Makes room when the kernel finds none for a page of a program; false when the access must fail.
static RELIEF: Once<fn() -> bool> = Once::new();

/// Registers who makes room when there is no memory for a page of a program. Called once.
pub fn set_relief(make_room: fn() -> bool) {
    RELIEF.call_once(|| make_room);
}

/// Bytes of a string that are read at a time.
const STRING_CHUNK: usize = 128;

impl AddressSpace {
    /// Reads a value.
    ///
    /// # Errors
    /// EFAULT.
    pub fn read<T: FromBytes + IntoBytes>(&self, pointer: UserPtr<T>) -> Result<T, Errno> {
        self.reader(UserSlice::new(pointer.cast(), size_of::<T>()))
            .read_value()
    }

    /// Reads as many values in a row as fit into the slice.
    ///
    /// # Errors
    /// EFAULT.
    pub fn read_values<T: FromBytes + IntoBytes>(
        &self,
        start: UserPtr<T>,
        into: &mut [T],
    ) -> Result<(), Errno> {
        self.read_bytes(start.addr(), into.as_mut_bytes())
    }

    /// Reads a structure that has grown over time, of which the program knows `size` bytes: what it does not
    /// know is zero, and what we do not know must be.
    ///
    /// # Errors
    /// E2BIG for anything in the part that is unknown here; EFAULT.
    pub fn read_extensible<T: FromBytes + IntoBytes>(
        &self,
        pointer: UserPtr<T>,
        size: usize,
    ) -> Result<T, Errno> {
        let known = size.min(size_of::<T>());
        let rest = pointer.cast::<u8>().offset_bytes(known).ok_or(Errno::EFAULT)?;
        let mut unknown = self.reader(UserSlice::new(rest, size - known));
        for _ in known..size {
            if unknown.read_value::<u8>()? != 0 {
                return Err(Errno::E2BIG);
            }
        }
        let mut value = T::new_zeroed();
        self.read_bytes(pointer.addr(), &mut value.as_mut_bytes()[..known])?;
        Ok(value)
    }

    /// Writes a value.
    ///
    /// # Errors
    /// EFAULT; a part of the value may have been written.
    pub fn write<T: IntoBytes + Immutable>(&self, pointer: UserPtr<T>, value: &T) -> Result<(), Errno> {
        self.write_bytes(pointer.addr(), value.as_bytes())
    }

    /// Writes values in a row.
    ///
    /// # Errors
    /// EFAULT; some of the values may have been written.
    pub fn write_values<T: IntoBytes + Immutable>(
        &self,
        start: UserPtr<T>,
        values: &[T],
    ) -> Result<(), Errno> {
        self.write_bytes(start.addr(), values.as_bytes())
    }

    /// Reads exactly as many bytes as fit into the buffer.
    ///
    /// # Errors
    /// EFAULT.
    pub fn read_bytes(&self, address: u64, into: &mut [u8]) -> Result<(), Errno> {
        if self.copy_in(address, into) < into.len() {
            Err(Errno::EFAULT)
        } else {
            Ok(())
        }
    }

    /// Reads exactly as many bytes as fit into the buffer, from pages that are there: for a caller that holds a
    /// lock and may not wait for one. [`Self::fault_in`] makes them be there, for a while.
    ///
    /// # Errors
    /// EFAULT, also for a space that is not active.
    pub fn read_present(&self, address: u64, into: &mut [u8]) -> Result<(), Errno> {
        if !self.is_active() {
            return Err(Errno::EFAULT);
        }
        Current::copy_from_user(into, address).map_err(|_| Errno::EFAULT)
    }

    /// Makes the pages of a range be there for reading.
    ///
    /// # Errors
    /// EFAULT.
    pub fn fault_in(&self, address: u64, bytes: usize) -> Result<(), Errno> {
        let end = address.checked_add(bytes as u64).ok_or(Errno::EFAULT)?;
        let mut at = address;
        while at < end {
            self.read_bytes(at, &mut [0])?;
            at = VirtAddr::new(at)
                .page_base()
                .as_u64()
                .saturating_add(PAGE_SIZE as u64);
        }
        Ok(())
    }

    /// Writes all bytes.
    ///
    /// # Errors
    /// EFAULT; a part may have been written.
    pub fn write_bytes(&self, address: u64, bytes: &[u8]) -> Result<(), Errno> {
        if self.copy_out(address, bytes) < bytes.len() {
            Err(Errno::EFAULT)
        } else {
            Ok(())
        }
    }

    /// Reads a NUL-terminated string of fewer than `max` bytes, without its NUL.
    ///
    /// # Errors
    /// EFAULT; ENAMETOOLONG when there is no NUL among the first `max` bytes; ENOMEM.
    pub fn read_c_string(&self, string: UserCStr, max: usize) -> Result<Vec<u8>, Errno> {
        let mut bytes = Vec::new();
        let mut address = string.addr();
        while bytes.len() < max {
            // Never beyond the page, which may be the last one.
            let in_page = PAGE_SIZE - VirtAddr::new(address).page_offset();
            let mut chunk = [0; STRING_CHUNK];
            let chunk = &mut chunk[..STRING_CHUNK.min(in_page).min(max - bytes.len())];
            self.read_bytes(address, chunk)?;
            let end = chunk.iter().position(|&byte| byte == 0);
            let part = &chunk[..end.unwrap_or(chunk.len())];
            bytes.try_reserve(part.len()).map_err(|_| Errno::ENOMEM)?;
            bytes.extend_from_slice(part);
            if end.is_some() {
                return Ok(bytes);
            }
            address = address.wrapping_add(chunk.len() as u64);
        }
        Err(Errno::ENAMETOOLONG)
    }

    /// Reads an aligned word in one access.
    ///
    /// # Errors
    /// EFAULT, also for a misaligned address or a space that is not active.
    pub fn load_u32(&self, pointer: UserPtr<u32>) -> Result<u32, Errno> {
        self.access_word(pointer, Current::load_user_u32)
    }

    /// Atomically replaces `expected` by `new` in an aligned word and returns what was there.
    ///
    /// # Errors
    /// EFAULT, also for a misaligned address or a space that is not active.
    pub fn compare_exchange_u32(&self, pointer: UserPtr<u32>, expected: u32, new: u32) -> Result<u32, Errno> {
        self.access_word(pointer, |address| {
            Current::compare_exchange_user_u32(address, expected, new)
        })
    }

    /// Reads from this space, active or not, as far as possible, and returns how many bytes.
    pub fn read_foreign(&self, address: u64, into: &mut [u8]) -> usize {
        self.read_as(Accessor::Other, address, into)
    }

    /// Reads from this space as far as that accessor may, and returns how many bytes.
    pub fn read_as(&self, accessor: Accessor, address: u64, into: &mut [u8]) -> usize {
        let whole = Part {
            address,
            bytes: into.len(),
            access: Access::Read,
            accessor,
        };
        self.by_page(whole, |frame, offset, done, bytes| {
            frame.read(offset, &mut into[done..done + bytes]);
        })
    }

    /// Writes to this space, active or not, as far as possible, and returns how many bytes.
    pub fn write_foreign(&self, address: u64, bytes: &[u8]) -> usize {
        self.write_as(Accessor::Other, address, bytes)
    }

    /// Writes to this space as far as that accessor may, and returns how many bytes.
    pub fn write_as(&self, accessor: Accessor, address: u64, bytes: &[u8]) -> usize {
        let whole = Part {
            address,
            bytes: bytes.len(),
            access: Access::Write,
            accessor,
        };
        self.by_page(whole, |frame, offset, done, count| {
            frame.write(offset, &bytes[done..done + count]);
        })
    }

    /// Reads from the program's memory as far as possible, and returns how many bytes.
    #[inline]
    pub(super) fn copy_in(&self, address: u64, into: &mut [u8]) -> usize {
        if !self.is_active() {
            return self.read_as(Accessor::Program, address, into);
        }
        let total = into.len();
        self.retry(address, total, |at, done| {
            Current::copy_from_user(&mut into[done..], at)
        })
    }

    /// Writes to the program's memory as far as possible, and returns how many bytes.
    #[inline]
    pub(super) fn copy_out(&self, address: u64, bytes: &[u8]) -> usize {
        if !self.is_active() {
            return self.write_as(Accessor::Program, address, bytes);
        }
        self.retry(address, bytes.len(), |at, done| {
            Current::copy_to_user(at, &bytes[done..])
        })
    }

    /// Reads from the program's memory into a frame as far as possible, and returns how many bytes.
    pub(super) fn copy_in_frame(&self, address: u64, frame: &Frame, offset: usize, count: usize) -> usize {
        if self.is_active() {
            let into = frame.bytes_to_change(offset, count);
            return self.retry(address, count, |at, done| {
                Current::copy_shared_from_user(&into[done..], at)
            });
        }
        self.by_page(
            Part::of_program(address, count, Access::Read),
            |from, at, done, bytes| {
                frame.copy_part(offset + done, from, at, bytes);
            },
        )
    }

    /// Writes a part of a frame to the program's memory as far as possible, and returns how many bytes.
    pub(super) fn copy_out_frame(&self, address: u64, frame: &Frame, offset: usize, count: usize) -> usize {
        if self.is_active() {
            let bytes = frame.bytes(offset, count);
            return self.retry(address, count, |at, done| {
                Current::copy_shared_to_user(at, &bytes[done..])
            });
        }
        self.by_page(
            Part::of_program(address, count, Access::Write),
            |into, at, done, bytes| {
                into.copy_part(at, frame, offset + done, bytes);
            },
        )
    }

    /// Zeroes the program's memory as far as possible, and returns how many bytes.
    pub(super) fn zero_out(&self, address: u64, count: usize) -> usize {
        if self.is_active() {
            return self.retry(address, count, |at, done| Current::zero_user(at, count - done));
        }
        self.by_page(
            Part::of_program(address, count, Access::Write),
            |frame, offset, _, bytes| {
                frame.fill_range(offset, bytes, 0);
            },
        )
    }

    /// Calls `access` with an address and the bytes done before, until it is done or a fault cannot be
    /// served. Returns how many bytes are done.
    #[inline]
    fn retry(
        &self,
        address: u64,
        total: usize,
        mut access: impl FnMut(u64, usize) -> Result<(), UserFault>,
    ) -> usize {
        let (mut done, mut vain) = (0, 0);
        while let Err(fault) = access(address.wrapping_add(done as u64), done) {
            done += fault.copied;
            vain = if fault.copied > 0 { 0 } else { vain + 1 };
            if !self.serve(&fault, vain) {
                return done;
            }
        }
        total
    }

    fn access_word(
        &self,
        pointer: UserPtr<u32>,
        access: impl Fn(u64) -> Result<u32, UserFault>,
    ) -> Result<u32, Errno> {
        let address = pointer.addr();
        if !address.is_multiple_of(4) || !self.is_active() {
            return Err(Errno::EFAULT);
        }
        let mut vain = 0;
        loop {
            match access(address) {
                Ok(word) => return Ok(word),
                Err(fault) => {
                    vain += 1;
                    if !self.serve(&fault, vain) {
                        return Err(Errno::EFAULT);
                    }
                }
            }
        }
    }

    /// Serves a fault, and reports whether trying again makes sense.
    #[cold]
    fn serve(&self, fault: &UserFault, vain: u32) -> bool {
        if vain > MAX_VAIN_FAULTS {
            return false;
        }
        match self.handle_fault(VirtAddr::new(fault.address), fault.access) {
            Ok(()) => true,
            Err(FaultError::NoMemory) => RELIEF.get().is_some_and(|make_room| make_room()),
            Err(_) => false,
        }
    }

    /// Calls `copy` with a frame, an offset in it, the bytes done before and the bytes to do, until all is
    /// done or a page cannot be accessed. Returns how many bytes are done.
    fn by_page(&self, whole: Part, mut copy: impl FnMut(&Frame, usize, usize, usize)) -> usize {
        let mut done = 0;
        while done < whole.bytes {
            let Some(at) = whole.address.checked_add(done as u64).map(VirtAddr::new) else {
                break;
            };
            let bytes = (whole.bytes - done).min(PAGE_SIZE - at.page_offset());
            let look = |frame: &Frame| copy(frame, at.page_offset(), done, bytes);
            let (access, accessor) = (whole.access, whole.accessor);
            if self.with_page(at.page_base(), access, accessor, look).is_err() {
                break;
            }
            done += bytes;
        }
        done
    }
}

/// A range of memory, and who does what with it.
struct Part {
    address: u64,
    bytes: usize,
    access: Access,
    accessor: Accessor,
}

impl Part {
    fn of_program(address: u64, bytes: usize, access: Access) -> Self {
        Self {
            address,
            bytes,
            access,
            accessor: Accessor::Program,
        }
    }
}
