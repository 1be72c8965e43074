//! What the accept loops give to tonic: a pipe, its peer, and for TCP its place in the registry.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;

use super::peer::Peer;
use super::registry::LiveGuard;
use crate::pipe::Pipe;
use crate::switch::KillSwitch;

pub(super) struct Io {
    pipe: Pipe,
    peer: Arc<Peer>,
    tcp: Option<(Arc<KillSwitch>, LiveGuard)>,
}

impl Io {
    /// One of the streams of a QUIC connection; the connection itself is registered elsewhere.
    pub(super) fn quic(send: quinn::SendStream, recv: quinn::RecvStream, peer: Arc<Peer>) -> Self {
        Self {
            pipe: Pipe::Quic { send, recv },
            peer,
            tcp: None,
        }
    }

    /// A TCP connection, which leaves the registry with this value.
    pub(super) fn tcp(
        pipe: Pipe,
        peer: Arc<Peer>,
        switch: Arc<KillSwitch>,
        guard: LiveGuard,
    ) -> Self {
        Self {
            pipe,
            peer,
            tcp: Some((switch, guard)),
        }
    }

    fn is_killed(&self, context: &Context<'_>) -> bool {
        self.tcp
            .as_ref()
            .is_some_and(|(switch, _)| switch.is_off(context))
    }
}

fn killed<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::Error::new(
        io::ErrorKind::ConnectionAborted,
        "closed by the gateway",
    )))
}

impl Connected for Io {
    type ConnectInfo = Arc<Peer>;

    fn connect_info(&self) -> Self::ConnectInfo {
        Arc::clone(&self.peer)
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_killed(context) {
            return killed();
        }
        Pin::new(&mut self.pipe).poll_read(context, buffer)
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_killed(context) {
            return killed();
        }
        Pin::new(&mut self.pipe).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_killed(context) {
            return killed();
        }
        Pin::new(&mut self.pipe).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.pipe.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_killed(context) {
            return killed();
        }
        Pin::new(&mut self.pipe).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_killed(context) {
            return killed();
        }
        Pin::new(&mut self.pipe).poll_shutdown(context)
    }
}
