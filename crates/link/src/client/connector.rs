//! Makes connections by the rules of the race.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use parking_lot::Mutex;
use tonic::Status;

use super::address;
use super::attempt::{Greeted, Greeting, attempt};
use super::channel::{Channel, EnrollmentClient, RunnerClient, runner_client};
use super::config::ConnectorConfig;
use super::connection::{Connection, Enrolling};
use super::dialer::Dialer;
use super::error::ConnectError;
use super::health::QuicHealth;
use super::memory::{Memory, network_key};
use super::plan::{Known, Plan};
use super::proxy::Proxy;
use super::race::{RaceError, race};
use super::session::Ping;
use crate::Transport;

/// Makes connections to one gateway. One per process: it owns the UDP socket and remembers how QUIC
/// has fared. Cheap to clone.
#[derive(Clone)]
pub struct Connector {
    inner: Arc<Inner>,
    dialer: Dialer,
}

/// What all connections of a connector share.
pub(super) struct Inner {
    pub(super) config: ConnectorConfig,
    pub(super) proxy: Option<Proxy>,
    host: String,
    port: u16,
    pub(super) endpoint: Mutex<Option<quinn::Endpoint>>,
    pub(super) health: Mutex<QuicHealth>,
}

impl Connector {
    /// Checks the configuration; opens nothing.
    pub fn new(config: ConnectorConfig) -> Result<Self, ConnectError> {
        let dialer = Dialer::new(&config, config.identity.as_ref())?;
        let (host, port) = address::split(&config.gateway).ok_or_else(|| {
            let gateway = &config.gateway;
            ConnectError::Configuration(format!("the gateway must be host:port, not {gateway:?}"))
        })?;
        let proxy = config.https_proxy.as_ref().map(Proxy::from_url).transpose();
        let inner = Inner {
            host: host.to_owned(),
            port,
            proxy: proxy.map_err(ConnectError::Configuration)?,
            endpoint: Mutex::default(),
            health: Mutex::default(),
            config,
        };
        Ok(Self {
            inner: Arc::new(inner),
            dialer,
        })
    }

    /// The same way to the gateway with a renewed certificate: socket and memory are kept.
    pub fn with_identity(
        &self,
        identity: &crate::tls::ClientIdentity,
    ) -> Result<Self, ConnectError> {
        let dialer = Dialer::new(&self.inner.config, Some(identity))?;
        Ok(Self {
            inner: Arc::clone(&self.inner),
            dialer,
        })
    }

    /// Connects and says Hello. `hello` runs on the control session of each transport that is
    /// tried, perhaps on both at once; the first answer wins and is returned, the other connection
    /// is dropped.
    pub async fn connect<R, F, Fut>(&self, hello: F) -> Result<(Connection, R), ConnectError>
    where
        R: Send + 'static,
        F: Fn(RunnerClient) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, Status>> + Send + 'static,
    {
        let greeted = self.run(self.dialer.clone(), greeting(hello)).await?;
        Ok((greeted.connection, greeted.answer))
    }

    /// Connects without a certificate, to enrol or to recover an identity. Makes no call by itself,
    /// so that a single-use token is used once. The gateway ends such a connection after 30 s.
    pub async fn connect_for_enrollment(&self) -> Result<Enrolling, ConnectError> {
        let dialer = Dialer::new(&self.inner.config, None)?;
        let nothing: Greeting<Channel> =
            Arc::new(|channel| Box::pin(std::future::ready(Ok(channel))));
        let greeted = self.run(dialer, nothing).await?;
        Ok(Enrolling {
            client: EnrollmentClient::new(greeted.answer),
            connection: greeted.connection,
        })
    }

    async fn run<R: Send + 'static>(
        &self,
        dialer: Dialer,
        greeting: Greeting<R>,
    ) -> Result<Greeted<R>, ConnectError> {
        let network = self.inner.network().await;
        let plan = Plan::new(self.inner.known(network.as_deref()));
        let inner = &self.inner;
        let won = race(&plan, |transport| {
            let parts = (Arc::clone(inner), dialer.clone(), Arc::clone(&greeting));
            Box::pin(attempt(parts.0, parts.1, transport, parts.2))
        })
        .await;
        match won {
            Ok(won) => {
                inner.remember(network, won.transport);
                let mut greeted = won.prize;
                greeted.connection.set_reason(won.reason);
                Ok(greeted)
            }
            Err(RaceError::Final(error)) => Err(error),
            Err(RaceError::Unreachable(failures)) => Err(ConnectError::Unreachable {
                gateway: inner.config.gateway.clone(),
                failures,
            }),
        }
    }
}

/// Boxes a Hello.
pub(super) fn greeting<R, F, Fut>(hello: F) -> Greeting<R>
where
    F: Fn(RunnerClient) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, Status>> + Send + 'static,
{
    Arc::new(move |channel| Box::pin(hello(runner_client(channel))))
}

impl Inner {
    pub(super) fn gateway(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    pub(super) fn ping(&self) -> Ping {
        Ping {
            every: self.config.keepalive,
            patience: self.config.keepalive / 2,
        }
    }

    /// The key of the present network; None where nothing is to be remembered.
    async fn network(&self) -> Option<String> {
        if self.config.network_memory.is_none() || self.proxy.is_some() {
            return None;
        }
        let addresses = address::resolve(&self.host, self.port).await.ok()?;
        network_key(&self.config.gateway, *addresses.first()?)
    }

    fn known(&self, network: Option<&str>) -> Known {
        let memory = self.config.network_memory.as_deref();
        let last_winner = memory
            .zip(network)
            .and_then(|(path, network)| Memory::load(path).winner(network, SystemTime::now()));
        Known {
            choice: self.config.transport,
            behind_proxy: self.proxy.is_some(),
            last_winner,
            quic_avoided: self.health.lock().is_avoided(Instant::now()),
        }
    }

    pub(super) fn remember(&self, network: Option<String>, winner: Transport) {
        let Some((path, network)) = self.config.network_memory.as_deref().zip(network) else {
            return;
        };
        let mut memory = Memory::load(path);
        memory.record(network, winner, SystemTime::now());
        if let Err(error) = memory.store(path) {
            tracing::debug!(%error, path = %path.display(), "the network memory can't be written");
        }
    }

    /// Remembers the winner of the present network.
    pub(super) async fn remember_here(&self, winner: Transport) {
        let network = self.network().await;
        self.remember(network, winner);
    }
}
