//! Files: flags, modes and structures (`linux/fcntl.h`, `linux/stat.h`, `linux/fs.h`), equal on both
//! machines.
//!
//! `struct stat` and four of the open flags differ between the machines: [`StatFields`] and [`OpenFlags`]
//! are the neutral forms that the kernel works with, [`crate::isa`] has the forms on the wire.

mod stat;
mod transfer;

pub use stat::{
    AnyStat, StatFields, Statx, StatxMask, StatxTimestamp, device_major, device_minor, make_device,
};

pub use transfer::{
    EFD_SEMAPHORE, FOwnerEx, FallocateFlags, ReadWriteFlags, XATTR_LIST_MAX, XATTR_NAME_MAX, XATTR_SIZE_MAX,
    XattrArgs, XattrFlags,
};

use crate::isa::{Isa, OpenFlagBits};
use crate::macros::{constants, flags, wire};

flags! {
    /// Seals of a memory file (`F_SEAL_*`).
    SealFlags {
        SEAL = 1, "No more seals.";
        SHRINK = 2, "The file does not shrink.";
        GROW = 4, "The file does not grow.";
        WRITE = 8, "The contents stay as they are.";
        FUTURE_WRITE = 0x10, "Only mappings that exist may write.";
        EXEC = 0x20, "The right to execute stays as it is.";
    }

    /// Flags of open(2) in a form that is one for both machines (`O_*`). The low two bits are a number: see
    /// [`OpenFlags::access`]. `O_SYNC` is `DSYNC` with `SYNC`, `O_TMPFILE` is `TMPFILE` with `DIRECTORY`.
    OpenFlags {
        WRONLY = 0o1, "Writing only.";
        RDWR = 0o2, "Reading and writing.";
        CREAT = 0o100, "Creates a file that does not exist.";
        EXCL = 0o200, "Fails if the file exists.";
        NOCTTY = 0o400, "A terminal does not become the controlling terminal.";
        TRUNC = 0o1000, "Empties the file.";
        APPEND = 0o2000, "Every write goes to the end.";
        NONBLOCK = 0o4000, "Calls fail rather than wait.";
        DSYNC = 0o10000, "Writes wait for the data.";
        ASYNC = 0o20000, "SIGIO when ready (`FASYNC`).";
        DIRECT = 0o40000, "Bypasses caches.";
        LARGEFILE = 0o100_000, "Large sizes; always so on 64-bit machines.";
        DIRECTORY = 0o200_000, "Fails unless it is a directory.";
        NOFOLLOW = 0o400_000, "Fails if the last component is a symbolic link.";
        NOATIME = 0o1_000_000, "Reading does not change the access time.";
        CLOEXEC = 0o2_000_000, "Closed by execve.";
        SYNC = 0o4_000_000, "With DSYNC: writes wait for data and attributes.";
        PATH = 0o10_000_000, "A place in the tree, not an open file.";
        TMPFILE = 0o20_000_000, "With DIRECTORY: a file without a name in it.";
    }

    /// Flags of the `*at` calls (`AT_*`). Values above the low byte mean the same in every call but
    /// `REMOVEDIR` and `EACCESS`, which share one.
    AtFlags {
        SYMLINK_NOFOLLOW = 0x100, "The last component is not followed.";
        REMOVEDIR = 0x200, "unlinkat: removes a directory.";
        SYMLINK_FOLLOW = 0x400, "linkat: the last component is followed.";
        NO_AUTOMOUNT = 0x800, "Nothing is mounted on the way.";
        EMPTY_PATH = 0x1000, "An empty path is the descriptor itself.";
        STATX_FORCE_SYNC = 0x2000, "statx: asks the server.";
        STATX_DONT_SYNC = 0x4000, "statx: believes the cache.";
        RECURSIVE = 0x8000, "Also below.";
    }

    /// What access(2) asks for; none is `F_OK`, existence.
    AccessMode {
        X_OK = 1, "Execution or search.";
        W_OK = 2, "Writing.";
        R_OK = 4, "Reading.";
    }

    /// Variants of renameat2(2) (`RENAME_*`).
    RenameFlags {
        NOREPLACE = 1, "Fails if the new name exists.";
        EXCHANGE = 2, "The two names change places.";
        WHITEOUT = 4, "Leaves a whiteout.";
    }

    /// Flags of mount(2) (`MS_*`).
    MountFlags {
        RDONLY = 1, "Nothing may be written.";
        NOSUID = 2, "setuid bits have no effect.";
        NODEV = 4, "Device files cannot be opened.";
        NOEXEC = 8, "Nothing may be executed.";
        SYNCHRONOUS = 0x10, "Writes wait.";
        REMOUNT = 0x20, "Changes the flags of a mount.";
        MANDLOCK = 0x40, "Mandatory locks.";
        DIRSYNC = 0x80, "Changes of directories wait.";
        NOSYMFOLLOW = 0x100, "Symbolic links are not followed.";
        NOATIME = 0x400, "Access times are not kept.";
        NODIRATIME = 0x800, "Access times of directories are not kept.";
        BIND = 0x1000, "A part of the tree appears a second time.";
        MOVE = 0x2000, "A mount moves.";
        REC = 0x4000, "Also mounts below.";
        SILENT = 0x8000, "No messages.";
        UNBINDABLE = 0x2_0000, "Cannot be bound.";
        PRIVATE = 0x4_0000, "Does not propagate.";
        SLAVE = 0x8_0000, "Receives propagation.";
        SHARED = 0x10_0000, "Propagates.";
        RELATIME = 0x20_0000, "Access times are kept relative to changes.";
        STRICTATIME = 0x100_0000, "Access times are always kept.";
        LAZYTIME = 0x200_0000, "Times are kept in memory.";
    }

    /// Flags of umount2(2) (`MNT_*`, `UMOUNT_NOFOLLOW`).
    UmountFlags {
        FORCE = 1, "Even if in use.";
        DETACH = 2, "Now from the tree, later for real.";
        EXPIRE = 4, "If unused since the last such call.";
        NOFOLLOW = 8, "The last component is not followed.";
    }

    /// Flags of close_range(2) (`CLOSE_RANGE_*`).
    CloseRangeFlags {
        UNSHARE = 2, "The table of descriptors is unshared first.";
        CLOEXEC = 4, "Marks the descriptors instead of closing them.";
    }
}

/// How a file is open: the low two bits of the open flags.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// `O_RDONLY`.
    Read,
    /// `O_WRONLY`.
    Write,
    /// `O_RDWR`.
    ReadWrite,
    /// The value 3, which Linux takes for "permission to read and write, but neither is possible".
    Neither,
}

impl OpenFlags {
    /// `O_ACCMODE`: mask of the number that says how the file is open.
    pub const ACCMODE: Self = Self::WRONLY.union(Self::RDWR);

    /// Reads the flags as this machine encodes them. Unknown bits are kept.
    pub const fn from_raw(isa: Isa, raw: u32) -> Self {
        Self::from_bits_retain(exchange(raw, OpenFlagBits::of(isa), OpenFlagBits::NEUTRAL))
    }

    /// Returns the flags as this machine encodes them.
    pub const fn to_raw(self, isa: Isa) -> u32 {
        exchange(self.bits(), OpenFlagBits::NEUTRAL, OpenFlagBits::of(isa))
    }

    /// Returns how the file is open.
    pub const fn access(self) -> Access {
        match self.intersection(Self::ACCMODE).bits() {
            0 => Access::Read,
            1 => Access::Write,
            2 => Access::ReadWrite,
            _ => Access::Neither,
        }
    }
}

/// Moves the four flags that differ from their places in one encoding to those in the other.
const fn exchange(bits: u32, from: OpenFlagBits, to: OpenFlagBits) -> u32 {
    let (old, new) = (from.to_array(), to.to_array());
    let mut result = bits;
    let mut index = 0;
    while index < old.len() {
        result &= !old[index];
        index += 1;
    }
    index = 0;
    while index < old.len() {
        if bits & old[index] != 0 {
            result |= new[index];
        }
        index += 1;
    }
    result
}

constants! {
    /// File types and permissions in a mode.
    MODES: u32 {
        S_IFMT = 0o170_000, "Mask of the file type.";
        S_IFSOCK = 0o140_000, "Socket.";
        S_IFLNK = 0o120_000, "Symbolic link.";
        S_IFREG = 0o100_000, "Regular file.";
        S_IFBLK = 0o060_000, "Block device.";
        S_IFDIR = 0o040_000, "Directory.";
        S_IFCHR = 0o020_000, "Character device.";
        S_IFIFO = 0o010_000, "FIFO.";
        S_ISUID = 0o4000, "Executes as the owner.";
        S_ISGID = 0o2000, "Executes as the group; files in a directory get its group.";
        S_ISVTX = 0o1000, "Only owners delete in a directory.";
        S_IRWXU = 0o700, "All for the owner.";
        S_IRUSR = 0o400, "The owner reads.";
        S_IWUSR = 0o200, "The owner writes.";
        S_IXUSR = 0o100, "The owner executes.";
        S_IRWXG = 0o070, "All for the group.";
        S_IRGRP = 0o040, "The group reads.";
        S_IWGRP = 0o020, "The group writes.";
        S_IXGRP = 0o010, "The group executes.";
        S_IRWXO = 0o007, "All for others.";
        S_IROTH = 0o004, "Others read.";
        S_IWOTH = 0o002, "Others write.";
        S_IXOTH = 0o001, "Others execute.";
    }

    /// Where lseek(2) counts from.
    WHENCES: u32 {
        SEEK_SET = 0, "The start.";
        SEEK_CUR = 1, "The current position.";
        SEEK_END = 2, "The end.";
        SEEK_DATA = 3, "The next data.";
        SEEK_HOLE = 4, "The next hole.";
    }

    /// File types in a directory entry.
    DIRENT_TYPES: u8 {
        DT_UNKNOWN = 0, "Not told.";
        DT_FIFO = 1, "FIFO.";
        DT_CHR = 2, "Character device.";
        DT_DIR = 4, "Directory.";
        DT_BLK = 6, "Block device.";
        DT_REG = 8, "Regular file.";
        DT_LNK = 10, "Symbolic link.";
        DT_SOCK = 12, "Socket.";
    }

    /// Commands of fcntl(2).
    FCNTL_COMMANDS: u32 {
        F_DUPFD = 0, "Duplicates to the lowest free number not below the argument.";
        F_GETFD = 1, "Reads the descriptor's flags.";
        F_SETFD = 2, "Writes the descriptor's flags.";
        F_GETFL = 3, "Reads the open flags.";
        F_SETFL = 4, "Writes the open flags that can change.";
        F_GETLK = 5, "Finds a record lock in the way.";
        F_SETLK = 6, "Takes or drops a record lock.";
        F_SETLKW = 7, "Takes a record lock, waiting for it.";
        F_SETOWN = 8, "Sets the receiver of SIGIO.";
        F_GETOWN = 9, "Reads the receiver of SIGIO.";
        F_SETSIG = 10, "Sets the signal in place of SIGIO.";
        F_GETSIG = 11, "Reads the signal in place of SIGIO.";
        F_SETOWN_EX = 15, "Sets the receiver of SIGIO, by kind.";
        F_GETOWN_EX = 16, "Reads the receiver of SIGIO, by kind.";
        F_GETOWNER_UIDS = 17, "Reads the users of who set the receiver.";
        F_OFD_GETLK = 36, "F_GETLK for the open file.";
        F_OFD_SETLK = 37, "F_SETLK for the open file.";
        F_OFD_SETLKW = 38, "F_SETLKW for the open file.";
        F_SETLEASE = 1024, "Takes a lease.";
        F_GETLEASE = 1025, "Reads the lease.";
        F_NOTIFY = 1026, "Watches a directory.";
        F_DUPFD_QUERY = 1027, "Tells whether two descriptors are one open file.";
        F_DUPFD_CLOEXEC = 1030, "F_DUPFD, with FD_CLOEXEC.";
        F_SETPIPE_SZ = 1031, "Sets the size of a pipe.";
        F_GETPIPE_SZ = 1032, "Reads the size of a pipe.";
        F_ADD_SEALS = 1033, "Adds seals.";
        F_GET_SEALS = 1034, "Reads the seals.";
    }

    /// What F_NOTIFY watches a directory for.
    DIRECTORY_EVENTS: u32 {
        DN_ACCESS = 1, "A file was read.";
        DN_MODIFY = 2, "A file was written.";
        DN_CREATE = 4, "A name was made.";
        DN_DELETE = 8, "A name was removed.";
        DN_RENAME = 0x10, "A file was renamed.";
        DN_ATTRIB = 0x20, "A file's attributes were changed.";
        DN_MULTISHOT = 0x8000_0000, "Not only the first time.";
    }

    /// Kinds of receivers of signals about a file.
    OWNER_KINDS: i32 {
        F_OWNER_TID = 0, "A thread.";
        F_OWNER_PID = 1, "A process.";
        F_OWNER_PGRP = 2, "A process group.";
    }

    /// Advice of posix_fadvise(2) (`linux/fadvise.h`).
    FADVICE: i32 {
        POSIX_FADV_NORMAL = 0, "No expectation.";
        POSIX_FADV_RANDOM = 1, "Random order.";
        POSIX_FADV_SEQUENTIAL = 2, "In order.";
        POSIX_FADV_WILLNEED = 3, "Soon.";
        POSIX_FADV_DONTNEED = 4, "Not soon.";
        POSIX_FADV_NOREUSE = 5, "Once.";
    }

    /// Flags of a descriptor, for F_SETFD.
    FD_FLAGS: u32 {
        FD_CLOEXEC = 1, "Closed by execve.";
    }

    /// Kinds of record locks.
    LOCK_TYPES: i16 {
        F_RDLCK = 0, "Shared.";
        F_WRLCK = 1, "Exclusive.";
        F_UNLCK = 2, "None.";
    }

    /// Operations of flock(2).
    FLOCK_OPERATIONS: u32 {
        LOCK_SH = 1, "Shared.";
        LOCK_EX = 2, "Exclusive.";
        LOCK_NB = 4, "Fails rather than waits.";
        LOCK_UN = 8, "Unlocks.";
        LOCK_MAND = 32, "Once a mandatory lock; ignored.";
    }

    /// Kinds of file systems, in `Statfs::f_type`.
    FS_MAGICS: u64 {
        TMPFS_MAGIC = 0x0102_1994, "tmpfs.";
        RAMFS_MAGIC = 0x8584_58f6, "ramfs.";
        PROC_SUPER_MAGIC = 0x9fa0, "procfs.";
        SYSFS_MAGIC = 0x6265_6572, "sysfs.";
        DEVPTS_SUPER_MAGIC = 0x1cd1, "devpts.";
        EXT4_SUPER_MAGIC = 0xef53, "ext2, ext3 and ext4.";
        MSDOS_SUPER_MAGIC = 0x4d44, "FAT.";
        V9FS_MAGIC = 0x0102_1997, "9P.";
    }
}

/// `f_type` of the file system behind pipes (`linux/magic.h`).
pub const PIPEFS_MAGIC: u64 = 0x5049_5045;
/// Longest path, with its NUL (`linux/limits.h`).
pub const PATH_MAX: usize = 4096;
/// Longest component of a path (`linux/limits.h`).
pub const NAME_MAX: usize = 255;
/// Size of the atomic writes to a pipe (`linux/limits.h`).
pub const PIPE_BUF: usize = 4096;
/// Most vectors that readv(2) and writev(2) take (`UIO_MAXIOV`).
pub const IOV_MAX: usize = 1024;
/// Flag in `Statfs::f_flags`: the flags are valid.
pub const ST_VALID: u64 = 0x20;
/// Bit of unlinkat's flags that faccessat2 reads as "use the effective ids".
pub const AT_EACCESS: AtFlags = AtFlags::REMOVEDIR;

wire! {
    /// A piece of memory in readv(2) and its kin.
    #[derive(PartialEq, Eq)]
    IoVec {
        /// Address of the first byte.
        iov_base: u64,
        /// Number of bytes.
        iov_len: u64,
    }

    /// Record lock of fcntl(2).
    #[derive(PartialEq, Eq)]
    Flock {
        /// One of [`LOCK_TYPES`].
        l_type: i16,
        /// One of [`WHENCES`].
        l_whence: i16,
        /// Padding.
        pad: u32,
        /// First byte, from `l_whence`.
        l_start: i64,
        /// Number of bytes, zero for "to the end".
        l_len: i64,
        /// Owner.
        l_pid: i32,
        /// Padding.
        pad2: u32,
    }

    /// State of a file system.
    #[derive(PartialEq, Eq)]
    Statfs {
        /// One of [`FS_MAGICS`].
        f_type: u64,
        /// Best size of transfers.
        f_bsize: u64,
        /// Blocks of `f_frsize`.
        f_blocks: u64,
        /// Free blocks.
        f_bfree: u64,
        /// Blocks free to ordinary users.
        f_bavail: u64,
        /// Inodes.
        f_files: u64,
        /// Free inodes.
        f_ffree: u64,
        /// Identity.
        f_fsid: [i32; 2],
        /// Longest name.
        f_namelen: u64,
        /// Size of a block.
        f_frsize: u64,
        /// Mount flags, with [`ST_VALID`].
        f_flags: u64,
        /// Unused.
        f_spare: [u64; 4],
    }

    /// Fixed part of an entry of getdents64(2); the NUL-terminated name follows at [`DIRENT64_NAME_OFFSET`].
    #[derive(PartialEq, Eq)]
    Dirent64Header {
        /// Inode number.
        d_ino: u64,
        /// Position of the next entry.
        d_off: i64,
        /// Size of the entry with its name and padding, a multiple of 8.
        d_reclen: [u8; 2],
        /// One of [`DIRENT_TYPES`].
        d_type: u8,
        /// First byte of the name.
        d_name: [u8; 5],
    }

    /// Times of utime(2).
    #[derive(PartialEq, Eq)]
    Utimbuf {
        /// Time of last access, in seconds.
        actime: i64,
        /// Time of last change, in seconds.
        modtime: i64,
    }
}

/// Offset of the name in an entry of getdents64(2).
pub const DIRENT64_NAME_OFFSET: usize = 19;
/// Offset of the name in an entry of the older getdents(2), whose type is in the last byte.
pub const DIRENT_NAME_OFFSET: usize = 18;

#[cfg(test)]
mod tests {
    use super::{Access, OpenFlags};
    use crate::isa::Isa;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn open_flags_round_trip(raw in any::<u32>()) {
            for isa in [Isa::Aarch64, Isa::X86_64] {
                prop_assert_eq!(OpenFlags::from_raw(isa, raw).to_raw(isa), raw);
            }
        }
    }

    #[test]
    fn open_flags_mean_the_same_on_both_machines() {
        let directory = OpenFlags::DIRECTORY | OpenFlags::CLOEXEC;
        assert_eq!(OpenFlags::from_raw(Isa::X86_64, 0o2_200_000), directory);
        assert_eq!(OpenFlags::from_raw(Isa::Aarch64, 0o2_040_000), directory);
        assert_eq!(OpenFlags::from_raw(Isa::Aarch64, 0o1101).access(), Access::Write);
        assert_eq!(OpenFlags::from_bits_retain(3).access(), Access::Neither);
    }
}
