//! Routes of the audit log.

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;

use super::{chain, records, streams};
use crate::app::App;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .merge(records::api::routes())
        .merge(chain::api::routes())
        .merge(streams::api::routes())
}
