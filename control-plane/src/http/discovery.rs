//! What clients ask before anything else: service discovery, ping, health. TFE contract, section 1.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

/// The client id that `terraform login` names.
pub const LOGIN_CLIENT: &str = "terraform-cli";

/// The local ports that `terraform login` may listen on, first and last.
pub const LOGIN_PORTS: [u16; 2] = [10_000, 10_999];

pub(super) fn api_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(ping))
}

pub(super) fn root_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(discovery))
        .routes(routes!(alive))
        .routes(routes!(ready))
}

/// Names the services of this host.
#[utoipa::path(get, path = "/.well-known/terraform.json", tag = "discovery", security(()),
    responses((status = 200, body = Object)))]
async fn discovery() -> Json<Value> {
    Json(json!({
        "tfe.v2": "/api/v2/",
        "tfe.v2.1": "/api/v2/",
        "tfe.v2.2": "/api/v2/",
        "state.v2": "/api/v2/",
        "login.v1": {
            "client": LOGIN_CLIENT,
            "grant_types": ["authz_code"],
            "authz": "/oauth/authorization",
            "token": "/oauth/token",
            "ports": LOGIN_PORTS,
        },
    }))
}

/// Says that the API is there; clients read only the headers.
#[utoipa::path(get, path = "/ping", tag = "discovery", security(()), responses((status = 204)))]
async fn ping() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Says that the process runs.
#[utoipa::path(get, path = "/healthz", tag = "discovery", security(()),
    responses((status = 200)))]
async fn alive() -> &'static str {
    "ok\n"
}

/// Says whether requests can be served: the database answers.
#[utoipa::path(get, path = "/readyz", tag = "discovery", security(()),
    responses((status = 200), (status = 503)))]
async fn ready(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    let answers = async {
        let mut conn = app.db.acquire().await?;
        conn.database_now().await
    };
    match answers.await {
        Ok(_) => (StatusCode::OK, "ready\n"),
        Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the database does not answer\n",
        ),
    }
}
