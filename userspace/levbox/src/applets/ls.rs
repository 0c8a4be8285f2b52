//! `ls`: what is in directories.

pub(super) mod format;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cmp::Reverse;

use rt::fs::{self, FileKind, Metadata};
use rt::text::Text;
use rt::time;
use rt::{Errno, io, print, println, tty};

use self::format::{date, human, name_of, permissions, print_columns};
use crate::Call;
use crate::options::{Grammar, Options};

/// Width of a terminal that does not tell its own.
const DEFAULT_COLUMNS: usize = 80;

/// One listed file.
struct Entry {
    /// As it is printed.
    name: Vec<u8>,
    /// As it is opened.
    path: Vec<u8>,
    metadata: Metadata,
}

/// The state of one call.
struct Lister<'a> {
    call: &'a Call<'a>,
    options: Options,
    users: Vec<u8>,
    groups: Vec<u8>,
    /// The terminal's width, when names go in columns.
    columns: Option<usize>,
    status: i32,
    /// Whether something was printed, which the next heading keeps its distance from.
    printed: bool,
}

pub(super) fn run(call: &Call<'_>) -> i32 {
    let long = &[
        ("all", b'a'),
        ("recursive", b'R'),
        ("human-readable", b'h'),
        ("directory", b'd'),
    ];
    let options = match Options::parse(call, &Grammar::of("1aACdFhilnpRrSt").with_long(long)) {
        Ok(options) => options,
        Err(status) => return status,
    };
    let is_long = options
        .last_of(b"1Cln")
        .is_some_and(|letter| letter == b'l' || letter == b'n')
        || options.has_any(b"ln") && !options.has(b'C');
    let wants_columns = match options.last_of(b"1C") {
        Some(letter) => letter == b'C',
        None => tty::is_terminal(io::STDOUT),
    };
    let columns = (wants_columns && !is_long).then(|| match tty::size(io::STDOUT) {
        Ok(size) if size.ws_col > 0 => usize::from(size.ws_col),
        _ => DEFAULT_COLUMNS,
    });
    let named = is_long && !options.has(b'n');
    let table = |path: &[u8]| {
        if named {
            fs::read(path).unwrap_or_default()
        } else {
            Vec::new()
        }
    };
    let (users, groups) = (table(b"/etc/passwd"), table(b"/etc/group"));
    let mut lister = Lister {
        call,
        options,
        users,
        groups,
        columns,
        status: 0,
        printed: false,
    };
    lister.run();
    lister.status
}

impl Lister<'_> {
    fn run(&mut self) {
        let mut operands = self.options.operands.clone();
        if operands.is_empty() {
            operands.push(b".".to_vec());
        }
        let mut files = Vec::new();
        let mut directories = Vec::new();
        let several = operands.len() > 1;
        for path in operands {
            // A link to a directory is listed as the directory, but not when links are what is shown.
            let follows = !self.is_long() && !self.options.has_any(b"dF") || path.ends_with(b"/");
            match self.read_entry(path.clone(), path, follows) {
                Some(entry) if entry.metadata.is_directory() && !self.options.has(b'd') => {
                    directories.push(entry)
                }
                Some(entry) => files.push(entry),
                None => {}
            }
        }
        self.sort(&mut files);
        self.sort(&mut directories);
        if !files.is_empty() {
            self.print_entries(&files);
            self.printed = true;
        }
        let headings = several || self.options.has(b'R');
        for directory in directories {
            self.list(&directory.path, headings);
        }
    }

    /// Lists one directory, and with `-R` those in it.
    fn list(&mut self, path: &[u8], heading: bool) {
        let entries = match fs::read_directory(path) {
            Ok(entries) => entries,
            Err(errno) => return self.fail(path, errno),
        };
        if heading {
            println!("{}{}:", if self.printed { "\n" } else { "" }, Text(path));
        }
        self.printed = true;
        let mut names: Vec<Vec<u8>> = entries.into_iter().map(|entry| entry.name).collect();
        if !self.options.has_any(b"aA") {
            names.retain(|name| !name.starts_with(b"."));
        } else if self.options.has(b'a') {
            names.extend([b".".to_vec(), b"..".to_vec()]);
        }
        let mut entries: Vec<Entry> = names
            .into_iter()
            .filter_map(|name| self.read_entry(fs::join(path, &name), name, false))
            .collect();
        self.sort(&mut entries);
        if self.is_long() {
            let blocks: u64 = entries.iter().map(|entry| entry.metadata.raw().stx_blocks).sum();
            println!("total {}", self.size(blocks * 512, 1024));
        }
        self.print_entries(&entries);
        if self.options.has(b'R') {
            for entry in entries {
                if entry.metadata.is_directory() && entry.name != b"." && entry.name != b".." {
                    self.list(&entry.path, true);
                }
            }
        }
    }

    fn read_entry(&mut self, path: Vec<u8>, name: Vec<u8>, follows: bool) -> Option<Entry> {
        let result = match fs::symlink_metadata(&path) {
            // A link that leads nowhere is shown as what it is.
            Ok(link) if follows && link.kind() == FileKind::Symlink => fs::metadata(&path).or(Ok(link)),
            result => result,
        };
        match result {
            Ok(metadata) => Some(Entry { name, path, metadata }),
            Err(errno) => {
                self.fail(&path, errno);
                None
            }
        }
    }

    fn sort(&self, entries: &mut [Entry]) {
        entries.sort_by(|left, right| left.name.cmp(&right.name));
        match self.options.last_of(b"St") {
            Some(b'S') => entries.sort_by_key(|entry| Reverse(entry.metadata.size())),
            Some(_) => entries.sort_by_key(|entry| Reverse(entry.metadata.modified())),
            None => {}
        }
        if self.options.has(b'r') {
            entries.reverse();
        }
    }

    fn print_entries(&self, entries: &[Entry]) {
        if self.is_long() {
            return self.print_long(entries);
        }
        let inode = |entry: &Entry| {
            if self.options.has(b'i') {
                format!("{} ", entry.metadata.identity().1)
            } else {
                String::new()
            }
        };
        let labels: Vec<Vec<u8>> = entries
            .iter()
            .map(|entry| {
                [
                    inode(entry).as_bytes(),
                    &entry.name,
                    self.suffix(&entry.metadata).as_bytes(),
                ]
                .concat()
            })
            .collect();
        match self.columns {
            Some(width) => print_columns(&labels, width),
            None => {
                for label in &labels {
                    io::put(label);
                    io::put(b"\n");
                }
            }
        }
    }

    fn print_long(&self, entries: &[Entry]) {
        let now = time::now().tv_sec;
        let rows: Vec<[String; 5]> = entries
            .iter()
            .map(|entry| {
                let raw = entry.metadata.raw();
                let size = match entry.metadata.kind() {
                    FileKind::CharacterDevice | FileKind::BlockDevice => {
                        let (major, minor) = entry.metadata.device();
                        format!("{major}, {minor}")
                    }
                    _ => self.size(raw.stx_size, 1),
                };
                [
                    if self.options.has(b'i') {
                        raw.stx_ino.to_string()
                    } else {
                        String::new()
                    },
                    raw.stx_nlink.to_string(),
                    name_of(&self.users, raw.stx_uid),
                    name_of(&self.groups, raw.stx_gid),
                    size,
                ]
            })
            .collect();
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let [w_inode, w_links, w_user, w_group, w_size] = [0, 1, 2, 3, 4].map(width);
        for (entry, [inode, links, user, group, size]) in entries.iter().zip(&rows) {
            if w_inode > 0 {
                print!("{inode:>w_inode$} ");
            }
            print!("{} {links:>w_links$} ", permissions(&entry.metadata));
            print!(
                "{user:<w_user$} {group:<w_group$} {size:>w_size$} {} ",
                date(&entry.metadata, now)
            );
            io::put(&entry.name);
            if entry.metadata.kind() == FileKind::Symlink
                && let Ok(target) = fs::read_link(&entry.path)
            {
                io::put(b" -> ");
                io::put(&target);
            } else {
                io::put(self.suffix(&entry.metadata).as_bytes());
            }
            io::put(b"\n");
        }
    }

    fn is_long(&self) -> bool {
        self.options.has_any(b"ln") && self.columns.is_none()
    }

    /// Returns the character that `-F` and `-p` put behind a name.
    fn suffix(&self, metadata: &Metadata) -> &'static str {
        let all = self.options.has(b'F');
        match metadata.kind() {
            FileKind::Directory if all || self.options.has(b'p') => "/",
            FileKind::Symlink if all => "@",
            FileKind::Fifo if all => "|",
            FileKind::Socket if all => "=",
            FileKind::Regular if all && metadata.permissions() & 0o111 != 0 => "*",
            _ => "",
        }
    }

    /// Shows a size in units of so many bytes, or with `-h` in the unit that suits it.
    fn size(&self, bytes: u64, unit: u64) -> String {
        if !self.options.has(b'h') {
            return bytes.div_ceil(unit).to_string();
        }
        human(bytes)
    }

    fn fail(&mut self, path: &[u8], errno: Errno) {
        // What is listed before must also be printed before.
        let _ = io::flush();
        self.call.complain_about(path, errno);
        self.status = 1;
    }
}
