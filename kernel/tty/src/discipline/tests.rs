//! Tests of the line discipline.

use super::*;
use crate::modes;

fn discipline() -> Discipline {
    Discipline::new(modes::initial())
}

fn type_in(discipline: &mut Discipline, bytes: &[u8]) -> Vec<Effect> {
    bytes.iter().map(|&byte| discipline.receive(byte)).collect()
}

fn read(discipline: &mut Discipline) -> Vec<u8> {
    let mut buffer = [0; 64];
    let (count, _) = discipline.read(&mut buffer);
    buffer[..count].to_vec()
}

fn raw() -> Termios {
    let mut termios = modes::initial();
    termios.c_lflag = 0;
    termios.c_iflag = 0;
    termios
}

#[test]
fn a_line_is_readable_when_it_is_complete() {
    let mut terminal = discipline();
    type_in(&mut terminal, b"ab");
    assert!(!terminal.is_readable(1));
    assert!(type_in(&mut terminal, b"\r")[0].wake_readers);
    assert_eq!(terminal.available(), 3);
    assert_eq!(read(&mut terminal), b"ab\n");
    assert_eq!(terminal.echo.take(), b"ab\r\n");
}

#[test]
fn reads_end_at_line_ends_and_short_reads_continue() {
    let mut terminal = discipline();
    type_in(&mut terminal, b"one\ntwo\n");
    let mut two = [0; 2];
    assert_eq!((terminal.read(&mut two), &two), ((2, true), b"on"));
    assert_eq!(read(&mut terminal), b"e\n");
    assert_eq!(read(&mut terminal), b"two\n");
}

#[test]
fn erase_kill_and_word_erase() {
    let mut terminal = discipline();
    type_in(&mut terminal, b"abc\x7fd\n");
    assert_eq!(read(&mut terminal), b"abd\n");
    type_in(&mut terminal, b"gone\x15kept word\x17\n");
    assert_eq!(read(&mut terminal), b"kept \n");
    type_in(&mut terminal, b"\x7f\x7fx\n");
    assert_eq!(read(&mut terminal), b"x\n");
}

#[test]
fn erase_echo_removes_the_character_on_screen() {
    let mut terminal = discipline();
    type_in(&mut terminal, b"a\x01\x7f\x7f");
    assert_eq!(terminal.echo.take(), b"a^A\x08 \x08\x08 \x08\x08 \x08");
}

#[test]
fn end_of_file_is_an_empty_line() {
    let mut terminal = discipline();
    type_in(&mut terminal, b"\x04");
    assert!(terminal.is_readable(1));
    assert_eq!(read(&mut terminal), b"");
    assert!(!terminal.is_readable(1));
    type_in(&mut terminal, b"ab\x04");
    assert_eq!(read(&mut terminal), b"ab");
}

#[test]
fn interrupt_signals_and_discards() {
    let mut terminal = discipline();
    let effects = type_in(&mut terminal, b"ab\x03");
    assert_eq!(effects[2].signal, Some(Signal::INT));
    assert_eq!(terminal.echo.take(), b"ab^C");
    type_in(&mut terminal, b"c\n");
    assert_eq!(read(&mut terminal), b"c\n");
}

#[test]
fn literal_next_protects_control_characters() {
    let mut terminal = discipline();
    let effects = type_in(&mut terminal, b"\x16\x03\n");
    assert!(effects.iter().all(|effect| effect.signal.is_none()));
    assert_eq!(read(&mut terminal), b"\x03\n");
}

#[test]
fn raw_mode_passes_everything_at_once() {
    let mut terminal = Discipline::new(raw());
    let effects = type_in(&mut terminal, b"\x03\r\x7f");
    assert!(
        effects
            .iter()
            .all(|effect| effect.wake_readers && effect.signal.is_none())
    );
    assert_eq!(read(&mut terminal), b"\x03\r\x7f");
    assert!(terminal.echo.take().is_empty());
}

#[test]
fn changing_modes_loses_nothing() {
    let mut terminal = discipline();
    type_in(&mut terminal, b"line\npart");
    terminal.set_termios(raw());
    assert_eq!(terminal.available(), 9);
    terminal.set_termios(modes::initial());
    assert_eq!(read(&mut terminal), b"line\npart");
}

#[test]
fn an_overlong_line_keeps_room_for_its_end() {
    let mut terminal = discipline();
    for _ in 0..2 * BUFFER_BYTES {
        terminal.receive(b'x');
    }
    terminal.receive(b'\n');
    assert_eq!(terminal.available(), BUFFER_BYTES);
}

#[test]
fn utf8_characters_are_erased_whole() {
    let mut terminal = discipline();
    let mut termios = terminal.termios;
    termios.c_iflag |= InputFlags::IUTF8.bits();
    terminal.set_termios(termios);
    type_in(&mut terminal, "aé\x7f\n".as_bytes());
    assert_eq!(read(&mut terminal), b"a\n");
}

#[test]
fn flow_control() {
    let mut terminal = discipline();
    assert_eq!(terminal.receive(0x13).flow, Some(true));
    assert_eq!(terminal.receive(0x11).flow, Some(false));
}
