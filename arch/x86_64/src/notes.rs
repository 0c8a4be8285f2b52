//! The registers of a thread as a core dump has them: `elf_gregset_t`, the FXSAVE area and the XSAVE area (Linux's
//! regsets).

use los_abi::core_dump::{NT_PRFPREG, NT_PRSTATUS, NT_X86_XSTATE};

use hal::trap::RegisterNote;

use crate::frame::Frame;
use crate::state::{LEGACY_BYTES, UserState};

/// Where the FXSAVE area has room for software, which tells the components of the XSAVE area there.
const SOFTWARE_OFFSET: usize = 464;

/// Index of the base of FS in `struct user_regs_struct`.
const FS_BASE: usize = 21;
/// Index of the base of GS.
const GS_BASE: usize = 22;

/// Calls `visit` with every set of registers.
pub(crate) fn visit(frame: &Frame, state: &UserState, visit: &mut dyn FnMut(RegisterNote<'_>)) {
    let mut note = |owner, kind, pieces: &[&[u8]]| visit(RegisterNote { owner, kind, pieces });
    let mut general = frame.user_registers();
    general[FS_BASE] = state.fs_base;
    general[GS_BASE] = state.gs_base;
    let general = general.map(u64::to_le_bytes);
    note("CORE", NT_PRSTATUS, &[general.as_flattened()]);
    let area = state.extended();
    let Some((legacy, rest)) = area.split_at_checked(LEGACY_BYTES) else {
        return;
    };
    note("CORE", NT_PRFPREG, &[legacy]);
    let features = state.layout().features;
    if features != 0 {
        let software = SOFTWARE_OFFSET..SOFTWARE_OFFSET + size_of_val(&features);
        let pieces = [
            &legacy[..software.start],
            &features.to_le_bytes(),
            &legacy[software.end..],
            rest,
        ];
        note("LINUX", NT_X86_XSTATE, &pieces);
    }
}

#[cfg(test)]
mod tests {
    extern crate alloc;

    use alloc::vec::Vec;

    use hal::trap::TrapFrame as _;

    use super::*;
    use crate::state::ExtendedLayout;

    fn notes(layout: ExtendedLayout) -> Vec<(u32, Vec<u8>)> {
        let mut state = UserState::new(layout);
        state.fs_base = 0x77;
        let mut notes = Vec::new();
        visit(&Frame::new_user(0x1000, 0x2000), &state, &mut |note| {
            notes.push((note.kind, note.pieces.concat()));
        });
        notes
    }

    #[test]
    fn every_set_has_the_size_of_linux() {
        let found = notes(ExtendedLayout {
            bytes: 832,
            features: 7,
        });
        let sizes: Vec<_> = found.iter().map(|(kind, bytes)| (*kind, bytes.len())).collect();
        assert_eq!(
            sizes,
            [(NT_PRSTATUS, 216), (NT_PRFPREG, 512), (NT_X86_XSTATE, 832)]
        );
        assert_eq!(found[0].1[16 * 8..][..8], 0x1000_u64.to_le_bytes());
        assert_eq!(found[0].1[21 * 8..][..8], 0x77_u64.to_le_bytes());
        assert_eq!(found[2].1[SOFTWARE_OFFSET..][..8], 7_u64.to_le_bytes());
    }

    #[test]
    fn processors_without_xsave_have_no_note_of_it() {
        let found = notes(ExtendedLayout {
            bytes: 512,
            features: 0,
        });
        assert_eq!(found.len(), 2);
    }
}
