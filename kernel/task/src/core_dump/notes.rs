//! The notes of a dump: signal, process, threads with their registers, and mapped files (core(5), `linux/elfcore.h`).

use alloc::vec::Vec;

use los_abi::core_dump::{
    NT_AUXV, NT_FILE, NT_PRPSINFO, NT_PRSTATUS, NT_SIGINFO, NoteHeader, PR_ARGUMENTS_BYTES, PR_NAME_BYTES,
    PrPsInfo, PrStatus, PrStatusEnd,
};
use los_abi::errno::Errno;
use los_abi::signal::SigInfo;
use los_abi::time::Timeval;
use los_arch::hal::PAGE_SIZE;
use los_arch::hal::prelude::*;
use los_arch::{Current, TrapFrame, UserState};
use mm::{AddressSpace, VmaKind};
use zerocopy::IntoBytes as _;

use super::group::Resting;
use super::output::{Counter, Emit, Ended};
use crate::accounting::CpuTimes;
use crate::context::Context;
use crate::signal::mask::mask;
use crate::thread::Thread;

/// What names and contents of notes are filled up to.
const ALIGNMENT: usize = 4;
/// Most bytes that the list of files may have (Linux's default `core_file_note_size_limit`).
const FILES_BYTES_MAX: usize = 4 << 20;
const WORD: usize = size_of::<u64>();

/// Everything that notes tell.
pub(super) struct Notes<'a> {
    pub(super) ctx: &'a Context<'a>,
    pub(super) info: &'a SigInfo,
    pub(super) others: &'a [Resting],
    /// Contents of [`NT_FILE`]; empty when there are too many files.
    pub(super) files: Vec<u8>,
}

impl Notes<'_> {
    /// Returns how many bytes [`write`](Self::write) writes.
    pub(super) fn length(&self) -> u64 {
        let mut counter = Counter::default();
        // A counter never ends.
        let _counted = self.write(&mut counter);
        counter.0
    }

    /// Writes all notes: the calling thread between what is said of its process, and the other threads.
    ///
    /// # Errors
    /// [`Ended`].
    pub(super) fn write(&self, out: &mut dyn Emit) -> Result<(), Ended> {
        let ctx = self.ctx;
        let own = ctx.frame().clone();
        self.write_thread(out, ctx.thread, &own, &ctx.thread.save_user_state(), true)?;
        for other in self.others {
            let state = UserState::clone(&other.thread.user_state.lock());
            self.write_thread(out, &other.thread, &other.frame, &state, false)?;
        }
        Ok(())
    }

    fn write_thread(
        &self,
        out: &mut dyn Emit,
        thread: &Thread,
        frame: &TrapFrame,
        state: &UserState,
        tells_process: bool,
    ) -> Result<(), Ended> {
        let mut outcome = Ok(());
        Current::visit_register_notes(frame, state, &mut |note| {
            if outcome.is_err() {
                return;
            }
            outcome = if note.kind == NT_PRSTATUS {
                let end = PrStatusEnd {
                    pr_fpvalid: 1,
                    padding: 0,
                };
                let status = self.status(thread);
                let contents = Contents {
                    before: status.as_bytes(),
                    pieces: note.pieces,
                    after: end.as_bytes(),
                };
                write_note(out, note.owner, note.kind, contents).and_then(|()| {
                    if tells_process {
                        self.write_process(out)
                    } else {
                        Ok(())
                    }
                })
            } else {
                write_note(out, note.owner, note.kind, Contents::of(note.pieces))
            };
        });
        outcome
    }

    fn write_process(&self, out: &mut dyn Emit) -> Result<(), Ended> {
        let image = self.ctx.process.image();
        let process = self.process();
        let contents: [(u32, &[u8]); 4] = [
            (NT_PRPSINFO, process.as_bytes()),
            (NT_SIGINFO, self.info.as_bytes()),
            (NT_AUXV, image.auxv().as_bytes()),
            (NT_FILE, &self.files),
        ];
        for (kind, bytes) in contents {
            if !bytes.is_empty() {
                write_note(out, "CORE", kind, Contents::of(&[bytes]))?;
            }
        }
        Ok(())
    }

    fn status(&self, thread: &Thread) -> PrStatus {
        let process = self.ctx.process;
        let times = if thread.is_leader() {
            process.cpu_times()
        } else {
            thread.counters().times()
        };
        let children = process.children_usage().times();
        PrStatus {
            si_signo: self.info.si_signo,
            pr_cursig: self.info.si_signo as i16,
            pr_sigpend: thread.pending().0,
            pr_sighold: mask(thread).0,
            pr_pid: thread.tid().cast_signed(),
            pr_ppid: process.parent_pid().cast_signed(),
            pr_pgrp: process.group().cast_signed(),
            pr_sid: process.session().cast_signed(),
            pr_utime: user(times),
            pr_stime: system(times),
            pr_cutime: user(children),
            pr_cstime: system(children),
            ..PrStatus::default()
        }
    }

    fn process(&self) -> PrPsInfo {
        let (ctx, process) = (self.ctx, self.ctx.process);
        let credentials = process.credentials();
        let nice = process.main_thread().map_or(0, |thread| thread.nice());
        let mut name = [0; PR_NAME_BYTES];
        name.copy_from_slice(process.name().padded());
        PrPsInfo {
            pr_sname: b'R',
            pr_nice: nice as i8,
            pr_uid: credentials.uid,
            pr_gid: credentials.gid,
            pr_pid: process.pid().cast_signed(),
            pr_ppid: process.parent_pid().cast_signed(),
            pr_pgrp: process.group().cast_signed(),
            pr_sid: process.session().cast_signed(),
            pr_fname: name,
            pr_psargs: arguments(ctx),
            ..PrPsInfo::default()
        }
    }
}

fn user(times: CpuTimes) -> Timeval {
    Timeval::from_ns(times.user_ns)
}

fn system(times: CpuTimes) -> Timeval {
    Timeval::from_ns(times.system_ns)
}

/// Returns the arguments with spaces between, as far as they fit and are there.
fn arguments(ctx: &Context<'_>) -> [u8; PR_ARGUMENTS_BYTES] {
    let (start, end) = ctx.process.image().arguments;
    let length = (end.saturating_sub(start)).min(PR_ARGUMENTS_BYTES as u64 - 1) as usize;
    let mut text = [0; PR_ARGUMENTS_BYTES];
    let there = ctx.memory().read_foreign(start, &mut text[..length]);
    for byte in text[..there].iter_mut().filter(|byte| **byte == 0) {
        *byte = b' ';
    }
    text
}

/// What a note says, in pieces.
#[derive(Clone, Copy, Default)]
struct Contents<'a> {
    before: &'a [u8],
    pieces: &'a [&'a [u8]],
    after: &'a [u8],
}

impl<'a> Contents<'a> {
    fn of(pieces: &'a [&'a [u8]]) -> Self {
        Self {
            pieces,
            ..Self::default()
        }
    }

    fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        let pieces = self.pieces.iter().copied();
        core::iter::once(self.before).chain(pieces).chain([self.after])
    }
}

fn write_note(out: &mut dyn Emit, owner: &str, kind: u32, contents: Contents<'_>) -> Result<(), Ended> {
    const ZEROS: [u8; ALIGNMENT] = [0; ALIGNMENT];
    let filler = |bytes: usize| &ZEROS[..bytes.next_multiple_of(ALIGNMENT) - bytes];
    let name_bytes = owner.len() + 1;
    let bytes: usize = contents.iter().map(<[u8]>::len).sum();
    let header = NoteHeader {
        n_namesz: name_bytes as u32,
        n_descsz: bytes as u32,
        n_type: kind,
    };
    out.emit(header.as_bytes())?;
    out.emit(owner.as_bytes())?;
    out.emit(&[0])?;
    out.emit(filler(name_bytes))?;
    contents.iter().try_for_each(|piece| out.emit(piece))?;
    out.emit(filler(bytes))
}

/// Makes the contents of [`NT_FILE`]: the number of mappings of files and the size of a page, where each of them is
/// and how many pages into its file, and the files' names. Empty if that gets too long.
///
/// # Errors
/// ENOMEM.
pub(super) fn files(memory: &AddressSpace) -> Result<Vec<u8>, Errno> {
    let (mut places, mut names) = (Vec::<u64>::new(), Vec::<u8>::new());
    let mut outcome = Ok(());
    memory.for_each_vma(&mut |vma| {
        if vma.name.is_empty() || vma.kind != VmaKind::Plain || outcome.is_err() {
            return;
        }
        let has_room = places.try_reserve(3).is_ok() && names.try_reserve(vma.name.len() + 1).is_ok();
        if !has_room || names.len() > FILES_BYTES_MAX {
            outcome = if has_room {
                Err(Errno::E2BIG)
            } else {
                Err(Errno::ENOMEM)
            };
            return;
        }
        places.extend([vma.start, vma.end, vma.offset / PAGE_SIZE as u64]);
        names.extend_from_slice(&vma.name);
        names.push(0);
    });
    match outcome {
        Err(Errno::E2BIG) => return Ok(Vec::new()),
        other => other?,
    }
    let length = (places.len() + 2) * WORD + names.len();
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length).map_err(|_| Errno::ENOMEM)?;
    let head = [places.len() as u64 / 3, PAGE_SIZE as u64];
    bytes.extend_from_slice(head.as_bytes());
    bytes.extend_from_slice(places.as_slice().as_bytes());
    bytes.extend_from_slice(&names);
    Ok(bytes)
}
