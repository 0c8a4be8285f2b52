//! The battery-backed clock of a PC (MC146818), as time: decoding of its
//! registers. Pure; `cmos` reads them.

/// The registers that hold the time, as read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct ClockReading {
    /// Seconds, minutes, hours, day of the month, month, year of the century.
    pub(crate) fields: [u8; 6],
    /// Register B: the format.
    pub(crate) format: u8,
}

const FORMAT_24_HOURS: u8 = 1 << 1;
const FORMAT_BINARY: u8 = 1 << 2;
/// Set in the hours of a 12-hour clock after noon.
const AFTERNOON: u8 = 1 << 7;

impl ClockReading {
    /// Returns Unix time; `None` when a field is out of range, as in an unset clock. Two digits of the year
    /// mean 1970 to 2069.
    pub(crate) fn unix_seconds(&self) -> Option<u64> {
        let [second, minute, hour, day, month, year] = self.fields;
        let afternoon = self.format & FORMAT_24_HOURS == 0 && hour & AFTERNOON != 0;
        let hour_field = if self.format & FORMAT_24_HOURS == 0 {
            hour & !AFTERNOON
        } else {
            hour
        };
        let [second, minute, mut hour, day, month, year] =
            [second, minute, hour_field, day, month, year].map(|field| self.decode(field));
        if self.format & FORMAT_24_HOURS == 0 {
            hour = hour % 12 + if afternoon { 12 } else { 0 };
        }
        let year = if year < 70 { 2000 + year } else { 1900 + year };
        let valid = second < 60
            && minute < 60
            && hour < 24
            && (1..=12).contains(&month)
            && (1..=days_of_month(year, month)).contains(&day);
        valid.then(|| {
            let days = days_before_year(year) + days_before_month(year, month) + day - 1;
            days * 86_400 + hour * 3_600 + minute * 60 + second
        })
    }

    fn decode(&self, field: u8) -> u64 {
        let field = u64::from(field);
        if self.format & FORMAT_BINARY != 0 {
            return field;
        }
        (field >> 4) * 10 + (field & 0xf)
    }
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of_month(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Returns the days from 1970 to the start of a year before 2100.
fn days_before_year(year: u64) -> u64 {
    (year - 1970) * 365 + (year - 1969) / 4
}

fn days_before_month(year: u64, month: u64) -> u64 {
    (1..month).map(|earlier| days_of_month(year, earlier)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_bcd_and_24_hours() {
        let reading = ClockReading {
            fields: [0x56, 0x34, 0x12, 0x29, 0x02, 0x24],
            format: FORMAT_24_HOURS,
        };
        assert_eq!(reading.unix_seconds(), Some(1_709_210_096));
    }

    #[test]
    fn decodes_binary_and_12_hours() {
        let midnight = ClockReading {
            fields: [0, 0, 12, 1, 1, 24],
            format: FORMAT_BINARY,
        };
        assert_eq!(midnight.unix_seconds(), Some(1_704_067_200));
        let noon = ClockReading {
            fields: [0, 0, 12 | AFTERNOON, 1, 1, 24],
            ..midnight
        };
        assert_eq!(noon.unix_seconds(), Some(1_704_067_200 + 12 * 3600));
    }

    #[test]
    fn knows_the_first_and_last_second() {
        let first = ClockReading {
            fields: [0, 0, 0, 1, 1, 70],
            format: FORMAT_24_HOURS | FORMAT_BINARY,
        };
        assert_eq!(first.unix_seconds(), Some(0));
        let last = ClockReading {
            fields: [59, 59, 23, 31, 12, 69],
            ..first
        };
        assert_eq!(last.unix_seconds(), Some(3_155_759_999));
    }

    #[test]
    fn refuses_an_unset_clock() {
        assert_eq!(ClockReading::default().unix_seconds(), None);
        let never = ClockReading {
            fields: [0, 0, 0, 30, 2, 24],
            format: FORMAT_24_HOURS | FORMAT_BINARY,
        };
        assert_eq!(never.unix_seconds(), None);
        assert_eq!(
            ClockReading {
                fields: [0xff; 6],
                format: 0xff
            }
            .unix_seconds(),
            None
        );
    }
}
