//! Tests of devices: by number from any file system, and what /dev shows.

use los_abi::fs::make_device;
use mm::io::{SliceSource, VecSink};
use vfs::Io;

use super::*;

fn prepare() {
    mm::testing::start();
    static STARTED: sync::Once<()> = sync::Once::new();
    STARTED.call_once(|| memory::init().unwrap());
}

fn open(minor: u32) -> Arc<dyn FileOps> {
    prepare();
    let rdev = make_device(1, minor);
    open_device(
        FileKind::CharacterDevice,
        rdev,
        OpenFlags::RDWR,
        &Credentials::root(),
    )
    .unwrap()
}

fn read(device: &Arc<dyn FileOps>, count: usize) -> Vec<u8> {
    let mut sink = VecSink::new(count);
    let done = device.read_at(&mut sink, 0, &Io::KERNEL).unwrap();
    let bytes = sink.into_vec();
    assert_eq!(done, bytes.len());
    bytes
}

fn write(device: &Arc<dyn FileOps>, bytes: &[u8]) -> sync::Result<usize> {
    device.write_at(&mut SliceSource::new(bytes), 0, &Io::KERNEL)
}

#[test]
fn memory_devices_behave_as_their_manual_pages_say() {
    let [null, zero, full, random] = [3, 5, 7, 8].map(open);
    assert_eq!((read(&null, 10), write(&null, b"gone")), (Vec::new(), Ok(4)));
    assert_eq!(
        (read(&zero, 10_000), write(&zero, b"gone")),
        (alloc::vec![0; 10_000], Ok(4))
    );
    assert_eq!(
        (read(&full, 3), write(&full, b"x")),
        (alloc::vec![0; 3], Err(Errno::ENOSPC.into()))
    );
    assert_eq!(write(&full, b""), Ok(0));
    assert_eq!(write(&random, &[1; 1000]), Ok(1000));
    let (first, second) = (read(&random, 1000), read(&random, 1000));
    assert!(first != second && first[..256] != first[256..512]);
    assert!(null.pager().is_none() && zero.pager().is_some());
}

#[test]
fn nodes_open_their_driver_in_any_file_system() {
    prepare();
    let fs = TmpFs::new(&Options::default()).unwrap();
    let node = |kind, minor| NewNode {
        kind,
        mode: 0o666,
        uid: 0,
        gid: 0,
        rdev: make_device(1, minor),
    };
    let zero = fs
        .root()
        .create(b"z", &node(FileKind::CharacterDevice, 5))
        .unwrap();
    let opened = zero.open(OpenFlags::empty(), &Credentials::root()).unwrap();
    assert_eq!(read(&opened, 4), [0; 4]);
    for (name, node) in [
        ("b", node(FileKind::BlockDevice, 5)),
        ("c", node(FileKind::CharacterDevice, 99)),
    ] {
        let inode = fs.root().create(name.as_bytes(), &node).unwrap();
        let opened = inode.open(OpenFlags::empty(), &Credentials::root());
        assert_eq!(opened.err(), Some(Errno::ENXIO.into()));
    }
}

#[test]
fn dev_shows_what_is_registered_before_and_after() {
    prepare();
    let root = superblock().unwrap().file_system().root();
    let null = root.lookup(b"null").unwrap().metadata();
    assert_eq!(
        (null.rdev, null.mode, null.kind),
        (make_device(1, 3), 0o666, FileKind::CharacterDevice)
    );
    assert_eq!(
        root.lookup(b"stdin").unwrap().read_link().unwrap(),
        b"/proc/self/fd/0"
    );
    assert_eq!(root.lookup(b"shm").unwrap().access().mode, 0o1777);

    struct Nothing;
    impl Device for Nothing {
        fn open(&self, _: OpenFlags, _: &Credentials) -> sync::Result<Arc<dyn FileOps>> {
            Err(Errno::EBUSY.into())
        }
    }
    let add = || {
        register(
            "bus/late",
            FileKind::BlockDevice,
            make_device(200, 1),
            0o600,
            Arc::new(Nothing),
        )
    };
    add().unwrap();
    assert_eq!(add(), Err(Errno::EEXIST));
    let late = root.lookup(b"bus").unwrap().lookup(b"late").unwrap();
    assert_eq!(
        late.open(OpenFlags::empty(), &Credentials::root()).err(),
        Some(Errno::EBUSY.into())
    );
}
