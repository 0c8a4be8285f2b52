//! `$((...))`: C's integer expressions on 64-bit signed numbers, wrapping on overflow.
//!
//! `POSIX.1-2017, Shell Command Language, 2.6.4`. Increment and decrement are left out, as POSIX
//! allows; the operands of `&&`, `||` and `?:` are assigned only when C evaluates them.

use alloc::vec::Vec;

/// The variables that an expression reads and assigns.
pub trait Names {
    /// Returns a variable's text, if it is set.
    fn get(&self, name: &[u8]) -> Option<Vec<u8>>;
    /// Assigns a variable.
    ///
    /// # Errors
    /// A message when the variable is read-only.
    fn set(&mut self, name: &[u8], value: i64) -> Result<()>;
}

type Result<T> = core::result::Result<T, &'static str>;

/// Parentheses and unary operators may be nested this deep.
const MAX_DEPTH: usize = 64;

/// Binary operators, longest first, with their binding strength.
const BINARY: [(&[u8], u8); 18] = [
    (b"<<", 8),
    (b">>", 8),
    (b"<=", 7),
    (b">=", 7),
    (b"==", 6),
    (b"!=", 6),
    (b"&&", 2),
    (b"||", 1),
    (b"*", 10),
    (b"/", 10),
    (b"%", 10),
    (b"+", 9),
    (b"-", 9),
    (b"<", 7),
    (b">", 7),
    (b"&", 5),
    (b"^", 4),
    (b"|", 3),
];

/// Operators that may stand before the `=` of an assignment.
const ASSIGNING: [&[u8]; 11] = [b"<<", b">>", b"*", b"/", b"%", b"+", b"-", b"&", b"^", b"|", b""];

/// Evaluates an expression; an empty one is zero.
///
/// # Errors
/// A message for text that is no expression, for a division by zero, or from [`Names::set`].
pub fn evaluate(text: &[u8], names: &mut dyn Names) -> Result<i64> {
    let mut evaluator = Evaluator {
        text,
        position: 0,
        depth: 0,
        skipping: 0,
        names,
    };
    if evaluator.peek().is_none() {
        return Ok(0);
    }
    let mut value = evaluator.assignment()?;
    while evaluator.take(b",") {
        value = evaluator.assignment()?;
    }
    if evaluator.peek().is_some() {
        return Err("arithmetic syntax error");
    }
    Ok(value)
}

struct Evaluator<'a> {
    text: &'a [u8],
    position: usize,
    depth: usize,
    /// Above zero in an operand that C would not evaluate.
    skipping: usize,
    names: &'a mut dyn Names,
}

impl<'a> Evaluator<'a> {
    fn assignment(&mut self) -> Result<i64> {
        let start = self.position;
        if let Some(name) = self.name() {
            let rest = self.rest();
            let operator = ASSIGNING.into_iter().find(|operator| {
                rest.strip_prefix(*operator)
                    .is_some_and(|rest| rest.starts_with(b"=") && !rest.starts_with(b"=="))
            });
            if let Some(operator) = operator {
                self.position += operator.len() + 1;
                let right = self.nested(Self::assignment)?;
                let value = if operator.is_empty() {
                    right
                } else {
                    self.apply(operator, self.value(&name)?, right)?
                };
                if self.skipping == 0 {
                    self.names.set(&name, value)?;
                }
                return Ok(value);
            }
            self.position = start;
        }
        self.conditional()
    }

    fn conditional(&mut self) -> Result<i64> {
        let condition = self.binary(1)?;
        if !self.take(b"?") {
            return Ok(condition);
        }
        let first = self.guarded(condition == 0, Self::assignment)?;
        if !self.take(b":") {
            return Err("arithmetic syntax error: expected ':'");
        }
        let second = self.guarded(condition != 0, |this| this.nested(Self::conditional))?;
        Ok(if condition != 0 { first } else { second })
    }

    fn binary(&mut self, least: u8) -> Result<i64> {
        let mut left = self.unary()?;
        loop {
            let rest = self.rest();
            let Some((operator, strength)) = BINARY
                .into_iter()
                .find(|(operator, _)| rest.starts_with(operator))
            else {
                return Ok(left);
            };
            if strength < least {
                return Ok(left);
            }
            self.position += operator.len();
            let skip = operator == b"&&" && left == 0 || operator == b"||" && left != 0;
            let right = self.guarded(skip, |this| this.binary(strength + 1))?;
            left = self.apply(operator, left, right)?;
        }
    }

    fn unary(&mut self) -> Result<i64> {
        let operator = self.peek().ok_or("arithmetic syntax error: expected a number")?;
        if !b"-+!~(".contains(&operator) {
            return self.primary();
        }
        self.position += 1;
        if operator == b'(' {
            let value = self.nested(Self::assignment)?;
            return if self.take(b")") {
                Ok(value)
            } else {
                Err("arithmetic syntax error: expected ')'")
            };
        }
        let value = self.nested(Self::unary)?;
        Ok(match operator {
            b'-' => value.wrapping_neg(),
            b'!' => i64::from(value == 0),
            b'~' => !value,
            _ => value,
        })
    }

    fn primary(&mut self) -> Result<i64> {
        if let Some(name) = self.name() {
            return self.value(&name);
        }
        let rest = self.rest();
        let length = rest
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric())
            .count();
        self.position += length;
        number(&rest[..length])
    }

    fn apply(&self, operator: &[u8], left: i64, right: i64) -> Result<i64> {
        let shift = (right & 63) as u32;
        Ok(match operator {
            b"*" => left.wrapping_mul(right),
            b"/" | b"%" if right == 0 => {
                if self.skipping > 0 {
                    return Ok(0);
                }
                return Err("division by zero");
            }
            b"/" => left.wrapping_div(right),
            b"%" => left.wrapping_rem(right),
            b"+" => left.wrapping_add(right),
            b"-" => left.wrapping_sub(right),
            b"<<" => left.wrapping_shl(shift),
            b">>" => left.wrapping_shr(shift),
            b"<=" => i64::from(left <= right),
            b">=" => i64::from(left >= right),
            b"<" => i64::from(left < right),
            b">" => i64::from(left > right),
            b"==" => i64::from(left == right),
            b"!=" => i64::from(left != right),
            b"&" => left & right,
            b"^" => left ^ right,
            b"|" => left | right,
            b"&&" => i64::from(left != 0 && right != 0),
            _ => i64::from(left != 0 || right != 0),
        })
    }

    fn value(&self, name: &[u8]) -> Result<i64> {
        match self.names.get(name) {
            Some(text) => {
                let text = text.trim_ascii();
                if text.is_empty() {
                    return Ok(0);
                }
                match text.strip_prefix(b"-") {
                    Some(digits) => number(digits).map(i64::wrapping_neg),
                    None => number(text.strip_prefix(b"+").unwrap_or(text)),
                }
            }
            None => Ok(0),
        }
    }

    fn name(&mut self) -> Option<Vec<u8>> {
        let rest = self.rest();
        if !crate::lexer::is_name_start(*rest.first()?) {
            return None;
        }
        let length = rest
            .iter()
            .take_while(|byte| crate::lexer::is_name_byte(**byte))
            .count();
        self.position += length;
        Some(rest[..length].to_vec())
    }

    fn guarded(&mut self, skip: bool, parse: impl FnOnce(&mut Self) -> Result<i64>) -> Result<i64> {
        self.skipping += usize::from(skip);
        let value = parse(self);
        self.skipping -= usize::from(skip);
        value
    }

    fn nested(&mut self, parse: impl FnOnce(&mut Self) -> Result<i64>) -> Result<i64> {
        if self.depth >= MAX_DEPTH {
            return Err("arithmetic expression nested too deeply");
        }
        self.depth += 1;
        let value = parse(self);
        self.depth -= 1;
        value
    }

    fn peek(&mut self) -> Option<u8> {
        self.rest().first().copied()
    }

    /// Returns the text from the next character that is not a space.
    fn rest(&mut self) -> &'a [u8] {
        let rest = self.text.get(self.position..).unwrap_or_default();
        let trimmed = rest.trim_ascii_start();
        self.position += rest.len() - trimmed.len();
        trimmed
    }

    fn take(&mut self, operator: &[u8]) -> bool {
        let found = self.rest().starts_with(operator);
        if found {
            self.position += operator.len();
        }
        found
    }
}

/// Reads a decimal, `0`-octal or `0x`-hexadecimal number; nothing is zero.
fn number(text: &[u8]) -> Result<i64> {
    let (digits, radix) = match text {
        [] => return Err("arithmetic syntax error: expected a number"),
        [b'0', b'x' | b'X', digits @ ..] => (digits, 16),
        [b'0', digits @ ..] if !digits.is_empty() => (digits, 8),
        digits => (digits, 10),
    };
    let mut value = 0_i64;
    for byte in digits {
        let digit = char::from(*byte).to_digit(radix).ok_or("bad number")?;
        value = value
            .wrapping_mul(i64::from(radix))
            .wrapping_add(i64::from(digit));
    }
    if digits.is_empty() {
        Err("bad number")
    } else {
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::{Names, evaluate};
    use alloc::collections::BTreeMap;
    use alloc::format;
    use alloc::vec::Vec;

    impl Names for BTreeMap<Vec<u8>, Vec<u8>> {
        fn get(&self, name: &[u8]) -> Option<Vec<u8>> {
            Self::get(self, name).cloned()
        }

        fn set(&mut self, name: &[u8], value: i64) -> Result<(), &'static str> {
            self.insert(name.to_vec(), format!("{value}").into_bytes());
            Ok(())
        }
    }

    #[test]
    fn evaluates_as_c_does() {
        let mut names = BTreeMap::from([(b"x".to_vec(), b"7".to_vec())]);
        let cases = [
            ("", 0),
            ("1 + 2 * 3", 7),
            ("(1 + 2) * 3", 9),
            ("10 - 4 - 3", 3),
            ("-x + 10", 3),
            ("unset", 0),
            ("0x1f + 010", 39),
            ("1 << 4 | 1", 17),
            ("3 > 2 && 2 > 3", 0),
            ("3 >= 3 || 1 / 0", 1),
            ("!5 + ~0", -1),
            ("x == 7 ? 1 : 2", 1),
            ("0 ? 1 : 0 ? 2 : 3", 3),
            ("y = x * 2", 14),
            ("y += 1, y", 15),
            ("y <<= 1", 30),
            ("-7 / 2", -3),
            ("-7 % 3", -1),
            ("9223372036854775807 + 1", i64::MIN),
            ("0 && (z = 5)", 0),
            ("z", 0),
            ("5 & 3 ^ 1", 0),
        ];
        for (text, expected) in cases {
            assert_eq!(evaluate(text.as_bytes(), &mut names), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_expression() {
        let mut names = BTreeMap::new();
        for text in ["1 +", "1 / 0", "(1", "1 2", "09", "1 ? 2", "@", "5 % 0", "0x"] {
            assert!(evaluate(text.as_bytes(), &mut names).is_err(), "{text}");
        }
        let deep = "(".repeat(1000);
        assert!(evaluate(deep.as_bytes(), &mut names).is_err());
    }
}
