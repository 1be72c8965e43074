//! Over TCP, looking now and then whether QUIC has become possible.

use std::sync::Arc;

use tonic::Status;

use super::attempt::{Failure, greet_quic};
use super::channel::RunnerClient;
use super::connection::Connection;
use super::connector::greeting;
use super::error::ConnectError;
use super::{dial_quic, verdict};
use crate::Transport;
use crate::close::CloseReason;

impl Connection {
    /// Tries QUIC; if it holds for two keepalives, says Hello on it and remembers that it won. The
    /// caller moves over when it is idle, make-before-break, and asks again in 10 to 30 minutes
    /// otherwise.
    pub async fn probe_quic<R, F, Fut>(&self, hello: F) -> Result<(Connection, R), ConnectError>
    where
        R: Send + 'static,
        F: Fn(RunnerClient) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, Status>> + Send + 'static,
    {
        let inner = Arc::clone(&self.live.inner);
        let failed = |failure: String| ConnectError::Unreachable {
            gateway: inner.config.gateway.clone(),
            failures: vec![format!("QUIC: {failure}")],
        };
        let limit = inner.config.timeout;
        let dialling = dial_quic::dial(&inner, &self.live.dialer);
        let connection = match tokio::time::timeout(limit, dialling).await {
            Ok(dialled) => dialled.map_err(failed)?,
            Err(_) => return Err(failed("no answer".to_owned())),
        };
        let hold = 2 * inner.config.keepalive;
        if let Ok(error) = tokio::time::timeout(hold, connection.closed()).await {
            return Err(failed(CloseReason::to_string(&verdict::of_quic(
                &error, hold,
            ))));
        }
        let greeting = greet_quic(
            Arc::clone(&inner),
            self.live.dialer.clone(),
            connection,
            greeting(hello),
        );
        match tokio::time::timeout(limit, Box::pin(greeting)).await {
            Ok(Ok(mut greeted)) => {
                inner.remember_here(Transport::Quic).await;
                greeted
                    .connection
                    .set_reason("a probe showed that it works here".to_owned());
                Ok((greeted.connection, greeted.answer))
            }
            Ok(Err(Failure::Final(error))) => Err(error),
            Ok(Err(Failure::Soft(failure))) => Err(failed(failure)),
            Err(_) => Err(failed("no answer to Hello".to_owned())),
        }
    }
}
