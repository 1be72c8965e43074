//! The gateway of this process, from its sockets to its tasks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use link::server::{Denied, GatewayConfig, GatewayError, GatewayHandle, Limits};
use protocol::v1::enrollment_server::EnrollmentServer;
use protocol::v1::runner_server::RunnerServer;
use protocol::v1::{Drain, LeaseEvent, lease_event};
use tokio::sync::Mutex as AsyncMutex;
use tonic::service::Routes;

use super::enrollment::EnrollmentService;
use super::service::RunnerService;
use super::{directives, dispatch};
use crate::app::App;
use crate::runners::hub::Hub;
use crate::runners::{self, Authority, PresenceWriter, RunnerError};
use crate::runs::gates::GateKeeper;
use crate::runs::{self, jobs, logs, queue};
use crate::supervise::{Tasks, Wake};
use crate::{objects, state};

/// How the gateway is bound.
#[derive(Debug, Clone)]
pub struct GatewaySettings {
    pub listen: SocketAddr,
    /// Names and addresses for people who look at its certificate.
    pub names: Vec<String>,
}

/// A gateway whose sockets are bound and which serves nobody yet.
pub struct Gateway {
    app: Arc<App>,
    authority: Arc<Authority>,
    gateway: link::server::Gateway,
}

/// How often what a signal missed is repaired.
const REPAIR: Duration = Duration::from_secs(5);
/// Gates evaluated at a time by this process: each is a process of its own that may be slow.
const GATES_AT_ONCE: usize = 8;
/// How often leases are looked at: a silent runner is to be named within thirty seconds.
const LEASE_PERIOD: Duration = Duration::from_secs(1);
const LOG_PERIOD: Duration = Duration::from_secs(60);
const SWEEP_PERIOD: Duration = Duration::from_secs(3600);
const ORPHAN_AGE: TimeDelta = TimeDelta::hours(24);

impl Gateway {
    /// Takes the authority up, binds the sockets, and gives every lease a fresh period: it was the
    /// control plane that was silent.
    ///
    /// # Errors
    /// A port in use, or what keeps the authority from being read.
    pub async fn bind(app: Arc<App>, settings: GatewaySettings) -> Result<Self, BindError> {
        let authority = Arc::new(Authority::load(&app).await?);
        let certificate = authority.gateway_certificate(&settings.names, app.clock.now())?;
        let denied = denied(&app).await?;
        let config = GatewayConfig {
            listen: settings.listen,
            certificate,
            ca: authority.ca.certificate().clone(),
            reset_secret: authority.reset_secret,
            denied,
            limits: Limits::default(),
        };
        let gateway = link::server::Gateway::bind(config)?;
        runners::nobody_connected(&app).await?;
        jobs::fresh_period(&app).await?;
        Ok(Self {
            app,
            authority,
            gateway,
        })
    }

    pub fn local_address(&self) -> SocketAddr {
        self.gateway.local_address()
    }

    /// The authority, for making join tokens.
    pub fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }

    pub fn handle(&self) -> GatewayHandle {
        self.gateway.handle()
    }

    /// Starts to serve runners, and the work that runs need: queue, dispatch, leases, logs.
    /// `api` is the public API, for what jobs ask of it.
    pub fn start(self, tasks: &Tasks, api: axum::Router) {
        let (presence, changes) = PresenceWriter::new();
        let hub = Hub::new(presence.clone());
        let service = RunnerService {
            app: Arc::clone(&self.app),
            authority: Arc::clone(&self.authority),
            hub: Arc::clone(&hub),
            presence,
            api,
        };
        let enrollment = EnrollmentService {
            app: Arc::clone(&self.app),
            authority: Arc::clone(&self.authority),
        };
        let mut routes = Routes::builder();
        routes
            .add_service(
                RunnerServer::new(service)
                    .max_decoding_message_size(protocol::MAX_MESSAGE)
                    .max_encoding_message_size(protocol::MAX_MESSAGE),
            )
            .add_service(EnrollmentServer::new(enrollment));
        let routes = routes.routes();
        let handle = self.gateway.handle();
        refuse_revoked(tasks, &self.app, &handle);
        let (gateway, draining) = (self.gateway, Arc::clone(&hub));
        tasks.server("gateway", |stop| async move {
            let cut = tokio_util::sync::CancellationToken::new();
            let serving = gateway.run(routes, cut.clone());
            let drain = async {
                stop.asked().await;
                say_drain(&draining);
                handle
                    .close_all(link::close::CloseCode::Restart, FAREWELL)
                    .await;
                cut.cancel();
            };
            let (served, ()) = tokio::join!(serving, drain);
            served.map_err(|error: GatewayError| error)
        });
        background(tasks, &self.app, &hub, changes);
    }
}

/// Whom the gateway refuses, as the database has it.
async fn denied(app: &App) -> Result<Denied, RunnerError> {
    Ok(Denied {
        runners: runners::revoked(app).await?.into_iter().collect(),
        ..Denied::default()
    })
}

/// Closes the connections of runners that were revoked, here or through another replica.
fn refuse_revoked(tasks: &Tasks, app: &Arc<App>, handle: &GatewayHandle) {
    let revoked = Wake::new();
    let (with, gateway) = (Arc::clone(app), handle.clone());
    tasks.reconciler("runners.revoked", REPAIR, revoked.clone(), move || {
        let (app, gateway) = (Arc::clone(&with), gateway.clone());
        async move {
            let closed = gateway.set_denied(denied(&app).await?);
            if closed > 0 {
                tracing::info!(closed, "connections of revoked runners were closed");
            }
            Ok::<(), RunnerError>(())
        }
    });
    let mut heard = app.db.listen(runners::REVOKED);
    tasks.server("runners.revoked.heard", |stop| async move {
        loop {
            tokio::select! {
                () = stop.asked() => return Ok::<(), RunnerError>(()),
                () = heard.woken() => revoked.wake(),
            }
        }
    });
}

/// How long runners get to read that they should come back.
const FAREWELL: Duration = Duration::from_millis(200);

/// When the next process should be there.
const FIRST_BACK_MS: usize = 500;
/// Then one after another, as fast as one core takes handshakes: five in four milliseconds.
const BACK_TOGETHER: usize = 5;
const BACK_EVERY_MS: usize = 4;

/// Milliseconds until the runner at this place comes back.
fn comes_back_after(place: usize) -> u32 {
    let after = FIRST_BACK_MS + place / BACK_TOGETHER * BACK_EVERY_MS;
    u32::try_from(after).unwrap_or(u32::MAX)
}

/// Tells every connected runner when to come back.
fn say_drain(hub: &Hub) {
    for (place, (runner, _)) in hub.connected().iter().enumerate() {
        let drain = Drain {
            reconnect_after_ms: comes_back_after(place),
            reason: "restart".to_owned(),
        };
        hub.send(
            runner,
            LeaseEvent {
                event: Some(lease_event::Event::Drain(drain)),
            },
        );
    }
}

fn background(
    tasks: &Tasks,
    app: &Arc<App>,
    hub: &Arc<Hub>,
    changes: tokio::sync::mpsc::UnboundedReceiver<runners::Presence>,
) {
    let changes = Arc::new(AsyncMutex::new(changes));
    let with = Arc::clone(app);
    tasks.reconciler("runners.presence", REPAIR, Wake::new(), move || {
        let (app, changes) = (Arc::clone(&with), Arc::clone(&changes));
        async move { runners::write_presence(&app, &mut *changes.lock().await).await }
    });
    let (with, to) = (Arc::clone(app), Arc::clone(hub));
    tasks.reconciler(
        "jobs.dispatch",
        REPAIR,
        app.signals.dispatch.clone(),
        move || {
            let (app, hub) = (Arc::clone(&with), Arc::clone(&to));
            async move { dispatch::pass(&app, &hub).await }
        },
    );
    fetches(tasks, app);
    let with = Arc::clone(app);
    tasks.reconciler("runs.queue", REPAIR, app.signals.queue.clone(), move || {
        let app = Arc::clone(&with);
        async move { Box::pin(queue::pass(&app)).await }
    });
    let keeper = Arc::new(GateKeeper::new(Arc::clone(app), GATES_AT_ONCE));
    tasks.reconciler("runs.gates", REPAIR, app.signals.gates.clone(), move || {
        let keeper = Arc::clone(&keeper);
        async move { keeper.pass().await }
    });
    let with = Arc::clone(app);
    tasks.reconciler("jobs.leases", LEASE_PERIOD, Wake::new(), move || {
        let app = Arc::clone(&with);
        async move { Box::pin(jobs::expire(&app)).await }
    });
    let with = Arc::clone(app);
    tasks.reconciler(
        "runs.logs",
        LOG_PERIOD,
        app.signals.logs.clone(),
        move || {
            let app = Arc::clone(&with);
            async move { logs::compact(&app).await }
        },
    );
    listen(tasks, app, hub);
    sweep(tasks, app);
}

/// Fetches come into the queue, and those that nobody wants any more go out of it.
fn fetches(tasks: &Tasks, app: &Arc<App>) {
    let changed = Wake::new();
    let with = Arc::clone(app);
    tasks.reconciler("jobs.fetches", REPAIR, changed.clone(), move || {
        let app = Arc::clone(&with);
        async move { jobs::settle_fetches(&app).await }
    });
    let mut heard = app.db.listen(crate::fetches::CHANGED);
    tasks.server("jobs.fetches.heard", |stop| async move {
        loop {
            tokio::select! {
                () = stop.asked() => return Ok::<(), RunnerError>(()),
                () = heard.woken() => changed.wake(),
            }
        }
    });
}

/// What nobody refers to any more goes: objects and files of unfinished uploads after a day,
/// announced states that never came.
fn sweep(tasks: &Tasks, app: &Arc<App>) {
    let with = Arc::clone(app);
    tasks.reconciler("objects.sweep", SWEEP_PERIOD, Wake::new(), move || {
        let app = Arc::clone(&with);
        async move { objects::sweep(&app, ORPHAN_AGE).await.map(drop) }
    });
    let with = Arc::clone(app);
    tasks.reconciler("objects.unfinished", SWEEP_PERIOD, Wake::new(), move || {
        let app = Arc::clone(&with);
        async move { objects::remove_unfinished(&app, ORPHAN_AGE).await.map(drop) }
    });
    let with = Arc::clone(app);
    tasks.reconciler("states.pending", LOG_PERIOD, Wake::new(), move || {
        let app = Arc::clone(&with);
        async move { state::discard_expired(&app).await.map(drop) }
    });
}

/// What other replicas and other parts of this one say through the database wakes the work here.
fn listen(tasks: &Tasks, app: &Arc<App>, hub: &Arc<Hub>) {
    let wanted = Wake::new();
    let (with, to) = (Arc::clone(app), Arc::clone(hub));
    tasks.reconciler("jobs.directives", REPAIR, wanted.clone(), move || {
        let (app, hub) = (Arc::clone(&with), Arc::clone(&to));
        async move { directives::pass(&app, &hub).await }
    });
    let mut heard = app.db.listen(jobs::DIRECTIVES);
    tasks.server("jobs.directives.heard", |stop| async move {
        loop {
            tokio::select! {
                () = stop.asked() => return Ok::<(), RunnerError>(()),
                () = heard.woken() => wanted.wake(),
            }
        }
    });
    let mut changed = app.db.listen(runs::CHANGED);
    let with = Arc::clone(app);
    tasks.server("runs.changed.heard", |stop| async move {
        loop {
            tokio::select! {
                () = stop.asked() => return Ok::<(), RunnerError>(()),
                () = changed.woken() => with.signals.dispatch.wake(),
            }
        }
    });
}

/// Why a gateway can't be started.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("the runner authority can't be used")]
    Authority(#[from] RunnerError),
    #[error("the runner gateway can't be bound")]
    Gateway(#[from] GatewayError),
    #[error("running jobs can't be read")]
    Jobs(#[from] runs::RunError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runners_come_back_one_after_another_once_there_may_be_somebody() {
        assert_eq!(comes_back_after(0), 500);
        let all: Vec<u32> = (0..10_000).map(comes_back_after).collect();
        assert!(all.is_sorted());
        assert_eq!(all.last(), Some(&8_496));
    }
}
