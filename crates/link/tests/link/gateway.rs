//! A gateway under test, and runners for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::RunnerId;
use link::Transport;
use link::ca::{RunnerCa, generate_key_and_csr};
use link::client::{ConnectError, Connection, Connector, ConnectorConfig, TransportChoice};
use link::server::{Denied, Gateway, GatewayConfig, GatewayHandle, Limits};
use link::tls::{ClientIdentity, Trust};
use protocol::v1::enrollment_server::EnrollmentServer;
use protocol::v1::runner_server::RunnerServer;
use protocol::v1::{HelloRequest, HelloResponse};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::stub::Stub;

pub(crate) const BOTH: [Transport; 2] = [Transport::Quic, Transport::Tcp];
pub(crate) const DAY: TimeDelta = TimeDelta::days(1);
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}

/// Waits for what must happen; a failure of the wait is a failure of the test.
pub(crate) async fn soon<T>(what: &str, happens: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, happens)
        .await
        .unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain: {what}"))
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    soon(what, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

pub(crate) struct TestGateway {
    pub(crate) address: SocketAddr,
    pub(crate) handle: GatewayHandle,
    pub(crate) stub: Arc<Stub>,
    pub(crate) ca: Arc<RunnerCa>,
    shutdown: CancellationToken,
    tasks: JoinSet<()>,
}

pub(crate) fn new_ca() -> Arc<RunnerCa> {
    Arc::new(RunnerCa::generate(now() - DAY, now() + DAY * 365).unwrap())
}

pub(crate) fn config(ca: &RunnerCa, listen: SocketAddr, limits: Limits) -> GatewayConfig {
    GatewayConfig {
        listen,
        certificate: ca.issue_server(&[], now() - DAY, now() + DAY).unwrap(),
        ca: ca.certificate().clone(),
        reset_secret: [9; 64],
        denied: Denied::default(),
        limits,
    }
}

pub(crate) fn routes(stub: &Arc<Stub>) -> tonic::service::Routes {
    let runner =
        RunnerServer::from_arc(Arc::clone(stub)).max_decoding_message_size(protocol::MAX_MESSAGE);
    let mut routes = tonic::service::Routes::builder();
    routes.add_service(runner);
    routes.add_service(EnrollmentServer::from_arc(Arc::clone(stub)));
    routes.routes()
}

impl TestGateway {
    pub(crate) async fn start() -> Self {
        Self::with_limits(Limits::default()).await
    }

    pub(crate) async fn with_limits(limits: Limits) -> Self {
        let ca = new_ca();
        let config = config(&ca, "127.0.0.1:0".parse().unwrap(), limits);
        Self::with_config(ca, config).await
    }

    pub(crate) async fn with_config(ca: Arc<RunnerCa>, config: GatewayConfig) -> Self {
        let stub = Arc::new(Stub::new(Arc::clone(&ca)));
        let gateway = Gateway::bind(config).unwrap();
        let handle = gateway.handle();
        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let running = gateway.run(routes(&stub), shutdown.clone());
        tasks.spawn(async move { running.await.unwrap() });
        Self {
            address: handle.local_address(),
            handle,
            stub,
            ca,
            shutdown,
            tasks,
        }
    }

    /// Stops it as an operator would.
    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        while let Some(ended) = soon("the gateway stops", self.tasks.join_next()).await {
            ended.unwrap();
        }
    }

    pub(crate) fn trust(&self) -> Trust {
        Trust::Ca(self.ca.certificate().clone())
    }

    /// A certificate as enrolment would give.
    pub(crate) fn issue(&self, runner: &RunnerId) -> ClientIdentity {
        issue(&self.ca, runner, now() + DAY)
    }

    /// A connector of a new runner, held to one transport.
    pub(crate) fn connector(&self, transport: Transport) -> Connector {
        self.connector_of(transport, self.issue(&RunnerId::random()))
    }

    pub(crate) fn connector_of(&self, transport: Transport, identity: ClientIdentity) -> Connector {
        Connector::new(self.config(TransportChoice::Only(transport), Some(identity))).unwrap()
    }

    pub(crate) fn config(
        &self,
        transport: TransportChoice,
        identity: Option<ClientIdentity>,
    ) -> ConnectorConfig {
        let gateway = self.address.to_string();
        ConnectorConfig {
            transport,
            ..ConnectorConfig::new(gateway, self.trust(), identity)
        }
    }
}

pub(crate) fn issue(ca: &RunnerCa, runner: &RunnerId, not_after: DateTime<Utc>) -> ClientIdentity {
    let made = generate_key_and_csr().unwrap();
    let certificate = ca
        .sign_csr(&made.csr_der, runner, now() - DAY * 2, not_after)
        .unwrap();
    ClientIdentity {
        certificate,
        key: made.key,
    }
}

/// Connects with a usual Hello.
pub(crate) async fn connect(
    connector: &Connector,
) -> Result<(Connection, HelloResponse), ConnectError> {
    connect_speaking(connector, protocol::OLDEST_VERSION, protocol::VERSION).await
}

pub(crate) async fn connect_speaking(
    connector: &Connector,
    min_version: u32,
    max_version: u32,
) -> Result<(Connection, HelloResponse), ConnectError> {
    let hello = HelloRequest {
        min_version,
        max_version,
        ..Default::default()
    };
    let connecting = connector.connect(move |mut client| {
        let hello = hello.clone();
        async move { Ok(client.hello(hello).await?.into_inner()) }
    });
    soon("connect", connecting).await
}
