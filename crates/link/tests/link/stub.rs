//! Both services with no more logic than the tests look at.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use domain::ids::RunnerId;
use futures::Stream;
use link::ca::{RecoveryClaim, RunnerCa, check_recovery};
use link::join::JoinToken;
use link::server::{identity, runner};
use parking_lot::Mutex;
use protocol::v1::enrollment_server::Enrollment;
use protocol::v1::runner_server::Runner;
use protocol::v1::*;
use tokio::sync::{broadcast, watch};
use tonic::{Request, Response, Status, Streaming};

use crate::gateway::{DAY, now};

pub(crate) struct Stub {
    pub(crate) ca: Arc<RunnerCa>,
    pub(crate) token: JoinToken,
    /// What each open Lease stream is sent.
    pub(crate) leases: broadcast::Sender<LeaseEvent>,
    pub(crate) hellos: AtomicUsize,
    pub(crate) enrolments: AtomicUsize,
    pub(crate) uploaded: AtomicU64,
    /// Uploads are read only while this is true.
    pub(crate) reading: watch::Sender<bool>,
    pub(crate) transports: Mutex<Vec<link::Transport>>,
}

impl Stub {
    pub(crate) fn new(ca: Arc<RunnerCa>) -> Self {
        Self {
            token: JoinToken::generate(ca.fingerprint()),
            ca,
            leases: broadcast::Sender::new(16),
            hellos: AtomicUsize::new(0),
            enrolments: AtomicUsize::new(0),
            uploaded: AtomicU64::new(0),
            reading: watch::Sender::new(true),
            transports: Mutex::default(),
        }
    }

    fn identity(&self, csr: &[u8], runner: &RunnerId) -> Result<Response<Identity>, Status> {
        let (from, to) = (now() - DAY, now() + DAY);
        let certificate = self
            .ca
            .sign_csr(csr, runner, from, to)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        Ok(Response::new(Identity {
            runner_id: runner.to_string(),
            certificate_der: certificate.to_vec().into(),
            ca_der: self.ca.certificate().to_vec().into(),
            not_after: to.timestamp(),
        }))
    }
}

#[tonic::async_trait]
impl Enrollment for Stub {
    async fn enroll(&self, request: Request<EnrollRequest>) -> Result<Response<Identity>, Status> {
        let request = request.into_inner();
        let token = JoinToken::parse(&request.join_token)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        if token.secret_hash() != self.token.secret_hash() {
            return Err(Status::permission_denied("unknown join token"));
        }
        self.enrolments.fetch_add(1, Ordering::Relaxed);
        self.identity(&request.csr_der, &RunnerId::random())
    }

    async fn recover(
        &self,
        request: Request<RecoverRequest>,
    ) -> Result<Response<Identity>, Status> {
        let request = request.into_inner();
        let claim = RecoveryClaim {
            certificate_der: &request.certificate_der,
            csr_der: &request.csr_der,
            signed_at: request.signed_at,
            signature: &request.signature,
        };
        let peer = check_recovery(self.ca.certificate(), claim, now())
            .map_err(|error| Status::permission_denied(error.to_string()))?;
        self.identity(&request.csr_der, &peer.runner_id)
    }
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn none<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("not part of the stub"))
}

#[tonic::async_trait]
impl Runner for Stub {
    async fn hello(
        &self,
        request: Request<HelloRequest>,
    ) -> Result<Response<HelloResponse>, Status> {
        let peer = runner(&request)?;
        self.hellos.fetch_add(1, Ordering::Relaxed);
        self.transports.lock().push(peer.transport);
        let (oldest, newest) = (protocol::OLDEST_VERSION, protocol::VERSION);
        let asked = request.get_ref();
        if asked.max_version < oldest || asked.min_version > newest {
            return Err(Status::failed_precondition(format!(
                "this gateway speaks versions {oldest} to {newest}, the runner {} to {}",
                asked.min_version, asked.max_version
            )));
        }
        Ok(Response::new(HelloResponse {
            version: newest,
            runner_id: identity(&request)?.runner_id.to_string(),
            ..Default::default()
        }))
    }

    type LeaseStream = Answers<LeaseEvent>;

    async fn lease(&self, _: Request<LeaseRequest>) -> Result<Response<Self::LeaseStream>, Status> {
        let events = self.leases.subscribe();
        Ok(Response::new(Box::pin(futures::stream::unfold(
            events,
            |mut events| async {
                let event = events.recv().await.ok()?;
                Some((Ok(event), events))
            },
        ))))
    }

    async fn acknowledge(
        &self,
        _: Request<AcknowledgeRequest>,
    ) -> Result<Response<AcknowledgeResponse>, Status> {
        none()
    }

    async fn heartbeat(
        &self,
        request: Request<HeartbeatRequest>,
    ) -> Result<Response<HeartbeatResponse>, Status> {
        runner(&request)?;
        let sequence = request.into_inner().sequence;
        Ok(Response::new(HeartbeatResponse {
            sequence,
            directives: Vec::new(),
        }))
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Result<Response<Identity>, Status> {
        let runner = identity(&request)?.runner_id.clone();
        self.identity(&request.into_inner().csr_der, &runner)
    }

    async fn log_offset(
        &self,
        _: Request<LogOffsetRequest>,
    ) -> Result<Response<LogOffsetResponse>, Status> {
        none()
    }

    type AppendLogStream = Answers<LogAck>;

    async fn append_log(
        &self,
        request: Request<Streaming<LogChunk>>,
    ) -> Result<Response<Self::AppendLogStream>, Status> {
        let state = (request.into_inner(), self.reading.subscribe());
        let acks = futures::stream::unfold(state, |(mut chunks, mut reading)| async {
            reading.wait_for(|reading| *reading).await.ok()?;
            let chunk = chunks.message().await.ok()??;
            let offset = chunk.offset + chunk.data.len() as u64;
            Some((Ok(LogAck { offset }), (chunks, reading)))
        });
        Ok(Response::new(Box::pin(acks)))
    }

    async fn progress(
        &self,
        _: Request<ProgressRequest>,
    ) -> Result<Response<ProgressResponse>, Status> {
        none()
    }

    async fn upload_offset(
        &self,
        _: Request<UploadOffsetRequest>,
    ) -> Result<Response<UploadOffsetResponse>, Status> {
        none()
    }

    async fn upload(
        &self,
        request: Request<Streaming<UploadChunk>>,
    ) -> Result<Response<UploadResponse>, Status> {
        let mut chunks = request.into_inner();
        let mut reading = self.reading.subscribe();
        loop {
            if reading.wait_for(|reading| *reading).await.is_err() {
                return Err(Status::aborted("the test is over"));
            }
            let Some(chunk) = chunks.message().await? else {
                break;
            };
            self.uploaded
                .fetch_add(chunk.data.len() as u64, Ordering::Relaxed);
        }
        Ok(Response::new(UploadResponse {
            object_id: String::new(),
            disposition: "stored".to_owned(),
        }))
    }

    type DownloadStream = Answers<DownloadChunk>;

    async fn download(
        &self,
        _: Request<DownloadRequest>,
    ) -> Result<Response<Self::DownloadStream>, Status> {
        let chunk = |offset: u64| DownloadChunk {
            offset,
            data: vec![7; protocol::MAX_DATA_CHUNK].into(),
            ..Default::default()
        };
        let step = protocol::MAX_DATA_CHUNK as u64;
        Ok(Response::new(Box::pin(futures::stream::iter(
            (0..32).map(move |n| Ok(chunk(n * step))),
        ))))
    }

    async fn complete(
        &self,
        _: Request<CompleteRequest>,
    ) -> Result<Response<CompleteResponse>, Status> {
        none()
    }

    type RelayStream = Answers<RelayChunk>;

    async fn relay(&self, _: Request<RelayRequest>) -> Result<Response<Self::RelayStream>, Status> {
        none()
    }

    async fn renew_credentials(
        &self,
        _: Request<RenewCredentialsRequest>,
    ) -> Result<Response<RenewCredentialsResponse>, Status> {
        none()
    }
}
