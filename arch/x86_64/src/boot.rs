//! Direct boot through the PVH entry: `boot.S` brings the processor to 64-bit mode, `pvh` reads the loader's
//! structures (pure), `entry` joins the two.

pub(crate) mod pvh;

#[cfg(target_os = "none")]
mod entry;
