//! Where the bytes of announced states go. No token is sent here; the signature in the path is the
//! proof.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use futures::TryStreamExt;
use http::StatusCode;
use tokio::io::AsyncRead;
use tokio_util::io::StreamReader;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::api::version_id;
use super::upload;
use crate::app::App;
use crate::http::error::ApiResult;
use crate::http::signed::{self, Purpose};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(upload_state))
        .routes(routes!(upload_json_state))
}

fn reader(body: Body) -> impl AsyncRead + Send + Unpin {
    StreamReader::new(Box::pin(
        body.into_data_stream().map_err(std::io::Error::other),
    ))
}

/// Takes the raw bytes of an announced state, which makes it the current one.
#[utoipa::path(put, path = "/_signed/state-upload/{id}/{expires}/{signature}",
    tag = "state-versions", security(()),
    params(("id" = String, Path), ("expires" = i64, Path), ("signature" = String, Path)),
    responses((status = 200), (status = 409), (status = 413), (status = 422)))]
async fn upload_state(
    State(app): State<Arc<App>>,
    Path((id, expires, signature)): Path<(String, i64, String)>,
    request: Request,
) -> ApiResult<StatusCode> {
    signed::verify(&app, Purpose::UploadState, &id, expires, &signature)?;
    upload::take_state(&app, &version_id(&id)?, reader(request.into_body())).await?;
    Ok(StatusCode::OK)
}

/// Takes the JSON form of a state, before or after its raw bytes.
#[utoipa::path(put, path = "/_signed/json-state-upload/{id}/{expires}/{signature}",
    tag = "state-versions", security(()),
    params(("id" = String, Path), ("expires" = i64, Path), ("signature" = String, Path)),
    responses((status = 200), (status = 409), (status = 413)))]
async fn upload_json_state(
    State(app): State<Arc<App>>,
    Path((id, expires, signature)): Path<(String, i64, String)>,
    request: Request,
) -> ApiResult<StatusCode> {
    signed::verify(&app, Purpose::UploadJsonState, &id, expires, &signature)?;
    upload::take_json(&app, &version_id(&id)?, reader(request.into_body())).await?;
    Ok(StatusCode::OK)
}
