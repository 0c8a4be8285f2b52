//! The system as a whole: its name, its mounts, and its end.

use los_abi::fs::{MountFlags, UmountFlags};
use los_abi::syscall::UserPtr;
use los_abi::system::{
    LINUX_REBOOT_CMD_HALT, LINUX_REBOOT_CMD_POWER_OFF, LINUX_REBOOT_CMD_RESTART, LINUX_REBOOT_MAGIC1,
    LINUX_REBOOT_MAGIC2,
};

use crate::c_string::CString;
use crate::{Result, sys};

pub use los_abi::system::Utsname;

/// Returns the names of the system.
///
/// # Errors
/// Those of uname(2).
pub fn names() -> Result<Utsname> {
    let mut names = Utsname::default();
    // SAFETY: the call writes the structure, which lives until it returns.
    unsafe { sys::uname(UserPtr::new(&raw mut names as u64)) }?;
    Ok(names)
}

/// How the system ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Stops, with the power on.
    Halt,
    /// Switches off.
    PowerOff,
    /// Starts again.
    Reboot,
}

/// Ends the system at once: no process is asked, nothing is written.
///
/// # Errors
/// EPERM without privilege; on success the call does not return.
pub fn shut_down(how: Shutdown) -> Result<()> {
    let command = match how {
        Shutdown::Halt => LINUX_REBOOT_CMD_HALT,
        Shutdown::PowerOff => LINUX_REBOOT_CMD_POWER_OFF,
        Shutdown::Reboot => LINUX_REBOOT_CMD_RESTART,
    };
    // SAFETY: these commands read no memory.
    unsafe { sys::reboot(LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, command, UserPtr::NULL) }.map(drop)
}

/// Writes everything that is buffered for disks.
pub fn sync() {
    // SAFETY: the call touches no memory, and it always succeeds.
    let _ = unsafe { sys::sync() };
}

/// Mounts a file system.
///
/// # Errors
/// Those of mount(2).
pub fn mount(source: &[u8], target: &[u8], kind: &[u8], flags: MountFlags) -> Result<()> {
    let (source, target, kind) = (CString::new(source)?, CString::new(target)?, CString::new(kind)?);
    // SAFETY: the call only reads the strings.
    unsafe {
        sys::mount(
            source.as_user(),
            target.as_user(),
            kind.as_user(),
            flags,
            UserPtr::NULL,
        )
    }
    .map(drop)
}

/// Unmounts a file system.
///
/// # Errors
/// Those of umount2(2).
pub fn unmount(target: &[u8], flags: UmountFlags) -> Result<()> {
    let target = CString::new(target)?;
    // SAFETY: the call only reads the string.
    unsafe { sys::umount2(target.as_user(), flags) }.map(drop)
}
