//! The journal's files: sealed snapshots that survive power loss, and the newest one in clear for
//! the runner to upload.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use step::{JournalEntry, files};

use crate::journal::seal::Seal;
use crate::paths::{Durability, Root};

/// Entries that are kept.
const KEPT: usize = 3;

/// Writes `state` as the newest entry and forgets all but the last three.
///
/// Both files are on the disk before either gets its name, the sealed state first; whoever finds an
/// entry therefore finds its state.
///
/// # Errors
/// The file system's own; nothing that was in the journal is gone then.
pub(crate) fn append(
    root: &Root,
    seal: &Seal,
    entry: &JournalEntry,
    state: &[u8],
) -> io::Result<()> {
    let directory = Path::new(files::JOURNAL);
    let sealed = directory.join(format!("{}.sealed", entry.serial));
    let described = directory.join(format!("{}.json", entry.serial));
    write_pair(root, seal, (&sealed, &described), entry, state)?;
    forget_old(root);
    Ok(())
}

/// Writes a state that terraform put aside.
///
/// # Errors
/// The file system's own.
pub(crate) fn put_errored(
    root: &Root,
    seal: &Seal,
    entry: &JournalEntry,
    state: &[u8],
) -> io::Result<()> {
    let pair = (
        Path::new(files::ERRORED_SEALED),
        Path::new(files::ERRORED_ENTRY),
    );
    write_pair(root, seal, pair, entry, state)
}

/// Puts the newest state in clear where the runner looks for it. It need not survive power loss:
/// the journal does.
///
/// # Errors
/// The file system's own.
pub(crate) fn put_snapshot(root: &Root, entry: &JournalEntry, state: &[u8]) -> io::Result<()> {
    put_clear(root, (files::SNAPSHOT, files::SNAPSHOT_ENTRY), entry, state)
}

/// As [`put_snapshot`], of a state that terraform put aside.
///
/// # Errors
/// The file system's own.
pub(crate) fn put_errored_snapshot(
    root: &Root,
    entry: &JournalEntry,
    state: &[u8],
) -> io::Result<()> {
    put_clear(
        root,
        (files::SNAPSHOT_ERRORED, files::SNAPSHOT_ERRORED_ENTRY),
        entry,
        state,
    )
}

fn put_clear(
    root: &Root,
    names: (&str, &str),
    entry: &JournalEntry,
    state: &[u8],
) -> io::Result<()> {
    root.replace(Path::new(names.0), state, Durability::SurvivesUs)?;
    root.replace(
        Path::new(names.1),
        &serde_json::to_vec(entry)?,
        Durability::SurvivesUs,
    )
}

fn write_pair(
    root: &Root,
    seal: &Seal,
    (sealed, described): (&Path, &Path),
    entry: &JournalEntry,
    state: &[u8],
) -> io::Result<()> {
    let (sealed, described) = (root.join(sealed), root.join(described));
    let new_sealed = write_beside(&sealed, |file| seal.write(state, file))?;
    let new_described = write_beside(&described, |file| Ok(serde_json::to_writer(file, entry)?));
    let new_described = match new_described {
        Ok(path) => path,
        Err(error) => {
            let _ = std::fs::remove_file(&new_sealed);
            return Err(error);
        }
    };
    std::fs::rename(new_sealed, &sealed)?;
    std::fs::rename(new_described, &described)?;
    File::open(root.join(files::JOURNAL))?.sync_all()
}

/// Writes a temporary file next to `path` and syncs it; removes it again if that fails, because
/// what is missing then may be room.
fn write_beside(path: &Path, write: impl FnOnce(&File) -> io::Result<()>) -> io::Result<PathBuf> {
    use std::os::unix::fs::OpenOptionsExt;
    let temporary = path.with_added_extension("tmp");
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(&temporary)?;
    match write(&file).and_then(|()| file.sync_all()) {
        Ok(()) => Ok(temporary),
        Err(error) => {
            let _ = std::fs::remove_file(&temporary);
            Err(error)
        }
    }
}

/// Leftovers cost room, nothing else, so failing to remove one is no error.
fn forget_old(root: &Root) {
    let directory = root.join(files::JOURNAL);
    let Ok(listing) = std::fs::read_dir(&directory) else {
        return;
    };
    let mut serials: Vec<i64> = listing
        .flatten()
        .filter_map(|entry| {
            entry
                .file_name()
                .to_str()?
                .strip_suffix(".json")?
                .parse()
                .ok()
        })
        .collect();
    serials.sort_unstable_by(|left, right| right.cmp(left));
    for serial in serials.into_iter().skip(KEPT) {
        let _ = std::fs::remove_file(directory.join(format!("{serial}.json")));
        let _ = std::fs::remove_file(directory.join(format!("{serial}.sealed")));
    }
}
