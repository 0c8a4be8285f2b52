//! System call numbers, errors, flags and constants.

use std::collections::BTreeSet;
use std::fmt::Debug;

use bitflags::Flags;
use los_abi::isa::{aarch64, x86_64};
use los_abi::syscall::Sysno;
use los_abi::{
    Errno, Isa, auxv, core_dump, credentials, fs, futex, inotify, mm, poll, prctl, resource, schedule,
    signal, system, task, time, tty,
};

use crate::headers::headers;

/// Constants of the kernel that its public headers, or their translation, leave out. They are cited where
/// they are defined.
const NOT_IN_HEADERS: &[&str] = &[
    "ARCH_GET_CPUID",
    "ARCH_GET_FS",
    "ARCH_GET_GS",
    "ARCH_SET_CPUID",
    "ARCH_SET_GS",
    "CLOSE_RANGE_CLOEXEC",
    "CLOSE_RANGE_UNSHARE",
    "HWCAP2_FSGSBASE",
    "HWCAP2_RING3MWAIT",
    "UC_FP_XSTATE",
    "UC_SIGCONTEXT_SS",
    "UC_STRICT_RESTORE_SS",
];

/// Compares one constant on one machine; says what is wrong with it, or nothing.
fn complaint(isa: Isa, name: &str, value: i128) -> Option<String> {
    match headers(isa).constant(name) {
        None if NOT_IN_HEADERS.contains(&name) => None,
        None => Some(format!("{}: {name} is not in the headers", isa.name())),
        Some(_) if NOT_IN_HEADERS.contains(&name) => {
            Some(format!("{}: {name} is in the headers", isa.name()))
        }
        // The translation shows some values as their two's complement.
        Some(linux)
            if linux as u32 == value as u32 && (linux >> 32 == value >> 32 || linux < 0 || value < 0) =>
        {
            None
        }
        Some(linux) => Some(format!(
            "{}: {name} is {value:#x} and should be {linux:#x}",
            isa.name()
        )),
    }
}

/// Widens a constant of any type, even `usize`, which has no lossless conversion.
fn wide<T: TryInto<i128, Error: Debug>>(value: T) -> i128 {
    value.try_into().unwrap()
}

/// Compares the constants of families on the machines, and fails with all that is wrong.
macro_rules! check_families {
    ($machines:expr; $($family:path),* $(,)?) => {{
        let mut complaints = Vec::new();
        for isa in $machines {
            $(complaints.extend($family.iter().filter_map(|&(name, value)| complaint(isa, name, wide(value))));)*
        }
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    }};
}

/// Compares the flags of a type with the constants that a name starts, on the machines that have them.
fn check_flags<F: Flags>(prefix: &str, bits: impl Fn(F) -> u64, only: &[(&str, Isa)]) -> Vec<String> {
    let mut complaints = Vec::new();
    for flag in F::FLAGS {
        for isa in Isa::ALL {
            if only
                .iter()
                .any(|&(name, machine)| name == flag.name() && machine != isa)
            {
                continue;
            }
            let name = format!("{prefix}{}", flag.name().trim_start_matches('_'));
            let value = bits(F::from_bits_retain(flag.value().bits()));
            complaints.extend(complaint(isa, &name, i128::from(value)));
        }
    }
    complaints
}

/// Checks several types of flags, each with its prefix.
macro_rules! check_flag_types {
    ($($type:ty: $prefix:literal $(only $only:expr)?;)*) => {{
        let mut complaints = Vec::new();
        $({
            let only: [&[(&str, Isa)]; _] = [&[], $($only)?];
            complaints.extend(check_flags::<$type>($prefix, |flags| u64::from(flags.bits()), only.last().unwrap()));
        })*
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    }};
}

#[test]
fn system_calls() {
    for isa in Isa::ALL {
        for &sysno in Sysno::ALL {
            let linux = headers(isa).constant(&format!("__NR_{}", sysno.name()));
            assert_eq!(
                sysno.number(isa).map(i128::from),
                linux,
                "{} on {}",
                sysno.name(),
                isa.name()
            );
        }
    }
}

#[test]
fn errors() {
    let ours: BTreeSet<_> = Errno::ALL
        .iter()
        .map(|errno| (errno.name(), i128::from(errno.code())))
        .collect();
    let aliases = [
        ("EWOULDBLOCK", Errno::EWOULDBLOCK),
        ("EDEADLOCK", Errno::EDEADLOCK),
    ];
    for isa in Isa::ALL {
        let text = headers(isa);
        for &(name, code) in &ours {
            assert_eq!(text.constant(name), Some(code), "{name}");
        }
        for (name, errno) in aliases {
            assert_eq!(text.constant(name), Some(i128::from(errno.code())), "{name}");
        }
    }
    // Linux leaves out these two.
    let codes: BTreeSet<_> = ours.iter().map(|&(_, code)| code).collect();
    assert_eq!(codes, (1..=133).filter(|code| ![41, 58].contains(code)).collect());
}

#[test]
fn constants_of_both_machines() {
    check_families!(Isa::ALL;
        auxv::AUX_TYPES, core_dump::NOTE_KINDS, fs::MODES, fs::WHENCES, fs::DIRENT_TYPES, fs::FCNTL_COMMANDS, fs::DIRECTORY_EVENTS, fs::FD_FLAGS, fs::OWNER_KINDS,
        fs::LOCK_TYPES, fs::FLOCK_OPERATIONS, fs::FS_MAGICS, mm::ADVICE, mm::MEMBARRIER_COMMANDS, poll::EPOLL_OPERATIONS,
        signal::SIGNALS, signal::PROCMASK_OPERATIONS, signal::STACK_FLAGS, signal::SIGNAL_CODES,
        signal::ILL_CODES, signal::FPE_CODES, signal::SEGV_CODES, signal::BUS_CODES, signal::TRAP_CODES,
        signal::CHILD_CODES, signal::POLL_CODES, signal::SIGEV_KINDS, task::WAIT_ID_TYPES, resource::RESOURCES, resource::RUSAGE_WHO,
        futex::FUTEX_OPERATIONS, futex::FUTEX_FLAGS, futex::FUTEX_OPS,
        futex::FUTEX_COMPARISONS, futex::FUTEX2_FLAGS, prctl::PRCTL_OPTIONS, prctl::AMBIENT_OPERATIONS, prctl::MCE_OPERATIONS,
        prctl::MDWE_FLAGS, prctl::COUNTER_ACCESS, prctl::MM_OPERATIONS, prctl::SPECULATION, prctl::VMA_OPERATIONS,
        system::REBOOT_COMMANDS, system::REBOOT_MAGICS, schedule::SCHED_POLICIES, schedule::SCHED_FLAGS,
        schedule::PRIORITY_WHO, credentials::CAPABILITY_VERSIONS, credentials::FILE_CAPABILITIES,
        time::CLOCKS, time::TIMER_FLAGS, time::TIMERFD_IOCTLS, time::INTERVAL_TIMERS, tty::CONTROL_CHARACTERS,
        tty::TERMIOS_FIELDS, tty::IOCTLS, tty::FLOW_ACTIONS, tty::FLUSH_QUEUES,
    );
}

#[test]
fn constants_of_one_machine() {
    check_families!([Isa::X86_64]; x86_64::OPEN_FLAG_VALUES, x86_64::ARCH_PRCTL_CODES, x86_64::HWCAP2_BITS,
        x86_64::UC_FLAGS);
    check_families!([Isa::Aarch64]; aarch64::OPEN_FLAG_VALUES, aarch64::HWCAP_BITS);
}

#[test]
fn single_constants() {
    let mut complaints = Vec::new();
    for isa in Isa::ALL {
        let constants: &[(&str, u64)] = &[
            ("UTIME_NOW", time::UTIME_NOW as u64),
            ("UTIME_OMIT", time::UTIME_OMIT as u64),
            ("PIPEFS_MAGIC", fs::PIPEFS_MAGIC),
            ("PATH_MAX", fs::PATH_MAX as u64),
            ("NAME_MAX", fs::NAME_MAX as u64),
            ("PIPE_BUF", fs::PIPE_BUF as u64),
            ("EFD_SEMAPHORE", u64::from(fs::EFD_SEMAPHORE)),
            ("XATTR_NAME_MAX", fs::XATTR_NAME_MAX as u64),
            ("XATTR_SIZE_MAX", fs::XATTR_SIZE_MAX as u64),
            ("XATTR_LIST_MAX", fs::XATTR_LIST_MAX as u64),
            ("UIO_MAXIOV", fs::IOV_MAX as u64),
            ("AT_EACCESS", u64::from(fs::AT_EACCESS.bits())),
            ("EPOLLET", u64::from(poll::EPOLLET)),
            ("EPOLLONESHOT", u64::from(poll::EPOLLONESHOT)),
            ("EPOLLWAKEUP", u64::from(poll::EPOLLWAKEUP)),
            ("EPOLLEXCLUSIVE", u64::from(poll::EPOLLEXCLUSIVE)),
            ("MAP_TYPE", u64::from(mm::MapFlags::TYPE)),
            ("MAP_SHARED_VALIDATE", u64::from(mm::MapFlags::SHARED_VALIDATE)),
            ("SIGRTMIN", u64::from(signal::SIGRTMIN)),
            ("SIGPOLL", u64::from(signal::SIGPOLL)),
            ("CSIGNAL", task::CloneFlags::EXIT_SIGNAL_MASK),
            ("RLIM_NLIMITS", resource::RLIM_NLIMITS as u64),
            ("NGROUPS_MAX", credentials::NGROUPS_MAX as u64),
            ("CLONE_ARGS_SIZE_VER0", task::CLONE_ARGS_SIZE_VER0 as u64),
            ("CAP_LAST_CAP", u64::from(credentials::CAP_LAST_CAP)),
            ("__NEW_UTS_LEN", system::UTS_LEN as u64),
            ("NCCS", tty::NCCS as u64),
            ("ET_CORE", u64::from(core_dump::ET_CORE)),
            ("PN_XNUM", u64::from(core_dump::PN_XNUM)),
            ("PT_LOAD", u64::from(core_dump::PT_LOAD)),
            ("PT_NOTE", u64::from(core_dump::PT_NOTE)),
            ("PF_R", u64::from(core_dump::PF_R)),
            ("PF_W", u64::from(core_dump::PF_W)),
            ("PF_X", u64::from(core_dump::PF_X)),
        ];
        complaints.extend(
            constants
                .iter()
                .filter_map(|&(name, value)| complaint(isa, name, i128::from(value))),
        );
    }
    for (isa, size) in [
        (
            Isa::Aarch64,
            <aarch64::Abi as los_abi::isa::IsaAbi>::MIN_SIGNAL_STACK,
        ),
        (
            Isa::X86_64,
            <x86_64::Abi as los_abi::isa::IsaAbi>::MIN_SIGNAL_STACK,
        ),
    ] {
        complaints.extend(complaint(isa, "MINSIGSTKSZ", size as i128));
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn flags_of_calls() {
    check_flag_types! {
        fs::AtFlags: "AT_";
        fs::AccessMode: "";
        fs::StatxMask: "STATX_";
        fs::RenameFlags: "RENAME_";
        fs::MountFlags: "MS_";
        fs::CloseRangeFlags: "CLOSE_RANGE_";
        fs::FallocateFlags: "FALLOC_FL_";
        fs::ReadWriteFlags: "RWF_";
        fs::XattrFlags: "XATTR_";
        mm::ProtFlags: "PROT_" only &[("BTI", Isa::Aarch64), ("MTE", Isa::Aarch64)];
        mm::MapFlags: "MAP_" only &[("_32BIT", Isa::X86_64)];
        mm::MremapFlags: "MREMAP_";
        mm::MsyncFlags: "MS_";
        mm::MlockallFlags: "MCL_";
        mm::Mlock2Flags: "MLOCK_";
        fs::SealFlags: "F_SEAL_";
        inotify::InotifyFlags: "IN_";
        inotify::InotifyMask: "IN_";
        mm::MemfdFlags: "MFD_";
        poll::EpollCreateFlags: "EPOLL_";
        poll::PollEvents: "POLL";
        signal::SaFlags: "SA_";
        task::CloneFlags: "CLONE_";
        time::TimerfdFlags: "TFD_";
        time::TimerfdSetFlags: "TFD_TIMER_";
        system::GetRandomFlags: "GRND_";
        tty::InputFlags: "";
        tty::OutputFlags: "";
        tty::ControlFlags: "";
        tty::LocalFlags: "";
    }
}

#[test]
fn open_flags() {
    for isa in Isa::ALL {
        for flag in fs::OpenFlags::FLAGS {
            let name = match flag.name() {
                "ASYNC" => "FASYNC".to_string(),
                "SYNC" => "__O_SYNC".to_string(),
                "TMPFILE" => "__O_TMPFILE".to_string(),
                other => format!("O_{other}"),
            };
            assert_eq!(complaint(isa, &name, i128::from(flag.value().to_raw(isa))), None);
        }
        let sync = fs::OpenFlags::SYNC | fs::OpenFlags::DSYNC;
        assert_eq!(complaint(isa, "O_SYNC", i128::from(sync.to_raw(isa))), None);
        let temporary = fs::OpenFlags::TMPFILE | fs::OpenFlags::DIRECTORY;
        assert_eq!(
            complaint(isa, "O_TMPFILE", i128::from(temporary.to_raw(isa))),
            None
        );
    }
}

#[test]
fn flags_with_irregular_names() {
    let wait = |flag: &str| match flag {
        "NOTHREAD" | "ALL" | "CLONE" => format!("__W{flag}"),
        _ => format!("W{flag}"),
    };
    let umount = |flag: &str| match flag {
        "NOFOLLOW" => "UMOUNT_NOFOLLOW".to_string(),
        _ => format!("MNT_{flag}"),
    };
    for isa in Isa::ALL {
        for flag in task::WaitFlags::FLAGS {
            assert_eq!(
                complaint(isa, &wait(flag.name()), i128::from(flag.value().bits())),
                None
            );
        }
        for flag in fs::UmountFlags::FLAGS {
            assert_eq!(
                complaint(isa, &umount(flag.name()), i128::from(flag.value().bits())),
                None
            );
        }
    }
}
