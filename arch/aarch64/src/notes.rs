//! The registers of a thread as a core dump has them: `elf_gregset_t`, `user_fpsimd_state`, the thread pointers and
//! the system call's number (Linux's regsets).

use los_abi::core_dump::{NT_ARM_SYSTEM_CALL, NT_ARM_TLS, NT_PRFPREG, NT_PRSTATUS};

use hal::trap::{RegisterNote, TrapFrame as _};

use crate::frame::TrapFrame;
use crate::state::UserState;

/// Calls `visit` with every set of registers.
pub fn visit(frame: &TrapFrame, state: &UserState, visit: &mut dyn FnMut(RegisterNote<'_>)) {
    let mut note = |owner, kind, pieces: &[&[u8]]| visit(RegisterNote { owner, kind, pieces });
    let general = frame.user_registers().map(u64::to_le_bytes);
    note("CORE", NT_PRSTATUS, &[general.as_flattened()]);
    let vectors = state.q.map(u128::to_le_bytes);
    let control = [state.fpsr as u32, state.fpcr as u32, 0, 0].map(u32::to_le_bytes);
    note(
        "CORE",
        NT_PRFPREG,
        &[vectors.as_flattened(), control.as_flattened()],
    );
    // The second thread pointer is that of processors with SME.
    let pointers = [state.thread_pointer, 0].map(u64::to_le_bytes);
    note("LINUX", NT_ARM_TLS, &[pointers.as_flattened()]);
    let call = if frame.in_syscall() {
        frame.syscall_number() as u32
    } else {
        u32::MAX
    };
    note("LINUX", NT_ARM_SYSTEM_CALL, &[&call.to_le_bytes()]);
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn every_set_has_the_size_of_linux() {
        let (frame, mut state) = (TrapFrame::new_user(0x1000, 0x2000), UserState::new());
        state.thread_pointer = 0x77;
        let mut notes = Vec::new();
        visit(&frame, &state, &mut |note| {
            notes.push((note.kind, note.pieces.concat()))
        });
        let sizes: Vec<_> = notes.iter().map(|(kind, bytes)| (*kind, bytes.len())).collect();
        assert_eq!(
            sizes,
            [
                (NT_PRSTATUS, 34 * 8),
                (NT_PRFPREG, 528),
                (NT_ARM_TLS, 16),
                (NT_ARM_SYSTEM_CALL, 4)
            ]
        );
        assert_eq!(
            notes[0].1[31 * 8..][..16],
            [0x2000_u64, 0x1000].map(u64::to_le_bytes).concat()
        );
        assert_eq!(notes[2].1[0], 0x77);
        assert_eq!(notes[3].1, [0xff; 4]);
    }
}
