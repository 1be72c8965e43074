//! All routes, with what stands around them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use http::StatusCode;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::timeout::TimeoutLayer;
use utoipa_axum::router::OpenApiRouter;

use super::body::MAX_JSON;
use super::error::ApiError;
use super::{discovery, headers};
use crate::app::App;
use crate::{iam, runs, tenancy, variables, workspaces};

/// An ordinary request takes at most this long.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Every documented route, for the router and for the OpenAPI document.
pub fn api() -> OpenApiRouter<Arc<App>> {
    let v2 = OpenApiRouter::new()
        .merge(discovery::api_routes())
        .merge(tenancy::api::routes())
        .merge(iam::api::routes())
        .merge(workspaces::api::routes())
        .merge(variables::api::routes())
        .merge(runs::api::routes());
    OpenApiRouter::new()
        .merge(discovery::root_routes())
        .merge(iam::login::routes())
        .merge(runs::api::signed_routes())
        .nest("/api/v2", v2)
}

/// The service behind the HTTPS listener.
pub fn router(app: Arc<App>) -> Router {
    let (routes, _) = api().split_for_parts();
    let around = ServiceBuilder::new()
        .layer(CatchPanicLayer::new())
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), headers::around))
        .layer(CompressionLayer::new())
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, REQUEST_TIMEOUT))
        .layer(DefaultBodyLimit::max(MAX_JSON));
    routes.fallback(|| async { ApiError::not_found() }).layer(around).with_state(app)
}
