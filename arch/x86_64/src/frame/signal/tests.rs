//! Frames that come back whole, and frames that a program has tampered with.

extern crate std;

use super::*;
use core::mem::offset_of;
use hal::trap::TrapFrame;

const LAYOUT: ExtendedLayout = ExtendedLayout {
    bytes: 832,
    features: 7,
};
const STACK: u64 = 0x7fff_ffff_e008;

fn example_frame() -> Frame {
    let mut frame = Frame::new_user(0x40_1234, STACK);
    frame.rdi = 1;
    frame.rax = 0xaaaa;
    frame.rcx = 0xcccc;
    frame.r11 = 0x1111;
    frame.r15 = 0xffff;
    frame.set_user_rflags(RFLAGS_DIRECTION | 0x41);
    frame
}

fn example_state(layout: ExtendedLayout) -> UserState {
    let mut state = UserState::new(layout);
    let area = state.extended_mut();
    area[160..176].fill(0x5a);
    if layout.features != 0 {
        area[LEGACY_BYTES] = 0b110;
        area[576] = 0x77;
    }
    state
}

fn setup(stack_top: u64) -> SignalSetup<'static> {
    SignalSetup {
        number: 11,
        info: &[7; 128],
        handler: 0x40_5000,
        restorer: 0x40_6000,
        mask: 0x1_0000_0004,
        alternate_stack: (0x1000, 2, 0x4000),
        stack_top,
        fault: hal::trap::FaultRecord {
            trap: 14,
            code: 6,
            address: Some(0xdead_b000),
        },
    }
}

/// User memory that holds the signal frame and nothing else.
fn reader(frame: &SignalFrame) -> impl FnMut(u64, &mut [u8]) -> Result<(), Errno> {
    let frame = frame.clone();
    move |address, buffer| {
        let offset = address.checked_sub(frame.address).ok_or(Errno::EFAULT)?;
        let start = usize::try_from(offset).map_err(|_| Errno::EFAULT)?;
        let end = start.checked_add(buffer.len()).ok_or(Errno::EFAULT)?;
        buffer.copy_from_slice(frame.bytes.get(start..end).ok_or(Errno::EFAULT)?);
        Ok(())
    }
}

fn put(frame: &mut SignalFrame, offset: usize, bytes: &[u8]) {
    frame.bytes[offset..offset + bytes.len()].copy_from_slice(bytes);
}

fn context_offset(field: usize) -> usize {
    offset_of!(RtSigFrame, uc) + offset_of!(UContext, uc_mcontext) + field
}

fn image_offset(frame: &SignalFrame) -> usize {
    let record = RtSigFrame::read_from_prefix(&frame.bytes).unwrap().0;
    usize::try_from(record.uc.uc_mcontext.fpstate - frame.address).unwrap()
}

/// Sends `frame` into the handler and returns what is on its stack then.
fn push(frame: &mut Frame, state: &UserState, setup: &SignalSetup<'_>) -> SignalFrame {
    let pushed = build(frame, state, setup);
    enter_handler(frame, setup, pushed.address);
    pushed
}

/// Pushes a frame, lets `tamper` at it, returns from the handler.
fn round_trip(
    layout: ExtendedLayout,
    tamper: impl FnOnce(&mut SignalFrame),
) -> (Frame, UserState, Result<SignalReturn, Errno>) {
    let mut frame = example_frame();
    let mut pushed = push(&mut frame, &example_state(layout), &setup(STACK));
    tamper(&mut pushed);
    // The handler's `ret` pops the return address.
    frame.rsp = pushed.address + 8;
    let mut state = UserState::new(layout);
    let result = restore(&mut frame, &mut state, &mut reader(&pushed));
    (frame, state, result)
}

#[test]
fn the_handler_starts_as_a_called_function() {
    let mut frame = example_frame();
    let pushed = push(&mut frame, &example_state(LAYOUT), &setup(STACK));
    assert_eq!(frame.rip, 0x40_5000);
    assert_eq!(frame.rsp, pushed.address);
    assert_eq!((frame.rsp + 8) % 16, 0);
    assert_eq!((frame.rdi, frame.rax), (11, 0));
    assert_eq!(frame.rdx, pushed.address + 8);
    assert_eq!(frame.rsi, pushed.address + 8 + 304);
    assert_eq!(frame.rflags & RFLAGS_DIRECTION, 0);
    assert_eq!(pushed.bytes[..8], 0x40_6000u64.to_le_bytes());
    let end = pushed.address + pushed.bytes.len() as u64;
    assert!(end <= STACK - RED_ZONE);
    assert_eq!((pushed.address + image_offset(&pushed) as u64) % 64, 0);
}

#[test]
fn an_alternate_stack_is_used_from_its_top() {
    let mut frame = example_frame();
    let layout = ExtendedLayout {
        bytes: 512,
        features: 0,
    };
    let pushed = push(&mut frame, &example_state(layout), &setup(0x5000));
    assert_eq!(pushed.address + pushed.bytes.len() as u64, 0x5000);
}

#[test]
fn what_is_pushed_comes_back() {
    for layout in [
        LAYOUT,
        ExtendedLayout {
            bytes: 512,
            features: 0,
        },
    ] {
        let (frame, state, result) = round_trip(layout, |_| {});
        let (before, expected) = (example_frame(), example_state(layout));
        assert_eq!(frame.user_registers(), before.user_registers());
        assert_eq!(state.extended(), expected.extended());
        let back = result.unwrap();
        assert_eq!(back.mask, 0x1_0000_0004);
        assert_eq!(back.alternate_stack, (0x1000, 2, 0x4000));
    }
}

#[test]
fn the_fault_is_told() {
    let mut frame = example_frame();
    let pushed = push(&mut frame, &example_state(LAYOUT), &setup(STACK));
    let record = RtSigFrame::read_from_prefix(&pushed.bytes).unwrap().0;
    let context = record.uc.uc_mcontext;
    assert_eq!((context.cr2, context.err), (0xdead_b000, 6));
    assert_eq!((context.cs, context.ss), (0x33, 0x2b));
    assert_eq!(record.uc.uc_flags, 7);
}

#[test]
fn privileged_flags_are_not_taken_over() {
    let (frame, ..) = round_trip(LAYOUT, |pushed| {
        put(
            pushed,
            context_offset(offset_of!(SigContext, eflags)),
            &u64::MAX.to_le_bytes(),
        );
    });
    assert_eq!(frame.rflags, 0x0005_0dd5 | 0x202);
    assert_eq!((frame.cs, frame.ss), (0x33, 0x2b));
    assert_eq!(frame.return_path, RETURN_BY_IRET);
}

#[test]
fn foreign_selectors_are_refused() {
    let with = |cs: u16, ss: u16| {
        let (.., result) = round_trip(LAYOUT, |pushed| {
            put(
                pushed,
                context_offset(offset_of!(SigContext, cs)),
                &cs.to_le_bytes(),
            );
            put(
                pushed,
                context_offset(offset_of!(SigContext, ss)),
                &ss.to_le_bytes(),
            );
        });
        result.map(|_| ())
    };
    assert_eq!(with(0x30, 0x28), Ok(()), "the privilege is that of programs");
    for (cs, ss) in [(0x10, 0x2b), (0, 0x2b), (0x23, 0x2b), (0x33, 0), (0x33, 0x18)] {
        assert_eq!(with(cs, ss), Err(Errno::EINVAL), "{cs:#x} {ss:#x}");
    }
}

#[test]
fn an_image_that_the_processor_would_refuse_is_refused() {
    let changes: [(usize, &[u8]); 4] = [
        (24, &[0, 0, 1, 0]),
        (LEGACY_BYTES, &[8]),
        (LEGACY_BYTES + 15, &[0x80]),
        (LEGACY_BYTES + 16, &[1]),
    ];
    for (at, bytes) in changes {
        let (_, state, result) = round_trip(LAYOUT, |pushed| {
            let image = image_offset(pushed);
            put(pushed, image + at, bytes);
        });
        assert_eq!(result.map(|_| ()), Err(Errno::EINVAL), "{at}");
        assert_eq!(state.extended(), UserState::new(LAYOUT).extended());
    }
}

#[test]
fn whatever_a_program_writes_there_the_processor_accepts_what_is_left() {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random as usize
    };
    for _ in 0..2000 {
        let (frame, state, _) = round_trip(LAYOUT, |pushed| {
            for _ in 0..1 + next() % 6 {
                let at = next() % pushed.bytes.len();
                pushed.bytes[at] ^= 1 << (next() % 8);
            }
        });
        assert_eq!((frame.cs, frame.ss), (0x33, 0x2b));
        assert_eq!(frame.rflags & !0x0005_0dd5, 0x202);
        let area = state.extended();
        assert_eq!(area[26..28], [0, 0], "no undefined bit of MXCSR");
        assert_eq!(area[LEGACY_BYTES] & !7, 0);
        assert!(area[LEGACY_BYTES + 1..][..63].iter().all(|&byte| byte == 0));
    }
}

#[test]
fn a_wrong_magic_number_leaves_the_legacy_registers_only() {
    for first in [true, false] {
        let (_, state, result) = round_trip(LAYOUT, |pushed| {
            let image = image_offset(pushed);
            let at = if first {
                image + SOFTWARE_RESERVED_OFFSET
            } else {
                image + LAYOUT.bytes
            };
            pushed.bytes[at] ^= 1;
        });
        assert!(result.is_ok());
        assert_eq!(state.extended()[160..176], [0x5a; 16]);
        assert_eq!(state.extended()[LEGACY_BYTES..][..8], 3u64.to_le_bytes());
        assert_eq!(state.extended()[576], 0);
    }
}

#[test]
fn no_image_means_fresh_registers() {
    let (_, state, result) = round_trip(LAYOUT, |pushed| {
        put(pushed, context_offset(offset_of!(SigContext, fpstate)), &[0; 8]);
    });
    assert!(result.is_ok());
    assert_eq!(state.extended(), UserState::new(LAYOUT).extended());
}

#[test]
fn wild_addresses_are_faults_and_change_nothing() {
    for wild in [1, u64::MAX, 1 << 63, STACK + 0x10_0000] {
        let (frame, _, result) = round_trip(LAYOUT, |pushed| {
            put(
                pushed,
                context_offset(offset_of!(SigContext, fpstate)),
                &wild.to_le_bytes(),
            );
        });
        assert_eq!(result.unwrap_err(), Errno::EFAULT);
        assert_eq!(frame.rip, 0x40_5000);
    }
    let mut frame = Frame::new_user(0, 3);
    let mut state = UserState::new(LAYOUT);
    let mut nothing = |_: u64, _: &mut [u8]| Err(Errno::EFAULT);
    assert!(restore(&mut frame, &mut state, &mut nothing).is_err());
}

#[test]
fn the_room_is_enough_on_any_stack() {
    for layout in [
        LAYOUT,
        ExtendedLayout {
            bytes: 512,
            features: 0,
        },
    ] {
        for stack_top in 0x7000_0000..0x7000_0040 {
            let pushed = build(&example_frame(), &example_state(layout), &setup(stack_top));
            assert!(stack_top - pushed.address <= max_bytes(layout) as u64);
        }
    }
}
