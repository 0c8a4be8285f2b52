// The vDSO's code. Runs in user mode, in a program's memory: see `hal::vdso` for where.
//
// AAPCS64, nothing is pushed, so that one unwinding rule holds everywhere. What the data page does not
// answer is left to the system call, whose registers are still as the caller set them.

.section .rodata.vdso, "a"
.balign 64
.global vdso_start
vdso_start:

// x4 = nanoseconds of monotonic time, x9 = real time's offset as far as x3 (all ones or zero) has it.
// Changes x5 to x8 and x10. Goes to `unusable` when the counter is no clock.
.macro read_clock unusable
    adr x5, vdso_start - {DATA_DISTANCE}
301:
    // Before all others: SEQUENCE is the first word.
    ldar x6, [x5]
    tbnz x6, #0, 301b
    // NS_PER_TICK and REALTIME_OFFSET lie together.
    ldp x7, x9, [x5, #{NS_PER_TICK}]
    cbz x7, \unusable
    ldr x8, [x5, #{COUNTER_START}]
    // Without the barrier the counter may be read before what the program sees as earlier.
    isb
    mrs x4, cntvct_el0
    // The address depends on the counter, so that the sequence is read after it.
    eor x10, x4, x4
    add x10, x5, x10
    dmb ishld
    ldr x10, [x10]
    cmp x10, x6
    b.ne 301b
    subs x4, x4, x8
    csel x4, xzr, x4, lo
    umulh x8, x4, x7
    mul x4, x4, x7
    extr x4, x8, x4, #32
    and x9, x9, x3
.endm

// x5 = seconds, x6 = the nanoseconds that are left, of x4 nanoseconds. Changes x7.
// Dividing by 10^9 is dividing by 2^9 and then multiplying by 2^75 / 5^9, rounded up: exact for 64 bits.
.macro split_seconds
    lsr x5, x4, #9
    ldr x6, vdso_reciprocal
    umulh x5, x5, x6
    lsr x5, x5, #11
    ldr w7, vdso_ns_per_s
    msub x6, x5, x7, x4
.endm

vdso_reciprocal:
    .quad {RECIPROCAL}
vdso_ns_per_s:
    .word 1000000000

// Goes to `unknown` when w0 is none of these clocks. Changes x2.
.macro check_clock clocks, unknown
    cmp w0, #31
    b.hi \unknown
    mov w2, #\clocks
    lsr w2, w2, w0
    tbz w2, #0, \unknown
.endm

// int clock_gettime(clockid_t w0, struct timespec *x1)
.balign 32
clock_gettime:
    check_clock {CLOCKS}, 9f
    // All ones or zero.
    mov w3, #{REAL_CLOCKS}
    lsr w3, w3, w0
    sbfx x3, x3, #0, #1
    read_clock 9f
    // The coarse clocks are at the last step.
    mov w2, #{COARSE_CLOCKS}
    lsr w2, w2, w0
    tbz w2, #0, 1f
    movz w5, #({COARSE_NS} & 0xffff)
    movk w5, #({COARSE_NS} >> 16), lsl #16
    udiv x6, x4, x5
    mul x4, x6, x5
1:  add x4, x4, x9
    split_seconds
    stp x5, x6, [x1]
    mov w0, #0
    ret
9:  mov x8, #{CLOCK_GETTIME}
    svc #0
    ret
clock_gettime_end:

// int gettimeofday(struct timeval *x0, struct timezone *x1)
.balign 32
gettimeofday:
    // The time zone is the kernel's to tell.
    cbnz x1, 9f
    cbz x0, 1f
    mov x3, #-1
    read_clock 9f
    add x4, x4, x9
    split_seconds
    // Division by 1000, exact below 2^30.
    movz w7, #(274877907 & 0xffff)
    movk w7, #(274877907 >> 16), lsl #16
    mul x6, x6, x7
    lsr x6, x6, #38
    stp x5, x6, [x0]
1:  mov w0, #0
    ret
9:  mov x8, #{GETTIMEOFDAY}
    svc #0
    ret
gettimeofday_end:

// int clock_getres(clockid_t w0, struct timespec *x1)
.balign 32
clock_getres:
    check_clock {FINE_CLOCKS}, 9f
    cbz x1, 1f
    mov x3, #1
    stp xzr, x3, [x1]
1:  mov w0, #0
    ret
9:  mov x8, #{CLOCK_GETRES}
    svc #0
    ret
clock_getres_end:

.global vdso_unwound_end
vdso_unwound_end:

// Where signal handlers return to. Unwinders and debuggers know it by its two instructions; a rule for
// unwinding would be in their way. They look up the address before it, which must not be in a function.
.balign 32
    nop
rt_sigreturn:
    mov x8, #{RT_SIGRETURN}
    svc #0
rt_sigreturn_end:

.global vdso_end
vdso_end:

// First and one past the last byte of each function, in the order of `vdso.rs`.
.balign 4
.global vdso_functions
vdso_functions:
    .long clock_gettime - vdso_start, clock_gettime_end - vdso_start
    .long gettimeofday - vdso_start, gettimeofday_end - vdso_start
    .long clock_getres - vdso_start, clock_getres_end - vdso_start
    .long rt_sigreturn - vdso_start, rt_sigreturn_end - vdso_start

.text
