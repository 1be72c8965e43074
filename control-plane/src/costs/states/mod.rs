//! What states cost: the current one of each workspace, those before it, and sums over workspaces.
//!
//! Whichever way a state became current, its cost is found missing and computed by the [`StateKeeper`]:
//! nothing that writes states waits for it, or fails with it. A claim on the row says which process is
//! at it. What can't be priced is recorded with its reason and counted beside every total.

mod api;
mod attributes;
mod claim_store;
mod compute;
mod days;
mod figures;
mod groups;
mod keeper;
mod model;
mod parts;
mod perform;
mod place;
mod read_store;
mod result_store;
mod service;
mod sum_api;
mod sum_attributes;
mod summary;

pub use keeper::StateKeeper;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .merge(api::routes())
        .merge(sum_api::routes())
}
