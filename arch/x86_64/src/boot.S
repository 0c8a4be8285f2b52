// Direct boot by the PVH protocol (Xen's docs/misc/pvh.pandoc), as QEMU's -kernel, Firecracker and Cloud
// Hypervisor do it.
//
// On entry: 32-bit protected mode with flat segments, no paging, interrupts masked, EBX the physical address
// of the start info. On exit: kernel_main(start info) in 64-bit mode on the boot stack, with tables that map
// the first 4 GiB at the direct map's place and the first 1 GiB at the image's, and nothing below.

.section .note.PVH, "a", @note
.balign 4
.long 4                             // bytes of the name
.long 8                             // bytes of the value
.long 18                            // XEN_ELFNOTE_PHYS32_ENTRY
.asciz "Xen"
.balign 4
.quad pvh_start - {IMAGE_BASE}

.section .bss.boot, "aw", @nobits
.balign 4096
boot_pml4:      .skip 4096
boot_pdpt:      .skip 4096          // for the direct map, and for the identity map while booting
boot_pdpt_image: .skip 4096
boot_pd:        .skip 4 * 4096      // 4 GiB in pages of 2 MiB
.global __boot_stack_guard
__boot_stack_guard: .skip 4096      // unmapped once the kernel has tables of its own
boot_stack:     .skip {BOOT_STACK_BYTES}
.global __boot_stack_top
__boot_stack_top:

.section .rodata.boot, "a"
.balign 8
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff        // 0x08: 64-bit code
    .quad 0x00cf93000000ffff        // 0x10: data
boot_gdt_end:
boot_gdt_pointer:
    .word boot_gdt_end - boot_gdt - 1
    .long boot_gdt - {IMAGE_BASE}
boot_no_64_bit:
    .ascii "this processor has no 64-bit mode or no-execute pages\r\n"
.set boot_no_64_bit_bytes, . - boot_no_64_bit

.section .text.boot, "ax"
.code32
.global pvh_start
pvh_start:
    cld
    mov esi, ebx
    // Zero .bss, which holds the tables: not every loader does.
    mov edi, offset __bss_start - {IMAGE_BASE}
    mov ecx, offset __bss_end - {IMAGE_BASE}
    sub ecx, edi
    shr ecx, 2
    xor eax, eax
    rep stosd
    mov esp, offset __boot_stack_top - {IMAGE_BASE}

    // Long mode is bit 29 and no-execute bit 20 of EDX of leaf 0x80000001.
    mov eax, 0x80000000
    cpuid
    cmp eax, 0x80000001
    jb boot_refuse
    mov eax, 0x80000001
    cpuid
    and edx, (1 << 29) | (1 << 20)
    cmp edx, (1 << 29) | (1 << 20)
    jne boot_refuse

    // Tables are present and writable (3), blocks also large (0x80).
    mov edi, offset boot_pd - {IMAGE_BASE}
    mov eax, 0x83
    mov ecx, 4 * 512
1:  mov [edi], eax
    add eax, 0x200000
    add edi, 8
    dec ecx
    jnz 1b
    mov edi, offset boot_pdpt - {IMAGE_BASE}
    mov eax, offset boot_pd - {IMAGE_BASE} + 3
    mov ecx, 4
2:  mov [edi], eax
    add eax, 4096
    add edi, 8
    dec ecx
    jnz 2b
    mov eax, offset boot_pd - {IMAGE_BASE} + 3
    mov edi, offset boot_pdpt_image - {IMAGE_BASE}
    mov [edi + 510 * 8], eax
    mov edi, offset boot_pml4 - {IMAGE_BASE}
    mov eax, offset boot_pdpt - {IMAGE_BASE} + 3
    mov [edi], eax
    mov [edi + {DIRECT_MAP_SLOT} * 8], eax
    mov eax, offset boot_pdpt_image - {IMAGE_BASE} + 3
    mov [edi + 511 * 8], eax

    // PAE, the tables, long mode with no-execute, paging: in this order (SDM volume 3, 10.8.5).
    mov eax, 1 << 5
    mov cr4, eax
    mov cr3, edi
    mov ecx, 0xc0000080
    rdmsr
    or eax, (1 << 8) | (1 << 11)
    wrmsr
    mov eax, cr0
    or eax, (1 << 31) | (1 << 16)
    mov cr0, eax
    lgdt [boot_gdt_pointer - {IMAGE_BASE}]
    // A far return is a far jump whose target needs no relocation of its own kind.
    push 0x08
    mov eax, offset boot_64 - {IMAGE_BASE}
    push eax
    retf

// Says so on the first serial line, and stops.
boot_refuse:
    mov esi, offset boot_no_64_bit - {IMAGE_BASE}
    mov ecx, offset boot_no_64_bit_bytes
    mov edx, 0x3f8
    rep outsb
3:  cli
    hlt
    jmp 3b

.code64
boot_64:
    mov rax, offset boot_high
    jmp rax
boot_high:
    mov eax, 0x10
    mov ss, eax
    mov ds, eax
    mov es, eax
    xor eax, eax
    mov fs, eax
    mov gs, eax
    // From here on nothing is mapped at 0.
    mov rax, offset boot_pml4
    mov qword ptr [rax], 0
    mov rax, cr3
    mov cr3, rax
    mov rsp, offset __boot_stack_top
    xor ebp, ebp
    mov edi, esi
    call kernel_main
    ud2
