//! The ioctl requests of terminals (tty_ioctl(4)).

use alloc::sync::Arc;

use los_abi::errno::Errno;
use los_abi::syscall::UserPtr;
use los_abi::tty as abi;
use mm::AddressSpace;
use sync::Result;

use crate::job_control;
use crate::terminal::{Terminal, caller};

/// Carries out a request; `argument` is what its page in the manual says.
///
/// # Errors
/// ENOTTY for an unknown request or a terminal that does not control the caller, EFAULT, EINVAL,
/// EIO, EPERM, ESRCH.
pub(crate) fn ioctl(
    terminal: &Arc<Terminal>,
    memory: &AddressSpace,
    request: u32,
    argument: u64,
) -> Result<usize> {
    match request {
        abi::TCGETS => {
            let termios = terminal.with_state(|state| state.discipline.termios);
            memory.write(UserPtr::new(argument), &termios)?;
        }
        abi::TCSETS | abi::TCSETSW | abi::TCSETSF => {
            terminal.check_configure()?;
            let termios = memory.read(UserPtr::new(argument))?;
            // Output is written at once, so there is nothing to drain.
            terminal.with_state(|state| {
                state.discipline.set_termios(termios);
                if request == abi::TCSETSF {
                    state.discipline.flush_input();
                }
            });
            terminal.readers.wake_all();
        }
        abi::TIOCGWINSZ => {
            let window = terminal.with_state(|state| state.window);
            memory.write(UserPtr::new(argument), &window)?;
        }
        abi::TIOCSWINSZ => set_window(terminal, memory.read(UserPtr::new(argument))?),
        abi::FIONREAD => {
            let available = terminal.with_state(|state| state.discipline.available());
            memory.write(UserPtr::new(argument), &(available as i32))?;
        }
        abi::TIOCOUTQ => memory.write(UserPtr::new(argument), &0_i32)?,
        abi::TCSBRK | abi::TCSBRKP => terminal.check_configure()?,
        abi::TCFLSH => flush(terminal, argument)?,
        abi::TCXONC => control_flow(terminal, argument)?,
        abi::TIOCGPGRP => {
            let (foreground, _) = controlled(terminal)?;
            memory.write(UserPtr::new(argument), &foreground)?;
        }
        abi::TIOCSPGRP => set_foreground(terminal, memory.read(UserPtr::new(argument)))?,
        abi::TIOCGSID => {
            let (_, session) = controlled(terminal)?;
            memory.write(UserPtr::new(argument), &session)?;
        }
        abi::TIOCSCTTY => terminal.become_controlling(argument == 1)?,
        abi::TIOCNOTTY => give_up(terminal)?,
        abi::TIOCSTI => feign_input(terminal, memory, UserPtr::new(argument))?,
        _ => return Err(Errno::ENOTTY.into()),
    }
    Ok(0)
}

/// Takes a byte as if it had come from the line. Only the privileged may, as in Linux without
/// `CONFIG_LEGACY_TIOCSTI`.
fn feign_input(terminal: &Terminal, memory: &AddressSpace, byte: UserPtr<u8>) -> Result<()> {
    if !caller().is_some_and(|(_, caller)| caller.privileged) {
        return Err(Errno::EIO.into());
    }
    let byte: u8 = memory.read(byte)?;
    terminal.receive(&[byte]);
    Ok(())
}

fn set_window(terminal: &Terminal, window: abi::Winsize) {
    let group = terminal.with_state(|state| {
        let changed = state.window != window;
        state.window = window;
        if changed { state.foreground } else { 0 }
    });
    if group > 0
        && let Some(job_control) = job_control::get()
    {
        job_control.signal_group(group, los_abi::signal::Signal::WINCH);
    }
}

fn flush(terminal: &Terminal, queue: u64) -> Result<()> {
    terminal.check_configure()?;
    match u32::try_from(queue) {
        Ok(abi::TCIFLUSH | abi::TCIOFLUSH) => terminal.with_state(|state| state.discipline.flush_input()),
        Ok(abi::TCOFLUSH) => {}
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(())
}

fn control_flow(terminal: &Terminal, action: u64) -> Result<()> {
    terminal.check_configure()?;
    match u32::try_from(action) {
        Ok(abi::TCOOFF) => terminal.set_output_stopped(true),
        Ok(abi::TCOON) => terminal.set_output_stopped(false),
        Ok(abi::TCIOFF | abi::TCION) => {}
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(())
}

/// Returns foreground group and session of a terminal that controls the caller.
fn controlled(terminal: &Terminal) -> Result<(i32, i32)> {
    let (session, foreground) = terminal.with_state(|state| (state.session, state.foreground));
    match caller() {
        Some((_, caller)) if session == caller.session => Ok((foreground, session)),
        _ => Err(Errno::ENOTTY.into()),
    }
}

fn set_foreground(terminal: &Terminal, group: core::result::Result<i32, Errno>) -> Result<()> {
    terminal.check_configure()?;
    let (_, session) = controlled(terminal)?;
    let group = group?;
    if group < 0 {
        return Err(Errno::EINVAL.into());
    }
    let job_control = job_control::get().ok_or(Errno::ENOTTY)?;
    if job_control.session_of_group(group).ok_or(Errno::ESRCH)? != session {
        return Err(Errno::EPERM.into());
    }
    terminal.with_state(|state| state.foreground = group);
    Ok(())
}

fn give_up(terminal: &Terminal) -> Result<()> {
    let (_, session) = controlled(terminal)?;
    let Some((job_control, caller)) = caller() else {
        return Err(Errno::ENOTTY.into());
    };
    if caller.is_session_leader() {
        if let Some(group) = terminal.release(session) {
            job_control.signal_group(group, los_abi::signal::Signal::HUP);
            job_control.signal_group(group, los_abi::signal::Signal::CONT);
        }
        job_control.set_controlling_terminal(session, None);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
