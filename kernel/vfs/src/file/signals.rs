//! Signals about an open file: its owner, and whether he gets them (fcntl(2), O_ASYNC).

use alloc::sync::Arc;

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;

use super::OpenFile;
use crate::owner::Owner;

impl OpenFile {
    /// Returns who gets signals about the file.
    pub fn owner(&self) -> &Arc<Owner> {
        self.owner.call_once(Owner::new)
    }

    /// Sets whether the owner gets signals about this file, which he will know by the descriptor (O_ASYNC).
    /// Returns whether that changed; no file without signals is asynchronous.
    ///
    /// # Errors
    /// ENOTTY for a file without signals; ENOMEM; EBADF for O_PATH.
    pub fn set_asynchronous(&self, fd: i32, is_asynchronous: bool) -> Result<bool, Errno> {
        if !is_asynchronous && self.owner.get().is_none() {
            return Ok(false);
        }
        // The flag says what the lists have, whoever changes it at the same time.
        let _changing = self.owner().start_change();
        if self.flags().contains(OpenFlags::ASYNC) == is_asynchronous {
            return Ok(false);
        }
        let lists = self.ops()?.signal_lists();
        if lists.iter().all(Option::is_none) {
            return Err(Errno::ENOTTY);
        }
        if is_asynchronous {
            for list in lists.into_iter().flatten() {
                list.add(self.owner(), fd)
                    .inspect_err(|_| self.leave_signal_lists())?;
            }
            self.change_flags(OpenFlags::ASYNC, OpenFlags::ASYNC);
        } else {
            self.leave_signal_lists();
            self.change_flags(OpenFlags::ASYNC, OpenFlags::empty());
        }
        Ok(true)
    }

    /// Ends what [`set_asynchronous`](Self::set_asynchronous) began.
    pub(super) fn leave_signal_lists(&self) {
        if let (Some(owner), Some(ops)) = (self.owner.get(), &self.ops) {
            for list in ops.signal_lists().into_iter().flatten() {
                list.remove(owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner::{Reason, SignalList};
    use crate::{AnonymousInode, Credentials, FileKind, FileOps, anonymous_file};

    /// A file with one list.
    #[derive(Default)]
    struct Telling(SignalList);

    impl FileOps for Telling {
        fn signal_lists(&self) -> [Option<&SignalList>; 2] {
            [Some(&self.0), None]
        }
    }

    fn file() -> (Arc<Telling>, Arc<OpenFile>) {
        let ops = Arc::new(Telling::default());
        let inode = AnonymousInode::new(FileKind::Regular, 0o600);
        let file = anonymous_file(
            b"telling",
            inode,
            ops.clone(),
            OpenFlags::RDWR,
            &Credentials::root(),
        )
        .unwrap();
        (ops, file)
    }

    #[test]
    fn an_asynchronous_file_is_in_its_list_once_and_leaves_with_its_last_use() {
        let (ops, file) = file();
        assert_eq!(file.set_asynchronous(3, false), Ok(false));
        assert_eq!(file.set_asynchronous(3, true), Ok(true));
        assert_eq!(file.set_asynchronous(4, true), Ok(false));
        assert_eq!(ops.0.len(), 1);
        drop(file);
        assert_eq!(ops.0.len(), 0);
        ops.0.tell(Reason::Readable);
    }

    #[test]
    fn threads_that_change_flags_at_once_lose_none_of_them() {
        let (ops, file) = file();
        let turns = |change: &(dyn Fn(bool) + Sync)| (0..2000).for_each(|turn| change(turn % 2 == 0));
        std::thread::scope(|scope| {
            for fd in 0..2 {
                let (ops, file) = (&ops, &file);
                scope.spawn(move || {
                    turns(&|is_on| {
                        file.set_asynchronous(fd, is_on).unwrap();
                        assert!(ops.0.len() <= 1);
                    });
                });
            }
            scope.spawn(|| turns(&|is_on| file.set_nonblocking(is_on)));
            for turn in 0..2000 {
                let new = match turn % 2 {
                    0 => OpenFlags::APPEND,
                    _ => OpenFlags::empty(),
                };
                let nonblocking = file.flags().intersection(OpenFlags::NONBLOCK);
                file.set_flags(new | nonblocking);
                assert_eq!(file.flags().intersection(OpenFlags::APPEND), new);
            }
        });
        let is_listed = ops.0.len() == 1;
        assert_eq!(file.flags().contains(OpenFlags::ASYNC), is_listed);
    }
}
