//! One maker at a time.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};

/// Held while something is made; other processes wait.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lock named `name` in `directory`.
    ///
    /// # Errors
    /// The file system's own.
    pub fn take(directory: &Path, name: &str) -> Result<Self> {
        std::fs::create_dir_all(directory)?;
        let path = directory.join(format!("{name}.lock"));
        let file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
        file.lock()
            .with_context(|| format!("locking {}", path.display()))?;
        Ok(Self { _file: file })
    }
}
