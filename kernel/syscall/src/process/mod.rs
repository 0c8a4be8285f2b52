//! Processes: birth, programs, death, and what a process may ask about itself and others.

mod birth;
mod capabilities;
mod credentials;
mod description;
mod exec;
mod foreign;
mod futex;
mod groups;
mod limits;
mod memory_options;
mod pidfd;
mod prctl;
mod rseq;
mod schedule;
mod wait;

pub(crate) use birth::{clone, clone3, exit, exit_group, fork, unshare, vfork};
pub(crate) use capabilities::{capget, capset};
pub(crate) use credentials::{
    getegid, geteuid, getgid, getgroups, getpid, getppid, getresgid, getresuid, gettid, getuid, setfsgid,
    setfsuid, setgid, setgroups, setregid, setresgid, setresuid, setreuid, setuid,
};
pub(crate) use exec::{execve, execveat};
pub(crate) use foreign::{kcmp, process_vm_readv, process_vm_writev};
pub(crate) use futex::{
    futex, futex_requeue, futex_wait, futex_waitv, futex_wake, get_robust_list, set_robust_list,
    set_tid_address,
};
pub(crate) use groups::{getpgid, getpgrp, getsid, setpgid, setsid};
pub(crate) use limits::{getrlimit, getrusage, prlimit64, setrlimit, times};
pub(crate) use pidfd::{pidfd_getfd, pidfd_open, pidfd_send_signal};
pub(crate) use prctl::{arch_prctl, personality, prctl};
pub(crate) use rseq::rseq;
pub(crate) use schedule::{
    getcpu, getpriority, ioprio_get, ioprio_set, sched_get_priority_max, sched_get_priority_min,
    sched_getaffinity, sched_getattr, sched_getparam, sched_getscheduler, sched_rr_get_interval,
    sched_setaffinity, sched_setattr, sched_setparam, sched_setscheduler, sched_yield, setpriority,
};
pub(crate) use wait::{wait4, waitid};
