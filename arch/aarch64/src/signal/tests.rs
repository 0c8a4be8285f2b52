//! Tests of the signal frame: its layout, the way there and back, and malformed frames.

use super::*;
use hal::trap::FaultRecord;
use hal::trap::TrapFrame as _;

const STACK_TOP: u64 = 0x7fff_1238;
const HANDLER: u64 = 0x40_2000;
const RESTORER: u64 = 0x40_3000;

fn registers() -> (TrapFrame, UserState) {
    let mut frame = TrapFrame::new_user(0x40_1000, STACK_TOP);
    for (register, value) in frame.x.iter_mut().zip(1000..) {
        *register = value;
    }
    frame.pstate = 0x6000_0000;
    let mut state = UserState::new();
    for (register, value) in state.q.iter_mut().zip(1..) {
        *register = value << 64 | 7;
    }
    state.fpcr = 0x0300_0000;
    state.fpsr = 0x10;
    (frame, state)
}

fn setup(info: &[u8; 128], fault: (u64, u64)) -> SignalSetup<'_> {
    SignalSetup {
        number: 11,
        info,
        handler: HANDLER,
        restorer: RESTORER,
        mask: 0xf0f0,
        alternate_stack: (0x5000, 2, 0x4000),
        stack_top: STACK_TOP,
        fault: FaultRecord {
            trap: 0,
            code: fault.1,
            address: Some(fault.0),
        },
    }
}

/// A stack that holds one signal frame.
fn reader(signal: &SignalFrame) -> impl FnMut(u64, &mut [u8]) -> Result<(), Errno> {
    let (address, mut bytes) = (signal.address, signal.bytes.clone());
    bytes.resize(FRAME_BYTES as usize, 0);
    move |from, out| {
        let start = from.checked_sub(address).ok_or(Errno::EFAULT)? as usize;
        let range = start..start + out.len();
        out.copy_from_slice(bytes.get(range).ok_or(Errno::EFAULT)?);
        Ok(())
    }
}

fn pushed(fault: (u64, u64)) -> (TrapFrame, UserState, SignalFrame) {
    let (mut frame, state) = registers();
    let info = [0xab; 128];
    let setup = setup(&info, fault);
    let signal = build(&frame, &state, &setup);
    enter_handler(&mut frame, &setup, &signal);
    (frame, state, signal)
}

#[test]
fn the_handler_starts_as_linux_starts_it() {
    let (frame, _, signal) = pushed((0, 0));
    assert_eq!(signal.address % 16, 0);
    assert_eq!(signal.address, 0x7fff_1220 - 4688);
    assert_eq!((frame.sp, frame.pc), (signal.address, HANDLER));
    assert_eq!(frame.x[..3], [11, signal.address, signal.address + 128]);
    assert_eq!(frame.x[LINK], RESTORER);
    let record = (frame.x[FRAME_POINTER] - signal.address) as usize;
    assert_eq!(u64::from_le_bytes(get(&signal.bytes, record)), 1029);
    assert_eq!(u64::from_le_bytes(get(&signal.bytes, record + 8)), 1030);
}

#[test]
fn offsets_are_those_of_the_abi() {
    let (_, _, signal) = pushed((0xdead_b000, 0x9200_0007));
    let word = |at| u64::from_le_bytes(get(&signal.bytes, at));
    assert_eq!(signal.bytes[..128], [0xab; 128]);
    assert_eq!(word(128 + 40), 0xf0f0, "uc_sigmask");
    assert_eq!(word(128 + 176), 0xdead_b000, "fault_address");
    assert_eq!(word(128 + 176 + 8), 1000, "regs[0]");
    assert_eq!(word(128 + 176 + 8 + 30 * 8), 1030, "regs[30]");
    assert_eq!(word(128 + 176 + 256), STACK_TOP, "sp");
    assert_eq!(word(128 + 176 + 264), 0x40_1000, "pc");
    assert_eq!(word(128 + 176 + 288) as u32, 0x4650_8001, "FPSIMD record");
    assert_eq!(word(128 + 176 + 288 + 528) as u32, 0x4553_5201, "ESR record");
}

#[test]
fn going_there_and_back_restores_everything() {
    for fault in [(0, 0), (0x1000, 0x9200_0047)] {
        let (mut frame, state, signal) = pushed(fault);
        let mut restored = UserState::new();
        let back = restore(&mut frame, &mut restored, &mut reader(&signal));
        let back = back.expect("a frame of our own is accepted");
        assert_eq!((back.mask, back.alternate_stack), (0xf0f0, (0x5000, 2, 0x4000)));
        let (mut original, _) = registers();
        original.begin_exception();
        assert_eq!(frame, original);
        assert_eq!(restored, state);
    }
}

#[test]
fn malformed_frames_are_refused_and_change_nothing() {
    let corruptions: [(usize, &[u8]); 6] = [
        (PSTATE, &[0x05]),
        (RECORDS, &[0xff]),
        (RECORDS, &[0, 0, 0, 0]),
        (RECORDS + 4, &[0xff, 0xff, 0xff, 0xff]),
        (RECORDS + 4, &[4, 0, 0, 0]),
        (RECORDS + FPSIMD_BYTES + 4, &[1]),
    ];
    for (at, bytes) in corruptions {
        let (mut frame, mut state, mut signal) = pushed((0, 0));
        put(&mut signal.bytes, at, bytes);
        let before = frame.clone();
        let result = restore(&mut frame, &mut state, &mut reader(&signal));
        assert_eq!(result.err(), Some(Errno::EINVAL), "at {at}");
        assert_eq!(frame, before);
    }
}

#[test]
fn unreadable_and_misaligned_frames_are_refused() {
    let (mut frame, mut state, signal) = pushed((0, 0));
    frame.sp += 8;
    let result = restore(&mut frame, &mut state, &mut reader(&signal));
    assert_eq!(result.err(), Some(Errno::EINVAL));
    frame.sp = 16;
    let result = restore(&mut frame, &mut state, &mut reader(&signal));
    assert_eq!(result.err(), Some(Errno::EFAULT));
}

#[test]
fn the_room_is_enough_on_any_stack() {
    // Linux's AT_MINSIGSTKSZ of a processor without SVE.
    assert_eq!(FRAME_BYTES_MAX, 4720);
    let (frame, state, _) = pushed((0, 0));
    for stack_top in STACK_TOP..STACK_TOP + 16 {
        let setup = SignalSetup {
            stack_top,
            ..setup(&[0; 128], (1, 2))
        };
        let signal = build(&frame, &state, &setup);
        assert!(stack_top - signal.address <= FRAME_BYTES_MAX as u64);
    }
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

fn get<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut value = [0; N];
    value.copy_from_slice(&bytes[at..at + N]);
    value
}
