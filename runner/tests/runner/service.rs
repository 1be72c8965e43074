//! The two services over what the plane holds.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use domain::ids::RunnerId;
use futures::{Stream, StreamExt};
use link::ca::{RecoveryClaim, check_recovery};
use link::join::JoinToken;
use link::server::identity;
use protocol::v1::enrollment_server::Enrollment;
use protocol::v1::runner_server::Runner;
use protocol::v1::*;
use sha2::{Digest, Sha256};
use tonic::{Request, Response, Status, Streaming};

use crate::plane::{Arrived, Held, Shared, now};

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Shared {
    fn certify(&self, csr: &[u8], runner: &RunnerId) -> Result<Response<Identity>, Status> {
        let until = now() + *self.certificate_life.lock();
        let since = now() - chrono::TimeDelta::days(1);
        let certificate = if *self.revoked.lock() {
            self.ca.sign_delivery(csr, runner, since, until)
        } else {
            self.ca.sign_csr(csr, runner, since, until)
        };
        let certificate =
            certificate.map_err(|error| Status::invalid_argument(error.to_string()))?;
        Ok(Response::new(Identity {
            runner_id: runner.to_string(),
            certificate_der: certificate.to_vec().into(),
            ca_der: self.ca.certificate().to_vec().into(),
            not_after: until.timestamp(),
        }))
    }

    /// A revoked runner comes with a certificate for deliveries, or is not let in.
    fn welcome<T>(&self, request: &Request<T>) -> Result<(), Status> {
        if *self.revoked.lock() && !identity(request)?.delivers_only {
            return Err(Status::permission_denied("revoked"));
        }
        Ok(())
    }

    fn leased<T>(
        &self,
        job: &str,
        epoch: u64,
        f: impl FnOnce(&mut Held) -> Result<T, Status>,
    ) -> Result<T, Status> {
        let mut jobs = self.jobs.lock();
        let held = jobs
            .get_mut(job)
            .ok_or_else(|| Status::not_found("no such job"))?;
        if held.job.epoch != epoch {
            return Err(Status::failed_precondition("stale_epoch"));
        }
        f(held)
    }

    fn directives(&self, running: &[RunningJob]) -> Vec<JobDirective> {
        let jobs = self.jobs.lock();
        running
            .iter()
            .map(|it| {
                let kind = match jobs.get(&it.job_id) {
                    None => job_directive::Kind::Forget,
                    Some(held) if held.completed.is_some() => job_directive::Kind::Forget,
                    Some(held) => held.wanted.unwrap_or(job_directive::Kind::Continue),
                };
                JobDirective {
                    job_id: it.job_id.clone(),
                    epoch: it.epoch,
                    kind: kind.into(),
                }
            })
            .collect()
    }
}

#[tonic::async_trait]
impl Enrollment for Shared {
    async fn enroll(&self, request: Request<EnrollRequest>) -> Result<Response<Identity>, Status> {
        let request = request.into_inner();
        let token = JoinToken::parse(&request.join_token)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        if token.secret_hash() != self.token.secret_hash() {
            return Err(Status::permission_denied("unknown join token"));
        }
        self.certify(&request.csr_der, &RunnerId::random())
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
        let known = check_recovery(self.ca.certificate(), claim, now())
            .map_err(|error| Status::permission_denied(error.to_string()))?;
        *self.recovered.lock() += 1;
        *self.certificate_life.lock() = chrono::TimeDelta::days(1);
        self.certify(&request.csr_der, &known.runner_id)
    }
}

#[tonic::async_trait]
impl Runner for Shared {
    type LeaseStream = Answers<LeaseEvent>;
    type AppendLogStream = Answers<LogAck>;
    type DownloadStream = Answers<DownloadChunk>;
    type RelayStream = Answers<RelayChunk>;

    async fn hello(
        &self,
        request: Request<HelloRequest>,
    ) -> Result<Response<HelloResponse>, Status> {
        self.welcome(&request)?;
        let runner_id = identity(&request)?.runner_id.to_string();
        let request = request.into_inner();
        let directives = self.directives(&request.running);
        self.hellos.lock().push(request);
        Ok(Response::new(HelloResponse {
            version: protocol::VERSION,
            heartbeat_seconds: 1,
            reconnect_window_ms: 200,
            server_software: "test".into(),
            runner_id,
            pool_name: "pool".into(),
            directives,
            ..HelloResponse::default()
        }))
    }

    async fn lease(&self, _: Request<LeaseRequest>) -> Result<Response<Self::LeaseStream>, Status> {
        let events = self.leases.subscribe();
        let waiting: Vec<_> = self
            .jobs
            .lock()
            .values()
            .filter(|held| !held.taken)
            .map(|held| {
                let offer = Offer {
                    job_id: held.job.id.clone(),
                    epoch: held.job.epoch,
                    kind: held.job.kind.clone(),
                };
                Ok(LeaseEvent {
                    event: Some(lease_event::Event::Offer(offer)),
                })
            })
            .collect();
        let later = futures::stream::unfold(events, |mut events| async move {
            events.recv().await.ok().map(|event| (Ok(event), events))
        });
        Ok(Response::new(Box::pin(
            futures::stream::iter(waiting).chain(later),
        )))
    }

    async fn acknowledge(
        &self,
        request: Request<AcknowledgeRequest>,
    ) -> Result<Response<AcknowledgeResponse>, Status> {
        let request = request.into_inner();
        let job = self.leased(&request.job_id, request.epoch, |held| {
            if std::mem::replace(&mut held.taken, true) {
                return Err(Status::failed_precondition("taken by another runner"));
            }
            Ok(held.job.clone())
        })?;
        Ok(Response::new(AcknowledgeResponse { job: Some(job) }))
    }

    async fn heartbeat(
        &self,
        request: Request<HeartbeatRequest>,
    ) -> Result<Response<HeartbeatResponse>, Status> {
        let request = request.into_inner();
        let directives = self.directives(&request.running);
        Ok(Response::new(HeartbeatResponse {
            sequence: request.sequence,
            directives,
        }))
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Result<Response<Identity>, Status> {
        let runner = identity(&request)?.runner_id.clone();
        *self.renewed.lock() += 1;
        self.certify(&request.into_inner().csr_der, &runner)
    }

    async fn log_offset(
        &self,
        request: Request<LogOffsetRequest>,
    ) -> Result<Response<LogOffsetResponse>, Status> {
        let request = request.into_inner();
        let offset = self.leased(&request.job_id, request.epoch, |held| {
            Ok(held.logs.get(&request.stream).map_or(0, Vec::len) as u64)
        })?;
        Ok(Response::new(LogOffsetResponse { offset }))
    }

    async fn append_log(
        &self,
        request: Request<Streaming<LogChunk>>,
    ) -> Result<Response<Self::AppendLogStream>, Status> {
        // Only what is shared by reference may move into the answer.
        let shared: Arc<Self> = self.arc();
        let chunks = request.into_inner();
        let acks = futures::stream::unfold((chunks, shared), |(mut chunks, shared)| async move {
            let chunk = match chunks.message().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return None,
                Err(status) => return Some((Err(status), (chunks, shared))),
            };
            let stored = shared.leased(&chunk.job_id, chunk.epoch, |held| {
                let log = held.logs.entry(chunk.stream.clone()).or_default();
                if chunk.offset > log.len() as u64 {
                    return Err(Status::out_of_range("a gap"));
                }
                if chunk.offset == log.len() as u64 {
                    log.extend_from_slice(&chunk.data);
                }
                Ok(LogAck {
                    offset: log.len() as u64,
                })
            });
            Some((stored, (chunks, shared)))
        });
        Ok(Response::new(Box::pin(acks)))
    }

    async fn progress(
        &self,
        request: Request<ProgressRequest>,
    ) -> Result<Response<ProgressResponse>, Status> {
        let request = request.into_inner();
        self.leased(&request.job_id, request.epoch, |held| {
            held.stages.push(request.stage.clone());
            Ok(())
        })?;
        Ok(Response::new(ProgressResponse::default()))
    }

    async fn upload_offset(
        &self,
        request: Request<UploadOffsetRequest>,
    ) -> Result<Response<UploadOffsetResponse>, Status> {
        let request = request.into_inner();
        let offset = self.leased(&request.job_id, request.epoch, |held| {
            let found = held
                .uploads
                .iter()
                .find(|it| it.head.upload_id == request.upload_id);
            Ok(found.map_or(0, |it| it.data.len()) as u64)
        })?;
        Ok(Response::new(UploadOffsetResponse { offset }))
    }

    async fn upload(
        &self,
        request: Request<Streaming<UploadChunk>>,
    ) -> Result<Response<UploadResponse>, Status> {
        let welcome = self.welcome(&request);
        let mut chunks = request.into_inner();
        let mut head: Option<UploadHead> = None;
        while let Some(chunk) = chunks.message().await? {
            if let Some(first) = chunk.head {
                head = Some(first);
            }
            let head = head
                .clone()
                .ok_or_else(|| Status::invalid_argument("no head"))?;
            if let Err(denied) = welcome {
                if head.final_state {
                    self.jobs.lock().get_mut(&head.job_id).unwrap().denied += 1;
                }
                return Err(denied);
            }
            self.leased(&head.job_id, head.epoch, |held| {
                let at = held
                    .uploads
                    .iter()
                    .position(|it| it.head.upload_id == head.upload_id);
                let at = at.unwrap_or_else(|| {
                    held.uploads.push(Arrived {
                        head: head.clone(),
                        ..Arrived::default()
                    });
                    held.uploads.len() - 1
                });
                let upload = &mut held.uploads[at];
                // A state that was uploaded before may come again as the final one.
                upload.head.clone_from(&head);
                if !chunk.data.is_empty() {
                    if chunk.offset != upload.data.len() as u64 {
                        return Err(Status::out_of_range("a gap"));
                    }
                    upload.data.extend_from_slice(&chunk.data);
                }
                Ok(())
            })?;
        }
        let head = head.ok_or_else(|| Status::invalid_argument("nothing came"))?;
        self.leased(&head.job_id, head.epoch, |held| {
            let upload = held
                .uploads
                .iter_mut()
                .find(|it| it.head.upload_id == head.upload_id)
                .unwrap();
            let hash: [u8; 32] = Sha256::digest(&upload.data).into();
            if upload.data.len() as u64 != head.size || hash != head.sha256[..] {
                return Err(Status::unavailable("not whole"));
            }
            upload.whole = true;
            Ok(())
        })?;
        Ok(Response::new(UploadResponse {
            object_id: "x".into(),
            disposition: "stored".into(),
        }))
    }

    async fn download(
        &self,
        request: Request<DownloadRequest>,
    ) -> Result<Response<Self::DownloadStream>, Status> {
        let request = request.into_inner();
        let data = self.leased(&request.job_id, request.epoch, |held| {
            let found = held.downloads.get(&request.kind).cloned();
            found.ok_or_else(|| Status::not_found("nothing of this kind"))
        })?;
        let hash: [u8; 32] = Sha256::digest(&data).into();
        let from = usize::try_from(request.offset).unwrap();
        let mut chunks = Vec::new();
        for (index, part) in data[from..].chunks(protocol::MAX_DATA_CHUNK).enumerate() {
            chunks.push(Ok(DownloadChunk {
                size: data.len() as u64,
                sha256: if index == 0 {
                    Bytes::copy_from_slice(&hash)
                } else {
                    Bytes::new()
                },
                offset: (from + index * protocol::MAX_DATA_CHUNK) as u64,
                data: Bytes::copy_from_slice(part),
            }));
        }
        Ok(Response::new(Box::pin(futures::stream::iter(chunks))))
    }

    async fn complete(
        &self,
        request: Request<CompleteRequest>,
    ) -> Result<Response<CompleteResponse>, Status> {
        self.welcome(&request)?;
        let request = request.into_inner();
        let accepted = self.leased(&request.job_id.clone(), request.epoch, |held| {
            if held.refuses {
                held.refused += 1;
                return Ok(false);
            }
            held.completed.get_or_insert(request);
            Ok(true)
        })?;
        Ok(Response::new(CompleteResponse { accepted }))
    }

    /// A registry with one module.
    async fn relay(
        &self,
        request: Request<RelayRequest>,
    ) -> Result<Response<Self::RelayStream>, Status> {
        let request = request.into_inner();
        self.leased(&request.job_id, request.epoch, |_| Ok(()))?;
        let json = |text: &str| {
            (
                200,
                "content-type",
                "application/json",
                text.as_bytes().to_vec(),
            )
        };
        let (status, name, value, data) = match request.path_and_query.as_str() {
            "/.well-known/terraform.json" => json(r#"{"modules.v1":"/api/modules/"}"#),
            "/api/modules/ns/one/aws/versions" => {
                json(r#"{"modules":[{"versions":[{"version":"1.0.0"}]}]}"#)
            }
            "/api/modules/ns/one/aws/1.0.0/download" => {
                let place = "https://registry.example/one.tar.gz?archive=tar.gz";
                (204, "X-Terraform-Get", place, Vec::new())
            }
            path if path.starts_with("/one.tar.gz") => {
                let module = "output \"v\" { value = \"from the module\" }";
                let module = crate::jobs::slug(&[("main.tf", module)]);
                (200, "content-type", "application/gzip", module)
            }
            _ => (404, "content-type", "text/plain", Vec::new()),
        };
        let chunk = RelayChunk {
            status,
            headers: [(name.to_owned(), value.to_owned())].into(),
            data: data.into(),
        };
        Ok(Response::new(Box::pin(futures::stream::iter([Ok(chunk)]))))
    }

    async fn renew_credentials(
        &self,
        request: Request<RenewCredentialsRequest>,
    ) -> Result<Response<RenewCredentialsResponse>, Status> {
        let request = request.into_inner();
        self.leased(&request.job_id, request.epoch, |held| {
            Ok(Response::new(RenewCredentialsResponse {
                vcs_token: held.fresh_token.clone(),
                ..RenewCredentialsResponse::default()
            }))
        })
    }
}
