//! Routes of an account's chain and of how long its records are kept.

use std::sync::Arc;

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attributes::{ChainAttributes, ChainInput, resource};
use super::service;
use crate::app::App;
use crate::context::Context;
use crate::http::body::Body;
use crate::http::error::ApiResult;
use crate::http::jsonapi::{Document, Input, Resource};

pub(in crate::audit) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(read, update))
}

type One = Document<Resource<ChainAttributes>>;

/// Tells where the chain of the account's audit records ends: compare it with the end of an export.
#[utoipa::path(get, path = "/audit-chain", tag = "audit",
    responses((status = 200, body = Document<Resource<ChainAttributes>>)))]
async fn read(State(app): State<Arc<App>>, ctx: Context) -> ApiResult<One> {
    let chain = service::read(&app, &ctx).await?;
    Ok(Document::of(resource(&app, &chain)))
}

/// Sets how long the account keeps its audit records.
#[utoipa::path(patch, path = "/audit-chain", tag = "audit", request_body = Input<ChainInput>,
    responses((status = 200, body = Document<Resource<ChainAttributes>>)))]
async fn update(
    State(app): State<Arc<App>>,
    ctx: Context,
    Body(input): Body<ChainInput>,
) -> ApiResult<One> {
    let chain = match input.attributes.retention_days {
        Some(days) => service::set_retention(&app, &ctx, days).await?,
        None => service::read(&app, &ctx).await?,
    };
    Ok(Document::of(resource(&app, &chain)))
}
