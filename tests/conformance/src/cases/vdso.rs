//! The vDSO as a C library finds it: AT_SYSINFO_EHDR, symbols, versions, and what the functions answer.

use alloc::string::String;
use alloc::vec::Vec;

use los_abi::auxv::AT_SYSINFO_EHDR;
use los_abi::signal::{SIGSEGV, SIGUSR1};
use los_abi::syscall::Sysno;
use rt::{fs, signal};

use crate::arch::{self, VDSO_FUNCTIONS, VDSO_VERSION};
use crate::cases::ended;
use crate::clock::clock_ns;
use crate::harness::{Failure, Outcome, in_child};
use crate::raw::{addr, addr_mut, call, invoke_long, peek, poke};
use crate::{cases, ensure, ensure_eq};

cases![
    object_is_mapped,
    functions_have_their_version,
    clocks_agree_with_the_kernel,
    clocks_move_forward_without_a_call,
    coarse_clocks_move_in_steps,
    other_clocks_are_left_to_the_kernel,
    time_of_day_agrees,
    seconds_agree,
    resolutions_are_one_nanosecond,
    cpu_is_known,
    a_child_keeps_its_clock,
    the_data_cannot_be_written,
    handlers_return_without_a_restorer,
    handlers_return_to_where_it_was_moved,
];

/// Reads the auxiliary vector.
pub(crate) fn auxv() -> Result<Vec<(u64, u64)>, Failure> {
    let bytes = fs::read(b"/proc/self/auxv")?;
    let words: Vec<u64> = bytes
        .chunks_exact(8)
        .map(|word| u64::from_le_bytes(word.try_into().unwrap_or_default()))
        .collect();
    Ok(words.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
}

/// Returns a value of the auxiliary vector.
pub(crate) fn auxiliary(key: u64) -> Result<Option<u64>, Failure> {
    Ok(auxv()?
        .into_iter()
        .find(|entry| entry.0 == key)
        .map(|entry| entry.1))
}

/// Calls a function that returns an `int`.
fn invoke(function: u64, arguments: [u64; 3]) -> i32 {
    invoke_long(function, arguments) as i32
}

/// The loaded object's tables.
struct Object {
    bias: u64,
    hash: u64,
    strings: u64,
    symbols: u64,
    versions: u64,
    definitions: u64,
}

impl Object {
    fn find() -> Result<Self, Failure> {
        let header = match auxiliary(AT_SYSINFO_EHDR)? {
            Some(header) if header != 0 => header,
            _ => return Err(Failure::Skip("there is no vDSO")),
        };
        ensure_eq!(peek::<[u8; 4]>(header), *b"\x7fELF");
        let table = header + peek::<u64>(header + 32);
        let count = u64::from(peek::<u16>(header + 56));
        let (mut bias, mut dynamic) = (None, None);
        for entry in (0..count).map(|index| table + 56 * index) {
            match peek::<u32>(entry) {
                1 => bias = Some(header + peek::<u64>(entry + 8) - peek::<u64>(entry + 16)),
                2 => dynamic = Some(header + peek::<u64>(entry + 8)),
                _ => {}
            }
        }
        let (Some(bias), Some(mut entry)) = (bias, dynamic) else {
            return Err(Failure::Wrong("no PT_LOAD or PT_DYNAMIC".into()));
        };
        let mut object = Self {
            bias,
            hash: 0,
            strings: 0,
            symbols: 0,
            versions: 0,
            definitions: 0,
        };
        loop {
            let place = match peek::<u64>(entry) {
                0 => break,
                4 => Some(&mut object.hash),
                5 => Some(&mut object.strings),
                6 => Some(&mut object.symbols),
                0x6fff_fff0 => Some(&mut object.versions),
                0x6fff_fffc => Some(&mut object.definitions),
                _ => None,
            };
            if let Some(place) = place {
                *place = bias + peek::<u64>(entry + 8);
            }
            entry += 16;
        }
        ensure!(object.strings != 0 && object.symbols != 0, "tables are missing");
        if object.hash == 0 {
            return Err(Failure::Skip("the vDSO has no classic hash table"));
        }
        Ok(object)
    }

    fn string(&self, offset: u32) -> Vec<u8> {
        let start = self.strings + u64::from(offset);
        (0..)
            .map(|index| peek::<u8>(start + index))
            .take_while(|byte| *byte != 0)
            .collect()
    }

    /// Returns the index and the address of a function.
    fn symbol(&self, name: &str) -> Option<(u64, u64)> {
        let count = u64::from(peek::<u32>(self.hash + 4));
        (1..count).find_map(|index| {
            let symbol = self.symbols + 24 * index;
            let is_it = self.string(peek(symbol)) == name.as_bytes() && peek::<u16>(symbol + 6) != 0;
            is_it.then(|| (index, self.bias + peek::<u64>(symbol + 8)))
        })
    }

    /// Returns the name of a symbol's version.
    fn version(&self, symbol: u64) -> Option<Vec<u8>> {
        let wanted = peek::<u16>(self.versions + 2 * symbol) & 0x7fff;
        let mut definition = self.definitions;
        loop {
            if peek::<u16>(definition + 4) == wanted {
                let name = definition + u64::from(peek::<u32>(definition + 12));
                return Some(self.string(peek(name)));
            }
            match peek::<u32>(definition + 16) {
                0 => return None,
                next => definition += u64::from(next),
            }
        }
    }
}

/// Finds the function in the place of the machine's list that x86_64 calls `__vdso_NAME`.
fn function(name: &str) -> Result<u64, Failure> {
    let object = Object::find()?;
    let full = VDSO_FUNCTIONS.iter().find(|full| full.ends_with(name));
    match full.and_then(|full| object.symbol(full)) {
        Some((_, address)) => Ok(address),
        None => Err(Failure::Skip("this machine's vDSO has no such function")),
    }
}

fn object_is_mapped() -> Outcome {
    let object = Object::find()?;
    let maps = fs::read(b"/proc/self/maps")?;
    let line = maps
        .split(|byte| *byte == b'\n')
        .find(|line| line.ends_with(b"[vdso]"));
    let line = core::str::from_utf8(line.unwrap_or_default()).unwrap_or_default();
    ensure!(
        line.starts_with(&alloc::format!("{:x}-", object.bias)) && line.contains(" r-xp 00000000 00:00 0 "),
        "{line:?}"
    );
    Ok(())
}

fn functions_have_their_version() -> Outcome {
    let object = Object::find()?;
    for name in VDSO_FUNCTIONS {
        let Some((index, address)) = object.symbol(name) else {
            return Err(Failure::Wrong(alloc::format!("{name} is missing")));
        };
        ensure!(address > object.bias);
        ensure_eq!(object.version(index).as_deref(), Some(VDSO_VERSION.as_bytes()));
    }
    ensure!(object.symbol("__vdso_nothing").is_none());
    Ok(())
}

fn vdso_ns(function: u64, clock: u64) -> Result<i64, Failure> {
    let mut time = [-1_i64; 2];
    ensure_eq!(invoke(function, [clock, addr_mut(&mut time), 0]), 0);
    ensure!((0..1_000_000_000).contains(&time[1]), "{time:?}");
    Ok(time[0] * 1_000_000_000 + time[1])
}

fn clocks_agree_with_the_kernel() -> Outcome {
    let gettime = function("clock_gettime")?;
    for clock in [0, 1, 4, 5, 6, 7, 11] {
        for _ in 0..100 {
            let before = clock_ns(clock)?;
            let now = vdso_ns(gettime, clock)?;
            let after = clock_ns(clock)?;
            ensure!(
                before <= now && now <= after,
                "clock {clock}: {before} {now} {after}"
            );
        }
    }
    Ok(())
}

fn clocks_move_forward_without_a_call() -> Outcome {
    let gettime = function("clock_gettime")?;
    for clock in [0, 1, 4, 7] {
        let first = vdso_ns(gettime, clock)?;
        let mut last = first;
        for _ in 0..10_000 {
            let now = vdso_ns(gettime, clock)?;
            ensure!(now >= last, "clock {clock} went from {last} to {now}");
            last = now;
        }
        ensure!(last > first, "clock {clock} stands");
    }
    Ok(())
}

fn coarse_clocks_move_in_steps() -> Outcome {
    let gettime = function("clock_gettime")?;
    for (fine, coarse) in [(0, 5), (1, 6)] {
        let by_call = |clock| Ok(clock_ns(clock)?);
        let by_code = |clock| vdso_ns(gettime, clock);
        let ways: [&dyn Fn(u64) -> Result<i64, Failure>; 2] = [&by_call, &by_code];
        for read in ways {
            let mut repeated = 0;
            let mut last = read(coarse)?;
            for _ in 0..1000 {
                let now = read(coarse)?;
                ensure!(now <= vdso_ns(gettime, fine)?, "clock {coarse} is ahead");
                ensure!(now >= last, "clock {coarse} went from {last} to {now}");
                repeated += i32::from(now == last);
                last = now;
            }
            ensure!(repeated > 500, "clock {coarse} stood {repeated} times of 1000");
            while read(coarse)? == last {}
        }
    }
    Ok(())
}

fn other_clocks_are_left_to_the_kernel() -> Outcome {
    let gettime = function("clock_gettime")?;
    for clock in [2, 3] {
        ensure!(vdso_ns(gettime, clock)? > 0);
    }
    let mut time = [0_i64; 2];
    for clock in [12, 31, 32, 33, 99, u64::from(u32::MAX - 1)] {
        let mine = call(Sysno::clock_gettime, &[clock, addr_mut(&mut time)]);
        let theirs = invoke(gettime, [clock, addr_mut(&mut time), 0]);
        match mine {
            Ok(_) => ensure_eq!(theirs, 0),
            Err(errno) => ensure_eq!(theirs, -errno.code()),
        }
    }
    Ok(())
}

fn time_of_day_agrees() -> Outcome {
    let time_of_day = function("gettimeofday")?;
    for _ in 0..100 {
        let before = clock_ns(0)? / 1000;
        let mut time = [-1_i64; 2];
        ensure_eq!(invoke(time_of_day, [addr_mut(&mut time), 0, 0]), 0);
        ensure!((0..1_000_000).contains(&time[1]));
        let now = time[0] * 1_000_000 + time[1];
        ensure!(before <= now && now <= clock_ns(0)? / 1000);
    }
    let mut zone = [7_i32; 2];
    ensure_eq!(invoke(time_of_day, [0, addr_mut(&mut zone), 0]), 0);
    ensure!(zone != [7, 7]);
    ensure_eq!(invoke(time_of_day, [0, 0, 0]), 0);
    Ok(())
}

fn seconds_agree() -> Outcome {
    let seconds = function("_time")?;
    let mut stored = 0_i64;
    let before = clock_ns(0)? / 1_000_000_000;
    let now = invoke_long(seconds, [addr_mut(&mut stored), 0, 0]);
    ensure!(before - 1 <= now && now <= clock_ns(0)? / 1_000_000_000);
    ensure_eq!(now, stored);
    ensure!(invoke_long(seconds, [0, 0, 0]) >= now);
    Ok(())
}

fn resolutions_are_one_nanosecond() -> Outcome {
    let getres = function("clock_getres")?;
    let mut time = [9_i64; 2];
    for clock in [0, 1, 4, 7] {
        ensure_eq!(invoke(getres, [clock, addr_mut(&mut time), 0]), 0);
        ensure_eq!(time, [0, 1]);
        ensure_eq!(invoke(getres, [clock, 0, 0]), 0);
    }
    // Those that are read as of the last tick tell its length.
    for clock in [5, 6] {
        ensure_eq!(invoke(getres, [clock, addr_mut(&mut time), 0]), 0);
        ensure!(time[0] == 0 && time[1] >= 1_000_000, "{time:?}");
    }
    ensure!(invoke(getres, [99, addr_mut(&mut time), 0]) < 0);
    Ok(())
}

fn cpu_is_known() -> Outcome {
    let getcpu = function("getcpu")?;
    let (mut cpu, mut node) = (u32::MAX, u32::MAX);
    ensure_eq!(invoke(getcpu, [addr_mut(&mut cpu), addr_mut(&mut node), 0]), 0);
    ensure!(cpu < 4096 && node < 64, "CPU {cpu} of node {node}");
    ensure_eq!(invoke(getcpu, [0, 0, 0]), 0);
    Ok(())
}

fn a_child_keeps_its_clock() -> Outcome {
    let gettime = function("clock_gettime")?;
    let status = in_child(|| {
        let advances = || -> Option<bool> {
            let before = clock_ns(1).ok()?;
            let now = vdso_ns(gettime, 1).ok()?;
            Some(before <= now && now <= clock_ns(1).ok()?)
        };
        i32::from(advances() != Some(true))
    })?;
    ensure_eq!(ended(status), 0);
    Ok(())
}

fn the_data_cannot_be_written() -> Outcome {
    let object = Object::find()?;
    let maps = fs::read(b"/proc/self/maps")?;
    let line = maps
        .split(|byte| *byte == b'\n')
        .find(|line| line.ends_with(b"[vvar]"))
        .unwrap_or_default();
    let start = line.split(|byte| *byte == b'-').next().unwrap_or_default();
    let start = core::str::from_utf8(start).unwrap_or_default();
    let Ok(start) = u64::from_str_radix(start, 16) else {
        return Err(Failure::Wrong("no [vvar]".into()));
    };
    ensure!(start < object.bias);
    ensure_eq!(
        call(Sysno::mprotect, &[start, 4096, 3]).err(),
        Some(los_abi::errno::Errno::EACCES)
    );
    let status = in_child(|| {
        poke(start, 0_u64);
        0
    })?;
    ensure_eq!(ended(status), 128 + SIGSEGV as i32);
    Ok(())
}

/// Where the ABI has no restorer the vDSO's trampoline is what handlers return to.
fn handlers_return_without_a_restorer() -> Outcome {
    if arch::ISA == los_abi::Isa::X86_64 {
        return Err(Failure::Skip("handlers of x86_64 bring their restorer"));
    }
    let trampoline = function("rt_sigreturn")?;
    // mov x8, #139; svc #0: unwinders know it by that.
    ensure_eq!(peek::<[u32; 2]>(trampoline), [0xd280_1168, 0xd400_0001]);
    forget_restorer()?;
    call(Sysno::kill, &[rt::process::id() as u64, SIGUSR1.into()])?;
    ensure!(signal::take(SIGUSR1));
    Ok(())
}

/// Catches SIGUSR1 with a handler that names no place to return to.
fn forget_restorer() -> Result<(), los_abi::errno::Errno> {
    crate::harness::catch(SIGUSR1);
    let mut action = [0_u64; 4];
    let number = u64::from(SIGUSR1);
    call(Sysno::rt_sigaction, &[number, 0, addr_mut(&mut action), 8])?;
    (action[1], action[2]) = (0, 0);
    call(Sysno::rt_sigaction, &[number, addr(&action), 0, 8])?;
    Ok(())
}

fn handlers_return_to_where_it_was_moved() -> Outcome {
    const MAYMOVE_AND_FIXED: u64 = 3;
    let maps = fs::read(b"/proc/self/maps")?;
    let maps = String::from_utf8_lossy(&maps);
    let line = maps.lines().find(|line| line.ends_with("[vdso]"));
    let Some((range, _)) = line.and_then(|line| line.split_once(' ')) else {
        return Err(Failure::Skip("there is no vDSO"));
    };
    let (start, end) = range.split_once('-').unwrap_or_default();
    let [start, end] = [start, end].map(|text| u64::from_str_radix(text, 16).unwrap_or(0));
    let bytes = end - start;
    let place = call(Sysno::mmap, &[0, bytes, 0, 0x22, u64::MAX, 0])?;
    call(Sysno::mremap, &[start, bytes, bytes, MAYMOVE_AND_FIXED, place])?;
    crate::harness::catch(SIGUSR1);
    if arch::ISA == los_abi::Isa::Aarch64 {
        forget_restorer()?;
    }
    call(Sysno::kill, &[rt::process::id() as u64, SIGUSR1.into()])?;
    ensure!(signal::take(SIGUSR1));
    Ok(())
}
