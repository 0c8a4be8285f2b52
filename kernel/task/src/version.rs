//! What the system calls itself, for uname(2) and /proc.

/// Name of the interface.
pub const SYSTEM: &str = "Linux";
/// The version of Linux whose interface this is: programs look at it to decide what they may use.
pub const RELEASE: &str = "6.12.0-levitate";
/// The same for programs that stumble over a version without 2.6 in front (`UNAME26`): 60 more than the minor.
pub const RELEASE_26: &str = "2.6.72-levitate";
/// This kernel's name and version.
pub const VERSION: &str = concat!("Levitate ", env!("CARGO_PKG_VERSION"));
/// Name of the machine in its network.
pub const HOST: &str = "levitate";
/// NIS domain, which is not set.
pub const DOMAIN: &str = "(none)";
