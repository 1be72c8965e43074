//! What a killed process leaves in a directory: files of uploads that never ended.
//!
//! Nobody sees them (their names, `ID#N`, are no ids), but they take space. In a bucket the same
//! thing is an unfinished multipart upload, which only a lifecycle rule of the bucket removes.

use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

/// Deletes those last written to before `before` and tells how many there were.
pub(crate) fn remove(directory: &Path, before: SystemTime) -> io::Result<u64> {
    let mut removed = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            // Finished or deleted since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if metadata.is_dir() {
            removed += remove(&entry.path(), before)?;
        } else if is_unfinished(&entry.path()) && metadata.modified()? < before {
            fs::remove_file(entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn is_unfinished(path: &Path) -> bool {
    path.file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| {
            let number = name.rsplit_once('#').map(|(_, number)| number);
            number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
        })
}
