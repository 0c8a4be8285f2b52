//! /proc/PID/pagemap: a word for every page of a process's memory (proc_pid_pagemap(5)).

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use los_abi::errno::Errno;
use mm::io::Sink;
use mm::{AddressSpace, FrameNumbers};
use vfs::{Capability, FileOps, Io};

use super::task::Task;

/// Bytes of a page's word.
const WORD: u64 = 8;
/// Words that are made at a time, with the memory locked.
const CHUNK_WORDS: usize = 512;
const PAGE_BYTES: u64 = 4096;

/// Opens the words about the memory that a task has now.
pub(super) fn open(task: &Task) -> Result<Arc<dyn FileOps>, Errno> {
    let memory = task.process().memory();
    let memory = memory.as_ref().map_or_else(Weak::new, Arc::downgrade);
    let numbers = if super::reader().capable(Capability::SysAdmin) {
        FrameNumbers::Shown
    } else {
        FrameNumbers::Hidden
    };
    Ok(Arc::new(PageMapFile { memory, numbers }))
}

struct PageMapFile {
    memory: Weak<AddressSpace>,
    numbers: FrameNumbers,
}

impl FileOps for PageMapFile {
    fn read_at(&self, out: &mut dyn Sink, offset: u64, _io: &Io) -> sync::Result<usize> {
        let Some(memory) = self.memory.upgrade() else {
            return Ok(0);
        };
        if !offset.is_multiple_of(WORD) || !(out.remaining() as u64).is_multiple_of(WORD) {
            return Err(Errno::EINVAL.into());
        }
        let end = AddressSpace::USER_END / PAGE_BYTES;
        let mut page = offset / WORD;
        let mut words = Vec::new();
        words.try_reserve_exact(CHUNK_WORDS).map_err(|_| Errno::ENOMEM)?;
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(CHUNK_WORDS * WORD as usize)
            .map_err(|_| Errno::ENOMEM)?;
        let mut done = 0;
        while page < end && out.remaining() > 0 && sync::give_way() {
            let wanted = (out.remaining() as u64 / WORD).min(end - page);
            words.clear();
            words.resize(CHUNK_WORDS.min(wanted as usize), 0_u64);
            memory.describe_pages(page * PAGE_BYTES, self.numbers, &mut words);
            bytes.clear();
            bytes.extend(words.iter().copied().flat_map(u64::to_ne_bytes));
            match out.put(&bytes) {
                Ok(put) => done += put,
                Err(_) if done > 0 => break,
                Err(errno) => return Err(errno.into()),
            }
            page += words.len() as u64;
        }
        Ok(done)
    }

    fn is_pollable(&self) -> bool {
        false
    }

    fn end(&self) -> Result<u64, Errno> {
        Err(Errno::EINVAL)
    }
}
