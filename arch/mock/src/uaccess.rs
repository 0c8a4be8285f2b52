//! Access to the memory of the "running program": a walk of the active user root in fake RAM, permissions
//! honoured.

use core::sync::atomic::{AtomicU8, Ordering};

use hal::paging::{Access, PageFlags};
use hal::uaccess::{Uaccess, UserFault};
use hal::{PAGE_SIZE, PhysAddr, VirtAddr};

use crate::paging::translate;
use crate::{Mock, ram};

impl Uaccess for Mock {
    fn copy_from_user(destination: &mut [u8], source: u64) -> Result<(), UserFault> {
        by_page(source, destination.len(), Access::Read, |at, done, bytes| {
            ram::read(at, &mut destination[done..done + bytes]);
        })
    }

    fn copy_to_user(destination: u64, source: &[u8]) -> Result<(), UserFault> {
        by_page(destination, source.len(), Access::Write, |at, done, bytes| {
            ram::write(at, &source[done..done + bytes]);
        })
    }

    fn copy_shared_from_user(destination: &[AtomicU8], source: u64) -> Result<(), UserFault> {
        by_page(source, destination.len(), Access::Read, |at, done, bytes| {
            let mut page = [0; PAGE_SIZE];
            ram::read(at, &mut page[..bytes]);
            for (to, from) in destination[done..].iter().zip(&page[..bytes]) {
                to.store(*from, Ordering::Relaxed);
            }
        })
    }

    fn copy_shared_to_user(destination: u64, source: &[AtomicU8]) -> Result<(), UserFault> {
        by_page(destination, source.len(), Access::Write, |at, done, bytes| {
            let mut page = [0; PAGE_SIZE];
            for (to, from) in page.iter_mut().zip(&source[done..done + bytes]) {
                *to = from.load(Ordering::Relaxed);
            }
            ram::write(at, &page[..bytes]);
        })
    }

    fn zero_user(destination: u64, bytes: usize) -> Result<(), UserFault> {
        by_page(destination, bytes, Access::Write, |at, _, bytes| {
            ram::write(at, &[0; PAGE_SIZE][..bytes]);
        })
    }

    fn load_user_u32(address: u64) -> Result<u32, UserFault> {
        word(address, Access::Read).map(ram::load_u32)
    }

    fn compare_exchange_user_u32(address: u64, expected: u32, new: u32) -> Result<u32, UserFault> {
        word(address, Access::Write).map(|at| ram::compare_exchange_u32(at, expected, new))
    }
}

/// Calls `copy` with the physical address, the bytes done before and the bytes to do, page by page.
fn by_page(
    start: u64,
    total: usize,
    access: Access,
    mut copy: impl FnMut(PhysAddr, usize, usize),
) -> Result<(), UserFault> {
    let mut done = 0;
    while done < total {
        let address = VirtAddr::new(start.wrapping_add(done as u64));
        let bytes = (total - done).min(PAGE_SIZE - address.page_offset());
        let fault = UserFault {
            copied: done,
            address: address.as_u64(),
            access,
        };
        copy(locate(address, access).ok_or(fault)?, done, bytes);
        done += bytes;
    }
    Ok(())
}

fn word(address: u64, access: Access) -> Result<PhysAddr, UserFault> {
    let place = if address.is_multiple_of(4) {
        locate(VirtAddr::new(address), access)
    } else {
        None
    };
    place.ok_or(UserFault {
        copied: 0,
        address,
        access,
    })
}

fn locate(address: VirtAddr, access: Access) -> Option<PhysAddr> {
    let leaf = translate(address)?;
    let needed = match access {
        Access::Read => PageFlags::READ,
        Access::Write => PageFlags::READ | PageFlags::WRITE,
        Access::Execute => PageFlags::READ | PageFlags::EXECUTE,
    };
    let allowed = leaf.flags.contains(needed | PageFlags::USER);
    allowed.then(|| leaf.phys + (address - leaf.virt))
}
