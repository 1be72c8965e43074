//! Routes of runs. Source: TFE contract, sections 2 and 3.

use std::sync::Arc;

use axum::extract::{Path, State};
use domain::ids::{ConfigurationVersionId, RunId};
use domain::run::{RunSource, RunStatus};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{RunAttributes, resource};
use super::create::{self as creation, NewRun};
use super::error::RunError;
use super::model::{Run, RunEvent, RunFilter, RunVariable};
use super::service;
use super::{approval_service, phase_attributes, wait};
use crate::app::App;
use crate::approvals;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::http::attributes::{Attributes, Words};
use crate::http::body::Body;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Created, Document, InputData, Resource, zulu};
use crate::http::page::{Page, Paged, Pagination};
use crate::http::query::Query;
use crate::problem::Kind;
use crate::workspaces::api::workspace_id;
use crate::workspaces::{self, WorkspaceKey};

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(read))
        .routes(routes!(list_of_workspace))
        .routes(routes!(list_of_environment))
        .routes(routes!(queue))
        .routes(routes!(capacity))
        .routes(routes!(events))
        .merge(super::gates::routes())
        .merge(super::action_api::routes())
        .merge(super::approval_api::routes())
        .merge(super::plan_api::routes())
        .merge(super::apply_api::routes())
        .merge(super::configuration::api::routes())
}

/// Routes outside `/api/v2`, proved by their signature.
pub fn signed_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .merge(super::plan_api::signed_routes())
        .merge(super::apply_api::signed_routes())
        .merge(super::configuration::api::signed_routes())
}

/// Which client speaks, by its headers: `cloud {}` says so, `backend "remote"` is Terraform without
/// saying so.
pub fn source_of(headers: &HeaderMap) -> RunSource {
    let integration = headers
        .get("X-Terraform-Integration")
        .and_then(|it| it.to_str().ok());
    match integration {
        Some("cloud") => RunSource::Cloud,
        _ if headers.contains_key("Terraform-Version") => RunSource::Remote,
        _ => RunSource::Api,
    }
}

/// What a create may carry.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", default)]
pub struct RunInput {
    pub message: Option<String>,
    pub is_destroy: Option<bool>,
    pub refresh: Option<bool>,
    pub refresh_only: Option<bool>,
    pub target_addrs: Option<Vec<String>>,
    pub replace_addrs: Option<Vec<String>>,
    pub plan_only: Option<bool>,
    pub save_plan: Option<bool>,
    pub auto_apply: Option<bool>,
    pub allow_empty_apply: Option<bool>,
    pub allow_config_generation: Option<bool>,
    pub terraform_version: Option<String>,
    #[schema(value_type = Option<Vec<Object>>)]
    pub variables: Option<Vec<RunVariable>>,
}

impl Attributes for RunInput {
    const TYPES: &'static [&'static str] = &["runs"];
    const RELATIONS: Words = &[
        ("configuration-version", &["configuration-versions"]),
        ("workspace", &["workspaces"]),
    ];
    const WITHOUT_EFFECT: Words = &[
        ("comment", &[]),
        ("debugging-mode", &[]),
        ("invoke-action-addrs", &[]),
        ("policy-paths", &[]),
    ];
}

pub(super) fn run_id(text: &str) -> ApiResult<RunId> {
    text.parse().map_err(|_| ApiError::not_found())
}

fn new_run(input: InputData<RunInput>, headers: &HeaderMap) -> ApiResult<NewRun> {
    let workspace = input.related_id("workspace").ok_or_else(|| {
        ApiError::new(Kind::Invalid, "runs.invalid", "a run needs a workspace")
            .at("/data/relationships/workspace")
    })?;
    let workspace = workspace_id(workspace)?;
    let configuration = input
        .related_id("configuration-version")
        .map(str::parse::<ConfigurationVersionId>)
        .transpose()
        .map_err(|_| ApiError::not_found())?;
    let asked = input.attributes;
    Ok(NewRun {
        configuration,
        message: asked.message.filter(|text| !text.is_empty()),
        is_destroy: asked.is_destroy.unwrap_or(false),
        refresh: asked.refresh.unwrap_or(true),
        refresh_only: asked.refresh_only.unwrap_or(false),
        target_addrs: asked.target_addrs.unwrap_or_default(),
        replace_addrs: asked.replace_addrs.unwrap_or_default(),
        plan_only: asked.plan_only,
        save_plan: asked.save_plan.unwrap_or(false),
        auto_apply: asked.auto_apply,
        allow_empty_apply: asked.allow_empty_apply.unwrap_or(false),
        allow_config_generation: asked.allow_config_generation.unwrap_or(false),
        terraform_version: asked.terraform_version,
        variables: asked.variables.unwrap_or_default(),
        ..NewRun::of(workspace, source_of(headers))
    })
}

type One = Document<Resource<RunAttributes>>;

async fn document(app: &App, ctx: &Context, run: &Run) -> ApiResult<One> {
    let (why, position) = wait::wait_of(app, run).await?;
    let mut resource = resource(ctx, run, why, position);
    if !run.state.plan_only {
        let tenant = ctx.tenant();
        let mut conn = app.db.acquire().await.map_err(RunError::from)?;
        let standing = approval_service::standing(&mut conn, &tenant, run, None).await?;
        let given = approvals::given(&mut conn, &tenant, &run.id)
            .await
            .map_err(RunError::from)?;
        resource.attributes.approvals = Some(standing.into());
        let ids = given.iter().map(|it| &it.id);
        resource = resource.to_many("approvals", "run-approvals", ids);
    }
    Ok(Document::of(resource))
}

/// Makes a run.
#[utoipa::path(post, path = "/runs", tag = "runs",
    request_body = crate::http::jsonapi::Input<RunInput>,
    responses((status = 201, body = Document<Resource<RunAttributes>>),
        (status = 422, body = crate::http::error::ErrorDocument)))]
async fn create(
    State(app): State<Arc<App>>,
    ctx: Context,
    headers: HeaderMap,
    Body(input): Body<RunInput>,
) -> ApiResult<Created<Resource<RunAttributes>>> {
    let run = creation::create(&app, &ctx, new_run(input, &headers)?).await?;
    Ok(Created(document(&app, &ctx, &run).await?))
}

/// Reads a run. `include`: `workspace`, `plan`, `apply`, `configuration_version`, `task_stages`.
#[utoipa::path(get, path = "/runs/{run_id}", tag = "runs", params(("run_id" = String, Path)),
    responses((status = 200, body = Document<Resource<RunAttributes>>)))]
async fn read(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    query: Query,
) -> ApiResult<One> {
    let run = service::read(&app, &ctx, &run_id(&id)?).await?;
    let included = included(&app, &ctx, &run, &query).await?;
    Ok(document(&app, &ctx, &run).await?.including(included))
}

async fn included(
    app: &App,
    ctx: &Context,
    run: &Run,
    query: &Query,
) -> ApiResult<Vec<serde_json::Value>> {
    let mut included = Vec::new();
    if query.includes("workspace") {
        let key = WorkspaceKey::Id(run.workspace_id.clone());
        let workspace = workspaces::read(app, ctx, &key).await?;
        included.push(
            workspaces::api::document(app, ctx, &workspace)
                .await?
                .data
                .into_value(),
        );
    }
    if query.includes("plan") {
        included.push(phase_attributes::plan(app, run).into_value());
    }
    if query.includes("apply") {
        included.push(phase_attributes::apply(app, run).into_value());
    }
    if query.includes("configuration_version") {
        let version = super::configuration::read(app, ctx, &run.configuration_version_id).await?;
        included.push(super::configuration::api::resource(app, &version).into_value());
    }
    if query.includes("task_stages") {
        included.extend(super::gates::stages_of_run(app, ctx, &run.id).await?);
    }
    Ok(included)
}

fn words<T: std::str::FromStr>(query: &Query, key: &str) -> Vec<T> {
    query
        .words(key)
        .into_iter()
        .filter_map(|word| word.parse().ok())
        .collect()
}

fn filter_of(query: &Query) -> RunFilter {
    let mut statuses: Vec<RunStatus> = words(query, "filter[status]");
    match query.get("filter[status_group]") {
        Some("final") => statuses.extend(RunStatus::ALL.iter().filter(|it| it.is_final())),
        Some("non_final") => statuses.extend(RunStatus::ALL.iter().filter(|it| !it.is_final())),
        _ => {}
    }
    RunFilter {
        statuses,
        sources: words(query, "filter[source]"),
        plan_only: match query.words("filter[operation]").as_slice() {
            ["plan_only"] => Some(true),
            ["plan_and_apply"] => Some(false),
            _ => None,
        },
        message: query.get("search[basic]").map(str::to_owned),
        user: query.get("search[user]").map(str::to_owned),
        ..RunFilter::default()
    }
}

/// Lists carry neither wait reasons nor approvals: each would cost queries of its own.
fn page_of(
    ctx: &Context,
    page: Page,
    found: &Paged<Run>,
) -> Document<Vec<Resource<RunAttributes>>> {
    let data = found
        .items
        .iter()
        .map(|run| resource(ctx, run, None, 0))
        .collect();
    Document::page(data, Pagination::new(page, found.total))
}

/// Lists a workspace's runs, newest first.
#[utoipa::path(get, path = "/workspaces/{workspace_id}/runs", tag = "runs",
    params(("workspace_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<RunAttributes>>>)))]
async fn list_of_workspace(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    query: Query,
) -> ApiResult<Document<Vec<Resource<RunAttributes>>>> {
    let page = Page::from_query(&query)?;
    let id = workspace_id(&id)?;
    let found = service::list_of_workspace(&app, &ctx, &id, filter_of(&query), page).await?;
    Ok(page_of(&ctx, page, &found))
}

/// Lists an environment's runs, newest first.
#[utoipa::path(get, path = "/organizations/{organization}/runs", tag = "runs",
    params(("organization" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<RunAttributes>>>)))]
async fn list_of_environment(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(name): Path<String>,
    query: Query,
) -> ApiResult<Document<Vec<Resource<RunAttributes>>>> {
    let page = Page::from_query(&query)?;
    let found = service::list_of_environment(&app, &ctx, &name, filter_of(&query), page).await?;
    Ok(page_of(&ctx, page, &found))
}

/// Lists the runs of an environment that wait, in the order in which they will be dispatched.
#[utoipa::path(get, path = "/organizations/{organization}/runs/queue", tag = "runs",
    params(("organization" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<RunAttributes>>>)))]
async fn queue(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(name): Path<String>,
    query: Query,
) -> ApiResult<Document<Vec<Resource<RunAttributes>>>> {
    let page = Page::from_query(&query)?;
    let found = service::waiting(&app, &ctx, &name, page).await?;
    let data = found
        .items
        .iter()
        .zip(page.offset() + 1..)
        .map(|(run, position)| resource(&ctx, run, None, position))
        .collect();
    Ok(Document::page(data, Pagination::new(page, found.total)))
}

/// Attributes of type `organization-capacity`.
#[derive(Debug, Serialize, ToSchema)]
struct Capacity {
    organization: String,
    pending: i64,
    running: i64,
}

/// Says how many runs of an environment wait and how many are at work.
#[utoipa::path(get, path = "/organizations/{organization}/capacity", tag = "runs",
    params(("organization" = String, Path)),
    responses((status = 200, body = Document<Resource<Capacity>>)))]
async fn capacity(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(name): Path<String>,
) -> ApiResult<Document<Resource<Capacity>>> {
    let (pending, running) = service::capacity(&app, &ctx, &name).await?;
    let attributes = Capacity {
        organization: name.clone(),
        pending,
        running,
    };
    Ok(Document::of(Resource::new(
        "organization-capacity",
        name,
        attributes,
    )))
}

/// Attributes of type `run-events`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
struct EventAttributes {
    action: String,
    description: Option<String>,
    from_status: Option<String>,
    to_status: String,
    actor_kind: String,
    actor_name: String,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    created_at: Timestamp,
}

fn event_resource(event: RunEvent) -> Resource<EventAttributes> {
    let actor = (event.actor_kind == domain::access::ActorKind::User).then_some(event.actor_id);
    let attributes = EventAttributes {
        action: event.action,
        description: event.comment,
        from_status: event.from_status.map(|it| it.to_string()),
        to_status: event.to_status.to_string(),
        actor_kind: event.actor_kind.to_string(),
        actor_name: event.actor_name,
        created_at: event.created_at,
    };
    Resource::new("run-events", event.id, attributes).to_one("actor", "users", actor)
}

/// The history of a run: who did what when, and why.
#[utoipa::path(get, path = "/runs/{run_id}/run-events", tag = "runs",
    params(("run_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<EventAttributes>>>)))]
async fn events(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Vec<Resource<EventAttributes>>>> {
    let events = service::events(&app, &ctx, &run_id(&id)?).await?;
    Ok(Document::of(
        events.into_iter().map(event_resource).collect(),
    ))
}
