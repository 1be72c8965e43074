//! Accepting over TCP.
//!
//! The kernel's backlog paces, the same two bounds as over QUIC hold. A refused handshake lingers
//! for a moment: closing a socket with unread bytes sends RST, which may overtake the TLS alert, and
//! the runner would see "connection reset" where the reason was "certificate expired".

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::{TlsAcceptor, TlsStream};

use super::Shared;
use super::accept_quic::WORKING;
use super::admit::{Arrival, admit, admit_refused};
use super::handle::Counters;
use super::io::Io;
use super::kill::Kill;
use super::run::Pipes;
use crate::Transport;
use crate::close::CloseCode;
use crate::pipe::Pipe;
use crate::switch::KillSwitch;

/// After a failed `accept`, mostly for want of file descriptors: time for some to be closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: u64 = 64 * 1024;

pub(super) async fn accept(
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    shared: Arc<Shared>,
    pipes: Pipes,
) -> String {
    let acceptor = TlsAcceptor::from(tls);
    let pace = Arc::new(Semaphore::new(shared.limits.handshakes()));
    let half_open = Arc::new(Semaphore::new(shared.limits.half_open));
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            let slot = Arc::clone(&half_open).acquire_owned().await.ok()?;
            let permit = Arc::clone(&pace).acquire_owned().await.ok()?;
            Some((
                listener.accept().await,
                Ticket {
                    permit,
                    _slot: slot,
                },
            ))
        };
        let (accepted, ticket) = tokio::select! {
            accepted = accepted => match accepted {
                Some(accepted) => accepted,
                None => return "the TCP listener".to_owned(),
            },
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, remote)) => {
                let arrived = Arrived {
                    stream,
                    remote,
                    ticket,
                };
                let shared = Arc::clone(&shared);
                connections.spawn(connection(arrived, acceptor.clone(), shared, pipes.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "can't accept TCP connections of runners, trying again");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The right to work on a handshake, and to have it open.
struct Ticket {
    permit: OwnedSemaphorePermit,
    _slot: OwnedSemaphorePermit,
}

struct Arrived {
    stream: TcpStream,
    remote: std::net::SocketAddr,
    ticket: Ticket,
}

async fn connection(arrived: Arrived, acceptor: TlsAcceptor, shared: Arc<Shared>, pipes: Pipes) {
    let remote = arrived.remote;
    let stream = match handshake(arrived, &acceptor, &shared).await {
        Ok(stream) => stream,
        Err(error) => {
            tracing::debug!(%error, %remote, "TLS handshake failed");
            return Counters::add(&shared.counters.handshakes_failed);
        }
    };
    let session = stream.get_ref().1;
    let arrival = Arrival {
        certificates: session.peer_certificates(),
        remote,
        transport: Transport::Tcp,
    };
    let switch = Arc::new(KillSwitch::default());
    let kill = || Kill::Tcp(Arc::clone(&switch));
    let (peer, guard) = match admit(&shared, &arrival, kill()) {
        Ok(admitted) => {
            Counters::add(&shared.counters.accepted);
            admitted
        }
        Err(code) => {
            Counters::add(&shared.counters.refused);
            if code == CloseCode::TooMany {
                return;
            }
            admit_refused(&shared, &arrival, code, kill())
        }
    };
    let pipe = Pipe::Tls(Box::new(TlsStream::Server(stream)));
    let _ = pipes.send(Ok(Io::tcp(pipe, peer, switch, guard))).await;
}

async fn handshake(
    arrived: Arrived,
    acceptor: &TlsAcceptor,
    shared: &Shared,
) -> io::Result<tokio_rustls::server::TlsStream<TcpStream>> {
    let Arrived {
        stream,
        ticket: Ticket { permit, _slot },
        ..
    } = arrived;
    stream.set_nodelay(true)?;
    let accepting = acceptor.accept(stream).into_fallible();
    tokio::pin!(accepting);
    let result = match tokio::time::timeout(WORKING, &mut accepting).await {
        Ok(result) => result,
        Err(_) => {
            drop(permit);
            let left = shared.limits.handshake.saturating_sub(WORKING);
            tokio::time::timeout(left, accepting).await?
        }
    };
    match result {
        // rustls refuses a wrong ALPN by itself, but lets a client without any pass.
        Ok(stream) if stream.get_ref().1.alpn_protocol() == Some(protocol::ALPN_TCP) => Ok(stream),
        Ok(mut stream) => {
            let _ = tokio::time::timeout(LINGER, stream.shutdown()).await;
            Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the peer did not ask for ALPN h2",
            ))
        }
        Err((error, stream)) => {
            linger(stream).await;
            Err(error)
        }
    }
}

async fn linger(mut stream: TcpStream) {
    let _ = tokio::time::timeout(LINGER, async {
        stream.shutdown().await?;
        tokio::io::copy(
            &mut (&mut stream).take(LINGER_BYTES),
            &mut tokio::io::sink(),
        )
        .await
    })
    .await;
}
