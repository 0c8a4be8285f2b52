//! Random changes of a set and its files, against a set that simply looks at every file.

use proptest::prelude::*;

use super::*;

const FILES: usize = 3;
const MEMBERS: usize = 5;
/// A counter that is as high as it gets, so that it cannot be written.
const FULL: u64 = u64::MAX - 1;

#[derive(Clone, Copy, Debug)]
enum Step {
    Add(usize, u32),
    Modify(usize, u32),
    Remove(usize),
    /// Replaces a file by a new one; the set still has the old one, which is gone.
    Close(usize),
    Write(usize, u64),
    Read(usize),
    Wait(usize),
    PollOuter,
}

fn step() -> impl Strategy<Value = Step> {
    let member = || 0..MEMBERS;
    let file = || 0..FILES;
    let wanted = || {
        let bits = [IN, OUT, EPOLLET, EPOLLONESHOT];
        proptest::bits::u8::masked(0xf).prop_map(move |mask| {
            let chosen = bits.iter().enumerate().filter(|(bit, _)| mask & 1 << bit != 0);
            chosen.fold(0, |all, (_, bit)| all | bit)
        })
    };
    prop_oneof![
        3 => (member(), wanted()).prop_map(|(member, events)| Step::Add(member, events)),
        1 => (member(), wanted()).prop_map(|(member, events)| Step::Modify(member, events)),
        1 => member().prop_map(Step::Remove),
        1 => file().prop_map(Step::Close),
        3 => (file(), prop_oneof![Just(1), Just(FULL)]).prop_map(|(file, value)| Step::Write(file, value)),
        2 => file().prop_map(Step::Read),
        4 => (1..=MEMBERS).prop_map(Step::Wait),
        1 => Just(Step::PollOuter),
    ]
}

/// A member as the simple set knows it.
#[derive(Clone, Copy)]
struct Simple {
    wanted: u32,
    /// Whether anything happened since the last report.
    has_news: bool,
}

/// The simple set: every descriptor stands for one of the files, several for the same.
#[derive(Default)]
struct Model {
    counts: [u64; FILES],
    members: [Option<Simple>; MEMBERS],
}

fn file_of(member: usize) -> usize {
    member % FILES
}

impl Model {
    fn holds(&self, member: usize) -> u32 {
        let count = self.counts[file_of(member)];
        (u32::from(count > 0) * IN) | (u32::from(count < FULL) * OUT)
    }

    /// Returns what a look at this member reports.
    fn found(&self, member: usize) -> u32 {
        match self.members[member] {
            Some(simple) if simple.has_news || simple.wanted & EPOLLET == 0 => {
                self.holds(member) & simple.wanted
            }
            _ => 0,
        }
    }

    fn expected(&self) -> Vec<Event> {
        let found = (0..MEMBERS).map(|member| event(self.found(member), member as u64));
        found.filter(|event| event.events != 0).collect()
    }

    /// Something happened on a side of a file; to who asks for the other side that is no news.
    fn happened(&mut self, file: usize, side: u32) {
        for (number, member) in self.members.iter_mut().enumerate() {
            if let Some(simple) = member.as_mut().filter(|_| file_of(number) == file) {
                simple.has_news |= simple.wanted & side != 0;
            }
        }
    }

    fn reported(&mut self, member: usize) {
        if let Some(simple) = &mut self.members[member] {
            simple.has_news = false;
            if simple.wanted & EPOLLONESHOT != 0 {
                simple.wanted &= EPOLLET | EPOLLONESHOT;
            }
        }
    }

    fn set(&mut self, member: usize, wanted: u32) {
        self.members[member] = Some(Simple {
            wanted,
            has_news: true,
        });
    }
}

/// The set under test, in another one, beside the simple one.
struct Both {
    model: Model,
    outer: Arc<OpenFile>,
    set: Arc<OpenFile>,
    files: [Arc<OpenFile>; FILES],
}

impl Both {
    fn new() -> Self {
        let (outer, set) = (set(), set());
        let change = Change::Add(event(IN, 0));
        of(&outer).unwrap().change(0, &set, change).unwrap();
        Self {
            model: Model::default(),
            outer,
            set,
            files: [(); FILES].map(|()| counter()),
        }
    }

    fn change(&self, member: usize, change: Change) -> Result<(), Errno> {
        let file = &self.files[file_of(member)];
        of(&self.set).unwrap().change(member as i32, file, change)
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Add(member, wanted) => {
                let done = self.change(member, Change::Add(event(wanted, member as u64)));
                assert_eq!(done.is_ok(), self.model.members[member].is_none());
                if done.is_ok() {
                    self.model.set(member, wanted);
                }
            }
            Step::Modify(member, wanted) => {
                let done = self.change(member, Change::Modify(event(wanted, member as u64)));
                assert_eq!(done.is_ok(), self.model.members[member].is_some());
                if done.is_ok() {
                    self.model.set(member, wanted);
                }
            }
            Step::Remove(member) => {
                let done = self.change(member, Change::Remove);
                assert_eq!(done.is_ok(), self.model.members[member].take().is_some());
            }
            Step::Close(file) => {
                self.files[file] = counter();
                self.model.counts[file] = 0;
                for member in (0..MEMBERS).filter(|&member| file_of(member) == file) {
                    self.model.members[member] = None;
                }
            }
            Step::Write(file, value) => self.write(file, value),
            Step::Read(file) => {
                if self.files[file].read(&mut VecSink::new(8)).is_ok() {
                    self.model.counts[file] = 0;
                    self.model.happened(file, OUT);
                }
            }
            Step::Wait(max) => self.wait(max),
            Step::PollOuter => {
                let is_ready = !now(&self.outer).is_empty();
                assert_eq!(is_ready, !self.model.expected().is_empty());
            }
        }
    }

    fn write(&mut self, file: usize, value: u64) {
        let bytes = value.to_ne_bytes();
        if self.files[file]
            .write(&mut SliceSource::new(&bytes), u64::MAX)
            .is_ok()
        {
            self.model.counts[file] += value;
            self.model.happened(file, IN);
        }
    }

    fn wait(&mut self, max: usize) {
        let expected = self.model.expected();
        let found = wait(&self.set, max, Some(0));
        assert_eq!(found.len(), max.min(expected.len()));
        for (index, event) in found.iter().enumerate() {
            assert!(expected.contains(event), "{event:?} is not among {expected:?}");
            assert!(!found[..index].contains(event), "{event:?} was reported twice");
            self.model.reported(event.data as usize);
        }
    }
}

proptest! {
    #[test]
    fn a_set_answers_as_one_that_looks_at_every_file(
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        let mut both = Both::new();
        for step in steps {
            both.take(step);
        }
    }
}
