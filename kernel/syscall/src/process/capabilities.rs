//! capget(2) and capset(2).

use los_abi::credentials::{
    _LINUX_CAPABILITY_VERSION_1, _LINUX_CAPABILITY_VERSION_2, _LINUX_CAPABILITY_VERSION_3, CapUserData,
    CapUserHeader,
};
use los_abi::errno::Errno;
use los_abi::syscall::UserPtr;
use sync::Result;
use task::cred::capabilities::{self, Sets};
use task::{Context, cred, pid};

/// A header that was read.
struct Request {
    /// How many structures of 32 capabilities follow each other.
    halves: usize,
    header: UserPtr<CapUserHeader>,
}

impl Request {
    /// Reads the version. One that nobody knows is answered with the one to use.
    fn read(ctx: &Context<'_>, header: UserPtr<CapUserHeader>) -> Result<Self> {
        let version = UserPtr::new(header.addr());
        let halves = match ctx.memory().read(version)? {
            _LINUX_CAPABILITY_VERSION_1 => 1,
            _LINUX_CAPABILITY_VERSION_2 | _LINUX_CAPABILITY_VERSION_3 => 2,
            _ => {
                ctx.memory().write(version, &_LINUX_CAPABILITY_VERSION_3)?;
                return Err(Errno::EINVAL.into());
            }
        };
        Ok(Self { halves, header })
    }

    fn pid(&self, ctx: &Context<'_>) -> Result<i32> {
        let place = self.header.addr().checked_add(size_of::<u32>() as u64);
        Ok(ctx.memory().read(UserPtr::new(place.ok_or(Errno::EFAULT)?))?)
    }
}

pub(crate) fn capget(
    ctx: &Context<'_>,
    header: UserPtr<CapUserHeader>,
    data: UserPtr<CapUserData>,
) -> Result<usize> {
    let request = match Request::read(ctx, header) {
        // Without a place for the sets, the question was for the version.
        Err(error) if data.is_null() && error == Errno::EINVAL.into() => return Ok(0),
        request => request?,
    };
    if data.is_null() {
        return Ok(0);
    }
    let number = u32::try_from(request.pid(ctx)?).map_err(|_| Errno::EINVAL)?;
    let sets = if number == 0 || number == ctx.thread.tid() {
        Sets::of(ctx.credentials())
    } else {
        let thread = pid::task(number).ok_or(Errno::ESRCH)?;
        Sets::of(&thread.credentials())
    };
    for half in 0..request.halves {
        let part = |set: u64| (set >> (32 * half)) as u32;
        let answer = CapUserData {
            effective: part(sets.effective),
            permitted: part(sets.permitted),
            inheritable: part(sets.inheritable),
        };
        let place = data.offset_elements(half).ok_or(Errno::EFAULT)?;
        ctx.memory().write(place, &answer)?;
    }
    Ok(0)
}

pub(crate) fn capset(
    ctx: &Context<'_>,
    header: UserPtr<CapUserHeader>,
    data: UserPtr<CapUserData>,
) -> Result<usize> {
    let request = Request::read(ctx, header)?;
    let pid = request.pid(ctx)?;
    if pid != 0 && pid != ctx.thread.tid().cast_signed() {
        return Err(Errno::EPERM.into());
    }
    let mut new = Sets::default();
    for half in 0..request.halves {
        let place = data.offset_elements(half).ok_or(Errno::EFAULT)?;
        let given = ctx.memory().read(place)?;
        let part = |set: u32| u64::from(set) << (32 * half);
        new.effective |= part(given.effective);
        new.permitted |= part(given.permitted);
        new.inheritable |= part(given.inheritable);
    }
    cred::change(ctx, |credentials| capabilities::set(credentials, new))?;
    Ok(0)
}
