//! How long a request may take: an ordinary one, a minute in all; one that brings a large object, as
//! long as bytes keep coming. A gigabyte on a narrow line takes longer than any fixed time that would
//! still protect us from clients that say nothing.

use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};

/// An ordinary request takes at most this long.
const WHOLE: Duration = Duration::from_secs(60);

/// The longest pause within any request's body.
pub(super) const SILENCE: Duration = Duration::from_secs(60);

/// Whether the request's body is a large object: what signed URLs take, and a state sent inline.
fn brings_an_object(method: &Method, path: &str) -> bool {
    match *method {
        Method::PUT => path.starts_with("/_signed/"),
        Method::POST => path.starts_with("/api/v2/") && path.ends_with("/state-versions"),
        _ => false,
    }
}

pub(super) async fn around(request: Request, next: Next) -> Response {
    if brings_an_object(request.method(), request.uri().path()) {
        return next.run(request).await;
    }
    match tokio::time::timeout(WHOLE, next.run(request)).await {
        Ok(response) => response,
        Err(_) => StatusCode::GATEWAY_TIMEOUT.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_uploads_take_their_time() {
        assert!(brings_an_object(
            &Method::PUT,
            "/_signed/state-upload/sv-1/0/x"
        ));
        assert!(brings_an_object(
            &Method::POST,
            "/api/v2/workspaces/ws-1/state-versions"
        ));
        assert!(!brings_an_object(
            &Method::GET,
            "/_signed/plan-log/plan-1/0/x"
        ));
        assert!(!brings_an_object(&Method::POST, "/api/v2/runs"));
    }
}
