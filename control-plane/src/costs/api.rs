//! All routes of costs.

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;

use super::estimate;
use crate::app::App;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().merge(estimate::routes())
}
