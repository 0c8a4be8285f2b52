//! Conversion between clocks of constant frequency, in fixed point. Pure.

/// Ticks of one clock for each tick of another, times 2^32.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ratio(pub(crate) u64);

impl Ratio {
    /// Makes the factor that turns ticks at `from_hz` into ticks at `to_hz`; saturates, also where
    /// `from_hz` is 0.
    pub(crate) fn between(from_hz: u64, to_hz: u64) -> Self {
        let scaled = (u128::from(to_hz) << 32).checked_div(u128::from(from_hz));
        Self(
            scaled
                .and_then(|scaled| u64::try_from(scaled).ok())
                .unwrap_or(u64::MAX),
        )
    }

    /// Converts ticks, rounding down; saturates.
    #[inline]
    pub(crate) fn apply(self, ticks: u64) -> u64 {
        let scaled = (u128::from(ticks) * u128::from(self.0)) >> 32;
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back_again() {
        let (to_ns, to_ticks) = (
            Ratio::between(2_893_202_000, 1_000_000_000),
            Ratio::between(1_000_000_000, 2_893_202_000),
        );
        let year_ns = 365 * 86_400 * 1_000_000_000u64;
        let back = to_ns.apply(to_ticks.apply(year_ns));
        assert!(back.abs_diff(year_ns) < year_ns / 1_000_000_000 + 10);
    }

    #[test]
    fn one_to_one_is_exact() {
        let same = Ratio::between(1_000_000_000, 1_000_000_000);
        assert_eq!(same.apply(123_456_789_012_345), 123_456_789_012_345);
    }

    #[test]
    fn extremes_saturate() {
        assert_eq!(Ratio::between(0, 5).apply(u64::MAX), u64::MAX);
        assert_eq!(Ratio::between(1, 4).apply(u64::MAX), u64::MAX);
    }
}
