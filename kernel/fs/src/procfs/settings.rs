//! /proc/sys: what sysctl(8) shows and sets. Only settings with a `Store` can be changed.

use alloc::string::String;

use ::task::clone::threads_max;
use ::task::core_dump::{self, Dumpable};
use ::task::{exec, pid, rlimit, uts, version as names};
use los_abi::credentials::CAP_LAST_CAP;
use los_abi::credentials::NGROUPS_MAX;
use los_abi::errno::Errno;
use mm::commit::{self, Overcommit};
use sync::Once;
use vfs::Capability;
use vfs::user_limits::{Limit, limit, set_limit};

use super::node::{Content, Entry, Show, Store};
use super::root::{System, text};
use super::text::{Text, written_number};

type Done = Result<(), Errno>;

/// The number that stands for users and groups which others cannot name.
const OVERFLOW_ID: u32 = 65534;

const fn directory(name: &'static str, table: &'static [Entry<System>]) -> Entry<System> {
    Entry {
        name,
        mode: 0o555,
        content: Content::Table(table),
    }
}

const fn setting(name: &'static str, show: Show<System>, store: Store<System>) -> Entry<System> {
    Entry {
        name,
        mode: 0o644,
        content: Content::Setting(show, store),
    }
}

/// A limit of [`vfs::user_limits`], and how it is stored.
macro_rules! limit_of {
    ($name:literal, $limit:ident, $store:ident) => {
        setting(
            $name,
            |_, text| line(text, limit(Limit::$limit)),
            |_, bytes| $store(Limit::$limit, bytes),
        )
    };
}

pub(super) static TABLE: &[Entry<System>] = &[
    directory(
        "fs",
        &[
            directory(
                "epoll",
                &[limit_of!("max_user_watches", EpollWatches, store_long)],
            ),
            limit_of!("file-max", OpenFiles, store_long),
            text("file-nr", |_, text| {
                // The second number is always 0 (proc_sys_fs(5)).
                writeln!(text, "{}\t0\t{}", vfs::open_files(), limit(Limit::OpenFiles));
                Ok(())
            }),
            directory(
                "inotify",
                &[
                    limit_of!("max_queued_events", InotifyQueuedEvents, store_limit),
                    limit_of!("max_user_instances", InotifyInstances, store_limit),
                    limit_of!("max_user_watches", InotifyWatches, store_limit),
                ],
            ),
            setting(
                "nr_open",
                |_, text| line(text, rlimit::nofile_max()),
                |_, bytes| {
                    let most = u64::try_from(integer(bytes)?).map_err(|_| Errno::EINVAL)?;
                    rlimit::set_nofile_max(most)
                },
            ),
            setting(
                "pipe-max-size",
                |_, text| line(text, limit(Limit::PipeBytes)),
                |_, bytes| {
                    let size = usize::try_from(long(bytes)?).map_err(|_| Errno::EINVAL)?;
                    set_limit(Limit::PipeBytes, vfs::pipe::round_size(size)?);
                    Ok(())
                },
            ),
            limit_of!("pipe-user-pages-hard", PipePagesHard, store_long),
            limit_of!("pipe-user-pages-soft", PipePagesSoft, store_long),
            setting(
                "suid_dumpable",
                |_, text| line(text, core_dump::settings::of_set_id().number()),
                |_, bytes| {
                    let number = u32::try_from(integer(bytes)?).map_err(|_| Errno::EINVAL)?;
                    core_dump::settings::set_of_set_id(Dumpable::from_number(number)?);
                    Ok(())
                },
            ),
        ],
    ),
    directory(
        "kernel",
        &[
            text("cap_last_cap", |_, text| line(text, CAP_LAST_CAP)),
            setting(
                "core_pattern",
                |_, text| {
                    text.bytes(&core_dump::settings::pattern());
                    text.bytes(b"\n");
                    Ok(())
                },
                |_, bytes| {
                    core_dump::settings::set_pattern(bytes);
                    Ok(())
                },
            ),
            setting(
                "core_pipe_limit",
                |_, text| line(text, core_dump::settings::pipe_limit()),
                |_, bytes| {
                    let value = u32::try_from(integer(bytes)?).map_err(|_| Errno::EINVAL)?;
                    core_dump::settings::set_pipe_limit(value);
                    Ok(())
                },
            ),
            setting(
                "core_uses_pid",
                |_, text| line(text, core_dump::settings::uses_pid()),
                |_, bytes| {
                    let value = u32::try_from(integer(bytes)?).map_err(|_| Errno::EINVAL)?;
                    core_dump::settings::set_uses_pid(value);
                    Ok(())
                },
            ),
            text("domainname", |_, text| name(text, &uts::domain())),
            text("hostname", |_, text| name(text, &uts::host())),
            text("ngroups_max", |_, text| line(text, NGROUPS_MAX)),
            text("osrelease", |_, text| line(text, names::RELEASE)),
            text("ostype", |_, text| line(text, names::SYSTEM)),
            text("overflowgid", |_, text| line(text, OVERFLOW_ID)),
            text("overflowuid", |_, text| line(text, OVERFLOW_ID)),
            text("pid_max", |_, text| line(text, pid::PID_MAX)),
            directory(
                "random",
                &[
                    text("boot_id", boot_id),
                    text("uuid", |_, text| line(text, uuid())),
                ],
            ),
            setting(
                "randomize_va_space",
                |_, text| line(text, exec::randomization()),
                |_, value| integer(value).map(exec::set_randomization),
            ),
            text("tainted", |_, text| line(text, 0)),
            text("threads-max", |_, text| line(text, threads_max())),
            text("version", |_, text| line(text, names::VERSION)),
        ],
    ),
    directory(
        "vm",
        &[
            Entry {
                name: "drop_caches",
                mode: 0o200,
                content: Content::Setting(|_, _| Err(Errno::EACCES), drop_caches),
            },
            setting(
                "max_map_count",
                |_, text| line(text, mm::max_mappings()),
                |_, bytes| {
                    let count = usize::try_from(integer(bytes)?).map_err(|_| Errno::EINVAL)?;
                    mm::set_max_mappings(count);
                    Ok(())
                },
            ),
            setting(
                "mmap_min_addr",
                |_, text| line(text, mm::lowest_address()),
                store_lowest_address,
            ),
            setting(
                "overcommit_memory",
                |_, text| line(text, commit::mode() as u8),
                store_overcommit,
            ),
            setting(
                "overcommit_ratio",
                |_, text| line(text, commit::ratio()),
                |_, bytes| {
                    let percent = usize::try_from(integer(bytes)?).map_err(|_| Errno::EINVAL)?;
                    commit::set_ratio(percent);
                    Ok(())
                },
            ),
        ],
    ),
];

fn name(text: &mut Text, name: &uts::UtsName) -> Done {
    text.bytes(name.as_bytes());
    text.bytes(b"\n");
    Ok(())
}

fn line(text: &mut Text, value: impl core::fmt::Display) -> Done {
    writeln!(text, "{value}");
    Ok(())
}

/// Reads a number that is an `int` in Linux.
fn integer(written: &[u8]) -> Result<i32, Errno> {
    written_number(written)
}

fn store_limit(which: Limit, bytes: &[u8]) -> Done {
    set_limit(
        which,
        usize::try_from(integer(bytes)?).map_err(|_| Errno::EINVAL)?,
    );
    Ok(())
}

/// Reads a number that is a `long` in Linux.
fn long(written: &[u8]) -> Result<i64, Errno> {
    written_number(written)
}

fn store_long(which: Limit, bytes: &[u8]) -> Done {
    set_limit(which, usize::try_from(long(bytes)?).map_err(|_| Errno::EINVAL)?);
    Ok(())
}

fn store_lowest_address(_: &System, bytes: &[u8]) -> Done {
    if !super::reader().capable(Capability::SysRawio) {
        return Err(Errno::EPERM);
    }
    let address = u64::try_from(integer(bytes)?).map_err(|_| Errno::EINVAL)?;
    mm::set_lowest_address(address);
    Ok(())
}

fn store_overcommit(_: &System, bytes: &[u8]) -> Done {
    commit::set_mode(match integer(bytes)? {
        0 => Overcommit::Heuristic,
        1 => Overcommit::Always,
        2 => Overcommit::Never,
        _ => return Err(Errno::EINVAL),
    });
    Ok(())
}

/// Gives back what is kept to be at hand again (proc_sys_vm(5)): of files nothing, as memory is where they are; for 2
/// and 3 the names that nobody uses and the free objects of the kernel's heap. 4 would quieten a message.
fn drop_caches(_: &System, bytes: &[u8]) -> Done {
    match integer(bytes)? {
        1 | 4 => {}
        2 | 3 => {
            vfs::drop_unused_names();
            mm::heap::trim();
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(())
}

fn boot_id(_: &System, text: &mut Text) -> Done {
    static BOOT_ID: Once<String> = Once::new();
    line(text, BOOT_ID.call_once(uuid))
}

/// Makes a random UUID (RFC 9562, version 4).
fn uuid() -> String {
    let mut bytes = [0; 16];
    vfs::random::fill(&mut bytes);
    let mut number = u128::from_be_bytes(bytes);
    number = number & !(0xf << 76) | 4 << 76;
    number = number & !(3 << 62) | 2 << 62;
    let part = |shift: u32, digits: u32| (number >> shift) & ((1 << (4 * digits)) - 1);
    alloc::format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        part(96, 8),
        part(80, 4),
        part(64, 4),
        part(48, 4),
        part(0, 12),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read() {
        assert_eq!(integer(b"1\n"), Ok(1));
        assert_eq!(integer(b" 0 "), Ok(0));
        for wrong in [&b""[..], b"x", b"1 2", b"99999999999"] {
            assert_eq!(integer(wrong), Err(Errno::EINVAL));
        }
    }

    #[test]
    fn uuids_are_of_version_four() {
        let uuid = uuid();
        let parts: alloc::vec::Vec<_> = uuid.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(uuid.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&uuid.as_bytes()[19]));
    }
}
