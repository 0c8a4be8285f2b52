// Entry into the kernel by exception or interrupt, and `run_user`, which goes the other way.
//
// A trap from user mode: the processor takes RSP0 from the TSS, which is the end of the frame that was given
// to run_user_asm, and pushes SS, RSP, RFLAGS, CS, RIP and perhaps an error code straight into that frame.
// The code here pushes the other registers below, down to the frame's first byte and not further, and then
// returns from run_user_asm on the kernel stack that it was called on. Interrupts are masked all the while.
//
// A trap from kernel mode pushes the same frame on the running stack, calls kernel_trap and resumes.

// Pushes what stands below RDI in a frame. On entry RSP is at the slot of RDI.
.macro push_registers
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
    push {RETURN_BY_IRET}
.endm

// Pops a whole frame up to the part that iretq takes. On entry RSP is at the start of the frame.
.macro pop_frame
    add rsp, 8
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    pop r11
    pop r10
    pop r9
    pop r8
    pop rax
    pop rcx
    pop rdx
    pop rsi
    pop rdi
    add rsp, 8
.endm

// A program or a copy from user memory may have set AC, which would open user memory to the kernel.
.macro close_user_memory
    test dword ptr [rip + {FEATURES}], {SMAP}
    jz 8f
    clac
8:
.endm

.section .text.vectors, "ax"

// One stub a vector, {STUB_BYTES} bytes apart: error code (0 where the processor pushes none), vector.
.global trap_vectors
.balign 16
trap_vectors:
.set vector, 0
.rept 256
    .balign {STUB_BYTES}
    // 8, 10 to 14, 17, 21, 29 and 30 push an error code.
    .if !((vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || (vector == 21) || (vector == 29) || (vector == 30))
    push 0
    .endif
    push vector
    .if (vector == {NMI}) || (vector == {DOUBLE_FAULT}) || (vector == {MACHINE_CHECK})
    jmp trap_on_own_stack
    .else
    jmp trap_entry
    .endif
    .set vector, vector + 1
.endr

// On entry: [rsp] vector, then error code, RIP, CS, RFLAGS, RSP, SS.
trap_entry:
    test byte ptr [rsp + 24], 3
    jz trap_from_kernel

    swapgs
    xchg rdi, [rsp]
    push_registers
    mov rdx, [rsp + {ORIG_RAX}]
    mov qword ptr [rsp + {ORIG_RAX}], {NO_SYSCALL}
    mov rax, rdi
    mov rsp, gs:[{KERNEL_RSP}]
    cld
    close_user_memory
// Returns from run_user_asm. On entry: RAX vector, RDX error code, RSP the kernel stack.
leave_run_user:
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret

trap_from_kernel:
    xchg rdi, [rsp]
    push_registers
    cld
    close_user_memory
    mov rsi, rdi
    mov rdx, [rsp + {ORIG_RAX}]
    mov rdi, rsp
    call {kernel_trap}
    pop_frame
    iretq

// Non-maskable interrupts, double faults and machine checks come at any instruction, also between the
// entry from user mode and swapgs. They run on stacks of the interrupt stack table; the word behind the
// stack's end, which is the end of the frame, is the address of this CPU's data.
trap_on_own_stack:
    xchg rdi, [rsp]
    push_registers
    cld
    close_user_memory
    mov rsi, rdi
    mov ecx, {MSR_GS_BASE}
    rdmsr
    mov ebx, eax
    mov r12d, edx
    mov rax, [rsp + {FRAME_BYTES}]
    mov rdx, rax
    shr rdx, 32
    wrmsr
    mov rdx, [rsp + {ORIG_RAX}]
    mov rdi, rsp
    call {kernel_trap}
    mov ecx, {MSR_GS_BASE}
    mov eax, ebx
    mov edx, r12d
    wrmsr
    pop_frame
    iretq

// (vector, error) run_user_asm(frame: *mut Frame)
// On entry: interrupts masked, GS the kernel's. Returns when the program has trapped, interrupts masked.
.global run_user_asm
run_user_asm:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    mov gs:[{KERNEL_RSP}], rsp
    lea rax, [rdi + {FRAME_BYTES}]
    mov gs:[{TSS_RSP0}], rax

    // sysretq loads RIP from RCX and RFLAGS from R11. On Intel it faults in kernel mode, on the user's
    // stack, when RCX is not canonical; it cannot be used to set TF and RF.
    cmp dword ptr [rdi + {RETURN_PATH}], {RETURN_BY_SYSRET}
    jne return_by_iret
    mov rcx, [rdi + {RIP}]
    mov rax, rcx
    shr rax, 47
    jnz return_by_iret
    mov r11, [rdi + {RFLAGS}]
    test r11d, 0x10100
    jnz return_by_iret
    mov r15, [rdi + {R15}]
    mov r14, [rdi + {R14}]
    mov r13, [rdi + {R13}]
    mov r12, [rdi + {R12}]
    mov rbp, [rdi + {RBP}]
    mov rbx, [rdi + {RBX}]
    mov r10, [rdi + {R10}]
    mov r9, [rdi + {R9}]
    mov r8, [rdi + {R8}]
    mov rax, [rdi + {RAX}]
    mov rdx, [rdi + {RDX}]
    mov rsi, [rdi + {RSI}]
    mov rsp, [rdi + {RSP}]
    mov rdi, [rdi + {RDI}]
    swapgs
    sysretq

return_by_iret:
    // iretq faults in kernel mode too when RIP is not canonical: report what the program would have got.
    mov rax, [rdi + {RIP}]
    shl rax, 16
    sar rax, 16
    cmp rax, [rdi + {RIP}]
    jne not_canonical
    mov rsp, rdi
    pop_frame
    swapgs
    iretq

not_canonical:
    mov eax, {GENERAL_PROTECTION}
    xor edx, edx
    jmp leave_run_user
