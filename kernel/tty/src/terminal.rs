//! A terminal: discipline and output behind one lock, waiting readers, and its place in a session.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::poll::PollEvents;
use los_abi::signal::Signal;
use los_abi::tty::{self, LocalFlags, Winsize};
use mm::io::{Sink, Source};
use sync::{Error, Rank, Restart, Result, SpinLock, WaitError, WaitQueue, now_ns};
use vfs::owner::{Reason, SignalList};
use vfs::poll::{READABLE, WRITABLE};

use crate::discipline::{Discipline, Effect};
use crate::job_control::{self, TtyCaller};
use crate::modes::{self, Modes};

/// Bytes that travel between the terminal and a program at a time.
const CHUNK_BYTES: usize = 256;
/// The unit of VTIME.
const TENTH_OF_A_SECOND_NS: u64 = 100_000_000;

/// Where a terminal's output goes. Takes all bytes; callable with interrupts masked.
pub trait TerminalOutput: Send + Sync {
    /// Writes the bytes as they are.
    fn write(&self, bytes: &[u8]);
}

/// A terminal device.
pub struct Terminal {
    device: u64,
    output: Box<dyn TerminalOutput>,
    state: SpinLock<State>,
    /// Readers, and pollers for input.
    pub(crate) readers: Arc<WaitQueue>,
    /// Writers that XOFF has stopped.
    pub(crate) writers: Arc<WaitQueue>,
    /// Who gets signals about input, and about output that goes on.
    pub(crate) signals: SignalList,
}

pub(crate) struct State {
    pub(crate) discipline: Discipline,
    pub(crate) window: Winsize,
    /// The session that this terminal controls, 0 for none.
    pub(crate) session: i32,
    /// Its foreground group, 0 for none.
    pub(crate) foreground: i32,
    output_stopped: bool,
}

/// A kind of access from the background.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum BackgroundAccess {
    Read,
    Write,
    Configure,
}

impl Terminal {
    /// Makes a terminal with the given device number and Linux's default settings.
    pub fn new(device: u64, output: Box<dyn TerminalOutput>) -> Arc<Self> {
        Arc::new(Self {
            device,
            output,
            state: SpinLock::new(
                Rank::Tty,
                State {
                    discipline: Discipline::new(modes::initial()),
                    window: Winsize::default(),
                    session: 0,
                    foreground: 0,
                    output_stopped: false,
                },
            ),
            readers: Arc::new(WaitQueue::new()),
            writers: Arc::new(WaitQueue::new()),
            signals: SignalList::new(),
        })
    }

    /// Returns the device number (`tty_nr` of /proc/PID/stat).
    pub fn device(&self) -> u64 {
        self.device
    }

    /// Returns the foreground group, 0 for none.
    pub fn foreground_group(&self) -> i32 {
        self.state.lock().foreground
    }

    /// Takes bytes from the line. Callable from interrupts.
    pub fn receive(&self, bytes: &[u8]) {
        for &byte in bytes {
            let (effect, group) = {
                let mut state = self.state.lock();
                let effect = state.discipline.receive(byte);
                let echo = state.discipline.echo.take();
                if !echo.is_empty() {
                    self.output.write(&echo);
                }
                (effect, state.foreground)
            };
            self.apply(effect, group);
        }
    }

    fn apply(&self, effect: Effect, group: i32) {
        if let Some(signal) = effect.signal
            && let Some(job_control) = job_control::get()
            && group > 0
        {
            job_control.signal_group(group, signal);
        }
        if effect.wake_readers {
            self.readers.wake_all_for(READABLE);
            self.signals.tell(Reason::Readable);
        }
        if let Some(stopped) = effect.flow {
            self.set_output_stopped(stopped);
        }
    }

    /// Stops or continues output: XOFF, XON and TCXONC.
    pub(crate) fn set_output_stopped(&self, stopped: bool) {
        self.state.lock().output_stopped = stopped;
        if !stopped {
            self.writers.wake_all_for(WRITABLE);
            self.signals.tell(Reason::Writable);
        }
    }

    pub(crate) fn with_state<R>(&self, use_state: impl FnOnce(&mut State) -> R) -> R {
        use_state(&mut self.state.lock())
    }

    /// Reads what the mode allows: at most one line, or as VMIN and VTIME say (termios(3)).
    ///
    /// # Errors
    /// EAGAIN, EIO from an orphaned background group, EFAULT, restart on a signal.
    pub fn read(&self, out: &mut dyn Sink, nonblocking: bool) -> Result<usize> {
        self.check_background(BackgroundAccess::Read)?;
        if out.remaining() == 0 {
            return Ok(0);
        }
        if !self.wait_for_input(out.remaining(), nonblocking)? {
            return Ok(0);
        }
        let mut total = 0;
        loop {
            let mut chunk = [0; CHUNK_BYTES];
            let wanted = out.remaining().min(CHUNK_BYTES);
            let (count, more) = self.state.lock().discipline.read(&mut chunk[..wanted]);
            if count == 0 {
                return Ok(total);
            }
            match out.put(&chunk[..count]) {
                Ok(stored) => total += stored,
                Err(_) if total > 0 => return Ok(total),
                Err(errno) => return Err(errno.into()),
            }
            if !more || out.remaining() == 0 {
                return Ok(total);
            }
        }
    }

    /// Waits until a read of `wanted` bytes may proceed; false when VTIME ran out with nothing there.
    fn wait_for_input(&self, wanted: usize, nonblocking: bool) -> Result<bool> {
        let (canonical, minimum, time) = {
            let state = self.state.lock();
            let termios = &state.discipline.termios;
            (
                state.discipline.is_canonical(),
                usize::from(termios.control_character(tty::VMIN)).min(wanted),
                u64::from(termios.control_character(tty::VTIME)) * TENTH_OF_A_SECOND_NS,
            )
        };
        if self.is_readable(if canonical { 1 } else { minimum }) {
            return Ok(true);
        }
        if !canonical && minimum == 0 && time == 0 {
            return Ok(self.is_readable(1));
        }
        if nonblocking {
            return Err(Errno::EAGAIN.into());
        }
        if canonical || time == 0 {
            return self.wait_readable(minimum.max(1), None);
        }
        if minimum == 0 {
            return self.wait_readable(1, Some(now_ns() + time));
        }
        // VTIME counts between bytes: from the first one on, each gets the time anew.
        self.wait_readable(1, None)?;
        loop {
            let have = self.state.lock().discipline.available();
            if have >= minimum || !self.wait_readable(have + 1, Some(now_ns() + time))? {
                return Ok(true);
            }
        }
    }

    fn wait_readable(&self, minimum: usize, deadline_ns: Option<u64>) -> Result<bool> {
        let ready = || self.is_readable(minimum).then_some(());
        match self.readers.wait_interruptible(deadline_ns, ready) {
            Ok(()) => Ok(true),
            Err(WaitError::TimedOut) => Ok(false),
            Err(interrupted) => Err(interrupted.into()),
        }
    }

    fn is_readable(&self, minimum: usize) -> bool {
        self.state.lock().discipline.is_readable(minimum)
    }

    /// Writes all bytes through output processing.
    ///
    /// # Errors
    /// EAGAIN while XOFF holds, EIO or a signal for the background under TOSTOP, EFAULT.
    pub fn write(&self, input: &mut dyn Source, nonblocking: bool) -> Result<usize> {
        let to_stop = self.with_state(|state| state.discipline.termios.local().contains(LocalFlags::TOSTOP));
        if to_stop {
            self.check_background(BackgroundAccess::Write)?;
        }
        let mut total = 0;
        let mut processed = Vec::new();
        processed
            .try_reserve(2 * CHUNK_BYTES)
            .map_err(|_| Errno::ENOMEM)?;
        while input.remaining() > 0 {
            if let Err(error) = self.wait_for_flow(nonblocking) {
                return if total > 0 { Ok(total) } else { Err(error) };
            }
            let mut chunk = [0; CHUNK_BYTES];
            let count = match input.take(&mut chunk) {
                Ok(count) => count,
                Err(_) if total > 0 => return Ok(total),
                Err(errno) => return Err(errno.into()),
            };
            let mut state = self.state.lock();
            let discipline = &mut state.discipline;
            for &byte in &chunk[..count] {
                discipline
                    .echo
                    .column
                    .process(byte, &discipline.termios, &mut processed);
            }
            self.output.write(&processed);
            processed.clear();
            total += count;
        }
        Ok(total)
    }

    fn wait_for_flow(&self, nonblocking: bool) -> Result<()> {
        let flowing = || (!self.state.lock().output_stopped).then_some(());
        if flowing().is_some() {
            return Ok(());
        }
        if nonblocking {
            return Err(Errno::EAGAIN.into());
        }
        Ok(self.writers.wait_interruptible(None, flowing)?)
    }

    /// Returns what poll(2) finds.
    pub(crate) fn poll_events(&self) -> PollEvents {
        let state = self.state.lock();
        let minimum = match state.discipline.termios.control_character(tty::VTIME) {
            0 => usize::from(state.discipline.termios.control_character(tty::VMIN)),
            _ => 1,
        };
        let mut events = PollEvents::empty();
        if state.discipline.is_readable(minimum) {
            events |= PollEvents::IN | PollEvents::RDNORM;
        }
        if !state.output_stopped {
            events |= PollEvents::OUT | PollEvents::WRNORM;
        }
        events
    }

    /// Sends SIGTTIN or SIGTTOU to a caller in the background of this terminal's session.
    fn check_background(&self, access: BackgroundAccess) -> Result<()> {
        let Some((job_control, caller)) = caller() else {
            return Ok(());
        };
        let (session, foreground) = self.with_state(|state| (state.session, state.foreground));
        if session != caller.session || foreground == 0 || foreground == caller.group {
            return Ok(());
        }
        let signal = match access {
            BackgroundAccess::Read => Signal::TTIN,
            BackgroundAccess::Write | BackgroundAccess::Configure => Signal::TTOU,
        };
        if job_control.caller_ignores(signal) {
            return match access {
                BackgroundAccess::Read => Err(Errno::EIO.into()),
                BackgroundAccess::Write | BackgroundAccess::Configure => Ok(()),
            };
        }
        if job_control.is_orphaned(caller.group) {
            return Err(Errno::EIO.into());
        }
        job_control.signal_group(caller.group, signal);
        Err(Error::Restart(Restart::Sys))
    }

    /// Refuses, with SIGTTOU, to be configured from the background.
    pub(crate) fn check_configure(&self) -> Result<()> {
        self.check_background(BackgroundAccess::Configure)
    }

    /// Makes this the controlling terminal of a session leader that has none (tty_ioctl(4), TIOCSCTTY).
    ///
    /// # Errors
    /// EPERM when the caller is no leader, has a terminal, or another session owns this one and `steal`
    /// is false or not permitted.
    pub(crate) fn become_controlling(self: &Arc<Self>, steal: bool) -> Result<()> {
        let Some((job_control, caller)) = caller() else {
            return Err(Errno::EPERM.into());
        };
        let owner = self.with_state(|state| state.session);
        if caller.is_session_leader() && owner == caller.session {
            return Ok(());
        }
        if !caller.is_session_leader() || job_control.controlling_terminal(caller.session).is_some() {
            return Err(Errno::EPERM.into());
        }
        if owner != 0 {
            if !(steal && caller.privileged) {
                return Err(Errno::EPERM.into());
            }
            job_control.set_controlling_terminal(owner, None);
        }
        self.with_state(|state| {
            state.session = caller.session;
            state.foreground = caller.group;
        });
        job_control.set_controlling_terminal(caller.session, Some(self.clone()));
        Ok(())
    }

    /// Ends the terminal's tie to a session, as when the leader exits or calls TIOCNOTTY, and returns the
    /// group that was in the foreground, for SIGHUP and SIGCONT.
    pub fn release(&self, session: i32) -> Option<i32> {
        self.with_state(|state| {
            if state.session != session {
                return None;
            }
            state.session = 0;
            Some(core::mem::take(&mut state.foreground)).filter(|&group| group != 0)
        })
    }
}

/// Returns the process table and the calling process as it sees it.
pub(crate) fn caller() -> Option<(&'static dyn job_control::JobControl, TtyCaller)> {
    let job_control = job_control::get()?;
    Some((job_control, job_control.caller()?))
}
