//! Kernel contexts: the one safe door to the machine's context switch.
//!
//! A [`KernelContext`] owns its stack and knows whether it is running. The CPU keeps what it runs alive,
//! so that a thread may give up every other trace of itself before it leaves for the last time; the
//! arriving side lets go of the context that was left, and only then may another CPU continue it.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::cell::UnsafeCell;
use core::fmt;
use core::hint::spin_loop;
use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use los_arch::hal::cpu::MAX_CPUS;
use los_arch::hal::prelude::{Cpu, Irq};
use los_arch::{Context, Current};

use crate::per_cpu::PerCpu;

/// Memory that a kernel thread runs on.
///
/// # Safety
/// The memory below [`top`](Stack::top) stays mapped, writable and unused by anything else until the value
/// is dropped; `top` is aligned to 16 bytes and never changes.
pub unsafe trait Stack: Send {
    /// Returns one past the highest byte.
    fn top(&self) -> usize;
}

/// The saved registers of a kernel thread with the stack that they refer to.
pub struct KernelContext {
    running: AtomicBool,
    registers: UnsafeCell<MaybeUninit<Context>>,
    stack: Option<Box<dyn Stack>>,
}

// SAFETY: `registers` is touched only by a switch: that of the CPU that runs the context (`running` is
// true), or that of the one CPU that turned `running` from false to true.
unsafe impl Sync for KernelContext {}
// SAFETY: saved registers are not bound to a CPU, and the stack is `Send`.
unsafe impl Send for KernelContext {}

impl fmt::Debug for KernelContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KernelContext({:?})", self.running)
    }
}

/// By CPU: the context that it runs, an `Arc` in raw form; null before the first.
static RUNNING: PerCpu<AtomicPtr<KernelContext>> =
    PerCpu::new([const { AtomicPtr::new(ptr::null_mut()) }; MAX_CPUS]);

/// By CPU: the context that a switch is leaving, an `Arc` in raw form.
static LEAVING: PerCpu<AtomicPtr<KernelContext>> =
    PerCpu::new([const { AtomicPtr::new(ptr::null_mut()) }; MAX_CPUS]);

impl KernelContext {
    /// Makes a context that starts in `main` on `stack`, with interrupts masked.
    pub fn new(stack: Box<dyn Stack>, main: fn() -> !) -> Self {
        let registers = Current::new_context(stack.top(), start, main as usize);
        Self {
            running: AtomicBool::new(false),
            registers: UnsafeCell::new(MaybeUninit::new(registers)),
            stack: Some(stack),
        }
    }

    /// Makes the context of what this CPU runs now, on the stack that it was started with.
    ///
    /// # Panics
    /// When the CPU has a context already.
    pub fn adopt() -> Arc<Self> {
        let context = Arc::new(Self {
            running: AtomicBool::new(true),
            registers: UnsafeCell::new(MaybeUninit::uninit()),
            stack: None,
        });
        let raw = Arc::into_raw(context.clone()).cast_mut();
        let old = RUNNING.current().swap(raw, Ordering::Relaxed);
        assert!(old.is_null(), "this CPU runs a context already");
        context
    }

    /// Leaves the running context for `next`, and returns when something switches back. Waits while
    /// another CPU has not quite left `next` yet.
    ///
    /// # Panics
    /// When this CPU has not adopted a context.
    #[inline]
    pub fn switch_to(next: Arc<Self>) {
        let interrupts_were_enabled = Current::disable_interrupts();
        let running = RUNNING.current();
        let previous = running.load(Ordering::Relaxed);
        assert!(!previous.is_null(), "this CPU has not adopted a context");
        while next.running.swap(true, Ordering::Acquire) {
            spin_loop();
        }
        let next_top = next.stack.as_ref().map_or(0, |stack| stack.top());
        let next = Arc::into_raw(next).cast_mut();
        running.store(next, Ordering::Relaxed);
        LEAVING.current().store(previous, Ordering::Relaxed);
        // SAFETY: `RUNNING` held a reference of this context, which `LEAVING` holds now.
        let from = unsafe { &*previous }.registers.get();
        // SAFETY: `RUNNING` holds a reference of `next`.
        let to = unsafe { &*next }.registers.get().cast_const();
        // SAFETY: interrupts are masked. `next` was made by `new` or left by a switch, since `running` was
        // false, and this CPU alone turned it; it owns its stack. The references in `RUNNING` and
        // `LEAVING` keep both contexts until `finish_switch`, which runs after the switch.
        unsafe { Current::switch(from.cast(), to.cast(), next_top) };
        finish_switch();
        if interrupts_were_enabled {
            Current::enable_interrupts();
        }
    }
}

/// Lets go of the context that this CPU has just left: it may be continued elsewhere, or freed.
#[inline]
fn finish_switch() {
    let left = LEAVING.current().swap(ptr::null_mut(), Ordering::Relaxed);
    if left.is_null() {
        return;
    }
    // SAFETY: set by the switch that brought this CPU here, from an `Arc` in raw form, and taken once.
    let left = unsafe { Arc::from_raw(left.cast_const()) };
    left.running.store(false, Ordering::Release);
}

/// First code of every new context.
extern "C" fn start(main: usize) -> ! {
    finish_switch();
    // SAFETY: `KernelContext::new` passes exactly such a function as the argument.
    let main = unsafe { core::mem::transmute::<usize, fn() -> !>(main) };
    main()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct NoStack {
        _token: Arc<()>,
    }
    // SAFETY: the tests never run anything on it.
    unsafe impl Stack for NoStack {
        fn top(&self) -> usize {
            0x1000
        }
    }

    fn never() -> ! {
        panic!("the test starts no context")
    }

    #[test]
    fn a_context_frees_its_stack() {
        let token = Arc::new(());
        let context = KernelContext::new(
            Box::new(NoStack {
                _token: token.clone(),
            }),
            never,
        );
        assert_eq!(Arc::strong_count(&token), 2);
        drop(context);
        assert_eq!(Arc::strong_count(&token), 1);
    }
}
