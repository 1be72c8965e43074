//! One transport's try: dial, start the control session, greet, all within one time limit.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use quinn::VarInt;
use tonic::Status;

use super::channel::Channel;
use super::connection::{Connection, Path};
use super::connector::Inner;
use super::dialer::Dialer;
use super::error::{ConnectError, Refusal};
use super::session::{Ping, Session};
use super::{dial_quic, dial_tcp, verdict};
use crate::Transport;
use crate::close::{CloseCode, CloseReason};
use crate::pipe::Pipe;

/// Priority of the control stream among a connection's streams.
const CONTROL_PRIORITY: i32 = 10;

/// The first call on a new connection, boxed so that the race is compiled once per answer.
pub(super) type Greeting<R> =
    Arc<dyn Fn(Channel) -> Pin<Box<dyn Future<Output = Result<R, Status>> + Send>> + Send + Sync>;

/// Why a try failed.
pub(super) enum Failure {
    /// The gateway said no.
    Final(ConnectError),
    /// The way is blocked, slow or broken.
    Soft(String),
}

/// A connection that was greeted, and the answer.
pub(super) struct Greeted<R> {
    pub(super) connection: Connection,
    pub(super) answer: R,
}

/// Tries one transport.
pub(super) async fn attempt<R>(
    inner: Arc<Inner>,
    dialer: Dialer,
    transport: Transport,
    greeting: Greeting<R>,
) -> Result<Greeted<R>, Failure> {
    let limit = inner.config.timeout;
    let connecting = async move {
        match transport {
            Transport::Quic => {
                let connection = dial_quic::dial(&inner, &dialer)
                    .await
                    .map_err(Failure::Soft)?;
                greet_quic(inner, dialer, connection, greeting).await
            }
            Transport::Tcp => {
                let pipe = dial_tcp::dial(&inner, &dialer)
                    .await
                    .map_err(Failure::Soft)?;
                let ping = Some(inner.ping());
                let path = Path::tcp();
                greet(inner, dialer, path, pipe, ping, greeting).await
            }
        }
    };
    tokio::time::timeout(limit, connecting)
        .await
        .unwrap_or_else(|_| {
            Err(Failure::Soft(format!(
                "no answer within {} s",
                limit.as_secs()
            )))
        })
}

/// Opens the control stream of a QUIC connection and greets.
pub(super) async fn greet_quic<R>(
    inner: Arc<Inner>,
    dialer: Dialer,
    connection: quinn::Connection,
    greeting: Greeting<R>,
) -> Result<Greeted<R>, Failure> {
    let abandoned = Abandoned(Some(connection.clone()));
    let idle = inner.config.idle;
    let (send, recv) = connection
        .open_bi()
        .await
        .map_err(|error| of_reason(Transport::Quic, verdict::of_quic(&error, idle)))?;
    // Fails only on a connection that has ended, which the greeting will find out.
    let _ = send.set_priority(CONTROL_PRIORITY);
    let pipe = Pipe::Quic { send, recv };
    let greeted = greet(inner, dialer, Path::quic(connection), pipe, None, greeting).await?;
    abandoned.keep();
    Ok(greeted)
}

/// Says goodbye to a connection that lost the race, so that the gateway forgets it at once.
struct Abandoned(Option<quinn::Connection>);

impl Abandoned {
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        if let Some(connection) = &self.0 {
            let code = CloseCode::Goodbye;
            connection.close(VarInt::from_u32(code.code()), code.sentence().as_bytes());
        }
    }
}

async fn greet<R>(
    inner: Arc<Inner>,
    dialer: Dialer,
    path: Path,
    pipe: Pipe,
    ping: Option<Ping>,
    greeting: Greeting<R>,
) -> Result<Greeted<R>, Failure> {
    let transport = path.transport();
    let idle = inner.config.idle;
    let session = match Session::open(pipe, ping).await {
        Ok(session) => session,
        Err(error) => {
            return Err(match path.close_reason(idle) {
                Some(reason) => of_reason(transport, reason),
                None => Failure::Soft(error.to_string()),
            });
        }
    };
    match greeting(session.channel.clone()).await {
        Ok(answer) => {
            let connection = Connection::new(inner, dialer, session, path);
            Ok(Greeted { connection, answer })
        }
        Err(status) => {
            let reason = path.close_reason(idle).or_else(|| session.end());
            Err(of_answer(transport, status, reason))
        }
    }
}

fn of_answer(transport: Transport, status: Status, reason: Option<CloseReason>) -> Failure {
    if verdict::is_refusal(status.code()) {
        let refusal = Refusal::Answer(Box::new(status));
        return Failure::Final(ConnectError::Refused { transport, refusal });
    }
    match reason {
        Some(reason) => of_reason(transport, reason),
        None => Failure::Soft(status.message().to_owned()),
    }
}

fn of_reason(transport: Transport, reason: CloseReason) -> Failure {
    if reason.is_final() {
        let refusal = Refusal::Closed(reason);
        return Failure::Final(ConnectError::Refused { transport, refusal });
    }
    Failure::Soft(reason.to_string())
}
