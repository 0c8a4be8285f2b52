//! Linux's headers as `linux-raw-sys` translates them: constants by reading, layouts by compiling.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use los_abi::Isa;

/// Translated headers of one machine.
pub(crate) struct Headers {
    directory: PathBuf,
    constants: HashMap<String, i128>,
}

/// Returns the headers of a machine, read once.
pub(crate) fn headers(isa: Isa) -> &'static Headers {
    static AARCH64: OnceLock<Headers> = OnceLock::new();
    static X86_64: OnceLock<Headers> = OnceLock::new();
    let cell = match isa {
        Isa::Aarch64 => &AARCH64,
        Isa::X86_64 => &X86_64,
    };
    cell.get_or_init(|| Headers::read(source_directory().join(isa.name())))
}

impl Headers {
    fn read(directory: PathBuf) -> Self {
        let mut constants = HashMap::new();
        for module in [
            "general", "errno", "ioctl", "prctl", "ptrace", "system", "auxvec", "elf_uapi",
        ] {
            let text = fs::read_to_string(directory.join(format!("{module}.rs"))).unwrap();
            constants.extend(text.lines().filter_map(parse_constant));
        }
        Self { directory, constants }
    }

    /// Returns the value of a constant that is a number.
    pub(crate) fn constant(&self, name: &str) -> Option<i128> {
        self.constants.get(name).copied()
    }

    /// Evaluates expressions of type `usize` in which the modules `general`, `ioctl`, `prctl`, `system` and
    /// `elf_uapi` are in scope.
    ///
    /// Both machines have 64-bit longs and pointers, so the host's compiler lays out the structures of
    /// either.
    pub(crate) fn evaluate(&self, expressions: &[String]) -> Vec<usize> {
        let name = self.directory.file_name().unwrap().to_str().unwrap();
        let work = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let source = work.join(format!("layouts_{name}.rs"));
        let program = work.join(format!("layouts_{name}{}", std::env::consts::EXE_SUFFIX));
        fs::write(&source, self.program(expressions)).unwrap();
        let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        output(
            Command::new(compiler)
                .args(["--edition=2021", "-Awarnings", "-o"])
                .arg(&program)
                .arg(&source),
        );
        let values: Vec<_> = output(&mut Command::new(&program))
            .lines()
            .map(|line| line.parse().unwrap())
            .collect();
        assert_eq!(values.len(), expressions.len());
        values
    }

    fn program(&self, expressions: &[String]) -> String {
        let types = [
            ("c_char", "i8"),
            ("c_schar", "i8"),
            ("c_uchar", "u8"),
            ("c_short", "i16"),
            ("c_ushort", "u16"),
            ("c_int", "i32"),
            ("c_uint", "u32"),
            ("c_long", "i64"),
            ("c_ulong", "u64"),
            ("c_longlong", "i64"),
            ("c_ulonglong", "u64"),
        ];
        let mut text = String::from("mod ctypes { pub use core::ffi::c_void;\n");
        for (name, definition) in types {
            text += &format!("pub type {name} = {definition};\n");
        }
        text += "}\n";
        for module in ["general", "ioctl", "prctl", "system", "elf_uapi"] {
            let path = self.directory.join(format!("{module}.rs"));
            text += &format!("#[path = {path:?}] mod {module};\n");
        }
        text += "use std::mem::{offset_of, size_of};\nfn main() {\n";
        for expression in expressions {
            text += &format!("println!(\"{{}}\", {expression});\n");
        }
        text + "}\n"
    }
}

/// Reads the line of a constant (`pub const NAME: TYPE = NUMBER;`), or of a member of an enumeration.
fn parse_constant(line: &str) -> Option<(String, i128)> {
    let line = line.trim();
    let (name, value) = match line.strip_prefix("pub const ") {
        Some(constant) => {
            let (name, rest) = constant.split_once(':')?;
            (name, rest.split_once("= ")?.1.strip_suffix(';')?)
        }
        None => line.strip_suffix(',')?.split_once(" = ")?,
    };
    Some((name.to_string(), value.parse().ok()?))
}

/// Asks cargo where the sources of `linux-raw-sys` are.
fn source_directory() -> PathBuf {
    let version = output(Command::new(env!("CARGO")).arg("-vV"));
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap();
    let metadata = output(
        Command::new(env!("CARGO"))
            .args([
                "metadata",
                "--format-version=1",
                "--filter-platform",
                host,
                "--manifest-path",
            ])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")),
    );
    let manifest = metadata
        .split('"')
        .find(|text| text.contains("linux-raw-sys-") && text.ends_with("Cargo.toml"))
        .expect("linux-raw-sys is a dependency");
    Path::new(manifest).parent().unwrap().join("src")
}

/// Runs a command and returns what it prints.
fn output(command: &mut Command) -> String {
    let result = command.output().unwrap();
    assert!(
        result.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&result.stderr)
    );
    String::from_utf8(result.stdout).unwrap()
}
