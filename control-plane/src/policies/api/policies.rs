//! Routes of single policies. Source: TFE contract, section 6.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use domain::ids::{PolicyGroupId, PolicyId};
use http::{StatusCode, header};
use policy::Enforcement;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::group_id;
use super::set_attributes::{KIND, check_kind};
use crate::app::App;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::http::attributes::{Attributes, Words};
use crate::http::body::Body;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Created, Document, Input, Resource, nullable, zulu};
use crate::http::page::{Page, Pagination};
use crate::http::query::Query;
use crate::policies::error::PolicyError;
use crate::policies::model::SinglePolicy;
use crate::policies::singles::{self as service, Change};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, update, delete))
        .routes(routes!(upload))
        .routes(routes!(download))
}

/// Attributes of type `policies`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
struct PolicyAttributes {
    name: String,
    description: String,
    /// Always `opa`.
    kind: &'static str,
    /// The rule whose value are the denials.
    query: String,
    enforcement_level: &'static str,
    enforce: Vec<Enforce>,
    policy_set_count: usize,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    created_at: Timestamp,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    updated_at: Timestamp,
}

/// The older form of the level.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Enforce {
    #[serde(default)]
    path: String,
    #[serde(default)]
    mode: String,
}

/// What a create or update may carry. Absent leaves a thing as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
struct PolicyInput {
    name: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    description: Option<Option<String>>,
    kind: Option<String>,
    query: Option<String>,
    /// `mandatory` or `advisory`; `soft-mandatory` and `hard-mandatory` too.
    enforcement_level: Option<String>,
    enforce: Option<Vec<Enforce>>,
}

impl Attributes for PolicyInput {
    const TYPES: &'static [&'static str] = &["policies"];
    const RELATIONS: Words = &[("policy-sets", &["policy-sets"])];
}

impl PolicyInput {
    fn into_change(self) -> Result<Change, PolicyError> {
        let older = self.enforce.unwrap_or_default().into_iter().next();
        let level = self.enforcement_level.or_else(|| older.map(|it| it.mode));
        let level = level.map(|word| {
            Enforcement::parse(&word).ok_or_else(|| {
                let known = "mandatory, advisory, soft-mandatory, hard-mandatory";
                let detail = format!("{word:?} is not one of: {known}");
                PolicyError::invalid("enforcement-level", detail)
            })
        });
        Ok(Change {
            description: self.description.map(Option::unwrap_or_default),
            query: self.query,
            level: level.transpose()?,
        })
    }
}

fn resource(policy: &SinglePolicy, sets: &[PolicyGroupId]) -> Resource<PolicyAttributes> {
    let level = policy.level.as_str();
    let attributes = PolicyAttributes {
        name: policy.name.clone(),
        description: policy.description.clone(),
        kind: KIND,
        query: policy.query.clone(),
        enforcement_level: level,
        enforce: vec![Enforce {
            path: format!("{}.rego", policy.name),
            mode: level.to_owned(),
        }],
        policy_set_count: sets.len(),
        created_at: policy.created_at,
        updated_at: policy.updated_at,
    };
    let path = format!("/api/v2/policies/{}", policy.id);
    Resource::new("policies", &policy.id, attributes)
        .to_one(
            "organization",
            "organizations",
            policy.environment_name.as_ref(),
        )
        .to_many("policy-sets", "policy-sets", sets)
        .link("upload", format!("{path}/upload"))
        .link("download", format!("{path}/download"))
        .link("self", path)
}

async fn shown_all(
    app: &App,
    ctx: &Context,
    found: &[SinglePolicy],
) -> ApiResult<Vec<Resource<PolicyAttributes>>> {
    let sets = service::sets_of(app, ctx, found).await?;
    Ok(found
        .iter()
        .map(|it| resource(it, sets.get(&it.id).map_or(&[], Vec::as_slice)))
        .collect())
}

async fn shown(
    app: &App,
    ctx: &Context,
    found: SinglePolicy,
) -> ApiResult<Resource<PolicyAttributes>> {
    Ok(shown_all(app, ctx, &[found]).await?.remove(0))
}

fn policy_id(text: &str) -> ApiResult<PolicyId> {
    text.parse().map_err(|_| ApiError::not_found())
}

/// Lists the single policies of the account.
#[utoipa::path(get, path = "/organizations/{organization}/policies", tag = "policies",
    params(("organization" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<PolicyAttributes>>>)))]
async fn list(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(organization): Path<String>,
    query: Query,
) -> ApiResult<Document<Vec<Resource<PolicyAttributes>>>> {
    let page = Page::from_query(&query)?;
    let part = query.get("search[name]");
    let mut found = service::list(&app, &ctx, &organization, part, page).await?;
    if query.get("filter[kind]").is_some_and(|kind| kind != KIND) {
        found.items.clear();
        found.total = 0;
    }
    let data = shown_all(&app, &ctx, &found.items).await?;
    Ok(Document::page(data, Pagination::new(page, found.total)))
}

/// Creates a single policy, of kind `opa`; its text is uploaded next.
#[utoipa::path(post, path = "/organizations/{organization}/policies", tag = "policies",
    params(("organization" = String, Path)), request_body = Input<PolicyInput>,
    responses((status = 201, body = Document<Resource<PolicyAttributes>>)))]
async fn create(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(organization): Path<String>,
    Body(input): Body<PolicyInput>,
) -> ApiResult<Created<Resource<PolicyAttributes>>> {
    let sets = input.related("policy-sets").iter();
    let sets = sets
        .map(|it| group_id(&it.id))
        .collect::<ApiResult<Vec<_>>>()?;
    let mut attributes = input.attributes;
    check_kind(attributes.kind.as_deref())?;
    let name = attributes.name.take().unwrap_or_default();
    let change = attributes.into_change()?;
    let made = service::create(&app, &ctx, &organization, name, &sets, change).await?;
    Ok(Created(Document::of(shown(&app, &ctx, made).await?)))
}

/// Reads a single policy.
#[utoipa::path(get, path = "/policies/{policy_id}", tag = "policies",
    params(("policy_id" = String, Path)),
    responses((status = 200, body = Document<Resource<PolicyAttributes>>)))]
async fn read(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Resource<PolicyAttributes>>> {
    let found = service::read(&app, &ctx, &policy_id(&id)?).await?;
    Ok(Document::of(shown(&app, &ctx, found).await?))
}

/// Changes a single policy; the sets that it is in get new versions.
#[utoipa::path(patch, path = "/policies/{policy_id}", tag = "policies",
    params(("policy_id" = String, Path)), request_body = Input<PolicyInput>,
    responses((status = 200, body = Document<Resource<PolicyAttributes>>)))]
async fn update(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    Body(input): Body<PolicyInput>,
) -> ApiResult<Document<Resource<PolicyAttributes>>> {
    let attributes = input.attributes;
    if attributes.kind.is_some() {
        check_kind(attributes.kind.as_deref())?;
    }
    if attributes.name.is_some() {
        return Err(PolicyError::invalid(
            "name",
            "the name of a policy can't be changed; create another one",
        )
        .into());
    }
    let change = attributes.into_change()?;
    let changed = service::update(&app, &ctx, &policy_id(&id)?, change).await?;
    Ok(Document::of(shown(&app, &ctx, changed).await?))
}

/// Deletes a single policy that is in no set.
#[utoipa::path(delete, path = "/policies/{policy_id}", tag = "policies",
    params(("policy_id" = String, Path)), responses((status = 204), (status = 409)))]
async fn delete(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    service::delete(&app, &ctx, &policy_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes the Rego of a policy, as plain text.
#[utoipa::path(put, path = "/policies/{policy_id}/upload", tag = "policies",
    params(("policy_id" = String, Path)),
    request_body(content = String, content_type = "application/octet-stream"),
    responses((status = 200), (status = 422)))]
async fn upload(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    text: Bytes,
) -> ApiResult<StatusCode> {
    service::upload(&app, &ctx, &policy_id(&id)?, &text).await?;
    Ok(StatusCode::OK)
}

/// The Rego of a policy, as plain text.
#[utoipa::path(get, path = "/policies/{policy_id}/download", tag = "policies",
    params(("policy_id" = String, Path)),
    responses((status = 200, content_type = "text/plain")))]
async fn download(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Response> {
    let text = service::download(&app, &ctx, &policy_id(&id)?).await?;
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok((headers, text).into_response())
}
