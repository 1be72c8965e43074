//! No more connections than the process can bear; one too many is closed at once, which a client
//! takes for a busy server, where a queue would be taken for a dead one.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::metrics::{ConnectionMetrics, OpenConnection};

/// Counts connections, in front of the TLS handshake.
#[derive(Clone)]
pub(super) struct LimitConnections {
    free: Arc<Semaphore>,
    listener: &'static str,
    metrics: ConnectionMetrics,
}

impl LimitConnections {
    pub(super) fn new(most: u32, listener: &'static str, metrics: ConnectionMetrics) -> Self {
        let most = usize::try_from(most)
            .unwrap_or(usize::MAX)
            .min(Semaphore::MAX_PERMITS);
        Self {
            free: Arc::new(Semaphore::new(most)),
            listener,
            metrics,
        }
    }
}

impl<I, S> Accept<I, S> for LimitConnections {
    type Stream = Counted<I>;
    type Service = S;
    type Future = std::future::Ready<io::Result<(Counted<I>, S)>>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        let accepted = match Arc::clone(&self.free).try_acquire_owned() {
            Ok(permit) => {
                let open = self.metrics.opened(self.listener);
                Ok((
                    Counted {
                        stream,
                        _permit: permit,
                        _open: open,
                    },
                    service,
                ))
            }
            Err(_) => {
                self.metrics.refused(self.listener);
                Err(io::Error::new(
                    io::ErrorKind::QuotaExceeded,
                    "too many connections",
                ))
            }
        };
        std::future::ready(accepted)
    }
}

/// A connection that gives its place back when it is dropped.
pub(super) struct Counted<I> {
    stream: I,
    _permit: OwnedSemaphorePermit,
    _open: OpenConnection,
}

impl<I: AsyncRead + Unpin> AsyncRead for Counted<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Counted<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
