//! Deny by default, in front of every method: TLS lets a peer without certificate in, because
//! Enrollment needs none, so this is where everything else stops it.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::{Either, Ready, ready};
use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use super::peer::Peer;
use crate::close::CloseCode;

/// The only methods that need no certificate.
const OPEN: &str = "/terrane.runner.v1.Enrollment/";

/// Whether a method (its path, `/package.Service/Method`) needs a runner's certificate.
pub fn needs_certificate(path: &str) -> bool {
    !path.starts_with(OPEN)
}

/// Puts the guard in front of a service. [`super::Gateway::run`] does it by itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct GuardLayer;

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard { inner }
    }
}

/// A service behind the guard.
#[derive(Debug, Clone)]
pub struct Guard<S> {
    inner: S,
}

impl<S> Service<Request<Body>> for Guard<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<Ready<Result<Response<Body>, S::Error>>, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match check(&request) {
            Ok(()) => Either::Right(self.inner.call(request)),
            Err(status) => Either::Left(ready(Ok(status.into_http()))),
        }
    }
}

fn check(request: &Request<Body>) -> Result<(), Status> {
    let peer = request
        .extensions()
        .get::<Arc<Peer>>()
        .ok_or_else(|| Status::internal("the request did not come through the runner gateway"))?;
    peer.mark_called();
    if let Some(refusal) = peer.refusal {
        return Err(refused(refusal));
    }
    if needs_certificate(request.uri().path()) && peer.identity.is_none() {
        return Err(certificate_needed());
    }
    Ok(())
}

pub(super) fn certificate_needed() -> Status {
    Status::unauthenticated("this call needs a runner's certificate: enrol with a join token first")
}

fn refused(code: CloseCode) -> Status {
    match code {
        CloseCode::TooMany => Status::resource_exhausted(code.sentence()),
        CloseCode::Restart => Status::unavailable(code.sentence()),
        CloseCode::Revoked => Status::permission_denied(code.sentence()),
        CloseCode::Goodbye | CloseCode::BadIdentity | CloseCode::Expired | CloseCode::Silent => {
            Status::unauthenticated(code.sentence())
        }
    }
}
