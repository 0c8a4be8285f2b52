//! Sizes of structures and offsets of their fields.

use std::mem::{offset_of, size_of};

use los_abi::isa::{aarch64, x86_64};
use los_abi::{
    Isa, auxv, core_dump, credentials, fs, futex, inotify, mm, poll, prctl, resource, schedule, signal,
    system, task, time, tty,
};

use crate::headers::headers;

/// One size or offset: ours, and the expression for Linux's.
struct Comparison {
    ours: usize,
    linux: String,
}

/// Lists comparisons of structures' sizes and of the offsets of the fields that are named (`ours` or `ours =
/// linux`).
macro_rules! comparisons {
    ($($type:ty as $linux:literal { $($field:ident $(= $other:ident)?),* $(,)? })*) => {
        vec![$(
            Comparison { ours: size_of::<$type>(), linux: format!("size_of::<{}>()", $linux) },
            $(Comparison {
                ours: offset_of!($type, $field),
                linux: {
                    let names = [stringify!($field) $(, stringify!($other))?];
                    format!("offset_of!({}, {})", $linux, names[names.len() - 1])
                },
            },)*
        )*]
    };
}

fn compare(isa: Isa, comparisons: &[Comparison]) {
    let expressions: Vec<_> = comparisons
        .iter()
        .map(|comparison| comparison.linux.clone())
        .collect();
    let values = headers(isa).evaluate(&expressions);
    let complaints: Vec<_> = comparisons
        .iter()
        .zip(values)
        .filter(|(comparison, value)| comparison.ours != *value)
        .map(|(comparison, value)| format!("{} is {value}, not {}", comparison.linux, comparison.ours))
        .collect();
    assert!(complaints.is_empty(), "{}: {}", isa.name(), complaints.join("\n"));
}

/// Structures that are the same on both machines.
fn common() -> Vec<Comparison> {
    let mut all = files();
    all.extend(tasks());
    all.extend(dumps());
    all.extend(comparisons! {
        time::Timespec as "general::timespec" { tv_sec, tv_nsec }
        time::Timeval as "general::timeval" { tv_sec, tv_usec }
        time::Itimerval as "general::itimerval" { it_interval, it_value }
        time::Itimerspec as "general::itimerspec" { it_interval, it_value }
        time::Timezone as "general::timezone" { tz_minuteswest, tz_dsttime }
        signal::SigSet as "general::kernel_sigset_t" {}
        signal::SigAction as "general::kernel_sigaction" {
            sa_handler = sa_handler_kernel, sa_flags, sa_restorer, sa_mask,
        }
        signal::StackT as "general::stack_t" { ss_sp, ss_flags, ss_size }
        signal::SigInfo as "general::siginfo_t" {}
        signal::SigEvent as "general::sigevent" {
            sigev_value, sigev_signo, sigev_notify, sigev_notify_thread_id = _sigev_un,
        }
        tty::Termios as "general::termios" { c_iflag, c_oflag, c_cflag, c_lflag, c_line, c_cc }
        tty::Termios2 as "general::termios2" { c_ispeed, c_ospeed }
        tty::Winsize as "general::winsize" { ws_row, ws_col, ws_xpixel, ws_ypixel }
    });
    all
}

fn files() -> Vec<Comparison> {
    comparisons! {
        fs::FOwnerEx as "general::f_owner_ex" { kind = type_, pid }
        inotify::InotifyEvent as "general::inotify_event" { wd, mask, cookie, len }
        fs::IoVec as "general::iovec" { iov_base, iov_len }
        fs::Flock as "general::flock" { l_type, l_whence, l_start, l_len, l_pid }
        fs::Statfs as "general::statfs" {
            f_type, f_bsize, f_blocks, f_bfree, f_bavail, f_files, f_ffree, f_fsid, f_namelen, f_frsize, f_flags,
            f_spare,
        }
        fs::StatxTimestamp as "general::statx_timestamp" { tv_sec, tv_nsec }
        fs::Statx as "general::statx" {
            stx_mask, stx_blksize, stx_attributes, stx_nlink, stx_uid, stx_gid, stx_mode, stx_ino, stx_size,
            stx_blocks, stx_attributes_mask, stx_atime, stx_btime, stx_ctime, stx_mtime, stx_rdev_major,
            stx_rdev_minor, stx_dev_major, stx_dev_minor, stx_mnt_id, stx_dio_mem_align, stx_dio_offset_align,
        }
        fs::Dirent64Header as "general::linux_dirent64" { d_ino, d_off, d_reclen, d_type, d_name }
        poll::PollFd as "general::pollfd" { fd, events, revents }
        poll::FdSet as "general::__kernel_fd_set" {}
    }
}

fn dumps() -> Vec<Comparison> {
    comparisons! {
        core_dump::ElfHeader as "elf_uapi::elf64_hdr" {
            e_ident, e_type, e_machine, e_version, e_entry, e_phoff, e_shoff, e_flags, e_ehsize, e_phentsize,
            e_phnum, e_shentsize, e_shnum, e_shstrndx,
        }
        core_dump::ProgramHeader as "elf_uapi::elf64_phdr" {
            p_type, p_flags, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align,
        }
        core_dump::SectionHeader as "elf_uapi::elf64_shdr" {
            sh_name, sh_type, sh_flags, sh_addr, sh_offset, sh_size, sh_link, sh_info, sh_addralign, sh_entsize,
        }
        core_dump::NoteHeader as "elf_uapi::elf64_note" { n_namesz, n_descsz, n_type }
    }
}

fn tasks() -> Vec<Comparison> {
    comparisons! {
        resource::Rlimit64 as "general::rlimit64" { rlim_cur, rlim_max }
        resource::Rlimit64 as "general::rlimit" { rlim_cur, rlim_max }
        resource::Rusage as "general::rusage" {
            ru_utime, ru_stime, ru_maxrss, ru_ixrss, ru_idrss, ru_isrss, ru_minflt, ru_majflt, ru_nswap,
            ru_inblock, ru_oublock, ru_msgsnd, ru_msgrcv, ru_nsignals, ru_nvcsw, ru_nivcsw,
        }
        prctl::PrctlMmMap as "prctl::prctl_mm_map" {
            start_code, end_code, start_data, end_data, start_brk, brk, start_stack, arg_start, arg_end, env_start,
            env_end, auxv, auxv_size, exe_fd,
        }
        task::CloneArgs as "general::clone_args" {
            flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup,
        }
        futex::RobustListHead as "general::robust_list_head" { list, futex_offset, list_op_pending }
        futex::FutexWaitv as "general::futex_waitv" { val, uaddr, flags, reserved = __reserved }
        mm::CachestatRange as "general::cachestat_range" { off, len }
        mm::Cachestat as "general::cachestat" { nr_cache, nr_dirty, nr_writeback, nr_evicted, nr_recently_evicted }
        fs::XattrArgs as "general::xattr_args" { value, size, flags }
        credentials::CapUserHeader as "general::__user_cap_header_struct" { version, pid }
        credentials::CapUserData as "general::__user_cap_data_struct" { effective, permitted, inheritable }
        system::Utsname as "system::new_utsname" { sysname, nodename, release, version, machine, domainname }
        system::Sysinfo as "system::sysinfo" {
            uptime, loads, totalram, freeram, sharedram, bufferram, totalswap, freeswap, procs, totalhigh,
            freehigh, mem_unit,
        }
    }
}

/// Comparisons of the structures that differ: they have the same names on both machines.
macro_rules! different {
    ($machine:ident) => {
        comparisons! {
            $machine::Stat as "general::stat" {
                st_dev, st_ino, st_nlink, st_mode, st_uid, st_gid, st_rdev, st_size, st_blksize, st_blocks,
                st_atime, st_atime_nsec, st_mtime, st_mtime_nsec, st_ctime, st_ctime_nsec,
            }
            $machine::EpollEvent as "general::epoll_event" { events, data }
        }
    };
}

#[test]
fn structures_of_aarch64() {
    let mut all = common();
    all.extend(different!(aarch64));
    compare(Isa::Aarch64, &all);
}

#[test]
fn structures_of_x86_64() {
    let mut all = common();
    all.extend(different!(x86_64));
    compare(Isa::X86_64, &all);
}

/// Structures that the headers' translation lacks, by the sizes and offsets in Linux's sources:
/// `struct tms` (linux/times.h), `sigcontext`, `ucontext` and `rt_sigframe` of each machine.
#[test]
fn structures_outside_the_headers() {
    assert_eq!(size_of::<resource::Tms>(), 32);
    assert_eq!(size_of::<auxv::AuxEntry>(), 16);
    assert_eq!(size_of::<schedule::SchedParam>(), 4);
    assert_eq!(offset_of!(x86_64::UContext, uc_mcontext), 40);
    assert_eq!(offset_of!(x86_64::UContext, uc_sigmask), 296);
    assert_eq!(offset_of!(x86_64::SigContext, rip), 128);
    assert_eq!(offset_of!(x86_64::SigContext, fpstate), 184);
    assert_eq!(offset_of!(x86_64::FpState, xmm_space), 160);
    assert_eq!(offset_of!(x86_64::RtSigFrame, info), 312);
    assert_eq!(offset_of!(aarch64::UContext, uc_sigmask), 40);
    assert_eq!(offset_of!(aarch64::UContext, uc_mcontext), 176);
    assert_eq!(offset_of!(aarch64::SigContext, pc), 264);
    assert_eq!(offset_of!(aarch64::SigContext, reserved), 288);
    assert_eq!(offset_of!(aarch64::RtSigFrame, uc), 128);
}
