//! Listings of directories (getdents64(2)).

use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::syscall::Sysno;
use rt::fs;

use crate::cases::files::{new_file, open};
use crate::harness::Outcome;
use crate::raw::{addr, addr_mut, call};
use crate::{cases, ensure_eq};

cases![directory_listing, many_directory_entries];

fn names(path: &[u8]) -> Result<Vec<Vec<u8>>, Errno> {
    let mut names: Vec<_> = fs::read_directory(path)?
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    names.retain(|name| name != b"." && name != b"..");
    names.sort();
    Ok(names)
}

fn directory_listing() -> Outcome {
    fs::create_directory(b"d", 0o755)?;
    for name in [&b"d/c"[..], b"d/a", b"d/b"] {
        new_file(name, b"")?;
    }
    ensure_eq!(names(b"d")?, [b"a", b"b", b"c"]);
    fs::remove_file(b"d/b")?;
    ensure_eq!(names(b"d")?, [b"a", b"c"]);
    let directory = open(b"d", OpenFlags::empty())?;
    let fd = directory.descriptor() as u64;
    ensure_eq!(
        call(Sysno::getdents64, &[fd, addr(&[0_u8; 8]), 8]).err(),
        Some(Errno::EINVAL)
    );
    let file = open(b"d/a", OpenFlags::empty())?;
    let buffer = [0_u8; 256];
    ensure_eq!(
        call(Sysno::getdents64, &[file.descriptor() as u64, addr(&buffer), 256]).err(),
        Some(Errno::ENOTDIR)
    );
    Ok(())
}

fn many_directory_entries() -> Outcome {
    fs::create_directory(b"d", 0o755)?;
    for number in 0..500 {
        new_file(alloc::format!("d/file-{number}").as_bytes(), b"")?;
    }
    // Small buffers, and deleting while reading: every name is seen once.
    let directory = open(b"d", OpenFlags::empty())?;
    let mut seen = Vec::new();
    let mut buffer = [0_u8; 200];
    loop {
        let count = call(
            Sysno::getdents64,
            &[directory.descriptor() as u64, addr_mut(&mut buffer), 200],
        )? as usize;
        if count == 0 {
            break;
        }
        let mut at = 0;
        while at < count {
            let length = usize::from(u16::from_le_bytes([buffer[at + 16], buffer[at + 17]]));
            let name = &buffer[at + 19..at + length];
            let name = &name[..name.iter().position(|&byte| byte == 0).unwrap_or(name.len())];
            if !name.starts_with(b".") {
                fs::remove_file(&fs::join(b"d", name))?;
                seen.push(name.to_vec());
            }
            at += length;
        }
    }
    seen.sort();
    seen.dedup();
    ensure_eq!(seen.len(), 500);
    fs::remove_directory(b"d")?;
    Ok(())
}
