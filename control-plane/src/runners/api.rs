//! Routes of pools, join tokens and runners.

use std::sync::Arc;

use domain::ids::RunnerPoolId;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::http::error::{ApiError, ApiResult};

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .merge(super::pool_api::routes())
        .merge(super::token_api::routes())
        .merge(super::agent_api::routes())
}

/// An id of another kind is as absent as an unknown one.
pub(super) fn pool_id(text: &str) -> ApiResult<RunnerPoolId> {
    text.parse().map_err(|_| ApiError::not_found())
}
