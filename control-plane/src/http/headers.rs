//! What every response carries, and what every refusal leaves behind.
//!
//! Headers: TFE contract, section 1.3. `cloud {}` refuses to configure without `TFP-API-Version`
//! 2.5 or later; structured output needs an `X-TFE-Version` of the form `vYYYYMM-N`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::ids::RequestId;
use http::HeaderValue;
use parking_lot::Mutex;

use super::error::{ApiError, chain};
use crate::app::App;
use crate::audit;
use crate::context::Context;
use crate::iam::Denied;

const API_VERSION: HeaderValue = HeaderValue::from_static("2.6");
const APP_NAME: HeaderValue = HeaderValue::from_static("Terraform Enterprise");
const PRODUCT_VERSION: HeaderValue = HeaderValue::from_static("v202505-1");

/// Where the extractor of [`Context`] leaves it for the layers around the handler.
#[derive(Clone, Default)]
pub(super) struct CallerSlot(Arc<Mutex<Option<Context>>>);

impl CallerSlot {
    pub(super) fn fill(&self, ctx: Context) {
        *self.0.lock() = Some(ctx);
    }

    fn take(&self) -> Option<Context> {
        self.0.lock().take()
    }
}

/// Gives each request an id, each response its headers, and each denial its audit record.
pub(super) async fn around(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = RequestId::random();
    let slot = CallerSlot::default();
    request.extensions_mut().insert(id.clone());
    request.extensions_mut().insert(slot.clone());
    let mut response = if request.uri().to_string().contains("%00") {
        ApiError::nul_character().into_response()
    } else {
        next.run(request).await
    };
    if let (Some(denied), Some(ctx)) = (response.extensions_mut().remove::<Denied>(), slot.take())
        && let Err(error) = audit::record_denial(&app.db, &ctx, &denied).await
    {
        tracing::error!(error = chain(&error), "a denial could not be recorded");
    }
    let headers = response.headers_mut();
    headers.insert("TFP-API-Version", API_VERSION);
    headers.insert("TFP-AppName", APP_NAME);
    headers.insert("X-TFE-Version", PRODUCT_VERSION);
    headers.insert("Cache-Control", HeaderValue::from_static("no-store"));
    headers.insert(
        "X-Content-Type-Options",
        HeaderValue::from_static("nosniff"),
    );
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        headers.insert("X-Request-Id", value);
    }
    response
}
