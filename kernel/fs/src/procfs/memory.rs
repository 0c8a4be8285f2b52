//! /proc/PID/mem: a process's memory as a file, at its own addresses.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use los_abi::errno::Errno;
use mm::io::{Sink, Source};
use mm::{Accessor, AddressSpace};
use vfs::{FileOps, Io};

use super::task::Task;

/// Bytes that are copied at a time.
const CHUNK_BYTES: usize = 4096;

/// Opens the memory that a task has now; it stays that one when the task executes another program.
pub(super) fn open(task: &Task) -> Result<Arc<dyn FileOps>, Errno> {
    let memory = task.process().memory();
    let memory = memory.as_ref().map_or_else(Weak::new, Arc::downgrade);
    Ok(Arc::new(MemoryFile(memory)))
}

/// The memory, for as long as somebody uses it.
struct MemoryFile(Weak<AddressSpace>);

impl FileOps for MemoryFile {
    fn read_at(&self, out: &mut dyn Sink, offset: u64, _io: &Io) -> sync::Result<usize> {
        self.copy(offset, out.remaining(), |memory, at, chunk| {
            let there = memory.read_as(Accessor::Debugger, at, chunk);
            out.put(&chunk[..there])
        })
    }

    fn write_at(&self, input: &mut dyn Source, offset: u64, _io: &Io) -> sync::Result<usize> {
        self.copy(offset, input.remaining(), |memory, at, chunk| {
            let taken = input.take(chunk)?;
            Ok(memory.write_as(Accessor::Debugger, at, &chunk[..taken]))
        })
    }

    fn end(&self) -> Result<u64, Errno> {
        Err(Errno::EINVAL)
    }
}

impl MemoryFile {
    /// Calls `step` with the memory, an address and a chunk until one is not done in full. Memory that is gone is
    /// an empty file.
    fn copy(
        &self,
        offset: u64,
        total: usize,
        mut step: impl FnMut(&AddressSpace, u64, &mut [u8]) -> Result<usize, Errno>,
    ) -> sync::Result<usize> {
        let Some(memory) = self.0.upgrade() else {
            return Ok(0);
        };
        let mut chunk = Vec::new();
        chunk.try_reserve_exact(CHUNK_BYTES).map_err(|_| Errno::ENOMEM)?;
        chunk.resize(CHUNK_BYTES, 0);
        let mut done = 0;
        while done < total {
            let wanted = CHUNK_BYTES.min(total - done);
            let at = offset.checked_add(done as u64).ok_or(Errno::EIO)?;
            let moved = match step(&memory, at, &mut chunk[..wanted]) {
                Ok(0) if done == 0 => return Err(Errno::EIO.into()),
                Ok(moved) => moved,
                Err(errno) if done == 0 => return Err(errno.into()),
                Err(_) => 0,
            };
            done += moved;
            if moved < wanted {
                break;
            }
        }
        Ok(done)
    }
}
