//! Conversion between counter ticks and nanoseconds without division: [`Rate`].

const NS_PER_SECOND: u64 = 1_000_000_000;
/// Fraction bits of `ns_per_tick`.
const NS_SHIFT: u32 = 32;
/// Fraction bits of `ticks_per_ns`, which is below 16.
const TICKS_SHIFT: u32 = 60;
/// Corrections after which a deadline is right for every valid rate; a rate of zeros is none.
const MAX_CORRECTIONS: u32 = 4;

/// The rate of a counter as two fixed-point factors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    ns_per_tick: u64,
    ticks_per_ns: u64,
}

impl Rate {
    /// Makes the rate of a counter of `hz` ticks a second; `None` below 1 Hz and above 10 GHz.
    pub const fn from_hz(hz: u64) -> Option<Self> {
        if hz == 0 || hz > 10 * NS_PER_SECOND {
            return None;
        }
        Some(Self {
            ns_per_tick: (((NS_PER_SECOND as u128) << NS_SHIFT) / hz as u128) as u64,
            ticks_per_ns: (((hz as u128) << TICKS_SHIFT) / NS_PER_SECOND as u128) as u64,
        })
    }

    /// Makes a rate from what [`factors`](Self::factors) gave.
    pub const fn from_factors(ns_per_tick: u64, ticks_per_ns: u64) -> Self {
        Self {
            ns_per_tick,
            ticks_per_ns,
        }
    }

    /// Returns the two factors, for a place that holds plain words.
    pub const fn factors(self) -> (u64, u64) {
        (self.ns_per_tick, self.ticks_per_ns)
    }

    /// Converts ticks to whole nanoseconds, rounding down.
    #[inline]
    pub const fn ns(self, ticks: u64) -> u64 {
        ((ticks as u128 * self.ns_per_tick as u128) >> NS_SHIFT) as u64
    }

    /// Converts nanoseconds to ticks, rounding so that [`ns`](Self::ns) of the result is not less;
    /// saturates at the end of the counter.
    pub const fn ticks(self, ns: u64) -> u64 {
        let mut ticks = self.ticks_below(ns);
        let mut steps = 0;
        while self.ns(ticks) < ns && steps < MAX_CORRECTIONS {
            // Both factors are rounded down: what is missing shrinks by their precision at each step.
            let missing = self.ticks_below(ns - self.ns(ticks));
            ticks = ticks.saturating_add(missing).saturating_add(1);
            steps += 1;
        }
        ticks
    }

    const fn ticks_below(self, ns: u64) -> u64 {
        let ticks = (ns as u128 * self.ticks_per_ns as u128) >> TICKS_SHIFT;
        if ticks > u64::MAX as u128 {
            u64::MAX
        } else {
            ticks as u64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR_NS: u64 = 365 * 86_400 * NS_PER_SECOND;

    #[test]
    fn the_rate_of_qemu_is_exact() {
        let rate = Rate::from_hz(62_500_000).expect("a valid rate");
        assert_eq!(rate.ns(1), 16);
        assert_eq!(rate.ns(62_500_000 * 3600), 3600 * NS_PER_SECOND);
        assert_eq!(rate.ticks(16), 1);
        assert_eq!(rate.ticks(17), 2);
        assert_eq!(rate.ticks(YEAR_NS), YEAR_NS / 16);
    }

    #[test]
    fn odd_rates_stay_close_for_a_year() {
        for hz in [1_000_000, 19_200_000, 24_000_000, 54_000_000, 1_000_000_000] {
            let rate = Rate::from_hz(hz).expect("a valid rate");
            let ns = rate.ns(hz * 365 * 86_400);
            assert!(YEAR_NS - ns < YEAR_NS / 1_000_000_000 * 10, "{hz}: {ns}");
        }
    }

    #[test]
    fn deadlines_are_never_early() {
        for hz in [1, 32_768, 24_000_000, 62_500_000, 1_000_000_000, 3_000_000_001] {
            let rate = Rate::from_hz(hz).expect("a valid rate");
            for ns in [0, 1, 15, 16, 17, 999_999_999, 1_234_567_890_123, YEAR_NS] {
                let ticks = rate.ticks(ns);
                assert!(rate.ns(ticks) >= ns, "{hz} {ns}");
                assert!(ticks == 0 || rate.ns(ticks - 1) <= ns, "{hz} {ns}");
            }
        }
    }

    #[test]
    fn extremes() {
        assert_eq!(Rate::from_hz(0), None);
        assert_eq!(Rate::from_hz(u64::MAX), None);
        let fast = Rate::from_hz(3_000_000_000).expect("a valid rate");
        assert_eq!(fast.ticks(u64::MAX), u64::MAX);
        assert_eq!(Rate::from_factors(0, 0).ns(5), 0);
        assert!(Rate::from_factors(0, 0).ticks(5) < 10);
    }
}
