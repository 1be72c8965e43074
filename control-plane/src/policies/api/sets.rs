//! Routes of policy sets and their versions. Source: TFE contract, section 6.

use std::sync::Arc;

use axum::extract::{Path, State};
use domain::ids::PolicyId;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::revisions::{revision_id, upload_url};
use super::set_attributes::{SetAttributes, SetInput, VersionAttributes, policy_id, set, version};
use super::{group_id, ids};
use crate::app::App;
use crate::context::Context;
use crate::http::attributes::{Attributes, check_type};
use crate::http::body::{Body, ListBody};
use crate::http::error::ApiResult;
use crate::http::jsonapi::{Created, Document, Input, InputData, Inputs, Resource};
use crate::http::page::{Page, Pagination};
use crate::http::query::Query;
use crate::policies::bindings::{self, Edit};
use crate::policies::error::PolicyError;
use crate::policies::model::{BoundKind, PolicyGroup};
use crate::policies::{group_service as service, revisions, singles};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, update, delete))
        .routes(routes!(add_policies, remove_policies))
        .routes(routes!(add, remove))
        .routes(routes!(list_versions, create_version))
        .routes(routes!(read_version))
}

type One = Document<Resource<SetAttributes>>;

async fn shown_all(
    app: &App,
    ctx: &Context,
    found: &[PolicyGroup],
) -> ApiResult<Vec<Resource<SetAttributes>>> {
    let bound = service::bound(app, ctx, found).await?;
    let members = singles::members_of(app, ctx, found).await?;
    Ok(found
        .iter()
        .map(|it| {
            let bound = bound.get(&it.id).map_or(&[][..], Vec::as_slice);
            let members = members.get(&it.id).map_or(&[][..], Vec::as_slice);
            set(it, bound, members)
        })
        .collect())
}

async fn shown(app: &App, ctx: &Context, found: PolicyGroup) -> ApiResult<Resource<SetAttributes>> {
    Ok(shown_all(app, ctx, &[found]).await?.remove(0))
}

/// Lists the policy sets of the account; policy groups are among them.
#[utoipa::path(get, path = "/organizations/{organization}/policy-sets", tag = "policy-sets",
    params(("organization" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<SetAttributes>>>)))]
async fn list(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(organization): Path<String>,
    query: Query,
) -> ApiResult<Document<Vec<Resource<SetAttributes>>>> {
    let page = Page::from_query(&query)?;
    let name = query.get("search[name]");
    let mut found = service::list(&app, &ctx, Some(&organization), name, page).await?;
    if query.get("filter[kind]").is_some_and(|kind| kind != "opa") {
        found.items.clear();
        found.total = 0;
    }
    let data = shown_all(&app, &ctx, &found.items).await?;
    Ok(Document::page(data, Pagination::new(page, found.total)))
}

/// Creates a policy set, of kind `opa`.
#[utoipa::path(post, path = "/organizations/{organization}/policy-sets", tag = "policy-sets",
    params(("organization" = String, Path)), request_body = Input<SetInput>,
    responses((status = 201, body = Document<Resource<SetAttributes>>)))]
async fn create(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(organization): Path<String>,
    Body(input): Body<SetInput>,
) -> ApiResult<Created<Resource<SetAttributes>>> {
    let (change, policies) = SetInput::into_change(input, true)?;
    let policies = policies.unwrap_or_default();
    let made = service::create_with(&app, &ctx, Some(&organization), change, &policies).await?;
    Ok(Created(Document::of(shown(&app, &ctx, made).await?)))
}

/// Reads a policy set.
#[utoipa::path(get, path = "/policy-sets/{policy_set_id}", tag = "policy-sets",
    params(("policy_set_id" = String, Path)),
    responses((status = 200, body = Document<Resource<SetAttributes>>)))]
async fn read(State(app): State<Arc<App>>, ctx: Context, Path(id): Path<String>) -> ApiResult<One> {
    let found = service::read(&app, &ctx, &group_id(&id)?).await?;
    Ok(Document::of(shown(&app, &ctx, found).await?))
}

/// Changes a policy set. Lists of relationships are replaced as a whole.
#[utoipa::path(patch, path = "/policy-sets/{policy_set_id}", tag = "policy-sets",
    params(("policy_set_id" = String, Path)), request_body = Input<SetInput>,
    responses((status = 200, body = Document<Resource<SetAttributes>>)))]
async fn update(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    Body(input): Body<SetInput>,
) -> ApiResult<One> {
    let (change, policies) = SetInput::into_change(input, false)?;
    if policies.is_some() {
        return Err(PolicyError::invalid_relation(
            "policies",
            "policies are put in and taken out at …/relationships/policies",
        )
        .into());
    }
    let changed = service::update(&app, &ctx, &group_id(&id)?, change).await?;
    Ok(Document::of(shown(&app, &ctx, changed).await?))
}

/// Deletes a policy set, wherever it holds.
#[utoipa::path(delete, path = "/policy-sets/{policy_set_id}", tag = "policy-sets",
    params(("policy_set_id" = String, Path)), responses((status = 204)))]
async fn delete(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    service::delete(&app, &ctx, &group_id(&id)?, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

// ── relationships ──────────────────────────────────────────────────────────────────────────────

/// An entry of the list of policies; it has no attributes.
#[derive(Debug, Default, Deserialize, ToSchema)]
struct PolicyEntry {}

impl Attributes for PolicyEntry {
    const TYPES: &'static [&'static str] = &["policies"];
}

fn policy_ids(list: &[InputData<PolicyEntry>]) -> Result<Vec<PolicyId>, PolicyError> {
    list.iter().map(|entry| policy_id(entry.id())).collect()
}

/// An entry of a list of what a set is bound to; it has no attributes.
#[derive(Debug, Default, Deserialize, ToSchema)]
struct BoundEntry {}

impl Attributes for BoundEntry {
    const TYPES: &'static [&'static str] =
        &["workspaces", "projects", "environments", "organizations"];
}

/// The ids of a list of the named kind, whose entries must have its type.
fn bound_ids(kind: BoundKind, list: &[InputData<BoundEntry>]) -> ApiResult<Vec<String>> {
    let types = super::BOUND.iter().find(|(name, _)| *name == kind.word());
    for (at, entry) in list.iter().enumerate() {
        let types = types.map_or(&[] as &[_], |(_, types)| *types);
        check_type(types, entry.kind.as_deref(), &format!("/data/{at}"))?;
    }
    Ok(ids(kind, list.iter().map(InputData::id))?)
}

/// Puts single policies into a set.
#[utoipa::path(post, path = "/policy-sets/{policy_set_id}/relationships/policies",
    tag = "policy-sets", params(("policy_set_id" = String, Path)),
    request_body = Inputs<PolicyEntry>, responses((status = 204), (status = 409)))]
async fn add_policies(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    ListBody(list): ListBody<PolicyEntry>,
) -> ApiResult<StatusCode> {
    singles::edit(&app, &ctx, &group_id(&id)?, true, &policy_ids(&list)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes single policies out of a set.
#[utoipa::path(delete, path = "/policy-sets/{policy_set_id}/relationships/policies",
    tag = "policy-sets", params(("policy_set_id" = String, Path)),
    request_body = Inputs<PolicyEntry>, responses((status = 204)))]
async fn remove_policies(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    ListBody(list): ListBody<PolicyEntry>,
) -> ApiResult<StatusCode> {
    singles::edit(&app, &ctx, &group_id(&id)?, false, &policy_ids(&list)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn list_of(word: &str) -> Result<BoundKind, PolicyError> {
    BoundKind::ALL
        .into_iter()
        .find(|kind| kind.word() == word)
        .ok_or(PolicyError::NotFound)
}

/// Binds a set to more, or exempts more: `environments`, `projects`, `workspaces`,
/// `project-exclusions` or `workspace-exclusions`.
#[utoipa::path(post, path = "/policy-sets/{policy_set_id}/relationships/{list}",
    tag = "policy-sets", params(("policy_set_id" = String, Path), ("list" = String, Path)),
    request_body = Inputs<BoundEntry>, responses((status = 204), (status = 422)))]
async fn add(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path((id, list)): Path<(String, String)>,
    ListBody(entries): ListBody<BoundEntry>,
) -> ApiResult<StatusCode> {
    let kind = list_of(&list)?;
    let ids = bound_ids(kind, &entries)?;
    bindings::edit(&app, &ctx, &group_id(&id)?, kind, Edit::Add, ids).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes bindings or exemptions away.
#[utoipa::path(delete, path = "/policy-sets/{policy_set_id}/relationships/{list}",
    tag = "policy-sets", params(("policy_set_id" = String, Path), ("list" = String, Path)),
    request_body = Inputs<BoundEntry>, responses((status = 204)))]
async fn remove(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path((id, list)): Path<(String, String)>,
    ListBody(entries): ListBody<BoundEntry>,
) -> ApiResult<StatusCode> {
    let kind = list_of(&list)?;
    let ids = bound_ids(kind, &entries)?;
    bindings::edit(&app, &ctx, &group_id(&id)?, kind, Edit::Remove, ids).await?;
    Ok(StatusCode::NO_CONTENT)
}

// ── versions ───────────────────────────────────────────────────────────────────────────────────

/// Lists a set's versions, newest first.
#[utoipa::path(get, path = "/policy-sets/{policy_set_id}/versions", tag = "policy-sets",
    params(("policy_set_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<VersionAttributes>>>)))]
async fn list_versions(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    query: Query,
) -> ApiResult<Document<Vec<Resource<VersionAttributes>>>> {
    let page = Page::from_query(&query)?;
    let found = revisions::list(&app, &ctx, &group_id(&id)?, page).await?;
    let data = found.items.iter().map(|it| version(it, None)).collect();
    Ok(Document::page(data, Pagination::new(page, found.total)))
}

/// Announces a version; a tar.gz with the set's files follows at the link `upload`.
#[utoipa::path(post, path = "/policy-sets/{policy_set_id}/versions", tag = "policy-sets",
    params(("policy_set_id" = String, Path)),
    responses((status = 201, body = Document<Resource<VersionAttributes>>), (status = 409)))]
async fn create_version(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Created<Resource<VersionAttributes>>> {
    let made = revisions::announce(&app, &ctx, &group_id(&id)?).await?;
    Ok(Created(Document::of(version(
        &made,
        upload_url(&app, &made),
    ))))
}

/// Reads a version of a set.
#[utoipa::path(get, path = "/policy-set-versions/{policy_set_version_id}", tag = "policy-sets",
    params(("policy_set_version_id" = String, Path)),
    responses((status = 200, body = Document<Resource<VersionAttributes>>)))]
async fn read_version(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Resource<VersionAttributes>>> {
    let (found, _) = revisions::read(&app, &ctx, &revision_id(&id)?).await?;
    Ok(Document::of(version(&found, upload_url(&app, &found))))
}
