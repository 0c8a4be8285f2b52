// Kernel contexts: what a function call preserves, on the thread's own stack.

.section .text.switch, "ax"

// context_switch(previous: *mut Context, next: *const Context)
// On entry: interrupts masked. On exit: on the next thread's stack, in its call of context_switch or, for
// a new thread, in context_start.
.global context_switch
.balign 16
context_switch:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    mov [rdi], rsp
    mov rsp, [rsi]
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret

// A new thread's first instructions. On entry: R12 the argument, R13 the entry point, RBP zero to end
// backtraces, RSP the aligned top of the stack.
.global context_start
context_start:
    mov rdi, r12
    call r13
    ud2
