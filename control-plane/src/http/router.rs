//! All routes, with what stands around them.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;
use utoipa_axum::router::OpenApiRouter;

use super::body::MAX_JSON;
use super::error::ApiError;
use super::{discovery, headers, patience};
use crate::app::App;
use crate::{
    approvals, audit, costs, iam, impact, policies, provider_configurations, run_identity, runners,
    runs, state, tenancy, variables, workspaces,
};

/// Every documented route, for the router and for the OpenAPI document.
pub fn api() -> OpenApiRouter<Arc<App>> {
    let v2 = OpenApiRouter::new()
        .merge(discovery::api_routes())
        .merge(audit::api::routes())
        .merge(tenancy::api::routes())
        .merge(iam::api::routes())
        .merge(workspaces::api::routes())
        .merge(state::api::routes())
        .merge(variables::api::routes())
        .merge(run_identity::api::routes())
        .merge(provider_configurations::api::routes())
        .merge(costs::api::routes())
        .merge(runners::api::routes())
        .merge(approvals::api::routes())
        .merge(policies::api::routes())
        .merge(runs::api::routes())
        .merge(impact::api::routes());
    OpenApiRouter::new()
        .merge(discovery::root_routes())
        .merge(iam::login::routes())
        .merge(iam::scim::routes())
        .merge(run_identity::api::issuer_routes())
        .merge(state::api::signed_routes())
        .merge(policies::api::signed_routes())
        .merge(runs::api::signed_routes())
        .nest("/api/v2", v2)
}

/// The service behind the HTTPS listener.
pub fn router(app: Arc<App>) -> Router {
    let (routes, _) = api().split_for_parts();
    let around = ServiceBuilder::new()
        .layer(CatchPanicLayer::new())
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(&app),
            headers::around,
        ))
        .layer(CompressionLayer::new())
        .layer(axum::middleware::from_fn(patience::around))
        .layer(RequestBodyTimeoutLayer::new(patience::SILENCE))
        .layer(DefaultBodyLimit::max(MAX_JSON));
    routes
        .fallback(|| async { ApiError::not_found() })
        .layer(around)
        .with_state(app)
}
