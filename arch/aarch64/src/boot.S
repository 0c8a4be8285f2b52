// The way from the boot loader to kernel_main.
//
// On entry (Documentation/arch/arm64/booting): MMU off, data cache off, interrupts masked, x0 is the physical
// address of the device tree, EL1 or EL2, the image anywhere on a 2 MiB boundary. Everything up to
// `virtual_entry` runs at physical addresses: symbols are reached relative to the program counter, which is
// right at any place because the whole image is one piece.
//
// On exit: EL1, the image at its link address by 2 MiB blocks, the direct map of the GiBs that hold image and
// device tree, no user half, bss cleared, vectors and CPU-local pointer of CPU 0 set, on the boot stack;
// kernel_main(device tree) is called.
//
// Registers that live through: x20 physical start of the image, x21 device tree, x22 physical end of the
// image, x23 physical address of the empty root.

    // Descriptors for the boot tables, see pte.rs.
    .set TABLE, 0x3
    .set BLOCK, 0x1
    .set BLOCK_NORMAL, BLOCK | 3 << 8 | 1 << 10         // inner shareable, accessed
    .set USER_NEVER_SHIFT, 54                           // not executable by EL0
    // Not global: the identity map shares these and must not outlive its root in the TLB.
    .set BLOCK_DIRECT, BLOCK_NORMAL | 1 << 11
    // Direct map tables: executable by nobody, nothing for EL0.
    .set TABLE_DIRECT_HIGH, 0x38 << 8                   // bits 59, 60, 61 from bit 48 on

    .set SCTLR_MMU_OFF, 0x30d00800                      // the bits that are RES1
    // M C SA SA0 ITD SED I DZE UCT nTWE UCI
    .set SCTLR_MMU_ON, SCTLR_MMU_OFF | 0x0404d19d
    // 0: write-back memory, 1: Device-nGnRE
    .set MAIR, 0x04ff
    // T0SZ = T1SZ = 16, walks write-back and inner shareable, 4 KiB granules, TBI0
    .set TCR, 16 | 1 << 8 | 1 << 10 | 3 << 12 | 16 << 16 | 1 << 24 | 1 << 26 | 3 << 28 | 2 << 30 | 1 << 37
    .set TCR_IPS_SHIFT, 32
    .set TCR_IPS_48_BITS, 5
    .set TCR_HA_SHIFT, 39
    .set TCR_HD_SHIFT, 40
    .set TCR_E0PD1_SHIFT, 56

    .set GIB_SHIFT, 30
    .set ROOT_SHIFT, 39
    .set IMAGE_ROOT_INDEX, 256
    .set DEVICE_TREE_BYTES, 0x200000

    .section .bss.boot, "aw", @nobits
    .balign 4096
    .global __boot_stack_guard
__boot_stack_guard:
    .skip 4096                          // unmapped once the kernel has tables of its own
    .skip {boot_stack_bytes}
    .global __boot_stack_top
__boot_stack_top:

    .section .head.text, "ax"
    .global _start
_start:
    b       primary_entry
    .long   0
    .quad   0                           // offset from a 2 MiB boundary
    .quad   __image_size
    .quad   0xa                         // little endian, 4 KiB pages, anywhere in memory
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .long   0

primary_entry:
    mov     x21, x0
    msr     daifset, #0xf
    mrs     x0, CurrentEL
    cmp     x0, #(2 << 2)
    b.ne    kernel_level

// Gives EL1 everything that EL2 could keep from it, and goes there.
hypervisor_level:
    ldr     x0, =SCTLR_MMU_OFF
    msr     sctlr_el1, x0
    mov     x0, #(1 << 31)              // EL1 is AArch64
    orr     x0, x0, #(3 << 40)          // pointer authentication is not trapped
    msr     hcr_el2, x0
    mov     x0, #3                      // EL1 may use the physical timer and counter
    msr     cnthctl_el2, x0
    msr     cntvoff_el2, xzr
    mrs     x0, midr_el1
    msr     vpidr_el2, x0
    mrs     x0, mpidr_el1
    msr     vmpidr_el2, x0
    mov     x0, #0x33ff                 // no trap of FP; SVE and SME are trapped by EL1 first
    msr     cptr_el2, x0
    msr     hstr_el2, xzr
    msr     vttbr_el2, xzr
    mrs     x1, id_aa64dfr0_el1
    ubfx    x1, x1, #8, #4              // PMUVer: all event counters belong to EL1
    mov     x0, xzr
    cbz     x1, 1f
    cmp     x1, #0xf
    b.eq    1f
    mrs     x0, pmcr_el0
    ubfx    x0, x0, #11, #5
1:  msr     mdcr_el2, x0
    mrs     x0, id_aa64pfr0_el1
    ubfx    x0, x0, #24, #4             // GIC system registers
    cbz     x0, 2f
    mrs     x0, S3_4_C12_C9_5           // ICC_SRE_EL2: SRE and Enable
    mov     x1, #9
    orr     x0, x0, x1
    msr     S3_4_C12_C9_5, x0
    isb
    mrs     x0, S3_4_C12_C9_5
    tbz     x0, #0, 2f
    msr     S3_4_C12_C11_0, xzr         // ICH_HCR_EL2
2:  mrs     x0, id_aa64mmfr0_el1
    ubfx    x0, x0, #56, #4             // fine-grained traps: none
    cbz     x0, 3f
    msr     S3_4_C1_C1_4, xzr           // HFGRTR_EL2
    msr     S3_4_C1_C1_5, xzr           // HFGWTR_EL2
    msr     S3_4_C1_C1_6, xzr           // HFGITR_EL2
    msr     S3_4_C3_C1_4, xzr           // HDFGRTR_EL2
    msr     S3_4_C3_C1_5, xzr           // HDFGWTR_EL2
3:  mrs     x0, id_aa64mmfr1_el1
    ubfx    x0, x0, #40, #4
    cbz     x0, 4f
    msr     S3_4_C1_C2_2, xzr           // HCRX_EL2
4:  mov     x0, #0x3c5                  // EL1h, everything masked
    msr     spsr_el2, x0
    adr     x0, kernel_level
    msr     elr_el2, x0
    eret

kernel_level:
    msr     spsel, #1
    ldr     x0, =SCTLR_MMU_OFF
    msr     sctlr_el1, x0
    isb
    adr     x20, _start
    ldr     x22, =__image_size
    add     x22, x20, x22
    adrp    x23, {empty_root}
    add     x23, x23, :lo12:{empty_root}

// Fills the boot tables: x0 root of TTBR1, x1 root of TTBR0, x2 direct map, x3 a second direct map table in
// case the device tree lies in another 512 GiB, x4 the image's table of GiBs, x5 of 2 MiB blocks.
make_tables:
    adrp    x0, __boot_tables
    add     x1, x0, #0x1000
    add     x2, x0, #0x2000
    add     x3, x0, #0x3000
    add     x4, x0, #0x4000
    add     x5, x0, #0x5000
    add     x6, x0, #0x6000
    mov     x7, x0
1:  stp     xzr, xzr, [x7], #16
    cmp     x7, x6
    b.lo    1b

    mov     x16, #TABLE
    movk    x16, #TABLE_DIRECT_HIGH, lsl #48
    mov     x17, #BLOCK_DIRECT
    mov     x18, #BLOCK_NORMAL
    orr     x18, x18, #(1 << USER_NEVER_SHIFT)

    lsr     x7, x20, #ROOT_SHIFT        // the image's 512 GiB, in both roots
    orr     x8, x2, x16
    str     x8, [x0, x7, lsl #3]
    orr     x8, x2, #TABLE
    str     x8, [x1, x7, lsl #3]
    sub     x9, x22, #1
    lsr     x8, x20, #GIB_SHIFT
    lsr     x9, x9, #GIB_SHIFT
2:  lsl     x10, x8, #GIB_SHIFT
    orr     x10, x10, x17
    and     x11, x8, #511
    str     x10, [x2, x11, lsl #3]
    add     x8, x8, #1
    cmp     x8, x9
    b.ls    2b

    cbz     x21, 5f                     // the device tree's GiBs
    lsr     x8, x21, #ROOT_SHIFT
    cmp     x8, x7
    b.eq    3f
    orr     x10, x3, x16
    and     x11, x8, #511
    str     x10, [x0, x11, lsl #3]
    mov     x2, x3
3:  add     x9, x21, #DEVICE_TREE_BYTES
    sub     x9, x9, #1
    lsr     x8, x21, #GIB_SHIFT
    lsr     x9, x9, #GIB_SHIFT
4:  lsl     x10, x8, #GIB_SHIFT
    orr     x10, x10, x17
    and     x11, x8, #511
    str     x10, [x2, x11, lsl #3]
    add     x8, x8, #1
    cmp     x8, x9
    b.ls    4b

5:  orr     x8, x4, #TABLE              // the image at its link address
    str     x8, [x0, #(IMAGE_ROOT_INDEX * 8)]
    orr     x8, x5, #TABLE
    str     x8, [x4]
    mov     x8, x20
6:  orr     x10, x8, x18
    str     x10, [x5], #8
    add     x8, x8, #0x200000
    cmp     x8, x22
    b.lo    6b

    // The tables were written past the caches: drop stale lines over them before the walker looks.
    dmb     sy
    mrs     x7, ctr_el0
    ubfx    x7, x7, #16, #4
    mov     x8, #4
    lsl     x7, x8, x7
    mov     x8, x0
7:  dc      ivac, x8
    add     x8, x8, x7
    cmp     x8, x6
    b.lo    7b
    dsb     sy

enable_mmu:
    ldr     x7, =MAIR
    msr     mair_el1, x7
    ldr     x7, =TCR
    mrs     x8, id_aa64mmfr0_el1
    and     x8, x8, #0xf                // physical address bits, 48 at most
    mov     x9, #TCR_IPS_48_BITS
    cmp     x8, x9
    csel    x8, x8, x9, lo
    orr     x7, x7, x8, lsl #TCR_IPS_SHIFT
    mrs     x8, id_aa64mmfr1_el1
    and     x8, x8, #0xf                // hardware access flag, then dirty state
    cbz     x8, 1f
    orr     x7, x7, #(1 << TCR_HA_SHIFT)
    cmp     x8, #1
    b.eq    1f
    orr     x7, x7, #(1 << TCR_HD_SHIFT)
1:  mrs     x8, id_aa64mmfr2_el1
    lsr     x8, x8, #60                 // EL0 probing of the kernel half faults at once
    cbz     x8, 2f
    orr     x7, x7, #(1 << TCR_E0PD1_SHIFT)
2:  msr     tcr_el1, x7
    msr     ttbr0_el1, x1
    msr     ttbr1_el1, x0
    isb
    tlbi    vmalle1
    ic      iallu
    dsb     nsh
    isb
    ldr     x7, =SCTLR_MMU_ON
    msr     sctlr_el1, x7
    isb
    ldr     x7, =virtual_entry
    br      x7
    .ltorg

    .text
virtual_entry:
    ldr     x0, =__bss_start
    ldr     x1, =__bss_end
1:  stp     xzr, xzr, [x0], #16
    cmp     x0, x1
    b.lo    1b
    dsb     ishst

    msr     ttbr0_el1, x23
    isb
    tlbi    vmalle1
    dsb     nsh
    isb

    ldr     x0, ={image_start}
    str     x20, [x0]
    ldr     x0, =EXCEPTION_VECTORS
    msr     vbar_el1, x0
    ldr     x0, ={cpus}
    msr     tpidr_el1, x0
    ldr     x1, ={fault_stacks} + {fault_stack_bytes}
    str     x1, [x0, #{cpu_fault_stack_top}]
    isb
    ldr     x0, =__boot_stack_top
    mov     sp, x0
    mov     x29, xzr
    mov     x30, xzr
    mov     x0, x21
    b       kernel_main
    .ltorg

// replace_kernel_root(x0 = new root): makes the kernel half that of another root while no translation of
// the old one is used (Arm ARM D8.16: break before make). It runs from the boot tables' identity map.
// Interrupts are masked; caller-saved registers are used. All addresses are physical.
    .global replace_kernel_root
replace_kernel_root:
    ldr     x1, ={image_start}
    ldr     x1, [x1]
    ldr     x2, =__kernel_start
    sub     x1, x1, x2                  // from link address to physical address
    ldr     x3, =__boot_tables + 0x1000
    add     x3, x3, x1
    ldr     x4, ={empty_root}
    add     x4, x4, x1
    adr     x5, 1f
    add     x5, x5, x1
    adr     x6, 2f
    msr     ttbr0_el1, x3
    isb
    br      x5
1:  msr     ttbr1_el1, x4
    isb
    tlbi    vmalle1
    dsb     nsh
    isb
    msr     ttbr1_el1, x0
    isb
    br      x6
2:  msr     ttbr0_el1, x4
    isb
    tlbi    vmalle1
    dsb     nsh
    isb
    ret
    .ltorg

    .section .boot_tables, "aw", %nobits
    .balign 4096
    .global __boot_tables
__boot_tables:
    .skip   6 * 4096
