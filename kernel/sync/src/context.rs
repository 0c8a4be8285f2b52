//! Kernel contexts: the one safe door to the machine's context switch.
//!
//! A [`KernelContext`] owns its stack and knows whether it is running. A switch takes the running context
//! of this CPU and one that is ready; the arriving side marks the one that was left as ready, so that no
//! CPU continues a context whose registers are still being saved.

use core::cell::UnsafeCell;
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
#[derive(Debug)]
pub struct KernelContext<S: Stack> {
    running: AtomicBool,
    registers: UnsafeCell<MaybeUninit<Context>>,
    stack: Option<S>,
}

// SAFETY: `registers` is touched only by a switch: that of the CPU that runs the context (`running` is
// true), or that of the one CPU that turned `running` from false to true.
unsafe impl<S: Stack> Sync for KernelContext<S> {}
// SAFETY: saved registers are not bound to a CPU, and the stack is `Send`.
unsafe impl<S: Stack> Send for KernelContext<S> {}

/// By CPU: the `running` flag of the context that it runs, null before the first one.
static RUNNING: PerCpu<AtomicPtr<AtomicBool>> =
    PerCpu::new([const { AtomicPtr::new(ptr::null_mut()) }; MAX_CPUS]);

/// By CPU: the `running` flag of the context that a switch is leaving.
static LEAVING: PerCpu<AtomicPtr<AtomicBool>> =
    PerCpu::new([const { AtomicPtr::new(ptr::null_mut()) }; MAX_CPUS]);

impl<S: Stack> KernelContext<S> {
    /// Makes a context that starts in `main` on `stack`, with interrupts masked.
    pub fn new(stack: S, main: fn() -> !) -> Self {
        let registers = Current::new_context(stack.top(), start, main as usize);
        Self {
            running: AtomicBool::new(false),
            registers: UnsafeCell::new(MaybeUninit::new(registers)),
            stack: Some(stack),
        }
    }

    /// Makes a context to be [adopted](KernelContext::adopt) by a CPU that runs already.
    pub const fn empty() -> Self {
        Self {
            running: AtomicBool::new(true),
            registers: UnsafeCell::new(MaybeUninit::uninit()),
            stack: None,
        }
    }

    /// Declares that what this CPU runs now, on the stack it was started with, is this empty context.
    ///
    /// # Panics
    /// When the CPU has a context or this one is not empty.
    pub fn adopt(&'static self) {
        assert!(self.stack.is_none(), "only an empty context can be adopted");
        let old = RUNNING
            .current()
            .swap(self.flag(), Ordering::Relaxed);
        assert!(old.is_null(), "this CPU runs a context already");
    }

    /// Leaves the running context `self` for `next`, and returns when something switches back. Waits if
    /// another CPU has not quite left `next` yet.
    ///
    /// # Panics
    /// When `self` is not what this CPU runs.
    #[inline]
    pub fn switch_to(&self, next: &Self) {
        let interrupts_were_enabled = Current::disable_interrupts();
        assert!(
            RUNNING.current().load(Ordering::Relaxed) == self.flag(),
            "a CPU can leave only the context that it runs"
        );
        while next.running.swap(true, Ordering::Acquire) {
            spin_loop();
        }
        RUNNING.current().store(next.flag(), Ordering::Relaxed);
        LEAVING.current().store(self.flag(), Ordering::Relaxed);
        let next_top = next.stack.as_ref().map_or(0, Stack::top);
        // SAFETY: interrupts are masked. `next` was made by `new` or left by a switch, since `running` was
        // false, and nobody else can switch to it now; it owns its stack. Both contexts outlive the
        // switch: dropping one that is running panics, and `finish_switch` clears the flag afterwards.
        unsafe {
            Current::switch(
                self.registers.get().cast(),
                next.registers.get().cast_const().cast(),
                next_top,
            );
        }
        finish_switch();
        if interrupts_were_enabled {
            Current::enable_interrupts();
        }
    }

    fn flag(&self) -> *mut AtomicBool {
        ptr::from_ref(&self.running).cast_mut()
    }
}

impl<S: Stack> Drop for KernelContext<S> {
    fn drop(&mut self) {
        let adopted = self.stack.is_none();
        assert!(
            adopted || !*self.running.get_mut(),
            "a running context cannot be dropped"
        );
    }
}

/// Marks the context that this CPU has just left as ready to be continued.
#[inline]
fn finish_switch() {
    let left = LEAVING.current().swap(ptr::null_mut(), Ordering::Relaxed);
    // SAFETY: set by the switch that brought this CPU here. The context it belongs to is not dropped
    // while the flag is true, and this store is the last use of it.
    if let Some(running) = unsafe { left.as_ref() } {
        running.store(false, Ordering::Release);
    }
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

    struct NoStack;
    // SAFETY: the mock's switch never runs anything on a stack.
    unsafe impl Stack for NoStack {
        fn top(&self) -> usize {
            0x1000
        }
    }

    fn never() -> ! {
        panic!("the mock starts no context")
    }

    #[test]
    #[should_panic(expected = "only the context that it runs")]
    fn a_context_that_does_not_run_cannot_be_left() {
        let contexts = [(); 2].map(|()| KernelContext::new(NoStack, never));
        contexts[0].switch_to(&contexts[1]);
    }

    #[test]
    fn a_fresh_context_may_be_dropped() {
        drop(KernelContext::new(NoStack, never));
    }
}
