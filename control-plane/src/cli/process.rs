//! The serving process, the same for `serve` and `dev`: bind → open → run → drain.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use telemetry::metrics::Registry;
use tokio::sync::mpsc;

use super::failure::Failure;
use super::gateway_metrics;
use crate::app::App;
use crate::audit;
use crate::clock::Clock;
use crate::config::Config;
use crate::costs::StateKeeper;
use crate::http;
use crate::impact::{self, ImpactKeeper};
use crate::policies;
use crate::rpc::{Gateway, GatewaySettings};
use crate::run_identity;
use crate::serve::{
    CertificateFiles, ConnectionMetrics, Health, Listener, ListenerLimits, LiveCertificate, Probe,
    Scheme, admin_routes, believe_proxies,
};
use crate::supervise::{
    BoxError, Deadlines, Ending, Signal, Supervisor, TaskMetrics, Tasks, Wake, listen_for_signals,
};

/// How often the certificate's files are looked at.
const CERTIFICATE_PERIOD: Duration = Duration::from_secs(30);
/// How often the gateway gets a new certificate; each is good for months.
const GATEWAY_CERTIFICATE_PERIOD: Duration = Duration::from_secs(24 * 3600);
/// How often is looked for data documents that are due.
const DOCUMENT_PERIOD: Duration = Duration::from_secs(60);
/// How often is looked for revisions of policies that wait without anybody having said so.
const POLICY_PERIOD: Duration = Duration::from_secs(30);
/// How often is looked for impact analyses that another process has left.
const IMPACT_PERIOD: Duration = Duration::from_secs(10);
/// How often is looked for states without a cost; whoever writes one says nothing.
const COST_PERIOD: Duration = Duration::from_secs(10);
/// How often new audit records get their place in the chain: within a second, as promised.
const SEAL_PERIOD: Duration = Duration::from_millis(500);
/// How often is looked for records that a stream has not sent.
const STREAM_PERIOD: Duration = Duration::from_secs(1);
/// How often is looked for what may be forgotten.
const SWEEP_PERIOD: Duration = Duration::from_secs(3600);
/// From the end of the patience to the end of the process.
const LAST_WORD: Duration = Duration::from_secs(5);

/// A process whose ports are its own, and which does nothing yet.
pub(super) struct Process {
    registry: Registry,
    supervisor: Supervisor,
    signals: mpsc::Receiver<Signal>,
    public: Listener,
    admin: Listener,
}

impl Process {
    /// Takes over the signals and the ports. From here on a second process can't get in between.
    pub(super) fn bind(config: &Config, clock: Clock) -> Result<Self, Failure> {
        let registry = Registry::with_process()?;
        let deadlines = Deadlines {
            soft: Duration::from_secs(u64::from(config.server.drain_seconds)),
            hard: LAST_WORD,
        };
        let supervisor = Supervisor::new(deadlines, clock, TaskMetrics::register(&registry)?);
        let signals = listen_for_signals(&supervisor.tasks())
            .map_err(|error| Failure::failed("signals can't be handled", error))?;
        let public = Listener::bind("public", config.server.listen)?;
        let admin = Listener::bind("admin", config.admin.listen)?;
        Ok(Self {
            registry,
            supervisor,
            signals,
            public,
            admin,
        })
    }

    pub(super) fn public_address(&self) -> SocketAddr {
        self.public.local_address()
    }

    pub(super) fn admin_address(&self) -> SocketAddr {
        self.admin.local_address()
    }

    pub(super) fn tasks(&self) -> Tasks {
        self.supervisor.tasks()
    }

    /// Starts to serve: clients on the public port and on `plain`, runners on the gateway.
    pub(super) async fn start(
        self,
        config: &Config,
        app: &Arc<App>,
        gateway: Gateway,
        plain: Option<Listener>,
    ) -> Result<Running, Failure> {
        let tasks = self.supervisor.tasks();
        let metrics = ConnectionMetrics::register(&self.registry)?;
        let limits = ListenerLimits {
            connections: config.server.max_connections,
            header_timeout: Duration::from_secs(u64::from(config.limits.header_timeout_seconds)),
        };
        let api = http::router(Arc::clone(app));
        renew_gateway_certificate(&tasks, &gateway, gateway_names(config), app.clock.clone());
        gateway_metrics::register(&self.registry, &gateway.handle())?;
        gateway.start(&tasks, api.clone());
        check_policies(&tasks, app);
        refresh_documents(&tasks, app);
        analyse_impact(&tasks, app);
        rotate_identity_keys(&tasks, app);
        price_states(&tasks, app);
        keep_audit(&tasks, app);
        let routes = believe_proxies(api, config.server.trusted_proxies.clone());
        let scheme = scheme(config, &tasks).await?;
        for (name, listener, scheme) in std::iter::once(("http.public", self.public, scheme))
            .chain(plain.map(|listener| ("http.plain", listener, Scheme::Http)))
        {
            let (routes, metrics) = (routes.clone(), metrics.clone());
            tasks.server(name, |stop| {
                listener.serve(scheme, routes, limits, metrics, stop)
            });
        }
        let health = Health::new(tasks.clone(), vec![database_probe(app)]);
        let routes = admin_routes(self.registry, health);
        let admin = self.admin;
        tasks.server("http.admin", |stop| {
            admin.serve(Scheme::Http, routes, limits, metrics, stop)
        });
        Ok(Running {
            supervisor: self.supervisor,
            signals: self.signals,
        })
    }
}

/// Binds the gateway of runners.
pub(super) async fn gateway(config: &Config, app: &Arc<App>) -> Result<Gateway, Failure> {
    let settings = GatewaySettings {
        listen: config.gateway.listen,
        names: gateway_names(config),
    };
    Ok(Gateway::bind(Arc::clone(app), settings).await?)
}

fn gateway_names(config: &Config) -> Vec<String> {
    let host = config.server.public_url.host_str().map(str::to_owned);
    let advertised = config
        .gateway
        .advertise
        .iter()
        .map(|name| host_of(name).to_owned());
    host.into_iter().chain(advertised).collect()
}

fn renew_gateway_certificate(tasks: &Tasks, gateway: &Gateway, names: Vec<String>, clock: Clock) {
    let (handle, authority) = (gateway.handle(), Arc::clone(gateway.authority()));
    tasks.reconciler(
        "gateway.certificate",
        GATEWAY_CERTIFICATE_PERIOD,
        Wake::new(),
        move || {
            let renewed = authority
                .gateway_certificate(&names, clock.now())
                .map_err(BoxError::from)
                .and_then(|certificate| Ok(handle.replace_certificate(&certificate)?));
            async move { renewed }
        },
    );
}

fn check_policies(tasks: &Tasks, app: &Arc<App>) {
    let (wake, app) = (app.signals.policies.clone(), Arc::clone(app));
    tasks.reconciler("policies.check", POLICY_PERIOD, wake, move || {
        let app = Arc::clone(&app);
        async move { policies::check_waiting(&app).await }
    });
}

fn refresh_documents(tasks: &Tasks, app: &Arc<App>) {
    let app = Arc::clone(app);
    tasks.reconciler(
        "policies.documents",
        DOCUMENT_PERIOD,
        Wake::new(),
        move || {
            let app = Arc::clone(&app);
            async move { policies::refresh_due(&app).await }
        },
    );
}

fn rotate_identity_keys(tasks: &Tasks, app: &Arc<App>) {
    let app = Arc::clone(app);
    tasks.reconciler("identity.keys", SWEEP_PERIOD, Wake::new(), move || {
        let app = Arc::clone(&app);
        async move { run_identity::rotate_due(&app).await }
    });
}

fn analyse_impact(tasks: &Tasks, app: &Arc<App>) {
    let keeper = Arc::new(ImpactKeeper::new(Arc::clone(app)));
    let wake = app.signals.impact.clone();
    tasks.reconciler("impact.analyses", IMPACT_PERIOD, wake, move || {
        let keeper = Arc::clone(&keeper);
        async move { keeper.pass().await }
    });
    let app = Arc::clone(app);
    tasks.reconciler("impact.sweep", SWEEP_PERIOD, Wake::new(), move || {
        let app = Arc::clone(&app);
        async move { impact::sweep(&app).await }
    });
}

fn price_states(tasks: &Tasks, app: &Arc<App>) {
    let keeper = Arc::new(StateKeeper::new(Arc::clone(app)));
    let wake = app.signals.costs.clone();
    tasks.reconciler("costs.states", COST_PERIOD, wake, move || {
        let keeper = Arc::clone(&keeper);
        async move { keeper.pass().await }
    });
}

fn keep_audit(tasks: &Tasks, app: &Arc<App>) {
    let sealer = Arc::clone(app);
    tasks.reconciler("audit.seal", SEAL_PERIOD, Wake::new(), move || {
        let app = Arc::clone(&sealer);
        async move { audit::seal_new(&app).await }
    });
    let sender = Arc::clone(app);
    tasks.reconciler("audit.streams", STREAM_PERIOD, Wake::new(), move || {
        let app = Arc::clone(&sender);
        async move { audit::deliver_due(&app).await }
    });
    let app = Arc::clone(app);
    tasks.reconciler("audit.retention", SWEEP_PERIOD, Wake::new(), move || {
        let app = Arc::clone(&app);
        async move { audit::remove_old(&app).await }
    });
}

/// `HOST[:PORT]` without its port.
fn host_of(name: &str) -> &str {
    match name.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() && !host.ends_with(':') => {
            host.trim_start_matches('[').trim_end_matches(']')
        }
        _ => name,
    }
}

/// A process that serves.
pub(super) struct Running {
    supervisor: Supervisor,
    signals: mpsc::Receiver<Signal>,
}

impl Running {
    /// Serves until it is told to stop, and drains.
    pub(super) async fn until_the_end(self, app: Arc<App>) -> Ending {
        let ending = self.supervisor.run(self.signals).await;
        app.db.close().await;
        tracing::info!(
            cut_off = ending.cut_off,
            exit_code = ending.exit_code(),
            "stopped"
        );
        ending
    }
}

async fn scheme(config: &Config, tasks: &Tasks) -> Result<Scheme, Failure> {
    let server = &config.server;
    let (Some(certificate), Some(key)) = (&server.tls_certificate_file, &server.tls_key_file)
    else {
        return Ok(Scheme::Http);
    };
    let files = CertificateFiles {
        certificate: certificate.clone(),
        key: key.clone(),
    };
    let live = LiveCertificate::load(files).await?;
    let config = live.server_config()?;
    tasks.reconciler(
        "http.certificate",
        CERTIFICATE_PERIOD,
        Wake::new(),
        move || {
            let live = live.clone();
            async move { live.reload().await }
        },
    );
    Ok(Scheme::Https(config))
}

fn database_probe(app: &Arc<App>) -> Probe {
    let app = Arc::clone(app);
    let ask = move || -> futures::future::BoxFuture<'static, _> {
        let app = Arc::clone(&app);
        Box::pin(async move {
            app.db.acquire().await?.database_now().await?;
            Ok(())
        })
    };
    Probe {
        name: "database",
        ask: Box::new(ask),
    }
}
