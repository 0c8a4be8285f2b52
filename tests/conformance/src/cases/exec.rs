//! execve: arguments, environment, scripts, close-on-exec, and what must leave the caller intact.

use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::{F_SETFD, FD_CLOEXEC};
use los_abi::signal::{SIGTERM, SIGUSR1, SIGUSR2};
use los_abi::syscall::Sysno;
use rt::{fs, process, signal};

use crate::cases::founding::hello_elf;
use crate::cases::{ended, program};
use crate::harness::{Outcome, in_child, in_child_with_output, spawn, wait_for};
use crate::raw::{addr, addr_mut, call};
use crate::{cases, ensure, ensure_eq};

cases![
    arguments_and_environment_arrive,
    script_with_interpreter,
    script_passes_its_argument,
    script_loops_end,
    missing_file_is_enoent,
    directory_is_eacces,
    not_executable_is_eacces,
    garbage_is_enoexec,
    truncated_elf_is_enoexec,
    other_machine_is_enoexec,
    failed_execs_leave_the_caller_intact,
    wild_argv_is_efault,
    too_many_arguments_is_e2big,
    close_on_exec,
    ignored_signals_stay_ignored,
    mutated_elfs_never_hang,
];

/// Runs inside of the program that a case has executed.
pub(crate) fn helper(words: &[Vec<u8>], environment: &[Vec<u8>]) -> i32 {
    match words {
        [what, a, b] if what == b"arguments" => {
            let environment_arrived = environment == [b"KEY=value".to_vec(), b"EMPTY=".to_vec()];
            i32::from(!(a == b"one two" && b.is_empty() && environment_arrived))
        }
        [what, fd] if what == b"is-open" => {
            let fd = core::str::from_utf8(fd)
                .ok()
                .and_then(|fd| fd.parse().ok())
                .unwrap_or(-1);
            i32::from(process::is_open(fd))
        }
        [what, number] if what == b"is-process" => {
            let own = alloc::format!("{}", process::id()).into_bytes();
            let thread = call(Sysno::gettid, &[]) == Ok(process::id() as u64);
            let alone = fs::read_directory(b"/proc/self/task").is_ok_and(|entries| {
                entries
                    .iter()
                    .filter(|entry| !entry.name.starts_with(b"."))
                    .count()
                    == 1
            });
            i32::from(!(own == *number && thread && alone))
        }
        [what] if what == b"ignored" => {
            let mut action = [0_u64; 4];
            let handler = |signal: u32, action: &mut [u64; 4]| {
                let _ = call(Sysno::rt_sigaction, &[u64::from(signal), 0, addr_mut(action), 8]);
                action[0]
            };
            let still_ignored = handler(SIGUSR1, &mut action) == 1;
            let reset = handler(SIGUSR2, &mut action) == 0;
            i32::from(!(still_ignored && reset))
        }
        _ => 99,
    }
}

fn words(words: &[&[u8]]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.to_vec()).collect()
}

fn run_helper(what: &[&[u8]]) -> Result<i32, crate::harness::Failure> {
    let mut arguments = words(&[b"conformance", b"--helper"]);
    arguments.extend(words(what));
    let program = program();
    let status = in_child(|| {
        process::execute(&program, &arguments, &words(&[b"KEY=value", b"EMPTY="]));
        126
    })?;
    Ok(ended(status))
}

/// Tries to execute in a child that survives failure; returns the errno, or 0 with the exit status.
fn try_execute(path: &[u8]) -> Result<Option<Errno>, crate::harness::Failure> {
    let status = in_child(|| process::execute(path, &words(&[b"x"]), &[]).code())?;
    Ok(Errno::from_code(ended(status)))
}

fn write_file(path: &[u8], mode: u32, bytes: &[u8]) -> Outcome {
    let mut file = fs::File::create(path, mode)?;
    file.write_all(bytes)?;
    Ok(())
}

fn arguments_and_environment_arrive() -> Outcome {
    ensure_eq!(run_helper(&[b"arguments", b"one two", b""])?, 0);
    Ok(())
}

/// Runs a program with its output in a pipe.
fn output_of(path: &[u8], arguments: &[&[u8]]) -> Result<Vec<u8>, crate::harness::Failure> {
    let (output, status) = in_child_with_output(|writer| {
        let _ = process::duplicate_to(writer.descriptor(), 1);
        process::execute(path, &words(arguments), &[]);
        126
    })?;
    ensure_eq!(ended(status), 0);
    Ok(output)
}

fn script_with_interpreter() -> Outcome {
    let mut script = b"#!".to_vec();
    script.extend(program());
    script.extend(b" --helper\nrest is ignored");
    write_file(b"echo", 0o755, &script)?;
    // The script's own name becomes the helper's word: it must be one that it does not know.
    let status = in_child(|| {
        process::execute(b"./echo", &words(&[b"lost", b"a"]), &[]);
        126
    })?;
    ensure_eq!(ended(status), 99);
    Ok(())
}

fn script_passes_its_argument() -> Outcome {
    // `conformance --helper echo` cannot stand on one line, since Linux passes one argument: use a copy
    // of the program's list option, which prints something known.
    let mut script = b"#! ".to_vec();
    script.extend(program());
    script.extend(b"\t--list \n");
    write_file(b"list", 0o755, &script)?;
    let output = output_of(b"./list", &[b"list"])?;
    ensure!(output.starts_with(b"founding::") || output.windows(10).any(|part| part == b"founding::"));
    Ok(())
}

fn script_loops_end() -> Outcome {
    write_file(b"loop", 0o755, b"#!./loop\n")?;
    ensure_eq!(try_execute(b"./loop")?, Some(Errno::ELOOP));
    Ok(())
}

fn missing_file_is_enoent() -> Outcome {
    ensure_eq!(try_execute(b"./missing")?, Some(Errno::ENOENT));
    write_file(b"dangling", 0o755, b"#!./missing\n")?;
    ensure_eq!(try_execute(b"./dangling")?, Some(Errno::ENOENT));
    Ok(())
}

fn directory_is_eacces() -> Outcome {
    ensure_eq!(try_execute(b"/tmp")?, Some(Errno::EACCES));
    Ok(())
}

fn not_executable_is_eacces() -> Outcome {
    write_file(b"plain", 0o644, &hello_elf())?;
    ensure_eq!(try_execute(b"./plain")?, Some(Errno::EACCES));
    Ok(())
}

fn garbage_is_enoexec() -> Outcome {
    for garbage in [&b""[..], b"x", b"\x7fELF", b"#", b"#! \n", &[0; 4096]] {
        write_file(b"garbage", 0o755, garbage)?;
        ensure_eq!(
            (garbage.len(), try_execute(b"./garbage")?),
            (garbage.len(), Some(Errno::ENOEXEC))
        );
        fs::remove_file(b"garbage")?;
    }
    Ok(())
}

fn truncated_elf_is_enoexec() -> Outcome {
    let elf = hello_elf();
    for length in [16, 63, 64, 120] {
        write_file(b"short", 0o755, &elf[..length])?;
        let errno = try_execute(b"./short")?;
        ensure!(
            matches!(errno, Some(Errno::ENOEXEC | Errno::EIO)),
            "{length} bytes: {errno:?}"
        );
        fs::remove_file(b"short")?;
    }
    Ok(())
}

fn other_machine_is_enoexec() -> Outcome {
    let mut elf = hello_elf();
    elf[18] ^= 62 ^ 183;
    write_file(b"foreign", 0o755, &elf)?;
    ensure_eq!(try_execute(b"./foreign")?, Some(Errno::ENOEXEC));
    Ok(())
}

fn failed_execs_leave_the_caller_intact() -> Outcome {
    write_file(b"garbage", 0o755, b"garbage")?;
    let mut kept = alloc::vec![7_u8; 10_000];
    for _ in 0..1000 {
        ensure_eq!(
            process::execute(b"./garbage", &words(&[b"x"]), &[]),
            Errno::ENOEXEC
        );
    }
    kept.push(8);
    ensure!(kept[..10_000].iter().all(|&byte| byte == 7));
    Ok(())
}

fn wild_argv_is_efault() -> Outcome {
    let path = program_with_nul();
    let wild = [8_u64, 0];
    for (argv, envp) in [(8, 0), (addr(&wild), 0), (0xffff_ffff_0000_0000, 0)] {
        ensure_eq!(
            call(Sysno::execve, &[addr(path.as_slice()), argv, envp]).err(),
            Some(Errno::EFAULT)
        );
    }
    ensure_eq!(call(Sysno::execve, &[8, 0, 0]).err(), Some(Errno::EFAULT));
    Ok(())
}

fn program_with_nul() -> Vec<u8> {
    let mut path = program();
    path.push(0);
    path
}

fn too_many_arguments_is_e2big() -> Outcome {
    let argument = alloc::vec![b'x'; 200 * 1024];
    let arguments: Vec<Vec<u8>> = alloc::vec![argument; 1];
    ensure_eq!(process::execute(&program(), &arguments, &[]), Errno::E2BIG);
    let many: Vec<Vec<u8>> = alloc::vec![alloc::vec![b'y'; 100 * 1024]; 80];
    ensure_eq!(process::execute(&program(), &many, &[]), Errno::E2BIG);
    Ok(())
}

fn close_on_exec() -> Outcome {
    let keep = call(Sysno::dup, &[1])?;
    let close = call(Sysno::dup, &[1])?;
    call(Sysno::fcntl, &[close, u64::from(F_SETFD), u64::from(FD_CLOEXEC)])?;
    let kept = alloc::format!("{keep}");
    ensure_eq!(run_helper(&[b"is-open", kept.as_bytes()])?, 1);
    let closed = alloc::format!("{close}");
    ensure_eq!(run_helper(&[b"is-open", closed.as_bytes()])?, 0);
    Ok(())
}

fn ignored_signals_stay_ignored() -> Outcome {
    signal::ignore(SIGUSR1);
    signal::catch(SIGUSR2);
    ensure_eq!(run_helper(&[b"ignored"])?, 0);
    Ok(())
}

fn mutated_elfs_never_hang() -> Outcome {
    let original = hello_elf();
    // The headers are the first 232 bytes; every one of them gets three odd values.
    for position in (4..232).step_by(3) {
        for value in [0, 0x7f, 0xff] {
            let mut elf = original.clone();
            elf[position] = value;
            write_file(b"mutant", 0o755, &elf)?;
            let pid = spawn(|| {
                let _ = call(Sysno::close, &[1]);
                process::execute(b"./mutant", &words(&[b"x"]), &[]);
                126
            })?;
            let mut reaped = false;
            for _ in 0..2000 {
                if process::wait(pid, process::WaitFlags::NOHANG)?.is_some() {
                    reaped = true;
                    break;
                }
                rt::time::sleep_ms(1);
            }
            if !reaped {
                // A mutant may loop in user mode; it must still be killable.
                process::kill(pid, SIGTERM)?;
                wait_for(pid)?;
            }
            fs::remove_file(b"mutant")?;
        }
    }
    Ok(())
}
