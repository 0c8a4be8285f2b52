//! Chains of processes through the table: who is whose child, and who is in which group.
//!
//! The links are numbers in the nodes themselves, so that a process joins and leaves without memory and without a
//! look at the others, however many there are.

use alloc::sync::Arc;

use super::Tree;
use crate::pid::Pid;
use crate::process::Process;

/// What a chain is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// The children of a process, oldest first.
    Children,
    /// The members of a process group, in the order of joining.
    Group,
}

/// Both ends of a chain, 0 for none.
#[derive(Clone, Copy, Default)]
pub(super) struct Ends {
    first: Pid,
    last: Pid,
}

/// A process's neighbours in a chain, 0 for none.
#[derive(Clone, Copy, Default)]
pub(super) struct Links {
    previous: Pid,
    next: Pid,
}

impl Ends {
    pub(super) fn is_empty(self) -> bool {
        self.first == 0
    }
}

impl Tree {
    fn ends(&self, kind: Kind, owner: Pid) -> Ends {
        let found = match kind {
            Kind::Children => self.node(owner).map(|node| node.children),
            Kind::Group => self.slot(owner).map(|slot| slot.group),
        };
        found.unwrap_or_default()
    }

    fn set_ends(&mut self, kind: Kind, owner: Pid, ends: Ends) {
        match kind {
            Kind::Children => {
                if let Some(node) = self.node_mut(owner) {
                    node.children = ends;
                }
            }
            Kind::Group => {
                if let Some(slot) = self.slot_mut(owner) {
                    slot.group = ends;
                }
            }
        }
    }

    fn links(&self, kind: Kind, member: Pid) -> Links {
        let node = self.node(member);
        let links = node.map(|node| match kind {
            Kind::Children => node.siblings,
            Kind::Group => node.fellows,
        });
        links.unwrap_or_default()
    }

    fn change_links(&mut self, kind: Kind, member: Pid, change: impl FnOnce(&mut Links)) {
        if let Some(node) = self.node_mut(member) {
            change(match kind {
                Kind::Children => &mut node.siblings,
                Kind::Group => &mut node.fellows,
            });
        }
    }

    /// Adds a process, which is in no chain of this kind, to the end of one.
    pub(super) fn append(&mut self, kind: Kind, owner: Pid, member: Pid) {
        let mut ends = self.ends(kind, owner);
        let previous = ends.last;
        self.change_links(kind, member, |links| *links = Links { previous, next: 0 });
        self.change_links(kind, previous, |links| links.next = member);
        ends.last = member;
        if ends.first == 0 {
            ends.first = member;
        }
        self.set_ends(kind, owner, ends);
    }

    /// Takes a process out of the chain that it is in.
    pub(super) fn unlink(&mut self, kind: Kind, owner: Pid, member: Pid) {
        let Links { previous, next } = self.links(kind, member);
        let mut ends = self.ends(kind, owner);
        match previous {
            0 if ends.first != member => return,
            0 => ends.first = next,
            _ => self.change_links(kind, previous, |links| links.next = next),
        }
        match next {
            0 => ends.last = previous,
            _ => self.change_links(kind, next, |links| links.previous = previous),
        }
        self.change_links(kind, member, |links| *links = Links::default());
        self.set_ends(kind, owner, ends);
    }

    /// Iterates over a chain.
    pub(super) fn follow(&self, kind: Kind, owner: Pid) -> impl Iterator<Item = &Arc<Process>> {
        let first = self.ends(kind, owner).first;
        let at = |number: Pid| self.process(number);
        core::iter::successors(at(first), move |process| at(self.links(kind, process.pid()).next))
    }

    /// Returns the process after this one and its descendants in the family of `root`; its first child comes
    /// first if it has one. Walking so needs no memory.
    pub(super) fn next_descendant(&self, root: Pid, from: Pid) -> Option<&Arc<Process>> {
        let first = self.ends(Kind::Children, from).first;
        if first != 0 {
            return self.process(first);
        }
        let mut at = from;
        while at != root {
            let next = self.links(Kind::Children, at).next;
            if next != 0 {
                return self.process(next);
            }
            at = self.process(at)?.parent_pid();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::testing;

    fn numbers(tree: &Tree, kind: Kind, owner: Pid) -> Vec<Pid> {
        tree.follow(kind, owner).map(|process| process.pid()).collect()
    }

    /// Makes a table with a leader, who is a group and the parent of all, and others.
    fn table(others: usize) -> (Tree, Pid, Vec<Pid>) {
        let mut tree = Tree::new();
        let mut enter = |parent: Option<Pid>| {
            let process = testing::process(tree.allocate().unwrap());
            let (parent, group) = (parent.unwrap_or(0), parent.unwrap_or(process.pid()));
            tree.insert_process(&process, parent, group, group).unwrap();
            process.pid()
        };
        let leader = enter(None);
        let others = (0..others).map(|_| enter(Some(leader))).collect();
        (tree, leader, others)
    }

    proptest! {
        #[test]
        fn chains_are_what_a_list_would_be(steps in prop::collection::vec(0_usize..6, 0..60)) {
            let (mut tree, leader, others) = table(6);
            let mut expected = others.clone();
            for step in steps {
                let member = others[step];
                if let Some(place) = expected.iter().position(|other| *other == member) {
                    expected.remove(place);
                    tree.unlink(Kind::Children, leader, member);
                    tree.unlink(Kind::Children, leader, member);
                } else {
                    expected.push(member);
                    tree.append(Kind::Children, leader, member);
                }
                prop_assert_eq!(&numbers(&tree, Kind::Children, leader), &expected);
            }
            prop_assert_eq!(numbers(&tree, Kind::Group, leader).len(), 7);
        }
    }

    #[test]
    fn the_walk_meets_every_descendant_once() {
        let (mut tree, leader, others) = table(4);
        tree.adopt(others[2], others[1]);
        tree.adopt(others[3], others[2]);
        let mut met = Vec::new();
        let mut at = leader;
        while let Some(process) = tree.next_descendant(leader, at) {
            at = process.pid();
            met.push(at);
        }
        assert_eq!(met, others);
        assert!(tree.next_descendant(others[3], others[3]).is_none());
    }
}
