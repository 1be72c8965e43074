//! Routes of the account's access rules.

use std::sync::Arc;

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{RulesAttributes, RulesInput, change, resource};
use super::service;
use crate::app::App;
use crate::context::Context;
use crate::http::body::Body;
use crate::http::error::ApiResult;
use crate::http::jsonapi::{Document, Input, Resource};

pub(in crate::iam) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(read, update))
}

type One = Document<Resource<RulesAttributes>>;

/// Reads how long tokens may live and where they work from.
#[utoipa::path(get, path = "/account/access-rules", tag = "access",
    responses((status = 200, body = Document<Resource<RulesAttributes>>)))]
async fn read(State(app): State<Arc<App>>, ctx: Context) -> ApiResult<One> {
    let rules = service::read(&app, &ctx).await?;
    Ok(Document::of(resource(&ctx, &rules)))
}

/// Changes how long tokens may live and where they work from. Nobody locks themselves out, unless
/// with `force`.
#[utoipa::path(patch, path = "/account/access-rules", tag = "access",
    request_body = Input<RulesInput>,
    responses((status = 200, body = Document<Resource<RulesAttributes>>), (status = 409)))]
async fn update(
    State(app): State<Arc<App>>,
    ctx: Context,
    Body(input): Body<RulesInput>,
) -> ApiResult<One> {
    let rules = service::update(&app, &ctx, change(&input.attributes)?).await?;
    Ok(Document::of(resource(&ctx, &rules)))
}
