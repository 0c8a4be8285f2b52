//! Threads and processes that share memory, by the plain call: there is no C library to make them.

use alloc::format;

use los_abi::errno::Errno;
use los_abi::syscall::Sysno;
use los_abi::task::{CloneArgs, CloneFlags};

use crate::arch::{ISA, call_branching};
use crate::harness::Failure;
use crate::raw::{addr, addr_mut, call, peek, poke};

/// Size of a thread's stack.
pub(crate) const STACK_BYTES: u64 = 64 << 10;

/// What threads of C libraries share.
pub(crate) const THREAD: CloneFlags = CloneFlags::VM
    .union(CloneFlags::FS)
    .union(CloneFlags::FILES)
    .union(CloneFlags::SIGHAND)
    .union(CloneFlags::THREAD)
    .union(CloneFlags::SYSVSEM);

/// Returns the lower end of a new stack, which ends with the process.
pub(crate) fn stack() -> Result<u64, Errno> {
    const READ_WRITE: u64 = 3;
    const PRIVATE_ANONYMOUS: u64 = 0x22;
    call(
        Sysno::mmap,
        &[0, STACK_BYTES, READ_WRITE, PRIVATE_ANONYMOUS, u64::MAX, 0],
    )
}

/// Makes a child by clone(2) with the flags and the signal in one word. With CLONE_VM it has a stack of its
/// own. It calls `function` with `argument` and ends with its result.
pub(crate) fn clone(
    flags: CloneFlags,
    signal: u32,
    words: Words,
    function: extern "C" fn(u64) -> i32,
    argument: u64,
) -> Result<u64, Errno> {
    let stack = if flags.contains(CloneFlags::VM) {
        stack()? + STACK_BYTES
    } else {
        0
    };
    clone_on(stack, flags.bits() | u64::from(signal), words, function, argument)
}

/// As [`clone`], on the stack that ends here.
pub(crate) fn clone_on(
    stack: u64,
    flags: u64,
    words: Words,
    function: extern "C" fn(u64) -> i32,
    argument: u64,
) -> Result<u64, Errno> {
    let number = Sysno::clone.number(ISA).ok_or(Errno::ENOSYS)?;
    let [third, fourth] = match ISA {
        los_abi::Isa::X86_64 => [words.child_tid, words.tls],
        los_abi::Isa::Aarch64 => [words.tls, words.child_tid],
    };
    let registers = [flags, stack, words.parent_tid, third, fourth, 0];
    Errno::check_register(call_branching(number, registers, function, argument))
}

/// The three words that go with flags of clone(2).
#[derive(Clone, Copy, Default)]
pub(crate) struct Words {
    pub(crate) parent_tid: u64,
    pub(crate) child_tid: u64,
    pub(crate) tls: u64,
}

/// Makes a child by a call of clone3(2) with a structure of `size` bytes.
pub(crate) fn clone3(
    arguments: &CloneArgs,
    size: u64,
    function: extern "C" fn(u64) -> i32,
    argument: u64,
) -> Result<u64, Errno> {
    let number = Sysno::clone3.number(ISA).ok_or(Errno::ENOSYS)?;
    let registers = [addr(arguments), size, 0, 0, 0, 0];
    Errno::check_register(call_branching(number, registers, function, argument))
}

/// A running thread of this process.
pub(crate) struct Thread {
    /// A word that the kernel clears at its end.
    alive: u64,
    /// Its number.
    pub(crate) tid: u64,
}

/// Starts a thread.
pub(crate) fn start(function: extern "C" fn(u64) -> i32, argument: u64) -> Result<Thread, Errno> {
    // The word outlives everything: memory of a stack is never freed.
    let alive = stack()?;
    poke::<u32>(alive, 1);
    let flags = THREAD | CloneFlags::CHILD_CLEARTID;
    let words = Words {
        child_tid: alive,
        ..Words::default()
    };
    let tid = clone(flags, 0, words, function, argument)?;
    Ok(Thread { alive, tid })
}

impl Thread {
    /// Waits until the thread has ended.
    pub(crate) fn join(self) {
        wait_until_changed(self.alive, 1);
    }
}

/// Sleeps while a word of memory has a value.
pub(crate) fn wait_until_changed(address: u64, value: u32) {
    const FUTEX_WAIT: u64 = 0;
    while peek::<u32>(address) == value {
        let _woken = call(Sysno::futex, &[address, FUTEX_WAIT, u64::from(value), 0, 0, 0]);
    }
}

/// Stores a value and wakes who waits for it.
pub(crate) fn publish(address: u64, value: u32) {
    const FUTEX_WAKE: u64 = 1;
    poke(address, value);
    let _count = call(Sysno::futex, &[address, FUTEX_WAKE, i32::MAX as u64, 0, 0, 0]);
}

/// Fails unless `condition` becomes true before the case must end.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) -> Result<(), Failure> {
    for _ in 0..50_000 {
        if condition() {
            return Ok(());
        }
        // Not by yielding: the caller may have a higher priority than who is to do it.
        rt::time::sleep_ms(1);
    }
    Err(Failure::Wrong(format!("never happened: {what}")))
}

/// Returns a page of memory that a process and its forks share.
pub(crate) fn shared_page() -> Result<u64, Errno> {
    shared_pages(4096)
}

/// As [`shared_page`], with this many bytes.
pub(crate) fn shared_pages(bytes: u64) -> Result<u64, Errno> {
    const SHARED_ANONYMOUS: u64 = 0x21;
    call(Sysno::mmap, &[0, bytes, 3, SHARED_ANONYMOUS, u64::MAX, 0])
}

/// Reads one integer that a call stores.
pub(crate) fn stored(ask: impl FnOnce(u64) -> Result<u64, Errno>) -> Result<u32, Errno> {
    let mut value = u32::MAX;
    ask(addr_mut(&mut value))?;
    Ok(value)
}
