//! What Terraform in a job asks of this control plane (remote state, registries), through its
//! runner: the request is made in process, in the name of the run, so the job needs no route to us
//! and no certificate authority of ours.

use std::collections::HashMap;

use axum::body::Body;
use domain::access::ActorKind;
use futures::{StreamExt, TryStreamExt, stream};
use http::{HeaderName, HeaderValue, Method};
use protocol::v1::{RelayChunk, RelayRequest};
use tonic::Status;
use tower::ServiceExt;

use super::messages::{epoch, job_id};
use super::service::{BoxStream, Caller};
use super::status::{status_of, unreadable};
use crate::app::App;
use crate::context::{Actor, RunScope};
use crate::http::InProcessActor;
use crate::runs::jobs;

/// Headers that a job may send along, and those that it gets back.
const REQUEST_HEADERS: &[&str] = &[
    "accept",
    "terraform-version",
    "x-terraform-version",
    "range",
];
const RESPONSE_HEADERS: &[&str] = &[
    "content-type",
    "content-length",
    "etag",
    "location",
    "x-terraform-get",
];

pub(super) async fn call(
    app: &App,
    api: axum::Router,
    caller: &Caller,
    asked: RelayRequest,
) -> Result<BoxStream<RelayChunk>, Status> {
    let (id, epoch) = (job_id(&asked.job_id)?, epoch(asked.epoch)?);
    let mut tx = app
        .db
        .begin()
        .await
        .map_err(|error| status_of(crate::runs::RunError::from(error)))?;
    let job = jobs::check_lease(&mut tx, &caller.tenant, &caller.runner, &id, epoch)
        .await
        .map_err(status_of)?;
    drop(tx);
    let of = job.owner.need_run().map_err(status_of)?.clone();
    let mut actor = Actor::system(caller.tenant.account(), of.run_id.as_str());
    actor.kind = ActorKind::Run;
    actor.id = of.run_id.to_string();
    actor.run = Some(RunScope {
        run: of.run_id,
        job: job.id,
        workspace: of.workspace_id,
        epoch,
    });
    let request = request(asked, actor)?;
    let response = api
        .oneshot(request)
        .await
        .unwrap_or_else(|never| match never {});
    let head = RelayChunk {
        status: response.status().as_u16().into(),
        headers: kept_headers(response.headers()),
        ..RelayChunk::default()
    };
    let data = response
        .into_body()
        .into_data_stream()
        .map_ok(|data| RelayChunk {
            data,
            ..RelayChunk::default()
        })
        .map_err(|error| Status::unavailable(error.to_string()));
    Ok(Box::pin(stream::iter([Ok(head)]).chain(data)))
}

fn request(asked: RelayRequest, actor: Actor) -> Result<http::Request<Body>, Status> {
    let method = match asked.method.as_str() {
        "GET" => Method::GET,
        "HEAD" => Method::HEAD,
        other => {
            return Err(Status::invalid_argument(format!(
                "{other:?} can't be relayed"
            )));
        }
    };
    if !asked.path_and_query.starts_with('/') || asked.path_and_query.len() > 8192 {
        return Err(unreadable("the path"));
    }
    let mut request = http::Request::builder()
        .method(method)
        .uri(asked.path_and_query)
        .body(Body::empty())
        .map_err(|_| unreadable("the request"))?;
    for (name, value) in asked.headers {
        let name = name.to_ascii_lowercase();
        if !REQUEST_HEADERS.contains(&name.as_str()) {
            continue;
        }
        if let (Ok(name), Ok(value)) = (
            HeaderName::try_from(name.as_str()),
            HeaderValue::try_from(value.as_str()),
        ) {
            request.headers_mut().insert(name, value);
        }
    }
    request.extensions_mut().insert(InProcessActor(actor));
    Ok(request)
}

fn kept_headers(headers: &http::HeaderMap) -> HashMap<String, String> {
    headers
        .iter()
        .filter(|(name, _)| RESPONSE_HEADERS.contains(&name.as_str()))
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect()
}
