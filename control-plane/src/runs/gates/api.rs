//! Routes of gates, and the input that policies see. Source: TFE contract, sections 2.8 and 2.9; the
//! input's route is as others have it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use domain::policy::PolicyStage;
use http::header;
use policy::GroupKind;
use policy::input::Tags;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::service;
use crate::app::App;
use crate::context::Context;
use crate::http::error::ApiResult;
use crate::http::query::Query;
use crate::runs::api::run_id;
use crate::runs::error::RunError;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .merge(super::check_api::routes())
        .merge(super::stage_api::routes())
        .routes(routes!(policy_input))
}

/// The document that a run's policies see, without secrets: for writing tests. `stage`:
/// `policy_check` (default) or `pre_plan_check`; `form`: `tfplan` (default) or `plan`, as policy
/// sets see it; `tags`: `list` (default) or `map`.
#[utoipa::path(get, path = "/runs/{run_id}/policy-input", tag = "policy checks",
    params(("run_id" = String, Path), ("stage" = Option<String>, Query),
        ("form" = Option<String>, Query), ("tags" = Option<String>, Query)),
    responses((status = 200, content_type = "application/json"), (status = 404)))]
async fn policy_input(
    State(app): State<Arc<App>>,
    ctx: Context,
    Path(id): Path<String>,
    query: Query,
) -> ApiResult<Response> {
    let stage = match query.get("stage") {
        None => PolicyStage::PostPlan,
        Some(word) => word.parse().map_err(|_| unknown("stage", word))?,
    };
    let form = match query.get("form") {
        None | Some("tfplan") => GroupKind::Files,
        Some("plan") => GroupKind::Queries,
        Some(word) => return Err(unknown("form", word).into()),
    };
    let tags = match query.get("tags") {
        None | Some("list") => Tags::List,
        Some("map") => Tags::Map,
        Some(word) => return Err(unknown("tags", word).into()),
    };
    let input = service::policy_input(&app, &ctx, &run_id(&id)?, stage).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::ETAG, format!("\"{}\"", input.digest)),
    ];
    Ok((headers, input.document(form, tags)).into_response())
}

fn unknown(parameter: &str, word: &str) -> RunError {
    RunError::Invalid {
        pointer: parameter.to_owned(),
        detail: format!("{word:?} is no {parameter}; see the API's documentation"),
    }
}
