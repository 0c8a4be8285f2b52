//! Clocks, sleeping and interval timers.

use los_abi::errno::Errno;
use los_abi::signal::SIGALRM;
use los_abi::syscall::Sysno;
use los_abi::time::{
    ADJ_FREQUENCY, ADJ_NANO, ADJ_OFFSET, ADJ_OFFSET_READONLY, ADJ_SETOFFSET, ADJ_SINGLESHOT, ADJ_TICK, Timex,
    Timezone,
};
use rt::{signal, time};

use super::out_of_memory::only_on_levitate;
use crate::clock::clock_ns;
use crate::harness::{Failure, Outcome, catch};
use crate::raw::{addr, addr_mut, call};
use crate::{cases, ensure, ensure_eq};

cases![
    clocks_move_forward,
    real_time_is_this_century,
    resolutions,
    wrong_clocks_are_einval,
    sleeping_takes_its_time,
    sleep_argument_checks,
    absolute_sleep,
    interrupted_sleep_returns_the_rest,
    interval_timer_repeats,
    timer_is_cancelled,
    times_and_ticks,
    the_discipline_is_told,
    changes_of_the_discipline_are_checked,
    the_discipline_changes_the_rate,
    offsets_are_made_up_for_slowly,
    the_time_zone_is_checked,
];

fn clocks_move_forward() -> Outcome {
    for clock in [0, 1, 4, 5, 6, 7] {
        let mut last = clock_ns(clock)?;
        for _ in 0..1000 {
            let now = clock_ns(clock)?;
            ensure!(now >= last, "clock {clock} went from {last} to {now}");
            last = now;
        }
    }
    for clock in [2, 3] {
        ensure!(clock_ns(clock)? > 0);
    }
    Ok(())
}

fn real_time_is_this_century() -> Outcome {
    let mut pair = [0_i64; 2];
    let before = clock_ns(0)? / 1_000_000_000;
    call(Sysno::gettimeofday, &[addr_mut(&mut pair), 0])?;
    ensure!(pair[0] > 1_600_000_000 && pair[1] < 1_000_000);
    ensure!((before..=clock_ns(0)? / 1_000_000_000).contains(&pair[0]));
    Ok(())
}

fn resolutions() -> Outcome {
    let mut time = [9_i64; 2];
    call(Sysno::clock_getres, &[1, addr_mut(&mut time)])?;
    ensure_eq!(time, [0, 1]);
    call(Sysno::clock_getres, &[1, 0])?;
    Ok(())
}

fn wrong_clocks_are_einval() -> Outcome {
    let mut time = [0_i64; 2];
    for clock in [12, 99] {
        ensure_eq!(
            call(Sysno::clock_gettime, &[clock, addr_mut(&mut time)]).err(),
            Some(Errno::EINVAL)
        );
    }
    ensure_eq!(call(Sysno::clock_gettime, &[1, 8]).err(), Some(Errno::EFAULT));
    Ok(())
}

fn sleeping_takes_its_time() -> Outcome {
    let before = clock_ns(1)?;
    call(Sysno::nanosleep, &[addr(&[0_i64, 20_000_000]), 0])?;
    ensure!(clock_ns(1)? - before >= 20_000_000);
    Ok(())
}

fn sleep_argument_checks() -> Outcome {
    for bad in [[0_i64, 1_000_000_000], [-1, 0], [0, -1]] {
        ensure_eq!(
            call(Sysno::nanosleep, &[addr(&bad), 0]).err(),
            Some(Errno::EINVAL)
        );
    }
    ensure_eq!(call(Sysno::nanosleep, &[8, 0]).err(), Some(Errno::EFAULT));
    let good = [0_i64, 1];
    ensure_eq!(
        call(Sysno::clock_nanosleep, &[99, 0, addr(&good), 0]).err(),
        Some(Errno::EINVAL)
    );
    Ok(())
}

fn absolute_sleep() -> Outcome {
    let until = clock_ns(1)? + 20_000_000;
    let time = [until / 1_000_000_000, until % 1_000_000_000];
    call(Sysno::clock_nanosleep, &[1, 1, addr(&time), 0])?;
    ensure!(clock_ns(1)? >= until);
    // A time in the past returns at once.
    call(Sysno::clock_nanosleep, &[1, 1, addr(&[0_i64, 5]), 0])?;
    Ok(())
}

fn set_timer(first_us: i64, interval_us: i64) -> Result<u64, Errno> {
    let value = [0, interval_us, 0, first_us];
    call(Sysno::setitimer, &[0, addr(&value), 0])
}

fn interrupted_sleep_returns_the_rest() -> Outcome {
    catch(SIGALRM);
    // Again and again: the first may come before the sleep.
    set_timer(20_000, 20_000)?;
    let mut rest = [0_i64; 2];
    let result = call(Sysno::nanosleep, &[addr(&[5000_i64, 0]), addr_mut(&mut rest)]);
    ensure_eq!(result.err(), Some(Errno::EINTR));
    ensure!((4900..5000).contains(&rest[0]) && rest[1] > 0, "{rest:?} left");
    set_timer(0, 0)?;
    ensure!(signal::take(SIGALRM));
    Ok(())
}

fn interval_timer_repeats() -> Outcome {
    catch(SIGALRM);
    set_timer(5_000, 5_000)?;
    for _ in 0..3 {
        let result = call(Sysno::nanosleep, &[addr(&[5_i64, 0]), 0]);
        ensure_eq!(result.err(), Some(Errno::EINTR));
    }
    let mut old = [0_i64; 4];
    call(Sysno::setitimer, &[0, addr(&[0_i64; 4]), addr_mut(&mut old)])?;
    ensure_eq!(old[..2], [0, 5_000]);
    Ok(())
}

fn timer_is_cancelled() -> Outcome {
    catch(SIGALRM);
    loop {
        let before = clock_ns(1)?;
        set_timer(20_000, 0)?;
        set_timer(0, 0)?;
        if clock_ns(1)? - before < 20_000_000 {
            break;
        }
        // It was not cancelled in time.
        signal::take(SIGALRM);
    }
    time::sleep_ms(40);
    ensure!(!signal::take(SIGALRM));
    ensure_eq!(
        call(Sysno::setitimer, &[7, addr(&[0_i64; 4]), 0]).err(),
        Some(Errno::EINVAL)
    );
    Ok(())
}

fn times_and_ticks() -> Outcome {
    let mut times = [0_i64; 4];
    let before = call(Sysno::times, &[addr_mut(&mut times)])?;
    time::sleep_ms(30);
    let after = call(Sysno::times, &[addr_mut(&mut times)])?;
    ensure!(after - before >= 2 && after - before < 6000);
    Ok(())
}

fn the_discipline_is_told() -> Outcome {
    let mut state = Timex::default();
    let at = addr_mut(&mut state);
    for result in [call(Sysno::adjtimex, &[at]), call(Sysno::clock_adjtime, &[0, at])] {
        // In step, or not.
        ensure!(result? <= 5);
        ensure!((state.time.tv_sec - clock_ns(0)? / 1_000_000_000).abs() <= 1);
        ensure!((9_000..=11_000).contains(&state.tick) && state.precision >= 1);
    }
    ensure_eq!(call(Sysno::adjtimex, &[8]).err(), Some(Errno::EFAULT));
    ensure_eq!(call(Sysno::clock_adjtime, &[99, 8]).err(), Some(Errno::EFAULT));
    ensure_eq!(call(Sysno::clock_adjtime, &[99, at]).err(), Some(Errno::EINVAL));
    for clock in [1, 2, 7, 11] {
        ensure_eq!(
            call(Sysno::clock_adjtime, &[clock, at]).err(),
            Some(Errno::EOPNOTSUPP)
        );
    }
    // Changes need permission.
    if call(Sysno::setuid, &[54_321]).is_ok() {
        let changed = Timex {
            modes: 2,
            ..Timex::default()
        };
        ensure_eq!(call(Sysno::adjtimex, &[addr(&changed)]).err(), Some(Errno::EPERM));
    }
    Ok(())
}

fn adjust(modes: u32, offset: i64, freq: i64, tick: i64) -> Result<Timex, Errno> {
    let mut state = Timex {
        modes,
        offset,
        freq,
        tick,
        ..Timex::default()
    };
    call(Sysno::adjtimex, &[addr_mut(&mut state)])?;
    Ok(state)
}

/// Real time gains a tenth on monotonic time. Only where nobody goes by the clock.
fn the_discipline_changes_the_rate() -> Outcome {
    only_on_levitate()?;
    const FASTER: i64 = 11_000;
    const USUAL: i64 = 10_000;
    let told = adjust(ADJ_TICK | ADJ_FREQUENCY, 0, 1 << 16, FASTER)?;
    ensure_eq!((told.tick, told.freq), (FASTER, 1 << 16));
    ensure_eq!(adjust(ADJ_FREQUENCY, 0, i64::MAX, 0)?.freq, 500 << 16);
    let both = || Ok::<_, Errno>((clock_ns(1)?, clock_ns(0)?));
    let before = both()?;
    time::sleep_ms(100);
    let after = both()?;
    let gained = (after.1 - before.1) - (after.0 - before.0);
    // A hundred milliseconds at least, less what lies between the two looks at the clocks.
    ensure!(gained > 5_000_000, "gained {gained} ns");
    adjust(ADJ_TICK | ADJ_FREQUENCY, 0, 0, USUAL)?;
    let offset = || Ok::<_, Errno>(clock_ns(0)? - clock_ns(1)?);
    let first = offset()?;
    // The two looks were in the other order.
    ensure!(first > after.1 - after.0 - 5_000_000, "what was gained stays");
    Ok(())
}

fn offsets_are_made_up_for_slowly() -> Outcome {
    only_on_levitate()?;
    const ADJTIME: u32 = ADJ_SINGLESHOT | ADJ_OFFSET;
    const READ: u32 = ADJTIME | ADJ_OFFSET_READONLY;
    ensure_eq!(adjust(ADJTIME, 1_000_000, 0, 0)?.offset, 0);
    let first = adjust(READ, 0, 0, 0)?.offset;
    ensure!(first > 900_000 && first <= 1_000_000, "{first} us are left");
    time::sleep_ms(50);
    let second = adjust(READ, 0, 0, 0)?.offset;
    ensure!(second < first, "{first} us and {second} us are left");
    // A new one takes its place, and tells what was left.
    let left = adjust(ADJTIME, 0, 0, 0)?.offset;
    ensure!(left <= second && left > 0, "{left} us were left");
    ensure_eq!(adjust(READ, 0, 0, 0)?.offset, 0);
    Ok(())
}

/// The clock of the machine that the case runs on must stay as it is.
fn changes_of_the_discipline_are_checked() -> Outcome {
    let change = |modes: u32, tv_usec: i64, tick: i64| {
        let mut state = Timex {
            modes,
            tick,
            ..Timex::default()
        };
        state.time.tv_usec = tv_usec;
        call(Sysno::adjtimex, &[addr_mut(&mut state)])
    };
    let nothing = change(ADJ_SETOFFSET, 0, 0);
    if nothing == Err(Errno::EPERM) {
        return Err(Failure::Skip("clocks are out of reach"));
    }
    ensure!(nothing? <= 5);
    ensure!(change(ADJ_SETOFFSET | ADJ_NANO, 0, 0)? <= 5);
    ensure_eq!(change(ADJ_SETOFFSET, 1_000_000, 0), Err(Errno::EINVAL));
    ensure_eq!(change(ADJ_SETOFFSET, -1, 0), Err(Errno::EINVAL));
    ensure_eq!(
        change(ADJ_SETOFFSET | ADJ_NANO, 1_000_000_000, 0),
        Err(Errno::EINVAL)
    );
    ensure_eq!(change(ADJ_TICK, 0, 8_999), Err(Errno::EINVAL));
    ensure_eq!(change(ADJ_TICK, 0, 11_001), Err(Errno::EINVAL));
    ensure_eq!(change(ADJ_SINGLESHOT, 0, 0), Err(Errno::EINVAL));
    call(Sysno::setuid, &[54_321])?;
    ensure_eq!(change(ADJ_SETOFFSET, 0, 0), Err(Errno::EPERM));
    ensure_eq!(change(ADJ_TICK, 0, 1), Err(Errno::EPERM));
    ensure_eq!(change(ADJ_SINGLESHOT | ADJ_OFFSET, 0, 0), Err(Errno::EPERM));
    Ok(())
}

fn the_time_zone_is_checked() -> Outcome {
    let mut zone = Timezone::default();
    call(Sysno::gettimeofday, &[0, addr_mut(&mut zone)])?;
    let set = |zone: &Timezone| call(Sysno::settimeofday, &[0, addr(zone)]);
    let kept = set(&zone);
    if kept == Err(Errno::EPERM) {
        return Err(Failure::Skip("clocks are out of reach"));
    }
    ensure_eq!(kept, Ok(0));
    let far = |tz_minuteswest: i32| Timezone {
        tz_minuteswest,
        tz_dsttime: 0,
    };
    ensure_eq!(set(&far(901)), Err(Errno::EINVAL));
    ensure_eq!(set(&far(-901)), Err(Errno::EINVAL));
    ensure_eq!(call(Sysno::settimeofday, &[0, 8]), Err(Errno::EFAULT));
    call(Sysno::setuid, &[54_321])?;
    ensure_eq!(set(&far(901)), Err(Errno::EPERM));
    Ok(())
}
