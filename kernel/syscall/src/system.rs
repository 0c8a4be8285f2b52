//! The system as a whole: its name, its memory, randomness, and the way out.

use los_abi::credentials::Personality;
use los_abi::errno::Errno;
use los_abi::isa::IsaAbi;
use los_abi::syscall::UserPtr;
use los_abi::system::{
    GetRandomFlags, LINUX_REBOOT_CMD_CAD_OFF, LINUX_REBOOT_CMD_CAD_ON, LINUX_REBOOT_CMD_HALT,
    LINUX_REBOOT_CMD_POWER_OFF, LINUX_REBOOT_CMD_RESTART, LINUX_REBOOT_CMD_RESTART2, LINUX_REBOOT_MAGIC1,
    LINUX_REBOOT_MAGIC2, LINUX_REBOOT_MAGIC2A, LINUX_REBOOT_MAGIC2B, LINUX_REBOOT_MAGIC2C, Sysinfo, UTS_LEN,
    Utsname,
};
use los_abi::time::NSEC_PER_SEC;
use mm::io::Sink;
use sync::{Once, Result, now_ns};
use task::{Context, accounting, pid, uts, version};
use vfs::Capability;

/// What reboot(2) may do to the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Power {
    /// Switch it off.
    Off,
    /// Restart it.
    Restart,
    /// Stop it.
    Halt,
}

static POWER: Once<fn(Power)> = Once::new();

/// Registers what carries out reboot(2).
pub fn set_power(act: fn(Power)) {
    POWER.call_once(|| act);
}

pub(crate) fn uname(ctx: &Context<'_>, name: UserPtr<Utsname>) -> Result<usize> {
    let mut names = Utsname::default();
    Utsname::set(&mut names.sysname, version::SYSTEM.as_bytes());
    Utsname::set(&mut names.nodename, uts::host().as_bytes());
    let personality = ctx.thread.attributes.personality();
    let release = if personality.contains(Personality::UNAME26) {
        version::RELEASE_26
    } else {
        version::RELEASE
    };
    Utsname::set(&mut names.release, release.as_bytes());
    Utsname::set(&mut names.version, version::VERSION.as_bytes());
    let machine = match task::Abi::MACHINE_32 {
        Some(machine) if personality.domain() == Personality::LINUX32 => machine,
        _ => task::Abi::MACHINE,
    };
    Utsname::set(&mut names.machine, machine.as_bytes());
    Utsname::set(&mut names.domainname, uts::domain().as_bytes());
    ctx.memory().write(name, &names)?;
    Ok(0)
}

pub(crate) fn sethostname(ctx: &Context<'_>, name: UserPtr<u8>, length: i32) -> Result<usize> {
    set_name(ctx, name, length, uts::set_host)
}

pub(crate) fn setdomainname(ctx: &Context<'_>, name: UserPtr<u8>, length: i32) -> Result<usize> {
    set_name(ctx, name, length, uts::set_domain)
}

fn set_name(ctx: &Context<'_>, name: UserPtr<u8>, length: i32, set: fn(&[u8])) -> Result<usize> {
    if !ctx.credentials().capable(Capability::SysAdmin) {
        return Err(Errno::EPERM.into());
    }
    let length = usize::try_from(length).ok().filter(|&length| length <= UTS_LEN);
    let mut bytes = [0; UTS_LEN];
    let bytes = &mut bytes[..length.ok_or(Errno::EINVAL)?];
    ctx.memory().read_bytes(name.addr(), bytes)?;
    set(bytes);
    Ok(0)
}

pub(crate) fn sysinfo(ctx: &Context<'_>, info: UserPtr<Sysinfo>) -> Result<usize> {
    let memory = mm::frames::statistics();
    // The averages have 11 fraction bits, this structure 16.
    let scale = 16 - accounting::LOAD_FRACTION_BITS;
    let answer = Sysinfo {
        uptime: (now_ns() / NSEC_PER_SEC as u64) as i64,
        loads: accounting::load_averages().map(|load| load << scale),
        totalram: memory.total_pages as u64 * hal::PAGE_SIZE as u64,
        freeram: memory.free_pages as u64 * hal::PAGE_SIZE as u64,
        procs: u16::try_from(pid::counts().threads).unwrap_or(u16::MAX),
        mem_unit: 1,
        ..Sysinfo::default()
    };
    ctx.memory().write(info, &answer)?;
    Ok(0)
}

pub(crate) fn getrandom(
    ctx: &Context<'_>,
    buffer: UserPtr<u8>,
    count: usize,
    flags: GetRandomFlags,
) -> Result<usize> {
    let exclusive = GetRandomFlags::RANDOM | GetRandomFlags::INSECURE;
    if !GetRandomFlags::all().contains(flags) || flags.contains(exclusive) {
        return Err(Errno::EINVAL.into());
    }
    let mut out = ctx.memory().writer(los_abi::syscall::UserSlice::new(
        buffer,
        count.min(i32::MAX as usize),
    ));
    let mut total = 0_usize;
    while out.remaining() > 0 {
        if total != 0 && total.is_multiple_of(hal::PAGE_SIZE) && (!sync::give_way() || sync::interrupted()) {
            break;
        }
        let mut chunk = [0; 256];
        let length = out.remaining().min(chunk.len());
        vfs::random::fill(&mut chunk[..length]);
        match out.put(&chunk[..length]) {
            Ok(stored) => total += stored,
            Err(_) if total > 0 => break,
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(total)
}

pub(crate) fn reboot(
    ctx: &Context<'_>,
    magic: u32,
    magic2: u32,
    command: u32,
    _argument: UserPtr<u8>,
) -> Result<usize> {
    if !ctx.credentials().capable(Capability::SysBoot) {
        return Err(Errno::EPERM.into());
    }
    let second = [
        LINUX_REBOOT_MAGIC2,
        LINUX_REBOOT_MAGIC2A,
        LINUX_REBOOT_MAGIC2B,
        LINUX_REBOOT_MAGIC2C,
    ];
    if magic != LINUX_REBOOT_MAGIC1 || !second.contains(&magic2) {
        return Err(Errno::EINVAL.into());
    }
    let power = match command {
        LINUX_REBOOT_CMD_POWER_OFF => Power::Off,
        LINUX_REBOOT_CMD_RESTART | LINUX_REBOOT_CMD_RESTART2 => Power::Restart,
        LINUX_REBOOT_CMD_HALT => Power::Halt,
        LINUX_REBOOT_CMD_CAD_ON | LINUX_REBOOT_CMD_CAD_OFF => return Ok(0),
        _ => return Err(Errno::EINVAL.into()),
    };
    let act = POWER.get().ok_or(Errno::EINVAL)?;
    act(power);
    Ok(0)
}
