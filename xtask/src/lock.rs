//! [`Lock`]: keeps two xtasks from making the same thing at the same time.

use std::fs::File;

use anyhow::{Context, Result};

use crate::paths::Paths;

/// A named advisory lock under the target folder, held until dropped or until the process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lock called `name`.
    pub(crate) fn acquire(paths: &Paths, name: &str) -> Result<Self> {
        let path = paths.target().join(format!(".xtask-{name}.lock"));
        let file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
        file.lock()
            .with_context(|| format!("locking {}", path.display()))?;
        Ok(Self { _file: file })
    }
}
