//! An account's chain on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::store::Chain;
use crate::app::App;
use crate::clock::Timestamp;
use crate::http::attributes::Attributes;
use crate::http::jsonapi::{Resource, nullable, zulu_or_null};

/// Attributes of type `audit-chains`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ChainAttributes {
    /// Of the last record that has its place; 0: there is none yet.
    pub sequence: i64,
    /// Its hash. Kept elsewhere, it proves everything up to it.
    pub hash: String,
    #[serde(serialize_with = "zulu_or_null")]
    #[schema(value_type = Option<String>)]
    pub sealed_at: Option<Timestamp>,
    /// Of the last record that retention has removed; 0: none was.
    pub removed_sequence: i64,
    pub removed_hash: String,
    #[serde(serialize_with = "zulu_or_null")]
    #[schema(value_type = Option<String>)]
    pub removed_at: Option<Timestamp>,
    /// How long records are kept; null: as the installation says; 0: for ever.
    pub retention_days: Option<i64>,
    pub effective_retention_days: i64,
}

/// A chain as a JSON:API object.
pub(super) fn resource(app: &App, chain: &Chain) -> Resource<ChainAttributes> {
    let attributes = ChainAttributes {
        sequence: chain.sequence,
        hash: chain.hash.clone(),
        sealed_at: chain.sealed_at,
        removed_sequence: chain.removed_sequence,
        removed_hash: chain.removed_hash.clone(),
        removed_at: chain.removed_at,
        retention_days: chain.retention_days,
        effective_retention_days: chain.retention_days.unwrap_or(app.installation.audit_days),
    };
    Resource::new("audit-chains", &chain.account_id, attributes).link("self", "/api/v2/audit-chain")
}

/// What a change may carry.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct ChainInput {
    /// Days; 0: for ever; null: as the installation says.
    #[serde(deserialize_with = "nullable")]
    #[schema(value_type = Option<i64>)]
    pub retention_days: Option<Option<i64>>,
}

impl Attributes for ChainInput {
    const TYPES: &'static [&'static str] = &["audit-chains"];
}
