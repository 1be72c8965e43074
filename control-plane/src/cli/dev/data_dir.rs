//! What `terrane dev` keeps, and where.

use std::path::{Path, PathBuf};

/// What lets people and machines in, as paths in the data directory: part of a backup, sealed. Not
/// among them: the installation key, which seals them; the directories of runners, which join
/// anew; what each start makes again.
pub(in crate::cli) const KEPT: &[&str] = &[
    "admin-password",
    "token",
    "runner-token",
    "ca/ca.pem",
    "ca/ca.key",
];

/// The data directory of one `terrane dev`.
#[derive(Debug, Clone)]
pub(super) struct DataDir(PathBuf);

impl DataDir {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Held by the one process that uses this directory.
    pub(super) fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    pub(super) fn installation_key(&self) -> PathBuf {
        self.0.join("installation.key")
    }

    /// The CA and certificate of the HTTPS port.
    pub(super) fn ca(&self) -> PathBuf {
        self.0.join("ca")
    }

    pub(super) fn admin_password(&self) -> PathBuf {
        self.0.join("admin-password")
    }

    /// An API token of `admin`.
    pub(super) fn token(&self) -> PathBuf {
        self.0.join("token")
    }

    /// The join token of the default runner pool.
    pub(super) fn runner_token(&self) -> PathBuf {
        self.0.join("runner-token")
    }

    /// A configuration of the terraform command line.
    pub(super) fn cli_config(&self) -> PathBuf {
        self.0.join("terraform.rc")
    }

    /// The SQLite file, unless another database is used.
    pub(super) fn database(&self) -> PathBuf {
        self.0.join("terrane.db")
    }

    /// Says which process the runner with this number is.
    pub(super) fn runner_pid(&self, number: usize) -> PathBuf {
        self.0.join("runner").join(format!("{number}.pid"))
    }

    /// The data directory of the runner with this number.
    pub(super) fn runner(&self, number: usize) -> PathBuf {
        self.0.join("runner").join(number.to_string())
    }
}
