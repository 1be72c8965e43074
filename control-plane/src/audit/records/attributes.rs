//! Audit records on the wire. TFE has only the form in [`super::trail`], so this shape is ours, in its
//! style.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::store::Found;
use crate::clock::Timestamp;
use crate::http::jsonapi::{Resource, zulu};

/// Attributes of type `audit-records`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RecordAttributes {
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub at: Timestamp,
    pub actor: ActorAttributes,
    /// `noun.verb`; of a refusal the permission that was missing.
    pub action: String,
    /// `done`, `denied` or `failed`, or how what was recorded ended.
    pub outcome: String,
    pub target: TargetAttributes,
    pub environment_id: Option<String>,
    /// Null when there is no such environment any more.
    pub environment_name: Option<String>,
    pub workspace_id: Option<String>,
    pub workspace_name: Option<String>,
    pub source_address: Option<String>,
    pub request_id: String,
    #[schema(value_type = Object)]
    pub detail: Value,
    /// SHA-256 of what was changed, where it is known.
    pub before_digest: Option<String>,
    pub after_digest: Option<String>,
    /// Its place in the chain; null in the second before it has one.
    pub sequence: Option<i64>,
    pub hash: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ActorAttributes {
    pub kind: String,
    pub id: String,
    pub name: String,
    pub token_last_six: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TargetAttributes {
    #[serde(rename = "type")]
    pub kind: String,
    pub id: String,
}

/// A record as a JSON:API object.
pub(super) fn resource(found: &Found) -> Resource<RecordAttributes> {
    let entry = &found.entry;
    let attributes = RecordAttributes {
        at: entry.at,
        actor: ActorAttributes {
            kind: entry.actor_kind.clone(),
            id: entry.actor_id.clone(),
            name: entry.actor_name.clone(),
            token_last_six: entry.token_last_six.clone(),
        },
        action: entry.action.clone(),
        outcome: entry.outcome.clone(),
        target: TargetAttributes {
            kind: entry.target_kind.clone(),
            id: entry.target_id.clone(),
        },
        environment_id: entry.environment_id.clone(),
        environment_name: found.environment_name.clone(),
        workspace_id: entry.workspace_id.clone(),
        workspace_name: found.workspace_name.clone(),
        source_address: entry.source_address.clone(),
        request_id: entry.request_id.clone(),
        detail: entry.detail.0.clone(),
        before_digest: entry.before_digest.clone(),
        after_digest: entry.after_digest.clone(),
        sequence: entry.sequence,
        hash: entry.hash.clone(),
    };
    Resource::new("audit-records", &entry.id, attributes)
        .link("self", format!("/api/v2/audit-records/{}", entry.id))
}
