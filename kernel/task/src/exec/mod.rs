//! Starting programs: execve(2).
//!
//! Everything that can fail happens first, into a fresh address space: opening, scripts, headers, mapping,
//! the stack. Then the other threads end, and the switch to the new image cannot fail any more.

mod arguments;
mod elf;
mod first;
mod identity;
mod image;
mod layout;
mod load;
mod script;
mod stack;
pub(crate) mod user_mode;
pub(crate) mod vdso;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use los_abi::errno::Errno;
use los_abi::signal::Signal;
use los_arch::hal::prelude::{Cpu, TrapFrame as _};
use los_arch::{Current, TrapFrame};
use sync::Use;
use vfs::{At, Caller, Lookup, OpenFile};

pub use arguments::{Budget, StringList};
pub use first::{FirstProgram, start_first_program};
pub use layout::{randomization, set_randomization};

use crate::context::Context;
use crate::fd_table::FdTable;
use crate::fs_sharing::Executing;
use crate::futex::Afterwards;
use crate::signal::actions::SignalActions;
use crate::signal::send;
use crate::signal::stack::AlternateStack;
use crate::thread::Thread;
use crate::{exit, process_limit, sched};
use elf::Unmappable;
use identity::{Identity, Sharing};
use image::{Loaded, Start};

/// What to execute.
pub struct ExecRequest {
    /// The program or script, from [`open`].
    pub file: Arc<OpenFile>,
    /// Its name as the caller gave it.
    pub path: Vec<u8>,
    /// `argv`.
    pub arguments: StringList,
    /// `envp`.
    pub environment: StringList,
    /// Whether the name is that of a descriptor which the program will not have, so that an interpreter could not
    /// open it.
    pub is_unreachable: bool,
    /// What is left for further strings.
    pub budget: Budget,
}

/// Opens a file to be executed, which asks for no permission to read it.
///
/// # Errors
/// Those of path walking; EACCES for what is no regular file or not executable.
pub fn open(caller: &Caller<'_>, at: At, path: &[u8], lookup: Lookup) -> Result<Arc<OpenFile>, Errno> {
    vfs::ops::open_executable(caller, at, path, lookup)
}

/// Replaces the calling process's program. On success the saved registers are those of the new one.
///
/// # Errors
/// ENOEXEC; E2BIG; ELOOP for scripts that nest too deeply; ENOMEM; EAGAIN when the process is ending or its user is
/// beyond RLIMIT_NPROC; ENOENT for a script whose descriptor closes; those of opening interpreters. The caller is
/// as it was, but where Linux has given up its program before it finds out that the new one cannot be mapped, a
/// SIGSEGV that nothing stops is on its way.
pub fn execve(ctx: &Context<'_>, request: ExecRequest) -> sync::Result<usize> {
    let executing = Executing::start(ctx.process, ctx.fs())?;
    let sharing = if executing.is_shared() {
        Sharing::WithOthers
    } else {
        Sharing::Own
    };
    let prepared = prepare(&ctx.caller(), ctx.thread, request, sharing).map_err(|failure| {
        if failure == Failure::Fatal {
            send::force_fatal(ctx.thread);
        }
        failure.errno()
    })?;
    let spare = own_files(ctx)?;
    exit::become_only_thread(ctx)?;
    // Threads of the process itself have gone: then the table, with its record locks, is the program's.
    let own_files = spare.filter(|_| ctx.thread.shares_files());
    exit::release_user(ctx, Afterwards::GoesOn);
    let frame = prepared.commit(ctx.thread, own_files);
    *ctx.frame_mut() = frame;
    Ok(0)
}

/// Why there is no new program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Failure {
    /// The caller goes on.
    Refused(Errno),
    /// The file cannot be mapped, which ends the caller.
    Fatal,
}

impl Failure {
    fn errno(self) -> Errno {
        match self {
            Self::Refused(errno) => errno,
            Self::Fatal => Errno::ENOEXEC,
        }
    }
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::Refused(errno)
    }
}

impl From<Unmappable> for Failure {
    fn from(_: Unmappable) -> Self {
        Self::Fatal
    }
}

/// A program that is ready to replace another one.
struct Prepared {
    loaded: Loaded,
    actions: SignalActions,
    identity: Identity,
    name: Vec<u8>,
}

/// Does everything that can fail.
fn prepare(
    caller: &Caller<'_>,
    thread: &Thread,
    mut request: ExecRequest,
    sharing: Sharing,
) -> Result<Prepared, Failure> {
    let process = thread.process();
    process_limit::check_program(thread)?;
    if request.arguments.is_empty() {
        // As on Linux, a program never sees an empty argument list.
        request.arguments = StringList::from_slices([&b""[..]], &mut request.budget)?;
    }
    let file = follow_scripts(caller, &mut request)?;
    let program = image::read_program(&file)?;
    let personality = thread.attributes.personality();
    let identity = identity::of_program(caller.credentials, personality, &file, sharing)?;
    let start = Start {
        file: &file,
        program: &program,
        path: &request.path,
        arguments: &request.arguments,
        environment: &request.environment,
        identity: &identity,
        limits: mm::Limits {
            stack: identity.stack_limit(process),
            ..process.limits().of_memory()
        },
    };
    Ok(Prepared {
        loaded: start.build(caller)?,
        actions: process.actions().after_exec()?,
        identity,
        name: base_name(&request.path).to_vec(),
    })
}

/// Replaces scripts by their interpreters until there is a binary.
fn follow_scripts(caller: &Caller<'_>, request: &mut ExecRequest) -> Result<Arc<OpenFile>, Errno> {
    let mut file = request.file.clone();
    let mut path = request.path.clone();
    for _ in 0..=script::NESTING_MAX {
        let mut head = [0; script::HEAD_BYTES];
        let length = image::read_at(&file, 0, &mut head)?;
        let Some(script) = script::parse(&head[..length])? else {
            return Ok(file);
        };
        if request.is_unreachable {
            return Err(Errno::ENOENT);
        }
        let first: &[&[u8]] = match script.argument {
            Some(argument) => &[script.interpreter, argument, &path],
            None => &[script.interpreter, &path],
        };
        request.arguments.replace_first(first, &mut request.budget)?;
        file = open(caller, At::Cwd, script.interpreter, Lookup::FOLLOW)?;
        path = script.interpreter.to_vec();
    }
    Err(Errno::ELOOP)
}

/// Returns a copy of the table of open files if others use that.
fn own_files(ctx: &Context<'_>) -> Result<Option<Use<FdTable>>, Errno> {
    ctx.thread.shares_files().then(|| ctx.files().copy()).transpose()
}

impl Prepared {
    /// Makes a thread, alone in its process, run the program, with these open files instead of its own if there are
    /// any. Returns its first registers.
    fn commit(self, thread: &Arc<Thread>, files: Option<Use<FdTable>>) -> TrapFrame {
        let process = thread.process();
        let Loaded {
            space,
            entry,
            stack_pointer,
            image,
        } = self.loaded;
        if let Some(old) = process.memory() {
            space.inherit_exec_gain(&old);
        }
        let memory = Use::new(space.clone());
        let image = Arc::new(image);
        // Whoever might look into the old program sees nothing of the new one before that has its identity.
        let (old_memory, old_image) = process.turnover.change(|| {
            let old_memory = process.replace_memory(Some(memory));
            sched::activate(&space);
            let old_image = process.set_image(image);
            self.identity.put_on(thread);
            (old_memory, old_image)
        });
        let actions = Use::new(Arc::new(self.actions));
        let old_actions = core::mem::replace(&mut *process.actions.lock(), actions);
        if let Some(memory) = &old_memory {
            let peak = memory.statistics().peak_resident_pages;
            process.peak_pages.fetch_max(peak, Ordering::Relaxed);
        }
        // The parent of a vfork continues only now that its memory is not shared any more.
        thread.end_vfork();
        let old_files = files.and_then(|files| thread.resources.lock().files.replace(files));
        if let Some(files) = thread.files() {
            files.close_on_exec();
        }
        thread.set_name(&self.name);
        process.posix_timers.clear();
        *thread.alternate_stack.lock() = AlternateStack::DISABLED;
        thread.restart.lock().take();
        thread.rseq.clear();
        thread.with_user_state(|state| {
            let reads_counter = Current::reads_counter(state);
            *state = Current::initial_user_state();
            Current::set_reads_counter(state, reads_counter);
        });
        process.has_execed.store(true, Ordering::Relaxed);
        process
            .exit_signal
            .store(Signal::CHLD.number(), Ordering::Relaxed);
        // The old program's memory is freed last: that may take long.
        drop((old_image, old_files, old_actions, old_memory));
        TrapFrame::new_user(entry, stack_pointer)
    }
}

fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

/// Returns the errno of an operation on a regular file, which never asks for a restart.
fn errno_of(error: sync::Error) -> Errno {
    match error {
        sync::Error::Errno(errno) => errno,
        sync::Error::Restart(_) => Errno::EINTR,
    }
}

#[cfg(test)]
mod tests;
