//! The registers of a program that stay in the processor while the kernel runs: x87, SSE and AVX, and the
//! bases of FS and GS. Pure; `cpu` moves them between memory and processor.

extern crate alloc;

use alloc::vec;
use alloc::vec::Vec;

/// Bytes of the FXSAVE area, with which every extended area begins (SDM volume 1, 10.5.1). Behind it stands
/// XSAVE's header: XSTATE_BV, XCOMP_BV and 48 reserved bytes (SDM volume 1, 13.4.2).
pub(crate) const LEGACY_BYTES: usize = 512;
/// Bytes of XSAVE's header.
pub(crate) const HEADER_BYTES: usize = 64;
/// Where MXCSR stands.
pub(crate) const MXCSR_OFFSET: usize = 24;

/// The x87 control word of a fresh program: all exceptions masked, 64-bit precision.
const INITIAL_FCW: u16 = 0x37f;
/// The SSE control word of a fresh program: all exceptions masked.
const INITIAL_MXCSR: u32 = 0x1f80;

/// How the processor saves extended registers, as detected at start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ExtendedLayout {
    /// Bytes that XSAVE (or FXSAVE) writes.
    pub(crate) bytes: usize,
    /// XCR0, the enabled components; 0 where there is only FXSAVE.
    pub(crate) features: u64,
}

/// What XSAVE needs its area aligned to.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Block([u8; 64]);

/// A program's extended registers and segment bases.
#[derive(Clone)]
pub struct UserState {
    area: Vec<Block>,
    layout: ExtendedLayout,
    pub(crate) fs_base: u64,
    pub(crate) gs_base: u64,
    /// Whether the program may execute RDTSC.
    pub(crate) reads_counter: bool,
}

impl UserState {
    /// Makes the registers of a fresh program image.
    pub(crate) fn new(layout: ExtendedLayout) -> Self {
        let blocks = layout.bytes.div_ceil(size_of::<Block>());
        let mut state = Self {
            area: vec![Block([0; 64]); blocks],
            layout,
            fs_base: 0,
            gs_base: 0,
            reads_counter: true,
        };
        state.reset_extended();
        state
    }

    /// Returns the layout of the extended area.
    pub(crate) fn layout(&self) -> ExtendedLayout {
        self.layout
    }

    /// Returns the extended area, exactly as long as the layout says.
    pub(crate) fn extended(&self) -> &[u8] {
        let start = self.area.as_ptr().cast::<u8>();
        // SAFETY: the vector holds at least this many initialised bytes, and lives as long as `self`.
        unsafe { core::slice::from_raw_parts(start, self.layout.bytes) }
    }

    /// Returns the extended area for writing. What is written must be acceptable to XRSTOR.
    pub(crate) fn extended_mut(&mut self) -> &mut [u8] {
        let start = self.area.as_mut_ptr().cast::<u8>();
        // SAFETY: as in `extended`; the exclusive borrow of `self` covers the vector.
        unsafe { core::slice::from_raw_parts_mut(start, self.layout.bytes) }
    }

    /// Sets all extended registers to what a fresh program has. A zero XSTATE_BV makes XRSTOR initialise
    /// every component; FXRSTOR reads the control words.
    pub(crate) fn reset_extended(&mut self) {
        let area = self.extended_mut();
        area.fill(0);
        area[..2].copy_from_slice(&INITIAL_FCW.to_le_bytes());
        area[MXCSR_OFFSET..MXCSR_OFFSET + 4].copy_from_slice(&INITIAL_MXCSR.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_state_masks_every_floating_point_exception() {
        let layout = ExtendedLayout {
            bytes: 832,
            features: 7,
        };
        let state = UserState::new(layout);
        let area = state.extended();
        assert_eq!(area.len(), 832);
        assert_eq!(area.as_ptr().align_offset(64), 0);
        assert_eq!(area[..2], [0x7f, 0x03]);
        assert_eq!(area[24..28], [0x80, 0x1f, 0, 0]);
        assert!(area[LEGACY_BYTES..].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn a_clone_has_its_own_area() {
        let mut parent = UserState::new(ExtendedLayout {
            bytes: 512,
            features: 0,
        });
        let child = parent.clone();
        parent.extended_mut()[160] = 9;
        assert_eq!(child.extended()[160], 0);
        assert_eq!(child.extended().as_ptr().align_offset(64), 0);
    }
}
