//! Waiting for sets of files: epoll(7).

use los_abi::errno::Errno;
use los_abi::isa::{IsaAbi, WireEpollEvent};
use los_abi::poll::{AnyEpollEvent, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EpollCreateFlags};
use los_abi::signal::SigSet;
use los_abi::syscall::{Fd, UserPtr};
use los_abi::time::Timespec;
use sync::Result;
use task::Context;
use task::fd_table::OnExec;
use vfs::epoll::{self, Change, Event};

use super::poll::{deadline, read_timeout, set_mask};

type WireEvent = <task::Abi as IsaAbi>::EpollEvent;

/// Most events that one call may ask for (`EP_MAX_EVENTS`).
const EVENTS_MAX: i32 = i32::MAX / size_of::<WireEvent>() as i32;

pub(crate) fn epoll_create(ctx: &Context<'_>, size: i32) -> Result<usize> {
    if size <= 0 {
        return Err(Errno::EINVAL.into());
    }
    epoll_create1(ctx, EpollCreateFlags::empty())
}

pub(crate) fn epoll_create1(ctx: &Context<'_>, flags: EpollCreateFlags) -> Result<usize> {
    if !EpollCreateFlags::all().contains(flags) {
        return Err(Errno::EINVAL.into());
    }
    let on_exec = OnExec::from_cloexec(flags.contains(EpollCreateFlags::CLOEXEC));
    let set = epoll::create(ctx.credentials())?;
    Ok(ctx.install(set, on_exec)?.0 as usize)
}

pub(crate) fn epoll_ctl(
    ctx: &Context<'_>,
    set: Fd,
    operation: u32,
    fd: Fd,
    event: UserPtr<AnyEpollEvent>,
) -> Result<usize> {
    let event = if operation == EPOLL_CTL_DEL {
        None
    } else {
        let event: WireEvent = ctx.memory().read(event.cast())?;
        Some(Event {
            events: event.events(),
            data: event.data(),
        })
    };
    let set = ctx.files().get(set)?;
    let file = ctx.files().get(fd)?;
    if !file.ops()?.is_pollable() {
        return Err(Errno::EPERM.into());
    }
    let set = epoll::of(&set).ok_or(Errno::EINVAL)?;
    let change = match (operation, event) {
        (EPOLL_CTL_ADD, Some(event)) => Change::Add(event),
        (EPOLL_CTL_MOD, Some(event)) => Change::Modify(event),
        (EPOLL_CTL_DEL, _) => Change::Remove,
        _ => return Err(Errno::EINVAL.into()),
    };
    set.change(fd.0, &file, change)?;
    Ok(0)
}

pub(crate) fn epoll_wait(
    ctx: &Context<'_>,
    set: Fd,
    events: UserPtr<AnyEpollEvent>,
    max: i32,
    timeout_ms: i32,
) -> Result<usize> {
    wait(ctx, set, events, max, deadline(milliseconds(timeout_ms)))
}

pub(crate) fn epoll_pwait(
    ctx: &Context<'_>,
    set: Fd,
    events: UserPtr<AnyEpollEvent>,
    max: i32,
    timeout_ms: i32,
    mask: UserPtr<SigSet>,
    mask_size: usize,
) -> Result<usize> {
    if !mask.is_null() {
        set_mask(ctx, mask, mask_size)?;
    }
    epoll_wait(ctx, set, events, max, timeout_ms)
}

pub(crate) fn epoll_pwait2(
    ctx: &Context<'_>,
    set: Fd,
    events: UserPtr<AnyEpollEvent>,
    max: i32,
    timeout: UserPtr<Timespec>,
    mask: UserPtr<SigSet>,
    mask_size: usize,
) -> Result<usize> {
    let deadline_ns = deadline(read_timeout(ctx, timeout)?);
    if !mask.is_null() {
        set_mask(ctx, mask, mask_size)?;
    }
    wait(ctx, set, events, max, deadline_ns)
}

fn milliseconds(timeout_ms: i32) -> Option<u64> {
    u64::try_from(timeout_ms).ok().map(|ms| ms * 1_000_000)
}

fn wait(
    ctx: &Context<'_>,
    set: Fd,
    events: UserPtr<AnyEpollEvent>,
    max: i32,
    deadline_ns: Option<u64>,
) -> Result<usize> {
    if max <= 0 || max > EVENTS_MAX {
        return Err(Errno::EINVAL.into());
    }
    let set = ctx.files().get(set)?;
    let set = epoll::of(&set).ok_or(Errno::EINVAL)?;
    let events: UserPtr<WireEvent> = events.cast();
    let count = set.wait(max as usize, deadline_ns, |index, event| {
        let place = events.offset_elements(index).ok_or(Errno::EFAULT)?;
        ctx.memory()
            .write(place, &WireEvent::new(event.events, event.data))
    })?;
    Ok(count)
}
