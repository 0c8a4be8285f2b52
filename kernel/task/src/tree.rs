//! The table of numbers: which thread, process, group and session has which, and the family of processes.
//!
//! A number is free again when no thread, process, group or session uses it.

mod chain;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::Ordering;

use los_abi::errno::Errno;
use tty::Terminal;

use crate::pid::{INIT, PID_MAX, Pid};
use crate::pidfd;
use crate::process::Process;
use crate::thread::Thread;
use chain::{Ends, Kind, Links};

/// Numbers below this one are given out only once.
const FIRST_REUSED: Pid = 300;

/// Counts for /proc and sysinfo(2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Processes, zombies included.
    pub processes: usize,
    /// Living threads.
    pub threads: usize,
    /// Births since boot.
    pub forks: u64,
    /// The number that was given out last.
    pub last_pid: Pid,
}

/// The table of numbers.
pub(crate) struct Tree {
    slots: BTreeMap<Pid, Box<Slot>>,
    last: Pid,
    processes: usize,
    threads: usize,
    forks: u64,
    serials: u64,
}

/// All that one number stands for.
#[derive(Default)]
struct Slot {
    /// Which use of the number this is: never that of another.
    serial: u64,
    /// A birth is under way that will use the number.
    reserved: bool,
    thread: Option<Weak<Thread>>,
    node: Option<Node>,
    /// Members of the process group with this number.
    group: Ends,
    session: Option<Session>,
}

/// A process group, whoever has its number by now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct GroupName {
    number: Pid,
    serial: Option<u64>,
}

impl GroupName {
    /// Names the group that a process could lead.
    pub(crate) fn led_by(process: &Process) -> Self {
        Self {
            number: process.pid(),
            serial: Some(process.serial.load(Ordering::Relaxed)),
        }
    }

    /// Returns the number.
    pub(crate) fn number(self) -> Pid {
        self.number
    }
}

/// A process in the family.
pub(crate) struct Node {
    pub(crate) process: Arc<Process>,
    children: Ends,
    /// Its place among its parent's children.
    siblings: Links,
    /// Its place in its group.
    fellows: Links,
}

/// A session.
#[derive(Default)]
pub(crate) struct Session {
    members: usize,
    pub(crate) terminal: Option<Arc<Terminal>>,
}

impl Slot {
    fn is_free(&self) -> bool {
        !self.reserved
            && self.thread.is_none()
            && self.node.is_none()
            && self.group.is_empty()
            && self.session.is_none()
    }
}

impl Tree {
    pub(crate) const fn new() -> Self {
        Self {
            slots: BTreeMap::new(),
            last: INIT,
            processes: 0,
            threads: 0,
            forks: 0,
            serials: 0,
        }
    }

    fn slot(&self, number: Pid) -> Option<&Slot> {
        self.slots.get(&number).map(Box::as_ref)
    }

    fn slot_mut(&mut self, number: Pid) -> Option<&mut Slot> {
        self.slots.get_mut(&number).map(Box::as_mut)
    }

    /// Takes the next free number for a birth.
    ///
    /// # Errors
    /// EAGAIN when all are in use.
    pub(crate) fn allocate(&mut self) -> Result<Pid, Errno> {
        let mut candidate = self.last;
        for _ in 0..PID_MAX {
            candidate += 1;
            if candidate >= PID_MAX {
                candidate = FIRST_REUSED;
            }
            if self.slot(candidate).is_none() {
                self.place(candidate);
                self.last = candidate;
                return Ok(candidate);
            }
        }
        Err(Errno::EAGAIN)
    }

    /// Takes this very number for a birth.
    ///
    /// # Errors
    /// EEXIST when it is in use.
    pub(crate) fn allocate_this(&mut self, number: Pid) -> Result<Pid, Errno> {
        if self.slot(number).is_some() {
            return Err(Errno::EEXIST);
        }
        self.place(number);
        Ok(number)
    }

    /// Takes the number of the first process for a birth.
    ///
    /// # Errors
    /// EAGAIN when it is taken.
    pub(crate) fn allocate_init(&mut self) -> Result<Pid, Errno> {
        if self.slot(INIT).is_some() {
            return Err(Errno::EAGAIN);
        }
        self.place(INIT);
        Ok(INIT)
    }

    /// Ends the hold that a birth has on its number; what uses it now keeps it.
    pub(crate) fn release(&mut self, number: Pid) {
        if let Some(slot) = self.slot_mut(number) {
            slot.reserved = false;
        }
        self.free_if_unused(number);
    }

    fn place(&mut self, number: Pid) {
        self.serials += 1;
        let slot = Box::new(Slot {
            serial: self.serials,
            reserved: true,
            ..Slot::default()
        });
        self.slots.insert(number, slot);
    }

    fn free_if_unused(&mut self, number: Pid) {
        if self.slot(number).is_some_and(Slot::is_free) {
            self.slots.remove(&number);
        }
    }

    pub(crate) fn node(&self, pid: Pid) -> Option<&Node> {
        self.slot(pid)?.node.as_ref()
    }

    pub(crate) fn node_mut(&mut self, pid: Pid) -> Option<&mut Node> {
        self.slot_mut(pid)?.node.as_mut()
    }

    pub(crate) fn process(&self, pid: Pid) -> Option<&Arc<Process>> {
        Some(&self.node(pid)?.process)
    }

    pub(crate) fn thread(&self, tid: Pid) -> Option<Arc<Thread>> {
        self.slot(tid)?.thread.as_ref()?.upgrade()
    }

    /// Iterates over all processes in ascending order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Node> {
        self.slots.values().filter_map(|slot| slot.node.as_ref())
    }

    /// Returns the process with the lowest number that is at least `minimum`.
    pub(crate) fn first_from(&self, minimum: Pid) -> Option<&Arc<Process>> {
        let slots = self.slots.range(minimum..);
        let mut nodes = slots.filter_map(|(_, slot)| slot.node.as_ref());
        nodes.next().map(|node| &node.process)
    }

    /// Counts what there is.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            processes: self.processes,
            threads: self.threads,
            forks: self.forks,
            last_pid: self.last,
        }
    }

    /// Iterates over the members of a process group.
    pub(crate) fn group(&self, pgid: Pid) -> impl Iterator<Item = &Arc<Process>> {
        self.follow(Kind::Group, pgid)
    }

    /// Iterates over the children of a process, oldest first.
    pub(crate) fn children(&self, parent: Pid) -> impl Iterator<Item = &Arc<Process>> {
        self.follow(Kind::Children, parent)
    }

    /// Returns a lasting name of the process group that has a number now, or that may have it while the number's
    /// present use lasts.
    pub(crate) fn name_group(&self, number: Pid) -> GroupName {
        let serial = self.slot(number).map(|slot| slot.serial);
        GroupName { number, serial }
    }

    /// Iterates over the members of a process group that was named earlier.
    pub(crate) fn named_group(&self, group: GroupName) -> impl Iterator<Item = &Arc<Process>> {
        let is_it = group.serial.is_some() && self.name_group(group.number) == group;
        self.group(if is_it { group.number } else { 0 })
    }

    /// Adds a process as the child of `parent` to a group and a session.
    ///
    /// # Errors
    /// ESRCH for a number that was not taken, or a group that is not there.
    pub(crate) fn insert_process(
        &mut self,
        process: &Arc<Process>,
        parent: Pid,
        group: Pid,
        session: Pid,
    ) -> Result<(), Errno> {
        let slot = self.slot_mut(process.pid()).ok_or(Errno::ESRCH)?;
        slot.node = Some(Node {
            process: process.clone(),
            children: Ends::default(),
            siblings: Links::default(),
            fellows: Links::default(),
        });
        process.serial.store(slot.serial, Ordering::Relaxed);
        if let Err(errno) = self.join_group(process, group) {
            if let Some(slot) = self.slot_mut(process.pid()) {
                slot.node = None;
            }
            return Err(errno);
        }
        self.join_session(process, session);
        if let Some(parent) = self.process(parent) {
            let below_subreaper = parent.is_subreaper() || parent.is_below_subreaper.load(Ordering::Relaxed);
            process
                .is_below_subreaper
                .store(below_subreaper, Ordering::Relaxed);
        }
        self.append(Kind::Children, parent, process.pid());
        process.parent.store(parent, Ordering::Relaxed);
        process.parent_thread.store(parent, Ordering::Relaxed);
        self.processes += 1;
        Ok(())
    }

    /// Removes a dead process from its parent, its group and the table, and returns it.
    pub(crate) fn remove_process(&mut self, pid: Pid) -> Option<Arc<Process>> {
        let process = self.process(pid)?.clone();
        self.unlink(Kind::Children, process.parent_pid(), pid);
        self.leave_group(&process);
        self.leave_session(&process);
        if let Some(slot) = self.slot_mut(pid) {
            slot.node = None;
        }
        self.free_if_unused(pid);
        self.processes -= 1;
        let share = process.last_share.lock().take();
        drop(share);
        pidfd::tell_reaped(&process.watch);
        Some(process)
    }

    pub(crate) fn insert_thread(&mut self, thread: &Arc<Thread>) {
        if let Some(slot) = self.slot_mut(thread.tid()) {
            slot.thread = Some(Arc::downgrade(thread));
            self.threads += 1;
            self.forks += 1;
        }
    }

    pub(crate) fn remove_thread(&mut self, tid: Pid) {
        if let Some(slot) = self.slot_mut(tid)
            && slot.thread.take().is_some()
        {
            self.threads -= 1;
        }
        self.free_if_unused(tid);
    }

    /// Gives a thread the number of its process, whose leader is gone (execve from another thread).
    pub(crate) fn promote_thread(&mut self, thread: &Arc<Thread>) {
        let (old, new) = (thread.tid(), thread.process().pid());
        if let Some(slot) = self.slot_mut(old) {
            slot.thread = None;
        }
        self.free_if_unused(old);
        thread.set_tid(new);
        // The others are dead, and what they left is this thread's.
        for child in self.children(new) {
            child.parent_thread.store(new, Ordering::Relaxed);
        }
        if let Some(slot) = self.slot_mut(new) {
            slot.thread = Some(Arc::downgrade(thread));
        }
    }

    /// Makes a process the child of another one.
    pub(crate) fn adopt(&mut self, child: Pid, heir: Pid) {
        let Some(process) = self.process(child).cloned() else {
            return;
        };
        self.unlink(Kind::Children, process.parent_pid(), child);
        let thread = self.process(heir).and_then(|heir| heir.main_thread());
        let thread = thread.map_or(heir, |thread| thread.tid());
        process.parent.store(heir, Ordering::Relaxed);
        process.parent_thread.store(thread, Ordering::Relaxed);
        self.append(Kind::Children, heir, child);
    }

    /// Has all descendants of a process know that one of their ancestors takes orphans.
    pub(crate) fn tell_of_subreaper(&self, ancestor: Pid) {
        let mut at = ancestor;
        while let Some(process) = self.next_descendant(ancestor, at) {
            process.is_below_subreaper.store(true, Ordering::Relaxed);
            at = process.pid();
        }
    }

    /// Puts a process into a group, which it makes if it has the group's number.
    ///
    /// # Errors
    /// ESRCH for a number that is not in use.
    pub(crate) fn join_group(&mut self, process: &Arc<Process>, group: Pid) -> Result<(), Errno> {
        if group == 0 {
            // Kernel threads and, at first, process 1 are in no group.
            self.leave_group(process);
            process.group.store(0, Ordering::Relaxed);
            return Ok(());
        }
        self.slot(group).ok_or(Errno::ESRCH)?;
        self.leave_group(process);
        self.append(Kind::Group, group, process.pid());
        process.group.store(group, Ordering::Relaxed);
        Ok(())
    }

    fn leave_group(&mut self, process: &Process) {
        let group = process.group();
        self.unlink(Kind::Group, group, process.pid());
        // The process's own slot is in use until it is gone.
        self.free_if_unused(group);
    }

    /// Puts a process into a session, which it makes if it has the session's number.
    pub(crate) fn join_session(&mut self, process: &Process, session: Pid) {
        self.leave_session(process);
        if let Some(slot) = self.slot_mut(session) {
            slot.session.get_or_insert_default().members += 1;
            process.session.store(session, Ordering::Relaxed);
        }
    }

    fn leave_session(&mut self, process: &Process) {
        let number = process.session();
        if let Some(slot) = self.slot_mut(number)
            && let Some(session) = &mut slot.session
        {
            session.members -= 1;
            if session.members == 0 {
                slot.session = None;
            }
        }
        self.free_if_unused(number);
    }

    pub(crate) fn session_mut(&mut self, session: Pid) -> Option<&mut Session> {
        self.slot_mut(session)?.session.as_mut()
    }

    pub(crate) fn session(&self, session: Pid) -> Option<&Session> {
        self.slot(session)?.session.as_ref()
    }

    /// Reports whether a group of this number has members.
    pub(crate) fn has_group(&self, pgid: Pid) -> bool {
        self.slot(pgid).is_some_and(|slot| !slot.group.is_empty())
    }
}

#[cfg(test)]
mod tests;
