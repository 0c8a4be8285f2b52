//! Redirections: descriptors moved for one command, and put back behind it.

use alloc::vec::Vec;

use los_abi::fs::PIPE_BUF;
use rt::fs::{self, File, FileKind, OpenFlags};
use rt::process::{self, Fork};
use rt::text::{self, Text};
use rt::{Errno, io};

use crate::ast::{Redirection, Target};
use crate::shell::{Flow, Shell};

/// Saved descriptors live from here on, out of the way of programs' own numbers.
const SAVED_FROM: i32 = 10;
/// Permissions of new files, before the mask.
const NEW_FILE_MODE: u32 = 0o666;

/// Where descriptors led before a command's redirections; each by its number and its copy, which is
/// `None` when it was closed.
#[derive(Debug, Default)]
pub struct Saved(Vec<(i32, Option<i32>)>);

impl Shell {
    /// Applies redirections and returns how to undo them.
    ///
    /// # Errors
    /// [`Flow::Fail`] when a file cannot be opened; the message is printed, and what was already done is
    /// undone.
    pub(crate) fn redirect(&mut self, redirections: &[Redirection]) -> Result<Saved, Flow> {
        let mut saved = Saved::default();
        for redirection in redirections {
            let descriptor = redirection.descriptor;
            self.flush();
            let opened = match self.open_target(redirection) {
                Ok(opened) => opened,
                Err(flow) => {
                    self.undo(saved);
                    return Err(flow);
                }
            };
            let copy = process::duplicate_above(descriptor, SAVED_FROM).ok();
            saved.0.push((descriptor, copy));
            let result = match opened {
                Opened::File(file) if file.descriptor() == descriptor => {
                    process::duplicate_to(file.into_descriptor(), descriptor)
                }
                Opened::File(file) => process::duplicate_to(file.descriptor(), descriptor),
                Opened::Descriptor(source) => process::duplicate_to(source, descriptor),
                Opened::Nothing => {
                    // Closing what is not open is no error.
                    let _ = io::close(descriptor);
                    Ok(())
                }
            };
            io::output_replaced();
            if let Err(errno) = result {
                self.undo(saved);
                return Err(self.fail(format_args!("{descriptor}: {}", errno.message())));
            }
        }
        Ok(saved)
    }

    /// Puts descriptors back where they led.
    pub(crate) fn undo(&mut self, saved: Saved) {
        if saved.0.is_empty() {
            return;
        }
        self.flush();
        for (descriptor, copy) in saved.0.into_iter().rev() {
            match copy {
                Some(copy) => {
                    let _ = process::duplicate_to(copy, descriptor);
                    let _ = io::close(copy);
                }
                None => {
                    let _ = io::close(descriptor);
                }
            }
        }
        io::output_replaced();
    }

    /// Makes redirections permanent, as `exec` without a command does.
    pub(crate) fn keep(&mut self, saved: Saved) {
        for copy in saved.0.into_iter().filter_map(|(_, copy)| copy) {
            let _ = io::close(copy);
        }
    }

    /// Writes out what builtins printed; reports a failure once.
    pub(crate) fn flush(&mut self) -> bool {
        match io::flush() {
            Ok(()) => true,
            Err(errno) => {
                self.complain(format_args!("write error: {}", errno.message()));
                false
            }
        }
    }

    fn open_target(&mut self, redirection: &Redirection) -> Result<Opened, Flow> {
        let create = OpenFlags::WRONLY | OpenFlags::CREAT;
        let (word, flags) = match &redirection.target {
            Target::Read(word) => (word, OpenFlags::empty()),
            Target::Write(word) | Target::Clobber(word) => (word, create | OpenFlags::TRUNC),
            Target::Append(word) => (word, create | OpenFlags::APPEND),
            Target::ReadWrite(word) => (word, OpenFlags::RDWR | OpenFlags::CREAT),
            Target::Duplicate(word) => {
                let text = self.expand_text(word)?;
                return self.duplicate_source(&text);
            }
            Target::HereDocument(body) => {
                let text = match body.get() {
                    Some(word) => self.expand_text(word)?,
                    None => Vec::new(),
                };
                return self.open_document(&text);
            }
        };
        let path = self.expand_text(word)?;
        let guarded = self.options.no_clobber && matches!(redirection.target, Target::Write(_));
        if guarded && fs::metadata(&path).is_ok_and(|metadata| metadata.kind() == FileKind::Regular) {
            return Err(self.fail(format_args!("cannot create {}: File exists", Text(&path))));
        }
        File::open_with(&path, flags, NEW_FILE_MODE)
            .map(Opened::File)
            .map_err(|errno| {
                let verb = if flags.contains(OpenFlags::CREAT) {
                    "create"
                } else {
                    "open"
                };
                self.fail(format_args!("cannot {verb} {}: {}", Text(&path), errno.message()))
            })
    }

    fn duplicate_source(&mut self, text: &[u8]) -> Result<Opened, Flow> {
        if text == b"-" {
            return Ok(Opened::Nothing);
        }
        let number = text::parse_unsigned(text, 10).and_then(|number| i32::try_from(number).ok());
        match number {
            Some(number) if process::is_open(number) => Ok(Opened::Descriptor(number)),
            Some(number) => Err(self.fail(format_args!("{number}: {}", Errno::EBADF.message()))),
            None => Err(self.fail(format_args!("{}: bad file descriptor number", Text(text)))),
        }
    }

    /// Returns the reading end of a pipe with the text in it; a child writes what may not fit at once.
    fn open_document(&mut self, text: &[u8]) -> Result<Opened, Flow> {
        let result = process::pipe().and_then(|(reader, mut writer)| {
            if text.len() <= PIPE_BUF {
                writer.write_all(text)?;
            } else if process::fork()? == Fork::Child {
                drop(reader);
                let _ = writer.write_all(text);
                process::exit_now(0);
            }
            Ok(Opened::File(reader))
        });
        result.map_err(|errno| self.fail(format_args!("here-document: {}", errno.message())))
    }
}

/// What a redirection's target turned out to be.
enum Opened {
    File(File),
    Descriptor(i32),
    Nothing,
}
