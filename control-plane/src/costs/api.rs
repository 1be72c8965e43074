//! All routes of costs.

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;

use super::{estimate, limits, prices, states};
use crate::app::App;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .merge(estimate::routes())
        .merge(limits::routes())
        .merge(prices::routes())
        .merge(states::routes())
}
