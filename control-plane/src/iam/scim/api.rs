//! Routes of provisioned users, and of what the service says of itself.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::error::{SCIM_JSON, ScimError};
use super::filter::{self, Equals};
use super::resource::{self, UserChange};
use super::store::Part;
use super::{patch, schema, users};
use crate::app::App;

pub(super) const MAX_COUNT: i64 = 200;
const COUNT: i64 = 100;

pub(super) type Result<T> = std::result::Result<T, ScimError>;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(service_provider_config))
        .routes(routes!(resource_types))
        .routes(routes!(schemas))
        .routes(routes!(list, create))
        .routes(routes!(read, replace, change, delete))
        .merge(super::group_api::routes())
}

/// An answer of this protocol.
pub(super) struct Scim(pub StatusCode, pub Value);

impl IntoResponse for Scim {
    fn into_response(self) -> Response {
        let media: [(HeaderName, HeaderValue); 1] = [(header::CONTENT_TYPE, SCIM_JSON)];
        (self.0, media, self.1.to_string()).into_response()
    }
}

/// The paths below this are the provider's.
pub(super) fn base(app: &App, caller: &Caller) -> String {
    app.url(&format!("/scim/v2/{}", caller.provider.id))
}

pub(super) fn parse(bytes: &Bytes) -> Result<Value> {
    let value: Value = crate::http::body::parse_json(bytes)
        .map_err(|error| ScimError::InvalidSyntax(error.detail))?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(ScimError::InvalidSyntax("it is no object".to_owned()))
    }
}

/// Which part of a list is wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Wanted {
    pub filter: Option<String>,
    pub start_index: Option<i64>,
    pub count: Option<i64>,
    pub excluded_attributes: Option<String>,
}

impl Wanted {
    pub(super) fn filter(&self) -> Result<Vec<Equals>> {
        match self.filter.as_deref() {
            Some(text) if !text.trim().is_empty() => filter::parse(text),
            Some(_) | None => Ok(Vec::new()),
        }
    }

    fn start(&self) -> i64 {
        self.start_index.unwrap_or(1).max(1)
    }

    pub(super) fn part(&self) -> Part {
        Part {
            limit: self.count.unwrap_or(COUNT).clamp(0, MAX_COUNT),
            offset: self.start() - 1,
        }
    }

    pub(super) fn answer(&self, resources: Vec<Value>, total: i64) -> Scim {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
            "totalResults": total, "startIndex": self.start(),
            "itemsPerPage": resources.len(), "Resources": resources,
        });
        Scim(StatusCode::OK, body)
    }
}

/// Says what this service can do.
#[utoipa::path(get, path = "/scim/v2/{identity_provider_id}/ServiceProviderConfig", tag = "scim",
    params(("identity_provider_id" = String, Path)),
    responses((status = 200, body = Object, content_type = "application/scim+json")))]
async fn service_provider_config(_: Caller) -> Scim {
    Scim(StatusCode::OK, schema::service_provider_config())
}

/// Lists the kinds of resources.
#[utoipa::path(get, path = "/scim/v2/{identity_provider_id}/ResourceTypes", tag = "scim",
    params(("identity_provider_id" = String, Path)),
    responses((status = 200, body = Object, content_type = "application/scim+json")))]
async fn resource_types(_: Caller) -> Scim {
    Scim(StatusCode::OK, schema::resource_types())
}

/// Lists their attributes.
#[utoipa::path(get, path = "/scim/v2/{identity_provider_id}/Schemas", tag = "scim",
    params(("identity_provider_id" = String, Path)),
    responses((status = 200, body = Object, content_type = "application/scim+json")))]
async fn schemas(_: Caller) -> Scim {
    Scim(StatusCode::OK, schema::schemas())
}

/// Lists the provider's people.
#[utoipa::path(get, path = "/scim/v2/{identity_provider_id}/Users", tag = "scim",
    params(("identity_provider_id" = String, Path), ("filter" = Option<String>, Query),
        ("startIndex" = Option<i64>, Query), ("count" = Option<i64>, Query)),
    responses((status = 200, body = Object, content_type = "application/scim+json")))]
async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Scim> {
    let (found, total) = users::list(&app, &caller, &wanted.filter()?, wanted.part()).await?;
    let base = base(&app, &caller);
    let resources = found
        .iter()
        .map(|(row, groups)| resource::user(&base, row, groups))
        .collect();
    Ok(wanted.answer(resources, total))
}

/// Makes somebody a member of the provider's account.
#[utoipa::path(post, path = "/scim/v2/{identity_provider_id}/Users", tag = "scim",
    params(("identity_provider_id" = String, Path)),
    request_body(content = Object, content_type = "application/scim+json"),
    responses((status = 201, body = Object, content_type = "application/scim+json"),
        (status = 409, body = Object, content_type = "application/scim+json")))]
async fn create(State(app): State<Arc<App>>, caller: Caller, body: Bytes) -> Result<Scim> {
    let change = UserChange::whole(&parse(&body)?)?;
    let made = users::create(&app, &caller, change).await?;
    let object = resource::user(&base(&app, &caller), &made, &[]);
    Ok(Scim(StatusCode::CREATED, object))
}

/// Reads one of the provider's people.
#[utoipa::path(get, path = "/scim/v2/{identity_provider_id}/Users/{scim_user_id}", tag = "scim",
    params(("identity_provider_id" = String, Path), ("scim_user_id" = String, Path)),
    responses((status = 200, body = Object, content_type = "application/scim+json")))]
async fn read(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((_provider, id)): Path<(String, String)>,
) -> Result<Scim> {
    let (row, groups) = users::read(&app, &caller, &id).await?;
    let object = resource::user(&base(&app, &caller), &row, &groups);
    Ok(Scim(StatusCode::OK, object))
}

async fn updated(app: &App, caller: &Caller, id: &str, change: UserChange) -> Result<Scim> {
    let (row, groups) = users::update(app, caller, id, change).await?;
    let object = resource::user(&base(app, caller), &row, &groups);
    Ok(Scim(StatusCode::OK, object))
}

/// Says all of somebody anew.
#[utoipa::path(put, path = "/scim/v2/{identity_provider_id}/Users/{scim_user_id}", tag = "scim",
    params(("identity_provider_id" = String, Path), ("scim_user_id" = String, Path)),
    request_body(content = Object, content_type = "application/scim+json"),
    responses((status = 200, body = Object, content_type = "application/scim+json")))]
async fn replace(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((_provider, id)): Path<(String, String)>,
    body: Bytes,
) -> Result<Scim> {
    updated(&app, &caller, &id, UserChange::whole(&parse(&body)?)?).await
}

/// Changes what is said of somebody; `active: false` suspends them.
#[utoipa::path(patch, path = "/scim/v2/{identity_provider_id}/Users/{scim_user_id}", tag = "scim",
    params(("identity_provider_id" = String, Path), ("scim_user_id" = String, Path)),
    request_body(content = Object, content_type = "application/scim+json"),
    responses((status = 200, body = Object, content_type = "application/scim+json")))]
async fn change(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((_provider, id)): Path<(String, String)>,
    body: Bytes,
) -> Result<Scim> {
    updated(&app, &caller, &id, patch::user(parse(&body)?)?).await
}

/// Ends somebody's membership of the provider's account.
#[utoipa::path(delete, path = "/scim/v2/{identity_provider_id}/Users/{scim_user_id}", tag = "scim",
    params(("identity_provider_id" = String, Path), ("scim_user_id" = String, Path)),
    responses((status = 204)))]
async fn delete(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((_provider, id)): Path<(String, String)>,
) -> Result<StatusCode> {
    users::delete(&app, &caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
