//! Makes connections by the rules of the race.

use super::channel::RunnerClient;
use super::config::ConnectorConfig;
use super::connection::{Connection, Enrolling};
use super::error::ConnectError;

/// Makes connections to one gateway. One per process: it owns the UDP socket and remembers how QUIC
/// has fared. Cheap to clone.
#[derive(Clone)]
pub struct Connector;

impl Connector {
    /// Checks the configuration; opens nothing. Needs a tokio runtime.
    pub fn new(_config: ConnectorConfig) -> Result<Self, ConnectError> {
        Ok(Self)
    }

    /// Connects and says Hello. `hello` runs on the control session of each transport that is
    /// tried, perhaps on both at once; the first answer wins and is returned, the other connection
    /// is dropped.
    pub async fn connect<R, F, Fut>(&self, _hello: F) -> Result<(Connection, R), ConnectError>
    where
        R: Send + 'static,
        F: Fn(RunnerClient) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<R, tonic::Status>> + Send + 'static,
    {
        Err(ConnectError::Configuration("not built yet".to_owned()))
    }

    /// Connects without a certificate, to enrol or to recover an identity. Makes no call by itself,
    /// so that a single-use token is used once.
    pub async fn connect_for_enrollment(&self) -> Result<Enrolling, ConnectError> {
        Err(ConnectError::Configuration("not built yet".to_owned()))
    }
}
