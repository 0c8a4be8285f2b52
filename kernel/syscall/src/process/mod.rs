//! Processes: birth, programs, death, and what a process may ask about itself and others.

mod birth;
mod control;
mod credentials;
mod groups;
mod limits;
mod schedule;

pub(crate) use birth::{clone, execve, exit, exit_group, fork, vfork, wait4};
pub(crate) use control::{arch_prctl, futex, personality, prctl, set_robust_list, set_tid_address};
pub(crate) use credentials::{
    getegid, geteuid, getgid, getgroups, getpid, getppid, gettid, getuid, setgid, setgroups, setuid,
};
pub(crate) use groups::{getpgid, getpgrp, getsid, setpgid, setsid};
pub(crate) use limits::{getrlimit, getrusage, prlimit64, setrlimit, times};
pub(crate) use schedule::{getcpu, sched_getaffinity, sched_yield};
