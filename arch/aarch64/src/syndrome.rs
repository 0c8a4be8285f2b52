//! What ESR_EL1 says (Arm ARM D24.2.37): classification of exceptions from EL0 and of aborts in the kernel.

use hal::VirtAddr;
use hal::paging::Access;
use hal::trap::{Exception, ExceptionKind, FaultRecord, UserExit};
use los_abi::signal::{ILL_ILLOPC, TRAP_BRKPT};

use crate::frame::TrapFrame;

const CLASS_SHIFT: u32 = 26;
const CLASS_UNKNOWN: u64 = 0x00;
const CLASS_WAIT: u64 = 0x01;
const CLASS_SVC64: u64 = 0x15;
const CLASS_SYSTEM_REGISTER: u64 = 0x18;
const CLASS_INSTRUCTION_ABORT: u64 = 0x20;
const CLASS_INSTRUCTION_ABORT_KERNEL: u64 = 0x21;
const CLASS_PC_ALIGNMENT: u64 = 0x22;
const CLASS_DATA_ABORT: u64 = 0x24;
const CLASS_DATA_ABORT_KERNEL: u64 = 0x25;
const CLASS_SP_ALIGNMENT: u64 = 0x26;
const CLASS_FLOATING_POINT: u64 = 0x2c;
const CLASS_SERROR: u64 = 0x2f;
const CLASS_BREAKPOINT: u64 = 0x30;
const CLASS_STEP: u64 = 0x32;
const CLASS_WATCHPOINT: u64 = 0x34;
const CLASS_BRK: u64 = 0x3c;

/// Of a trapped MRS or MSR: the register and the direction, without the general register (Arm ARM, ISS encoding for
/// an exception from MSR, MRS or System instruction execution).
const REGISTER_MASK: u64 = 0x3f_fc1f;
/// Reads of CNTVCT_EL0, CNTVCTSS_EL0 and CNTFRQ_EL0.
const COUNTER_READS: [u64; 3] = [
    register_read([3, 3, 14, 0, 2]),
    register_read([3, 3, 14, 0, 6]),
    register_read([3, 3, 14, 0, 0]),
];

const WRITE_NOT_READ: u64 = 1 << 6;
const CACHE_MAINTENANCE: u64 = 1 << 8;
const STATUS_MASK: u64 = 0x3f;
/// Fault status without the table level.
const STATUS_KIND_MASK: u64 = 0x3c;
const STATUS_TRANSLATION: u64 = 0x04;
const STATUS_ACCESS_FLAG: u64 = 0x08;
const STATUS_PERMISSION: u64 = 0x0c;
const STATUS_ALIGNMENT: u64 = 0x21;

/// Set in an address of the kernel's half; TBI makes it the topmost significant bit of user addresses.
const KERNEL_HALF: u64 = 1 << 55;
const TAG: u64 = 0xff << 56;

/// FP exception syndrome: the trapped-exception bits are valid.
const FP_TRAPPED_VALID: u64 = 1 << 23;
const FPE_FLTUNK: i32 = 14;
/// Trapped-exception bits in the order in which Linux looks at them, with their `si_code`.
const FP_CODES: [(u64, i32); 5] = [
    (1 << 0, 7), // invalid operation: FPE_FLTINV
    (1 << 1, 3), // division by zero: FPE_FLTDIV
    (1 << 2, 4), // overflow: FPE_FLTOVF
    (1 << 3, 5), // underflow: FPE_FLTUND
    (1 << 4, 6), // inexact: FPE_FLTRES
];

/// What is to be done about a synchronous exception from EL0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// The kernel is to be told.
    Exit(UserExit),
    /// An instruction that is defined but refused: it may be a read of an identification register.
    Refused,
    /// A trapped WFI or WFE: a hint, to be stepped over.
    Wait,
}

/// Reports whether the syndrome is that of a 64-bit SVC.
#[inline]
pub const fn is_system_call(syndrome: u64) -> bool {
    class(syndrome) == CLASS_SVC64
}

/// Classifies a synchronous exception from EL0 by its syndrome, fault address and saved registers.
pub fn user_cause(syndrome: u64, fault_address: u64, frame: &TrapFrame) -> Cause {
    let pc = frame.pc;
    let exception = |kind, address, record| {
        let address = VirtAddr::new(address);
        Cause::Exit(UserExit::Exception(Exception {
            kind,
            address,
            record,
        }))
    };
    let data_address = untagged(fault_address);
    // What handlers are told: of aborts all, of others the syndrome only, of debug exceptions nothing.
    let told = |address, code| FaultRecord {
        trap: 0,
        code,
        address: Some(address),
    };
    let abort = told(data_address, syndrome_as_told(syndrome, fault_address));
    let other = Some(told(0, syndrome));
    match class(syndrome) {
        CLASS_SVC64 => Cause::Exit(UserExit::Syscall),
        CLASS_SYSTEM_REGISTER if COUNTER_READS.contains(&(syndrome & REGISTER_MASK)) => {
            exception(ExceptionKind::Protection, pc, None)
        }
        CLASS_UNKNOWN | CLASS_SYSTEM_REGISTER => Cause::Refused,
        CLASS_WAIT => Cause::Wait,
        CLASS_INSTRUCTION_ABORT | CLASS_DATA_ABORT => {
            let access = access(syndrome);
            match abort_kind(syndrome) {
                None => Cause::Exit(UserExit::PageFault {
                    address: VirtAddr::new(data_address),
                    access,
                    record: abort,
                }),
                Some(kind @ ExceptionKind::Alignment) => exception(kind, data_address, Some(abort)),
                Some(kind) => exception(kind, data_address, other),
            }
        }
        CLASS_PC_ALIGNMENT => exception(ExceptionKind::Alignment, fault_address, other),
        CLASS_SP_ALIGNMENT => exception(ExceptionKind::Alignment, frame.sp, other),
        CLASS_FLOATING_POINT => exception(ExceptionKind::FloatingPoint(fp_code(syndrome)), pc, None),
        CLASS_SERROR => exception(ExceptionKind::HardwareError, pc, other),
        CLASS_BREAKPOINT | CLASS_STEP => exception(ExceptionKind::SingleStep, pc, None),
        CLASS_WATCHPOINT => exception(ExceptionKind::SingleStep, data_address, None),
        CLASS_BRK => exception(ExceptionKind::Breakpoint(TRAP_BRKPT), pc, None),
        _ => exception(ExceptionKind::IllegalInstruction(ILL_ILLOPC), pc, other),
    }
}

/// Returns the syndrome of a trapped read of the register with these op0, op1, CRn, CRm and op2.
const fn register_read([op0, op1, crn, crm, op2]: [u64; 5]) -> u64 {
    op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | crm << 1 | 1
}

/// Returns the syndrome as signal handlers see it: of the kernel's half they only learn that it is not theirs.
fn syndrome_as_told(syndrome: u64, fault_address: u64) -> u64 {
    const CLASS_AND_LENGTH: u64 = 0x3f << CLASS_SHIFT | 1 << 25;
    if is_user_half(fault_address) {
        return syndrome;
    }
    let kept = match class(syndrome) {
        CLASS_DATA_ABORT => CLASS_AND_LENGTH | CACHE_MAINTENANCE | WRITE_NOT_READ,
        _ => CLASS_AND_LENGTH,
    };
    syndrome & kept | STATUS_TRANSLATION
}

/// An abort that the kernel's own instructions caused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KernelAbort {
    /// What was tried.
    pub access: Access,
    /// The descriptor was missing or refused the access.
    pub by_descriptor: bool,
    /// The descriptor was missing.
    pub is_missing: bool,
}

/// Decodes an abort taken from EL1, `None` for any other exception.
pub fn kernel_abort(syndrome: u64) -> Option<KernelAbort> {
    match class(syndrome) {
        CLASS_INSTRUCTION_ABORT_KERNEL | CLASS_DATA_ABORT_KERNEL => Some(KernelAbort {
            access: access(syndrome),
            by_descriptor: abort_kind(syndrome).is_none(),
            is_missing: syndrome & STATUS_KIND_MASK == STATUS_TRANSLATION,
        }),
        _ => None,
    }
}

/// Names the exception class for a register dump.
pub fn class_name(syndrome: u64) -> &'static str {
    match class(syndrome) {
        CLASS_UNKNOWN => "undefined instruction",
        CLASS_INSTRUCTION_ABORT | CLASS_INSTRUCTION_ABORT_KERNEL => "instruction abort",
        CLASS_DATA_ABORT | CLASS_DATA_ABORT_KERNEL => "data abort",
        CLASS_PC_ALIGNMENT => "misaligned program counter",
        CLASS_SP_ALIGNMENT => "misaligned stack pointer",
        CLASS_SYSTEM_REGISTER => "trapped system register",
        CLASS_SERROR => "SError",
        CLASS_BRK => "breakpoint instruction",
        _ => "unexpected exception",
    }
}

/// Reports whether the address belongs to the user half.
pub const fn is_user_half(address: u64) -> bool {
    address & KERNEL_HALF == 0
}

/// Drops the tag byte that TBI lets programs put on top of an address.
pub const fn untagged(address: u64) -> u64 {
    if is_user_half(address) {
        address & !TAG
    } else {
        address
    }
}

const fn class(syndrome: u64) -> u64 {
    syndrome >> CLASS_SHIFT & 0x3f
}

/// Returns what an abort was about to do. Cache maintenance counts as a read, as in Linux.
fn access(syndrome: u64) -> Access {
    match class(syndrome) {
        CLASS_INSTRUCTION_ABORT | CLASS_INSTRUCTION_ABORT_KERNEL => Access::Execute,
        _ if syndrome & (WRITE_NOT_READ | CACHE_MAINTENANCE) == WRITE_NOT_READ => Access::Write,
        _ => Access::Read,
    }
}

/// Returns the kind of an abort that is no page fault.
fn abort_kind(syndrome: u64) -> Option<ExceptionKind> {
    match syndrome & STATUS_KIND_MASK {
        STATUS_TRANSLATION | STATUS_ACCESS_FLAG | STATUS_PERMISSION => None,
        _ if syndrome & STATUS_MASK == STATUS_ALIGNMENT => Some(ExceptionKind::Alignment),
        _ => Some(ExceptionKind::HardwareError),
    }
}

fn fp_code(syndrome: u64) -> i32 {
    if syndrome & FP_TRAPPED_VALID == 0 {
        return FPE_FLTUNK;
    }
    FP_CODES
        .iter()
        .find(|(bit, _)| syndrome & bit != 0)
        .map_or(FPE_FLTUNK, |&(_, code)| code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hal::trap::TrapFrame as _;

    const PC: u64 = 0x40_1000;
    const SP: u64 = 0x7fff_fff8;

    fn syndrome(class: u64, specific: u64) -> u64 {
        class << CLASS_SHIFT | 1 << 25 | specific
    }

    fn exit(class: u64, specific: u64, address: u64) -> Cause {
        let frame = TrapFrame::new_user(PC, SP);
        without_record(user_cause(syndrome(class, specific), address, &frame))
    }

    fn without_record(cause: Cause) -> Cause {
        match cause {
            Cause::Exit(UserExit::PageFault { address, access, .. }) => Cause::Exit(UserExit::PageFault {
                address,
                access,
                record: FaultRecord::default(),
            }),
            Cause::Exit(UserExit::Exception(exception)) => Cause::Exit(UserExit::Exception(Exception {
                record: None,
                ..exception
            })),
            other => other,
        }
    }

    fn page_fault(address: u64, access: Access) -> Cause {
        let address = VirtAddr::new(address);
        let record = FaultRecord::default();
        Cause::Exit(UserExit::PageFault {
            address,
            access,
            record,
        })
    }

    fn exception(kind: ExceptionKind, address: u64) -> Cause {
        let address = VirtAddr::new(address);
        Cause::Exit(UserExit::Exception(Exception {
            kind,
            address,
            record: None,
        }))
    }

    #[test]
    fn hidden_counters_are_no_illegal_instructions() {
        let at = VirtAddr::new(PC);
        let exception = Exception {
            kind: ExceptionKind::Protection,
            address: at,
            record: None,
        };
        // mrs x3, cntvct_el0; mrs x3, cntpct_el0; msr cntvct_el0, x3.
        let syndrome = register_read([3, 3, 14, 0, 2]) | 3 << 5;
        assert_eq!(syndrome, 0x34_f861);
        let hidden = Cause::Exit(UserExit::Exception(exception));
        assert_eq!(exit(CLASS_SYSTEM_REGISTER, syndrome, 0), hidden);
        let physical = register_read([3, 3, 14, 0, 1]);
        assert_eq!(exit(CLASS_SYSTEM_REGISTER, physical, 0), Cause::Refused);
        assert_eq!(exit(CLASS_SYSTEM_REGISTER, syndrome & !1, 0), Cause::Refused);
    }

    #[test]
    fn handlers_are_told_of_aborts_and_nothing_of_the_kernels_half() {
        let frame = TrapFrame::new_user(PC, SP);
        let told = |class, specific, address| match user_cause(syndrome(class, specific), address, &frame) {
            Cause::Exit(UserExit::PageFault { record, .. }) => Some(record),
            Cause::Exit(UserExit::Exception(exception)) => exception.record,
            _ => None,
        };
        let record = told(CLASS_DATA_ABORT, 0x4f, 0x1234).unwrap();
        assert_eq!(
            (record.address, record.code),
            (Some(0x1234), syndrome(CLASS_DATA_ABORT, 0x4f))
        );
        let kernel = told(CLASS_DATA_ABORT, 0x8000 | 0x4f, 0xffff_8000_0000_0000).unwrap();
        assert_eq!(kernel.code, syndrome(CLASS_DATA_ABORT, 0x44));
        let misaligned = told(CLASS_PC_ALIGNMENT, 0, 0x401).unwrap();
        assert_eq!(misaligned.address, Some(0));
        assert_eq!(told(CLASS_BRK, 0, 0), None);
    }

    #[test]
    fn page_faults_tell_what_was_tried() {
        let data = CLASS_DATA_ABORT;
        assert_eq!(exit(data, 0x06, 0x1234), page_fault(0x1234, Access::Read));
        assert_eq!(exit(data, 0x4f, 0x1234), page_fault(0x1234, Access::Write));
        assert_eq!(exit(data, 0x14f, 0x1234), page_fault(0x1234, Access::Read));
        assert_eq!(exit(data, 0x0b, 0x1234), page_fault(0x1234, Access::Read));
        assert_eq!(
            exit(CLASS_INSTRUCTION_ABORT, 0x0f, 0x1234),
            page_fault(0x1234, Access::Execute)
        );
    }

    #[test]
    fn tags_are_dropped_from_user_addresses_only() {
        let data = CLASS_DATA_ABORT;
        let fault = |address| exit(data, 0x04, address);
        assert_eq!(fault(0xab00_0000_0000_1000), page_fault(0x1000, Access::Read));
        let kernel = 0xffff_8000_0000_0000;
        assert_eq!(fault(kernel), page_fault(kernel, Access::Read));
    }

    #[test]
    fn other_aborts_are_exceptions() {
        let data = CLASS_DATA_ABORT;
        assert_eq!(
            exit(data, 0x21, 0x1001),
            exception(ExceptionKind::Alignment, 0x1001)
        );
        assert_eq!(
            exit(data, 0x10, 0x1001),
            exception(ExceptionKind::HardwareError, 0x1001)
        );
    }

    #[test]
    fn instructions_and_traps() {
        assert_eq!(exit(CLASS_SVC64, 0, 0), Cause::Exit(UserExit::Syscall));
        assert!(is_system_call(syndrome(CLASS_SVC64, 0)));
        assert_eq!(
            exit(CLASS_BRK, 0, 0),
            exception(ExceptionKind::Breakpoint(TRAP_BRKPT), PC)
        );
        assert_eq!(exit(CLASS_UNKNOWN, 0, 0), Cause::Refused);
        assert_eq!(exit(CLASS_WAIT, 0, 0), Cause::Wait);
        assert_eq!(
            exit(0x19, 0, 0),
            exception(ExceptionKind::IllegalInstruction(ILL_ILLOPC), PC)
        );
        assert_eq!(
            exit(0x0e, 0, 0),
            exception(ExceptionKind::IllegalInstruction(ILL_ILLOPC), PC)
        );
        assert_eq!(
            exit(CLASS_PC_ALIGNMENT, 0, 0x401),
            exception(ExceptionKind::Alignment, 0x401)
        );
        assert_eq!(
            exit(CLASS_SP_ALIGNMENT, 0, 0),
            exception(ExceptionKind::Alignment, SP)
        );
        let division = FP_TRAPPED_VALID | 2;
        assert_eq!(
            exit(CLASS_FLOATING_POINT, division, 0),
            exception(ExceptionKind::FloatingPoint(3), PC)
        );
    }

    #[test]
    fn kernel_aborts() {
        let abort = kernel_abort(syndrome(CLASS_DATA_ABORT_KERNEL, 0x47));
        let write = KernelAbort {
            access: Access::Write,
            by_descriptor: true,
            is_missing: true,
        };
        assert_eq!(abort, Some(write));
        assert_eq!(kernel_abort(syndrome(CLASS_BRK, 0)), None);
    }
}
