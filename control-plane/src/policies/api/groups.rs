//! Routes of policy groups.

use std::sync::Arc;

use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{GroupAttributes, GroupInput, group};
use super::{group_id, ids};
use crate::app::App;
use crate::context::Context;
use crate::http::attributes::Attributes;
use crate::http::body::{Body, ListBody};
use crate::http::error::ApiResult;
use crate::http::jsonapi::{Created, Document, Input, InputData, Inputs, Resource};
use crate::http::page::{Page, Pagination};
use crate::http::query::Query;
use crate::policies::bindings::{self, Edit};
use crate::policies::model::{BoundKind, PolicyGroup};
use crate::policies::{GroupChange, group_service as service, revisions};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, update, delete))
        .routes(routes!(resync))
        .routes(routes!(
            add_environments,
            set_environments,
            remove_environments
        ))
        .routes(routes!(remove_environment))
}

type One = Document<Resource<GroupAttributes>>;

async fn shown(
    app: &App,
    ctx: &Context,
    found: &PolicyGroup,
) -> ApiResult<Resource<GroupAttributes>> {
    let groups = std::slice::from_ref(found);
    let mut all = shown_all(app, ctx, groups).await?;
    Ok(all.remove(0))
}

async fn shown_all(
    app: &App,
    ctx: &Context,
    found: &[PolicyGroup],
) -> ApiResult<Vec<Resource<GroupAttributes>>> {
    let bound = service::bound(app, ctx, found).await?;
    Ok(found
        .iter()
        .map(|it| group(it, bound.get(&it.id).map_or(&[], Vec::as_slice)))
        .collect())
}

/// Lists the policy groups of the account, policy sets included.
#[utoipa::path(get, path = "/policy-groups", tag = "policy-groups",
    responses((status = 200, body = Document<Vec<Resource<GroupAttributes>>>)))]
async fn list(
    State(app): State<Arc<App>>,
    ctx: Context,
    query: Query,
) -> ApiResult<Document<Vec<Resource<GroupAttributes>>>> {
    let page = Page::from_query(&query)?;
    let name = query.get("filter[name]").or_else(|| query.get("query"));
    let found = service::list(&app, &ctx, None, name, page).await?;
    let data = shown_all(&app, &ctx, &found.items).await?;
    Ok(Document::page(data, Pagination::new(page, found.total)))
}

/// Creates a policy group.
#[utoipa::path(post, path = "/policy-groups", tag = "policy-groups",
    request_body = Input<GroupInput>,
    responses((status = 201, body = Document<Resource<GroupAttributes>>)))]
async fn create(
    State(app): State<Arc<App>>,
    ctx: Context,
    Body(input): Body<GroupInput>,
) -> ApiResult<Created<Resource<GroupAttributes>>> {
    let change = GroupInput::into_change(input)?;
    let made = service::create(&app, &ctx, None, change).await?;
    Ok(Created(Document::of(shown(&app, &ctx, &made).await?)))
}

/// Reads a policy group.
#[utoipa::path(get, path = "/policy-groups/{policy_group_id}", tag = "policy-groups",
    params(("policy_group_id" = String, Path)),
    responses((status = 200, body = Document<Resource<GroupAttributes>>)))]
async fn read(State(app): State<Arc<App>>, ctx: Context, Path(id): Path<String>) -> ApiResult<One> {
    let found = service::read(&app, &ctx, &group_id(&id)?).await?;
    Ok(Document::of(shown(&app, &ctx, &found).await?))
}

/// Changes a policy group. Lists of relationships are replaced as a whole.
#[utoipa::path(patch, path = "/policy-groups/{policy_group_id}", tag = "policy-groups",
    params(("policy_group_id" = String, Path)), request_body = Input<GroupInput>,
    responses((status = 200, body = Document<Resource<GroupAttributes>>)))]
async fn update(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    Body(input): Body<GroupInput>,
) -> ApiResult<One> {
    let change = GroupInput::into_change(input)?;
    let changed = service::update(&app, &ctx, &group_id(&id)?, change).await?;
    Ok(Document::of(shown(&app, &ctx, &changed).await?))
}

/// Deletes a policy group that is neither enforced nor bound to anything.
#[utoipa::path(delete, path = "/policy-groups/{policy_group_id}", tag = "policy-groups",
    params(("policy_group_id" = String, Path)), responses((status = 204), (status = 409)))]
async fn delete(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    service::delete(&app, &ctx, &group_id(&id)?, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Looks for newer files of a group, and checks them anew in any case.
#[utoipa::path(post, path = "/policy-groups/{policy_group_id}/actions/resync",
    tag = "policy-groups", params(("policy_group_id" = String, Path)),
    responses((status = 200, body = Document<Resource<GroupAttributes>>), (status = 409)))]
async fn resync(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<One> {
    let found = revisions::resync(&app, &ctx, &group_id(&id)?).await?;
    Ok(Document::of(shown(&app, &ctx, &found).await?))
}

/// An entry of the list of environments; it has no attributes.
#[derive(Debug, Default, Deserialize, ToSchema)]
struct EnvironmentEntry {}

impl Attributes for EnvironmentEntry {
    const TYPES: &'static [&'static str] = super::ENVIRONMENTS;
}

/// Binds a group to more environments.
#[utoipa::path(post, path = "/policy-groups/{policy_group_id}/relationships/environments",
    tag = "policy-groups", params(("policy_group_id" = String, Path)),
    request_body = Inputs<EnvironmentEntry>, responses((status = 204)))]
async fn add_environments(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    ListBody(list): ListBody<EnvironmentEntry>,
) -> ApiResult<StatusCode> {
    edit_environments(&app, &ctx, &id, Edit::Add, &list).await
}

/// Unbinds a group from environments.
#[utoipa::path(delete, path = "/policy-groups/{policy_group_id}/relationships/environments",
    tag = "policy-groups", params(("policy_group_id" = String, Path)),
    request_body = Inputs<EnvironmentEntry>, responses((status = 204)))]
async fn remove_environments(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    ListBody(list): ListBody<EnvironmentEntry>,
) -> ApiResult<StatusCode> {
    edit_environments(&app, &ctx, &id, Edit::Remove, &list).await
}

async fn edit_environments(
    app: &App,
    ctx: &Context,
    id: &str,
    edit: Edit,
    list: &[InputData<EnvironmentEntry>],
) -> ApiResult<StatusCode> {
    let kind = BoundKind::Environments;
    let ids = ids(kind, list.iter().map(InputData::id))?;
    bindings::edit(app, ctx, &group_id(id)?, kind, edit, ids).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Says to which environments a group is bound.
#[utoipa::path(patch, path = "/policy-groups/{policy_group_id}/relationships/environments",
    tag = "policy-groups", params(("policy_group_id" = String, Path)),
    request_body = Inputs<EnvironmentEntry>, responses((status = 204)))]
async fn set_environments(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    ListBody(list): ListBody<EnvironmentEntry>,
) -> ApiResult<StatusCode> {
    let kind = BoundKind::Environments;
    let change = GroupChange {
        links: vec![(kind, ids(kind, list.iter().map(InputData::id))?)],
        ..GroupChange::default()
    };
    service::update(&app, &ctx, &group_id(&id)?, change).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Unbinds a group from one environment.
#[utoipa::path(delete,
    path = "/policy-groups/{policy_group_id}/relationships/environments/{environment_id}",
    tag = "policy-groups",
    params(("policy_group_id" = String, Path), ("environment_id" = String, Path)),
    responses((status = 204)))]
async fn remove_environment(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path((id, environment)): Path<(String, String)>,
) -> ApiResult<StatusCode> {
    let (kind, edit) = (BoundKind::Environments, Edit::Remove);
    bindings::edit(&app, &ctx, &group_id(&id)?, kind, edit, vec![environment]).await?;
    Ok(StatusCode::NO_CONTENT)
}
