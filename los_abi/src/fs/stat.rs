//! Attributes of files: the neutral [`StatFields`], [`Statx`], and device numbers.

use crate::macros::{flags, wire};
use crate::time::Timespec;

/// Stands in a pointer's type for the `struct stat` of the caller's machine: cast to `IsaAbi::Stat`.
#[derive(Clone, Copy, Debug)]
pub enum AnyStat {}

flags! {
    /// Fields that statx(2) is asked for or has filled in (`STATX_*`).
    StatxMask {
        TYPE = 1, "File type.";
        MODE = 2, "Permissions.";
        NLINK = 4, "Number of links.";
        UID = 8, "Owner.";
        GID = 0x10, "Group.";
        ATIME = 0x20, "Time of last access.";
        MTIME = 0x40, "Time of last change of the data.";
        CTIME = 0x80, "Time of last change of the attributes.";
        INO = 0x100, "Inode number.";
        SIZE = 0x200, "Size.";
        BLOCKS = 0x400, "Allocated blocks.";
        BTIME = 0x800, "Time of creation.";
        MNT_ID = 0x1000, "Mount.";
        DIOALIGN = 0x2000, "Alignment of direct input and output.";
        MNT_ID_UNIQUE = 0x4000, "Mount, by a number that is never used again.";
        SUBVOL = 0x8000, "Subvolume.";
    }
}

wire! {
    /// Time in [`Statx`].
    #[derive(PartialEq, Eq)]
    StatxTimestamp {
        /// Whole seconds.
        tv_sec: i64,
        /// Nanoseconds.
        tv_nsec: u32,
        /// Padding.
        reserved: i32,
    }

    /// Attributes of a file, for statx(2).
    #[derive(PartialEq, Eq)]
    Statx {
        /// Which fields are filled in: [`StatxMask`].
        stx_mask: u32,
        /// Best size of transfers.
        stx_blksize: u32,
        /// `STATX_ATTR_*`.
        stx_attributes: u64,
        /// Number of links.
        stx_nlink: u32,
        /// Owner.
        stx_uid: u32,
        /// Group.
        stx_gid: u32,
        /// Type and permissions.
        stx_mode: u16,
        /// Padding.
        spare0: u16,
        /// Inode number.
        stx_ino: u64,
        /// Size in bytes.
        stx_size: u64,
        /// Allocated blocks of 512 bytes.
        stx_blocks: u64,
        /// Which attributes the file system knows.
        stx_attributes_mask: u64,
        /// Time of last access.
        stx_atime: StatxTimestamp,
        /// Time of creation.
        stx_btime: StatxTimestamp,
        /// Time of last change of the attributes.
        stx_ctime: StatxTimestamp,
        /// Time of last change of the data.
        stx_mtime: StatxTimestamp,
        /// Major number of the device that the file is.
        stx_rdev_major: u32,
        /// Its minor number.
        stx_rdev_minor: u32,
        /// Major number of the device that the file is on.
        stx_dev_major: u32,
        /// Its minor number.
        stx_dev_minor: u32,
        /// Mount.
        stx_mnt_id: u64,
        /// Alignment of memory in direct transfers.
        stx_dio_mem_align: u32,
        /// Alignment of offsets in direct transfers.
        stx_dio_offset_align: u32,
        /// Unused here, in part used by later versions of Linux.
        spare3: [u64; 12],
    }
}

/// Attributes of a file in a form that is one for both machines.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StatFields {
    /// Device that the file is on: [`make_device`].
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Type and permissions.
    pub mode: u32,
    /// Number of links.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device that the file is: [`make_device`].
    pub rdev: u64,
    /// Size in bytes.
    pub size: u64,
    /// Best size of transfers.
    pub blksize: u32,
    /// Allocated blocks of 512 bytes.
    pub blocks: u64,
    /// Time of last access.
    pub atime: Timespec,
    /// Time of last change of the data.
    pub mtime: Timespec,
    /// Time of last change of the attributes.
    pub ctime: Timespec,
}

impl From<StatFields> for Statx {
    fn from(fields: StatFields) -> Self {
        let time = |time: Timespec| StatxTimestamp {
            tv_sec: time.tv_sec,
            tv_nsec: time.tv_nsec as u32,
            reserved: 0,
        };
        let basic = StatxMask::from_bits_retain(0x7ff);
        Self {
            stx_mask: basic.bits(),
            stx_blksize: fields.blksize,
            stx_nlink: fields.nlink,
            stx_uid: fields.uid,
            stx_gid: fields.gid,
            stx_mode: fields.mode as u16,
            stx_ino: fields.ino,
            stx_size: fields.size,
            stx_blocks: fields.blocks,
            stx_atime: time(fields.atime),
            stx_ctime: time(fields.ctime),
            stx_mtime: time(fields.mtime),
            stx_rdev_major: device_major(fields.rdev),
            stx_rdev_minor: device_minor(fields.rdev),
            stx_dev_major: device_major(fields.dev),
            stx_dev_minor: device_minor(fields.dev),
            ..Self::default()
        }
    }
}

/// Joins a device number as `struct stat` and mknod(2) carry it.
pub const fn make_device(major: u32, minor: u32) -> u64 {
    ((minor & 0xff) as u64)
        | (((major & 0xfff) as u64) << 8)
        | (((minor & !0xff) as u64) << 12)
        | (((major & !0xfff) as u64) << 32)
}

/// Returns the major part of a device number.
pub const fn device_major(device: u64) -> u32 {
    (((device >> 8) & 0xfff) | ((device >> 32) & !0xfff)) as u32
}

/// Returns the minor part of a device number.
pub const fn device_minor(device: u64) -> u32 {
    ((device & 0xff) | ((device >> 12) & !0xff)) as u32
}

#[cfg(test)]
mod tests {
    use super::{StatFields, Statx, device_major, device_minor, make_device};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn device_numbers_round_trip(major in any::<u32>(), minor in any::<u32>()) {
            let device = make_device(major, minor);
            prop_assert_eq!((device_major(device), device_minor(device)), (major, minor));
        }
    }

    #[test]
    fn statx_takes_the_fields() {
        let fields = StatFields {
            rdev: make_device(5, 1),
            mode: 0o020_620,
            ..StatFields::default()
        };
        let statx = Statx::from(fields);
        assert_eq!(
            (statx.stx_rdev_major, statx.stx_rdev_minor, statx.stx_mode),
            (5, 1, 0o020_620)
        );
    }
}
