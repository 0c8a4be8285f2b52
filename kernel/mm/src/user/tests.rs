//! Readers and writers on the active space, and on one that is not.

use alloc::sync::Arc;

use los_abi::fs::IoVec;
use los_abi::syscall::{UserCStr, UserPtr};
use los_arch::hal::PAGE_SIZE;
use proptest::prelude::*;

use super::*;
use crate::testing::{self, space_with_memory};

const PAGE: u64 = PAGE_SIZE as u64;
const START: u64 = 0x10_0000;

fn slice(address: u64, len: usize) -> UserSlice<u8> {
    UserSlice::new(UserPtr::new(address), len)
}

/// The same memory, active and not.
fn both() -> [Arc<AddressSpace>; 2] {
    let foreign = space_with_memory(START, 2 * PAGE);
    [space_with_memory(START, 2 * PAGE), foreign]
}

#[test]
fn copies_stop_where_memory_ends() {
    let _turn = testing::exclusive();
    for space in both() {
        let end = START + 2 * PAGE;
        let mut writer = space.writer(slice(end - 5, 100));
        assert_eq!(writer.put(b"abc"), Ok(3));
        assert_eq!(writer.put(b"defg"), Ok(2));
        assert_eq!(writer.put(b"h"), Err(Errno::EFAULT));
        assert_eq!(writer.put(b""), Ok(0));
        let mut reader = space.reader(slice(end - 5, 100));
        let mut bytes = [0; 9];
        assert_eq!(reader.take(&mut bytes), Ok(5));
        assert_eq!((&bytes[..5], reader.remaining()), (&b"abcde"[..], 95));
        assert_eq!(reader.take(&mut bytes), Err(Errno::EFAULT));
        assert_eq!(space.read::<u64>(UserPtr::new(end - 5)), Err(Errno::EFAULT));
        assert_eq!(space.writer(slice(end - 5, 3)).put_zeros(10), Ok(3));
        assert_eq!(
            space.read::<u32>(UserPtr::new(end - 4)),
            Ok(u32::from_le_bytes(*b"\0\0de"))
        );
    }
}

#[test]
fn what_is_not_there_is_read_after_a_fault() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, 3 * PAGE);
    let (at, mut bytes) = (START + PAGE - 2, [1; 4]);
    assert_eq!(space.read_present(at, &mut bytes), Err(Errno::EFAULT));
    space.fault_in(at, bytes.len()).unwrap();
    space.read_present(at, &mut bytes).unwrap();
    assert_eq!(bytes, [0; 4]);
    assert_eq!(space.fault_in(START + 3 * PAGE - 1, 2), Err(Errno::EFAULT));
    assert_eq!(space.fault_in(u64::MAX, 2), Err(Errno::EFAULT));
}

#[test]
fn readers_move_on_and_end() {
    let _turn = testing::exclusive();
    for space in both() {
        space.write_bytes(START + PAGE - 3, b"abcdefgh").unwrap();
        let mut reader = space.reader(slice(START + PAGE - 3, 7));
        assert_eq!(reader.read_value::<[u8; 2]>(), Ok(*b"ab"));
        reader.skip(1);
        assert_eq!(reader.read_value::<[u8; 3]>(), Ok(*b"def"));
        assert_eq!(reader.read_value::<[u8; 2]>(), Err(Errno::EFAULT));
        assert_eq!(reader.remaining(), 1);
    }
}

#[test]
fn strings_end_at_their_nul() {
    let _turn = testing::exclusive();
    for space in both() {
        let text = [b'x'; 200];
        let at = START + PAGE - 100;
        space.write_bytes(at, &text).unwrap();
        assert_eq!(space.read_c_string(UserCStr::new(at), 4096).unwrap(), text);
        assert_eq!(
            space.read_c_string(UserCStr::new(at), 200),
            Err(Errno::ENAMETOOLONG)
        );
        assert_eq!(space.read_c_string(UserCStr::new(at), 201).unwrap(), text);
        // The last byte before the end of memory may be the NUL.
        let end = START + 2 * PAGE;
        space.write_bytes(end - 3, b"ab\0").unwrap();
        assert_eq!(space.read_c_string(UserCStr::new(end - 3), 4096).unwrap(), b"ab");
        space.write_bytes(end - 1, b"c").unwrap();
        assert_eq!(
            space.read_c_string(UserCStr::new(end - 3), 4096),
            Err(Errno::EFAULT)
        );
        assert_eq!(
            space.read_c_string(UserCStr::new(end - 3), 3),
            Err(Errno::ENAMETOOLONG)
        );
        assert_eq!(
            space.read_c_string(UserCStr::new(u64::MAX), 10),
            Err(Errno::EFAULT)
        );
    }
}

#[test]
fn words_are_exchanged() {
    let _turn = testing::exclusive();
    let [space, foreign] = both();
    let word = UserPtr::new(START + 4);
    assert_eq!(space.load_u32(word), Ok(0));
    assert_eq!(space.compare_exchange_u32(word, 0, 5), Ok(0));
    assert_eq!(space.compare_exchange_u32(word, 0, 6), Ok(5));
    assert_eq!(space.load_u32(word), Ok(5));
    assert_eq!(space.load_u32(UserPtr::new(START + 2)), Err(Errno::EFAULT));
    assert_eq!(space.load_u32(UserPtr::new(START + 2 * PAGE)), Err(Errno::EFAULT));
    assert_eq!(foreign.load_u32(word), Err(Errno::EFAULT));
}

#[test]
fn vectors_are_one_stream() {
    let _turn = testing::exclusive();
    for space in both() {
        let vector = |iov_base, iov_len| IoVec { iov_base, iov_len };
        let vectors = [
            vector(START, 3),
            vector(7, 0),
            vector(START + 100, 4),
            vector(START + 2 * PAGE - 1, 5),
        ];
        let array = START + PAGE;
        space.write_bytes(array, vectors.as_bytes()).unwrap();
        let mut sink = space.io_vectors(UserPtr::new(array), 4).unwrap();
        assert_eq!(Sink::remaining(&sink), 12);
        assert_eq!(sink.put(b"ab"), Ok(2));
        assert_eq!(sink.put(b"cdefg"), Ok(5));
        assert_eq!(sink.put(b"hij"), Ok(1));
        assert_eq!(sink.put(b"i"), Err(Errno::EFAULT));
        let mut source = space.io_vectors(UserPtr::new(array), 3).unwrap();
        let mut bytes = [0; 20];
        assert_eq!(source.take(&mut bytes), Ok(7));
        assert_eq!(&bytes[..7], b"abcdefg");
        assert_eq!(source.take(&mut bytes), Ok(0));
    }
}

#[test]
fn bad_vectors_are_refused() {
    let _turn = testing::exclusive();
    let [space, _] = both();
    let vectors = |iov_len: u64, count| {
        let vector = [IoVec {
            iov_base: START,
            iov_len,
        }; 2];
        space.write_bytes(START, vector.as_bytes()).unwrap();
        space
            .io_vectors(UserPtr::new(START), count)
            .map(|vectors| Source::remaining(&vectors))
    };
    assert_eq!(vectors(1, 1025), Err(Errno::EINVAL));
    assert_eq!(vectors(1 << 63, 1), Err(Errno::EINVAL));
    assert_eq!(vectors(1 << 62, 2), Ok(MAX_TRANSFER_BYTES));
    assert_eq!(vectors(9, 0), Ok(0));
    let end = UserPtr::new(START + 2 * PAGE - 8);
    assert_eq!(space.io_vectors(end, 1).err(), Some(Errno::EFAULT));
}

proptest! {
    /// Wild addresses are EFAULT, with both ways of access, and never anything worse.
    #[test]
    fn wild_pointers_do_no_harm(address in any::<u64>(), len in 0_usize..10000) {
        let _turn = testing::exclusive();
        let mut bytes = alloc::vec![0; len];
        for space in both() {
            let inside = address >= START && address.checked_add(len as u64).is_some_and(|end| end <= START + 2 * PAGE);
            prop_assert_eq!(space.read_bytes(address, &mut bytes).is_ok(), inside || len == 0);
            prop_assert_eq!(space.write_bytes(address, &bytes).is_ok(), inside || len == 0);
            let _ = space.read_c_string(UserCStr::new(address), len);
            let _ = space.load_u32(UserPtr::new(address));
            let _ = space.unmap(address, len as u64);
        }
    }
}
