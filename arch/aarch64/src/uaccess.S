// Copies to and from user memory that survive faults.
//
// Every instruction that touches user memory has an entry in __ex_table: two 32-bit distances, from the entry to
// the instruction and to where the kernel goes on after a fault. A fault in a block goes on byte by byte from the
// start of the block, so that the byte loop finds the exact place. The caller has opened user memory (PAN) and
// checked that the range lies in the user half.
//
// All return the number of bytes that were not done, 0 for success.

.macro user_access fixup, instruction:vararg
9990:   \instruction
    .pushsection __ex_table, "a"
    .balign 4
    .long   9990b - .
    .long   \fixup - .
    .popsection
.endm

    .text
// user_copy_in(x0 = kernel destination, x1 = user source, x2 = bytes). Behind the loop, the low six bits of x2 are
// the bytes left, and each step takes one of them, from the highest on.
    .global user_copy_in
user_copy_in:
    subs    x2, x2, #64
    b.lo    2f
1:  user_access 64f, ldp x3, x4, [x1]
    user_access 64f, ldp x5, x6, [x1, #16]
    user_access 64f, ldp x7, x8, [x1, #32]
    user_access 64f, ldp x9, x10, [x1, #48]
    add     x1, x1, #64
    stp     x3, x4, [x0]
    stp     x5, x6, [x0, #16]
    stp     x7, x8, [x0, #32]
    stp     x9, x10, [x0, #48]
    add     x0, x0, #64
    subs    x2, x2, #64
    b.hs    1b
2:  tbz     x2, #5, 3f
    user_access 32f, ldp x3, x4, [x1]
    user_access 32f, ldp x5, x6, [x1, #16]
    add     x1, x1, #32
    stp     x3, x4, [x0]
    stp     x5, x6, [x0, #16]
    add     x0, x0, #32
3:  tbz     x2, #4, 4f
    user_access 16f, ldp x3, x4, [x1]
    add     x1, x1, #16
    stp     x3, x4, [x0], #16
4:  tbz     x2, #3, 5f
    user_access 18f, ldr x3, [x1]
    add     x1, x1, #8
    str     x3, [x0], #8
5:  tbz     x2, #2, 6f
    user_access 14f, ldr w3, [x1]
    add     x1, x1, #4
    str     w3, [x0], #4
6:  tbz     x2, #1, 7f
    user_access 12f, ldrh w3, [x1]
    add     x1, x1, #2
    strh    w3, [x0], #2
7:  tbz     x2, #0, 8f
    user_access 11f, ldrb w3, [x1]
    strb    w3, [x0]
8:  mov     x0, xzr
    ret
64: add     x2, x2, #64
    b       9f
32: and     x2, x2, #63
    b       9f
16: and     x2, x2, #31
    b       9f
18: and     x2, x2, #15
    b       9f
14: and     x2, x2, #7
    b       9f
12: and     x2, x2, #3
9:  user_access 10f, ldrb w3, [x1]
    add     x1, x1, #1
    strb    w3, [x0], #1
    subs    x2, x2, #1
    b.ne    9b
10: mov     x0, x2
    ret
11: mov     x0, #1
    ret

// user_copy_out(x0 = user destination, x1 = kernel source, x2 = bytes): as user_copy_in.
    .global user_copy_out
user_copy_out:
    subs    x2, x2, #64
    b.lo    2f
1:  ldp     x3, x4, [x1]
    ldp     x5, x6, [x1, #16]
    ldp     x7, x8, [x1, #32]
    ldp     x9, x10, [x1, #48]
    user_access 64f, stp x3, x4, [x0]
    user_access 64f, stp x5, x6, [x0, #16]
    user_access 64f, stp x7, x8, [x0, #32]
    user_access 64f, stp x9, x10, [x0, #48]
    add     x1, x1, #64
    add     x0, x0, #64
    subs    x2, x2, #64
    b.hs    1b
2:  tbz     x2, #5, 3f
    ldp     x3, x4, [x1]
    ldp     x5, x6, [x1, #16]
    user_access 32f, stp x3, x4, [x0]
    user_access 32f, stp x5, x6, [x0, #16]
    add     x1, x1, #32
    add     x0, x0, #32
3:  tbz     x2, #4, 4f
    ldp     x3, x4, [x1]
    user_access 16f, stp x3, x4, [x0]
    add     x1, x1, #16
    add     x0, x0, #16
4:  tbz     x2, #3, 5f
    ldr     x3, [x1]
    user_access 18f, str x3, [x0]
    add     x1, x1, #8
    add     x0, x0, #8
5:  tbz     x2, #2, 6f
    ldr     w3, [x1]
    user_access 14f, str w3, [x0]
    add     x1, x1, #4
    add     x0, x0, #4
6:  tbz     x2, #1, 7f
    ldrh    w3, [x1]
    user_access 12f, strh w3, [x0]
    add     x1, x1, #2
    add     x0, x0, #2
7:  tbz     x2, #0, 8f
    ldrb    w3, [x1]
    user_access 11f, strb w3, [x0]
8:  mov     x0, xzr
    ret
64: add     x2, x2, #64
    b       9f
32: and     x2, x2, #63
    b       9f
16: and     x2, x2, #31
    b       9f
18: and     x2, x2, #15
    b       9f
14: and     x2, x2, #7
    b       9f
12: and     x2, x2, #3
9:  ldrb    w3, [x1]
    user_access 10f, strb w3, [x0]
    add     x1, x1, #1
    add     x0, x0, #1
    subs    x2, x2, #1
    b.ne    9b
10: mov     x0, x2
    ret
11: mov     x0, #1
    ret

// user_zero(x0 = user destination, x1 = bytes)
    .global user_zero
user_zero:
    subs    x1, x1, #64
    b.lo    2f
1:  user_access 64f, stp xzr, xzr, [x0]
    user_access 64f, stp xzr, xzr, [x0, #16]
    user_access 64f, stp xzr, xzr, [x0, #32]
    user_access 64f, stp xzr, xzr, [x0, #48]
    add     x0, x0, #64
    subs    x1, x1, #64
    b.hs    1b
2:  adds    x1, x1, #64
    b.eq    10f
9:  user_access 10f, strb wzr, [x0]
    add     x0, x0, #1
    subs    x1, x1, #1
    b.ne    9b
10: mov     x0, x1
    ret
64: add     x1, x1, #64
    b       9b

// user_load_u32(x0 = aligned address, x1 = kernel place of the result)
    .global user_load_u32
user_load_u32:
    user_access 8f, ldr w2, [x0]
    str     w2, [x1]
    mov     x0, xzr
    ret
8:  mov     x0, #4
    ret

// user_compare_exchange_u32(x0 = aligned address, w1 = expected, w2 = new, x3 = kernel place of what was there)
    .global user_compare_exchange_u32
user_compare_exchange_u32:
1:  user_access 8f, ldxr w4, [x0]
    cmp     w4, w1
    b.ne    2f
    user_access 8f, stlxr w5, w2, [x0]
    cbnz    w5, 1b
    dmb     ish
2:  str     w4, [x3]
    mov     x0, xzr
    ret
8:  mov     x0, #4
    ret
