//! Records as TFE's audit trail has them: plain JSON, and not JSON:API. Source: TFE contract,
//! `organization/audit-trail`.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::store::Found;
use crate::clock::Timestamp;
use crate::http::jsonapi::zulu;
use crate::http::page::{Page, Pagination};

/// A page of the trail.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Trail {
    pub data: Vec<TrailEntry>,
    pub pagination: TrailPagination,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TrailEntry {
    pub id: String,
    pub version: &'static str,
    #[serde(rename = "type")]
    pub kind: &'static str,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub timestamp: Timestamp,
    pub auth: TrailAuth,
    pub request: TrailRequest,
    pub resource: TrailResource,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TrailAuth {
    pub accessor_id: String,
    pub description: String,
    /// `Client` or `System`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub impersonator_id: Option<String>,
    pub organization_id: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TrailRequest {
    pub id: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TrailResource {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub action: String,
    #[schema(value_type = Object)]
    pub meta: Value,
}

/// Where a page stands; the names are those that clients of this route read.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TrailPagination {
    pub current_page: i64,
    pub prev_page: Option<i64>,
    pub next_page: Option<i64>,
    pub total_pages: i64,
    pub total_count: i64,
}

impl TrailPagination {
    pub(super) fn new(page: Page, total: i64) -> Self {
        let pagination = Pagination::new(page, total);
        Self {
            current_page: pagination.current_page,
            prev_page: pagination.prev_page,
            next_page: pagination.next_page,
            total_pages: pagination.total_pages,
            total_count: pagination.total_count,
        }
    }
}

/// The verb of `workspace.update` or `workspaces:update`.
fn verb(action: &str) -> &str {
    action.rsplit(['.', ':']).next().unwrap_or(action)
}

pub(super) fn entry(found: &Found) -> TrailEntry {
    let entry = &found.entry;
    TrailEntry {
        id: entry.id.clone(),
        version: "0",
        kind: "Resource",
        timestamp: entry.at,
        auth: TrailAuth {
            accessor_id: entry.actor_id.clone(),
            description: entry.actor_name.clone(),
            kind: if entry.actor_kind == "system" {
                "System"
            } else {
                "Client"
            },
            impersonator_id: None,
            organization_id: entry.account_id.clone(),
        },
        request: TrailRequest {
            id: entry.request_id.clone(),
        },
        resource: TrailResource {
            id: entry.target_id.clone(),
            kind: entry.target_kind.replace('-', "_"),
            action: verb(&entry.action).to_owned(),
            meta: json!({
                "action": entry.action,
                "outcome": entry.outcome,
                "source_address": entry.source_address,
                "environment_id": entry.environment_id,
                "workspace_id": entry.workspace_id,
                "detail": entry.detail.0,
            }),
        },
    }
}
