//! The change and the comparison that FUTEX_WAKE_OP makes, encoded in one word (futex(2)).

use los_abi::errno::Errno;
use los_abi::futex::{
    FUTEX_OP_ADD, FUTEX_OP_ANDN, FUTEX_OP_CMP_EQ, FUTEX_OP_CMP_GE, FUTEX_OP_CMP_GT, FUTEX_OP_CMP_LE,
    FUTEX_OP_CMP_LT, FUTEX_OP_CMP_NE, FUTEX_OP_OPARG_SHIFT, FUTEX_OP_OR, FUTEX_OP_SET, FUTEX_OP_XOR,
};
use los_abi::syscall::UserPtr;
use los_arch::Current;
use los_arch::hal::prelude::Uaccess;
use los_arch::hal::uaccess::UserFault;

/// What is done to a word, and what its old value is compared with. Not yet checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WakeOperation {
    operation: u32,
    operand: u32,
    comparison: u32,
    compared: i32,
}

impl WakeOperation {
    /// Takes the parts out of the encoded word. As Linux does, a shift takes the low five bits of its operand.
    pub fn decode(encoded: u32) -> Self {
        let operand = sign_extend_12(encoded >> 12).cast_unsigned();
        let operation = encoded >> 28;
        let is_shift = operation & FUTEX_OP_OPARG_SHIFT != 0;
        Self {
            operation: operation & !FUTEX_OP_OPARG_SHIFT,
            operand: if is_shift { 1 << (operand & 31) } else { operand },
            comparison: encoded >> 24 & 0xf,
            compared: sign_extend_12(encoded),
        }
    }

    /// Changes a word of the active address space in one step and returns what it was.
    ///
    /// # Errors
    /// ENOSYS for an unknown operation. Inside: the page must be brought in.
    pub(super) fn apply(&self, word: UserPtr<u32>) -> Result<Result<u32, UserFault>, Errno> {
        let mut old = match Current::load_user_u32(word.addr()) {
            Ok(old) => old,
            Err(fault) => return self.result_of(0).map(|_| Err(fault)),
        };
        loop {
            let new = self.result_of(old)?;
            match Current::compare_exchange_user_u32(word.addr(), old, new) {
                Ok(found) if found == old => return Ok(Ok(old)),
                Ok(found) => old = found,
                Err(fault) => return Ok(Err(fault)),
            }
        }
    }

    fn result_of(&self, old: u32) -> Result<u32, Errno> {
        Ok(match self.operation {
            FUTEX_OP_SET => self.operand,
            FUTEX_OP_ADD => old.wrapping_add(self.operand),
            FUTEX_OP_OR => old | self.operand,
            FUTEX_OP_ANDN => old & !self.operand,
            FUTEX_OP_XOR => old ^ self.operand,
            _ => return Err(Errno::ENOSYS),
        })
    }

    /// Compares what the word was, as a signed number.
    ///
    /// # Errors
    /// ENOSYS for an unknown comparison.
    pub(super) fn compares(&self, old: u32) -> Result<bool, Errno> {
        let old = old.cast_signed();
        Ok(match self.comparison {
            FUTEX_OP_CMP_EQ => old == self.compared,
            FUTEX_OP_CMP_NE => old != self.compared,
            FUTEX_OP_CMP_LT => old < self.compared,
            FUTEX_OP_CMP_LE => old <= self.compared,
            FUTEX_OP_CMP_GT => old > self.compared,
            FUTEX_OP_CMP_GE => old >= self.compared,
            _ => return Err(Errno::ENOSYS),
        })
    }
}

/// Reads the low twelve bits as a signed number.
fn sign_extend_12(bits: u32) -> i32 {
    (bits << 20).cast_signed() >> 20
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(operation: u32, operand: u32, comparison: u32, compared: u32) -> WakeOperation {
        WakeOperation::decode(operation << 28 | comparison << 24 | (operand & 0xfff) << 12 | compared & 0xfff)
    }

    #[test]
    fn operations_change_the_word() {
        let changed =
            |operation, operand: i32, old| encode(operation, operand.cast_unsigned(), 0, 0).result_of(old);
        assert_eq!(changed(FUTEX_OP_SET, -1, 5), Ok(u32::MAX));
        assert_eq!(changed(FUTEX_OP_ADD, -2, 5), Ok(3));
        assert_eq!(changed(FUTEX_OP_OR, 8, 5), Ok(13));
        assert_eq!(changed(FUTEX_OP_ANDN, 4, 5), Ok(1));
        assert_eq!(changed(FUTEX_OP_XOR, 1, 5), Ok(4));
        assert_eq!(changed(5, 1, 5), Err(Errno::ENOSYS));
        assert_eq!(changed(FUTEX_OP_OPARG_SHIFT | FUTEX_OP_SET, 31, 5), Ok(1 << 31));
        assert_eq!(changed(FUTEX_OP_OPARG_SHIFT | FUTEX_OP_SET, 33, 5), Ok(2));
    }

    #[test]
    fn comparisons_are_signed() {
        let compares = |comparison, compared: i32, old: i32| {
            encode(0, 0, comparison, compared.cast_unsigned()).compares(old.cast_unsigned())
        };
        assert_eq!(compares(FUTEX_OP_CMP_LT, -1, -2), Ok(true));
        assert_eq!(compares(FUTEX_OP_CMP_GE, -1, 0), Ok(true));
        assert_eq!(compares(FUTEX_OP_CMP_EQ, -2048, -2048), Ok(true));
        assert_eq!(compares(FUTEX_OP_CMP_NE, 7, 7), Ok(false));
        assert_eq!(compares(FUTEX_OP_CMP_LE, 7, 7), Ok(true));
        assert_eq!(compares(FUTEX_OP_CMP_GT, 7, 7), Ok(false));
        assert_eq!(compares(6, 7, 7), Err(Errno::ENOSYS));
    }
}
