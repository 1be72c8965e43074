//! Does what the core decides: connects, calls, starts jobs, and tells the core what came of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use link::client::{Connection, Connector};
use protocol::v1::{
    AcknowledgeRequest, Capabilities, HeartbeatRequest, HelloRequest, HelloResponse, JobDirective,
    LeaseRequest, lease_event,
};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::core::{Command, ConnectionId, Core, Event, Wanted};
use super::failure;
use crate::clock::Stopwatch;
use crate::gateway::Connected;
use crate::identity::{self, Identity};
use crate::job::{Context, JobDirectory, run_job};

/// How long an acknowledgement or a heartbeat may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a replaced connection is kept for what is still under way on it.
const FAREWELL: Duration = Duration::from_secs(20);

/// Who this runner says it is.
#[derive(Debug, Clone)]
pub struct Introduction {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub capacity: u32,
    pub capabilities: Capabilities,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEnd {
    /// As it was asked to.
    Done,
    /// The gateway won't have this runner.
    Refused,
}

/// What is asked of a session from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    Drain,
    Stop,
}

/// All that a session works with.
pub struct Session {
    pub connector: Connector,
    pub identity: Identity,
    pub introduction: Introduction,
    pub context: Arc<Context>,
    /// The other end is in the context's wire.
    pub connection: watch::Sender<Option<Arc<Connected>>>,
    pub data: std::path::PathBuf,
}

enum Heard {
    Event(Event),
    Up {
        id: ConnectionId,
        connection: Connection,
        hello: Box<HelloResponse>,
    },
    Job {
        directory: Box<JobDirectory>,
    },
    Renewed(Box<Identity>),
}

struct Shell {
    session: Session,
    core: Core,
    clock: Stopwatch,
    heard: mpsc::UnboundedSender<Heard>,
    tasks: JoinSet<()>,
    connections: BTreeMap<ConnectionId, Arc<Connected>>,
    jobs: BTreeMap<String, watch::Sender<Wanted>>,
}

impl Session {
    /// Runs until it is asked to end or is refused. `found` are the jobs that an earlier process
    /// left; they are taken up at once, connected or not.
    pub async fn run(
        self,
        found: Vec<JobDirectory>,
        mut requests: mpsc::UnboundedReceiver<Request>,
    ) -> SessionEnd {
        let (heard, mut inbox) = mpsc::unbounded_channel();
        let known = found
            .iter()
            .map(|it| (it.job.id.clone(), it.job.epoch))
            .collect();
        let mut shell = Shell {
            core: Core::new(self.introduction.capacity, known),
            session: self,
            clock: Stopwatch::start(),
            heard,
            tasks: JoinSet::new(),
            connections: BTreeMap::new(),
            jobs: BTreeMap::new(),
        };
        for directory in found {
            shell.start_job(directory);
        }
        if shell.session.identity.delivers_only() {
            if let Some(end) = shell.decide(Event::Revoked) {
                return end;
            }
        } else {
            shell.schedule_renewal();
        }
        loop {
            let commands = shell.core.tick(shell.clock.elapsed());
            if let Some(end) = shell.obey(commands) {
                return end;
            }
            let wait = shell
                .core
                .deadline()
                .map(|at| at.saturating_sub(shell.clock.elapsed()));
            let heard = tokio::select! {
                heard = inbox.recv() => heard,
                request = requests.recv() => Some(Heard::Event(match request {
                    Some(Request::Drain) => Event::DrainWanted,
                    Some(Request::Stop) | None => Event::StopWanted,
                })),
                Some(_) = shell.tasks.join_next() => continue,
                () = tokio::time::sleep(wait.unwrap_or(Duration::MAX / 4)), if wait.is_some() => {
                    continue;
                }
            };
            let Some(heard) = heard else {
                return SessionEnd::Done;
            };
            if let Some(end) = shell.hear(heard) {
                return end;
            }
        }
    }
}

impl Shell {
    fn hear(&mut self, heard: Heard) -> Option<SessionEnd> {
        let event = match heard {
            Heard::Event(event) => event,
            Heard::Up {
                id,
                connection,
                hello,
            } => return self.up(id, connection, *hello),
            Heard::Job { directory } => {
                let (job, epoch) = (directory.job.id.clone(), directory.job.epoch);
                self.start_job(*directory);
                Event::Taken {
                    job,
                    epoch,
                    ok: true,
                }
            }
            Heard::Renewed(identity) => {
                match self.session.connector.with_identity(&identity.client()) {
                    Ok(connector) => self.session.connector = connector,
                    Err(error) => tracing::error!(%error, "the new certificate can't be used"),
                }
                self.session.identity = *identity;
                if self.session.identity.delivers_only() {
                    // It isn't renewed: if it runs out, the key is proved once more.
                    Event::Revoked
                } else {
                    self.schedule_renewal();
                    Event::IdentityRenewed
                }
            }
        };
        self.decide(event)
    }

    fn decide(&mut self, event: Event) -> Option<SessionEnd> {
        if let Event::JobEnded { job } = &event {
            self.jobs.remove(job);
        }
        let commands = self
            .core
            .handle(self.clock.elapsed(), event, rand::random());
        self.obey(commands)
    }

    fn up(
        &mut self,
        id: ConnectionId,
        connection: Connection,
        hello: HelloResponse,
    ) -> Option<SessionEnd> {
        tracing::info!(
            transport = %connection.transport(), reason = connection.transport_reason(),
            pool = %hello.pool_name, runner = %hello.runner_id, server = %hello.server_software,
            "connected"
        );
        let closed = connection.clone();
        let heard = self.heard.clone();
        self.tasks.spawn(async move {
            let reason = closed.closed().await;
            tracing::info!(%reason, "connection ended");
            let _ = heard.send(Heard::Event(Event::ConnectionLost { id }));
        });
        self.connections
            .insert(id, Arc::new(Connected::new(id, connection)));
        let end = self.decide(Event::Connected {
            id,
            heartbeat: Some(Duration::from_secs(hello.heartbeat_seconds.into())),
            window: Some(Duration::from_millis(hello.reconnect_window_ms.into())),
        });
        if end.is_some() {
            return end;
        }
        for directive in hello.directives {
            if let Some(end) = self.decide(directed(directive)) {
                return Some(end);
            }
        }
        None
    }

    fn obey(&mut self, commands: Vec<Command>) -> Option<SessionEnd> {
        for command in commands {
            match command {
                Command::Connect { id } => self.connect(id),
                Command::Use { id } => {
                    self.session
                        .connection
                        .send_replace(self.connections.get(&id).cloned());
                }
                Command::Close { id } => self.close(id),
                Command::Lease { id, free } => self.lease(id, free),
                Command::Take { job, epoch } => self.take(job, epoch),
                Command::Heartbeat {
                    sequence,
                    running,
                    free,
                } => {
                    self.heartbeat(HeartbeatRequest {
                        sequence,
                        running,
                        free_slots: free,
                    });
                }
                Command::Direct { job, wanted } => self.direct(&job, wanted),
                Command::Exit { refused: true } => return Some(SessionEnd::Refused),
                Command::Exit { refused: false } => return Some(SessionEnd::Done),
            }
        }
        None
    }

    fn connect(&mut self, id: ConnectionId) {
        let connector = self.session.connector.clone();
        let request = self.hello();
        let heard = self.heard.clone();
        let identity = self.session.identity.clone();
        let data = self.session.data.clone();
        self.tasks.spawn(async move {
            let greeting = move |mut client: link::client::RunnerClient| {
                let request = request.clone();
                async move { client.hello(request).await.map(tonic::Response::into_inner) }
            };
            let _ = match Box::pin(connector.connect(greeting)).await {
                Ok((connection, hello)) => heard.send(Heard::Up {
                    id,
                    connection,
                    hello: Box::new(hello),
                }),
                Err(error) => {
                    let failure = failure::of(&error, &connector, &identity, &data).await;
                    if let Some(recovered) = failure.recovered {
                        let _ = heard.send(Heard::Renewed(Box::new(recovered)));
                    }
                    let fatal = failure.fatal;
                    heard.send(Heard::Event(Event::ConnectFailed { id, fatal }))
                }
            };
        });
    }

    fn hello(&self) -> HelloRequest {
        let introduction = &self.session.introduction;
        HelloRequest {
            min_version: protocol::OLDEST_VERSION,
            max_version: protocol::VERSION,
            software: concat!("terrane-runner ", env!("CARGO_PKG_VERSION")).to_owned(),
            capacity: introduction.capacity,
            running: self.core.running(),
            labels: introduction.labels.clone().into_iter().collect(),
            capabilities: Some(introduction.capabilities.clone()),
            name: introduction.name.clone(),
        }
    }

    /// Lets calls that are under way end; new ones already go elsewhere.
    fn close(&mut self, id: ConnectionId) {
        let Some(connected) = self.connections.remove(&id) else {
            return;
        };
        self.tasks.spawn(async move {
            let _ = tokio::time::timeout(FAREWELL, connected.connection().closed()).await;
            connected.connection().close();
        });
    }

    fn lease(&mut self, id: ConnectionId, free: u32) {
        let Some(connected) = self.connections.get(&id) else {
            return;
        };
        let mut client = connected.connection().control();
        let heard = self.heard.clone();
        self.tasks.spawn(async move {
            let request = LeaseRequest { free_slots: free };
            let mut events = match client.lease(request).await {
                Ok(events) => events.into_inner(),
                Err(status) => {
                    tracing::warn!(%status, "no leases on this connection");
                    let _ = heard.send(Heard::Event(Event::ConnectionLost { id }));
                    return;
                }
            };
            while let Ok(Some(message)) = events.message().await {
                let event = match message.event {
                    Some(lease_event::Event::Offer(offer)) => Event::Offered {
                        job: offer.job_id,
                        epoch: offer.epoch,
                    },
                    Some(lease_event::Event::Directive(directive)) => directed(directive),
                    Some(lease_event::Event::Drain(drain)) => {
                        tracing::info!(reason = %drain.reason, "the gateway asks to reconnect");
                        Event::Drain {
                            after: Duration::from_millis(drain.reconnect_after_ms.into()),
                        }
                    }
                    None => continue,
                };
                if heard.send(Heard::Event(event)).is_err() {
                    return;
                }
            }
            // A lease stream that ends on a living connection is of no use to anybody.
            let _ = heard.send(Heard::Event(Event::ConnectionLost { id }));
        });
    }

    fn take(&mut self, job: String, epoch: u64) {
        let heard = self.heard.clone();
        let connected = self.session.connection.borrow().clone();
        let jobs = self.session.data.join("jobs");
        self.tasks.spawn(async move {
            let taken = async {
                let mut client = connected?.connection().control();
                let request = AcknowledgeRequest {
                    job_id: job.clone(),
                    epoch,
                };
                let answer = tokio::time::timeout(PATIENCE, client.acknowledge(request)).await;
                let answer = match answer {
                    Ok(Ok(answer)) => answer.into_inner().job,
                    Ok(Err(status)) => {
                        tracing::warn!(job = %job, %status, "the offer could not be taken");
                        None
                    }
                    Err(_) => None,
                };
                let found = answer.filter(|it| it.id == job)?;
                let created =
                    tokio::task::spawn_blocking(move || JobDirectory::create(&jobs, found));
                match created.await {
                    Ok(Ok(directory)) => Some(directory),
                    Ok(Err(error)) => {
                        tracing::error!(job = %job, %error, "the job can't be kept on disk");
                        None
                    }
                    Err(_) => None,
                }
            };
            let _ = heard.send(match Box::pin(taken).await {
                Some(directory) => Heard::Job {
                    directory: Box::new(directory),
                },
                None => Heard::Event(Event::Taken {
                    job: job.clone(),
                    epoch,
                    ok: false,
                }),
            });
        });
    }

    fn start_job(&mut self, directory: JobDirectory) {
        let (wanted, seen) = watch::channel(Wanted::Continue);
        let id = directory.job.id.clone();
        self.jobs.insert(id.clone(), wanted);
        let context = Arc::clone(&self.session.context);
        let heard = self.heard.clone();
        self.tasks.spawn(async move {
            Box::pin(run_job(context, directory, seen)).await;
            let _ = heard.send(Heard::Event(Event::JobEnded { job: id }));
        });
    }

    /// A wish only ever grows: a cancel is not taken back by a later "continue".
    fn direct(&self, job: &str, wanted: Wanted) {
        let Some(current) = self.jobs.get(job) else {
            return;
        };
        current.send_if_modified(|now| {
            let grows = strength(wanted) > strength(*now);
            if grows {
                tracing::info!(job, ?wanted, "directed");
                *now = wanted;
            }
            grows
        });
    }

    fn heartbeat(&mut self, request: HeartbeatRequest) {
        let Some(connected) = self.session.connection.borrow().clone() else {
            return;
        };
        let heard = self.heard.clone();
        self.tasks.spawn(async move {
            let mut client = connected.connection().control();
            match tokio::time::timeout(PATIENCE, client.heartbeat(request)).await {
                Ok(Ok(answer)) => {
                    let answer = answer.into_inner();
                    let sequence = answer.sequence;
                    let _ = heard.send(Heard::Event(Event::HeartbeatAnswered { sequence }));
                    for directive in answer.directives {
                        let _ = heard.send(Heard::Event(directed(directive)));
                    }
                }
                Ok(Err(status)) => tracing::warn!(%status, "heartbeat failed"),
                Err(_) => tracing::warn!("a heartbeat was not answered"),
            }
        });
    }

    /// Renews the certificate in time, over whatever connection there is then.
    fn schedule_renewal(&mut self) {
        let identity = self.session.identity.clone();
        let wire = self.session.context.wire.clone();
        let data = self.session.data.clone();
        let heard = self.heard.clone();
        self.tasks.spawn(async move {
            let wait = identity.renew_in(crate::clock::unix_seconds(), rand::random());
            tokio::time::sleep(wait).await;
            match identity::renew(&wire, &identity).await {
                Ok(renewed) => {
                    if let Err(error) = renewed.save(&data) {
                        tracing::error!(%error, "the renewed certificate could not be kept");
                    }
                    tracing::info!("certificate renewed");
                    let _ = heard.send(Heard::Renewed(Box::new(renewed)));
                }
                Err(error) => tracing::error!(%error, "the certificate could not be renewed"),
            }
        });
    }
}

fn directed(directive: JobDirective) -> Event {
    let wanted = directive.kind();
    Event::Directive {
        job: directive.job_id,
        epoch: directive.epoch,
        wanted,
    }
}

fn strength(wanted: Wanted) -> u8 {
    match wanted {
        Wanted::Continue => 0,
        Wanted::Cancel => 1,
        Wanted::ForceCancel => 2,
        Wanted::Release => 3,
        Wanted::Forget => 4,
    }
}
