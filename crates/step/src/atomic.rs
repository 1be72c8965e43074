//! Files that a reader sees old or new, never half: both sides may die at any instruction.

use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Writes `value` as JSON so that a reader sees the old file or the new one, never a part.
///
/// # Errors
/// The file system's own; nothing is left at `path` that was not there before.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> std::io::Result<()> {
    write_atomically(path, &serde_json::to_vec(value)?)
}

/// Writes `bytes` durably: temporary file, fsync, rename, fsync of the directory.
///
/// # Errors
/// The file system's own.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let directory = path.parent().unwrap_or_else(|| Path::new("."));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let temporary = directory.join(name);
    let mut file = std::fs::File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    std::fs::File::open(directory)?.sync_all()
}

/// Reads what [`write_json`] wrote; `None` if there is no such file.
///
/// # Errors
/// The file system's own, or `InvalidData` when the content is not what was expected.
pub fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> std::io::Result<Option<T>> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(std::io::Error::from),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::JournalEntry;

    #[test]
    fn what_was_written_is_read_back() {
        let path = std::env::temp_dir().join(format!("step-test-{}.json", std::process::id()));
        let entry = JournalEntry {
            serial: 4,
            lineage: "l".into(),
            size: 1,
            sha256_hex: "aa".into(),
            md5_hex: "bb".into(),
            key_id: "k".into(),
        };
        write_json(&path, &entry).unwrap();
        assert_eq!(read_json::<JournalEntry>(&path).unwrap(), Some(entry));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(read_json::<JournalEntry>(&path).unwrap(), None);
    }
}
