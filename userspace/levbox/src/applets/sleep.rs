//! `sleep`: waits; fractions and the suffixes s, m, h and d are understood.

use rt::text::Text;
use rt::time;

use crate::Call;
use crate::options::{Grammar, Options};

/// Decimal digits behind the point that count.
const FRACTION_DIGITS: u32 = 9;

pub(super) fn run(call: &Call<'_>) -> i32 {
    let options = match Options::parse(call, &Grammar::of("")) {
        Ok(options) => options,
        Err(status) => return status,
    };
    if options.operands.is_empty() {
        return call.misused();
    }
    let mut total_ns = 0_u64;
    for operand in &options.operands {
        let Some(nanoseconds) = parse(operand) else {
            call.complain(format_args!("invalid time interval '{}'", Text(operand)));
            return 1;
        };
        total_ns = total_ns.saturating_add(nanoseconds);
    }
    time::sleep_ns(total_ns);
    0
}

/// Reads a time in nanoseconds; one too long to count becomes the longest.
fn parse(text: &[u8]) -> Option<u64> {
    let (number, unit) = match text.split_last()? {
        (b's', number) => (number, 1),
        (b'm', number) => (number, 60),
        (b'h', number) => (number, 3600),
        (b'd', number) => (number, 86_400),
        _ => (text, 1_u64),
    };
    let mut parts = number.splitn(2, |byte| *byte == b'.');
    let (whole, fraction) = (parts.next()?, parts.next().unwrap_or_default());
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut nanoseconds = 0_u64;
    for digit in whole {
        let digit = char::from(*digit).to_digit(10)?;
        nanoseconds = nanoseconds.saturating_mul(10).saturating_add(u64::from(digit));
    }
    nanoseconds = nanoseconds.saturating_mul(10_u64.pow(FRACTION_DIGITS));
    let mut weight = 10_u64.pow(FRACTION_DIGITS);
    for digit in fraction {
        let digit = char::from(*digit).to_digit(10)?;
        weight /= 10;
        nanoseconds = nanoseconds.saturating_add(u64::from(digit) * weight);
    }
    Some(nanoseconds.saturating_mul(unit))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn times_have_fractions_and_units() {
        assert_eq!(parse(b"1"), Some(1_000_000_000));
        assert_eq!(parse(b"0.25"), Some(250_000_000));
        assert_eq!(parse(b".5m"), Some(30_000_000_000));
        assert_eq!(parse(b"1.0000000019"), Some(1_000_000_001));
        assert_eq!(parse(b"99999999999999999999d"), Some(u64::MAX));
        for bad in [&b""[..], b".", b"x", b"1x", b"-1", b"1.2.3"] {
            assert_eq!(parse(bad), None);
        }
    }
}
