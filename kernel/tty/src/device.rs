//! Terminals as open files (tty(4)).

use alloc::sync::Arc;

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::poll::PollEvents;
use mm::io::{Sink, Source};
use sync::Result;
use vfs::owner::SignalList;
use vfs::{FileOps, Io, IoctlContext, PollTable};

use crate::ioctl;
use crate::terminal::{Terminal, caller};

/// Whether opening a terminal may make it the controlling one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpenedAs {
    /// By its own name, as `/dev/ttyS0`.
    Itself,
    /// As `/dev/console`, which never becomes a controlling terminal by being opened.
    Console,
}

/// An open terminal.
pub struct TerminalFile {
    terminal: Arc<Terminal>,
}

impl TerminalFile {
    /// Opens a terminal. A session leader without a controlling terminal gets it, unless O_NOCTTY says otherwise.
    pub fn open(terminal: &Arc<Terminal>, flags: OpenFlags, opened_as: OpenedAs) -> Arc<Self> {
        if opened_as == OpenedAs::Itself && !flags.contains(OpenFlags::NOCTTY) {
            // Most openers lead no session or have a terminal; for them nothing changes.
            let _not_taken = terminal.become_controlling(false);
        }
        Arc::new(Self {
            terminal: terminal.clone(),
        })
    }

    /// Returns the terminal.
    pub fn terminal(&self) -> &Arc<Terminal> {
        &self.terminal
    }

    /// Opens the caller's controlling terminal: `/dev/tty`.
    ///
    /// # Errors
    /// ENXIO when there is none.
    pub fn open_controlling() -> Result<Arc<Self>> {
        let (job_control, caller) = caller().ok_or(Errno::ENXIO)?;
        let terminal = job_control
            .controlling_terminal(caller.session)
            .ok_or(Errno::ENXIO)?;
        Ok(Arc::new(Self { terminal }))
    }
}

impl FileOps for TerminalFile {
    fn read_at(&self, out: &mut dyn Sink, _offset: u64, io: &Io) -> Result<usize> {
        self.terminal.read(out, io.nonblocking())
    }

    fn write_at(&self, input: &mut dyn Source, _offset: u64, io: &Io) -> Result<usize> {
        self.terminal.write(input, io.nonblocking())
    }

    fn is_seekable(&self) -> bool {
        false
    }

    fn poll(&self, table: &mut PollTable<'_>) -> PollEvents {
        table.register(&self.terminal.readers);
        table.register(&self.terminal.writers);
        self.terminal.poll_events()
    }

    fn signal_lists(&self) -> [Option<&SignalList>; 2] {
        [Some(&self.terminal.signals), None]
    }

    fn ioctl(&self, context: &IoctlContext<'_>, request: u32, argument: u64) -> Result<usize> {
        ioctl::ioctl(&self.terminal, context.memory, request, argument)
    }

    fn sync(&self) -> core::result::Result<(), Errno> {
        Err(Errno::EINVAL)
    }
}
