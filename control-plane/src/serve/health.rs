//! `/healthz` and `/readyz` of the admin port. (The public port has its own, which say less.)
//!
//! Healthy means that the process answers; whoever restarts it on anything more makes outages
//! longer. Ready means that it should get traffic: it isn't stopping, and what every request needs
//! answers. A failing reconciler is shown, but doesn't take the API away: it would fail on every
//! replica at once.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::future::{BoxFuture, join_all};
use http::{StatusCode, header};
use serde::Serialize;

use crate::supervise::{BoxError, TaskStatus, Tasks};

const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// Something that every request needs.
pub struct Probe {
    pub name: &'static str,
    pub ask: Box<dyn Fn() -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync>,
}

/// How the process is. Clones share it.
#[derive(Clone)]
pub struct Health {
    tasks: Tasks,
    probes: Arc<[Probe]>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report {
    ready: bool,
    stopping: bool,
    checks: Vec<Check>,
    tasks: Vec<TaskStatus>,
}

#[derive(Serialize)]
struct Check {
    name: &'static str,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Health {
    pub fn new(tasks: Tasks, probes: Vec<Probe>) -> Self {
        Self {
            tasks,
            probes: probes.into(),
        }
    }

    /// With errors and tasks: for the admin port only.
    pub fn routes(self) -> Router {
        Router::new()
            .route("/healthz", get(healthz))
            .route("/readyz", get(readyz))
            .with_state(self)
    }

    async fn report(&self) -> Report {
        let checks = join_all(self.probes.iter().map(run)).await;
        let stopping = self.tasks.stop().is_asked();
        let ready = !stopping && checks.iter().all(|check| check.ok);
        Report {
            ready,
            stopping,
            checks,
            tasks: self.tasks.statuses(),
        }
    }
}

async fn run(probe: &Probe) -> Check {
    let error = match tokio::time::timeout(PROBE_TIMEOUT, (probe.ask)()).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some("no answer in time".to_owned()),
    };
    Check {
        name: probe.name,
        ok: error.is_none(),
        error,
    }
}

async fn healthz() -> &'static str {
    "ok\n"
}

async fn readyz(State(health): State<Health>) -> Response {
    let report = health.report().await;
    let status = if report.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        [(header::CACHE_CONTROL, "no-store")],
        axum::Json(report),
    )
        .into_response()
}
