//! Routes of data documents.

use std::sync::Arc;

use axum::extract::{Path, State};
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
use crate::http::jsonapi::{Created, Document, Input, Resource, nullable, zulu};
use crate::http::page::{Page, Pagination};
use crate::http::query::Query;
use crate::policies::documents::{self as service, Change, DataDocument};

const TYPE: &str = "policy-data-documents";

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, update, delete))
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
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    created_at: Timestamp,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    updated_at: Timestamp,
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
