//! Routes of state versions. Source: TFE contract, sections 2.3 and 2.10.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use domain::ids::{StateOutputId, StateVersionId};
use domain::permission::Permission;
use domain::workspace::StateStatus;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{StateVersionAttributes, View};
use super::model::{Filter, StateVersion};
use super::read::{Download, Found, Reach};
use super::{create, inline, output_api, outputs, promote, read, rollback, signed_api};
use crate::app::App;
use crate::context::Context;
use crate::http::attributes::{Attributes, Words};
use crate::http::body::OptionalBody;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Document, Input, Resource};
use crate::http::page::{Page, Paged, Pagination};
use crate::http::query::Query;
use crate::problem::Kind;
use crate::workspaces::WorkspaceKey;
use crate::workspaces::api::workspace_id;

/// Seconds between the snapshots that a client takes while it applies by itself; without the header
/// it keeps everything in memory until the end.
const SNAPSHOT_INTERVAL: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-terraform-snapshot-interval"),
    HeaderValue::from_static("20"),
);

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(create_version, roll_back))
        .routes(routes!(read_current))
        .routes(routes!(list_quarantined))
        .routes(routes!(list))
        .routes(routes!(read_version))
        .routes(routes!(download))
        .routes(routes!(download_json))
        .routes(routes!(promote_version))
        .merge(output_api::routes())
}

/// Routes outside `/api/v2`, proved by their signature.
pub fn signed_routes() -> OpenApiRouter<Arc<App>> {
    signed_api::routes()
}

/// An id of another kind is as absent as an unknown one.
pub(super) fn version_id(text: &str) -> ApiResult<StateVersionId> {
    text.parse().map_err(|_| ApiError::not_found())
}

type One = Document<Resource<StateVersionAttributes>>;
type Many = Document<Vec<Resource<StateVersionAttributes>>>;

/// A version in full, with what the query wants included.
async fn document(
    app: &App,
    ctx: &Context,
    found: &Found,
    awaits_upload: bool,
    query: Option<&Query>,
) -> ApiResult<One> {
    let ids = outputs::ids(app, ctx, std::slice::from_ref(&found.version.id)).await?;
    let ids: Vec<_> = ids.into_iter().map(|(_, id)| id).collect();
    let view = View {
        version: &found.version,
        reach: found.reach,
        awaits_upload,
        in_full: true,
        outputs: &ids,
    };
    let document = Document::of(view.resource(app));
    if !query.is_some_and(|query| query.includes("outputs")) {
        return Ok(document);
    }
    let outputs = outputs::list(app, ctx, found, None).await?;
    let included = outputs
        .items
        .into_iter()
        .map(|it| output_api::resource(it).into_value());
    Ok(document.including(included.collect()))
}

fn with_interval(answer: impl IntoResponse) -> Response {
    ([SNAPSHOT_INTERVAL], answer).into_response()
}

/// Writes a state: all of it in `state` (base64), or announced by `serial` and `md5`, to be uploaded
/// to `hosted-state-upload-url`.
#[utoipa::path(post, path = "/workspaces/{workspace_id}/state-versions", tag = "state-versions",
    params(("workspace_id" = String, Path)), request_body = Object,
    responses((status = 201, body = One), (status = 409), (status = 413), (status = 422)))]
async fn create_version(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    request: Request,
) -> ApiResult<Response> {
    let workspace = workspace_id(&id)?;
    create::check_may_create(&app, &ctx, &workspace).await?;
    let new = Box::pin(inline::read_body(&app, &ctx.tenant(), request.into_body())).await?;
    let made = create::create(&app, &ctx, &workspace, new).await?;
    let found = Found {
        version: made.version,
        reach: Reach::All,
    };
    let answer = document(&app, &ctx, &found, made.awaits_upload, None).await?;
    Ok(with_interval((StatusCode::CREATED, answer)))
}

/// Sent without attributes: the relationship `rollback-state-version` says which version to go
/// back to.
#[derive(Debug, Default, Deserialize, ToSchema)]
struct RollBackInput {}

impl Attributes for RollBackInput {
    const TYPES: &'static [&'static str] = &[inline::TYPE];
    const RELATIONS: Words = &[("rollback-state-version", &[inline::TYPE])];
}

/// Makes an earlier state the current one again.
#[utoipa::path(patch, path = "/workspaces/{workspace_id}/state-versions", tag = "state-versions",
    params(("workspace_id" = String, Path)), request_body = Input<RollBackInput>,
    responses((status = 201, body = One), (status = 409), (status = 422)))]
async fn roll_back(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    OptionalBody(input): OptionalBody<RollBackInput>,
) -> ApiResult<Response> {
    let workspace = workspace_id(&id)?;
    let target = input
        .related_id("rollback-state-version")
        .and_then(|id| id.parse::<StateVersionId>().ok());
    let made = Box::pin(rollback::roll_back(&app, &ctx, &workspace, target.as_ref())).await?;
    let found = Found {
        version: made,
        reach: Reach::All,
    };
    let answer = document(&app, &ctx, &found, false, None).await?;
    Ok(with_interval((StatusCode::CREATED, answer)))
}

/// Reads the current state version of a workspace.
#[utoipa::path(get, path = "/workspaces/{workspace_id}/current-state-version",
    tag = "state-versions", params(("workspace_id" = String, Path)),
    responses((status = 200, body = One)))]
async fn read_current(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    query: Query,
) -> ApiResult<Response> {
    let found = read::current(&app, &ctx, &workspace_id(&id)?).await?;
    Ok(with_interval(
        document(&app, &ctx, &found, false, Some(&query)).await?,
    ))
}

/// Reads a state version.
#[utoipa::path(get, path = "/state-versions/{state_version_id}", tag = "state-versions",
    params(("state_version_id" = String, Path)), responses((status = 200, body = One)))]
async fn read_version(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    query: Query,
) -> ApiResult<Response> {
    let found = read::find(
        &app,
        &ctx,
        &version_id(&id)?,
        Permission::StateVersionsReadOutputs,
    )
    .await?;
    // Where the bytes go is told to who announced them only: wrong bytes end an announcement.
    let awaits_upload =
        found.version.status == StateStatus::Pending && found.version.created_by_id == ctx.actor.id;
    Ok(with_interval(
        document(&app, &ctx, &found, awaits_upload, Some(&query)).await?,
    ))
}

fn filter_of(query: &Query) -> ApiResult<Filter> {
    let status = query.get("filter[status]").map(str::parse).transpose();
    let run = query.get("filter[run][id]").map(str::parse).transpose();
    Ok(Filter {
        status: status.map_err(|error: domain::UnknownWord| bad(error.to_string()))?,
        run: run.map_err(|_| ApiError::not_found())?,
    })
}

fn bad(detail: impl Into<String>) -> ApiError {
    ApiError::new(Kind::Malformed, "request.bad-parameter", detail)
}

async fn many(
    app: &App,
    ctx: &Context,
    page: Page,
    versions: Paged<StateVersion>,
) -> ApiResult<Many> {
    let ids: Vec<_> = versions.items.iter().map(|it| it.id.clone()).collect();
    let mut outputs: HashMap<StateVersionId, Vec<StateOutputId>> = HashMap::new();
    for (version, output) in outputs::ids(app, ctx, &ids).await? {
        outputs.entry(version).or_default().push(output);
    }
    let one = |version: &StateVersion| {
        let outputs = outputs.get(&version.id).map_or(&[][..], Vec::as_slice);
        let view = View {
            version,
            reach: Reach::All,
            awaits_upload: false,
            in_full: false,
            outputs,
        };
        view.resource(app)
    };
    let data = versions.items.iter().map(one).collect();
    Ok(Document::page(data, Pagination::new(page, versions.total)))
}

/// Lists the state versions of a workspace, newest first. `filter[organization][name]` and
/// `filter[workspace][name]` are needed; `filter[status]` and `filter[run][id]` may be given.
#[utoipa::path(get, path = "/state-versions", tag = "state-versions",
    responses((status = 200, body = Many), (status = 400)))]
async fn list(State(app): State<Arc<App>>, ctx: Context, query: Query) -> ApiResult<Many> {
    let needed = |key: &str| {
        query
            .get(key)
            .map(str::to_owned)
            .ok_or_else(|| bad(format!("`{key}` is needed")))
    };
    let workspace = WorkspaceKey::Name {
        environment: needed("filter[organization][name]")?,
        name: needed("filter[workspace][name]")?,
    };
    let page = Page::from_query(&query)?;
    let versions = read::list(&app, &ctx, &workspace, &filter_of(&query)?, page).await?;
    many(&app, &ctx, page, versions).await
}

/// Lists the states that were kept but did not become current, newest first; `filter[run][id]` may
/// be given.
#[utoipa::path(get, path = "/workspaces/{workspace_id}/quarantined-states",
    tag = "state-versions", params(("workspace_id" = String, Path)),
    responses((status = 200, body = Many)))]
async fn list_quarantined(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    query: Query,
) -> ApiResult<Many> {
    let page = Page::from_query(&query)?;
    let filter = Filter {
        status: Some(StateStatus::Quarantined),
        ..filter_of(&query)?
    };
    let workspace = WorkspaceKey::Id(workspace_id(&id)?);
    let versions = read::list(&app, &ctx, &workspace, &filter, page).await?;
    many(&app, &ctx, page, versions).await
}

/// Makes a state from quarantine the current one. The workspace must be locked by the caller, or by
/// a run whose state is uncertain.
#[utoipa::path(post, path = "/state-versions/{state_version_id}/actions/promote",
    tag = "state-versions", params(("state_version_id" = String, Path)),
    responses((status = 200, body = One), (status = 409), (status = 422)))]
async fn promote_version(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Response> {
    let version = Box::pin(promote::promote(&app, &ctx, &version_id(&id)?)).await?;
    let found = Found {
        version,
        reach: Reach::All,
    };
    Ok(with_interval(
        document(&app, &ctx, &found, false, None).await?,
    ))
}

fn answer(headers: &HeaderMap, download: Download) -> ApiResult<Response> {
    let tag = format!("\"{}\"", download.tag);
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|it| it.to_str().ok());
    let tag_value = HeaderValue::from_str(&tag).map_err(|_| ApiError::not_found())?;
    if known.is_some_and(|known| known.split(',').any(|it| it.trim() == tag)) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag_value)]).into_response());
    }
    let mut response = Body::from_stream(download.content).into_response();
    let answer = response.headers_mut();
    answer.insert(header::ETAG, tag_value);
    answer.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    if let Some(size) = download.size {
        answer.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    }
    Ok(response)
}

/// The raw state; for a run of another workspace that it is shared with, reduced to its outputs.
#[utoipa::path(get, path = "/state-versions/{state_version_id}/download", tag = "state-versions",
    params(("state_version_id" = String, Path)),
    responses((status = 200, content_type = "application/json"), (status = 304)))]
async fn download(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    answer(
        &headers,
        read::download(&app, &ctx, &version_id(&id)?).await?,
    )
}

/// The state as `terraform show -json` prints it, if a client has sent that.
#[utoipa::path(get, path = "/state-versions/{state_version_id}/json-download",
    tag = "state-versions", params(("state_version_id" = String, Path)),
    responses((status = 200, content_type = "application/json"), (status = 304)))]
async fn download_json(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    answer(
        &headers,
        read::download_json(&app, &ctx, &version_id(&id)?).await?,
    )
}
