//! What a backup consists of: the file `manifest.json`, written when everything else is there.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use domain::ids::{AccountId, BlobId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::BackupError;
use crate::clock::Timestamp;

/// Raised when the layout changes.
pub(super) const FORMAT: u32 = 1;
const FILE: &str = "manifest.json";
/// A manifest lists tables, not rows.
const LONGEST: u64 = 1024 * 1024;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    /// The version of the program that made it.
    pub software: String,
    pub made_at: Timestamp,
    /// Number of the newest migration.
    pub schema: i64,
    /// Id of the key that opens what is in it; the key itself is not.
    pub installation_key: String,
    pub tables: Vec<Listed>,
    /// The list of objects.
    pub objects: Listed,
    /// The sealed files of a data directory, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Listed>,
}

/// A file of lines.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Listed {
    pub name: String,
    pub lines: u64,
    /// Hexadecimal, of the file.
    pub sha256: String,
}

/// A line of the list of objects.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ObjectLine {
    pub(super) account: AccountId,
    pub(super) kind: String,
    pub(super) id: BlobId,
    /// Of the stored, sealed form.
    pub(super) stored_size: u64,
    /// Hexadecimal, of the stored form.
    pub(super) stored_sha256: String,
}

impl Manifest {
    pub(super) fn write(&self, backup: &Path) -> Result<(), BackupError> {
        let (new, path) = (backup.join("manifest.new"), backup.join(FILE));
        let text = serde_json::to_vec_pretty(self).map_err(|error| BackupError::File {
            path: path.clone(),
            source: error.into(),
        })?;
        let written = (|| {
            let mut file = private_file(&new)?;
            file.write_all(&text)?;
            file.sync_all()?;
            std::fs::rename(&new, &path)?;
            File::open(backup)?.sync_all()
        })();
        written.map_err(BackupError::at(path))
    }

    /// # Errors
    /// [`BackupError::Broken`] when there is none, or one that this program can't read.
    pub fn read(backup: &Path) -> Result<Self, BackupError> {
        let broken = |reason: String| BackupError::broken(backup, reason);
        let file = match File::open(backup.join(FILE)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(broken(
                    "it has no manifest.json, so it was never finished".into(),
                ));
            }
            Err(error) => return Err(BackupError::at(backup.join(FILE))(error)),
        };
        let manifest: Self = serde_json::from_reader(file.take(LONGEST))
            .map_err(|error| broken(format!("manifest.json: {error}")))?;
        if manifest.format != FORMAT {
            return Err(broken(format!(
                "it has the layout {}, this program knows {FORMAT}",
                manifest.format
            )));
        }
        Ok(manifest)
    }
}

pub(super) fn table_file(backup: &Path, table: &str) -> PathBuf {
    backup.join("tables").join(format!("{table}.jsonl"))
}

pub(super) fn objects_file(backup: &Path) -> PathBuf {
    backup.join("objects.jsonl")
}

/// The directory that is laid out as a local object store.
pub(super) fn objects_directory(backup: &Path) -> PathBuf {
    backup.join("objects")
}

/// Writes a file of lines, counting and hashing.
pub(super) struct Lines {
    file: BufWriter<File>,
    path: PathBuf,
    lines: u64,
    sha256: Sha256,
}

impl Lines {
    pub(super) fn create(path: PathBuf) -> Result<Self, BackupError> {
        let file = private_file(&path).map_err(BackupError::at(&path))?;
        Ok(Self {
            file: BufWriter::new(file),
            path,
            lines: 0,
            sha256: Sha256::new(),
        })
    }

    /// `line` has no line break: it is JSON in one line.
    pub(super) fn push(&mut self, line: &str) -> Result<(), BackupError> {
        self.lines += 1;
        self.sha256.update(line);
        self.sha256.update("\n");
        writeln!(self.file, "{line}").map_err(BackupError::at(&self.path))
    }

    pub(super) fn finish(self, name: &str) -> Result<Listed, BackupError> {
        let file = self
            .file
            .into_inner()
            .map_err(|error| BackupError::at(&self.path)(error.into_error()))?;
        file.sync_all().map_err(BackupError::at(&self.path))?;
        Ok(Listed {
            name: name.to_owned(),
            lines: self.lines,
            sha256: hex::encode(self.sha256.finalize()),
        })
    }
}

/// Sees that a file is the one that was written.
pub(super) fn check_file(path: &Path, listed: &Listed) -> Result<(), BackupError> {
    let file = File::open(path).map_err(|error| {
        BackupError::broken(path, format!("the file can't be opened ({error})"))
    })?;
    let mut hasher = Sha256::new();
    let mut reader = BufReader::new(file);
    loop {
        let piece = reader.fill_buf().map_err(BackupError::at(path))?;
        if piece.is_empty() {
            break;
        }
        hasher.update(piece);
        let read = piece.len();
        reader.consume(read);
    }
    if hex::encode(hasher.finalize()) == listed.sha256 {
        Ok(())
    } else {
        Err(BackupError::broken(
            path,
            "the file was changed or cut short since the backup was made",
        ))
    }
}

pub(super) fn private_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}
