//! What a configuration version is.

use std::collections::BTreeMap;

use domain::ids::{AccountId, BlobId, ConfigurationVersionId, WorkspaceId};
use domain::workspace::ConfigurationStatus;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

#[derive(Debug, Clone)]
pub struct ConfigurationVersion {
    pub id: ConfigurationVersionId,
    pub account_id: AccountId,
    pub workspace_id: WorkspaceId,
    pub status: ConfigurationStatus,
    /// The client it came from, as on the wire.
    pub source: String,
    pub speculative: bool,
    /// Doesn't become the workspace's current one until it is applied.
    pub provisional: bool,
    /// Whether the upload queues a run.
    pub auto_queue_runs: bool,
    pub blob_id: Option<BlobId>,
    pub size: Option<i64>,
    pub git: Option<Fetched>,
    pub error_message: Option<String>,
    pub timestamps: BTreeMap<String, Timestamp>,
    pub created_by: String,
    pub created_at: Timestamp,
}

/// Where a fetched configuration came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fetched {
    pub url: String,
    pub reference: String,
    pub commit: String,
    pub author: String,
    pub message: String,
}
