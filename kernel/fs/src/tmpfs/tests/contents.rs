//! Contents of regular files against a vector of bytes.

use proptest::prelude::*;

use los_abi::fs::OpenFlags;
use mm::{Access, PagerError};
use vfs::{Extent, Inode};

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Write(u64, Vec<u8>),
    Append(Vec<u8>),
    Truncate(u64),
    Punch(u64, u64),
    Reserve(u64, u64),
    /// A store through a mapping: page, offset in it, byte.
    Store(u64, usize, u8),
}

/// Largest offset that steps use.
const END: u64 = 6 * 4096;

fn step() -> impl Strategy<Value = Step> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..9000);
    prop_oneof![
        (0..END, bytes()).prop_map(|(offset, bytes)| Step::Write(offset, bytes)),
        bytes().prop_map(Step::Append),
        (0..END).prop_map(Step::Truncate),
        (0..END, 1..END).prop_map(|(offset, length)| Step::Punch(offset, length)),
        (0..END, 1..END).prop_map(|(offset, length)| Step::Reserve(offset, length)),
        (0..END / 4096, 0..4096_usize, any::<u8>()).prop_map(|(page, at, byte)| Step::Store(page, at, byte)),
    ]
}

fn apply(inode: &Arc<dyn Inode>, model: &mut Vec<u8>, step: &Step) {
    let file = open(inode);
    match step {
        Step::Write(offset, bytes) => {
            assert_eq!(write(&file, *offset, bytes), Ok(bytes.len()));
            overwrite(model, *offset as usize, bytes);
        }
        Step::Append(bytes) => {
            let appended = file.append(&mut SliceSource::new(bytes), &Io::KERNEL).unwrap();
            overwrite(model, model.len(), bytes);
            assert_eq!(appended, (bytes.len(), model.len() as u64));
        }
        Step::Truncate(size) => {
            inode.truncate(*size).unwrap();
            model.resize(*size as usize, 0);
        }
        Step::Punch(offset, length) => {
            file.allocate(3, *offset, *length).unwrap();
            let end = ((offset + length) as usize).min(model.len());
            if (*offset as usize) < end {
                model[*offset as usize..end].fill(0);
            }
        }
        Step::Reserve(offset, length) => {
            file.allocate(0, *offset, *length).unwrap();
            model.resize(model.len().max((offset + length) as usize), 0);
        }
        Step::Store(page, at, byte) => {
            let offset = *page as usize * 4096 + at;
            match inode.clone().pager().unwrap().page(*page, Access::Write) {
                Ok(frame) if offset < model.len() => {
                    frame.write(*at, &[*byte]);
                    model[offset] = *byte;
                }
                // In the last page, behind the end: not stored, so that it need not be forgotten.
                Ok(_) => assert!(*page < (model.len() as u64).div_ceil(4096)),
                Err(error) => {
                    assert_eq!(error, PagerError::BeyondEnd);
                    assert!(*page >= (model.len() as u64).div_ceil(4096));
                }
            }
        }
    }
}

fn overwrite(model: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    model.resize(model.len().max(offset + bytes.len()), 0);
    model[offset..offset + bytes.len()].copy_from_slice(bytes);
}

proptest! {
    #[test]
    fn contents_are_as_a_vector(steps in prop::collection::vec(step(), 0..20), at in 0..END, count in 0..9000_usize) {
        let fs = file_system();
        let inode = regular(&fs.root(), b"f");
        let mut model = Vec::new();
        for step in &steps {
            apply(&inode, &mut model, step);
            prop_assert_eq!(inode.metadata().size, model.len() as u64);
        }
        let file = open(&inode);
        prop_assert_eq!(&read(&file, 0, model.len() + 1), &model);
        let start = (at as usize).min(model.len());
        let end = (start + count).min(model.len());
        prop_assert_eq!(&read(&file, at, count)[..], &model[start..end]);
        let used = TEST_OPTIONS.pages - fs.statfs().f_bfree;
        prop_assert_eq!(used * 8, inode.metadata().blocks);
    }
}

#[test]
fn mappings_share_the_pages_of_the_file() {
    let fs = file_system();
    let inode = regular(&fs.root(), b"f");
    let file = open(&inode);
    write(&file, 0, b"old").unwrap();
    let pager = inode.clone().pager().unwrap();
    assert!(pager.cached(1).is_none());
    assert_eq!(pager.page(1, Access::Read).unwrap_err(), PagerError::BeyondEnd);
    let frame = pager.page(0, Access::Read).unwrap();
    assert_eq!(pager.cached(0).unwrap().phys(), frame.phys());
    write(&file, 1, b"NEW").unwrap();
    let mut bytes = [0; 4];
    frame.read(0, &mut bytes);
    assert_eq!(&bytes, b"oNEW");
}

#[test]
fn growing_after_a_cut_shows_zeros() {
    let fs = file_system();
    let inode = regular(&fs.root(), b"f");
    let file = open(&inode);
    write(&file, 0, &[9; 5000]).unwrap();
    inode.truncate(10).unwrap();
    inode.truncate(5000).unwrap();
    let bytes = read(&file, 0, 5000);
    assert!(bytes[..10].iter().all(|&byte| byte == 9) && bytes[10..].iter().all(|&byte| byte == 0));
    assert_eq!(inode.metadata().blocks, 8);
}

#[test]
fn what_mappings_leave_behind_the_end_is_not_part_of_the_file() {
    let fs = file_system();
    let grow: [fn(&Arc<dyn Inode>); 3] = [
        |inode| inode.truncate(300).unwrap(),
        |inode| assert_eq!(write(&open(inode), 250, b"x"), Ok(1)),
        |inode| open(inode).allocate(0, 0, 300).unwrap(),
    ];
    for (name, grow) in [b"a", b"b", b"c"].into_iter().zip(grow) {
        let inode = regular(&fs.root(), name);
        write(&open(&inode), 0, &[9; 100]).unwrap();
        let frame = inode.clone().pager().unwrap().page(0, Access::Write).unwrap();
        frame.fill_range(100, 4096 - 100, 7);
        grow(&inode);
        let bytes = read(&open(&inode), 90, 160);
        assert_eq!(bytes[..10], [9; 10]);
        assert!(bytes[10..].iter().all(|&byte| byte == 0), "{bytes:?}");
    }
}

#[test]
fn extents_are_pages() {
    let fs = file_system();
    let inode = regular(&fs.root(), b"f");
    let file = open(&inode);
    write(&file, 2 * 4096, &[1; 4096]).unwrap();
    inode.truncate(5 * 4096).unwrap();
    let end = 5 * 4096;
    assert_eq!(file.next_extent(0, end, Extent::Data), Ok(2 * 4096));
    assert_eq!(
        file.next_extent(2 * 4096 + 7, end, Extent::Data),
        Ok(2 * 4096 + 7)
    );
    assert_eq!(file.next_extent(3 * 4096, end, Extent::Data), Err(Errno::ENXIO));
    assert_eq!(file.next_extent(0, end, Extent::Hole), Ok(0));
    assert_eq!(file.next_extent(2 * 4096 + 7, end, Extent::Hole), Ok(3 * 4096));
}

#[test]
fn sizes_have_limits() {
    let fs = file_system();
    let inode = regular(&fs.root(), b"f");
    let file = open(&inode);
    let limited = |offset, limit| {
        let io = Io {
            size_limit: limit,
            ..Io::KERNEL
        };
        file.write_at(&mut SliceSource::new(b"abcd"), offset, &io)
    };
    assert_eq!(limited(0, 3), Ok(3));
    assert_eq!(limited(3, 3), Err(Errno::EFBIG.into()));
    assert_eq!(limited(i64::MAX as u64, u64::MAX), Err(Errno::EFBIG.into()));
    assert_eq!(limited(i64::MAX as u64 - 1, u64::MAX), Ok(1));
    assert_eq!(inode.truncate(1 << 63), Err(Errno::EFBIG));
    assert_eq!(file.allocate(0, i64::MAX as u64, 1), Err(Errno::EFBIG));
    assert_eq!(file.allocate(0, 0, 1 << 40), Err(Errno::ENOSPC));
}

#[test]
fn a_directory_is_not_read_as_a_file() {
    let fs = file_system();
    let ops = fs.root().open(OpenFlags::empty(), &Credentials::root()).unwrap();
    let read = ops.read_at(&mut VecSink::new(10), 0, &Io::KERNEL);
    assert_eq!(read, Err(Errno::EISDIR.into()));
}
