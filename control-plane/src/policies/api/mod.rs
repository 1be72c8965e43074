//! Routes of policies: the groups of the Scalr-like API and the policy sets of the TFE API, which are
//! two views of the same rows.

mod attributes;
mod documents;
mod groups;
mod parameters;
mod policies;
mod revisions;
mod set_attributes;
mod sets;

use std::sync::Arc;

use domain::ids::PolicyGroupId;
use utoipa_axum::router::OpenApiRouter;

use super::error::PolicyError;
use super::model::BoundKind;
use crate::app::App;
use crate::http::attributes::Words;
use crate::http::error::{ApiError, ApiResult};

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .merge(groups::routes())
        .merge(revisions::routes())
        .merge(sets::routes())
        .merge(policies::routes())
        .merge(parameters::routes())
        .merge(documents::routes())
}

/// Routes outside `/api/v2`, proved by their signature.
pub fn signed_routes() -> OpenApiRouter<Arc<App>> {
    revisions::signed_routes()
}

fn group_id(text: &str) -> ApiResult<PolicyGroupId> {
    text.parse().map_err(|_| ApiError::not_found())
}

/// What the lists of what a group is bound to may hold.
const BOUND: Words = &[
    ("environments", ENVIRONMENTS),
    ("projects", &["projects"]),
    ("workspaces", &["workspaces"]),
    ("project-exclusions", &["projects"]),
    ("workspace-exclusions", &["workspaces"]),
];
/// The TFE API knows environments by the second name.
const ENVIRONMENTS: &[&str] = &["environments", "organizations"];

/// The ids of a list of a relationship.
fn ids<'a>(
    kind: BoundKind,
    list: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<String>, PolicyError> {
    list.into_iter()
        .map(|id| {
            if id.is_empty() {
                let detail = "each entry needs an id";
                return Err(PolicyError::invalid_relation(kind.word(), detail));
            }
            Ok(id.to_owned())
        })
        .collect()
}
