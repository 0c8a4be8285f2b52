// The vDSO's code. Runs in user mode, in a program's memory: see `hal::vdso` for where.
//
// SysV calling convention, nothing is pushed, so that one unwinding rule holds everywhere. What the data
// page does not answer is left to the system call, whose registers are still as the caller set them.

.section .rodata.vdso, "a"
.balign 64
.global vdso_start
vdso_start:

// rax = nanoseconds of monotonic time, r11 = real time's offset as far as rcx (all ones or zero) has it.
// Changes rdx, r8 to r10. Goes to `unusable` when the counter is no clock.
.macro read_clock unusable
    lea r8, [rip + vdso_start - {DATA_DISTANCE}]
    jmp 302f
301:
    pause
302:
    mov r9, [r8 + {SEQUENCE}]
    test r9b, 1
    jnz 301b
    mov r10, [r8 + {NS_PER_TICK}]
    test r10, r10
    jz \unusable
    xor r11d, r11d
    // Without the fence the counter may be read before what the program sees as earlier.
    lfence
    rdtsc
    shl rdx, 32
    or rax, rdx
    sub rax, [r8 + {COUNTER_START}]
    cmovb rax, r11
    mul r10
    shrd rax, rdx, 32
    mov r11, [r8 + {REALTIME_OFFSET}]
    and r11, rcx
    cmp r9, [r8 + {SEQUENCE}]
    jne 301b
.endm

// rdx = seconds, r11 = the nanoseconds that are left, of rax nanoseconds. Changes rax, r10.
// Dividing by 10^9 is dividing by 2^9 and then multiplying by 2^75 / 5^9, rounded up: exact for 64 bits.
.macro split_seconds
    mov r11, rax
    shr rax, 9
    movabs r10, {RECIPROCAL}
    mul r10
    shr rdx, 11
    imul rax, rdx, 1000000000
    sub r11, rax
.endm

// int clock_gettime(clockid_t edi, struct timespec *rsi)
.balign 32
clock_gettime:
    cmp edi, 31
    ja 9f
    mov eax, {CLOCKS}
    bt eax, edi
    jnc 9f
    mov eax, {REAL_CLOCKS}
    bt eax, edi
    sbb rcx, rcx
    read_clock 9f
    // The coarse clocks are at the last step.
    mov r10d, {COARSE_CLOCKS}
    bt r10d, edi
    jnc 2f
    mov r9, rax
    mov r10d, {COARSE_NS}
    xor edx, edx
    div r10
    sub r9, rdx
    mov rax, r9
2:  add rax, r11
    split_seconds
    mov [rsi], rdx
    mov [rsi + 8], r11
    xor eax, eax
    ret
9:  mov eax, {CLOCK_GETTIME}
    syscall
    ret
clock_gettime_end:

// int gettimeofday(struct timeval *rdi, struct timezone *rsi)
.balign 32
gettimeofday:
    // The time zone is the kernel's to tell.
    test rsi, rsi
    jnz 9f
    test rdi, rdi
    jz 1f
    or rcx, -1
    read_clock 9f
    add rax, r11
    split_seconds
    // Division by 1000, exact below 2^30.
    imul rax, r11, 274877907
    shr rax, 38
    mov [rdi], rdx
    mov [rdi + 8], rax
1:  xor eax, eax
    ret
9:  mov eax, {GETTIMEOFDAY}
    syscall
    ret
gettimeofday_end:

// time_t time(time_t *rdi)
.balign 32
time:
    or rcx, -1
    read_clock 9f
    add rax, r11
    split_seconds
    mov rax, rdx
    test rdi, rdi
    jz 1f
    mov [rdi], rax
1:  ret
9:  mov eax, {TIME}
    syscall
    ret
time_end:

// int clock_getres(clockid_t edi, struct timespec *rsi)
.balign 32
clock_getres:
    cmp edi, 31
    ja 9f
    mov eax, {FINE_CLOCKS}
    bt eax, edi
    jnc 9f
    test rsi, rsi
    jz 1f
    mov qword ptr [rsi], 0
    mov qword ptr [rsi + 8], 1
1:  xor eax, eax
    ret
9:  mov eax, {CLOCK_GETRES}
    syscall
    ret
clock_getres_end:

// int getcpu(unsigned *rdi, unsigned *rsi, void *rdx)
// Each CPU has its number as the limit of a segment that is of no other use.
.balign 32
getcpu:
    mov eax, {CPU_SELECTOR}
    lsl eax, eax
    jnz 9f
    test rdi, rdi
    jz 1f
    mov [rdi], eax
1:  test rsi, rsi
    jz 2f
    // There is one node.
    mov dword ptr [rsi], 0
2:  xor eax, eax
    ret
9:  mov eax, {GETCPU}
    syscall
    ret
getcpu_end:

.global vdso_end
vdso_end:

// First and one past the last byte of each function, in the order of `vdso.rs`.
.balign 4
.global vdso_functions
vdso_functions:
    .long clock_gettime - vdso_start, clock_gettime_end - vdso_start
    .long gettimeofday - vdso_start, gettimeofday_end - vdso_start
    .long time - vdso_start, time_end - vdso_start
    .long clock_getres - vdso_start, clock_getres_end - vdso_start
    .long getcpu - vdso_start, getcpu_end - vdso_start

.text
