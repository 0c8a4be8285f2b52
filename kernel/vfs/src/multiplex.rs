//! Asking many files at once, and waiting for any of them: the core of poll(2) and select(2).

use alloc::sync::Arc;

use los_abi::errno::Errno;
use los_abi::poll::PollEvents;
use sync::{WaitError, Waiter};

use crate::file::OpenFile;
use crate::poll::PollTable;

/// One file of a poll: what is asked of it and what it answered.
pub struct PollItem {
    /// The file; `None` for a descriptor that is not open, whose answer is fixed.
    pub file: Option<Arc<OpenFile>>,
    /// What is asked.
    pub wanted: PollEvents,
    /// What it answered.
    pub found: PollEvents,
}

/// Files that are asked before others may run.
const PIECE: usize = 256;

/// Why a poll ended without an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PollFailure {
    /// A signal is pending.
    Interrupted,
    /// No memory to wait with.
    NoMemory,
}

/// Asks all items, and waits until one of them has an answer or the deadline has passed; 0 only asks. Returns how
/// many have.
///
/// # Errors
/// As [`PollFailure`] says.
pub fn poll(items: &mut [PollItem], deadline_ns: Option<u64>) -> Result<usize, PollFailure> {
    let ready = look(items, None)?;
    if ready > 0 {
        return Ok(ready);
    }
    if deadline_ns == Some(0) {
        // A signal counts for more than the end of a time that was none.
        return if sync::interrupted() {
            Err(PollFailure::Interrupted)
        } else {
            Ok(0)
        };
    }
    let mut waiter = Waiter::new();
    let mut is_registered = false;
    let outcome = waiter.wait_interruptible(deadline_ns, |waiter| {
        // Joined once: the queues keep waking the waiter until it is dropped.
        let joins = !core::mem::replace(&mut is_registered, true);
        match look(items, joins.then_some(waiter)) {
            Ok(0) => None,
            other => Some(other),
        }
    });
    match outcome {
        Ok(answer) => answer,
        Err(WaitError::TimedOut) => Ok(0),
        Err(WaitError::Interrupted) => Err(PollFailure::Interrupted),
    }
}

fn look(items: &mut [PollItem], waiter: Option<&mut Waiter>) -> Result<usize, PollFailure> {
    let mut table = PollTable::new(waiter);
    let mut ready = 0;
    for (index, item) in items.iter_mut().enumerate() {
        // Nothing is locked between two files.
        if index % PIECE == PIECE - 1 && !sync::give_way() {
            return Err(PollFailure::Interrupted);
        }
        if let Some(file) = &item.file {
            let reported = item.wanted | PollEvents::ERR | PollEvents::HUP;
            item.found = file.poll(&mut table) & reported;
        }
        ready += usize::from(!item.found.is_empty());
    }
    table.finish().map_err(|_: Errno| PollFailure::NoMemory)?;
    Ok(ready)
}
