//! Files of policies from a directory, bounded.

use std::fs;
use std::path::Path;

use ::policy::SourceFile;
use ::policy::tree::is_wanted;

use crate::cli::failure::Failure;

/// Most files of a directory, so that a slip (`terrane policy test /`) ends soon.
const MAX_FILES: usize = 20_000;
/// Largest file that is read, in bytes: mocks are whole plans.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Deepest folder.
const MAX_DEPTH: usize = 32;

/// Reads every file below `directory` that a policy can be made of. Hidden ones are left out, links
/// to directories are not followed.
pub(super) fn below(directory: &Path) -> Result<Vec<SourceFile>, Failure> {
    let mut files = Vec::new();
    collect(directory, "", 0, &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn collect(
    directory: &Path,
    prefix: &str,
    depth: usize,
    files: &mut Vec<SourceFile>,
) -> Result<(), Failure> {
    let unreadable = |error| {
        let what = format!("{} can't be read", directory.display());
        Failure::failed(&what, error)
    };
    if depth > MAX_DEPTH {
        return Err(Failure::new(format!(
            "{} lies more than {MAX_DEPTH} folders deep",
            directory.display()
        )));
    }
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if name.starts_with('.') {
            continue;
        }
        let kind = entry.file_type().map_err(unreadable)?;
        let path = format!("{prefix}{name}");
        if kind.is_dir() {
            collect(&entry.path(), &format!("{path}/"), depth + 1, files)?;
        } else if is_wanted(&name) {
            files.push(SourceFile::new(path, read(&entry.path())?));
            if files.len() > MAX_FILES {
                return Err(Failure::new(format!(
                    "there are more than {MAX_FILES} files: name the directory of the policies"
                )));
            }
        }
    }
    Ok(())
}

/// Reads one file as text.
pub(super) fn read(path: &Path) -> Result<String, Failure> {
    let unreadable = |error| Failure::failed(&format!("{} can't be read", path.display()), error);
    let size = fs::metadata(path).map_err(unreadable)?.len();
    if size > MAX_BYTES {
        return Err(Failure::new(format!(
            "{} has more than {MAX_BYTES} bytes",
            path.display()
        )));
    }
    fs::read_to_string(path).map_err(unreadable)
}
