//! What a fetch is.

use domain::Secret;
use domain::ids::{AccountId, BlobId, FetchId, RunnerPoolId};
use domain::job::{FetchOwnerKind, FetchStatus};
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::workspaces::GitSource;

/// For what a repository is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    pub kind: FetchOwnerKind,
    /// The id of a row of that kind.
    pub id: String,
}

/// What an owner asks for.
#[derive(Debug)]
pub struct FetchRequest {
    pub owner: Owner,
    /// Whose runners fetch it; none: the account's default pool.
    pub pool: Option<RunnerPoolId>,
    pub git: GitSource,
    /// Pinned; none: whatever the reference is when it is fetched.
    pub commit: Option<String>,
    /// A token, or for a repository over SSH a private key.
    pub token: Option<Secret>,
}

/// What was fetched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetched {
    pub commit: String,
    pub author: String,
    pub message: String,
    /// Empty if the reference was no branch.
    pub branch: String,
}

/// A fetch as stored.
#[derive(Debug, Clone)]
pub struct Fetch {
    pub id: FetchId,
    pub account_id: AccountId,
    pub owner: Owner,
    pub pool_id: RunnerPoolId,
    pub git: GitSource,
    pub commit: Option<String>,
    pub status: FetchStatus,
    /// How often a runner has been lost with it.
    pub losses: i64,
    /// What was fetched, once it was.
    pub fetched: Option<Fetched>,
    /// The packed tree (tar.gz), once it was brought.
    pub archive: Option<BlobId>,
    pub error: Option<String>,
    pub created_at: Timestamp,
    pub ended_at: Option<Timestamp>,
}

impl Fetch {
    /// Whether nothing will become of it any more.
    pub fn is_over(&self) -> bool {
        match self.status {
            FetchStatus::Waiting | FetchStatus::Fetching => false,
            FetchStatus::Fetched | FetchStatus::Failed | FetchStatus::Canceled => true,
        }
    }
}
