//! A terminal's side of job control, before a process table that is a script.

extern crate std;

use std::boxed::Box;
use std::cell::RefCell;
use std::vec::Vec;

use los_abi::signal::Signal;
use los_abi::tty::LocalFlags;
use mm::io::{SliceSink, SliceSource};
use sync::{Error, Restart};

use super::*;
use crate::job_control::{JobControl, TtyCaller, set_job_control};
use crate::terminal::TerminalOutput;

#[derive(Default)]
struct World {
    caller: Option<TtyCaller>,
    /// Groups with their sessions.
    groups: Vec<(i32, i32)>,
    terminals: Vec<(i32, Arc<Terminal>)>,
    ignored: Vec<Signal>,
    orphaned: Vec<i32>,
    sent: Vec<(i32, Signal)>,
}

std::thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
}

/// The process table of this host thread.
struct Table;

impl JobControl for Table {
    fn caller(&self) -> Option<TtyCaller> {
        WORLD.with_borrow(|world| world.caller)
    }

    fn signal_group(&self, group: i32, signal: Signal) {
        WORLD.with_borrow_mut(|world| world.sent.push((group, signal)));
    }

    fn caller_ignores(&self, signal: Signal) -> bool {
        WORLD.with_borrow(|world| world.ignored.contains(&signal))
    }

    fn is_orphaned(&self, group: i32) -> bool {
        WORLD.with_borrow(|world| world.orphaned.contains(&group))
    }

    fn session_of_group(&self, group: i32) -> Option<i32> {
        WORLD.with_borrow(|world| {
            let found = world.groups.iter().find(|(member, _)| *member == group);
            found.map(|(_, session)| *session)
        })
    }

    fn controlling_terminal(&self, session: i32) -> Option<Arc<Terminal>> {
        WORLD.with_borrow(|world| {
            let found = world.terminals.iter().find(|(owner, _)| *owner == session);
            found.map(|(_, terminal)| terminal.clone())
        })
    }

    fn set_controlling_terminal(&self, session: i32, terminal: Option<Arc<Terminal>>) {
        WORLD.with_borrow_mut(|world| {
            world.terminals.retain(|(owner, _)| *owner != session);
            world
                .terminals
                .extend(terminal.map(|terminal| (session, terminal)));
        });
    }
}

struct Nowhere;

impl TerminalOutput for Nowhere {
    fn write(&self, _bytes: &[u8]) {}
}

const SHELL: i32 = 100;
const JOB: i32 = 200;
const STOPPED: Error = Error::Restart(Restart::Sys);

/// Makes the calls that follow those of a process of this group, in the session of the shell.
fn act_as(pid: i32, group: i32, session: i32) {
    WORLD.with_borrow_mut(|world| {
        world.caller = Some(TtyCaller {
            pid,
            group,
            session,
            privileged: false,
        });
    });
}

fn sent() -> Vec<(i32, Signal)> {
    WORLD.with_borrow_mut(|world| core::mem::take(&mut world.sent))
}

/// Makes a terminal that controls the shell's session, with the shell in the foreground and a job behind it.
fn terminal_of_the_shell() -> Arc<Terminal> {
    set_job_control(&Table);
    WORLD.with_borrow_mut(|world| world.groups = [(SHELL, SHELL), (JOB, SHELL), (300, 300)].into());
    let terminal = Terminal::new(7, Box::new(Nowhere));
    act_as(SHELL, SHELL, SHELL);
    terminal.become_controlling(false).unwrap();
    terminal
}

fn read(terminal: &Terminal) -> Result<usize> {
    terminal.read(&mut SliceSink::new(&mut [0; 8]), true)
}

fn write(terminal: &Terminal) -> Result<usize> {
    terminal.write(&mut SliceSource::new(b"text"), true)
}

fn errno(errno: Errno) -> Error {
    Error::Errno(errno)
}

#[test]
fn reading_in_the_background_stops() {
    let terminal = terminal_of_the_shell();
    terminal.receive(b"x\n");
    assert_eq!(read(&terminal), Ok(2));
    act_as(JOB, JOB, SHELL);
    terminal.receive(b"x\n");
    assert_eq!(read(&terminal), Err(STOPPED));
    assert_eq!(sent(), [(JOB, Signal::TTIN)]);
    // Who cannot be stopped is told so.
    WORLD.with_borrow_mut(|world| world.ignored.push(Signal::TTIN));
    assert_eq!(read(&terminal), Err(errno(Errno::EIO)));
    WORLD.with_borrow_mut(|world| {
        world.ignored.clear();
        world.orphaned.push(JOB);
    });
    assert_eq!(read(&terminal), Err(errno(Errno::EIO)));
    assert_eq!(sent(), []);
    // Another session's terminal knows no background.
    act_as(300, 300, 300);
    assert_eq!(read(&terminal), Ok(2));
}

#[test]
fn writing_in_the_background_stops_if_the_terminal_says_so() {
    let terminal = terminal_of_the_shell();
    act_as(JOB, JOB, SHELL);
    assert_eq!(write(&terminal), Ok(4));
    terminal.with_state(|state| {
        let mut termios = state.discipline.termios;
        termios.c_lflag |= LocalFlags::TOSTOP.bits();
        state.discipline.set_termios(termios);
    });
    assert_eq!(write(&terminal), Err(STOPPED));
    assert_eq!(sent(), [(JOB, Signal::TTOU)]);
    WORLD.with_borrow_mut(|world| world.ignored.push(Signal::TTOU));
    assert_eq!(write(&terminal), Ok(4));
    WORLD.with_borrow_mut(|world| {
        world.ignored.clear();
        world.orphaned.push(JOB);
    });
    assert_eq!(write(&terminal), Err(errno(Errno::EIO)));
    // Configuring stops in any case.
    WORLD.with_borrow_mut(|world| world.orphaned.clear());
    assert_eq!(terminal.check_configure(), Err(STOPPED));
    assert_eq!(sent(), [(JOB, Signal::TTOU)]);
}

#[test]
fn the_foreground_changes_within_the_session() {
    let terminal = terminal_of_the_shell();
    assert_eq!(set_foreground(&terminal, Ok(JOB)), Ok(()));
    assert_eq!(terminal.foreground_group(), JOB);
    terminal.receive(&[3]);
    assert_eq!(sent(), [(JOB, Signal::INT)]);
    // From the background it is a configuration; the shell ignores SIGTTOU for that.
    assert_eq!(set_foreground(&terminal, Ok(SHELL)), Err(STOPPED));
    assert_eq!(sent(), [(SHELL, Signal::TTOU)]);
    WORLD.with_borrow_mut(|world| world.ignored.push(Signal::TTOU));
    assert_eq!(set_foreground(&terminal, Ok(SHELL)), Ok(()));
    assert_eq!(set_foreground(&terminal, Ok(300)), Err(errno(Errno::EPERM)));
    assert_eq!(set_foreground(&terminal, Ok(999)), Err(errno(Errno::ESRCH)));
    assert_eq!(set_foreground(&terminal, Ok(-1)), Err(errno(Errno::EINVAL)));
    act_as(300, 300, 300);
    assert_eq!(set_foreground(&terminal, Ok(SHELL)), Err(errno(Errno::ENOTTY)));
}

#[test]
fn terminals_are_taken_by_leaders_without_one() {
    let terminal = terminal_of_the_shell();
    assert_eq!(terminal.become_controlling(false), Ok(()));
    let other = Terminal::new(8, Box::new(Nowhere));
    // The leader has one already; others lead nothing; this one has an owner.
    assert_eq!(other.become_controlling(false), Err(errno(Errno::EPERM)));
    act_as(JOB, JOB, SHELL);
    assert_eq!(other.become_controlling(false), Err(errno(Errno::EPERM)));
    act_as(300, 300, 300);
    assert_eq!(terminal.become_controlling(true), Err(errno(Errno::EPERM)));
    WORLD.with_borrow_mut(|world| {
        world.caller = world.caller.map(|caller| TtyCaller {
            privileged: true,
            ..caller
        });
    });
    assert_eq!(terminal.become_controlling(true), Ok(()));
    assert_eq!(terminal.foreground_group(), 300);
    assert!(WORLD.with_borrow(|world| world.terminals.iter().all(|(owner, _)| *owner == 300)));
}

#[test]
fn giving_up_the_terminal_hangs_up_the_foreground() {
    let terminal = terminal_of_the_shell();
    assert_eq!(set_foreground(&terminal, Ok(JOB)), Ok(()));
    assert_eq!(give_up(&terminal), Ok(()));
    assert_eq!(sent(), [(JOB, Signal::HUP), (JOB, Signal::CONT)]);
    assert_eq!(terminal.foreground_group(), 0);
    assert!(WORLD.with_borrow(|world| world.terminals.is_empty()));
    assert_eq!(give_up(&terminal), Err(errno(Errno::ENOTTY)));
}
