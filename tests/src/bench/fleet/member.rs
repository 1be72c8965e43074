//! One simulated runner.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use link::backoff::Backoff;
use link::client::{Connection, Connector, RunnerClient};
use protocol::v1::{
    AcknowledgeRequest, Capabilities, HeartbeatRequest, HelloRequest, HelloResponse, LeaseRequest,
    Offer, lease_event,
};
use tokio::time::{MissedTickBehavior, interval_at, timeout};
use tonic::Status;

use super::count::Here;
use super::held::Load;
use super::{Held, Shared};

/// Jobs at a time: as many as a real runner takes.
const CAPACITY: u32 = 5;
/// How long a heart-beat may go unanswered, and how many of them. A real runner doesn't wait for the
/// answer before it sends the next, so four of them are as many periods.
const PATIENCE: Duration = Duration::from_secs(8);
const UNANSWERED: u32 = 4;

pub(super) struct Member {
    connector: Connector,
    name: String,
    shared: Arc<Shared>,
    load: Arc<Load>,
    sequence: u64,
}

/// How a connection ended: when the gateway asked to come back, if it did.
type ComeBack = Option<Instant>;

impl Member {
    pub(super) fn new(connector: Connector, index: usize, shared: Arc<Shared>) -> Self {
        Self {
            connector,
            name: format!("fleet-{index}"),
            shared,
            load: Arc::default(),
            sequence: 0,
        }
    }

    /// Connects, and connects again, by the rules of the real runner.
    pub(super) async fn live(mut self) {
        let mut backoff = Backoff::default();
        loop {
            let request = self.hello();
            let greeting = move |mut client: RunnerClient| {
                let request = request.clone();
                async move { client.hello(request).await.map(tonic::Response::into_inner) }
            };
            let wait = match Box::pin(self.connector.connect(greeting)).await {
                Ok((connection, hello)) => {
                    let since = Instant::now();
                    let window = Duration::from_millis(hello.reconnect_window_ms.into());
                    let come_back = Box::pin(self.serve(&connection, &hello)).await;
                    come_back.map_or_else(
                        || backoff.next(since.elapsed(), Some(window), rand::random()),
                        |at| at.saturating_duration_since(Instant::now()),
                    )
                }
                Err(_) => backoff.next(Duration::ZERO, None, rand::random()),
            };
            tokio::time::sleep(wait).await;
        }
    }

    fn hello(&self) -> HelloRequest {
        HelloRequest {
            min_version: protocol::OLDEST_VERSION,
            max_version: protocol::VERSION,
            software: "simulated runner".to_owned(),
            capacity: CAPACITY,
            capabilities: Some(Capabilities {
                executors: vec!["process".to_owned()],
                sandbox_level: "strong".to_owned(),
                metadata_address_blocked: true,
                os: "linux".to_owned(),
                arch: std::env::consts::ARCH.to_owned(),
                ..Capabilities::default()
            }),
            name: self.name.clone(),
            ..HelloRequest::default()
        }
    }

    fn free(&self) -> u32 {
        CAPACITY.saturating_sub(self.load.jobs.load(Ordering::Relaxed))
    }

    /// Until the connection has ended.
    async fn serve(&mut self, connection: &Connection, hello: &HelloResponse) -> ComeBack {
        let mut come_back = None;
        let living = self.listen(connection, hello, &mut come_back);
        tokio::select! {
            _ = connection.closed() => {}
            ended = Box::pin(living) => match ended {
                Ok(never) => match never {},
                // The connection is of no use without its lease stream.
                Err(_) => connection.close(),
            },
        }
        come_back
    }

    async fn listen(
        &mut self,
        connection: &Connection,
        hello: &HelloResponse,
        come_back: &mut ComeBack,
    ) -> Result<Infallible, Status> {
        let mut client = connection.control();
        let free_slots = self.free();
        let lease = client.lease(LeaseRequest { free_slots }).await?;
        let mut events = lease.into_inner();
        let _here = Here::new(&self.shared.count);
        let every = Duration::from_secs(hello.heartbeat_seconds.max(1).into());
        let mut beat = interval_at(tokio::time::Instant::now() + every, every);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let load = Arc::clone(&self.load);
        let mut unanswered = 0;
        loop {
            tokio::select! {
                event = events.message() => match event?.and_then(|it| it.event) {
                    Some(lease_event::Event::Offer(offer)) => {
                        self.take(&mut client, connection, offer).await;
                    }
                    Some(lease_event::Event::Drain(drain)) => {
                        let after = Duration::from_millis(drain.reconnect_after_ms.into());
                        *come_back = Some(Instant::now() + after);
                    }
                    Some(lease_event::Event::Directive(_)) => {}
                    None => return Err(Status::unavailable("the lease stream has ended")),
                },
                _ = beat.tick() => self.heartbeat(&mut client, &mut unanswered).await?,
                () = load.changed.notified() => {
                    self.heartbeat(&mut client, &mut unanswered).await?;
                }
            }
        }
    }

    async fn take(&self, client: &mut RunnerClient, connection: &Connection, offer: Offer) {
        let request = AcknowledgeRequest {
            job_id: offer.job_id,
            epoch: offer.epoch,
        };
        // An offer that can't be taken is given to another one.
        let Ok(answer) = client.acknowledge(request).await else {
            return;
        };
        let taken_at = SystemTime::now();
        let Some(job) = answer.into_inner().job else {
            return;
        };
        self.load.jobs.fetch_add(1, Ordering::Relaxed);
        let held = Held {
            job,
            taken_at,
            connection: connection.clone(),
            load: Arc::clone(&self.load),
        };
        // Without a reader the benchmark is over.
        let _ = self.shared.held.send(held);
    }

    async fn heartbeat(
        &mut self,
        client: &mut RunnerClient,
        unanswered: &mut u32,
    ) -> Result<(), Status> {
        self.sequence += 1;
        let request = HeartbeatRequest {
            sequence: self.sequence,
            free_slots: self.free(),
            ..HeartbeatRequest::default()
        };
        let answered = matches!(
            timeout(PATIENCE, client.heartbeat(request)).await,
            Ok(Ok(_))
        );
        *unanswered = if answered { 0 } else { *unanswered + 1 };
        if *unanswered >= UNANSWERED {
            return Err(Status::unavailable("heart-beats are not answered"));
        }
        Ok(())
    }
}
