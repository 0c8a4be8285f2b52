//! execve(2).

use los_abi::fs::PATH_MAX;
use los_abi::syscall::{UserCStr, UserPtr};
use los_abi::task::RLIMIT_STACK;
use sync::Result;
use task::Context;
use task::exec::{self, Budget, ExecRequest, StringList};
use vfs::At;

pub(crate) fn execve(
    ctx: &Context<'_>,
    path: UserCStr,
    argv: UserPtr<UserCStr>,
    envp: UserPtr<UserCStr>,
) -> Result<usize> {
    let path = ctx.memory().read_c_string(path, PATH_MAX)?;
    let mut budget = Budget::new(ctx.process.limits().soft(RLIMIT_STACK));
    let file = exec::open(&ctx.caller(), At::Cwd, &path)?;
    let request = ExecRequest {
        file,
        path,
        arguments: StringList::from_user(ctx.memory(), argv, &mut budget)?,
        environment: StringList::from_user(ctx.memory(), envp, &mut budget)?,
        budget,
    };
    exec::execve(ctx, request)
}
