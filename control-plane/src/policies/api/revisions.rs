//! Routes of revisions.

use std::sync::Arc;

use axum::body::Body as RawBody;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use domain::ids::PolicyRevisionId;
use domain::policy::RevisionStatus;
use futures::TryStreamExt;
use http::{StatusCode, header};
use serde::Deserialize;
use tokio_util::io::StreamReader;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{RevisionAttributes, revision as resource};
use super::group_id;
use crate::app::App;
use crate::context::Context;
use crate::http::attributes::Attributes;
use crate::http::body::OptionalBody;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Created, Document, Input, Resource};
use crate::http::page::{Page, Pagination};
use crate::http::query::Query;
use crate::http::signed::{self, Purpose};
use crate::policies::error::PolicyError;
use crate::policies::model::Revision;
use crate::policies::proposals;
use crate::policies::revisions as service;
use crate::runs;

/// How long an upload URL is valid.
const UPLOAD_WINDOW: TimeDelta = TimeDelta::hours(1);

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read))
        .routes(routes!(download))
}

pub(super) fn signed_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(upload))
        .layer(DefaultBodyLimit::disable())
}

pub(super) fn revision_id(text: &str) -> ApiResult<PolicyRevisionId> {
    text.parse().map_err(|_| ApiError::not_found())
}

/// Where a revision's archive is uploaded, while it is awaited.
pub(super) fn upload_url(app: &App, revision: &Revision) -> Option<String> {
    (revision.status == RevisionStatus::Pending).then(|| {
        let until = revision.created_at + UPLOAD_WINDOW;
        signed::url(app, Purpose::UploadPolicies, &revision.id, Some(until))
    })
}

/// Lists a group's revisions, newest first.
#[utoipa::path(get, path = "/policy-groups/{policy_group_id}/revisions", tag = "policy-groups",
    params(("policy_group_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<RevisionAttributes>>>)))]
async fn list(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    query: Query,
) -> ApiResult<Document<Vec<Resource<RevisionAttributes>>>> {
    let page = Page::from_query(&query)?;
    let found = service::list(&app, &ctx, &group_id(&id)?, page).await?;
    let data = found
        .items
        .iter()
        .map(|it| resource(it, None, None))
        .collect();
    Ok(Document::page(data, Pagination::new(page, found.total)))
}

/// What a new revision may carry.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RevisionInput {
    /// It is only asked about: checked, but never put in force by itself.
    pub proposed: Option<bool>,
    /// Of a proposed one: the branch, tag or commit of the group's repository that has its files,
    /// which a runner fetches. Without it they are uploaded.
    pub reference: Option<String>,
}

impl Attributes for RevisionInput {
    const TYPES: &'static [&'static str] = &["policy-revisions"];
}

/// Announces a revision; a tar.gz with the group's files follows at its `upload-url`.
#[utoipa::path(post, path = "/policy-groups/{policy_group_id}/revisions", tag = "policy-groups",
    params(("policy_group_id" = String, Path)), request_body = Input<RevisionInput>,
    responses((status = 201, body = Document<Resource<RevisionAttributes>>), (status = 409)))]
async fn create(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    OptionalBody(input): OptionalBody<RevisionInput>,
) -> ApiResult<Created<Resource<RevisionAttributes>>> {
    let asked = input.attributes;
    let id = group_id(&id)?;
    let made = match (asked.proposed.unwrap_or(false), asked.reference) {
        (true, reference) => proposals::propose(&app, &ctx, &id, reference).await?,
        (false, None) => service::announce(&app, &ctx, &id).await?,
        (false, Some(_)) => {
            let detail = "only a proposed revision is fetched from elsewhere: set `proposed`, or \
                          change the group's `git`";
            return Err(PolicyError::invalid("reference", detail).into());
        }
    };
    let url = upload_url(&app, &made);
    Ok(Created(Document::of(resource(&made, url, None))))
}

/// Reads a revision with what its check found.
#[utoipa::path(get, path = "/policy-revisions/{policy_revision_id}", tag = "policy-groups",
    params(("policy_revision_id" = String, Path)),
    responses((status = 200, body = Document<Resource<RevisionAttributes>>)))]
async fn read(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Resource<RevisionAttributes>>> {
    let (found, findings) = service::read(&app, &ctx, &revision_id(&id)?).await?;
    let mut resource = resource(&found, None, Some(findings));
    if let Some(fetch) = service::fetch_of(&app, &ctx, &found).await? {
        resource.attributes.wait_reason = runs::wait_of_fetch(&app, &fetch).await?;
    }
    Ok(Document::of(resource))
}

/// The archive of a revision.
#[utoipa::path(get, path = "/policy-revisions/{policy_revision_id}/download",
    tag = "policy-groups", params(("policy_revision_id" = String, Path)),
    responses((status = 200, content_type = "application/octet-stream")))]
async fn download(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Response> {
    let object = service::open(&app, &ctx, &revision_id(&id)?).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, object.size().to_string()),
    ];
    Ok((headers, RawBody::from_stream(object.stream_from(0))).into_response())
}

/// Takes the archive of an announced revision.
#[utoipa::path(put, path = "/_signed/policy-upload/{id}/{expires}/{signature}",
    tag = "policy-groups", security(()),
    params(("id" = String, Path), ("expires" = i64, Path), ("signature" = String, Path)),
    responses((status = 200), (status = 409), (status = 413), (status = 422)))]
async fn upload(
    State(app): State<Arc<App>>,
    Path((id, expires, signature)): Path<(String, i64, String)>,
    request: Request,
) -> ApiResult<StatusCode> {
    signed::verify(&app, Purpose::UploadPolicies, &id, expires, &signature)?;
    let id = revision_id(&id)?;
    let tenant = service::tenant_of(&app, &id).await?;
    let stream = request
        .into_body()
        .into_data_stream()
        .map_err(std::io::Error::other);
    service::upload(&app, &tenant, &id, StreamReader::new(stream)).await?;
    Ok(StatusCode::OK)
}
