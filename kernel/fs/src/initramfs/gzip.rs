//! gzip members (RFC 1952), decompressed by `miniz_oxide`.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress as inflate, inflate_flags};

/// First bytes of a member, and its only method of compression.
pub(super) const MAGIC: &[u8] = &[0x1f, 0x8b];
const METHOD_DEFLATE: u8 = 8;
const HEADER_BYTES: usize = 10;
/// CRC-32 and size, 4 bytes each.
const TRAILER_BYTES: usize = 8;
const FLAG_HEADER_CRC: u8 = 2;
const FLAG_EXTRA: u8 = 4;
const FLAG_NAME: u8 = 8;
const FLAG_COMMENT: u8 = 16;
const FLAGS_RESERVED: u8 = 0xe0;
/// Output room at the start, in bytes for each byte of input; it doubles when it is used up.
const EXPECTED_RATIO: usize = 3;

/// What can be wrong with a member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GzipError {
    /// The data end before the member does.
    Truncated,
    /// The header names an unknown method or has unknown flags.
    BadHeader,
    /// The compressed data make no sense.
    BadData,
    /// What came out is not what went in: CRC-32 or size differ.
    BadChecksum,
    /// There is not enough memory for the decompressed data.
    OutOfMemory,
}

/// Decompresses the member at the start of `data`; returns the result and the length of the member.
///
/// # Errors
/// As [`GzipError`] says.
pub(super) fn decompress(data: &[u8]) -> Result<(Vec<u8>, usize), GzipError> {
    let start = header_length(data)?;
    let (bytes, used) = inflate_all(&data[start..])?;
    let trailer_start = start + used;
    let trailer = data
        .get(trailer_start..trailer_start + TRAILER_BYTES)
        .ok_or(GzipError::Truncated)?;
    let word =
        |at: usize| u32::from_le_bytes([trailer[at], trailer[at + 1], trailer[at + 2], trailer[at + 3]]);
    if word(0) != crc32(&bytes) || word(4) != bytes.len() as u32 {
        return Err(GzipError::BadChecksum);
    }
    Ok((bytes, trailer_start + TRAILER_BYTES))
}

fn header_length(data: &[u8]) -> Result<usize, GzipError> {
    let header = data.get(..HEADER_BYTES).ok_or(GzipError::Truncated)?;
    let flags = header[3];
    if header[2] != METHOD_DEFLATE || flags & FLAGS_RESERVED != 0 {
        return Err(GzipError::BadHeader);
    }
    let mut at = HEADER_BYTES;
    if flags & FLAG_EXTRA != 0 {
        let length = data.get(at..at + 2).ok_or(GzipError::Truncated)?;
        at += 2 + usize::from(u16::from_le_bytes([length[0], length[1]]));
    }
    for flag in [FLAG_NAME, FLAG_COMMENT] {
        if flags & flag != 0 {
            let rest = data.get(at..).ok_or(GzipError::Truncated)?;
            at += rest
                .iter()
                .position(|&byte| byte == 0)
                .ok_or(GzipError::Truncated)?
                + 1;
        }
    }
    if flags & FLAG_HEADER_CRC != 0 {
        at += 2;
    }
    if at > data.len() {
        Err(GzipError::Truncated)
    } else {
        Ok(at)
    }
}

/// Decompresses a raw stream; returns the result and how much input it took. Memory limits the size.
fn inflate_all(mut input: &[u8]) -> Result<(Vec<u8>, usize), GzipError> {
    let total = input.len();
    let mut state = Box::<DecompressorOxide>::default();
    let mut output = Vec::new();
    let mut filled = 0;
    loop {
        if filled == output.len() {
            let more = output.len().max(total.saturating_mul(EXPECTED_RATIO)).max(1);
            output
                .try_reserve_exact(more)
                .map_err(|_| GzipError::OutOfMemory)?;
            output.resize(output.len() + more, 0);
        }
        let flags = inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        let (status, consumed, produced) = inflate(&mut state, input, &mut output, filled, flags);
        input = &input[consumed..];
        filled += produced;
        match status {
            TINFLStatus::Done => {
                output.truncate(filled);
                return Ok((output, total - input.len()));
            }
            TINFLStatus::HasMoreOutput => {}
            TINFLStatus::FailedCannotMakeProgress | TINFLStatus::NeedsMoreInput => {
                return Err(GzipError::Truncated);
            }
            _ => return Err(GzipError::BadData),
        }
    }
}

/// Computes the CRC-32 of ISO 3309 that gzip uses.
fn crc32(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut index = 0;
        while index < 256 {
            let mut value = index as u32;
            let mut bit = 0;
            while bit < 8 {
                value = if value & 1 != 0 {
                    value >> 1 ^ POLYNOMIAL
                } else {
                    value >> 1
                };
                bit += 1;
            }
            table[index] = value;
            index += 1;
        }
        table
    };
    let step = |crc: u32, &byte: &u8| crc >> 8 ^ TABLE[(crc as u8 ^ byte) as usize];
    !bytes.iter().fold(!0, step)
}

impl fmt::Display for GzipError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "gzip: data end early",
            Self::BadHeader => "gzip: unknown method or flags",
            Self::BadData => "gzip: damaged data",
            Self::BadChecksum => "gzip: wrong checksum",
            Self::OutOfMemory => "gzip: not enough memory",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::crc32;

    #[test]
    fn the_check_value_of_crc32() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
