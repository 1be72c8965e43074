//! What an account's prices and assumptions are: discounts, prices of its own, usage files.

mod adjustment_api;
mod attributes;
mod file_api;
mod files;
mod model;
mod service;
mod store;

use std::sync::Arc;

pub(super) use store::{adjustments, content};
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .merge(adjustment_api::routes())
        .merge(file_api::routes())
}
