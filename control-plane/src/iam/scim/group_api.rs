//! Routes of provisioned groups.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use http::StatusCode;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::api::{Result, Scim, Wanted, base, parse};
use super::caller::Caller;
use super::groups;
use super::patch::{self, GroupStep, member_ids};
use super::resource::{self, text};
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, replace, change, delete))
}

fn without_members(wanted: &Wanted) -> bool {
    let excluded = wanted.excluded_attributes.as_deref().unwrap_or_default();
    excluded
        .split(',')
        .any(|it| it.trim().eq_ignore_ascii_case("members"))
}

/// Lists the provider's groups.
#[utoipa::path(get, path = "/scim/v2/{identity_provider_id}/Groups", tag = "scim",
    params(("identity_provider_id" = String, Path), ("filter" = Option<String>, Query),
        ("startIndex" = Option<i64>, Query), ("count" = Option<i64>, Query),
        ("excludedAttributes" = Option<String>, Query)),
    responses((status = 200, body = Object, content_type = "application/scim+json")))]
async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Scim> {
    let (found, total) = groups::list(&app, &caller, &wanted.filter()?, wanted.part()).await?;
    let (base, without) = (base(&app, &caller), without_members(&wanted));
    let resources = found
        .iter()
        .map(|(row, members)| resource::group(&base, row, (!without).then_some(members)))
        .collect();
    Ok(wanted.answer(resources, total))
}

/// What a whole group says: name, external id, members.
fn whole(body: &Value) -> Result<(String, Option<String>, Vec<String>)> {
    let name = text(
        "displayName",
        body.get("displayName").unwrap_or(&Value::Null),
    )?;
    let external_id = match body.get("externalId") {
        None | Some(Value::Null) => None,
        Some(value) => Some(text("externalId", value)?),
    };
    let members = member_ids(body.get("members").unwrap_or(&Value::Null));
    Ok((name, external_id, members))
}

/// Makes a group.
#[utoipa::path(post, path = "/scim/v2/{identity_provider_id}/Groups", tag = "scim",
    params(("identity_provider_id" = String, Path)),
    request_body(content = Object, content_type = "application/scim+json"),
    responses((status = 201, body = Object, content_type = "application/scim+json"),
        (status = 409, body = Object, content_type = "application/scim+json")))]
async fn create(State(app): State<Arc<App>>, caller: Caller, body: Bytes) -> Result<Scim> {
    let (name, external_id, members) = whole(&parse(&body)?)?;
    let (row, members) = groups::create(&app, &caller, name, external_id, members).await?;
    let object = resource::group(&base(&app, &caller), &row, Some(&members));
    Ok(Scim(StatusCode::CREATED, object))
}

/// Reads a group.
#[utoipa::path(get, path = "/scim/v2/{identity_provider_id}/Groups/{scim_group_id}", tag = "scim",
    params(("identity_provider_id" = String, Path), ("scim_group_id" = String, Path),
        ("excludedAttributes" = Option<String>, Query)),
    responses((status = 200, body = Object, content_type = "application/scim+json")))]
async fn read(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((_provider, id)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
) -> Result<Scim> {
    let (row, members) = groups::read(&app, &caller, &id).await?;
    let members = (!without_members(&wanted)).then_some(members.as_slice());
    let object = resource::group(&base(&app, &caller), &row, members);
    Ok(Scim(StatusCode::OK, object))
}

async fn changed(app: &App, caller: &Caller, id: &str, steps: Vec<GroupStep>) -> Result<Scim> {
    let (row, members) = groups::change(app, caller, id, steps).await?;
    let object = resource::group(&base(app, caller), &row, Some(&members));
    Ok(Scim(StatusCode::OK, object))
}

/// Says all of a group anew.
#[utoipa::path(put, path = "/scim/v2/{identity_provider_id}/Groups/{scim_group_id}", tag = "scim",
    params(("identity_provider_id" = String, Path), ("scim_group_id" = String, Path)),
    request_body(content = Object, content_type = "application/scim+json"),
    responses((status = 200, body = Object, content_type = "application/scim+json")))]
async fn replace(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((_provider, id)): Path<(String, String)>,
    body: Bytes,
) -> Result<Scim> {
    let (name, external_id, members) = whole(&parse(&body)?)?;
    let steps = vec![
        GroupStep::Rename(name),
        GroupStep::ExternalId(external_id),
        GroupStep::Replace(members),
    ];
    changed(&app, &caller, &id, steps).await
}

/// Changes a group's name or members.
#[utoipa::path(patch, path = "/scim/v2/{identity_provider_id}/Groups/{scim_group_id}", tag = "scim",
    params(("identity_provider_id" = String, Path), ("scim_group_id" = String, Path)),
    request_body(content = Object, content_type = "application/scim+json"),
    responses((status = 200, body = Object, content_type = "application/scim+json")))]
async fn change(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((_provider, id)): Path<(String, String)>,
    body: Bytes,
) -> Result<Scim> {
    changed(&app, &caller, &id, patch::group(parse(&body)?)?).await
}

/// Deletes a group; its members leave the teams that it stood for.
#[utoipa::path(delete, path = "/scim/v2/{identity_provider_id}/Groups/{scim_group_id}",
    tag = "scim",
    params(("identity_provider_id" = String, Path), ("scim_group_id" = String, Path)),
    responses((status = 204)))]
async fn delete(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((_provider, id)): Path<(String, String)>,
) -> Result<StatusCode> {
    groups::delete(&app, &caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
