//! Looks at a state file that terraform rewrites in place, and offers what is whole to the journal.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::journal::{Head, Journal, LARGEST_STATE, Offer};
use crate::paths::{Root, read_bounded};

/// States larger than this are journalled at most once in [`LARGE_PAUSE`], because reading,
/// sealing and syncing each of them would slow terraform down.
const LARGE: u64 = 1 << 20;
const LARGE_PAUSE: Duration = Duration::from_secs(1);
/// A file modified less than this ago may have been modified again within the same tick of the
/// clock that its times are taken from.
const CLOCK_TICK: Duration = Duration::from_millis(20);

/// One state file and its journal, looked at from two threads.
#[derive(Debug)]
pub(crate) struct Watch {
    root: Arc<Root>,
    file: PathBuf,
    journal: Arc<Mutex<Journal>>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    stamp: Option<Stamp>,
    journalled_at: Option<Instant>,
}

/// Tells one writing of the file from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: i128,
}

/// When a look may be skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// terraform is writing; large states wait their turn.
    Passing,
    /// terraform is done: whatever is there is offered.
    Last,
}

impl Watch {
    pub(crate) fn new(root: Arc<Root>, file: PathBuf, journal: Arc<Mutex<Journal>>) -> Self {
        Self {
            root,
            file,
            journal,
            seen: Mutex::default(),
        }
    }

    /// Offers the file's content if it changed and is whole; what is torn is left for the next look.
    ///
    /// # Errors
    /// The file system's own.
    pub(crate) fn look(&self, look: Look) -> io::Result<()> {
        let mut seen = lock(&self.seen);
        let Some(file) = self.root.open_file(&self.file)? else {
            return Ok(());
        };
        let before = Stamp::of(&file)?;
        if seen.stamp == Some(before) || (look == Look::Passing && seen.too_soon(before.size)) {
            return Ok(());
        }
        let Some(state) = self.read_steady(&file, before)? else {
            return Ok(());
        };
        match lock(&self.journal).offer(&state)? {
            Offer::Torn => {}
            Offer::Known | Offer::Refused(_) => seen.stamp = Some(before),
            Offer::Taken => {
                *seen = Seen {
                    stamp: Some(before),
                    journalled_at: Some(Instant::now()),
                };
            }
        }
        Ok(())
    }

    /// Whether the state file parses; so does one that isn't there.
    ///
    /// # Errors
    /// The file system's own.
    pub(crate) fn is_whole(&self) -> io::Result<bool> {
        let state = self.root.read(&self.file, LARGEST_STATE)?;
        Ok(state.is_none_or(|state| Head::parse(&state).is_some()))
    }

    /// Reads the file unless it changes meanwhile: the beginning of one state and the end of the
    /// next could make up something that parses. A change that the file's times are too coarse to
    /// show is found by reading twice.
    fn read_steady(&self, file: &std::fs::File, before: Stamp) -> io::Result<Option<Vec<u8>>> {
        let state = read_bounded(file, LARGEST_STATE)?;
        if Stamp::of(file)? != before || state.len() as u64 != before.size {
            return Ok(None);
        }
        if before.is_older_than(CLOCK_TICK) {
            return Ok(Some(state));
        }
        let again = self.root.read(&self.file, LARGEST_STATE)?;
        Ok(again.is_some_and(|again| again == state).then_some(state))
    }
}

impl Seen {
    fn too_soon(&self, size: u64) -> bool {
        size > LARGE
            && self
                .journalled_at
                .is_some_and(|at| at.elapsed() < LARGE_PAUSE)
    }
}

impl Stamp {
    fn of(file: &std::fs::File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            inode: metadata.ino(),
            size: metadata.len(),
            modified: i128::from(metadata.mtime()) * 1_000_000_000
                + i128::from(metadata.mtime_nsec()),
        })
    }

    fn is_older_than(&self, age: Duration) -> bool {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        i128::try_from(now.saturating_sub(age).as_nanos()).is_ok_and(|limit| self.modified < limit)
    }
}

/// A thread that panicked leaves nothing half-done behind these locks that would make it worse to
/// go on: not journalling would.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
