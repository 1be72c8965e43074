//! Routes of parameters, in the TFE API's form.

use std::sync::Arc;

use axum::extract::{Path, State};
use domain::Secret;
use domain::ids::PolicyParameterId;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::group_id;
use crate::app::App;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::http::attributes::{Attributes, Words};
use crate::http::body::Body;
use crate::http::error::{ApiError, ApiResult};
use crate::http::jsonapi::{Created, Document, Input, Resource, nullable, zulu};
use crate::http::page::{Page, Pagination};
use crate::policies::error::PolicyError;
use crate::policies::parameters::{self as service, Change, Parameter};

/// The only category of a parameter, as clients name it.
const CATEGORY: &str = "policy-set";

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, update, delete))
}

/// Attributes of a parameter, of type `vars`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
struct ParameterAttributes {
    key: String,
    /// Null when the parameter is sensitive: such a value is never shown again.
    value: Option<String>,
    /// Always `policy-set`.
    category: &'static str,
    sensitive: bool,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    created_at: Timestamp,
}

/// What a create or update may carry. Absent leaves a thing as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
struct ParameterInput {
    key: Option<String>,
    /// Null is the empty value.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    value: Option<Option<Secret>>,
    category: Option<String>,
    sensitive: Option<bool>,
}

impl Attributes for ParameterInput {
    const TYPES: &'static [&'static str] = &["vars"];
    // Parameters are plain text.
    const WITHOUT_EFFECT: Words = &[("description", &[]), ("hcl", &[])];
}

impl ParameterInput {
    fn into_change(self) -> Result<Change, PolicyError> {
        if self.category.is_some_and(|it| it != CATEGORY) {
            return Err(PolicyError::invalid(
                "category",
                "it is always `policy-set`",
            ));
        }
        Ok(Change {
            key: self.key,
            value: self
                .value
                .map(|value| value.unwrap_or_else(|| Secret::new(String::new()))),
            sensitive: self.sensitive,
        })
    }
}

fn resource(parameter: &Parameter) -> Resource<ParameterAttributes> {
    let shown = !parameter.sensitive;
    let attributes = ParameterAttributes {
        key: parameter.key.clone(),
        value: shown.then(|| parameter.value.expose().clone()),
        category: CATEGORY,
        sensitive: parameter.sensitive,
        created_at: parameter.created_at,
    };
    let group = &parameter.group_id;
    Resource::new("vars", &parameter.id, attributes)
        .to_one("configurable", "policy-sets", Some(group))
        .link(
            "self",
            format!("/api/v2/policy-sets/{group}/parameters/{}", parameter.id),
        )
}

fn parameter_id(text: &str) -> ApiResult<PolicyParameterId> {
    text.parse().map_err(|_| ApiError::not_found())
}

/// Lists a policy set's parameters, in one page. Sensitive ones have no value.
#[utoipa::path(get, path = "/policy-sets/{policy_set_id}/parameters", tag = "policy-sets",
    params(("policy_set_id" = String, Path)),
    responses((status = 200, body = Document<Vec<Resource<ParameterAttributes>>>)))]
async fn list(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
) -> ApiResult<Document<Vec<Resource<ParameterAttributes>>>> {
    let found = service::list(&app, &ctx, &group_id(&id)?).await?;
    let total = i64::try_from(found.len()).unwrap_or(i64::MAX);
    let page = Page {
        number: 1,
        size: total.max(20),
    };
    let data = found.iter().map(resource).collect();
    Ok(Document::page(data, Pagination::new(page, total)))
}

/// Creates a parameter: policies see it as `data.parameters.KEY`.
#[utoipa::path(post, path = "/policy-sets/{policy_set_id}/parameters", tag = "policy-sets",
    params(("policy_set_id" = String, Path)), request_body = Input<ParameterInput>,
    responses((status = 201, body = Document<Resource<ParameterAttributes>>)))]
async fn create(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    Body(input): Body<ParameterInput>,
) -> ApiResult<Created<Resource<ParameterAttributes>>> {
    let new = input.attributes.into_change()?;
    let made = service::create(&app, &ctx, &group_id(&id)?, new).await?;
    Ok(Created(Document::of(resource(&made))))
}

/// Reads a parameter.
#[utoipa::path(get, path = "/policy-sets/{policy_set_id}/parameters/{parameter_id}",
    tag = "policy-sets",
    params(("policy_set_id" = String, Path), ("parameter_id" = String, Path)),
    responses((status = 200, body = Document<Resource<ParameterAttributes>>)))]
async fn read(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path((group, id)): Path<(String, String)>,
) -> ApiResult<Document<Resource<ParameterAttributes>>> {
    let found = service::read(&app, &ctx, &group_id(&group)?, &parameter_id(&id)?).await?;
    Ok(Document::of(resource(&found)))
}

/// Changes a parameter.
#[utoipa::path(patch, path = "/policy-sets/{policy_set_id}/parameters/{parameter_id}",
    tag = "policy-sets",
    params(("policy_set_id" = String, Path), ("parameter_id" = String, Path)),
    request_body = Input<ParameterInput>,
    responses((status = 200, body = Document<Resource<ParameterAttributes>>)))]
async fn update(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path((group, id)): Path<(String, String)>,
    Body(input): Body<ParameterInput>,
) -> ApiResult<Document<Resource<ParameterAttributes>>> {
    let change = input.attributes.into_change()?;
    let (group, id) = (group_id(&group)?, parameter_id(&id)?);
    let changed = service::update(&app, &ctx, &group, &id, change).await?;
    Ok(Document::of(resource(&changed)))
}

/// Deletes a parameter.
#[utoipa::path(delete, path = "/policy-sets/{policy_set_id}/parameters/{parameter_id}",
    tag = "policy-sets",
    params(("policy_set_id" = String, Path), ("parameter_id" = String, Path)),
    responses((status = 204)))]
async fn delete(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path((group, id)): Path<(String, String)>,
) -> ApiResult<StatusCode> {
    service::delete(&app, &ctx, &group_id(&group)?, &parameter_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
