//! Routes of configuration versions. Source: TFE contract, sections 2.4 and 4.1.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body as RawBody;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use domain::ids::ConfigurationVersionId;
use domain::workspace::ConfigurationStatus;
use futures::TryStreamExt;
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use tokio_util::io::StreamReader;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{ConfigurationVersion, Fetched};
use super::service::{self, NewConfiguration};
use crate::app::App;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::http::attributes::Attributes;
use crate::http::body::OptionalBody;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Created, Document, Input, Resource};
use crate::http::page::{Page, Pagination};
use crate::http::query::Query;
use crate::http::signed::{self, Purpose};
use crate::runs;
use crate::workspaces::api::workspace_id;

/// How long an upload URL is valid.
const UPLOAD_WINDOW: TimeDelta = TimeDelta::hours(1);

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read))
        .routes(routes!(download))
}

/// Routes outside `/api/v2`, proved by their signature.
pub fn signed_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(upload))
        .layer(DefaultBodyLimit::disable())
}

/// Attributes of type `configuration-versions`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ConfigurationAttributes {
    #[schema(value_type = String)]
    pub status: ConfigurationStatus,
    pub source: String,
    pub speculative: bool,
    pub provisional: bool,
    pub auto_queue_runs: bool,
    pub error: Option<&'static str>,
    pub error_message: Option<String>,
    /// Where to PUT the archive, while it is pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upload_url: Option<String>,
    pub size: Option<i64>,
    /// Where a fetched one came from.
    #[schema(value_type = Option<Object>)]
    pub git: Option<Fetched>,
    #[schema(value_type = Object)]
    pub status_timestamps: BTreeMap<String, Timestamp>,
    #[schema(value_type = String)]
    pub created_at: Timestamp,
}

/// A configuration version as a JSON:API object.
pub fn resource(app: &App, version: &ConfigurationVersion) -> Resource<ConfigurationAttributes> {
    let pending = version.status == ConfigurationStatus::Pending;
    let attributes = ConfigurationAttributes {
        status: version.status,
        source: version.source.clone(),
        speculative: version.speculative,
        provisional: version.provisional,
        auto_queue_runs: version.auto_queue_runs,
        error: version.error_message.as_ref().map(|_| "bad_configuration"),
        error_message: version.error_message.clone(),
        upload_url: pending.then(|| {
            let until = version.created_at + UPLOAD_WINDOW;
            signed::url(app, Purpose::UploadConfiguration, &version.id, Some(until))
        }),
        size: version.size,
        git: version.git.clone(),
        status_timestamps: version.timestamps.clone(),
        created_at: version.created_at,
    };
    Resource::new("configuration-versions", &version.id, attributes)
        .to_one::<&str>("ingress-attributes", "ingress-attributes", None)
        .to_one("workspace", "workspaces", Some(&version.workspace_id))
        .link(
            "self",
            format!("/api/v2/configuration-versions/{}", version.id),
        )
        .link(
            "download",
            format!("/api/v2/configuration-versions/{}/download", version.id),
        )
}

/// What a create may carry.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", default)]
struct ConfigurationInput {
    auto_queue_runs: Option<bool>,
    speculative: Option<bool>,
    provisional: Option<bool>,
}

impl Attributes for ConfigurationInput {
    const TYPES: &'static [&'static str] = &["configuration-versions"];
}

/// Lists a workspace's configuration versions, newest first.
#[utoipa::path(get, path = "/workspaces/{workspace_id}/configuration-versions",
    tag = "configuration-versions", params(("workspace_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<ConfigurationAttributes>>>)))]
async fn list(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    query: Query,
) -> ApiResult<Document<Vec<Resource<ConfigurationAttributes>>>> {
    let page = Page::from_query(&query)?;
    let found = service::list(&app, &ctx, &workspace_id(&id)?, page).await?;
    let data = found.items.iter().map(|it| resource(&app, it)).collect();
    Ok(Document::page(data, Pagination::new(page, found.total)))
}

/// Announces a configuration version; the archive follows at its `upload-url`.
#[utoipa::path(post, path = "/workspaces/{workspace_id}/configuration-versions",
    tag = "configuration-versions", params(("workspace_id" = String, Path)),
    request_body = Input<ConfigurationInput>,
    responses((status = 201, body = Document<Resource<ConfigurationAttributes>>)))]
async fn create(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    headers: http::HeaderMap,
    OptionalBody(input): OptionalBody<ConfigurationInput>,
) -> ApiResult<Created<Resource<ConfigurationAttributes>>> {
    let asked = input.attributes;
    let new = NewConfiguration {
        speculative: asked.speculative.unwrap_or(false),
        provisional: asked.provisional.unwrap_or(false),
        auto_queue_runs: asked.auto_queue_runs.unwrap_or(true),
        source: runs::api::source_of(&headers).to_string(),
    };
    let version = service::create(&app, &ctx, &workspace_id(&id)?, new).await?;
    Ok(Created(Document::of(resource(&app, &version))))
}

fn version_id(text: &str) -> ApiResult<ConfigurationVersionId> {
    text.parse().map_err(|_| ApiError::not_found())
}

/// Reads a configuration version.
#[utoipa::path(get, path = "/configuration-versions/{configuration_version_id}",
    tag = "configuration-versions", params(("configuration_version_id" = String, Path)),
    responses((status = 200, body = Document<Resource<ConfigurationAttributes>>)))]
async fn read(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Resource<ConfigurationAttributes>>> {
    let version = service::read(&app, &ctx, &version_id(&id)?).await?;
    Ok(Document::of(resource(&app, &version)))
}

/// The archive of a configuration version.
#[utoipa::path(get, path = "/configuration-versions/{configuration_version_id}/download",
    tag = "configuration-versions", params(("configuration_version_id" = String, Path)),
    responses((status = 200, content_type = "application/octet-stream")))]
async fn download(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Response> {
    let object = service::open(&app, &ctx, &version_id(&id)?).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, object.size().to_string()),
    ];
    Ok((headers, RawBody::from_stream(object.stream_from(0))).into_response())
}

/// Takes the archive of an announced configuration version.
#[utoipa::path(put, path = "/_signed/configuration-upload/{id}/{expires}/{signature}",
    tag = "configuration-versions", security(()),
    params(("id" = String, Path), ("expires" = i64, Path), ("signature" = String, Path)),
    responses((status = 200), (status = 409), (status = 413), (status = 422)))]
async fn upload(
    State(app): State<Arc<App>>,
    Path((id, expires, signature)): Path<(String, i64, String)>,
    request: Request,
) -> ApiResult<StatusCode> {
    signed::verify(&app, Purpose::UploadConfiguration, &id, expires, &signature)?;
    let id = version_id(&id)?;
    let tenant = service::tenant_of(&app, &id).await?;
    let stream = request
        .into_body()
        .into_data_stream()
        .map_err(std::io::Error::other);
    let version = service::upload(&app, &tenant, &id, StreamReader::new(stream)).await?;
    if version.auto_queue_runs {
        runs::create_for_upload(&app, &tenant, &version).await?;
    }
    Ok(StatusCode::OK)
}
