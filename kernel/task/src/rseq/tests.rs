//! What a section looks like to whom it is shown, and what becomes of it.

use los_arch::TrapFrame;
use zerocopy::FromZeros as _;

use super::*;
use crate::testing::{self, PROGRAM_MEMORY};

const AREA: u64 = PROGRAM_MEMORY + 0x100;
const SECTION: u64 = PROGRAM_MEMORY + 0x200;
const START: u64 = PROGRAM_MEMORY + 0x1000;
const LENGTH: u64 = 0x40;
const ABORT: u64 = PROGRAM_MEMORY + 0x1100;
const SIGNATURE: u32 = 0x5305_3053;

fn registration() -> Registration {
    Registration {
        area: UserPtr::new(AREA),
        bytes: RSEQ_ORIGINAL_BYTES,
        signature: SIGNATURE,
    }
}

fn section() -> RseqCs {
    RseqCs {
        start_ip: START,
        post_commit_offset: LENGTH,
        abort_ip: ABORT,
        ..RseqCs::new_zeroed()
    }
}

fn with_program(look: impl FnOnce(&Context<'_>)) {
    let (_family, thread) = testing::program();
    testing::run_as(&thread);
    let context = Context::new(&thread, TrapFrame::new_user(START, PROGRAM_MEMORY)).unwrap();
    look(&context);
    testing::run_as_nobody();
}

/// Registers an area, puts the thread into a section at `pc`, disturbs it, and returns where it goes on.
fn disturbed(ctx: &Context<'_>, section: &RseqCs, pc: u64) -> Result<u64, Errno> {
    ctx.thread.rseq.clear();
    register(ctx, registration()).unwrap();
    let memory = ctx.memory();
    memory.write(UserPtr::new(SECTION), section).unwrap();
    memory.write(UserPtr::new(ABORT - 4), &SIGNATURE).unwrap();
    memory
        .write(section_pointer(UserPtr::new(AREA)), &SECTION)
        .unwrap();
    ctx.frame_mut().set_program_counter(pc);
    disturb(ctx)?;
    assert_eq!(memory.read(section_pointer(UserPtr::new(AREA))), Ok(0));
    Ok(ctx.frame().program_counter())
}

#[test]
fn an_area_is_registered_once_and_given_up_by_who_knows_it() {
    with_program(|ctx| {
        let good = registration();
        assert_eq!(unregister(ctx, good), Err(Errno::EINVAL));
        assert_eq!(
            register(ctx, Registration { bytes: 31, ..good }),
            Err(Errno::EINVAL)
        );
        let crooked = UserPtr::new(AREA + 16);
        assert_eq!(
            register(
                ctx,
                Registration {
                    area: crooked,
                    ..good
                }
            ),
            Err(Errno::EINVAL)
        );
        let outside = UserPtr::new(AddressSpace::USER_END);
        assert_eq!(
            register(
                ctx,
                Registration {
                    area: outside,
                    ..good
                }
            ),
            Err(Errno::EFAULT)
        );
        let missing = UserPtr::new(0x4000_0000);
        assert_eq!(
            register(
                ctx,
                Registration {
                    area: missing,
                    ..good
                }
            ),
            Err(Errno::EFAULT)
        );
        assert_eq!(register(ctx, good), Ok(()));
        assert!(ctx.thread.work().contains(Work::RSEQ));
        assert_eq!(register(ctx, good), Err(Errno::EBUSY));
        assert_eq!(
            register(ctx, Registration { bytes: 64, ..good }),
            Err(Errno::EINVAL)
        );
        assert_eq!(
            register(ctx, Registration { signature: 1, ..good }),
            Err(Errno::EPERM)
        );
        assert_eq!(
            unregister(ctx, Registration { signature: 1, ..good }),
            Err(Errno::EPERM)
        );
        assert_eq!(unregister(ctx, good), Ok(()));
        let area: Rseq = ctx.memory().read(UserPtr::new(AREA)).unwrap();
        assert_eq!(area.cpu_id, RSEQ_CPU_ID_UNINITIALIZED);
    });
}

#[test]
fn only_a_thread_inside_of_its_section_starts_over() {
    with_program(|ctx| {
        for (pc, goes_on) in [
            (START, ABORT),
            (START + LENGTH - 1, ABORT),
            (START + LENGTH, START + LENGTH),
            (START - 1, START - 1),
        ] {
            assert_eq!(disturbed(ctx, &section(), pc), Ok(goes_on));
        }
        let area: Rseq = ctx.memory().read(UserPtr::new(AREA)).unwrap();
        assert_eq!((area.cpu_id, area.cpu_id_start), (sched::cpu(), sched::cpu()));
    });
}

#[test]
fn wrong_sections_are_refused() {
    let wrong = [
        RseqCs {
            version: 1,
            ..section()
        },
        RseqCs {
            flags: 1,
            ..section()
        },
        RseqCs {
            abort_ip: START + 8,
            ..section()
        },
        RseqCs {
            abort_ip: AddressSpace::USER_END,
            ..section()
        },
        RseqCs {
            abort_ip: ABORT + 4,
            ..section()
        },
        RseqCs {
            post_commit_offset: u64::MAX,
            ..section()
        },
        RseqCs {
            start_ip: AddressSpace::USER_END,
            ..section()
        },
    ];
    with_program(|ctx| {
        for section in wrong {
            assert_eq!(disturbed(ctx, &section, START), Err(Errno::EINVAL), "{section:?}");
        }
        // Flags of a section matter only to who is in it.
        let flagged = RseqCs {
            flags: 1,
            ..section()
        };
        assert_eq!(disturbed(ctx, &flagged, START - 1), Ok(START - 1));
    });
}
