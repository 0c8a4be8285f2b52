//! What a child shares, and who counts as sharing.

use los_arch::TrapFrame;

use super::*;
use crate::testing;

#[test]
fn who_only_looks_shares_nothing() {
    let (family, thread) = testing::program();
    let process = thread.process();
    let ctx = Context::new(&thread, TrapFrame::new_user(0x40_0000, 0x1000)).unwrap();
    let alone = CloneFlags::THREAD | CloneFlags::SIGHAND | CloneFlags::VM;
    let onlooker = (process.memory(), process.actions(), thread.files());
    assert_eq!(unshare(&ctx, alone), Ok(()));
    assert!(!thread.shares_files());
    drop(onlooker);
    let request = CloneRequest {
        flags: CloneFlags::SIGHAND | CloneFlags::VM | CloneFlags::FILES,
        ..CloneRequest::FORK
    };
    let child = pid::process(clone(&ctx, &request).unwrap()).unwrap();
    assert_eq!(unshare(&ctx, CloneFlags::VM), Err(Errno::EINVAL));
    assert_eq!(unshare(&ctx, CloneFlags::SIGHAND), Err(Errno::EINVAL));
    assert!(thread.shares_files());
    assert!(child.main_thread().unwrap().shares_files());
    unshare(&ctx, CloneFlags::FILES).unwrap();
    assert!(!thread.shares_files());
    let memory = ctx.memory();
    assert_eq!(memory.users().count(), 2);
    testing::forget(&child);
    assert_eq!(memory.users().count(), 1);
    drop(family);
}
