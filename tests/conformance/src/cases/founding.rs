//! What the project's founding documents ask of fork, execve and wait.

use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::signal::SIGSEGV;
use los_abi::syscall::Sysno;
use rt::process::{self, Fork, WaitFlags};
use rt::{fs, io};

use crate::arch;
use crate::cases::ended;
use crate::harness::{Outcome, in_child, in_child_with_output, spawn, wait_for};
use crate::raw::{addr_mut, call, peek};
use crate::{cases, ensure, ensure_eq};

cases![
    fork_returns_zero_and_the_pid,
    fork_keeps_every_register,
    child_exits_42,
    three_children_three_zombies,
    memory_is_independent_both_ways,
    hello_elf_runs,
    hello_from_userspace,
    reading_the_kernel_kills,
];

fn fork_returns_zero_and_the_pid() -> Outcome {
    let (mut reader, writer) = process::pipe()?;
    match process::fork()? {
        Fork::Child => {
            let id = process::id();
            process::exit_now(i32::from(
                io::write(writer.descriptor(), &id.to_le_bytes()) != Ok(4),
            ))
        }
        Fork::Parent(pid) => {
            let mut id = [0; 4];
            ensure_eq!(io::Read::read(&mut reader, &mut id)?, 4);
            ensure_eq!(i32::from_le_bytes(id), pid);
            ensure_eq!(ended(wait_for(pid)?), 0);
            Ok(())
        }
    }
}

fn fork_keeps_every_register() -> Outcome {
    let (result, intact) = arch::fork_keeping_registers();
    if result == 0 {
        process::exit_now(if intact { 42 } else { 1 });
    }
    ensure!(result > 0, "fork returned {result}");
    ensure!(intact, "the parent lost a register");
    ensure_eq!(ended(wait_for(result as i32)?), 42);
    Ok(())
}

fn child_exits_42() -> Outcome {
    let pid = spawn(|| 42)?;
    let mut status = 0_i32;
    ensure_eq!(
        call(Sysno::wait4, &[pid as u64, addr_mut(&mut status), 0, 0])?,
        pid as u64
    );
    ensure_eq!(status, 42 << 8);
    Ok(())
}

fn three_children_three_zombies() -> Outcome {
    let mut children = Vec::new();
    for status in 0..3 {
        children.push(spawn(|| status)?);
    }
    for _ in 0..3 {
        let (pid, status) = process::wait(-1, WaitFlags::empty())?.ok_or(Errno::ECHILD)?;
        let index = children.iter().position(|&child| child == pid);
        ensure_eq!(index.map(|index| index as i32), Some(ended(status)));
    }
    ensure_eq!(process::wait(-1, WaitFlags::empty()).err(), Some(Errno::ECHILD));
    Ok(())
}

fn memory_is_independent_both_ways() -> Outcome {
    let mut shared = alloc::vec![1_u8; 64 * 1024];
    let (mut to_parent, child_done) = process::pipe()?;
    let (mut to_child, parent_done) = process::pipe()?;
    let pid = match process::fork()? {
        Fork::Child => {
            let mut byte = [0];
            let seen_before = shared.iter().all(|&byte| byte == 1);
            shared.fill(2);
            let _ = io::write(child_done.descriptor(), b"x");
            let _ = io::Read::read(&mut to_child, &mut byte);
            process::exit_now(i32::from(!(seen_before && shared.iter().all(|&byte| byte == 2))))
        }
        Fork::Parent(pid) => pid,
    };
    io::Read::read(&mut to_parent, &mut [0])?;
    ensure!(
        shared.iter().all(|&byte| byte == 1),
        "the child's writes show in the parent"
    );
    shared.fill(3);
    io::write(parent_done.descriptor(), b"x")?;
    ensure_eq!(ended(wait_for(pid)?), 0);
    ensure!(
        shared.iter().all(|&byte| byte == 3),
        "the parent lost its own writes"
    );
    Ok(())
}

const TEXT: &[u8; 19] = b"Hello from execve!\n";

/// Builds a static ELF of three LOAD segments at 0x400000: headers, code, data.
pub(crate) fn hello_elf() -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    const PAGE: u64 = 0x1000;
    let code = arch::exit_zero_after_write((BASE + 2 * PAGE) as u32, TEXT.len() as u8);
    let machine: u16 = if arch::ISA == los_abi::Isa::X86_64 {
        62
    } else {
        183
    };
    let mut elf = Vec::from(*b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    elf.extend(2_u16.to_le_bytes());
    elf.extend(machine.to_le_bytes());
    elf.extend(1_u32.to_le_bytes());
    elf.extend((BASE + PAGE).to_le_bytes());
    elf.extend(64_u64.to_le_bytes());
    elf.extend(0_u64.to_le_bytes());
    elf.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, 3, 64, 0, 0] {
        elf.extend(half.to_le_bytes());
    }
    let segments = [
        (4_u32, 0, 64 + 3 * 56),
        (5, PAGE, code.len() as u64),
        (6, 2 * PAGE, TEXT.len() as u64),
    ];
    for (flags, offset, bytes) in segments {
        elf.extend(1_u32.to_le_bytes());
        elf.extend(flags.to_le_bytes());
        for word in [offset, BASE + offset, BASE + offset, bytes, bytes, PAGE] {
            elf.extend(word.to_le_bytes());
        }
    }
    elf.resize(PAGE as usize, 0);
    elf.extend(code);
    elf.resize(2 * PAGE as usize, 0);
    elf.extend(TEXT);
    elf
}

fn hello_elf_runs() -> Outcome {
    let path = b"/tmp/hello.elf";
    let _ = fs::remove_file(path);
    let mut file = fs::File::create(path, 0o755)?;
    file.write_all(&hello_elf())?;
    drop(file);
    let (output, status) = in_child_with_output(|writer| {
        let _ = process::duplicate_to(writer.descriptor(), 1);
        process::execute(path, &[b"hello".to_vec()], &[]);
        127
    })?;
    ensure_eq!(ended(status), 0);
    ensure_eq!(output, TEXT);
    fs::remove_file(path)?;
    Ok(())
}

fn hello_from_userspace() -> Outcome {
    let (output, status) = in_child_with_output(|writer| {
        i32::from(io::write_all(writer.descriptor(), b"Hello from userspace!\n").is_err())
    })?;
    ensure_eq!(ended(status), 0);
    ensure_eq!(output, b"Hello from userspace!\n");
    Ok(())
}

fn reading_the_kernel_kills() -> Outcome {
    let status = in_child(|| peek::<u8>(arch::KERNEL_ADDRESS).into())?;
    ensure_eq!(ended(status), 128 + SIGSEGV as i32);
    ensure_eq!(ended(in_child(|| 7)?), 7);
    Ok(())
}
