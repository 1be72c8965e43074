//! The Runner service: each method reads its message, calls one use case, and answers.

use std::pin::Pin;
use std::sync::Arc;

use domain::ids::RunnerId;
use futures::Stream;
use link::server::{Peer, identity};
use protocol::v1::runner_server::Runner;
use protocol::v1::*;
use tonic::{Request, Response, Status, Streaming};

use super::enrollment;
use super::messages;
use super::status::status_of;
use super::{artefacts, downloads, job, logs, relay};
use crate::app::App;
use crate::context::Tenant;
use crate::runners::hub::{Hub, LeaseStream};
use crate::runners::{self, Authority, Offered, Presence, PresenceWriter, RunnerError, Session};
use crate::runs::jobs::{self, Delivery};

type Answer<T> = Result<Response<T>, Status>;
pub(super) type BoxStream<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// How reconnecting runners are spread, per connected runner, in milliseconds: a core takes about
/// a thousand handshakes a second with room to spare.
const RECONNECT_MS_PER_RUNNER: usize = 1;
const MIN_RECONNECT_WINDOW_MS: usize = 500;

pub(super) struct RunnerService {
    pub app: Arc<App>,
    pub authority: Arc<Authority>,
    pub hub: Arc<Hub>,
    pub presence: PresenceWriter,
    /// The public API in process, for what jobs ask of it through their runner.
    pub api: axum::Router,
}

/// Who calls, and for which tenant.
pub(super) struct Caller {
    pub runner: RunnerId,
    pub tenant: Tenant,
    pub pool: domain::ids::RunnerPoolId,
    pub pool_name: String,
    /// It is revoked and may only deliver states, into quarantine.
    pub revoked: bool,
}

impl RunnerService {
    /// The runner of a call that a revoked one may make as well, if it comes with a certificate for
    /// deliveries. Every other call takes [`RunnerService::caller`], which lets none in.
    async fn caller_or_deliverer<T>(&self, request: &Request<T>) -> Result<Caller, Status> {
        let identity = identity(request)?;
        if !identity.delivers_only {
            return self.caller(request).await;
        }
        let runner = runners::revoked_runner(&self.app, &identity.runner_id)
            .await
            .map_err(status_of)?;
        Ok(Caller::new(runner, true))
    }

    pub(super) async fn caller<T>(&self, request: &Request<T>) -> Result<Caller, Status> {
        let identity = identity(request)?;
        if identity.delivers_only {
            return Err(status_of(RunnerError::Revoked));
        }
        let id = identity.runner_id.clone();
        let runner = runners::welcome(&self.app, &id).await.map_err(status_of)?;
        Ok(Caller::new(runner, false))
    }

    /// What becomes of the jobs that the caller says it holds: a revoked one holds none.
    async fn standings(
        &self,
        caller: &Caller,
        running: &[(domain::ids::JobId, i64)],
    ) -> Result<Vec<jobs::Standing>, Status> {
        let (app, tenant, runner) = (&self.app, &caller.tenant, &caller.runner);
        let standings = if caller.revoked {
            jobs::left_by(app, tenant, runner, running).await
        } else {
            jobs::renew(app, tenant, runner, running).await
        };
        standings.map_err(status_of)
    }

    pub(super) fn reconnect_window(&self) -> u32 {
        let window = (self.hub.len() * RECONNECT_MS_PER_RUNNER).max(MIN_RECONNECT_WINDOW_MS);
        u32::try_from(window).unwrap_or(u32::MAX)
    }
}

impl Caller {
    fn new(runner: runners::Runner, revoked: bool) -> Self {
        Self {
            tenant: messages::tenant(&runner.account_id),
            runner: runner.id,
            pool: runner.pool_id,
            pool_name: if revoked {
                String::new()
            } else {
                runner.pool_name
            },
            revoked,
        }
    }
}

fn negotiated(asked: &HelloRequest) -> Result<u32, Status> {
    let best = asked.max_version.min(protocol::VERSION);
    if best < asked.min_version || best < protocol::OLDEST_VERSION {
        return Err(Status::failed_precondition(format!(
            "unsupported_version: this control plane speaks runner protocol {} to {}, the runner {} \
             to {}; update {}",
            protocol::OLDEST_VERSION,
            protocol::VERSION,
            asked.min_version,
            asked.max_version,
            if asked.max_version < protocol::OLDEST_VERSION {
                "the runner"
            } else {
                "the control plane"
            },
        )));
    }
    Ok(best)
}

fn session(peer: &Peer, runner: &RunnerId, asked: HelloRequest) -> Session {
    let capabilities = asked.capabilities.unwrap_or_default();
    Session {
        runner: runner.clone(),
        software: asked.software.chars().take(200).collect(),
        capacity: asked.capacity.into(),
        labels: asked.labels.into_iter().take(64).collect(),
        capabilities: serde_json::json!({
            "executors": capabilities.executors,
            "sandbox": capabilities.sandbox,
            "sandbox_level": capabilities.sandbox_level,
            "metadata_address_blocked": capabilities.metadata_address_blocked,
            "os": capabilities.os,
            "arch": capabilities.arch,
            "features": capabilities.features.into_iter().take(64).collect::<Vec<_>>(),
        }),
        transport: peer.transport.to_string(),
        remote: peer.remote.to_string(),
    }
}

#[tonic::async_trait]
impl Runner for RunnerService {
    async fn hello(&self, request: Request<HelloRequest>) -> Answer<HelloResponse> {
        let caller = self.caller_or_deliverer(&request).await?;
        let peer = Arc::clone(link::server::runner(&request)?);
        let asked = request.into_inner();
        let version = negotiated(&asked)?;
        let running = messages::running(&asked.running)?;
        let standings = self.standings(&caller, &running).await?;
        let timing = &self.app.installation.timing;
        let answer = HelloResponse {
            version,
            heartbeat_seconds: timing.heartbeat,
            reconnect_window_ms: self.reconnect_window(),
            server_time_ms: self.app.clock.now().timestamp_millis(),
            server_software: format!("terrane {}", env!("CARGO_PKG_VERSION")),
            runner_id: caller.runner.to_string(),
            pool_name: caller.pool_name,
            directives: messages::directives(&running, standings),
        };
        if caller.revoked {
            return Ok(Response::new(answer));
        }
        let session = session(&peer, &caller.runner, asked);
        let offered = Offered::of_capabilities(&session.capabilities);
        self.hub.said(&caller.runner, offered);
        self.presence.note(Presence::Here(Box::new(session)));
        Ok(Response::new(answer))
    }

    type LeaseStream = LeaseStream;

    async fn lease(&self, request: Request<LeaseRequest>) -> Answer<LeaseStream> {
        let caller = self.caller(&request).await?;
        let free = request.get_ref().free_slots;
        let stream = self
            .hub
            .open(&caller.runner, caller.tenant.account(), &caller.pool, free);
        self.app.signals.dispatch.wake();
        Ok(Response::new(stream))
    }

    async fn acknowledge(
        &self,
        request: Request<AcknowledgeRequest>,
    ) -> Answer<AcknowledgeResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let (id, epoch) = (
            messages::job_id(&asked.job_id)?,
            messages::epoch(asked.epoch)?,
        );
        let job = job::take(&self.app, &caller, &id, epoch)
            .await
            .map_err(status_of)?;
        Ok(Response::new(AcknowledgeResponse { job: Some(job) }))
    }

    async fn heartbeat(&self, request: Request<HeartbeatRequest>) -> Answer<HeartbeatResponse> {
        let peer = identity(&request)?;
        let (id, delivers_only) = (peer.runner_id.clone(), peer.delivers_only);
        let asked = request.get_ref();
        let sequence = asked.sequence;
        let room = !delivers_only && self.hub.set_free(&id, asked.free_slots);
        let directives = if asked.running.is_empty() {
            Vec::new()
        } else {
            let running = messages::running(&asked.running)?;
            let caller = self.caller_or_deliverer(&request).await?;
            let standings = self.standings(&caller, &running).await?;
            messages::directives(&running, standings)
        };
        if room {
            self.app.signals.dispatch.wake();
        }
        Ok(Response::new(HeartbeatResponse {
            sequence,
            directives,
        }))
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Answer<Identity> {
        let id = self.caller(&request).await?.runner;
        let csr = &request.get_ref().csr_der;
        let issued = runners::renew(&self.app, &self.authority, &id, csr)
            .await
            .map_err(status_of)?;
        Ok(Response::new(enrollment::identity(&self.authority, issued)))
    }

    async fn log_offset(&self, request: Request<LogOffsetRequest>) -> Answer<LogOffsetResponse> {
        let caller = self.caller(&request).await?;
        logs::offset(&self.app, &caller, request.into_inner())
            .await
            .map(Response::new)
    }

    type AppendLogStream = BoxStream<LogAck>;

    async fn append_log(
        &self,
        request: Request<Streaming<LogChunk>>,
    ) -> Answer<Self::AppendLogStream> {
        let caller = self.caller(&request).await?;
        let chunks = request.into_inner();
        Ok(Response::new(logs::append(
            Arc::clone(&self.app),
            caller,
            chunks,
        )))
    }

    async fn progress(&self, request: Request<ProgressRequest>) -> Answer<ProgressResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let (id, epoch) = (
            messages::job_id(&asked.job_id)?,
            messages::epoch(asked.epoch)?,
        );
        let stage: String = asked.stage.chars().take(40).collect();
        let executor = (!asked.executor.is_empty()).then_some(asked.executor.as_str());
        jobs::progress(&self.app, &caller.tenant, &id, epoch, &stage, executor)
            .await
            .map_err(status_of)?;
        let jobs = [(id, epoch)];
        let standings = jobs::renew(&self.app, &caller.tenant, &caller.runner, &jobs)
            .await
            .map_err(status_of)?;
        Ok(Response::new(ProgressResponse {
            directives: messages::directives(&jobs, standings),
        }))
    }

    async fn upload_offset(
        &self,
        request: Request<UploadOffsetRequest>,
    ) -> Answer<UploadOffsetResponse> {
        // An upload that broke off left nothing (the store keeps whole objects only): it begins
        // anew. QUIC carries a running one across a change of network.
        self.caller_or_deliverer(&request).await?;
        Ok(Response::new(UploadOffsetResponse { offset: 0 }))
    }

    async fn upload(&self, request: Request<Streaming<UploadChunk>>) -> Answer<UploadResponse> {
        let caller = self.caller_or_deliverer(&request).await?;
        artefacts::take(&self.app, &caller, request.into_inner())
            .await
            .map(Response::new)
    }

    type DownloadStream = BoxStream<DownloadChunk>;

    async fn download(&self, request: Request<DownloadRequest>) -> Answer<Self::DownloadStream> {
        let caller = self.caller(&request).await?;
        downloads::open(&self.app, &caller, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn complete(&self, request: Request<CompleteRequest>) -> Answer<CompleteResponse> {
        let caller = self.caller_or_deliverer(&request).await?;
        let asked = request.into_inner();
        let (id, epoch) = (
            messages::job_id(&asked.job_id)?,
            messages::epoch(asked.epoch)?,
        );
        if caller.revoked {
            let delivery = Delivery {
                runner: &caller.runner,
                job: &id,
                epoch,
                size: 0,
            };
            jobs::delivered(&self.app, &caller.tenant, delivery)
                .await
                .map_err(status_of)?;
            return Ok(Response::new(CompleteResponse { accepted: true }));
        }
        let report = messages::report(asked)?;
        jobs::complete(
            &self.app,
            &caller.tenant,
            &caller.runner,
            &id,
            epoch,
            report,
        )
        .await
        .map_err(status_of)?;
        Ok(Response::new(CompleteResponse { accepted: true }))
    }

    type RelayStream = BoxStream<RelayChunk>;

    async fn relay(&self, request: Request<RelayRequest>) -> Answer<Self::RelayStream> {
        let caller = self.caller(&request).await?;
        relay::call(&self.app, self.api.clone(), &caller, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn renew_credentials(
        &self,
        request: Request<RenewCredentialsRequest>,
    ) -> Answer<RenewCredentialsResponse> {
        let caller = self.caller(&request).await?;
        let asked = request.into_inner();
        let (id, epoch) = (
            messages::job_id(&asked.job_id)?,
            messages::epoch(asked.epoch)?,
        );
        job::fresh_credentials(&self.app, &caller, &id, epoch)
            .await
            .map(Response::new)
            .map_err(status_of)
    }
}
