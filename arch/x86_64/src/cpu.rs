//! One processor: its identity, kernel contexts, extended registers, and the rest of the contract for it.

use core::arch::{asm, global_asm};
use core::fmt;
use core::sync::atomic::Ordering;

use hal::cpu::{ContextEntry, Cpu};
use hal::paging::Paging;
use x86_64::VirtAddr as CanonicalAddress;
use x86_64::instructions::random::RdRand;
use x86_64::instructions::{hlt, interrupts};
use x86_64::registers::control::{Cr4, Cr4Flags};
use x86_64::registers::model_specific::{FsBase, GsBase, KernelGsBase};

use crate::percpu::{self, CPUS};
use crate::state::UserState;
use crate::{X86_64, cpuinfo, features, gdt, power};

global_asm!(include_str!("switch.S"));

unsafe extern "C" {
    fn context_switch(previous: *mut Context, next: *const Context);
    safe static context_start: u8;
}

/// A kernel thread that is not running: its stack pointer. The rest is on its stack.
#[derive(Debug)]
#[repr(C)]
pub struct Context {
    rsp: usize,
}

/// What `context_switch` pops, lowest address first, and the two words above it.
#[repr(C)]
struct InitialStack {
    r15: usize,
    r14: usize,
    /// The entry point.
    r13: usize,
    /// Its argument.
    r12: usize,
    rbp: usize,
    rbx: usize,
    return_address: usize,
    alignment: [usize; 2],
}

/// What `context_switch` has popped when a new thread starts: six registers and the return address. Frames of
/// programs lie on the stack and the processor aligns to 16 bytes, so the rest must keep the alignment.
const POPPED_BYTES: usize = 7 * size_of::<usize>();
const _: () = assert!((size_of::<InitialStack>() - POPPED_BYTES).is_multiple_of(16));

impl Cpu for X86_64 {
    type Context = Context;
    type UserState = UserState;

    fn init_cpu(index: usize) {
        let cpu = &CPUS[index];
        gdt::init(cpu, index);
        cpu.init(index);
        GsBase::write(CanonicalAddress::from_ptr(cpu));
        KernelGsBase::write(CanonicalAddress::zero());
        features::init();
    }

    #[inline]
    fn cpu_index() -> usize {
        percpu::index()
    }

    fn new_context(stack_top: usize, entry: ContextEntry, argument: usize) -> Context {
        let rsp = stack_top - size_of::<InitialStack>();
        let initial = InitialStack {
            r15: 0,
            r14: 0,
            r13: entry as usize,
            r12: argument,
            rbp: 0,
            rbx: 0,
            return_address: (&raw const context_start).addr(),
            alignment: [0; 2],
        };
        // SAFETY: the caller gives the end of a stack that nothing uses yet.
        unsafe { (rsp as *mut InitialStack).write(initial) };
        Context { rsp }
    }

    /// The stack top is not needed: traps from user mode push into the frame, see `trap`.
    unsafe fn switch(previous: *mut Context, next: *const Context, _next_stack_top: usize) {
        // SAFETY: passed on to the caller.
        unsafe { context_switch(previous, next) };
    }

    fn initial_user_state() -> UserState {
        UserState::new(features::extended_layout())
    }

    fn save_user_state(state: &mut UserState) {
        state.fs_base = FsBase::read().as_u64();
        state.gs_base = KernelGsBase::read().as_u64();
        save_extended(state);
    }

    fn load_user_state(state: &UserState) {
        FsBase::write(CanonicalAddress::new_truncate(state.fs_base));
        KernelGsBase::write(CanonicalAddress::new_truncate(state.gs_base));
        show_counter(state.reads_counter);
        load_extended(state);
    }

    fn thread_pointer(state: &UserState) -> u64 {
        state.fs_base
    }

    fn set_thread_pointer(state: &mut UserState, address: u64) -> bool {
        set_base(&mut state.fs_base, address)
    }

    fn second_thread_pointer(state: &UserState) -> u64 {
        state.gs_base
    }

    fn set_second_thread_pointer(state: &mut UserState, address: u64) -> bool {
        set_base(&mut state.gs_base, address)
    }

    fn reads_counter(state: &UserState) -> bool {
        state.reads_counter
    }

    fn set_reads_counter(state: &mut UserState, allowed: bool) {
        state.reads_counter = allowed;
    }

    fn hardware_capabilities() -> (u64, u64) {
        use los_abi::isa::x86_64::HWCAP2_FSGSBASE;
        let second = if features::has(features::FSGSBASE) {
            HWCAP2_FSGSBASE
        } else {
            0
        };
        (features::cpuid(1, 0).edx.into(), second)
    }

    fn platform() -> &'static str {
        "x86_64"
    }

    fn write_cpuinfo(index: usize, out: &mut dyn fmt::Write) -> fmt::Result {
        cpuinfo::write(index, out)
    }

    fn hardware_random(bytes: &mut [u8]) -> bool {
        if !features::has(features::RDRAND) {
            return false;
        }
        let Some(source) = RdRand::new() else {
            return false;
        };
        bytes.chunks_mut(8).all(|chunk| {
            // Ten attempts are the manual's advice (SDM volume 1, 7.3.17.1).
            let Some(word) = (0..10).find_map(|_| source.get_u64()) else {
                return false;
            };
            chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
            true
        })
    }

    fn power_off() -> ! {
        power::power_off()
    }

    fn reboot() -> ! {
        power::reboot()
    }

    fn halt() -> ! {
        interrupts::disable();
        loop {
            hlt();
        }
    }
}

/// Sets a segment base as `arch_prctl` may: in the user half only.
fn set_base(base: &mut u64, address: u64) -> bool {
    let accepted = address < X86_64::USER_END;
    if accepted {
        *base = address;
    }
    accepted
}

/// Lets programs execute RDTSC and RDTSCP, or has them trap (SDM volume 3, 2.5, CR4.TSD).
fn show_counter(shown: bool) {
    let hides = &percpu::this_cpu().hides_counter;
    if hides.load(Ordering::Relaxed) != shown {
        return;
    }
    hides.store(!shown, Ordering::Relaxed);
    // SAFETY: the bit only says what user mode may execute.
    unsafe { Cr4::update(|flags| flags.set(Cr4Flags::TIMESTAMP_DISABLE, !shown)) };
}

fn save_extended(state: &mut UserState) {
    let features = state.layout().features;
    let area = state.extended_mut().as_mut_ptr();
    if features == 0 {
        // SAFETY: the area is aligned and has the 512 bytes.
        unsafe { asm!("fxsave64 [{}]", in(reg) area, options(nostack)) };
        return;
    }
    // SAFETY: the area is aligned and as long as CPUID says for these components; its header is valid.
    unsafe {
        asm!(
            "xsave64 [{}]",
            in(reg) area,
            in("eax") features as u32,
            in("edx") (features >> 32) as u32,
            options(nostack),
        );
    }
}

fn load_extended(state: &UserState) {
    let features = state.layout().features;
    let area = state.extended().as_ptr();
    if features == 0 {
        // SAFETY: the area is aligned; reserved bits of MXCSR are clear in every area that is made.
        unsafe { asm!("fxrstor64 [{}]", in(reg) area, options(nostack)) };
        return;
    }
    // SAFETY: as above, and the header names enabled components only.
    unsafe {
        asm!(
            "xrstor64 [{}]",
            in(reg) area,
            in("eax") features as u32,
            in("edx") (features >> 32) as u32,
            options(nostack),
        );
    }
}
