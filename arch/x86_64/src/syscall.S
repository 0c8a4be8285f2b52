// Entry by the syscall instruction (SDM volume 2, SYSCALL).
//
// On entry: RCX the user's RIP, R11 its RFLAGS, RSP still the user's, GS the user's; SFMASK has masked
// interrupts and cleared DF, TF, AC and NT. RAX is the number; RDI, RSI, RDX, R10, R8, R9 are arguments.
// On exit: run_user_asm returns {SYSCALL} on the kernel stack that it was called on; all registers are in the
// frame, whose end is the TSS's RSP0. No scratch space is shared with another CPU or thread.

.section .text.vectors, "ax"
.global syscall_entry
.balign 16
syscall_entry:
    swapgs
    mov gs:[{USER_RSP}], rsp
    mov rsp, gs:[{TSS_RSP0}]
    push {USER_DATA}
    push gs:[{USER_RSP}]
    push r11
    push {USER_CODE}
    push rcx
    push rax
    push rdi
    push rsi
    push rdx
    push rcx
    push rax
    push r8
    push r9
    push r10
    push r11
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    push {RETURN_BY_SYSRET}
    mov rsp, gs:[{KERNEL_RSP}]
    mov eax, {SYSCALL}
    jmp leave_run_user
