//! Copying files and trees, for `cp` and for `mv` across file systems.

use alloc::vec;
use alloc::vec::Vec;

use los_abi::fs::{S_IFBLK, S_IFCHR, S_IFIFO, make_device};
use rt::fs::{self, File, FileKind, Metadata, OpenFlags};
use rt::io::Read;
use rt::text::Text;
use rt::{Errno, Result, println};

use crate::Call;
use crate::remove;

/// Bytes that travel at once.
const BLOCK_BYTES: usize = 128 * 1024;

/// What becomes of symbolic links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// The file that they lead to is copied.
    Follow,
    /// They are copied themselves.
    Copy,
}

/// How to copy.
#[derive(Clone, Copy, Debug)]
pub struct Copying {
    /// Directories are copied with all that is in them.
    pub recursive: bool,
    /// What becomes of symbolic links.
    pub links: Links,
    /// Owner, permissions and times are kept.
    pub preserves: bool,
    /// A destination that cannot be written is replaced.
    pub forced: bool,
    /// A person confirms overwriting.
    pub asks: bool,
    /// Each copy is named.
    pub verbose: bool,
}

/// Identifies a file among all.
type Identity = ((u32, u32), u64);

/// Copies a file or a tree; reports what fails, and tells whether nothing did.
pub fn copy(call: &Call<'_>, source: &[u8], target: &[u8], copying: &Copying) -> bool {
    copy_below(call, source, target, copying, None)
}

/// Copies one level; `root` is the top of the copy, which must not be copied into itself.
fn copy_below(
    call: &Call<'_>,
    source: &[u8],
    target: &[u8],
    copying: &Copying,
    root: Option<Identity>,
) -> bool {
    let metadata = match copying.links {
        Links::Follow => fs::metadata(source),
        Links::Copy => fs::symlink_metadata(source),
    };
    let metadata = match metadata {
        Ok(metadata) => metadata,
        Err(errno) => {
            call.complain(format_args!("can't stat '{}': {}", Text(source), errno.message()));
            return false;
        }
    };
    let existing = fs::metadata(target).ok();
    if existing.is_some_and(|existing| existing.identity() == metadata.identity()) {
        call.complain(format_args!(
            "'{}' and '{}' are the same file",
            Text(source),
            Text(target)
        ));
        return false;
    }
    if metadata.is_directory() {
        return copy_directory(call, source, target, copying, &metadata, root);
    }
    if existing.is_some() && copying.asks && !remove::confirmed(call, target) {
        return true;
    }
    let result =
        copy_file(source, target, copying, &metadata).and_then(|()| finish(target, copying, &metadata));
    match result {
        Ok(()) => {
            if copying.verbose {
                println!("'{}' -> '{}'", Text(source), Text(target));
            }
            true
        }
        Err((path, errno)) => {
            call.complain_about(&path, errno);
            false
        }
    }
}

fn copy_directory(
    call: &Call<'_>,
    source: &[u8],
    target: &[u8],
    copying: &Copying,
    metadata: &Metadata,
    root: Option<Identity>,
) -> bool {
    if !copying.recursive {
        call.complain(format_args!("omitting directory '{}'", Text(source)));
        return false;
    }
    if root == Some(metadata.identity()) {
        call.complain(format_args!("can't copy '{}' into itself", Text(source)));
        return false;
    }
    // The owner must be able to fill the copy, whatever the permissions that it gets in the end.
    let created = match fs::create_directory(target, metadata.permissions() | 0o700) {
        Ok(()) => true,
        Err(Errno::EEXIST) if fs::metadata(target).is_ok_and(|existing| existing.is_directory()) => false,
        Err(errno) => {
            call.complain(format_args!(
                "can't create directory '{}': {}",
                Text(target),
                errno.message()
            ));
            return false;
        }
    };
    let root = root.or_else(|| fs::metadata(target).ok().map(|metadata| metadata.identity()));
    let entries = match fs::read_directory(source) {
        Ok(entries) => entries,
        Err(errno) => {
            call.complain_about(source, errno);
            return false;
        }
    };
    let mut complete = true;
    for entry in entries {
        let (from, to) = (fs::join(source, &entry.name), fs::join(target, &entry.name));
        complete &= copy_below(call, &from, &to, copying, root);
    }
    if created && let Err((path, errno)) = finish(target, copying, metadata) {
        call.complain_about(&path, errno);
        complete = false;
    }
    complete
}

/// The path that an error is about, and the error.
type Failure = (Vec<u8>, Errno);

/// Copies anything but a directory.
fn copy_file(
    source: &[u8],
    target: &[u8],
    copying: &Copying,
    metadata: &Metadata,
) -> core::result::Result<(), Failure> {
    let about_target = |errno| (target.to_vec(), errno);
    let about_source = |errno| (source.to_vec(), errno);
    let mode = metadata.permissions() & 0o777;
    let (major, minor) = metadata.device();
    let device = make_device(major, minor) as u32;
    let make_node =
        |kind| replace(target, || fs::make_node(target, kind | mode, device)).map_err(about_target);
    match metadata.kind() {
        FileKind::Symlink => {
            let leads_to = fs::read_link(source).map_err(about_source)?;
            replace(target, || fs::symlink(&leads_to, target)).map_err(about_target)
        }
        FileKind::CharacterDevice if copying.recursive => make_node(S_IFCHR),
        FileKind::BlockDevice if copying.recursive => make_node(S_IFBLK),
        FileKind::Fifo if copying.recursive => make_node(S_IFIFO),
        FileKind::Socket => Err(about_source(Errno::EOPNOTSUPP)),
        _ => {
            let mut reader = File::open(source).map_err(about_source)?;
            let mut writer = open_target(target, mode, copying.forced).map_err(about_target)?;
            let mut block = vec![0; BLOCK_BYTES];
            loop {
                let length = reader.read(&mut block).map_err(about_source)?;
                if length == 0 {
                    return Ok(());
                }
                writer.write_all(&block[..length]).map_err(about_target)?;
            }
        }
    }
}

fn open_target(target: &[u8], mode: u32, forced: bool) -> Result<File> {
    match File::create(target, mode) {
        Err(errno)
            if forced && fs::symlink_metadata(target).is_ok_and(|existing| !existing.is_directory()) =>
        {
            fs::remove_file(target).map_err(|_| errno)?;
            File::open_with(
                target,
                OpenFlags::WRONLY | OpenFlags::CREAT | OpenFlags::EXCL,
                mode,
            )
        }
        result => result,
    }
}

/// Makes something that cannot be overwritten, in the place of an old file if need be.
fn replace(target: &[u8], make: impl Fn() -> Result<()>) -> Result<()> {
    match make() {
        Err(Errno::EEXIST) => {
            fs::remove_file(target)?;
            make()
        }
        result => result,
    }
}

/// Gives a copy the attributes that it keeps.
fn finish(target: &[u8], copying: &Copying, metadata: &Metadata) -> core::result::Result<(), Failure> {
    let is_link = metadata.kind() == FileKind::Symlink;
    if !copying.preserves {
        if metadata.is_directory() && metadata.permissions() & 0o700 != 0o700 {
            fs::set_permissions(target, metadata.permissions() & 0o777)
                .map_err(|errno| (target.to_vec(), errno))?;
        }
        return Ok(());
    }
    let (uid, gid) = metadata.owner();
    // Without privilege files stay with whoever copies them; then setuid bits must not come along.
    let owned = fs::set_owner(target, uid, gid).is_ok();
    let mode = if owned {
        metadata.permissions()
    } else {
        metadata.permissions() & 0o1777
    };
    let permissions = if is_link {
        Ok(())
    } else {
        fs::set_permissions(target, mode)
    };
    permissions
        .and_then(|()| fs::set_times(target, Some([metadata.accessed(), metadata.modified()])))
        .map_err(|errno| (target.to_vec(), errno))
}
