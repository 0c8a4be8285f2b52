//! Signals in numbers: none is lost, those of a kind arrive in order, and a frame that a program has spoiled hurts
//! nobody else.

use core::sync::atomic::{AtomicU64, Ordering};

use los_abi::errno::Errno;
use los_abi::signal::{SIGUSR1, SIGUSR2, SaFlags, SigInfo, SigSet};
use los_abi::syscall::Sysno;
use rt::process;

use crate::arch::UContext;
use crate::arch::signals::REGISTER_WORDS;
use crate::cases::ended;
use crate::handler::{install, queue, raise, set_of};
use crate::harness::{Outcome, in_child, spawn, wait_for};
use crate::raw::{addr, addr_mut, call, peek, poke};
use crate::thread::shared_page;
use crate::{cases, ensure, ensure_eq};

cases![
    queued_signals_arrive_once_and_in_order,
    two_storms_at_each_other,
    spoiled_frames_hurt_nobody_else,
];

/// The signals of the storms, with how their handlers run.
const KINDS: [(u32, SaFlags); 4] = [
    (40, SaFlags::empty()),
    (41, SaFlags::NODEFER),
    (42, SaFlags::RESTART),
    (43, SaFlags::NODEFER.union(SaFlags::RESTART)),
];
/// Signals of one storm.
const COUNT: u64 = 400;
const SEEDS: [u64; 2] = [0x1234_5eed, 0xabcd_5eed];

/// By kind: how many have arrived, and the sum of their values.
static NUMBER: [AtomicU64; KINDS.len()] = [const { AtomicU64::new(0) }; KINDS.len()];
static SUM: [AtomicU64; KINDS.len()] = [const { AtomicU64::new(0) }; KINDS.len()];
static ARRIVED: AtomicU64 = AtomicU64::new(0);
static WRONG: AtomicU64 = AtomicU64::new(0);
static NESTED: AtomicU64 = AtomicU64::new(0);

/// A handler: checks the order, and has another signal interrupt it.
fn arrive(number: u32, info: &SigInfo, _context: &mut UContext) {
    let kind = (number - KINDS[0].0) as usize;
    let value = info.value();
    let number = NUMBER[kind].fetch_add(1, Ordering::Relaxed);
    SUM[kind].fetch_add(value, Ordering::Relaxed);
    // Where the handler interrupts itself, the one that starts last runs first.
    if value != number && !KINDS[kind].1.contains(SaFlags::NODEFER) {
        WRONG.fetch_add(1, Ordering::Relaxed);
    }
    let arrived = ARRIVED.fetch_add(1, Ordering::Relaxed);
    if arrived.is_multiple_of(7) && raise(SIGUSR1).is_err() {
        WRONG.fetch_add(1, Ordering::Relaxed);
    }
}

fn nest(_number: u32, _info: &SigInfo, _context: &mut UContext) {
    NESTED.fetch_add(1, Ordering::Relaxed);
}

fn install_all() -> Result<(), Errno> {
    for (number, flags) in KINDS {
        // One of them keeps the others out.
        let mask = if number == 42 {
            set_of(&[40, 41, 43])
        } else {
            SigSet::EMPTY
        };
        install(number, flags, mask, arrive)?;
    }
    install(SIGUSR1, SaFlags::empty(), SigSet::EMPTY, nest)
}

/// A sequence of numbers without order, the same every time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Returns the kinds of a storm's signals.
fn kinds(seed: u64) -> impl Iterator<Item = usize> {
    let mut numbers = Numbers(seed);
    (0..COUNT).map(move |_| (numbers.next() % KINDS.len() as u64) as usize)
}

/// Sends a storm, slower where the receiver's queue is full.
fn send_storm(to: i32, seed: u64) -> Result<(), Errno> {
    let mut values = [0; KINDS.len()];
    for kind in kinds(seed) {
        while let Err(errno) = queue(to, KINDS[kind].0, values[kind]) {
            if errno != Errno::EAGAIN {
                return Err(errno);
            }
            call(Sysno::sched_yield, &[])?;
        }
        values[kind] += 1;
    }
    Ok(())
}

/// Does what signals interrupt, until all have arrived.
fn take_storm() -> Result<(), Errno> {
    const BLOCK: u64 = 0;
    const UNBLOCK: u64 = 1;
    let set = set_of(&[40, 41, 42, 43]);
    while ARRIVED.load(Ordering::Relaxed) < COUNT {
        call(Sysno::rt_sigprocmask, &[BLOCK, addr(&set), 0, 8])?;
        let _interrupted = call(Sysno::nanosleep, &[addr(&[0_u64, 1000]), 0]);
        call(Sysno::rt_sigprocmask, &[UNBLOCK, addr(&set), 0, 8])?;
    }
    Ok(())
}

/// Tells what arrived of a storm as an exit status: 0 when all is as it should be.
fn verdict(seed: u64) -> i32 {
    let mut sent = [0; KINDS.len()];
    kinds(seed).for_each(|kind| sent[kind] += 1);
    let is_complete = (0..KINDS.len()).all(|kind| {
        let (number, sum) = (
            NUMBER[kind].load(Ordering::Relaxed),
            SUM[kind].load(Ordering::Relaxed),
        );
        number == sent[kind] && sum == (0..number).sum()
    });
    let mut mask = u64::MAX;
    let asked = call(Sysno::rt_sigprocmask, &[0, 0, addr_mut(&mut mask), 8]);
    let is_right = asked.is_ok()
        && mask == 0
        && is_complete
        && WRONG.load(Ordering::Relaxed) == 0
        && NESTED.load(Ordering::Relaxed) > 0;
    i32::from(!is_right)
}

fn queued_signals_arrive_once_and_in_order() -> Outcome {
    install_all()?;
    let pid = spawn(|| take_storm().map_or(2, |()| verdict(SEEDS[0])))?;
    send_storm(pid, SEEDS[0])?;
    ensure_eq!(ended(wait_for(pid)?), 0);
    Ok(())
}

fn two_storms_at_each_other() -> Outcome {
    install_all()?;
    let parent = process::id();
    let pid = spawn(|| {
        let both = send_storm(parent, SEEDS[1]).and_then(|()| take_storm());
        both.map_or(2, |()| verdict(SEEDS[0]))
    })?;
    send_storm(pid, SEEDS[0])?;
    take_storm()?;
    ensure_eq!(verdict(SEEDS[1]), 0);
    ensure_eq!(ended(wait_for(pid)?), 0);
    Ok(())
}

static SEED: AtomicU64 = AtomicU64::new(0);

/// Changes a few words of the frame that the handler returns by, but not where the program goes on, and with
/// which values: as the superuser it might do anything.
fn spoil(_number: u32, _info: &SigInfo, context: &mut UContext) {
    const FRAME_WORDS: u64 = 200;
    /// Those that say more than a register's value.
    const TELLING_WORDS: u64 = 64;
    let mut numbers = Numbers(SEED.load(Ordering::Relaxed) * 0x9e37_79b9 + 1);
    let start = addr_mut(context);
    for _ in 0..1 + numbers.next() % 4 {
        let among = if numbers.next().is_multiple_of(2) {
            FRAME_WORDS
        } else {
            TELLING_WORDS
        };
        let word = numbers.next() % among;
        if REGISTER_WORDS.contains(&word) {
            continue;
        }
        let place = start + 8 * word;
        let word = match numbers.next() % 4 {
            0 => 0,
            1 => u64::MAX,
            2 => 1 << (numbers.next() % 64),
            _ => numbers.next(),
        };
        poke(place, peek::<u64>(place) ^ word);
    }
}

fn spoiled_frames_hurt_nobody_else() -> Outcome {
    const ROUNDS: u64 = 150;
    let page = shared_page()?;
    poke::<u64>(page, 0);
    for seed in 0..ROUNDS {
        SEED.store(seed, Ordering::Relaxed);
        // It may end in any way, or run anywhere; the alarm ends what does not end itself.
        in_child(|| {
            let limit = [0_u64, 0, 1, 0];
            let ready = install(SIGUSR2, SaFlags::empty(), SigSet::EMPTY, spoil)
                .and_then(|()| call(Sysno::setitimer, &[0, addr(&limit), 0]))
                .and_then(|_| raise(SIGUSR2));
            if ready.is_ok() {
                poke::<u64>(page, peek::<u64>(page) + 1);
            }
            0
        })?;
    }
    let survived = peek::<u64>(page);
    ensure!((1..ROUNDS).contains(&survived), "{survived} frames did no harm");
    Ok(())
}
