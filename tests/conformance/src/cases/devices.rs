//! Devices and their calls: null, zero, full, urandom (mem(4), random(4), ioctl(2)).

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::syscall::Sysno;
use rt::{fs, io};

use crate::cases::ended;
use crate::cases::files::{new_file, open};
use crate::cases::memory::{PAGE, PRIVATE, READ, SHARED, WRITE};
use crate::harness::{Outcome, in_child};
use crate::raw::{addr, addr_mut, call, peek, poke};
use crate::{cases, ensure, ensure_eq};

cases![
    devices,
    each_mapping_of_zero_is_new_memory,
    ioctl_on_a_file_is_enotty,
    random_bytes_differ,
];

fn devices() -> Outcome {
    let mut buffer = [1; 8];
    ensure_eq!(
        io::read(open(b"/dev/null", OpenFlags::RDWR)?.descriptor(), &mut buffer)?,
        0
    );
    ensure_eq!(
        io::read(open(b"/dev/zero", OpenFlags::empty())?.descriptor(), &mut buffer)?,
        8
    );
    ensure_eq!(buffer, [0; 8]);
    ensure_eq!(
        io::write(open(b"/dev/null", OpenFlags::WRONLY)?.descriptor(), b"gone")?,
        4
    );
    ensure_eq!(
        io::write(open(b"/dev/full", OpenFlags::WRONLY)?.descriptor(), b"x").err(),
        Some(Errno::ENOSPC)
    );
    ensure_eq!(fs::metadata(b"/dev/null")?.device(), (1, 3));
    ensure_eq!(fs::metadata(b"/dev/null")?.kind(), fs::FileKind::CharacterDevice);
    Ok(())
}

fn each_mapping_of_zero_is_new_memory() -> Outcome {
    let zero = open(b"/dev/zero", OpenFlags::RDWR)?;
    let mapped = |flags| {
        let values = [0, PAGE, READ | WRITE, flags, zero.descriptor() as u64, 0];
        call(Sysno::mmap, &values)
    };
    let (shared, other, private) = (mapped(SHARED)?, mapped(SHARED)?, mapped(PRIVATE)?);
    poke(shared, 5_u8);
    ensure_eq!([other, private].map(peek::<u8>), [0, 0]);
    // A child has the same memory, as that of MAP_SHARED with MAP_ANONYMOUS.
    let child = || {
        poke(shared, 6_u8);
        0
    };
    ensure_eq!(ended(in_child(child)?), 0);
    ensure_eq!(peek::<u8>(shared), 6);
    Ok(())
}

fn ioctl_on_a_file_is_enotty() -> Outcome {
    let file = new_file(b"a", b"")?;
    let buffer = [0_u8; 64];
    ensure_eq!(
        call(Sysno::ioctl, &[file.descriptor() as u64, 0x5401, addr(&buffer)]).err(),
        Some(Errno::ENOTTY)
    );
    Ok(())
}

fn random_bytes_differ() -> Outcome {
    let (mut first, mut second) = ([0_u8; 32], [0_u8; 32]);
    ensure_eq!(call(Sysno::getrandom, &[addr_mut(&mut first), 32, 0])?, 32);
    ensure_eq!(
        io::read(
            open(b"/dev/urandom", OpenFlags::empty())?.descriptor(),
            &mut second
        )?,
        32
    );
    ensure!(first != second && first != [0; 32]);
    ensure_eq!(
        call(Sysno::getrandom, &[addr_mut(&mut first), 32, 0x80]).err(),
        Some(Errno::EINVAL)
    );
    Ok(())
}
