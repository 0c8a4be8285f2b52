//! User mode as a script: each call of `run_user` takes the next step, which may change the registers and
//! the memory, and says why user mode ended.

use core::cell::RefCell;
use std::collections::VecDeque;

use hal::VirtAddr;
use hal::trap::{ReadUser, RegisterNote, SignalFrame, SignalReturn, SignalSetup, TrapFrame, Traps, UserExit};
use los_abi::core_dump::NT_PRSTATUS;
use los_abi::errno::Errno;

use crate::{Mock, MockUserState};

/// One stay in user mode.
pub type UserStep = Box<dyn FnOnce(&mut MockFrame) -> UserExit>;

thread_local! {
    static SCRIPT: RefCell<VecDeque<UserStep>> = RefCell::default();
    static SEEN: RefCell<Vec<MockFrame>> = RefCell::default();
}

/// The saved registers of a scripted program.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MockFrame {
    /// Program counter.
    pub program_counter: u64,
    /// Stack pointer.
    pub stack_pointer: u64,
    /// System call number.
    pub number: u64,
    /// System call arguments; the first three are those of a signal handler as well.
    pub arguments: [u64; 6],
    /// System call result.
    pub result: i64,
    /// Whether the frame was saved at a system call.
    pub in_syscall: bool,
}

/// Bytes by which `restart_syscall` winds back.
const SYSCALL_INSTRUCTION_BYTES: u64 = 2;
/// Words of a frame in memory, followed by the mask and the three words of the alternate stack.
const FRAME_WORDS: usize = 11;
const SIGNAL_WORDS: usize = FRAME_WORDS + 4;

impl Mock {
    /// Appends a step to the script of this host thread.
    pub fn script(step: impl FnOnce(&mut MockFrame) -> UserExit + 'static) {
        SCRIPT.with_borrow_mut(|script| script.push_back(Box::new(step)));
    }

    /// Appends a system call to the script.
    pub fn script_syscall(number: u64, arguments: [u64; 6]) {
        Self::script(move |frame| {
            frame.number = number;
            frame.arguments = arguments;
            frame.in_syscall = true;
            UserExit::Syscall
        });
    }

    /// Returns the registers with which `run_user` was entered so far, and forgets them.
    pub fn take_frames() -> Vec<MockFrame> {
        SEEN.take()
    }

    /// Returns how many steps of the script are left.
    pub fn steps_left() -> usize {
        SCRIPT.with_borrow(VecDeque::len)
    }
}

impl Traps for Mock {
    type Frame = MockFrame;

    fn init_traps() {}

    /// # Panics
    /// When the script is over.
    fn run_user(frame: &mut MockFrame) -> UserExit {
        SEEN.with_borrow_mut(|seen| seen.push(frame.clone()));
        frame.in_syscall = false;
        let step = SCRIPT.with_borrow_mut(VecDeque::pop_front);
        step.expect("the mock's script of user mode is over")(frame)
    }

    fn build_signal_frame(frame: &MockFrame, _state: &MockUserState, setup: &SignalSetup<'_>) -> SignalFrame {
        let mut words = frame.words().to_vec();
        let (stack, flags, size) = setup.alternate_stack;
        words.extend([setup.mask, stack, i64::from(flags).cast_unsigned(), size]);
        SignalFrame {
            address: setup.stack_top.wrapping_sub(SIGNAL_WORDS as u64 * 8) & !15,
            bytes: words.iter().flat_map(|word| word.to_le_bytes()).collect(),
        }
    }

    fn enter_handler(frame: &mut MockFrame, setup: &SignalSetup<'_>, signal_frame: &SignalFrame) {
        *frame = MockFrame::new_user(setup.handler, signal_frame.address);
        frame.arguments[0] = i64::from(setup.number).cast_unsigned();
    }

    fn begin_handler(_state: &mut MockUserState) -> bool {
        false
    }

    fn signal_frame_bytes() -> usize {
        SIGNAL_WORDS * 8 + 15
    }

    fn visit_register_notes(
        frame: &MockFrame,
        _state: &MockUserState,
        visit: &mut dyn FnMut(RegisterNote<'_>),
    ) {
        let words = frame.words().map(u64::to_le_bytes);
        visit(RegisterNote {
            owner: "CORE",
            kind: NT_PRSTATUS,
            pieces: &[words.as_flattened()],
        });
    }

    fn restore_signal_frame(
        frame: &mut MockFrame,
        _state: &mut MockUserState,
        read: ReadUser<'_>,
    ) -> Result<SignalReturn, Errno> {
        let mut bytes = [0; SIGNAL_WORDS * 8];
        read(frame.stack_pointer, &mut bytes)?;
        let mut words = [0; SIGNAL_WORDS];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        let [.., mask, stack, flags, size] = words;
        *frame = MockFrame::from_words(&words[..FRAME_WORDS]);
        Ok(SignalReturn {
            mask,
            alternate_stack: (stack, flags as i32, size),
        })
    }
}

impl MockFrame {
    fn words(&self) -> [u64; FRAME_WORDS] {
        let [a, b, c, d, e, f] = self.arguments;
        let (pc, sp, result) = (
            self.program_counter,
            self.stack_pointer,
            self.result.cast_unsigned(),
        );
        [
            pc,
            sp,
            self.number,
            a,
            b,
            c,
            d,
            e,
            f,
            result,
            u64::from(self.in_syscall),
        ]
    }

    fn from_words(words: &[u64]) -> Self {
        let mut arguments = [0; 6];
        arguments.copy_from_slice(&words[3..9]);
        Self {
            program_counter: words[0],
            stack_pointer: words[1],
            number: words[2],
            arguments,
            result: words[9].cast_signed(),
            in_syscall: false,
        }
    }

    /// Returns the address that the program counter holds.
    pub fn entry(&self) -> VirtAddr {
        VirtAddr::new(self.program_counter)
    }
}

impl TrapFrame for MockFrame {
    fn new_user(entry: u64, stack_pointer: u64) -> Self {
        Self {
            program_counter: entry,
            stack_pointer,
            ..Self::default()
        }
    }

    fn program_counter(&self) -> u64 {
        self.program_counter
    }

    fn set_program_counter(&mut self, address: u64) {
        self.program_counter = address;
    }

    fn stack_pointer(&self) -> u64 {
        self.stack_pointer
    }

    fn set_stack_pointer(&mut self, address: u64) {
        self.stack_pointer = address;
    }

    fn syscall_number(&self) -> u64 {
        self.number
    }

    fn syscall_arguments(&self) -> [u64; 6] {
        self.arguments
    }

    fn set_syscall_result(&mut self, value: i64) {
        self.result = value;
    }

    fn syscall_result(&self) -> i64 {
        self.result
    }

    fn restart_syscall(&mut self, number: Option<u64>) {
        self.number = number.unwrap_or(self.number);
        self.program_counter = self.program_counter.wrapping_sub(SYSCALL_INSTRUCTION_BYTES);
        self.clear_syscall();
    }

    fn clear_syscall(&mut self) {
        self.in_syscall = false;
    }

    fn in_syscall(&self) -> bool {
        self.in_syscall
    }
}
