// The memory functions that compiled code calls. They replace the portable ones of compiler_builtins, which move
// one word at a time. Unaligned accesses are fine: all of it is normal memory.

    .text
// memcpy(x0 = destination, x1 = source, x2 = bytes) -> x0. Behind the loop, each step takes one bit of the bytes
// left.
    .global memcpy
memcpy:
    mov     x3, x0
    subs    x2, x2, #64
    b.lo    2f
1:  ldp     x4, x5, [x1]
    ldp     x6, x7, [x1, #16]
    ldp     x8, x9, [x1, #32]
    ldp     x10, x11, [x1, #48]
    add     x1, x1, #64
    stp     x4, x5, [x3]
    stp     x6, x7, [x3, #16]
    stp     x8, x9, [x3, #32]
    stp     x10, x11, [x3, #48]
    add     x3, x3, #64
    subs    x2, x2, #64
    b.hs    1b
2:  tbz     x2, #5, 3f
    ldp     x4, x5, [x1], #16
    ldp     x6, x7, [x1], #16
    stp     x4, x5, [x3], #16
    stp     x6, x7, [x3], #16
3:  tbz     x2, #4, 4f
    ldp     x4, x5, [x1], #16
    stp     x4, x5, [x3], #16
4:  tbz     x2, #3, 5f
    ldr     x4, [x1], #8
    str     x4, [x3], #8
5:  tbz     x2, #2, 6f
    ldr     w4, [x1], #4
    str     w4, [x3], #4
6:  tbz     x2, #1, 7f
    ldrh    w4, [x1], #2
    strh    w4, [x3], #2
7:  tbz     x2, #0, 8f
    ldrb    w4, [x1]
    strb    w4, [x3]
8:  ret

// memmove(x0 = destination, x1 = source, x2 = bytes) -> x0: backwards when the destination starts inside of the
// source.
    .global memmove
memmove:
    sub     x3, x0, x1
    cmp     x3, x2
    b.hs    memcpy
    add     x1, x1, x2
    add     x3, x0, x2
    subs    x2, x2, #64
    b.lo    2f
1:  ldp     x4, x5, [x1, #-16]
    ldp     x6, x7, [x1, #-32]
    ldp     x8, x9, [x1, #-48]
    ldp     x10, x11, [x1, #-64]!
    stp     x4, x5, [x3, #-16]
    stp     x6, x7, [x3, #-32]
    stp     x8, x9, [x3, #-48]
    stp     x10, x11, [x3, #-64]!
    subs    x2, x2, #64
    b.hs    1b
2:  tbz     x2, #5, 3f
    ldp     x4, x5, [x1, #-16]!
    ldp     x6, x7, [x1, #-16]!
    stp     x4, x5, [x3, #-16]!
    stp     x6, x7, [x3, #-16]!
3:  tbz     x2, #4, 4f
    ldp     x4, x5, [x1, #-16]!
    stp     x4, x5, [x3, #-16]!
4:  tbz     x2, #3, 5f
    ldr     x4, [x1, #-8]!
    str     x4, [x3, #-8]!
5:  tbz     x2, #2, 6f
    ldr     w4, [x1, #-4]!
    str     w4, [x3, #-4]!
6:  tbz     x2, #1, 7f
    ldrh    w4, [x1, #-2]!
    strh    w4, [x3, #-2]!
7:  tbz     x2, #0, 8f
    ldrb    w4, [x1, #-1]
    strb    w4, [x3, #-1]
8:  ret

// memset(x0 = destination, w1 = byte, x2 = bytes) -> x0: zeroes by cache lines where DC ZVA does 64 bytes.
    .set    ZVA_BYTES, 64
    .set    ZVA_SIZE_CODE, 4            // DCZID_EL0: log2 of the words in a block, DZP clear
    .global memset
memset:
    mov     x3, x0
    and     x1, x1, #0xff
    cbz     x1, 3f
    orr     x1, x1, x1, lsl #8
    orr     x1, x1, x1, lsl #16
    orr     x1, x1, x1, lsl #32
1:  subs    x2, x2, #64
    b.lo    5f
2:  stp     x1, x1, [x3]
    stp     x1, x1, [x3, #16]
    stp     x1, x1, [x3, #32]
    stp     x1, x1, [x3, #48]
    add     x3, x3, #64
    subs    x2, x2, #64
    b.hs    2b
    b       5f
3:  cmp     x2, #(4 * ZVA_BYTES)
    b.lo    1b
    mrs     x4, dczid_el0
    and     x4, x4, #0x1f
    cmp     x4, #ZVA_SIZE_CODE
    b.ne    1b
    stp     xzr, xzr, [x3]              // up to the first boundary
    stp     xzr, xzr, [x3, #16]
    stp     xzr, xzr, [x3, #32]
    stp     xzr, xzr, [x3, #48]
    add     x5, x3, #ZVA_BYTES
    and     x5, x5, #-ZVA_BYTES
    sub     x4, x5, x3
    sub     x2, x2, x4
    mov     x3, x5
    subs    x2, x2, #ZVA_BYTES
4:  dc      zva, x3
    add     x3, x3, #ZVA_BYTES
    subs    x2, x2, #ZVA_BYTES
    b.hs    4b
5:  tbz     x2, #5, 6f
    stp     x1, x1, [x3], #16
    stp     x1, x1, [x3], #16
6:  tbz     x2, #4, 7f
    stp     x1, x1, [x3], #16
7:  tbz     x2, #3, 8f
    str     x1, [x3], #8
8:  tbz     x2, #2, 9f
    str     w1, [x3], #4
9:  tbz     x2, #1, 10f
    strh    w1, [x3], #2
10: tbz     x2, #0, 11f
    strb    w1, [x3]
11: ret

// memcmp(x0, x1, x2 = bytes) -> w0: difference of the first bytes that differ; bcmp asks only whether one does.
    .global memcmp
    .global bcmp
memcmp:
bcmp:
    subs    x2, x2, #8
    b.lo    2f
1:  ldr     x3, [x0], #8
    ldr     x4, [x1], #8
    cmp     x3, x4
    b.ne    4f
    subs    x2, x2, #8
    b.hs    1b
2:  adds    x2, x2, #8
    b.eq    5f
3:  ldrb    w3, [x0], #1
    ldrb    w4, [x1], #1
    subs    w5, w3, w4
    b.ne    6f
    subs    x2, x2, #1
    b.ne    3b
5:  mov     w0, wzr
    ret
4:  rev     x3, x3
    rev     x4, x4
    cmp     x3, x4
    mov     w0, #1
    cneg    w0, w0, lo
    ret
6:  mov     w0, w5
    ret
