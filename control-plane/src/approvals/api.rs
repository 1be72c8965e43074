//! Routes of approval rules. Approvals themselves are given below their run, in `runs`.

use std::sync::Arc;

use axum::extract::{Path, State};
use domain::ids::ApprovalRuleId;
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{RuleAttributes, RuleInput, change, new_rule, resource};
use super::model::ApprovalRule;
use super::service::{self, Scope};
use crate::app::App;
use crate::context::Context;
use crate::http::body::Body;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Created, Document, Input, Resource};
use crate::workspaces::api::workspace_id;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(of_environment, create_in_environment))
        .routes(routes!(in_workspace, create_in_workspace))
        .routes(routes!(read, update, delete))
}

type One = Document<Resource<RuleAttributes>>;
type Many = Document<Vec<Resource<RuleAttributes>>>;

fn rule_id(text: &str) -> ApiResult<ApprovalRuleId> {
    text.parse().map_err(|_| ApiError::not_found())
}

/// All in one page: there are few.
fn all(rules: &[ApprovalRule]) -> Many {
    Document::of(rules.iter().map(resource).collect())
}

/// Lists the approval rules of an environment, without those of its workspaces.
#[utoipa::path(get, path = "/organizations/{organization}/approval-rules", tag = "approvals",
    params(("organization" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<RuleAttributes>>>)))]
async fn of_environment(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(organization): Path<String>,
) -> ApiResult<Many> {
    Ok(all(
        &service::of_environment(&app, &ctx, &organization).await?
    ))
}

/// Makes an approval rule for every workspace of an environment.
#[utoipa::path(post, path = "/organizations/{organization}/approval-rules", tag = "approvals",
    params(("organization" = String, Path)), request_body = Input<RuleInput>,
    responses((status = 201, body = Document<Resource<RuleAttributes>>)))]
async fn create_in_environment(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(organization): Path<String>,
    Body(input): Body<RuleInput>,
) -> ApiResult<Created<Resource<RuleAttributes>>> {
    let new = new_rule(&input)?;
    let scope = Scope::Environment(&organization);
    let made = service::create(&app, &ctx, scope, new).await?;
    Ok(Created(Document::of(resource(&made))))
}

/// Lists the approval rules that hold in a workspace: those of its environment, then its own.
#[utoipa::path(get, path = "/workspaces/{workspace_id}/approval-rules", tag = "approvals",
    params(("workspace_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<RuleAttributes>>>)))]
async fn in_workspace(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(workspace): Path<String>,
) -> ApiResult<Many> {
    let id = workspace_id(&workspace)?;
    Ok(all(&service::in_workspace(&app, &ctx, &id).await?))
}

/// Makes an approval rule for one workspace.
#[utoipa::path(post, path = "/workspaces/{workspace_id}/approval-rules", tag = "approvals",
    params(("workspace_id" = String, Path)), request_body = Input<RuleInput>,
    responses((status = 201, body = Document<Resource<RuleAttributes>>)))]
async fn create_in_workspace(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(workspace): Path<String>,
    Body(input): Body<RuleInput>,
) -> ApiResult<Created<Resource<RuleAttributes>>> {
    let new = new_rule(&input)?;
    let id = workspace_id(&workspace)?;
    let made = service::create(&app, &ctx, Scope::Workspace(&id), new).await?;
    Ok(Created(Document::of(resource(&made))))
}

/// Reads an approval rule.
#[utoipa::path(get, path = "/approval-rules/{approval_rule_id}", tag = "approvals",
    params(("approval_rule_id" = String, Path)),
    responses((status = 200, body = Document<Resource<RuleAttributes>>)))]
async fn read(State(app): State<Arc<App>>, ctx: Context, Path(id): Path<String>) -> ApiResult<One> {
    let found = service::read(&app, &ctx, &rule_id(&id)?).await?;
    Ok(Document::of(resource(&found)))
}

/// Changes an approval rule. It holds for the runs that wait as well.
#[utoipa::path(patch, path = "/approval-rules/{approval_rule_id}", tag = "approvals",
    params(("approval_rule_id" = String, Path)), request_body = Input<RuleInput>,
    responses((status = 200, body = Document<Resource<RuleAttributes>>)))]
async fn update(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    Body(input): Body<RuleInput>,
) -> ApiResult<One> {
    let change = change(&input)?;
    let changed = service::update(&app, &ctx, &rule_id(&id)?, change).await?;
    Ok(Document::of(resource(&changed)))
}

/// Deletes an approval rule.
#[utoipa::path(delete, path = "/approval-rules/{approval_rule_id}", tag = "approvals",
    params(("approval_rule_id" = String, Path)), responses((status = 204)))]
async fn delete(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    service::delete(&app, &ctx, &rule_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
