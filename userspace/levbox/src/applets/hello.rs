//! `hello`: shows that programs run.

use rt::println;

use crate::Call;

pub(super) fn run(_: &Call<'_>) -> i32 {
    println!("Hello from userspace!");
    0
}
