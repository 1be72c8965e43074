//! What can go wrong with a backup, for the operator who runs it.

use std::io;
use std::path::PathBuf;

use domain::ids::BlobId;

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{} can't be read or written", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} is not empty: name a directory that doesn't exist yet", path.display())]
    NotEmpty { path: PathBuf },
    #[error("{} is not a whole backup: {reason}. Nothing was restored", path.display())]
    Broken { path: PathBuf, reason: String },
    #[error(
        "the backup has schema {backup}, this program has {program}: restore it with the version \
         {software} that made it, then upgrade. Nothing was restored"
    )]
    OtherSchema {
        backup: i64,
        program: i64,
        software: String,
    },
    #[error(
        "the backup was made under the installation key {backup}, configured is {configured}: \
         configure the key that belongs to the backup. Nothing was restored"
    )]
    OtherKey { backup: String, configured: String },
    #[error(
        "the database is not empty (table {table} has rows): restore into a new database only. \
         Nothing was restored"
    )]
    DatabaseInUse { table: String },
    #[error(
        "{} is there with another content: restore into an empty data directory. Nothing was \
         restored",
        path.display()
    )]
    FileInUse { path: PathBuf },
    #[error("{count} objects are missing or damaged, the first: {first}")]
    Damaged { count: u64, first: String },
    #[error("the object {id} is of the unknown kind {kind}")]
    UnknownKind { id: BlobId, kind: String },
    #[error("a row of the table {table} can't be read")]
    Row {
        table: String,
        source: serde_json::Error,
    },
    #[error(transparent)]
    Database(#[from] db::Error),
    #[error(transparent)]
    Blobs(#[from] blob::Error),
}

impl BackupError {
    pub(super) fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    pub(super) fn broken(path: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        Self::Broken {
            path: path.into(),
            reason: reason.into(),
        }
    }
}
