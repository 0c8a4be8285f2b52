// Copies between kernel and user memory. Every instruction that touches user memory stands in the exception
// table with the place to go on when it faults; kernel_trap looks there.
//
// SysV calling convention. On entry: the user range lies in the user half, user memory is open (STAC).

.macro may_fault place, fixup
    .pushsection __ex_table, "a"
    .balign 4
    .long \place - .
    .long \fixup - .
    .popsection
.endm

.section .text.uaccess, "ax"

// remaining(rax) user_copy(to rdi, from rsi, bytes rdx)
// Words first, then a last word that overlaps what is copied already. A fault goes on byte by byte, which
// finds the exact place.
.global user_copy
.balign 16
user_copy:
    mov rcx, rdx
    shr rcx, 3
    jz 5f
    and edx, 7
1:  rep movsq
    test edx, edx
    jz 3f
2:  mov rax, [rsi + rdx - 8]
22: mov [rdi + rdx - 8], rax
3:  xor eax, eax
    ret

4:  lea rdx, [rdx + rcx * 8]
5:  mov rcx, rdx
6:  rep movsb
7:  mov rax, rcx
    ret
may_fault 1b, 4b
may_fault 2b, 5b
may_fault 22b, 5b
may_fault 6b, 7b

// remaining(rax) user_zero(to rdi, bytes rsi)
.global user_zero
.balign 16
user_zero:
    xor eax, eax
    mov rcx, rsi
    shr rcx, 3
    and esi, 7
1:  rep stosq
2:  lea rcx, [rsi + rcx * 8]
3:  rep stosb
4:  mov rax, rcx
    ret
may_fault 1b, 2b
may_fault 3b, 4b

// (value rax, faulted rdx) user_load_u32(from rdi)
.global user_load_u32
.balign 16
user_load_u32:
    xor edx, edx
1:  mov eax, [rdi]
    ret
2:  mov edx, 1
    ret
may_fault 1b, 2b

// (previous rax, faulted rdx) user_compare_exchange_u32(at rdi, expected esi, new edx)
.global user_compare_exchange_u32
.balign 16
user_compare_exchange_u32:
    mov eax, esi
    mov ecx, edx
    xor edx, edx
1:  lock cmpxchg [rdi], ecx
    ret
2:  mov edx, 1
    ret
may_fault 1b, 2b
