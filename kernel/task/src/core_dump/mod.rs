//! Core dumps: what a program leaves behind that dies of a signal like SIGSEGV (core(5)).
//!
//! The thread that takes the signal stops the others ([`group`]), opens a file or starts a program to take the dump
//! ([`settings`], `pattern`, `helper`), and writes an ELF file: registers and facts as notes, memory as segments.

mod elf;
mod group;
mod helper;
mod notes;
mod output;
mod pattern;
mod policy;
mod segments;
pub mod settings;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::resource::{RLIM_INFINITY, RLIMIT_CORE, RLIMIT_FSIZE};
use los_abi::signal::{SigInfo, Signal};
use los_abi::task::WaitStatus;
use vfs::{At, Credentials, FileKind, OpenFile};

pub(crate) use group::{Rendezvous, rest};
pub use segments::Filter;
pub use settings::Dumpable;

use crate::context::Context;
use crate::exit;
use crate::pid::{self, INIT};
use crate::{sched, uts};
use output::Output;
use pattern::{Ending, Facts};

/// Least RLIMIT_CORE with which there is a dump: a page.
const LIMIT_MIN: u64 = 4096;
/// RLIMIT_CORE of programs that take dumps: theirs are not taken.
const LIMIT_OF_HELPERS: u64 = 1;
/// Mode of a dump.
const MODE: u16 = 0o600;
/// The bits of a mode that decide who may read and write.
const ACCESS_BITS: u16 = 0o677;

/// Where a dump is to go.
enum Destination {
    /// A file of this name.
    File(Vec<u8>),
    /// The standard input of a program: its words.
    Program(Vec<Vec<u8>>),
}

/// Ends the calling process by a signal, with a core if one is wanted and can be made.
pub(crate) fn end_process(ctx: &Context<'_>, signal: Signal, info: &SigInfo) {
    let destination = destination(ctx, signal);
    if let Some(destination) = destination
        && group::gather(ctx, signal)
    {
        let has_core = dump(ctx, info, &destination);
        group::release(ctx, signal, has_core);
        return;
    }
    let status = WaitStatus::Signaled {
        signal: signal.number(),
        core_dumped: false,
    };
    exit::begin_group_exit(ctx.process, status);
}

/// Finds out where the dump goes; `None` if there is to be none.
fn destination(ctx: &Context<'_>, signal: Signal) -> Option<Destination> {
    let process = ctx.process;
    let limit = process.limits().soft(RLIMIT_CORE);
    let dumpable = process.dumpable();
    if dumpable == Dumpable::No {
        return None;
    }
    let pattern = settings::pattern();
    let command = pattern.strip_prefix(b"|");
    let is_wanted = match command {
        Some(_) => limit != LIMIT_OF_HELPERS,
        None => limit >= LIMIT_MIN,
    };
    if !is_wanted {
        return None;
    }
    let root = process.root()?;
    let program = process
        .executable()
        .map(|file| file.path().to_bytes(&root))
        .unwrap_or_default();
    let (host, name) = (uts::host(), ctx.thread.name());
    let facts = Facts {
        pid: process.pid(),
        tid: ctx.thread.tid(),
        uid: ctx.credentials().uid,
        gid: ctx.credentials().gid,
        dumpable,
        signal: signal.number(),
        limit,
        seconds: vfs::clock::realtime_ns() / 1_000_000_000,
        cpu: sched::cpu(),
        host: host.as_bytes(),
        name: name.as_bytes(),
        program: &program,
    };
    if let Some(command) = command {
        return pattern::words(command, &facts).ok().map(Destination::Program);
    }
    let ending = if settings::uses_pid() != 0 {
        Ending::Pid
    } else {
        Ending::Plain
    };
    let name = pattern::file_name(&pattern, &facts, ending).ok()?;
    Some(Destination::File(name))
}

/// Writes the dump; false when there is none.
fn dump(ctx: &Context<'_>, info: &SigInfo, destination: &Destination) -> bool {
    /// How many dumps go to programs now.
    static PIPED: AtomicU32 = AtomicU32::new(0);
    let Destination::Program(_) = destination else {
        return dump_to(ctx, info, destination);
    };
    let limit = settings::pipe_limit();
    let is_allowed = PIPED.fetch_add(1, Ordering::SeqCst) < limit || limit == 0;
    let has_core = is_allowed && dump_to(ctx, info, destination);
    PIPED.fetch_sub(1, Ordering::SeqCst);
    has_core
}

fn dump_to(ctx: &Context<'_>, info: &SigInfo, destination: &Destination) -> bool {
    let (file, has_holes) = match destination {
        Destination::File(name) => (open(ctx, name), true),
        Destination::Program(words) => (helper::start(words), false),
    };
    let file = match file {
        Ok(file) => file,
        Err(errno) => {
            log::debug!("{}[{}]: no core: {errno}", ctx.thread.name(), ctx.process.pid());
            return false;
        }
    };
    let limits = ctx.process.limits();
    let mut out = Output {
        file: &file,
        has_holes,
        limit: if has_holes {
            limits.soft(RLIMIT_CORE)
        } else {
            RLIM_INFINITY
        },
        size_limit: limits.soft(RLIMIT_FSIZE),
        position: 0,
        written: 0,
    };
    let has_core = elf::write(ctx, info, &mut out);
    if !has_holes && settings::pipe_limit() != 0 {
        let pipe = file.ops().ok().and_then(|ops| vfs::pipe::of(&**ops)).cloned();
        drop(file);
        // The program may look at the process in /proc until it has read all.
        if let Some(pipe) = pipe {
            pipe.wait_until_unread();
        }
    }
    has_core
}

/// Makes the file of a dump, in place of an older one. That of a program with others' rights belongs to root, and
/// replaces nothing.
fn open(ctx: &Context<'_>, name: &[u8]) -> Result<Arc<OpenFile>, Errno> {
    let mut caller = ctx.caller();
    let mut credentials = Credentials::clone(caller.credentials);
    if ctx.process.dumpable() == Dumpable::Root {
        if !name.starts_with(b"/") {
            return Err(Errno::EACCES);
        }
        credentials.fsuid = 0;
        caller.root = pid::process(INIT)
            .and_then(|init| init.root())
            .ok_or(Errno::ENOENT)?;
        caller.cwd = caller.root.clone();
    } else {
        // Most often there is none.
        let _absent = vfs::ops::unlink(&caller, At::Cwd, name);
    }
    caller.credentials = &credentials;
    let flags = OpenFlags::CREAT | OpenFlags::EXCL | OpenFlags::NOFOLLOW | OpenFlags::WRONLY;
    let file = vfs::ops::open(&caller, At::Cwd, name, flags, MODE).map_err(|error| match error {
        sync::Error::Errno(errno) => errno,
        sync::Error::Restart(_) => Errno::EINTR,
    })?;
    let found = file.metadata()?;
    // A file system may have made another file of it than was asked for.
    let is_as_asked = file.inode().kind() == FileKind::Regular
        && found.links <= 1
        && found.uid == credentials.fsuid
        && found.mode & ACCESS_BITS == MODE;
    if is_as_asked { Ok(file) } else { Err(Errno::EPERM) }
}
