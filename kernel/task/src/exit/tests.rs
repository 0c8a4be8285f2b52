//! What becomes of children when parents die, also at the same time.

extern crate std;

use super::*;
use crate::testing;

/// Ends a process that has one thread.
fn end(process: &Arc<Process>) {
    let thread = process.main_thread().unwrap();
    finish_process(process, &thread);
}

/// Makes a process with a thread.
fn live(parent: Option<&Arc<Process>>) -> Arc<Process> {
    let process = testing::enter(parent, None);
    let _thread = testing::another_thread(&process);
    process
}

fn forget<'a>(processes: impl IntoIterator<Item = &'a Arc<Process>>) {
    processes.into_iter().for_each(|process| testing::forget(process));
}

fn is_listed(process: &Process) -> bool {
    pid::process(process.pid()).is_some()
}

#[test]
fn orphans_go_to_the_closest_subreaper_and_then_to_init() {
    let elder = live(None);
    let middle = live(Some(&elder));
    let parent = live(Some(&middle));
    let children: std::vec::Vec<_> = (0..3).map(|_| live(Some(&parent))).collect();
    elder.set_subreaper(true);
    middle.set_subreaper(true);
    middle.set_subreaper(false);
    end(&parent);
    assert!(children.iter().all(|child| child.parent_pid() == elder.pid()));
    let of_elder: std::vec::Vec<_> = pid::tree()
        .children(elder.pid())
        .map(|child| child.pid())
        .collect();
    let expected = [&middle, &children[0], &children[1], &children[2]].map(|process| process.pid());
    assert_eq!(of_elder, expected);
    end(&elder);
    assert!(children.iter().all(|child| child.parent_pid() == INIT));
    forget(&children);
    forget([&middle, &parent, &elder]);
}

#[test]
fn a_zombie_that_the_heir_does_not_want_is_gone() {
    let parent = live(None);
    let [zombie, living] = [(); 2].map(|()| live(Some(&parent)));
    end(&zombie);
    assert!(is_listed(&zombie), "its parent may wait for it");
    end(&parent);
    // The first process is not there in this test, and nobody wants a zombie without a parent.
    assert!(!is_listed(&zombie) && is_listed(&living));
    forget([&living, &parent]);
}

#[test]
fn a_death_that_orphans_a_stopped_group_hangs_it_up() {
    let shell = live(None);
    let [first, second] = [(); 2].map(|()| live(Some(&shell)));
    {
        let mut tree = pid::tree();
        tree.join_group(&first, first.pid()).unwrap();
        tree.join_group(&second, first.pid()).unwrap();
        stop::begin(&tree, &first, Signal::TSTP);
    }
    end(&shell);
    for job in [&first, &second] {
        assert!(job.pending().contains(Signal::HUP));
        assert!(!job.stop.is_stopped());
    }
    forget([&first, &second, &shell]);
}

#[test]
fn no_child_is_left_with_a_parent_that_died_at_the_same_time() {
    for _ in 0..300 {
        let reaper = live(None);
        let parent = live(Some(&reaper));
        let child = live(Some(&parent));
        reaper.set_subreaper(true);
        std::thread::scope(|scope| {
            scope.spawn(|| end(&parent));
            end(&reaper);
        });
        assert_eq!(child.parent_pid(), INIT);
        forget([&child, &parent, &reaper]);
    }
}
