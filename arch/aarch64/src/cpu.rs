//! This processor: features, contexts of kernel threads, user registers outside of the trap frame.

use core::arch::global_asm;
use core::fmt;
use core::mem::offset_of;
use core::sync::atomic::Ordering;

use aarch64_cpu::asm::random::ArmRng;
use aarch64_cpu::asm::{barrier, wfi};
use aarch64_cpu::registers::{
    CNTFRQ_EL0, CNTKCTL_EL1, CPACR_EL1, DAIF, ID_AA64ISAR0_EL1, ID_AA64ISAR1_EL1, ID_AA64MMFR1_EL1,
    ID_AA64MMFR2_EL1, ID_AA64PFR0_EL1, ID_AA64PFR1_EL1, MDSCR_EL1, MIDR_EL1, TPIDR_EL0, TPIDRRO_EL0,
};
use aarch64_cpu::registers::{ReadWriteable, Readable, Writeable};
use hal::cpu::{ContextEntry, Cpu};

use crate::features::IdRegisters;
use crate::percpu::{CPUS, this_cpu};
use crate::state::UserState;
use crate::{Aarch64, power, uaccess};

global_asm!(include_str!("switch.S"));
global_asm!(include_str!("memory.S"));

/// Callee-saved registers of a kernel thread that is not running, in the order of `switch.S`.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub struct Context {
    /// x19 to x28.
    saved: [usize; 10],
    frame_pointer: usize,
    link: usize,
    stack_pointer: usize,
}

const _: () = assert!(offset_of!(Context, stack_pointer) == 96);
const _: () = assert!(offset_of!(UserState, fpsr) == 512 && offset_of!(UserState, fpcr) == 520);

unsafe extern "C" {
    fn switch_context(previous: *mut Context, next: *const Context);
    fn start_context() -> !;
    fn save_fp(state: *mut UserState);
    fn load_fp(state: *const UserState);
}

/// Events per second that end a program's WFE, as in Linux (HWCAP_EVTSTRM).
const EVENT_STREAM_HZ: u64 = 10_000;
/// Comment of MDSCR_EL1.TDCC: EL0 does not reach the debug communication channel.
const DEBUG_CHANNEL_TRAP: u64 = 1 << 12;
/// Times to ask again for a random number when the source is short of entropy.
const RANDOM_ATTEMPTS: usize = 10;

impl Cpu for Aarch64 {
    type Context = Context;
    type UserState = UserState;

    fn init_cpu(index: usize) {
        let cpu = &CPUS[index];
        cpu.install(index);
        cpu.midr.store(MIDR_EL1.get(), Ordering::Relaxed);
        // FP and SIMD for EL0, traps for SVE and SME.
        CPACR_EL1.write(CPACR_EL1::FPEN::TrapNothing);
        MDSCR_EL1.set(DEBUG_CHANNEL_TRAP);
        TPIDRRO_EL0.set(0);
        let divider = (CNTFRQ_EL0.get() / EVENT_STREAM_HZ).max(2).ilog2() - 1;
        CNTKCTL_EL1.write(
            CNTKCTL_EL1::EL0VCTEN::SET
                + CNTKCTL_EL1::EVNTEN::SET
                + CNTKCTL_EL1::EVNTI.val(u64::from(divider.min(15))),
        );
        uaccess::init();
        barrier::isb(barrier::SY);
    }

    #[inline]
    fn cpu_index() -> usize {
        this_cpu().index()
    }

    fn new_context(stack_top: usize, entry: ContextEntry, argument: usize) -> Context {
        let mut context = Context {
            link: start_context as *const () as usize,
            stack_pointer: stack_top,
            ..Context::default()
        };
        context.saved[0] = entry as *const () as usize;
        context.saved[1] = argument;
        context
    }

    #[inline]
    unsafe fn switch(previous: *mut Context, next: *const Context, _next_stack_top: usize) {
        // SAFETY: the caller's duty is that of `switch_context`. Traps from user mode find their stack
        // in the frame, so that the end of the next stack needs no noting.
        unsafe { switch_context(previous, next) }
    }

    fn initial_user_state() -> UserState {
        UserState::new()
    }

    fn save_user_state(state: &mut UserState) {
        state.thread_pointer = TPIDR_EL0.get();
        // SAFETY: the structure has the layout that `save_fp` writes.
        unsafe { save_fp(state) }
    }

    fn load_user_state(state: &UserState) {
        TPIDR_EL0.set(state.thread_pointer);
        if CNTKCTL_EL1.is_set(CNTKCTL_EL1::EL0VCTEN) != state.reads_counter {
            CNTKCTL_EL1.modify(CNTKCTL_EL1::EL0VCTEN.val(state.reads_counter.into()));
        }
        // SAFETY: the structure has the layout that `load_fp` reads; the kernel uses none of the registers.
        unsafe { load_fp(state) }
    }

    fn thread_pointer(state: &UserState) -> u64 {
        state.thread_pointer
    }

    fn set_thread_pointer(state: &mut UserState, address: u64) -> bool {
        state.thread_pointer = address;
        true
    }

    fn second_thread_pointer(_state: &UserState) -> u64 {
        0
    }

    fn set_second_thread_pointer(_state: &mut UserState, _address: u64) -> bool {
        false
    }

    fn reads_counter(state: &UserState) -> bool {
        state.reads_counter
    }

    fn set_reads_counter(state: &mut UserState, allowed: bool) {
        state.reads_counter = allowed;
    }

    fn hardware_capabilities() -> (u64, u64) {
        id_registers().capabilities()
    }

    fn platform() -> &'static str {
        "aarch64"
    }

    fn write_cpuinfo(index: usize, out: &mut dyn fmt::Write) -> fmt::Result {
        let Some(cpu) = CPUS.get(index) else {
            return Ok(());
        };
        let midr = cpu.midr.load(Ordering::Relaxed);
        writeln!(out, "processor\t: {index}")?;
        let registers = IdRegisters {
            midr,
            ..id_registers()
        };
        registers.write_cpuinfo(CNTFRQ_EL0.get(), out)?;
        writeln!(out)
    }

    fn hardware_random(bytes: &mut [u8]) -> bool {
        let Some(source) = ArmRng::new() else {
            return false;
        };
        for chunk in bytes.chunks_mut(size_of::<u64>()) {
            let Some(word) = (0..RANDOM_ATTEMPTS).find_map(|_| source.rndr()) else {
                return false;
            };
            chunk.copy_from_slice(&word.to_ne_bytes()[..chunk.len()]);
        }
        true
    }

    fn power_off() -> ! {
        power::power_off();
        Self::halt()
    }

    fn reboot() -> ! {
        power::reboot();
        Self::halt()
    }

    fn halt() -> ! {
        DAIF.write(DAIF::D::Masked + DAIF::A::Masked + DAIF::I::Masked + DAIF::F::Masked);
        loop {
            wfi();
        }
    }
}

/// Returns this CPU's identification registers.
pub(crate) fn id_registers() -> IdRegisters {
    IdRegisters {
        midr: MIDR_EL1.get(),
        isar0: ID_AA64ISAR0_EL1.get(),
        isar1: ID_AA64ISAR1_EL1.get(),
        pfr0: ID_AA64PFR0_EL1.get(),
        pfr1: ID_AA64PFR1_EL1.get(),
        mmfr2: ID_AA64MMFR2_EL1.get(),
    }
}

/// Reports whether this CPU keeps the kernel from user memory by PSTATE.PAN.
pub(crate) fn has_privileged_access_never() -> bool {
    const PAN_SHIFT: u32 = 20;
    ID_AA64MMFR1_EL1.get() >> PAN_SHIFT & 0xf != 0
}
