//! Signals against threads that die, block or stop at the same time.

extern crate std;

use los_abi::signal::{SIG_DFL, SigInfo};

use super::*;
use crate::job_control;
use crate::pid;
use crate::testing;
use crate::thread::Work;

fn info(signal: Signal) -> SigInfo {
    SigInfo::new(signal, 0)
}

#[test]
fn who_is_told_to_die_is_not_chosen() {
    let (family, first) = testing::program();
    let second = testing::another_thread(first.process());
    first.add_work(Work::EXIT);
    send_to_process(first.process(), &info(Signal::USR1)).unwrap();
    assert!(second.is_interrupted());
    drop(family);
}

#[test]
fn who_dies_passes_on_what_it_was_chosen_for() {
    let (family, first) = testing::program();
    let [second, third] = [(); 2].map(|()| testing::another_thread(first.process()));
    second
        .mask
        .store(SigSet::ALL.0, core::sync::atomic::Ordering::SeqCst);
    send_to_process(first.process(), &info(Signal::USR1)).unwrap();
    assert!(first.is_interrupted() && !third.is_interrupted());
    first.add_work(Work::EXIT);
    send::pass_on_at_death(&first);
    assert!(third.is_interrupted() && !second.is_interrupted());
    drop(family);
}

#[test]
fn no_signal_is_lost_with_a_thread_that_dies() {
    let (family, first) = testing::program();
    let process = first.process();
    let second = testing::another_thread(process);
    let barrier = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..2000 {
                barrier.wait();
                send_to_process(process, &info(Signal::USR1)).unwrap();
                barrier.wait();
            }
        });
        for _ in 0..2000 {
            barrier.wait();
            first.add_work(Work::EXIT);
            send::pass_on_at_death(&first);
            barrier.wait();
            assert!(second.is_interrupted());
            process.pending.discard(SigSet::ALL);
            first.remove_work(Work::EXIT | Work::SIGNAL);
            second.remove_work(Work::SIGNAL);
        }
    });
    drop(family);
}

#[test]
fn sigcont_ends_each_stop_that_was_sent_before() {
    let (family, thread) = testing::program();
    let process = thread.process();
    pid::tree().join_group(process, process.pid()).unwrap();
    assert!(!job_control::is_orphaned(process.group()));
    assert_eq!(process.actions().get(Signal::TSTP).sa_handler, SIG_DFL);
    let barrier = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..2000 {
                barrier.wait();
                send_to_process(process, &info(Signal::CONT)).unwrap();
                barrier.wait();
            }
        });
        for _ in 0..2000 {
            send_to_process(process, &info(Signal::TSTP)).unwrap();
            barrier.wait();
            let _continues = deliver::take(&thread);
            barrier.wait();
            assert!(!process.stop.is_stopped());
            process.pending.discard(SigSet::ALL);
        }
    });
    send_to_process(process, &info(Signal::TSTP)).unwrap();
    assert!(deliver::take(&thread).is_none());
    assert!(process.stop.is_stopped(), "without SIGCONT it stops");
    drop(family);
}
