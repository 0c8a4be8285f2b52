//! Capabilities: what takes which, and what becomes of them when users change and programs start
//! (capabilities(7)). Each case runs as root in a process of its own.

use alloc::string::String;
use alloc::vec::Vec;

use los_abi::auxv::AT_SECURE;
use los_abi::credentials::{
    _LINUX_CAPABILITY_VERSION_1, _LINUX_CAPABILITY_VERSION_3, CapUserData, CapUserHeader, Personality,
};
use los_abi::errno::Errno;
use los_abi::fs::{OpenFlags, Statx};
use los_abi::prctl::{
    PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, PR_CAP_AMBIENT_IS_SET, PR_CAP_AMBIENT_LOWER,
    PR_CAP_AMBIENT_RAISE, PR_CAPBSET_DROP, PR_CAPBSET_READ, PR_GET_KEEPCAPS, PR_GET_SECUREBITS,
    PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_SET_NO_NEW_PRIVS, PR_SET_SECUREBITS,
};
use los_abi::syscall::Sysno;
use rt::{fs, process};

use crate::cases::{ended, program};
use crate::harness::{Failure, Outcome, in_child};
use crate::raw::{addr, addr_mut, call};
use crate::{cases, ensure_eq};

cases![
    capget_answers_by_version,
    capset_only_takes_away,
    leaving_root_drops_capabilities,
    keepcaps_keeps_them,
    secure_bits_lock,
    bounding_set_shrinks,
    ambient_needs_permitted_and_inheritable,
    capabilities_decide_and_not_root,
    group_of_a_directory_is_not_lent,
    entries_of_who_gave_up_rights_are_closed,
    set_user_id_program_gets_everything,
    no_new_privs_gives_nothing,
    ambient_survives_execve,
    bounding_set_limits_execve,
];

const CHOWN: u64 = 0;
const DAC_OVERRIDE: u64 = 1;
const KILL: u64 = 5;
const SETUID: u64 = 7;
const NET_BIND: u64 = 10;
const SYS_NICE: u64 = 23;
const USER: u64 = 1234;
const NO_SETUID_FIXUP: u64 = 1 << 2;

/// Effective, permitted and inheritable.
type Sets = [u64; 3];

fn header() -> CapUserHeader {
    CapUserHeader {
        version: _LINUX_CAPABILITY_VERSION_3,
        pid: 0,
    }
}

pub(super) fn get() -> Result<Sets, Errno> {
    let (mut header, mut data) = (header(), [CapUserData::default(); 2]);
    call(Sysno::capget, &[addr_mut(&mut header), addr_mut(&mut data)])?;
    let [low, high] = data;
    let join = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    Ok([
        join(low.effective, high.effective),
        join(low.permitted, high.permitted),
        join(low.inheritable, high.inheritable),
    ])
}

pub(super) fn set([effective, permitted, inheritable]: Sets) -> Result<u64, Errno> {
    let half = |shift: u32| CapUserData {
        effective: (effective >> shift) as u32,
        permitted: (permitted >> shift) as u32,
        inheritable: (inheritable >> shift) as u32,
    };
    let data = [half(0), half(32)];
    call(Sysno::capset, &[addr_mut(&mut header()), addr(&data)])
}

pub(super) fn control(option: i32, arguments: &[u64]) -> Result<u64, Errno> {
    let mut all = alloc::vec![option as u64];
    all.extend(arguments);
    call(Sysno::prctl, &all)
}

pub(super) fn ambient(operation: u64, capability: u64) -> Result<u64, Errno> {
    control(PR_CAP_AMBIENT, &[operation, capability, 0, 0])
}

/// Reads a set from /proc/self/status.
fn status_set(name: &str) -> Result<u64, Failure> {
    let status = fs::read(b"/proc/self/status")?;
    let text = String::from_utf8_lossy(&status).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let digits = line.and_then(|line| line.strip_prefix(":\t")).unwrap_or("");
    u64::from_str_radix(digits.trim(), 16).map_err(|_| Failure::Wrong(alloc::format!("{name} is {digits:?}")))
}

fn capget_answers_by_version() -> Outcome {
    let all = get()?;
    ensure_eq!(all[0], all[1]);
    ensure_eq!(status_set("CapEff")?, all[0]);
    ensure_eq!(status_set("CapPrm")?, all[1]);
    ensure_eq!(status_set("CapInh")?, all[2]);
    let mut header = CapUserHeader {
        version: _LINUX_CAPABILITY_VERSION_1,
        pid: process::id(),
    };
    let mut data = [CapUserData {
        effective: 7,
        ..CapUserData::default()
    }; 2];
    call(Sysno::capget, &[addr_mut(&mut header), addr_mut(&mut data)])?;
    ensure_eq!((data[0].effective, data[1].effective), (all[0] as u32, 7));
    let get = |header: &mut CapUserHeader, data: u64| call(Sysno::capget, &[addr_mut(header), data]);
    header.version = 5;
    ensure_eq!(get(&mut header, addr_mut(&mut data)).err(), Some(Errno::EINVAL));
    ensure_eq!(header.version, _LINUX_CAPABILITY_VERSION_3);
    header.version = 5;
    ensure_eq!(get(&mut header, 0), Ok(0));
    ensure_eq!(header.version, _LINUX_CAPABILITY_VERSION_3);
    ensure_eq!(get(&mut header, 8).err(), Some(Errno::EFAULT));
    ensure_eq!(
        call(Sysno::capget, &[8, addr_mut(&mut data)]).err(),
        Some(Errno::EFAULT)
    );
    header.pid = -1;
    ensure_eq!(get(&mut header, addr_mut(&mut data)).err(), Some(Errno::EINVAL));
    header.pid = 0x3fff_ffff;
    ensure_eq!(get(&mut header, addr_mut(&mut data)).err(), Some(Errno::ESRCH));
    header.pid = 1;
    ensure_eq!(get(&mut header, addr_mut(&mut data)), Ok(0));
    ensure_eq!(
        call(Sysno::capset, &[addr_mut(&mut header), addr(&data)]).err(),
        Some(Errno::EPERM)
    );
    Ok(())
}

fn capset_only_takes_away() -> Outcome {
    let (few, more) = (1 << KILL, 1 << KILL | 1 << CHOWN);
    set([few, more, more])?;
    ensure_eq!(get(), Ok([few, more, more]));
    ensure_eq!(status_set("CapInh")?, more);
    ensure_eq!(set([few, more | 1 << SETUID, 0]).err(), Some(Errno::EPERM));
    ensure_eq!(set([more, few, 0]).err(), Some(Errno::EPERM));
    // Without CAP_SETPCAP, what is not permitted cannot become inheritable.
    ensure_eq!(set([few, few, 1 << SETUID]).err(), Some(Errno::EPERM));
    set([more, more, 0])?;
    set([0, 0, 0])?;
    ensure_eq!(set([few, few, 0]).err(), Some(Errno::EPERM));
    Ok(())
}

fn leaving_root_drops_capabilities() -> Outcome {
    let all = get()?;
    call(Sysno::setresuid, &[u64::MAX, USER, u64::MAX])?;
    ensure_eq!(get(), Ok([0, all[1], all[2]]));
    call(Sysno::setresuid, &[u64::MAX, 0, u64::MAX])?;
    ensure_eq!(get(), Ok(all));
    let file_capabilities = 1 << CHOWN | 1 << DAC_OVERRIDE;
    call(Sysno::setfsuid, &[USER])?;
    ensure_eq!(get()?[0] & (file_capabilities | 1 << KILL), 1 << KILL);
    call(Sysno::setfsuid, &[0])?;
    ensure_eq!(get(), Ok(all));
    call(Sysno::setresuid, &[USER, USER, USER])?;
    ensure_eq!(get()?[..2], [0, 0]);
    Ok(())
}

fn keepcaps_keeps_them() -> Outcome {
    let all = get()?;
    ensure_eq!(control(PR_GET_KEEPCAPS, &[]), Ok(0));
    ensure_eq!(control(PR_SET_KEEPCAPS, &[2]).err(), Some(Errno::EINVAL));
    control(PR_SET_KEEPCAPS, &[1])?;
    ensure_eq!(control(PR_GET_KEEPCAPS, &[]), Ok(1));
    ensure_eq!(control(PR_GET_SECUREBITS, &[]), Ok(1 << 4));
    call(Sysno::setresuid, &[USER, USER, USER])?;
    ensure_eq!(get(), Ok([0, all[1], all[2]]));
    set([1 << SETUID, all[1], 0])?;
    call(Sysno::setresuid, &[0, 0, 0])?;
    Ok(())
}

fn secure_bits_lock() -> Outcome {
    ensure_eq!(control(PR_SET_SECUREBITS, &[1 << 20]).err(), Some(Errno::EPERM));
    control(PR_SET_SECUREBITS, &[NO_SETUID_FIXUP | 1 << 5])?;
    ensure_eq!(control(PR_GET_SECUREBITS, &[]), Ok(NO_SETUID_FIXUP | 1 << 5));
    // The lock of KEEP_CAPS is shut while it is open.
    ensure_eq!(control(PR_SET_KEEPCAPS, &[1]).err(), Some(Errno::EPERM));
    ensure_eq!(control(PR_SET_SECUREBITS, &[0]).err(), Some(Errno::EPERM));
    let all = get()?;
    call(Sysno::setresuid, &[USER, USER, USER])?;
    ensure_eq!(get(), Ok(all));
    set([0, 0, 0])?;
    ensure_eq!(control(PR_SET_SECUREBITS, &[1 << 5]).err(), Some(Errno::EPERM));
    Ok(())
}

fn bounding_set_shrinks() -> Outcome {
    ensure_eq!(control(PR_CAPBSET_READ, &[KILL]), Ok(1));
    ensure_eq!(control(PR_CAPBSET_READ, &[64]).err(), Some(Errno::EINVAL));
    control(PR_CAPBSET_DROP, &[KILL])?;
    ensure_eq!(control(PR_CAPBSET_READ, &[KILL]), Ok(0));
    ensure_eq!(status_set("CapBnd")? & 1 << KILL, 0);
    ensure_eq!(control(PR_CAPBSET_DROP, &[64]).err(), Some(Errno::EINVAL));
    // What the bounding set lacks cannot become inheritable.
    let all = get()?;
    ensure_eq!(set([all[0], all[1], 1 << KILL]).err(), Some(Errno::EPERM));
    set([0, 0, 0])?;
    ensure_eq!(control(PR_CAPBSET_DROP, &[CHOWN]).err(), Some(Errno::EPERM));
    Ok(())
}

fn ambient_needs_permitted_and_inheritable() -> Outcome {
    let [effective, permitted, _] = get()?;
    ensure_eq!(ambient(PR_CAP_AMBIENT_RAISE, KILL).err(), Some(Errno::EPERM));
    set([effective, permitted, 1 << KILL])?;
    ensure_eq!(ambient(PR_CAP_AMBIENT_IS_SET, KILL), Ok(0));
    ambient(PR_CAP_AMBIENT_RAISE, KILL)?;
    ensure_eq!(ambient(PR_CAP_AMBIENT_IS_SET, KILL), Ok(1));
    ensure_eq!(status_set("CapAmb")?, 1 << KILL);
    ensure_eq!(ambient(PR_CAP_AMBIENT_IS_SET, 64).err(), Some(Errno::EINVAL));
    ensure_eq!(ambient(9, KILL).err(), Some(Errno::EINVAL));
    ensure_eq!(
        control(PR_CAP_AMBIENT, &[PR_CAP_AMBIENT_RAISE, KILL, 1, 0]).err(),
        Some(Errno::EINVAL)
    );
    ambient(PR_CAP_AMBIENT_LOWER, KILL)?;
    ensure_eq!(ambient(PR_CAP_AMBIENT_IS_SET, KILL), Ok(0));
    ambient(PR_CAP_AMBIENT_RAISE, KILL)?;
    // It goes with the inheritable one.
    set([effective, permitted, 0])?;
    ensure_eq!(ambient(PR_CAP_AMBIENT_IS_SET, KILL), Ok(0));
    ensure_eq!(ambient(PR_CAP_AMBIENT_CLEAR_ALL, 1).err(), Some(Errno::EINVAL));
    ensure_eq!(ambient(PR_CAP_AMBIENT_CLEAR_ALL, 0), Ok(0));
    Ok(())
}

/// User 0 without capabilities may do nothing special, and a user with one does what it is for.
fn capabilities_decide_and_not_root() -> Outcome {
    let path = b"file\0";
    drop(fs::File::create(b"file", 0o600)?);
    fs::set_owner(b"file", 7, 7)?;
    let chown = |uid: u64| call(Sysno::fchownat, &[CWD, addr(path), uid, 7, 0]);
    let open = || fs::File::open(b"file").map(drop);
    let name = b"other";
    // Whatever it is outside, here it can only become less nice.
    call(Sysno::setpriority, &[0, 0, 0])?;
    set([
        1 << DAC_OVERRIDE,
        1 << DAC_OVERRIDE | 1 << CHOWN | 1 << SYS_NICE,
        0,
    ])?;
    ensure_eq!(open(), Ok(()));
    ensure_eq!(chown(8).err(), Some(Errno::EPERM));
    ensure_eq!(
        call(Sysno::setpriority, &[0, 0, (-5_i64) as u64]).err(),
        Some(Errno::EACCES)
    );
    ensure_eq!(
        call(Sysno::sethostname, &[addr(name), 5]).err(),
        Some(Errno::EPERM)
    );
    ensure_eq!(
        call(Sysno::setdomainname, &[addr(name), 5]).err(),
        Some(Errno::EPERM)
    );
    ensure_eq!(call(Sysno::setgroups, &[0, 0]).err(), Some(Errno::EPERM));
    ensure_eq!(call(Sysno::setuid, &[55]).err(), Some(Errno::EPERM));
    ensure_eq!(call(Sysno::reboot, &[0, 0, 0, 0]).err(), Some(Errno::EPERM));
    ensure_eq!(
        call(Sysno::mknodat, &[CWD, addr(b"null\0"), 0o20_666, 0x103]).err(),
        Some(Errno::EPERM)
    );
    ensure_eq!(
        call(
            Sysno::mount,
            &[addr(b"x\0"), addr(b".\0"), addr(b"tmpfs\0"), 0, 0]
        )
        .err(),
        Some(Errno::EPERM)
    );
    // Who may not unmount learns whether there is a file.
    ensure_eq!(
        call(Sysno::umount2, &[addr(b"nothing\0"), 0]).err(),
        Some(Errno::ENOENT)
    );
    ensure_eq!(call(Sysno::umount2, &[addr(path), 0]).err(), Some(Errno::EPERM));
    set([1 << CHOWN | 1 << SYS_NICE, 1 << CHOWN | 1 << SYS_NICE, 0])?;
    ensure_eq!(chown(8), Ok(0));
    ensure_eq!(open(), Err(Errno::EACCES));
    ensure_eq!(call(Sysno::setpriority, &[0, 0, (-5_i64) as u64]), Ok(0));
    Ok(())
}

const CWD: u64 = -100_i64 as u64;

/// A new file in a set-group-id directory is of its group, but a program of that group only with CAP_FSETID.
fn group_of_a_directory_is_not_lent() -> Outcome {
    const FSETID: u64 = 4;
    const AT_EMPTY_PATH: u64 = 0x1000;
    fs::create_directory(b"lending", 0o777)?;
    fs::set_owner(b"lending", 0, 77)?;
    fs::set_permissions(b"lending", 0o2777)?;
    let made = |name: &[u8], mode| -> Result<(u32, u32), Errno> {
        let file = fs::File::create(name, mode)?;
        let mut found = Statx::default();
        call(
            Sysno::statx,
            &[
                file.descriptor() as u64,
                addr(b"\0"),
                AT_EMPTY_PATH,
                0x7ff,
                addr_mut(&mut found),
            ],
        )?;
        Ok((u32::from(found.stx_mode) & 0o2010, found.stx_gid))
    };
    ensure_eq!(made(b"lending/a", 0o2775), Ok((0o2010, 77)));
    set([0, 1 << FSETID, 0])?;
    ensure_eq!(made(b"lending/b", 0o2775), Ok((0o010, 77)));
    // Without the right to execute, the bit is no program's.
    ensure_eq!(made(b"lending/c", 0o2765), Ok((0o2000, 77)));
    set([1 << FSETID, 1 << FSETID, 0])?;
    ensure_eq!(made(b"lending/d", 0o2775), Ok((0o2010, 77)));
    Ok(())
}

/// The entries of /proc/PID are the superuser's when the process may not be looked into (proc(5)).
fn entries_of_who_gave_up_rights_are_closed() -> Outcome {
    let opens = |path: &[u8], flags| fs::File::open_with(path, flags, 0).map(drop);
    let setting = b"/proc/self/oom_score_adj";
    ensure_eq!(opens(setting, OpenFlags::WRONLY), Ok(()));
    call(Sysno::setresgid, &[USER, USER, USER])?;
    become_user()?;
    ensure_eq!(opens(setting, OpenFlags::WRONLY), Err(Errno::EACCES));
    ensure_eq!(opens(setting, OpenFlags::empty()), Ok(()));
    // Its own descriptors it may always see.
    ensure_eq!(opens(b"/proc/self/fd", OpenFlags::empty()), Ok(()));
    ensure_eq!(opens(b"/proc/self/maps", OpenFlags::empty()), Ok(()));
    control(PR_SET_DUMPABLE, &[1, 0, 0, 0])?;
    ensure_eq!(opens(setting, OpenFlags::WRONLY), Ok(()));
    Ok(())
}

/// Makes a copy of this program with a mode, and runs its helper `identity` as a user without rights.
fn run_identity(mode: u32, before: impl FnOnce() -> Result<(), Errno>, expected: &[u8]) -> Outcome {
    make_program(b"program", mode)?;
    run_program(b"./program", before, expected, 0)
}

/// Makes a copy of this program with a mode.
pub(super) fn make_program(path: &[u8], mode: u32) -> Outcome {
    fs::set_permissions(b".", 0o755)?;
    let mut copy = fs::File::create(path, 0o755)?;
    copy.write_all(&fs::read(&program())?)?;
    drop(copy);
    fs::set_permissions(path, mode)?;
    Ok(())
}

/// Runs the helper `identity` of such a copy, and checks its exit status: 126 if it does not even start.
pub(super) fn run_program(
    path: &[u8],
    before: impl FnOnce() -> Result<(), Errno>,
    expected: &[u8],
    status: i32,
) -> Outcome {
    let ends = in_child(|| {
        if before().is_err() {
            return 125;
        }
        let words = [b"program".as_slice(), b"--helper", b"identity", expected].map(Vec::from);
        process::execute(path, &words, &[]);
        126
    })?;
    ensure_eq!(ended(ends), status);
    Ok(())
}

/// `conformance --helper identity EUID:CAPEFF:CAPAMB:SECURE:PERSONALITY` compares itself with that.
pub(super) fn helper(words: &[Vec<u8>]) -> i32 {
    let (Ok(effective), Ok(ambient)) = (status_set("CapEff"), status_set("CapAmb")) else {
        return 90;
    };
    // Who has gained rights may not read it otherwise: it is root's.
    let _ = control(PR_SET_DUMPABLE, &[1]);
    let secure = fs::read(b"/proc/self/auxv").map(|bytes| {
        let word = |pair: &[u8], at| {
            let bytes = pair.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
            u64::from_le_bytes(bytes.unwrap_or_default())
        };
        let mut pairs = bytes.chunks(16);
        pairs.find_map(|pair| (word(pair, 0) == AT_SECURE).then(|| word(pair, 8)))
    });
    let secure = secure.ok().flatten().unwrap_or(99);
    let persona = call(Sysno::personality, &[u64::from(Personality::QUERY)]).unwrap_or(99);
    let euid = process::effective_user();
    let found = alloc::format!("{euid}:{effective:x}:{ambient:x}:{secure}:{persona:x}");
    let is_expected = words.first().is_some_and(|word| word == found.as_bytes());
    if !is_expected {
        rt::println!(
            "identity: {found}, wanted {}",
            String::from_utf8_lossy(&words.concat())
        );
    }
    i32::from(!is_expected)
}

pub(super) fn become_user() -> Result<(), Errno> {
    let flag = u64::from(Personality::ADDR_NO_RANDOMIZE.bits());
    call(Sysno::personality, &[flag])?;
    call(Sysno::setresuid, &[USER, USER, USER])?;
    Ok(())
}

fn set_user_id_program_gets_everything() -> Outcome {
    let all = get()?[1];
    run_identity(0o755, become_user, b"1234:0:0:0:40000")?;
    let expected = alloc::format!("0:{all:x}:0:1:0");
    run_identity(0o4755, become_user, expected.as_bytes())
}

fn no_new_privs_gives_nothing() -> Outcome {
    let refuse = || {
        become_user()?;
        control(PR_SET_NO_NEW_PRIVS, &[1, 0, 0, 0])?;
        Ok(())
    };
    run_identity(0o4755, refuse, b"1234:0:0:0:40000")
}

fn ambient_survives_execve() -> Outcome {
    let keep = || {
        let [effective, permitted, _] = get()?;
        set([effective, permitted, 1 << NET_BIND])?;
        ambient(PR_CAP_AMBIENT_RAISE, NET_BIND)?;
        control(PR_SET_SECUREBITS, &[NO_SETUID_FIXUP])?;
        become_user()
    };
    run_identity(0o755, keep, b"1234:400:400:0:40000")
}

fn bounding_set_limits_execve() -> Outcome {
    let all = get()?[1];
    let limit = || {
        control(PR_CAPBSET_DROP, &[KILL])?;
        become_user()
    };
    let expected = alloc::format!("0:{:x}:0:1:0", all & !(1 << KILL));
    run_identity(0o4755, limit, expected.as_bytes())
}
