//! /dev/kmsg: what the kernel has said, whether the console showed it or not.
//!
//! Simpler than Linux's: a reader gets the text of the ring as it was when the file was opened.

use alloc::sync::Arc;
use alloc::vec::Vec;

use fs::devfs::Device;
use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use mm::io::{Sink, Source};
use vfs::{Credentials, FileOps, Io};

use crate::logger;

/// `makedev(1, 11)`.
pub(crate) const DEVICE: u64 = los_abi::fs::make_device(1, 11);

/// Most bytes of one message that a program writes.
const MESSAGE_MAX_BYTES: usize = 1024;

/// The device.
pub(crate) struct MessageDevice;

impl Device for MessageDevice {
    fn open(&self, _flags: OpenFlags, _credentials: &Credentials) -> sync::Result<Arc<dyn FileOps>> {
        Ok(Arc::new(Messages {
            text: logger::snapshot()?,
        }))
    }
}

struct Messages {
    text: Vec<u8>,
}

impl FileOps for Messages {
    fn read_at(&self, out: &mut dyn Sink, offset: u64, _io: &Io) -> sync::Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.text.len());
        Ok(out.put(&self.text[start..])?)
    }

    fn write_at(&self, input: &mut dyn Source, _offset: u64, _io: &Io) -> sync::Result<usize> {
        let mut message = [0; MESSAGE_MAX_BYTES];
        let length = input.take(&mut message)?;
        log::info!("{}", message[..length].trim_ascii().escape_ascii());
        Ok(length)
    }

    fn end(&self) -> Result<u64, Errno> {
        Ok(self.text.len() as u64)
    }
}
