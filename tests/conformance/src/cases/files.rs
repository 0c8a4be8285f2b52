//! Open files: positions, sizes, times, attributes.

use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::syscall::Sysno;
use rt::fs::{self, File};
use rt::io;

use crate::arch::ISA;
use crate::harness::Outcome;
use crate::raw::{addr, addr_mut, call};
use crate::{cases, ensure, ensure_eq};

cases![
    write_then_read,
    open_flags,
    append_goes_to_the_end,
    truncation,
    holes_read_as_zeroes,
    seeking,
    positioned_io,
    read_only_and_write_only,
    timestamps,
    modes_and_umask,
    stat_structures,
    statx_fields,
    sendfile_copies,
    unlinked_files_live_on,
    statfs_answers,
    eight_mebibytes,
];

const CWD: u64 = -100_i64 as u64;

pub(super) fn open(path: &[u8], flags: OpenFlags) -> Result<File, Errno> {
    File::open_with(path, flags, 0o644)
}

pub(super) fn new_file(path: &[u8], bytes: &[u8]) -> Result<File, Errno> {
    let mut file = open(path, OpenFlags::RDWR | OpenFlags::CREAT | OpenFlags::TRUNC)?;
    file.write_all(bytes)?;
    Ok(file)
}

pub(super) fn seek(file: &File, offset: i64, whence: u64) -> Result<u64, Errno> {
    call(Sysno::lseek, &[file.descriptor() as u64, offset as u64, whence])
}

fn write_then_read() -> Outcome {
    let file = new_file(b"a", b"some text")?;
    seek(&file, 5, 0)?;
    let mut buffer = [0; 10];
    ensure_eq!(io::read(file.descriptor(), &mut buffer)?, 4);
    ensure_eq!(&buffer[..4], b"text");
    ensure_eq!(io::read(file.descriptor(), &mut buffer)?, 0);
    ensure_eq!(fs::read(b"a")?, b"some text");
    Ok(())
}

fn open_flags() -> Outcome {
    ensure_eq!(open(b"none", OpenFlags::empty()).err(), Some(Errno::ENOENT));
    new_file(b"a", b"x")?;
    let exclusive = OpenFlags::WRONLY | OpenFlags::CREAT | OpenFlags::EXCL;
    ensure_eq!(open(b"a", exclusive).err(), Some(Errno::EEXIST));
    ensure_eq!(open(b"a", OpenFlags::DIRECTORY).err(), Some(Errno::ENOTDIR));
    ensure_eq!(open(b".", OpenFlags::WRONLY).err(), Some(Errno::EISDIR));
    ensure_eq!(open(b"a/b", OpenFlags::empty()).err(), Some(Errno::ENOTDIR));
    fs::symlink(b"a", b"link")?;
    ensure_eq!(open(b"link", OpenFlags::NOFOLLOW).err(), Some(Errno::ELOOP));
    ensure_eq!(open(b"", OpenFlags::empty()).err(), Some(Errno::ENOENT));
    let path_only = open(b"a", OpenFlags::PATH)?;
    ensure_eq!(
        io::read(path_only.descriptor(), &mut [0]).err(),
        Some(Errno::EBADF)
    );
    Ok(())
}

fn append_goes_to_the_end() -> Outcome {
    new_file(b"a", b"one")?;
    let mut file = open(b"a", OpenFlags::WRONLY | OpenFlags::APPEND)?;
    seek(&file, 0, 0)?;
    file.write_all(b"two")?;
    ensure_eq!(fs::read(b"a")?, b"onetwo");
    Ok(())
}

fn truncation() -> Outcome {
    let file = new_file(b"a", &[7; 9000])?;
    let fd = file.descriptor() as u64;
    call(Sysno::ftruncate, &[fd, 5000])?;
    call(Sysno::ftruncate, &[fd, 9000])?;
    let bytes = fs::read(b"a")?;
    ensure_eq!(bytes.len(), 9000);
    ensure!(bytes[..5000].iter().all(|&byte| byte == 7) && bytes[5000..].iter().all(|&byte| byte == 0));
    ensure_eq!(call(Sysno::ftruncate, &[fd, u64::MAX]).err(), Some(Errno::EINVAL));
    let reader = open(b"a", OpenFlags::empty())?;
    ensure_eq!(
        call(Sysno::ftruncate, &[reader.descriptor() as u64, 0]).err(),
        Some(Errno::EINVAL)
    );
    call(Sysno::truncate, &[addr(b"a\0"), 1])?;
    ensure_eq!(fs::read(b"a")?, [7]);
    ensure_eq!(
        call(Sysno::truncate, &[addr(b".\0"), 1]).err(),
        Some(Errno::EISDIR)
    );
    Ok(())
}

fn holes_read_as_zeroes() -> Outcome {
    let file = new_file(b"a", b"start")?;
    call(
        Sysno::pwrite64,
        &[file.descriptor() as u64, addr(b"end"), 3, 100_000],
    )?;
    let bytes = fs::read(b"a")?;
    ensure_eq!(bytes.len(), 100_003);
    ensure!(bytes[5..100_000].iter().all(|&byte| byte == 0));
    ensure_eq!(&bytes[100_000..], b"end");
    Ok(())
}

fn seeking() -> Outcome {
    let file = new_file(b"a", b"0123456789")?;
    ensure_eq!(seek(&file, -3, 2)?, 7);
    ensure_eq!(seek(&file, 2, 1)?, 9);
    ensure_eq!(seek(&file, 100, 0)?, 100);
    ensure_eq!(io::read(file.descriptor(), &mut [0])?, 0);
    ensure_eq!(seek(&file, -1, 0).err(), Some(Errno::EINVAL));
    ensure_eq!(seek(&file, 0, 9).err(), Some(Errno::EINVAL));
    Ok(())
}

fn positioned_io() -> Outcome {
    let file = new_file(b"a", b"0123456789")?;
    let fd = file.descriptor() as u64;
    let mut buffer = [0_u8; 3];
    ensure_eq!(call(Sysno::pread64, &[fd, addr_mut(&mut buffer), 3, 4])?, 3);
    ensure_eq!(&buffer, b"456");
    ensure_eq!(seek(&file, 0, 1)?, 10);
    ensure_eq!(
        call(Sysno::pread64, &[fd, addr_mut(&mut buffer), 3, u64::MAX]).err(),
        Some(Errno::EINVAL)
    );
    Ok(())
}

fn read_only_and_write_only() -> Outcome {
    new_file(b"a", b"x")?;
    let reader = open(b"a", OpenFlags::empty())?;
    ensure_eq!(io::write(reader.descriptor(), b"y").err(), Some(Errno::EBADF));
    let writer = open(b"a", OpenFlags::WRONLY)?;
    ensure_eq!(io::read(writer.descriptor(), &mut [0]).err(), Some(Errno::EBADF));
    ensure_eq!(
        io::read(open(b".", OpenFlags::empty())?.descriptor(), &mut [0]).err(),
        Some(Errno::EISDIR)
    );
    Ok(())
}

fn timestamps() -> Outcome {
    new_file(b"a", b"x")?;
    let times = [[111_i64, 222], [333, 444]];
    call(Sysno::utimensat, &[CWD, addr(b"a\0"), addr(&times), 0])?;
    let metadata = fs::metadata(b"a")?;
    ensure_eq!(
        (metadata.accessed().tv_sec, metadata.accessed().tv_nsec),
        (111, 222)
    );
    ensure_eq!(
        (metadata.modified().tv_sec, metadata.modified().tv_nsec),
        (333, 444)
    );
    const OMIT: i64 = 0x3fff_fffe;
    call(
        Sysno::utimensat,
        &[CWD, addr(b"a\0"), addr(&[[0, OMIT], [5, 6]]), 0],
    )?;
    ensure_eq!(fs::metadata(b"a")?.accessed().tv_sec, 111);
    let bad = [[0_i64, 1_000_000_000], [0, 0]];
    ensure_eq!(
        call(Sysno::utimensat, &[CWD, addr(b"a\0"), addr(&bad), 0]).err(),
        Some(Errno::EINVAL)
    );
    open(b"a", OpenFlags::WRONLY)?.write_all(b"y")?;
    ensure!(fs::metadata(b"a")?.modified().tv_sec > 1_000_000);
    Ok(())
}

fn modes_and_umask() -> Outcome {
    call(Sysno::umask, &[0o027])?;
    File::create(b"a", 0o666)?;
    ensure_eq!(fs::metadata(b"a")?.permissions(), 0o640);
    fs::create_directory(b"d", 0o777)?;
    ensure_eq!(fs::metadata(b"d")?.permissions(), 0o750);
    fs::set_permissions(b"a", 0o4751)?;
    ensure_eq!(fs::metadata(b"a")?.permissions(), 0o4751);
    ensure_eq!(call(Sysno::umask, &[0o22])?, 0o027);
    Ok(())
}

fn stat_structures() -> Outcome {
    use los_abi::isa::{aarch64, x86_64};
    let file = new_file(b"a", b"12345")?;
    let mut bytes = [0_u64; 18];
    call(Sysno::fstat, &[file.descriptor() as u64, addr_mut(&mut bytes)])?;
    let (mode_at, size_at) = match ISA {
        los_abi::Isa::X86_64 => (
            core::mem::offset_of!(x86_64::Stat, st_mode),
            core::mem::offset_of!(x86_64::Stat, st_size),
        ),
        los_abi::Isa::Aarch64 => (
            core::mem::offset_of!(aarch64::Stat, st_mode),
            core::mem::offset_of!(aarch64::Stat, st_size),
        ),
    };
    ensure_eq!(bytes[size_at / 8], 5);
    let mode = (bytes[mode_at / 8] >> (mode_at % 8 * 8)) as u32;
    ensure_eq!(mode, 0o100_644);
    ensure_eq!(
        call(Sysno::fstat, &[98, addr_mut(&mut bytes)]).err(),
        Some(Errno::EBADF)
    );
    ensure_eq!(
        call(Sysno::newfstatat, &[CWD, addr(b"a\0"), 8, 0]).err(),
        Some(Errno::EFAULT)
    );
    ensure_eq!(
        call(
            Sysno::newfstatat,
            &[CWD, addr(b"a\0"), addr_mut(&mut bytes), 0x8000_0000]
        )
        .err(),
        Some(Errno::EINVAL)
    );
    Ok(())
}

fn statx_fields() -> Outcome {
    new_file(b"a", &[1; 10_000])?;
    let metadata = fs::metadata(b"a")?;
    ensure_eq!(metadata.size(), 10_000);
    let raw = metadata.raw();
    ensure!(raw.stx_mask & 0x7ff == 0x7ff);
    ensure_eq!(raw.stx_nlink, 1);
    ensure!(raw.stx_blksize >= 512 && raw.stx_blocks > 0);
    fs::hard_link(b"a", b"b")?;
    ensure_eq!(fs::metadata(b"b")?.raw().stx_nlink, 2);
    ensure_eq!(fs::metadata(b"a")?.identity(), fs::metadata(b"b")?.identity());
    Ok(())
}

fn sendfile_copies() -> Outcome {
    let from = new_file(b"a", b"0123456789")?;
    let to = new_file(b"b", b"")?;
    let mut offset = 2_i64;
    let (out, input) = (to.descriptor() as u64, from.descriptor() as u64);
    ensure_eq!(call(Sysno::sendfile, &[out, input, addr_mut(&mut offset), 4])?, 4);
    ensure_eq!((offset, fs::read(b"b")?), (6, b"2345".to_vec()));
    seek(&from, 8, 0)?;
    ensure_eq!(call(Sysno::sendfile, &[out, input, 0, 100])?, 2);
    ensure_eq!(fs::read(b"b")?, b"234589");
    Ok(())
}

fn unlinked_files_live_on() -> Outcome {
    let file = new_file(b"a", b"still")?;
    fs::remove_file(b"a")?;
    ensure_eq!(fs::metadata(b"a").err(), Some(Errno::ENOENT));
    seek(&file, 0, 0)?;
    let mut buffer = [0; 5];
    ensure_eq!(io::read(file.descriptor(), &mut buffer)?, 5);
    ensure_eq!(file.metadata()?.raw().stx_nlink, 0);
    Ok(())
}

fn statfs_answers() -> Outcome {
    let mut statfs = [0_u64; 15];
    call(Sysno::statfs, &[addr(b"/\0"), addr_mut(&mut statfs)])?;
    ensure!(statfs[0] != 0 && statfs[1] >= 512);
    ensure_eq!(
        call(Sysno::statfs, &[addr(b"/none\0"), addr_mut(&mut statfs)]).err(),
        Some(Errno::ENOENT)
    );
    Ok(())
}

fn eight_mebibytes() -> Outcome {
    let mut file = new_file(b"a", b"")?;
    let block: Vec<u8> = (0..=250).cycle().take(1 << 20).collect();
    for _ in 0..8 {
        file.write_all(&block)?;
    }
    ensure_eq!(fs::metadata(b"a")?.size(), 8 << 20);
    let bytes = fs::read(b"a")?;
    ensure!(bytes.chunks(1 << 20).all(|chunk| chunk == block));
    Ok(())
}
