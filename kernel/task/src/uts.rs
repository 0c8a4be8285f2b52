//! The names of the host and of its NIS domain, which can be changed (sethostname(2), setdomainname(2)).

use los_abi::system::UTS_LEN;
use sync::{Rank, SpinLock};

use crate::version;

/// A name, filled up with zeros.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UtsName([u8; UTS_LEN]);

static HOST: SpinLock<UtsName> = SpinLock::new(Rank::Process, UtsName::new(version::HOST.as_bytes()));
static DOMAIN: SpinLock<UtsName> = SpinLock::new(Rank::Process, UtsName::new(version::DOMAIN.as_bytes()));

impl UtsName {
    const fn new(text: &[u8]) -> Self {
        let mut bytes = [0; UTS_LEN];
        let mut index = 0;
        while index < text.len() && index < UTS_LEN {
            bytes[index] = text[index];
            index += 1;
        }
        Self(bytes)
    }

    /// Returns the text: up to the first NUL, which a caller may have put into the middle.
    pub fn as_bytes(&self) -> &[u8] {
        let end = self.0.iter().position(|byte| *byte == 0);
        &self.0[..end.unwrap_or(UTS_LEN)]
    }
}

/// Returns the name of the host.
pub fn host() -> UtsName {
    *HOST.lock()
}

/// Sets the name of the host; bytes beyond [`UTS_LEN`] are dropped.
pub fn set_host(name: &[u8]) {
    *HOST.lock() = UtsName::new(name);
}

/// Returns the name of the domain.
pub fn domain() -> UtsName {
    *DOMAIN.lock()
}

/// Sets the name of the domain; bytes beyond [`UTS_LEN`] are dropped.
pub fn set_domain(name: &[u8]) {
    *DOMAIN.lock() = UtsName::new(name);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_at_the_first_nul_and_at_the_limit() {
        assert_eq!(UtsName::new(b"ab\0c").as_bytes(), b"ab");
        assert_eq!(UtsName::new(&[b'x'; 99]).as_bytes(), [b'x'; UTS_LEN]);
        assert_eq!(host().as_bytes(), version::HOST.as_bytes());
    }
}
