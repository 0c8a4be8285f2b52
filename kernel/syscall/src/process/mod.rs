//! Processes: birth, programs, death, and what a process may ask about itself and others.

mod birth;
mod control;
mod credentials;
mod exec;
mod futex;
mod groups;
mod limits;
mod schedule;
mod wait;

pub(crate) use birth::{clone, exit, exit_group, fork, vfork};
pub(crate) use control::{arch_prctl, personality, prctl};
pub(crate) use credentials::{
    getegid, geteuid, getgid, getgroups, getpid, getppid, gettid, getuid, setgid, setgroups, setuid,
};
pub(crate) use exec::execve;
pub(crate) use futex::{
    futex, futex_requeue, futex_wait, futex_waitv, futex_wake, get_robust_list, set_robust_list,
    set_tid_address,
};
pub(crate) use groups::{getpgid, getpgrp, getsid, setpgid, setsid};
pub(crate) use limits::{getrlimit, getrusage, prlimit64, setrlimit, times};
pub(crate) use schedule::{getcpu, sched_getaffinity, sched_yield};
pub(crate) use wait::{wait4, waitid};
