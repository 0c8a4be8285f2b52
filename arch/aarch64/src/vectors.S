// Exception vectors, and the way to user mode and back.
//
// While a program runs, SP_EL1 points at its trap frame: entry from EL0 stores the registers straight there,
// takes the kernel's stack pointer out of it and returns from `enter_user` to its caller. The kernel keeps
// nothing in SP_EL0, which is therefore free as a scratch register of exceptions from EL1.
//
// Faults of the kernel itself run on a stack of their own, so that an overflown kernel stack can be told.
// Interrupts in the kernel run on the stack that was interrupted.

    .set KIND_INTERRUPT, {kind_interrupt}
    .set KIND_SERROR, {kind_serror}

// Saves the program's registers and leaves for the kernel's stack. Clobbers x0 to x3 after saving them.
.macro save_user
    stp     x0, x1, [sp, #16 * 0]
    stp     x2, x3, [sp, #16 * 1]
    stp     x4, x5, [sp, #16 * 2]
    stp     x6, x7, [sp, #16 * 3]
    stp     x8, x9, [sp, #16 * 4]
    stp     x10, x11, [sp, #16 * 5]
    stp     x12, x13, [sp, #16 * 6]
    stp     x14, x15, [sp, #16 * 7]
    stp     x16, x17, [sp, #16 * 8]
    stp     x18, x19, [sp, #16 * 9]
    stp     x20, x21, [sp, #16 * 10]
    stp     x22, x23, [sp, #16 * 11]
    stp     x24, x25, [sp, #16 * 12]
    stp     x26, x27, [sp, #16 * 13]
    stp     x28, x29, [sp, #16 * 14]
    mrs     x0, sp_el0
    mrs     x1, elr_el1
    mrs     x2, spsr_el1
    ldr     x3, [sp, #{frame_kernel_sp}]
    stp     x30, x0, [sp, #16 * 15]
    stp     x1, x2, [sp, #{frame_pc}]
    mov     sp, x3
.endm

// Returns from enter_user to its caller, with the reason in x0.
.macro return_to_kernel
    ldp     x19, x20, [sp, #16 * 1]
    ldp     x21, x22, [sp, #16 * 2]
    ldp     x23, x24, [sp, #16 * 3]
    ldp     x25, x26, [sp, #16 * 4]
    ldp     x27, x28, [sp, #16 * 5]
    ldp     x29, x30, [sp], #16 * 6
    ret
.endm

.macro vector target
    .balign 128
    b       \target
.endm

    .section .text.vectors, "ax"
    .balign 2048
    .global EXCEPTION_VECTORS
EXCEPTION_VECTORS:
    // From EL1 on SP_EL0, which the kernel never selects.
    vector  kernel_fault_entry
    vector  kernel_fault_entry
    vector  kernel_fault_entry
    vector  kernel_fault_entry
    // From EL1: synchronous, IRQ, FIQ, SError.
    vector  kernel_fault_entry
    vector  kernel_interrupt_entry
    vector  kernel_interrupt_entry
    vector  kernel_serror_entry
    // From EL0 in AArch64: synchronous, IRQ, FIQ, SError.
    .balign 128
    save_user
    mrs     x0, esr_el1
    return_to_kernel
    .balign 128
    save_user
    mov     x0, #KIND_INTERRUPT
    return_to_kernel
    .balign 128
    save_user
    mov     x0, #KIND_INTERRUPT
    return_to_kernel
    .balign 128
    save_user
    mov     x0, #KIND_SERROR
    return_to_kernel
    // From EL0 in AArch32, which no saved state of ours can select.
    vector  kernel_fault_entry
    vector  kernel_fault_entry
    vector  kernel_fault_entry
    vector  kernel_fault_entry

// enter_user(x0 = frame) -> x0 = reason: runs the program until something happens. Returns with interrupts
// masked.
    .global enter_user
enter_user:
    stp     x29, x30, [sp, #-16 * 6]!
    stp     x19, x20, [sp, #16 * 1]
    stp     x21, x22, [sp, #16 * 2]
    stp     x23, x24, [sp, #16 * 3]
    stp     x25, x26, [sp, #16 * 4]
    stp     x27, x28, [sp, #16 * 5]
    msr     daifset, #2                 // an interrupt must not meet the frame as its stack
    mov     x1, sp
    str     x1, [x0, #{frame_kernel_sp}]
    mov     sp, x0
    ldp     x1, x2, [sp, #{frame_pc}]
    ldp     x30, x3, [sp, #16 * 15]
    msr     elr_el1, x1
    msr     spsr_el1, x2
    msr     sp_el0, x3
    ldp     x2, x3, [sp, #16 * 1]
    ldp     x4, x5, [sp, #16 * 2]
    ldp     x6, x7, [sp, #16 * 3]
    ldp     x8, x9, [sp, #16 * 4]
    ldp     x10, x11, [sp, #16 * 5]
    ldp     x12, x13, [sp, #16 * 6]
    ldp     x14, x15, [sp, #16 * 7]
    ldp     x16, x17, [sp, #16 * 8]
    ldp     x18, x19, [sp, #16 * 9]
    ldp     x20, x21, [sp, #16 * 10]
    ldp     x22, x23, [sp, #16 * 11]
    ldp     x24, x25, [sp, #16 * 12]
    ldp     x26, x27, [sp, #16 * 13]
    ldp     x28, x29, [sp, #16 * 14]
    ldp     x0, x1, [sp, #16 * 0]
    eret
    dsb     nsh                         // nothing behind an exception return is to be speculated
    isb

// An interrupt in the kernel: what a call may clobber is saved on the interrupted stack.
kernel_interrupt_entry:
    stp     x29, x30, [sp, #-16 * 12]!
    stp     x0, x1, [sp, #16 * 1]
    stp     x2, x3, [sp, #16 * 2]
    stp     x4, x5, [sp, #16 * 3]
    stp     x6, x7, [sp, #16 * 4]
    stp     x8, x9, [sp, #16 * 5]
    stp     x10, x11, [sp, #16 * 6]
    stp     x12, x13, [sp, #16 * 7]
    stp     x14, x15, [sp, #16 * 8]
    stp     x16, x17, [sp, #16 * 9]
    mrs     x0, elr_el1
    mrs     x1, spsr_el1
    stp     x18, x0, [sp, #16 * 10]
    str     x1, [sp, #16 * 11]
    mov     x29, sp
    bl      {kernel_interrupt}
    ldp     x18, x0, [sp, #16 * 10]
    ldr     x1, [sp, #16 * 11]
    msr     elr_el1, x0
    msr     spsr_el1, x1
    ldp     x0, x1, [sp, #16 * 1]
    ldp     x2, x3, [sp, #16 * 2]
    ldp     x4, x5, [sp, #16 * 3]
    ldp     x6, x7, [sp, #16 * 4]
    ldp     x8, x9, [sp, #16 * 5]
    ldp     x10, x11, [sp, #16 * 6]
    ldp     x12, x13, [sp, #16 * 7]
    ldp     x14, x15, [sp, #16 * 8]
    ldp     x16, x17, [sp, #16 * 9]
    ldp     x29, x30, [sp], #16 * 12
    eret
    dsb     nsh
    isb

// A fault of the kernel: all registers go to this CPU's fault stack, in the layout of KernelFrame. When
// kernel_fault returns, the kernel goes on where the frame says.
.macro fault_entry kind
    msr     sp_el0, x0
    mrs     x0, tpidr_el1
    ldr     x0, [x0, #{cpu_fault_stack_top}]
    sub     x0, x0, #{kernel_frame_bytes}
    stp     x1, x2, [x0, #8 + 16 * 0]
    stp     x3, x4, [x0, #8 + 16 * 1]
    stp     x5, x6, [x0, #8 + 16 * 2]
    stp     x7, x8, [x0, #8 + 16 * 3]
    stp     x9, x10, [x0, #8 + 16 * 4]
    stp     x11, x12, [x0, #8 + 16 * 5]
    stp     x13, x14, [x0, #8 + 16 * 6]
    stp     x15, x16, [x0, #8 + 16 * 7]
    stp     x17, x18, [x0, #8 + 16 * 8]
    stp     x19, x20, [x0, #8 + 16 * 9]
    stp     x21, x22, [x0, #8 + 16 * 10]
    stp     x23, x24, [x0, #8 + 16 * 11]
    stp     x25, x26, [x0, #8 + 16 * 12]
    stp     x27, x28, [x0, #8 + 16 * 13]
    stp     x29, x30, [x0, #8 + 16 * 14]
    mrs     x1, sp_el0
    str     x1, [x0]
    mov     x1, sp
    mrs     x2, elr_el1
    stp     x1, x2, [x0, #{kernel_frame_sp}]
    mrs     x1, spsr_el1
    mrs     x2, esr_el1
    stp     x1, x2, [x0, #{kernel_frame_sp} + 16]
    mrs     x1, far_el1
    mov     x2, #\kind
    stp     x1, x2, [x0, #{kernel_frame_sp} + 32]
    mov     sp, x0
    bl      {kernel_fault}
    b       kernel_fault_return
.endm

kernel_fault_entry:
    fault_entry 0
kernel_serror_entry:
    fault_entry KIND_SERROR

kernel_fault_return:
    mov     x0, sp
    ldp     x1, x2, [x0, #{kernel_frame_sp}]
    mov     sp, x1
    ldr     x1, [x0, #{kernel_frame_sp} + 16]
    msr     elr_el1, x2
    msr     spsr_el1, x1
    ldp     x29, x30, [x0, #8 + 16 * 14]
    ldp     x27, x28, [x0, #8 + 16 * 13]
    ldp     x25, x26, [x0, #8 + 16 * 12]
    ldp     x23, x24, [x0, #8 + 16 * 11]
    ldp     x21, x22, [x0, #8 + 16 * 10]
    ldp     x19, x20, [x0, #8 + 16 * 9]
    ldp     x17, x18, [x0, #8 + 16 * 8]
    ldp     x15, x16, [x0, #8 + 16 * 7]
    ldp     x13, x14, [x0, #8 + 16 * 6]
    ldp     x11, x12, [x0, #8 + 16 * 5]
    ldp     x9, x10, [x0, #8 + 16 * 4]
    ldp     x7, x8, [x0, #8 + 16 * 3]
    ldp     x5, x6, [x0, #8 + 16 * 2]
    ldp     x3, x4, [x0, #8 + 16 * 1]
    ldp     x1, x2, [x0, #8]
    ldr     x0, [x0]
    eret
    dsb     nsh
    isb
