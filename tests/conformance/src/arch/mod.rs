//! Machine code that the cases need, with the same names for both machines.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
pub(crate) use aarch64::{
    DUMPED_COUNTER, DUMPED_STACK, EpollEvent, ISA, KERNEL_ADDRESS, RESTARTABLE, RESTARTABLE_PARTS, RETURN,
    UContext, VDSO_FUNCTIONS, VDSO_VERSION, call_branching, cycles, exit_with, exit_zero_after_write,
    fork_keeping_registers, illegal, leave_function, program_counter, set_program_counter, signals,
    stack_pointer, thread_pointer,
};
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::{
    DUMPED_COUNTER, DUMPED_STACK, EpollEvent, ISA, KERNEL_ADDRESS, RESTARTABLE, RESTARTABLE_PARTS, RETURN,
    UContext, VDSO_FUNCTIONS, VDSO_VERSION, call_branching, cycles, exit_with, exit_zero_after_write,
    fork_keeping_registers, illegal, leave_function, program_counter, set_program_counter, signals,
    stack_pointer, thread_pointer,
};
