//! Runs cases: a child, a directory and a time limit each.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::syscall::Sysno;
use rt::process::{self, Fork, WaitFlags};
use rt::{fs, signal};

use crate::cases;
use crate::raw::call;

/// Longest that one case may take, on a slow and busy machine.
const LIMIT_SECONDS: u64 = 180;
/// Exit status of a child whose case does not apply here.
const SKIPPED: i32 = 77;

/// Cases and groups that QEMU's user mode answers unlike Linux, which it stands on: it emulates the calls itself.
const NOT_UNDER_QEMU_USER: &[&str] = &[
    "founding::hello_elf_runs",
    "prctl::",
    "processes::vfork_shares_until_exit",
    "exec::arguments_and_environment_arrive",
    "exec::script_with_interpreter",
    "exec::script_passes_its_argument",
    "exec::other_machine_is_enoexec",
    "exec::close_on_exec",
    "exec::ignored_signals_stay_ignored",
    "exec_image::",
    "aslr::",
    "memfd::programs_in_memory_run",
    "memory::protect_checks",
    "memory::fixed_noreplace_refuses",
    "memory::dontneed_zeroes",
    "memory_maps::neighbours_are_one_line",
    "memory_maps::smaps_names_the_properties",
    "memory_maps::address_space_limit",
    "memory_maps::data_limit",
    "memory_maps::protection_of_a_whole_stack",
    "shared_memory::unknown_flags_of_shared_mappings",
    "mremap::shared_memory_is_duplicated",
    "mremap::file_offsets_move_along",
    "mremap::argument_checks",
    "memory_lock::locked_pages_are_in_memory",
    "memory_lock::lock_checks",
    "memory_lock::mincore_checks",
    "memory_policy::",
    "proc_memory::",
    "special_memory::",
    "memory_calls::",
    "guards::",
    "madvise::free_is_for_private_memory",
    "madvise::dontfork_and_dofork",
    "madvise::wipeonfork_and_keeponfork",
    "madvise::populate_fills",
    "madvise::populate_checks",
    "madvise::remove_makes_a_hole",
    "madvise::remove_checks",
    "madvise::holes_are_enomem",
    "pipes::seeking_is_espipe",
    "storage::vectors_at_an_offset",
    "storage::unknown_transfer_flags_are_refused",
    "storage::event_counter_counts",
    "extended_attributes::buffers_may_be_too_small",
    "extended_attributes::links_and_devices_have_none_of_users",
    "extended_attributes::arguments_are_checked_before_the_file",
    "extended_attributes::calls_of_directories",
    "terminals::groups_are_checked",
    "futex_chains::",
    "signal_storm::",
    "signals::action_argument_checks",
    "futex2::waitv_tells_which_word",
    "futex2::waitv_checks_its_arguments",
    "robust_list::robust_locks_are_marked_at_death",
    "robust_list::robust_list_is_told",
    "faults::unmapped_addresses",
    "faults::protected_memory",
    "faults::illegal_instructions_tell_their_address",
    "faults::changed_vector_registers_are_taken_over",
    "file_signals::the_signal_can_be_chosen",
    "file_signals::owners_are_told_by_kind",
    "file_signals::argument_checks",
    "signal_files::children_and_timers_tell_about_themselves",
    "signal_files::facts_are_shown",
    "signal_files::argument_checks",
    "timer_files::timers_survive_exec",
    "timer_files::expiries_can_be_restored",
    "timer_files::argument_checks",
    "timers::a_timer_tells_its_number_and_value",
    "timers::other_timer_argument_checks",
    "timers::timers_are_not_inherited",
    "timers::timers_end_at_exec",
    "core_dump::",
    "rseq::",
    "select::descriptors_beyond_fd_setsize_are_asked",
    "select::the_table_bounds_the_count",
    "restart::sleeps_in_handlers_do_not_disturb",
    "restart::a_poll_whose_rest_cannot_be_told_ends",
    "job_control::group_of_a_child_after_exec",
    "signal_queue::real_time_signals_queue_in_order",
    "signal_queue::any_payload_arrives",
    "signal_queue::status_shows_signals",
    "signal_stack::handlers_run_on_the_alternate_stack",
    "signal_stack::alternate_stack_argument_checks",
    "signal_stack::alternate_stack_disarms_itself",
    "signal_stack::every_handler_disarms_the_alternate_stack",
    "signal_stack::overflowing_the_alternate_stack_kills",
    "signal_stack::stack_overflow_is_handled_on_the_other_stack",
    "signal_stack::fork_keeps_the_alternate_stack",
    "signal_stack::handlers_change_the_mask",
    "signal_stack::unknown_flags_are_dropped",
    "signal_stack::stops_are_told_unless_unwanted",
    "signal_stack::unwanted_children_vanish",
    "time::sleep_argument_checks",
    "waitid::nothing_to_tell_is_all_zeros",
    "waitid::errors_clear_the_structure_too",
    "waitid::other_signals_make_clone_children",
    "waitid::orphans_go_to_the_subreaper",
    "clone::senseless_flags_are_einval",
    "clone::process_limit_is_eagain",
    "bombs::forks_meet_the_limit_of_a_user",
    "bombs_of_memory::large_arguments_return_their_memory",
    "bombs_of_execve::execve_again_and_again_keeps_memory",
    "clone::an_exit_signal_of_clone_is_not_checked",
    "clone::clone3_refuses_wrong_sizes",
    "clone::clone3_refuses_wrong_arguments",
    "clone::clone3_forks_and_stores_the_numbers",
    "clone::clone3_starts_a_thread_on_its_stack",
    "clone::a_number_can_be_chosen",
    "clone::vfork_shares_the_memory",
    "clone::handlers_can_be_cleared",
    "clone::a_sibling_is_the_parents_child",
    "clone::files_and_directories_are_shared",
    "clone::memory_is_shared_without_threads",
    "clone::unshare_gives_own_copies",
    "clone::unshare_refuses_what_others_use",
    "pidfd::a_number_used_again_is_not_meant",
    "pidfd::clone_returns_a_descriptor",
    "pidfd::clone3_returns_a_descriptor",
    "pidfd::an_unwritable_descriptor_makes_no_child",
    "execveat::a_descriptor_is_executed",
    "execveat::a_path_from_a_directory_is_executed",
    "execveat::arguments_are_checked",
    "execveat::links_need_not_be_followed",
    "execveat::a_script_by_descriptor_is_read",
    "execveat::a_script_whose_descriptor_closes_is_enoent",
    "execveat::five_interpreters_are_the_most",
    "execveat::long_strings_are_e2big",
    "foreign::memory_is_copied_both_ways",
    "foreign::ranges_that_end_early_are_partial",
    "foreign::wrong_arguments_of_copying",
    "foreign::copying_needs_permission",
    "foreign::the_same_things_compare_equal",
    "foreign::members_of_sets_can_be_compared",
    "threads::execve_of_a_thread_takes_over_the_number",
    "threads::execve_of_the_last_thread_takes_over_the_number",
    "threads::a_process_without_its_first_thread_is_known",
    "threads::execve_ends_the_other_threads",
    "threads::execve_of_many_threads_at_once",
    "threads::threads_have_directories",
    "capabilities::capabilities_decide_and_not_root",
    "capabilities::set_user_id_program_gets_everything",
    "capabilities::no_new_privs_gives_nothing",
    "capabilities::ambient_survives_execve",
    "capabilities::bounding_set_limits_execve",
    "file_capabilities::",
    "limits::limit_argument_checks",
    "limits::stack_of_set_user_id_programs",
    "affinity::affinity_round_trip",
    "affinity::affinity_argument_checks",
    "nice::nice_values_of_all_forms",
    "schedule::attributes_of_other_sizes",
    "nice::io_priorities",
    "deadline::",
    "sweep::",
    "bad_input::random_arguments_to_every_call",
    "bad_input::out_of_memory_is_enomem",
];

/// Why a case did not pass.
pub(crate) enum Failure {
    /// The system gave a wrong answer.
    Wrong(String),
    /// The case cannot be tried here.
    Skip(&'static str),
}

/// What a case returns.
pub(crate) type Outcome = Result<(), Failure>;

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::Wrong(format!("unexpected {}", errno.name()))
    }
}

/// A named case.
pub(crate) struct Case {
    /// `group::function`.
    pub(crate) name: &'static str,
    /// The test.
    pub(crate) run: fn() -> Outcome,
}

/// Fails the case with a text unless the condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr) => { $crate::ensure!($condition, "{}", stringify!($condition)) };
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err($crate::harness::Failure::Wrong(alloc::format!("line {}: {}", line!(), format_args!($($text)+))));
        }
    };
}

/// Fails the case unless both values are equal, and shows them.
#[macro_export]
macro_rules! ensure_eq {
    ($left:expr, $right:expr) => {
        match (&$left, &$right) {
            (left, right) => {
                $crate::ensure!(
                    *left == *right,
                    "{}: {left:?}, wanted {right:?}",
                    stringify!($left)
                );
            }
        }
    };
}

/// Makes the list of a module's cases from the names of its functions.
#[macro_export]
macro_rules! cases {
    ($($function:ident),* $(,)?) => {
        pub(crate) const CASES: &[$crate::harness::Case] = &[$($crate::harness::Case {
            name: concat!(module_path!(), "::", stringify!($function)),
            run: $function,
        }),*];
    };
}

/// Runs the cases whose names contain one of the words, or all; returns the exit status.
/// The word `--qemu-user` skips what QEMU's user mode is known to answer differently.
pub(crate) fn run_all(words: &[Vec<u8>]) -> i32 {
    let (emulated, words) = match words {
        [first, rest @ ..] if first == b"--qemu-user" => (true, rest),
        _ => (false, words),
    };
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for case in cases::all() {
        let name = case.short_name();
        let wanted = |word: &Vec<u8>| {
            name.as_bytes()
                .windows(word.len().max(1))
                .any(|part| part == word.as_slice())
        };
        if !words.is_empty() && !words.iter().any(wanted) {
            continue;
        }
        let outcome = if emulated && NOT_UNDER_QEMU_USER.iter().any(|known| name.starts_with(known)) {
            Err(Failure::Skip("QEMU's user mode answers for itself"))
        } else {
            run_one(case)
        };
        match outcome {
            Ok(()) => {
                passed += 1;
                rt::println!("ok {name}");
            }
            Err(Failure::Skip(why)) => {
                skipped += 1;
                rt::println!("skip {name}: {why}");
            }
            Err(Failure::Wrong(why)) => {
                failed += 1;
                rt::println!("not ok {name}: {why}");
            }
        }
    }
    rt::println!("{passed} passed, {failed} failed, {skipped} skipped");
    i32::from(failed > 0)
}

impl Case {
    /// Returns the name without the program's own modules.
    pub(crate) fn short_name(&self) -> &'static str {
        self.name
            .rsplit_once("cases::")
            .map_or(self.name, |(_, name)| name)
    }
}

fn run_one(case: &Case) -> Outcome {
    let (mut reader, writer) = process::pipe()?;
    match process::fork()? {
        Fork::Child => {
            drop(reader);
            let status = run_in_child(case, writer);
            process::exit(status)
        }
        Fork::Parent(pid) => {
            drop(writer);
            let mut why = Vec::new();
            rt::io::Read::read_to_end(&mut reader, &mut why)?;
            let (_, status) = process::wait(pid, WaitFlags::empty())?.ok_or(Errno::ECHILD)?;
            let text = String::from_utf8_lossy(&why).into_owned();
            match process::shell_status(status) {
                0 => Ok(()),
                SKIPPED => Err(Failure::Skip(text.leak())),
                1 => Err(Failure::Wrong(text)),
                status => Err(Failure::Wrong(format!("died with status {status} {text}"))),
            }
        }
    }
}

fn run_in_child(case: &Case, mut report: fs::File) -> i32 {
    let _ = process::set_group(0, 0);
    // What started the program may ignore signals, as shells do for what they run in the background.
    (1..=64).for_each(signal::reset);
    // It may have been started with a nice value, too.
    let _ = call(Sysno::setpriority, &[0, 0, 0]);
    let directory = format!("/tmp/conformance.{}", process::id()).into_bytes();
    // A run that was ended in the middle may have left it.
    remove_all(&directory);
    let prepared = fs::create_directory(&directory, 0o755).and_then(|()| fs::change_directory(&directory));
    let _ = call(Sysno::setitimer, &[0, &raw const LIMIT as u64, 0]);
    let outcome = prepared.map_err(Failure::from).and_then(|()| (case.run)());
    let _ = fs::change_directory(b"/");
    remove_all(&directory);
    match outcome {
        Ok(()) => 0,
        Err(Failure::Skip(why)) => {
            let _ = report.write_all(why.as_bytes());
            SKIPPED
        }
        Err(Failure::Wrong(why)) => {
            let _ = report.write_all(why.as_bytes());
            1
        }
    }
}

static LIMIT: [u64; 4] = [0, 0, LIMIT_SECONDS, 0];

fn remove_all(path: &[u8]) {
    if fs::remove_file(path).is_ok() {
        return;
    }
    for entry in fs::read_directory(path).unwrap_or_default() {
        remove_all(&fs::join(path, &entry.name));
    }
    let _ = fs::remove_directory(path);
}

/// Runs `child` in a new process and returns how that ended.
pub(crate) fn in_child(child: impl FnOnce() -> i32) -> Result<process::WaitStatus, Failure> {
    let pid = spawn(child)?;
    wait_for(pid)
}

/// Runs `child` in a new process with the end of a pipe; returns what it wrote there, and how it ended.
pub(crate) fn in_child_with_output(
    child: impl FnOnce(&fs::File) -> i32,
) -> Result<(Vec<u8>, process::WaitStatus), Failure> {
    let (mut reader, writer) = process::pipe()?;
    let pid = spawn(|| child(&writer))?;
    drop(writer);
    let mut output = Vec::new();
    rt::io::Read::read_to_end(&mut reader, &mut output)?;
    Ok((output, wait_for(pid)?))
}

/// Returns the exit status of a child that has looked at all of this: 0 if all is true, else which is not.
pub(crate) fn first_wrong(answers: &[bool]) -> i32 {
    answers
        .iter()
        .position(|is_right| !is_right)
        .map_or(0, |wrong| wrong as i32 + 10)
}

/// Starts `child` in a new process and returns its id.
pub(crate) fn spawn(child: impl FnOnce() -> i32) -> Result<i32, Failure> {
    match process::fork()? {
        Fork::Child => process::exit_now(child()),
        Fork::Parent(pid) => Ok(pid),
    }
}

/// Starts a child that does what it is told and then sleeps until it is killed, or its parent has ended.
pub(crate) fn spawn_sleeper(first: impl FnOnce()) -> Result<i32, Failure> {
    let parent = process::id() as u64;
    spawn(|| {
        first();
        while call(Sysno::getppid, &[]) == Ok(parent) {
            rt::time::sleep_ms(20);
        }
        0
    })
}

/// Waits for a child and returns how it ended.
pub(crate) fn wait_for(pid: i32) -> Result<process::WaitStatus, Failure> {
    let (waited, status) = process::wait(pid, WaitFlags::empty())?.ok_or(Errno::ECHILD)?;
    ensure_eq!(waited, pid);
    Ok(status)
}

/// Makes a signal interrupt calls and do nothing else.
pub(crate) fn catch(number: u32) {
    signal::catch(number);
}
