//! The table of system calls: the one place where a call's name, numbers and arguments are written.
//!
//! [`for_each_syscall!`](crate::for_each_syscall) hands every row to one callback macro. In this crate the callback is
//! in [`super::sysno`]; the kernel makes its dispatch from the same rows, userspace its stubs, and the
//! documentation its page. Numbers are Linux's: x86_64 from `arch/x86/entry/syscalls/syscall_64.tbl`,
//! aarch64 from `include/uapi/asm-generic/unistd.h`; `tests/against_linux.rs` compares every one.

/// Invokes the macro that it is given once, with every row of the table.
///
/// A row is `{ name, x86_64: NUMBER, aarch64: NUMBER, (argument: Type, ...), Support, "note" }` where
///
/// * a number is `none` if the machine does not have the call;
/// * arguments stand in the order of the registers on x86_64, and their types are those that
///   [`syscall::prelude`](crate::syscall::prelude) brings into scope, each an [`Arg`](crate::syscall::Arg);
/// * the support is `Full` or `Partial`, and the note says what is missing or differs.
///
/// A callback matches the rows with
///
/// ```
/// macro_rules! count_rows {
///     ($({ $name:ident, x86_64: $x86_64:tt, aarch64: $aarch64:tt,
///          ($($argument:ident: $type:ty),*), $support:ident, $note:literal })*) => {
///         [$(stringify!($name)),*].len()
///     };
/// }
/// assert_eq!(los_abi::for_each_syscall!(count_rows), los_abi::syscall::Sysno::ALL.len());
/// ```
#[macro_export]
macro_rules! for_each_syscall {
    ($($callback:tt)+) => {
        $($callback)+! {
            // Files: descriptors and data.
            { read, x86_64: 0, aarch64: 63, (fd: Fd, buffer: UserPtr<u8>, count: usize), Full, "" }
            { write, x86_64: 1, aarch64: 64, (fd: Fd, buffer: UserPtr<u8>, count: usize), Full, "" }
            { readv, x86_64: 19, aarch64: 65, (fd: Fd, vectors: UserPtr<IoVec>, count: usize), Full, "" }
            { writev, x86_64: 20, aarch64: 66, (fd: Fd, vectors: UserPtr<IoVec>, count: usize), Full, "" }
            { pread64, x86_64: 17, aarch64: 67, (fd: Fd, buffer: UserPtr<u8>, count: usize, offset: i64), Full, "" }
            { pwrite64, x86_64: 18, aarch64: 68, (fd: Fd, buffer: UserPtr<u8>, count: usize, offset: i64), Full, "" }
            { open, x86_64: 2, aarch64: none, (path: UserCStr, flags: u32, mode: u32), Full, "" }
            { creat, x86_64: 85, aarch64: none, (path: UserCStr, mode: u32), Full, "" }
            { openat, x86_64: 257, aarch64: 56, (dirfd: Fd, path: UserCStr, flags: u32, mode: u32), Full, "" }
            { close, x86_64: 3, aarch64: 57, (fd: Fd), Full, "" }
            { close_range, x86_64: 436, aarch64: 436, (first: u32, last: u32, flags: CloseRangeFlags), Full, "" }
            { lseek, x86_64: 8, aarch64: 62, (fd: Fd, offset: i64, whence: u32), Full, "" }
            { dup, x86_64: 32, aarch64: 23, (fd: Fd), Full, "" }
            { dup2, x86_64: 33, aarch64: none, (old: Fd, new: Fd), Full, "" }
            { dup3, x86_64: 292, aarch64: 24, (old: Fd, new: Fd, flags: u32), Full, "" }
            { pipe, x86_64: 22, aarch64: none, (fds: UserPtr<[i32; 2]>), Full, "" }
            { fcntl, x86_64: 72, aarch64: 25, (fd: Fd, command: u32, argument: u64), Partial, "no leases" }
            { pipe2, x86_64: 293, aarch64: 59, (fds: UserPtr<[i32; 2]>, flags: u32), Full, "" }
            { flock, x86_64: 73, aarch64: 32, (fd: Fd, operation: u32), Full, "" }
            { ioctl, x86_64: 16, aarch64: 29, (fd: Fd, request: u32, argument: u64), Full, "" }
            { preadv, x86_64: 295, aarch64: 69, (fd: Fd, vectors: UserPtr<IoVec>, count: usize, offset: i64), Full, "" }
            { pwritev, x86_64: 296, aarch64: 70, (fd: Fd, vectors: UserPtr<IoVec>, count: usize, offset: i64), Full, "" }
            { preadv2, x86_64: 327, aarch64: 286, (fd: Fd, vectors: UserPtr<IoVec>, count: usize, offset: i64, offset_high: u64, flags: ReadWriteFlags), Partial, "RWF_NOWAIT is refused" }
            { pwritev2, x86_64: 328, aarch64: 287, (fd: Fd, vectors: UserPtr<IoVec>, count: usize, offset: i64, offset_high: u64, flags: ReadWriteFlags), Partial, "RWF_NOWAIT and RWF_APPEND are refused" }
            { copy_file_range, x86_64: 326, aarch64: 285, (in_fd: Fd, in_offset: UserPtr<i64>, out_fd: Fd, out_offset: UserPtr<i64>, count: usize, flags: u32), Full, "" }
            { fallocate, x86_64: 285, aarch64: 47, (fd: Fd, mode: FallocateFlags, offset: i64, length: i64), Full, "" }
            { fadvise64, x86_64: 221, aarch64: 223, (fd: Fd, offset: i64, length: i64, advice: i32), Full, "" }
            { readahead, x86_64: 187, aarch64: 213, (fd: Fd, offset: i64, count: usize), Full, "" }
            { sync_file_range, x86_64: 277, aarch64: 84, (fd: Fd, offset: i64, length: i64, flags: u32), Full, "" }
            { syncfs, x86_64: 306, aarch64: 267, (fd: Fd), Full, "" }
            { eventfd, x86_64: 284, aarch64: none, (initial: u32), Full, "" }
            { eventfd2, x86_64: 290, aarch64: 19, (initial: u32, flags: u32), Full, "" }
            { sendfile, x86_64: 40, aarch64: 71, (out_fd: Fd, in_fd: Fd, offset: UserPtr<i64>, count: usize), Full, "" }
            { truncate, x86_64: 76, aarch64: 45, (path: UserCStr, length: i64), Full, "" }
            { ftruncate, x86_64: 77, aarch64: 46, (fd: Fd, length: i64), Full, "" }
            { sync, x86_64: 162, aarch64: 81, (), Full, "" }
            { fsync, x86_64: 74, aarch64: 82, (fd: Fd), Full, "" }
            { fdatasync, x86_64: 75, aarch64: 83, (fd: Fd), Full, "" }
            // Files: names and attributes.
            { stat, x86_64: 4, aarch64: none, (path: UserCStr, stat: UserPtr<AnyStat>), Full, "" }
            { fstat, x86_64: 5, aarch64: 80, (fd: Fd, stat: UserPtr<AnyStat>), Full, "" }
            { lstat, x86_64: 6, aarch64: none, (path: UserCStr, stat: UserPtr<AnyStat>), Full, "" }
            { newfstatat, x86_64: 262, aarch64: 79, (dirfd: Fd, path: UserCStr, stat: UserPtr<AnyStat>, flags: AtFlags), Full, "" }
            { statx, x86_64: 332, aarch64: 291, (dirfd: Fd, path: UserCStr, flags: AtFlags, mask: StatxMask, statx: UserPtr<Statx>), Full, "" }
            { access, x86_64: 21, aarch64: none, (path: UserCStr, mode: AccessMode), Full, "" }
            { faccessat, x86_64: 269, aarch64: 48, (dirfd: Fd, path: UserCStr, mode: AccessMode), Full, "" }
            { faccessat2, x86_64: 439, aarch64: 439, (dirfd: Fd, path: UserCStr, mode: AccessMode, flags: AtFlags), Full, "" }
            { getdents, x86_64: 78, aarch64: none, (fd: Fd, buffer: UserPtr<u8>, count: u32), Full, "" }
            { getdents64, x86_64: 217, aarch64: 61, (fd: Fd, buffer: UserPtr<u8>, count: u32), Full, "" }
            { getcwd, x86_64: 79, aarch64: 17, (buffer: UserPtr<u8>, size: usize), Full, "" }
            { chroot, x86_64: 161, aarch64: 51, (path: UserCStr), Full, "" }
            { chdir, x86_64: 80, aarch64: 49, (path: UserCStr), Full, "" }
            { fchdir, x86_64: 81, aarch64: 50, (fd: Fd), Full, "" }
            { mkdir, x86_64: 83, aarch64: none, (path: UserCStr, mode: u32), Full, "" }
            { mkdirat, x86_64: 258, aarch64: 34, (dirfd: Fd, path: UserCStr, mode: u32), Full, "" }
            { rmdir, x86_64: 84, aarch64: none, (path: UserCStr), Full, "" }
            { unlink, x86_64: 87, aarch64: none, (path: UserCStr), Full, "" }
            { unlinkat, x86_64: 263, aarch64: 35, (dirfd: Fd, path: UserCStr, flags: AtFlags), Full, "" }
            { link, x86_64: 86, aarch64: none, (old_path: UserCStr, new_path: UserCStr), Full, "" }
            { linkat, x86_64: 265, aarch64: 37, (old_dirfd: Fd, old_path: UserCStr, new_dirfd: Fd, new_path: UserCStr, flags: AtFlags), Full, "" }
            { symlink, x86_64: 88, aarch64: none, (target: UserCStr, link_path: UserCStr), Full, "" }
            { symlinkat, x86_64: 266, aarch64: 36, (target: UserCStr, dirfd: Fd, link_path: UserCStr), Full, "" }
            { readlink, x86_64: 89, aarch64: none, (path: UserCStr, buffer: UserPtr<u8>, size: i32), Full, "" }
            { readlinkat, x86_64: 267, aarch64: 78, (dirfd: Fd, path: UserCStr, buffer: UserPtr<u8>, size: i32), Full, "" }
            { rename, x86_64: 82, aarch64: none, (old_path: UserCStr, new_path: UserCStr), Full, "" }
            { renameat, x86_64: 264, aarch64: 38, (old_dirfd: Fd, old_path: UserCStr, new_dirfd: Fd, new_path: UserCStr), Full, "" }
            { renameat2, x86_64: 316, aarch64: 276, (old_dirfd: Fd, old_path: UserCStr, new_dirfd: Fd, new_path: UserCStr, flags: RenameFlags), Full, "" }
            { chmod, x86_64: 90, aarch64: none, (path: UserCStr, mode: u32), Full, "" }
            { fchmod, x86_64: 91, aarch64: 52, (fd: Fd, mode: u32), Full, "" }
            { fchmodat, x86_64: 268, aarch64: 53, (dirfd: Fd, path: UserCStr, mode: u32), Full, "" }
            { chown, x86_64: 92, aarch64: none, (path: UserCStr, uid: u32, gid: u32), Full, "" }
            { fchown, x86_64: 93, aarch64: 55, (fd: Fd, uid: u32, gid: u32), Full, "" }
            { lchown, x86_64: 94, aarch64: none, (path: UserCStr, uid: u32, gid: u32), Full, "" }
            { fchownat, x86_64: 260, aarch64: 54, (dirfd: Fd, path: UserCStr, uid: u32, gid: u32, flags: AtFlags), Full, "" }
            { umask, x86_64: 95, aarch64: 166, (mask: u32), Full, "" }
            { utime, x86_64: 132, aarch64: none, (path: UserCStr, times: UserPtr<Utimbuf>), Full, "" }
            { utimes, x86_64: 235, aarch64: none, (path: UserCStr, times: UserPtr<[Timeval; 2]>), Full, "" }
            { futimesat, x86_64: 261, aarch64: none, (dirfd: Fd, path: UserCStr, times: UserPtr<[Timeval; 2]>), Full, "" }
            { utimensat, x86_64: 280, aarch64: 88, (dirfd: Fd, path: UserCStr, times: UserPtr<[Timespec; 2]>, flags: AtFlags), Full, "" }
            { mknod, x86_64: 133, aarch64: none, (path: UserCStr, mode: u32, device: u32), Full, "" }
            { mknodat, x86_64: 259, aarch64: 33, (dirfd: Fd, path: UserCStr, mode: u32, device: u32), Full, "" }
            { mount, x86_64: 165, aarch64: 40, (source: UserCStr, target: UserCStr, fs_type: UserCStr, flags: MountFlags, data: UserPtr<u8>), Partial, "no propagation between mounts, and one namespace" }
            { umount2, x86_64: 166, aarch64: 39, (target: UserCStr, flags: UmountFlags), Full, "" }
            { setxattr, x86_64: 188, aarch64: 5, (path: UserCStr, name: UserCStr, value: UserPtr<u8>, size: usize, flags: XattrFlags), Full, "" }
            { lsetxattr, x86_64: 189, aarch64: 6, (path: UserCStr, name: UserCStr, value: UserPtr<u8>, size: usize, flags: XattrFlags), Full, "" }
            { fsetxattr, x86_64: 190, aarch64: 7, (fd: Fd, name: UserCStr, value: UserPtr<u8>, size: usize, flags: XattrFlags), Full, "" }
            { getxattr, x86_64: 191, aarch64: 8, (path: UserCStr, name: UserCStr, value: UserPtr<u8>, size: usize), Full, "" }
            { lgetxattr, x86_64: 192, aarch64: 9, (path: UserCStr, name: UserCStr, value: UserPtr<u8>, size: usize), Full, "" }
            { fgetxattr, x86_64: 193, aarch64: 10, (fd: Fd, name: UserCStr, value: UserPtr<u8>, size: usize), Full, "" }
            { listxattr, x86_64: 194, aarch64: 11, (path: UserCStr, list: UserPtr<u8>, size: usize), Full, "" }
            { llistxattr, x86_64: 195, aarch64: 12, (path: UserCStr, list: UserPtr<u8>, size: usize), Full, "" }
            { flistxattr, x86_64: 196, aarch64: 13, (fd: Fd, list: UserPtr<u8>, size: usize), Full, "" }
            { removexattr, x86_64: 197, aarch64: 14, (path: UserCStr, name: UserCStr), Full, "" }
            { lremovexattr, x86_64: 198, aarch64: 15, (path: UserCStr, name: UserCStr), Full, "" }
            { fremovexattr, x86_64: 199, aarch64: 16, (fd: Fd, name: UserCStr), Full, "" }
            { setxattrat, x86_64: 463, aarch64: 463, (dirfd: Fd, path: UserCStr, flags: AtFlags, name: UserCStr, arguments: UserPtr<XattrArgs>, size: usize), Full, "" }
            { getxattrat, x86_64: 464, aarch64: 464, (dirfd: Fd, path: UserCStr, flags: AtFlags, name: UserCStr, arguments: UserPtr<XattrArgs>, size: usize), Full, "" }
            { listxattrat, x86_64: 465, aarch64: 465, (dirfd: Fd, path: UserCStr, flags: AtFlags, list: UserPtr<u8>, size: usize), Full, "" }
            { removexattrat, x86_64: 466, aarch64: 466, (dirfd: Fd, path: UserCStr, flags: AtFlags, name: UserCStr), Full, "" }
            { statfs, x86_64: 137, aarch64: 43, (path: UserCStr, statfs: UserPtr<Statfs>), Full, "" }
            { fstatfs, x86_64: 138, aarch64: 44, (fd: Fd, statfs: UserPtr<Statfs>), Full, "" }
            // Waiting for files.
            { epoll_create, x86_64: 213, aarch64: none, (size: i32), Full, "" }
            { epoll_create1, x86_64: 291, aarch64: 20, (flags: EpollCreateFlags), Full, "" }
            { epoll_ctl, x86_64: 233, aarch64: 21, (set: Fd, operation: u32, fd: Fd, event: UserPtr<AnyEpollEvent>), Full, "" }
            { epoll_wait, x86_64: 232, aarch64: none, (set: Fd, events: UserPtr<AnyEpollEvent>, max: i32, timeout_ms: i32), Full, "" }
            { epoll_pwait, x86_64: 281, aarch64: 22, (set: Fd, events: UserPtr<AnyEpollEvent>, max: i32, timeout_ms: i32, mask: UserPtr<SigSet>, mask_size: usize), Full, "" }
            { epoll_pwait2, x86_64: 441, aarch64: 441, (set: Fd, events: UserPtr<AnyEpollEvent>, max: i32, timeout: UserPtr<Timespec>, mask: UserPtr<SigSet>, mask_size: usize), Full, "" }
            { poll, x86_64: 7, aarch64: none, (fds: UserPtr<PollFd>, count: u32, timeout_ms: i32), Full, "" }
            { ppoll, x86_64: 271, aarch64: 73, (fds: UserPtr<PollFd>, count: u32, timeout: UserPtr<Timespec>, mask: UserPtr<SigSet>, mask_size: usize), Full, "" }
            { select, x86_64: 23, aarch64: none, (count: i32, read: UserPtr<u64>, write: UserPtr<u64>, except: UserPtr<u64>, timeout: UserPtr<Timeval>), Full, "" }
            { pselect6, x86_64: 270, aarch64: 72, (count: i32, read: UserPtr<u64>, write: UserPtr<u64>, except: UserPtr<u64>, timeout: UserPtr<Timespec>, mask: UserPtr<SigSetArgument>), Full, "" }
            // Watching files.
            { inotify_init, x86_64: 253, aarch64: none, (), Full, "" }
            { inotify_init1, x86_64: 294, aarch64: 26, (flags: InotifyFlags), Full, "" }
            { inotify_add_watch, x86_64: 254, aarch64: 27, (fd: Fd, path: UserCStr, mask: InotifyMask), Full, "" }
            { inotify_rm_watch, x86_64: 255, aarch64: 28, (fd: Fd, wd: i32), Full, "" }
            // Memory.
            { mmap, x86_64: 9, aarch64: 222, (address: u64, length: usize, prot: ProtFlags, flags: MapFlags, fd: Fd, offset: u64), Partial, "MAP_HUGETLB is ENOMEM" }
            { munmap, x86_64: 11, aarch64: 215, (address: u64, length: usize), Full, "" }
            { mprotect, x86_64: 10, aarch64: 226, (address: u64, length: usize, prot: ProtFlags), Full, "" }
            { brk, x86_64: 12, aarch64: 214, (address: u64), Full, "" }
            { madvise, x86_64: 28, aarch64: 233, (address: u64, length: usize, advice: i32), Partial, "MADV_COLLAPSE and MADV_HWPOISON are refused as by a Linux without their parts; advice about readahead and huge pages has no effect" }
            { mremap, x86_64: 25, aarch64: 216, (address: u64, old_length: u64, new_length: u64, flags: u64, new_address: u64), Full, "" }
            { mincore, x86_64: 27, aarch64: 232, (address: u64, length: usize, pages: UserPtr<u8>), Full, "" }
            { msync, x86_64: 26, aarch64: 227, (address: u64, length: usize, flags: MsyncFlags), Full, "" }
            { mlock, x86_64: 149, aarch64: 228, (address: u64, length: usize), Full, "" }
            { mlock2, x86_64: 325, aarch64: 284, (address: u64, length: usize, flags: Mlock2Flags), Full, "" }
            { munlock, x86_64: 150, aarch64: 229, (address: u64, length: usize), Full, "" }
            { mlockall, x86_64: 151, aarch64: 230, (flags: MlockallFlags), Full, "" }
            { memfd_create, x86_64: 319, aarch64: 279, (name: UserCStr, flags: MemfdFlags), Partial, "no huge pages" }
            { memfd_secret, x86_64: 447, aarch64: 447, (flags: u32), Full, "" }
            { munlockall, x86_64: 152, aarch64: 231, (), Full, "" }
            { membarrier, x86_64: 324, aarch64: 283, (command: u32, flags: u32, cpu: i32), Full, "" }
            { remap_file_pages, x86_64: 216, aarch64: 234, (address: u64, length: usize, prot: ProtFlags, page: u64, flags: MapFlags), Full, "" }
            { mseal, x86_64: 462, aarch64: 462, (address: u64, length: usize, flags: u64), Full, "" }
            { process_madvise, x86_64: 440, aarch64: 440, (pidfd: Fd, vectors: UserPtr<IoVec>, count: usize, advice: i32, flags: u32), Full, "" }
            { process_mrelease, x86_64: 448, aarch64: 448, (pidfd: Fd, flags: u32), Full, "" }
            { cachestat, x86_64: 451, aarch64: 451, (fd: Fd, range: UserPtr<CachestatRange>, state: UserPtr<Cachestat>, flags: u32), Full, "" }
            { pkey_mprotect, x86_64: 329, aarch64: 288, (address: u64, length: usize, prot: ProtFlags, key: i32), Partial, "no keys, as on a processor without them" }
            { pkey_alloc, x86_64: 330, aarch64: 289, (flags: u64, rights: u64), Partial, "no keys, as on a processor without them" }
            { pkey_free, x86_64: 331, aarch64: 290, (key: i32), Partial, "no keys, as on a processor without them" }
            { map_shadow_stack, x86_64: 453, aarch64: 453, (address: u64, size: u64, flags: u32), Partial, "no shadow stacks, as on a processor without them" }
            { get_mempolicy, x86_64: 239, aarch64: 236, (mode: UserPtr<i32>, nodes: UserPtr<u64>, count: u64, address: u64, flags: u64), Full, "" }
            { set_mempolicy, x86_64: 238, aarch64: 237, (mode: u32, nodes: UserPtr<u64>, count: u64), Full, "" }
            { mbind, x86_64: 237, aarch64: 235, (address: u64, length: u64, mode: u32, nodes: UserPtr<u64>, count: u64, flags: u32), Full, "" }
            { set_mempolicy_home_node, x86_64: 450, aarch64: 450, (address: u64, length: u64, node: u64, flags: u64), Full, "" }
            { migrate_pages, x86_64: 256, aarch64: 238, (pid: i32, count: u64, old: UserPtr<u64>, new: UserPtr<u64>), Full, "" }
            { move_pages, x86_64: 279, aarch64: 239, (pid: i32, count: u64, pages: UserPtr<u64>, nodes: UserPtr<i32>, status: UserPtr<i32>, flags: u32), Full, "" }
            // Processes.
            { clone, x86_64: 56, aarch64: 220, (flags: u64, stack: u64, parent_tid: u64, child_tid: u64, tls: u64), Partial, "x86_64 order; aarch64 passes tls fourth and child_tid fifth, and the handler swaps them; new namespaces are EINVAL" }
            { clone3, x86_64: 435, aarch64: 435, (arguments: UserPtr<CloneArgs>, size: usize), Partial, "new namespaces are EINVAL, CLONE_INTO_CGROUP is EBADF" }
            { unshare, x86_64: 272, aarch64: 97, (flags: u64), Partial, "new namespaces are EINVAL" }
            { pidfd_open, x86_64: 434, aarch64: 434, (pid: i32, flags: PidfdFlags), Full, "" }
            { pidfd_send_signal, x86_64: 424, aarch64: 424, (pidfd: Fd, signal: i32, info: UserPtr<SigInfo>, flags: PidfdSignalFlags), Full, "" }
            { pidfd_getfd, x86_64: 438, aarch64: 438, (pidfd: Fd, fd: Fd, flags: u32), Full, "" }
            { fork, x86_64: 57, aarch64: none, (), Full, "" }
            { vfork, x86_64: 58, aarch64: none, (), Full, "" }
            { execve, x86_64: 59, aarch64: 221, (path: UserCStr, argv: UserPtr<UserCStr>, envp: UserPtr<UserCStr>), Full, "" }
            { execveat, x86_64: 322, aarch64: 281, (dirfd: Fd, path: UserCStr, argv: UserPtr<UserCStr>, envp: UserPtr<UserCStr>, flags: AtFlags), Full, "" }
            { process_vm_readv, x86_64: 310, aarch64: 270, (pid: i32, local: UserPtr<IoVec>, local_count: usize, remote: UserPtr<IoVec>, remote_count: usize, flags: u64), Full, "" }
            { process_vm_writev, x86_64: 311, aarch64: 271, (pid: i32, local: UserPtr<IoVec>, local_count: usize, remote: UserPtr<IoVec>, remote_count: usize, flags: u64), Full, "" }
            { kcmp, x86_64: 312, aarch64: 272, (pid1: i32, pid2: i32, kind: i32, index1: u64, index2: u64), Full, "" }
            { exit, x86_64: 60, aarch64: 93, (status: i32), Full, "" }
            { exit_group, x86_64: 231, aarch64: 94, (status: i32), Full, "" }
            { wait4, x86_64: 61, aarch64: 260, (pid: i32, status: UserPtr<i32>, options: WaitFlags, usage: UserPtr<Rusage>), Full, "" }
            { waitid, x86_64: 247, aarch64: 95, (id_type: u32, id: i32, info: UserPtr<SigInfo>, options: WaitFlags, usage: UserPtr<Rusage>), Full, "" }
            { getpid, x86_64: 39, aarch64: 172, (), Full, "" }
            { getppid, x86_64: 110, aarch64: 173, (), Full, "" }
            { gettid, x86_64: 186, aarch64: 178, (), Full, "" }
            { getpgid, x86_64: 121, aarch64: 155, (pid: i32), Full, "" }
            { setpgid, x86_64: 109, aarch64: 154, (pid: i32, pgid: i32), Full, "" }
            { getpgrp, x86_64: 111, aarch64: none, (), Full, "" }
            { getsid, x86_64: 124, aarch64: 156, (pid: i32), Full, "" }
            { setsid, x86_64: 112, aarch64: 157, (), Full, "" }
            { getuid, x86_64: 102, aarch64: 174, (), Full, "" }
            { geteuid, x86_64: 107, aarch64: 175, (), Full, "" }
            { getgid, x86_64: 104, aarch64: 176, (), Full, "" }
            { getegid, x86_64: 108, aarch64: 177, (), Full, "" }
            { getgroups, x86_64: 115, aarch64: 158, (size: i32, groups: UserPtr<u32>), Full, "" }
            { setuid, x86_64: 105, aarch64: 146, (uid: u32), Full, "" }
            { setgid, x86_64: 106, aarch64: 144, (gid: u32), Full, "" }
            { setgroups, x86_64: 116, aarch64: 159, (size: i32, groups: UserPtr<u32>), Full, "" }
            { getresuid, x86_64: 118, aarch64: 148, (real: UserPtr<u32>, effective: UserPtr<u32>, saved: UserPtr<u32>), Full, "" }
            { setresuid, x86_64: 117, aarch64: 147, (real: u32, effective: u32, saved: u32), Full, "" }
            { getresgid, x86_64: 120, aarch64: 150, (real: UserPtr<u32>, effective: UserPtr<u32>, saved: UserPtr<u32>), Full, "" }
            { setresgid, x86_64: 119, aarch64: 149, (real: u32, effective: u32, saved: u32), Full, "" }
            { setreuid, x86_64: 113, aarch64: 145, (real: u32, effective: u32), Full, "" }
            { setregid, x86_64: 114, aarch64: 143, (real: u32, effective: u32), Full, "" }
            { setfsuid, x86_64: 122, aarch64: 151, (uid: u32), Full, "" }
            { setfsgid, x86_64: 123, aarch64: 152, (gid: u32), Full, "" }
            { capget, x86_64: 125, aarch64: 90, (header: UserPtr<CapUserHeader>, data: UserPtr<CapUserData>), Full, "" }
            { capset, x86_64: 126, aarch64: 91, (header: UserPtr<CapUserHeader>, data: UserPtr<CapUserData>), Full, "" }
            { times, x86_64: 100, aarch64: 153, (buffer: UserPtr<Tms>), Full, "" }
            { getrusage, x86_64: 98, aarch64: 165, (who: i32, usage: UserPtr<Rusage>), Full, "" }
            { getrlimit, x86_64: 97, aarch64: 163, (resource: u32, limit: UserPtr<Rlimit64>), Full, "" }
            { setrlimit, x86_64: 160, aarch64: 164, (resource: u32, limit: UserPtr<Rlimit64>), Partial, "RLIMIT_MSGQUEUE is recorded: there are no message queues" }
            { prlimit64, x86_64: 302, aarch64: 261, (pid: i32, resource: u32, new: UserPtr<Rlimit64>, old: UserPtr<Rlimit64>), Partial, "RLIMIT_MSGQUEUE is recorded: there are no message queues" }
            { sched_yield, x86_64: 24, aarch64: 124, (), Full, "" }
            { sched_getaffinity, x86_64: 204, aarch64: 123, (pid: i32, size: u32, mask: UserPtr<u64>), Full, "" }
            { sched_setaffinity, x86_64: 203, aarch64: 122, (pid: i32, size: u32, mask: UserPtr<u64>), Full, "" }
            { sched_getscheduler, x86_64: 145, aarch64: 120, (pid: i32), Full, "" }
            { sched_setscheduler, x86_64: 144, aarch64: 119, (pid: i32, policy: i32, param: UserPtr<SchedParam>), Full, "" }
            { sched_getparam, x86_64: 143, aarch64: 121, (pid: i32, param: UserPtr<SchedParam>), Full, "" }
            { sched_setparam, x86_64: 142, aarch64: 118, (pid: i32, param: UserPtr<SchedParam>), Full, "" }
            { sched_getattr, x86_64: 315, aarch64: 275, (pid: i32, attributes: UserPtr<SchedAttr>, size: u32, flags: u32), Full, "" }
            { sched_setattr, x86_64: 314, aarch64: 274, (pid: i32, attributes: UserPtr<SchedAttr>, flags: u32), Partial, "no limits of utilization: EOPNOTSUPP" }
            { sched_get_priority_max, x86_64: 146, aarch64: 125, (policy: i32), Full, "" }
            { sched_get_priority_min, x86_64: 147, aarch64: 126, (policy: i32), Full, "" }
            { sched_rr_get_interval, x86_64: 148, aarch64: 127, (pid: i32, interval: UserPtr<Timespec>), Full, "" }
            { getpriority, x86_64: 140, aarch64: 141, (which: i32, who: i32), Full, "" }
            { setpriority, x86_64: 141, aarch64: 140, (which: i32, who: i32, nice: i32), Full, "" }
            { ioprio_get, x86_64: 252, aarch64: 31, (which: i32, who: i32), Full, "" }
            { ioprio_set, x86_64: 251, aarch64: 30, (which: i32, who: i32, priority: i32), Partial, "kept and told; no device has a queue that it could order" }
            { getcpu, x86_64: 309, aarch64: 168, (cpu: UserPtr<u32>, node: UserPtr<u32>, cache: u64), Full, "" }
            { personality, x86_64: 135, aarch64: 92, (persona: u32), Partial, "kept; ADDR_COMPAT_LAYOUT and WHOLE_SECONDS have no effect, nor have the flags of machines of 32 bits" }
            { set_tid_address, x86_64: 218, aarch64: 96, (address: UserPtr<i32>), Full, "" }
            { rseq, x86_64: 334, aarch64: 293, (area: UserPtr<Rseq>, bytes: u32, flags: u32, signature: u32), Full, "" }
            { set_robust_list, x86_64: 273, aarch64: 99, (head: UserPtr<RobustListHead>, size: usize), Full, "" }
            { get_robust_list, x86_64: 274, aarch64: 100, (tid: i32, head: UserPtr<u64>, size: UserPtr<usize>), Full, "" }
            { futex, x86_64: 202, aarch64: 98, (word: UserPtr<u32>, operation: u32, value: u32, timeout: u64, word2: UserPtr<u32>, value3: u32), Full, "" }
            { futex_waitv, x86_64: 449, aarch64: 449, (waiters: UserPtr<FutexWaitv>, count: u32, flags: u32, timeout: UserPtr<Timespec>, clock: i32), Full, "" }
            { futex_wake, x86_64: 454, aarch64: 454, (word: UserPtr<u32>, mask: u64, count: i32, flags: u32), Full, "" }
            { futex_wait, x86_64: 455, aarch64: 455, (word: UserPtr<u32>, value: u64, mask: u64, flags: u32, timeout: UserPtr<Timespec>, clock: i32), Full, "" }
            { futex_requeue, x86_64: 456, aarch64: 456, (waiters: UserPtr<FutexWaitv>, flags: u32, wake: i32, limit: i32), Full, "" }
            { arch_prctl, x86_64: 158, aarch64: none, (code: i32, address: u64), Partial, "no ARCH_GET_XCOMP_SUPP and its relatives" }
            { prctl, x86_64: 157, aarch64: 167, (option: i32, arg2: u64, arg3: u64, arg4: u64, arg5: u64), Partial, "no seccomp, no PR_SET_TAGGED_ADDR_CTRL and no PR_SET_SYSCALL_USER_DISPATCH" }
            // Signals.
            { kill, x86_64: 62, aarch64: 129, (pid: i32, signal: i32), Full, "" }
            { tkill, x86_64: 200, aarch64: 130, (tid: i32, signal: i32), Full, "" }
            { tgkill, x86_64: 234, aarch64: 131, (tgid: i32, tid: i32, signal: i32), Full, "" }
            { rt_sigaction, x86_64: 13, aarch64: 134, (signal: i32, new: UserPtr<SigAction>, old: UserPtr<SigAction>, mask_size: usize), Full, "" }
            { rt_sigprocmask, x86_64: 14, aarch64: 135, (how: i32, new: UserPtr<SigSet>, old: UserPtr<SigSet>, mask_size: usize), Full, "" }
            { rt_sigreturn, x86_64: 15, aarch64: 139, (), Full, "" }
            { rt_sigsuspend, x86_64: 130, aarch64: 133, (mask: UserPtr<SigSet>, mask_size: usize), Full, "" }
            { rt_sigpending, x86_64: 127, aarch64: 136, (set: UserPtr<SigSet>, mask_size: usize), Full, "" }
            { signalfd, x86_64: 282, aarch64: none, (fd: Fd, mask: UserPtr<SigSet>, mask_size: usize), Full, "" }
            { signalfd4, x86_64: 289, aarch64: 74, (fd: Fd, mask: UserPtr<SigSet>, mask_size: usize, flags: SignalfdFlags), Full, "" }
            { rt_sigtimedwait, x86_64: 128, aarch64: 137, (set: UserPtr<SigSet>, info: UserPtr<SigInfo>, timeout: UserPtr<Timespec>, mask_size: usize), Full, "" }
            { rt_sigqueueinfo, x86_64: 129, aarch64: 138, (pid: i32, signal: i32, info: UserPtr<SigInfo>), Full, "" }
            { rt_tgsigqueueinfo, x86_64: 297, aarch64: 240, (tgid: i32, tid: i32, signal: i32, info: UserPtr<SigInfo>), Full, "" }
            { sigaltstack, x86_64: 131, aarch64: 132, (new: UserPtr<StackT>, old: UserPtr<StackT>), Full, "" }
            { restart_syscall, x86_64: 219, aarch64: 128, (), Full, "" }
            { pause, x86_64: 34, aarch64: none, (), Full, "" }
            // Time.
            { alarm, x86_64: 37, aarch64: none, (seconds: u32), Full, "" }
            { setitimer, x86_64: 38, aarch64: 103, (which: i32, new: UserPtr<Itimerval>, old: UserPtr<Itimerval>), Full, "" }
            { getitimer, x86_64: 36, aarch64: 102, (which: i32, value: UserPtr<Itimerval>), Full, "" }
            { timer_create, x86_64: 222, aarch64: 107, (clock: i32, event: UserPtr<SigEvent>, id: UserPtr<i32>), Partial, "CLOCK_REALTIME_ALARM and BOOTTIME_ALARM have no device" }
            { timer_settime, x86_64: 223, aarch64: 110, (id: i32, flags: u32, new: UserPtr<Itimerspec>, old: UserPtr<Itimerspec>), Full, "" }
            { timer_gettime, x86_64: 224, aarch64: 108, (id: i32, setting: UserPtr<Itimerspec>), Full, "" }
            { timer_getoverrun, x86_64: 225, aarch64: 109, (id: i32), Full, "" }
            { timer_delete, x86_64: 226, aarch64: 111, (id: i32), Full, "" }
            { timerfd_create, x86_64: 283, aarch64: 85, (clock: i32, flags: TimerfdFlags), Full, "" }
            { timerfd_settime, x86_64: 286, aarch64: 86, (fd: Fd, flags: TimerfdSetFlags, new: UserPtr<Itimerspec>, old: UserPtr<Itimerspec>), Full, "" }
            { timerfd_gettime, x86_64: 287, aarch64: 87, (fd: Fd, setting: UserPtr<Itimerspec>), Full, "" }
            { clock_settime, x86_64: 227, aarch64: 112, (clock: i32, time: UserPtr<Timespec>), Full, "" }
            { adjtimex, x86_64: 159, aarch64: 171, (state: UserPtr<Timex>), Partial, "ADJ_OFFSET without ADJ_ADJTIME is EOPNOTSUPP; no leap seconds; monotonic time keeps its rate when that of real time changes" }
            { clock_adjtime, x86_64: 305, aarch64: 266, (clock: i32, state: UserPtr<Timex>), Partial, "ADJ_OFFSET without ADJ_ADJTIME is EOPNOTSUPP; no leap seconds; monotonic time keeps its rate when that of real time changes" }
            { settimeofday, x86_64: 164, aarch64: 170, (time: UserPtr<Timeval>, zone: UserPtr<Timezone>), Full, "" }
            { nanosleep, x86_64: 35, aarch64: 101, (request: UserPtr<Timespec>, remaining: UserPtr<Timespec>), Full, "" }
            { clock_nanosleep, x86_64: 230, aarch64: 115, (clock: i32, flags: u32, request: UserPtr<Timespec>, remaining: UserPtr<Timespec>), Full, "" }
            { clock_gettime, x86_64: 228, aarch64: 113, (clock: i32, time: UserPtr<Timespec>), Full, "" }
            { clock_getres, x86_64: 229, aarch64: 114, (clock: i32, resolution: UserPtr<Timespec>), Full, "" }
            { gettimeofday, x86_64: 96, aarch64: 169, (time: UserPtr<Timeval>, zone: UserPtr<Timezone>), Full, "" }
            { time, x86_64: 201, aarch64: none, (seconds: UserPtr<i64>), Full, "" }
            // The system.
            { uname, x86_64: 63, aarch64: 160, (name: UserPtr<Utsname>), Full, "" }
            { sethostname, x86_64: 170, aarch64: 161, (name: UserPtr<u8>, length: i32), Full, "" }
            { setdomainname, x86_64: 171, aarch64: 162, (name: UserPtr<u8>, length: i32), Full, "" }
            { sysinfo, x86_64: 99, aarch64: 179, (info: UserPtr<Sysinfo>), Full, "" }
            { getrandom, x86_64: 318, aarch64: 278, (buffer: UserPtr<u8>, count: usize, flags: GetRandomFlags), Full, "" }
            { reboot, x86_64: 169, aarch64: 142, (magic: u32, magic2: u32, command: u32, argument: UserPtr<u8>), Full, "" }
        }
    };
}
