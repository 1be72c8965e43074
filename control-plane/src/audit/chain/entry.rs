//! A record as it is hashed, exported and streamed: one JSON object for all three.

use db::Json;
use domain::ids::AccountId;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::FromRow;

use crate::clock::Timestamp;
use crate::problem::Fault;

/// A record as it lies in the database. Texts and not words or ids: one that somebody has tampered
/// with must still be shown.
#[derive(Debug, Clone, FromRow)]
pub struct Entry {
    pub id: String,
    pub account_id: String,
    pub at: Timestamp,
    pub actor_kind: String,
    pub actor_id: String,
    pub actor_name: String,
    pub token_last_six: Option<String>,
    pub action: String,
    pub target_kind: String,
    pub target_id: String,
    pub environment_id: Option<String>,
    pub workspace_id: Option<String>,
    pub outcome: String,
    pub source_address: Option<String>,
    pub request_id: String,
    pub detail: Json<Value>,
    pub before_digest: Option<String>,
    pub after_digest: Option<String>,
    /// None until it is sealed.
    pub sequence: Option<i64>,
    pub hash: Option<String>,
}

/// What stands for the hash before the first record of an account.
pub(super) fn genesis(account: &AccountId) -> String {
    let text = format!("terrane audit chain v1 of {account}");
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// The SHA-256 of something's canonical JSON.
pub(in crate::audit) fn digest_of(thing: &impl Serialize) -> Result<String, Fault> {
    Ok(hex::encode(Sha256::digest(canonical(thing)?)))
}

fn canonical(thing: &impl Serialize) -> Result<Vec<u8>, Fault> {
    serde_json_canonicalizer::to_vec(thing).map_err(|_| Fault::Unreadable {
        what: "an audit record",
    })
}

impl Entry {
    /// What is hashed: everything, with its place in the chain.
    fn hashed(&self, sequence: i64, previous: Option<&str>) -> Value {
        json!({
            "id": self.id,
            "account": self.account_id,
            "sequence": sequence,
            "previous": previous,
            "at": self.at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
            "actor": {
                "kind": self.actor_kind,
                "id": self.actor_id,
                "name": self.actor_name,
                "token-last-six": self.token_last_six,
            },
            "action": self.action,
            "target": { "type": self.target_kind, "id": self.target_id },
            "environment": self.environment_id,
            "workspace": self.workspace_id,
            "outcome": self.outcome,
            "source-address": self.source_address,
            "request-id": self.request_id,
            "detail": self.detail.0,
            "before-digest": self.before_digest,
            "after-digest": self.after_digest,
        })
    }

    /// The hash that it has in this place.
    pub(super) fn hash_at(&self, sequence: i64, previous: &str) -> Result<String, Fault> {
        digest_of(&self.hashed(sequence, Some(previous)))
    }

    /// A line of an export, without its end. `previous` is the hash of the record before it, if that
    /// is there.
    pub fn line(&self, previous: Option<&str>) -> Result<Vec<u8>, Fault> {
        let mut whole = self.hashed(self.sequence.unwrap_or_default(), previous);
        whole["hash"] = self.hash.clone().into();
        canonical(&whole)
    }
}
