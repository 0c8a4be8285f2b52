//! The alternate stack for signal handlers (sigaltstack(2)).

use los_abi::errno::Errno;
use los_abi::isa::IsaAbi;
use los_abi::signal::{SS_AUTODISARM, SS_DISABLE, SS_ONSTACK, StackT};
use los_arch::CurrentAbi;

use crate::thread::Thread;

/// A thread's alternate stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct AlternateStack {
    start: u64,
    bytes: u64,
    flags: u32,
}

impl AlternateStack {
    /// No alternate stack.
    pub(crate) const DISABLED: Self = Self {
        start: 0,
        bytes: 0,
        flags: SS_DISABLE,
    };

    /// Checks what sigaltstack(2) was given.
    ///
    /// # Errors
    /// EINVAL for unknown flags; ENOMEM for a stack that is too small.
    fn from_abi(stack: &StackT) -> Result<Self, Errno> {
        let mode = stack.ss_flags & !SS_AUTODISARM;
        if mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0 {
            return Err(Errno::EINVAL);
        }
        if mode == SS_DISABLE {
            return Ok(Self {
                flags: stack.ss_flags,
                ..Self::DISABLED
            });
        }
        if stack.ss_size < CurrentAbi::MIN_SIGNAL_STACK as u64 {
            return Err(Errno::ENOMEM);
        }
        Ok(Self {
            start: stack.ss_sp,
            bytes: stack.ss_size,
            flags: stack.ss_flags,
        })
    }

    fn is_enabled(&self) -> bool {
        self.flags & SS_DISABLE == 0
    }

    /// Reports whether a stack pointer lies on the stack, in use and therefore not to be changed.
    pub(crate) fn is_in_use(&self, stack_pointer: u64) -> bool {
        // With SS_AUTODISARM the stack is disabled while in use.
        self.flags & SS_AUTODISARM == 0 && self.contains(stack_pointer)
    }

    fn contains(&self, stack_pointer: u64) -> bool {
        self.is_enabled() && stack_pointer > self.start && stack_pointer - self.start <= self.bytes
    }

    /// Returns where a handler with SA_ONSTACK starts, given the interrupted stack pointer.
    pub(crate) fn top_for(&self, stack_pointer: u64) -> u64 {
        if !self.is_enabled() || self.is_in_use(stack_pointer) {
            return stack_pointer;
        }
        self.start.wrapping_add(self.bytes)
    }

    /// Reports whether a frame at `address` for a handler that starts at `top` has run off this stack.
    pub(crate) fn overflows(&self, top: u64, address: u64) -> bool {
        self.contains(top) && !self.contains(address)
    }

    /// Returns address, flags and size as `uc_stack` has them: the flags as they were set, in use or not.
    pub(crate) fn as_context(&self) -> (u64, i32, u64) {
        (self.start, self.flags.cast_signed(), self.bytes)
    }

    fn reported_flags(&self, stack_pointer: u64) -> u32 {
        let flags = self.flags & !SS_ONSTACK;
        if self.is_in_use(stack_pointer) {
            flags | SS_ONSTACK
        } else {
            flags
        }
    }

    /// Reports whether the stack is disabled when a handler starts on it.
    pub(crate) fn disarms(&self) -> bool {
        self.flags & SS_AUTODISARM != 0
    }
}

/// Returns the alternate stack of a thread whose stack pointer is given.
pub fn get(thread: &Thread, stack_pointer: u64) -> StackT {
    let stack = *thread.alternate_stack.lock();
    StackT {
        ss_sp: stack.start,
        ss_flags: stack.reported_flags(stack_pointer),
        pad: 0,
        ss_size: stack.bytes,
    }
}

/// Changes the alternate stack of a thread whose stack pointer is given.
///
/// # Errors
/// EPERM while it is in use; EINVAL for unknown flags; ENOMEM for a stack that is too small.
pub fn set(thread: &Thread, stack_pointer: u64, new: &StackT) -> Result<(), Errno> {
    let mut stack = thread.alternate_stack.lock();
    if stack.is_in_use(stack_pointer) {
        return Err(Errno::EPERM);
    }
    *stack = AlternateStack::from_abi(new)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(flags: u32) -> StackT {
        StackT {
            ss_sp: 0x1_0000,
            ss_flags: flags,
            pad: 0,
            ss_size: 0x4000,
        }
    }

    #[test]
    fn handlers_start_at_the_end_unless_already_there() {
        let alternate = AlternateStack::from_abi(&stack(0)).unwrap();
        assert_eq!(alternate.top_for(0x7fff_0000), 0x1_4000);
        assert_eq!(alternate.top_for(0x1_2000), 0x1_2000);
        assert!(alternate.overflows(0x1_4000, 0xfff0));
        assert!(!alternate.overflows(0x1_4000, 0x1_3000));
        assert!(!alternate.overflows(0x7fff_0000, 0x7ffe_0000));
    }

    #[test]
    fn bad_stacks_are_refused() {
        assert_eq!(AlternateStack::from_abi(&stack(64)), Err(Errno::EINVAL));
        let small = StackT {
            ss_size: 100,
            ..stack(0)
        };
        assert_eq!(AlternateStack::from_abi(&small), Err(Errno::ENOMEM));
        assert_eq!(
            AlternateStack::from_abi(&stack(SS_DISABLE)),
            Ok(AlternateStack::DISABLED)
        );
    }
}
