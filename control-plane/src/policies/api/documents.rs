//! Routes of data documents.

use std::sync::Arc;

use axum::extract::{Path, State};
use domain::Secret;
use domain::ids::PolicyDocumentId;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::http::attributes::Attributes;
use crate::http::body::Body;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Created, Document, Input, Resource, nullable, zulu, zulu_or_null};
use crate::http::page::{Page, Pagination};
use crate::http::query::Query;
use crate::policies::document_refresh;
use crate::policies::documents::{self as service, Change, DataDocument, NewSource};

const TYPE: &str = "policy-data-documents";

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, update, delete))
        .routes(routes!(refresh))
}

/// Attributes of type `policy-data-documents`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
struct DocumentAttributes {
    /// Policies read it as `data.account.NAME`.
    name: String,
    description: String,
    /// Of the body, in bytes.
    size: i64,
    /// SHA-256 of the body as it is kept, in hexadecimal.
    digest: String,
    /// Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    body: Option<Value>,
    /// Where it is fetched from; null if it is uploaded.
    source: Option<SourceAttributes>,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    created_at: Timestamp,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    updated_at: Timestamp,
}

/// An address that is asked again and again.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
struct SourceAttributes {
    url: String,
    refresh_minutes: i64,
    /// Whether a token goes along.
    has_token: bool,
    /// When it last gave the body, or the same one.
    #[serde(serialize_with = "zulu_or_null")]
    #[schema(value_type = Option<String>)]
    fetched_at: Option<Timestamp>,
    /// Why the last fetch failed; the body is that of the last good one.
    fetch_error: Option<String>,
}

/// A source as a create or update gives it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
struct SourceInput {
    /// `https://HOST/PATH`, which gives JSON.
    url: String,
    /// 5 to 10080; 60 if it is left out.
    refresh_minutes: Option<i64>,
    /// Goes along as a bearer token. Never shown; kept while the URL stays the same.
    token: Option<String>,
}

/// What a create or update may carry. Absent leaves a thing as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
struct DocumentInput {
    name: Option<String>,
    description: Option<String>,
    /// Any JSON, 1 MiB at most; `null` counts.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Object>)]
    body: Option<Option<Value>>,
    /// In place of a body; `null`: it is uploaded from now on.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<SourceInput>)]
    source: Option<Option<SourceInput>>,
}

/// How often a source is asked that doesn't say.
const USUAL_MINUTES: i64 = 60;

impl From<SourceInput> for NewSource {
    fn from(input: SourceInput) -> Self {
        Self {
            url: input.url,
            refresh_minutes: input.refresh_minutes.unwrap_or(USUAL_MINUTES),
            token: input.token.filter(|it| !it.is_empty()).map(Secret::new),
        }
    }
}

impl Attributes for DocumentInput {
    const TYPES: &'static [&'static str] = &[TYPE];
}

impl DocumentInput {
    fn into_change(self) -> Change {
        Change {
            name: self.name,
            description: self.description,
            body: self.body.map(Option::unwrap_or_default),
            source: self.source.map(|it| it.map(NewSource::from)),
        }
    }
}

fn resource(document: &DataDocument, body: Option<Value>) -> Resource<DocumentAttributes> {
    let attributes = DocumentAttributes {
        name: document.name.clone(),
        description: document.description.clone(),
        size: document.size,
        digest: document.sha256.clone(),
        body,
        source: document.url.clone().map(|url| SourceAttributes {
            url,
            refresh_minutes: document.refresh_minutes.unwrap_or_default(),
            has_token: document.has_token,
            fetched_at: document.fetched_at,
            fetch_error: document.fetch_error.clone(),
        }),
        created_at: document.created_at,
        updated_at: document.updated_at,
    };
    Resource::new(TYPE, &document.id, attributes).link(
        "self",
        format!("/api/v2/policy-data-documents/{}", document.id),
    )
}

fn document_id(text: &str) -> ApiResult<PolicyDocumentId> {
    text.parse().map_err(|_| ApiError::not_found())
}

/// Lists the account's data documents, without their bodies.
#[utoipa::path(get, path = "/policy-data-documents", tag = "policy-data-documents",
    responses((status = 200, body = Document<Vec<Resource<DocumentAttributes>>>)))]
async fn list(
    State(app): State<Arc<App>>,
    ctx: Context,
    query: Query,
) -> ApiResult<Document<Vec<Resource<DocumentAttributes>>>> {
    let page = Page::from_query(&query)?;
    let found = service::list(&app, &ctx, page).await?;
    let data = found.items.iter().map(|it| resource(it, None)).collect();
    Ok(Document::page(data, Pagination::new(page, found.total)))
}

/// Creates a data document.
#[utoipa::path(post, path = "/policy-data-documents", tag = "policy-data-documents",
    request_body = Input<DocumentInput>,
    responses((status = 201, body = Document<Resource<DocumentAttributes>>)))]
async fn create(
    State(app): State<Arc<App>>,
    ctx: Context,
    Body(input): Body<DocumentInput>,
) -> ApiResult<Created<Resource<DocumentAttributes>>> {
    let (made, body) = service::create(&app, &ctx, input.attributes.into_change()).await?;
    Ok(Created(Document::of(resource(&made, Some(body)))))
}

/// Reads a data document.
#[utoipa::path(get, path = "/policy-data-documents/{data_document_id}",
    tag = "policy-data-documents", params(("data_document_id" = String, Path)),
    responses((status = 200, body = Document<Resource<DocumentAttributes>>)))]
async fn read(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Resource<DocumentAttributes>>> {
    let (found, body) = service::read(&app, &ctx, &document_id(&id)?).await?;
    Ok(Document::of(resource(&found, Some(body))))
}

/// Changes a data document; evaluations from now on see it.
#[utoipa::path(patch, path = "/policy-data-documents/{data_document_id}",
    tag = "policy-data-documents", params(("data_document_id" = String, Path)),
    request_body = Input<DocumentInput>,
    responses((status = 200, body = Document<Resource<DocumentAttributes>>)))]
async fn update(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    Body(input): Body<DocumentInput>,
) -> ApiResult<Document<Resource<DocumentAttributes>>> {
    let change = input.attributes.into_change();
    let (changed, body) = service::update(&app, &ctx, &document_id(&id)?, change).await?;
    Ok(Document::of(resource(&changed, Some(body))))
}

/// Deletes a data document; what reads it is undefined from then on.
#[utoipa::path(delete, path = "/policy-data-documents/{data_document_id}",
    tag = "policy-data-documents", params(("data_document_id" = String, Path)),
    responses((status = 204)))]
async fn delete(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    service::delete(&app, &ctx, &document_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Fetches a data document from its source now; `fetch-error` of the answer says how it went.
#[utoipa::path(post, path = "/policy-data-documents/{data_document_id}/actions/refresh",
    tag = "policy-data-documents", params(("data_document_id" = String, Path)),
    responses((status = 200, body = Document<Resource<DocumentAttributes>>), (status = 409)))]
async fn refresh(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Resource<DocumentAttributes>>> {
    let (document, body) = document_refresh::refresh(&app, &ctx, &document_id(&id)?).await?;
    Ok(Document::of(resource(&document, Some(body))))
}
