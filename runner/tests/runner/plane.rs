//! A control plane in the test's process: hands out jobs and keeps what runners send.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use link::ca::RunnerCa;
use link::join::JoinToken;
use link::server::{Denied, Gateway, GatewayConfig, Limits};
use parking_lot::Mutex;
use protocol::v1::enrollment_server::EnrollmentServer;
use protocol::v1::runner_server::RunnerServer;
use protocol::v1::*;
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(120);
const DAY: TimeDelta = TimeDelta::days(1);

pub(crate) fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}

/// One upload as it arrived.
#[derive(Debug, Clone, Default)]
pub(crate) struct Arrived {
    pub(crate) head: UploadHead,
    pub(crate) data: Vec<u8>,
    pub(crate) whole: bool,
}

/// What is known of one job.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) job: Job,
    pub(crate) taken: bool,
    pub(crate) logs: BTreeMap<String, Vec<u8>>,
    pub(crate) uploads: Vec<Arrived>,
    pub(crate) downloads: BTreeMap<String, Vec<u8>>,
    pub(crate) stages: Vec<String>,
    pub(crate) wanted: Option<job_directive::Kind>,
    pub(crate) completed: Option<CompleteRequest>,
    /// The repository's token as it is now.
    pub(crate) fresh_token: String,
    /// Its report is not taken.
    pub(crate) refuses: bool,
    pub(crate) refused: u32,
    /// Its final state was refused, because the runner is revoked.
    pub(crate) denied: u32,
}

impl Held {
    pub(crate) fn log(&self, stream: &str) -> String {
        String::from_utf8_lossy(self.logs.get(stream).map_or(&[], Vec::as_slice)).into_owned()
    }

    /// The newest whole upload of a kind.
    pub(crate) fn upload(&self, kind: &str) -> Option<&Arrived> {
        self.uploads
            .iter()
            .rev()
            .find(|it| it.whole && it.head.kind == kind)
    }
}

/// What the services share.
pub(crate) struct Shared {
    pub(crate) ca: Arc<RunnerCa>,
    pub(crate) token: JoinToken,
    pub(crate) jobs: Mutex<BTreeMap<String, Held>>,
    pub(crate) leases: broadcast::Sender<LeaseEvent>,
    pub(crate) certificate_life: Mutex<TimeDelta>,
    pub(crate) hellos: Mutex<Vec<HelloRequest>>,
    pub(crate) recovered: Mutex<u32>,
    pub(crate) renewed: Mutex<u32>,
    /// Every runner is revoked: it may come back to deliver only.
    pub(crate) revoked: Mutex<bool>,
    /// Itself, for answers that outlive a call.
    pub(crate) own: std::sync::Weak<Shared>,
}

impl Shared {
    pub(crate) fn arc(&self) -> Arc<Self> {
        self.own.upgrade().unwrap()
    }
}

pub(crate) struct Plane {
    pub(crate) shared: Arc<Shared>,
    pub(crate) address: SocketAddr,
    shutdown: CancellationToken,
    tasks: JoinSet<()>,
}

impl Plane {
    pub(crate) async fn start() -> Self {
        let ca = Arc::new(RunnerCa::generate(now() - DAY, now() + DAY * 365).unwrap());
        let shared = Arc::new_cyclic(|own| Shared {
            own: own.clone(),
            token: JoinToken::generate(ca.fingerprint()),
            ca,
            jobs: Mutex::default(),
            leases: broadcast::Sender::new(64),
            certificate_life: Mutex::new(DAY),
            hellos: Mutex::default(),
            recovered: Mutex::default(),
            renewed: Mutex::default(),
            revoked: Mutex::default(),
        });
        Self::serve(shared, "127.0.0.1:0".parse().unwrap())
    }

    fn serve(shared: Arc<Shared>, listen: SocketAddr) -> Self {
        let bind = || {
            Gateway::bind(GatewayConfig {
                listen,
                certificate: shared
                    .ca
                    .issue_server(&[], now() - DAY, now() + DAY)
                    .unwrap(),
                ca: shared.ca.certificate().clone(),
                reset_secret: [9; 64],
                denied: Denied::default(),
                limits: Limits::default(),
            })
        };
        // An earlier listener may take a moment to go.
        let deadline = std::time::Instant::now() + PATIENCE;
        let gateway = loop {
            match bind() {
                Ok(gateway) => break gateway,
                Err(error) => assert!(std::time::Instant::now() < deadline, "{error:?}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        let address = gateway.local_address();
        let shutdown = CancellationToken::new();
        let mut routes = tonic::service::Routes::builder();
        routes.add_service(
            RunnerServer::from_arc(Arc::clone(&shared))
                .max_decoding_message_size(protocol::MAX_MESSAGE),
        );
        routes.add_service(EnrollmentServer::from_arc(Arc::clone(&shared)));
        let running = gateway.run(routes.routes(), shutdown.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { running.await.unwrap() });
        Self {
            address,
            shared,
            shutdown,
            tasks,
        }
    }

    /// Stops serving; what it holds stays.
    pub(crate) async fn stop(mut self) -> (Arc<Shared>, SocketAddr) {
        self.shutdown.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        (self.shared, self.address)
    }

    /// Serves again what it held, at the same address.
    pub(crate) fn again((shared, address): (Arc<Shared>, SocketAddr)) -> Self {
        Self::serve(shared, address)
    }

    /// Queues a job with what it may download.
    pub(crate) fn queue(&self, job: Job, downloads: &[(&str, Vec<u8>)]) {
        self.queue_as(job, downloads, |_| {});
    }

    /// Queues a job that the plane knows more of.
    pub(crate) fn queue_with(&self, job: Job, more: impl FnOnce(&mut Held)) {
        self.queue_as(job, &[], more);
    }

    fn queue_as(&self, job: Job, downloads: &[(&str, Vec<u8>)], more: impl FnOnce(&mut Held)) {
        let offer = Offer {
            job_id: job.id.clone(),
            epoch: job.epoch,
            kind: job.kind.clone(),
        };
        let downloads = downloads
            .iter()
            .map(|(kind, data)| ((*kind).to_owned(), data.clone()))
            .collect();
        let mut held = Held {
            job: job.clone(),
            downloads,
            ..Held::default()
        };
        more(&mut held);
        self.shared.jobs.lock().insert(job.id, held);
        let _ = self.shared.leases.send(LeaseEvent {
            event: Some(lease_event::Event::Offer(offer)),
        });
    }

    /// Directs a job, on the lease stream and with each heartbeat.
    pub(crate) fn direct(&self, job: &str, kind: job_directive::Kind) {
        let mut jobs = self.shared.jobs.lock();
        let held = jobs.get_mut(job).unwrap();
        held.wanted = Some(kind);
        let directive = JobDirective {
            job_id: job.to_owned(),
            epoch: held.job.epoch,
            kind: kind.into(),
        };
        let event = lease_event::Event::Directive(directive);
        let _ = self.shared.leases.send(LeaseEvent { event: Some(event) });
    }

    /// Looks at a job.
    pub(crate) fn with<T>(&self, job: &str, look: impl FnOnce(&Held) -> T) -> T {
        look(&self.shared.jobs.lock()[job])
    }

    /// Waits until a job is as `holds` wants it.
    pub(crate) async fn until(&self, what: &str, job: &str, holds: impl Fn(&Held) -> bool) {
        let waiting = async {
            while !self.with(job, &holds) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            let seen = self.with(job, |held| {
                format!(
                    "{:?}\n{}\n{:?}",
                    held.stages,
                    held.log("text"),
                    held.completed
                )
            });
            panic!("waited in vain for {job}: {what}\n{seen}");
        }
    }

    /// Waits for the report of a job.
    pub(crate) async fn completion(&self, job: &str) -> CompleteRequest {
        self.until("its report", job, |held| held.completed.is_some())
            .await;
        self.with(job, |held| held.completed.clone().unwrap())
    }
}
