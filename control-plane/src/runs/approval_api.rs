//! Routes of a run's approvals. TFE has none, so the shape is ours, in its style.

use std::sync::Arc;

use axum::extract::{Path, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::api::run_id;
use super::approval_service as service;
use crate::app::App;
use crate::approvals::{Approval, Requirement, Standing};
use crate::clock::Timestamp;
use crate::context::Context;
use crate::http::attributes::Attributes;
use crate::http::body::Body;
use crate::http::error::ApiResult;
use crate::http::jsonapi::{Created, Document, Input, Resource, zulu};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, approve, withdraw))
}

/// The run's attribute `approvals`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ApprovalsSummary {
    /// What has to be met; each by itself.
    pub required: Vec<Requirement>,
    /// Whether something is still missing.
    pub outstanding: bool,
    /// The same in a sentence.
    pub summary: String,
}

impl From<Standing> for ApprovalsSummary {
    fn from(standing: Standing) -> Self {
        Self {
            required: standing.required,
            outstanding: standing.outstanding,
            summary: standing.text,
        }
    }
}

/// Attributes of type `run-approvals`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
struct ApprovalAttributes {
    username: String,
    comment: String,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    created_at: Timestamp,
}

fn resource(approval: &Approval) -> Resource<ApprovalAttributes> {
    let attributes = ApprovalAttributes {
        username: approval.username.clone(),
        comment: approval.comment.clone(),
        created_at: approval.created_at,
    };
    Resource::new("run-approvals", &approval.id, attributes)
        .to_one("run", "runs", Some(&approval.run_id))
        .to_one("user", "users", Some(&approval.user_id))
}

/// What an approval may say.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
struct ApprovalInput {
    comment: Option<String>,
}

impl Attributes for ApprovalInput {
    const TYPES: &'static [&'static str] = &["run-approvals"];
}

/// Lists the approvals of a run, oldest first.
#[utoipa::path(get, path = "/runs/{run_id}/approvals", tag = "approvals",
    params(("run_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<ApprovalAttributes>>>)))]
async fn list(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Vec<Resource<ApprovalAttributes>>>> {
    let given = service::list(&app, &ctx, &run_id(&id)?).await?;
    Ok(Document::of(given.iter().map(resource).collect()))
}

/// Approves a run whose plan is ready and whose apply has not begun. Who made or confirmed it can't.
#[utoipa::path(post, path = "/runs/{run_id}/approvals", tag = "approvals",
    params(("run_id" = String, Path)), request_body = Input<ApprovalInput>,
    responses((status = 201, body = Document<Resource<ApprovalAttributes>>), (status = 409)))]
async fn approve(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    Body(input): Body<ApprovalInput>,
) -> ApiResult<Created<Resource<ApprovalAttributes>>> {
    let comment = input.attributes.comment.unwrap_or_default();
    let made = service::approve(&app, &ctx, &run_id(&id)?, comment).await?;
    Ok(Created(Document::of(resource(&made))))
}

/// Takes one's own approval back, as long as the apply has not begun.
#[utoipa::path(delete, path = "/runs/{run_id}/approvals", tag = "approvals",
    params(("run_id" = String, Path)), responses((status = 204), (status = 409)))]
async fn withdraw(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    service::withdraw(&app, &ctx, &run_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
