//! What a stream is.

use domain::Secret;
use domain::ids::{AccountId, AuditStreamId};
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::tenancy::SealedPlace;

/// Where a stream goes, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum Destination {
    #[serde(rename_all = "kebab-case")]
    Webhook { url: String },
    #[serde(rename_all = "kebab-case")]
    S3 {
        bucket: String,
        region: String,
        /// Of a service other than Amazon's.
        endpoint: Option<String>,
        /// Begins the name of each object; may be empty.
        prefix: String,
        access_key_id: String,
    },
}

impl Destination {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::S3 { .. } => "s3",
        }
    }
}

/// A stream, without its secret.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    pub id: AuditStreamId,
    pub account_id: AccountId,
    pub name: String,
    pub destination: Destination,
    pub paused: bool,
    /// Of the last record that has arrived.
    pub delivered_sequence: i64,
    pub delivered_at: Option<Timestamp>,
    /// In a row, since something arrived last.
    pub failures: i64,
    pub last_error: Option<String>,
    pub failed_at: Option<Timestamp>,
    pub next_attempt_at: Timestamp,
    /// Grows with every attempt and every change: who has an old one may write nothing.
    pub claim: i64,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Where a stream's secret lies.
pub(super) fn secret_place(id: &AuditStreamId) -> SealedPlace {
    SealedPlace::new("audit-stream", id)
}

/// What a new stream is made of.
#[derive(Debug)]
pub(super) struct NewStream {
    pub name: String,
    pub destination: Destination,
    pub secret: Secret,
    pub paused: bool,
    /// From the first record that there is, and not only new ones.
    pub from_beginning: bool,
}

/// What a change asks for; `None` leaves a thing as it is.
#[derive(Debug, Default)]
pub(super) struct StreamChange {
    pub name: Option<String>,
    pub destination: Option<Destination>,
    pub secret: Option<Secret>,
    pub paused: Option<bool>,
}
