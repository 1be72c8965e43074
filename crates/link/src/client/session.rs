//! One HTTP/2 session over one pipe. It never comes back: tonic would call its connector again and
//! open a new stream on what may be a dead connection, so the connector has one pipe to give.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tonic::transport::Endpoint;

use super::channel::Channel;
use super::verdict;
use crate::close::CloseReason;
use crate::pipe::Pipe;
use crate::switch::KillSwitch;
use crate::windows;

/// Calls that wait for their turn in one session.
const QUEUE: usize = 64;

/// HTTP/2 PING over TCP: interval and patience.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ping {
    pub(super) every: Duration,
    pub(super) patience: Duration,
}

#[derive(Clone)]
pub(super) struct Session {
    pub(super) channel: Channel,
    end: watch::Receiver<Option<CloseReason>>,
    switch: Arc<KillSwitch>,
}

impl Session {
    /// Starts HTTP/2 on a pipe.
    pub(super) async fn open(
        pipe: Pipe,
        ping: Option<Ping>,
    ) -> Result<Self, tonic::transport::Error> {
        let (end_note, end) = watch::channel(None);
        let switch = Arc::new(KillSwitch::default());
        let watched = WatchedPipe {
            pipe,
            end: end_note,
            switch: Arc::clone(&switch),
        };
        let pipe = Arc::new(Mutex::new(Some(TokioIo::new(watched))));
        let connector = tower::service_fn(move |_: http::Uri| {
            let pipe = pipe.lock().take();
            async move {
                pipe.ok_or_else(|| {
                    io::Error::new(io::ErrorKind::NotConnected, "the session has ended")
                })
            }
        });
        let channel = endpoint(ping).connect_with_connector(connector).await?;
        Ok(Self {
            channel,
            end,
            switch,
        })
    }

    /// Watches for the end without keeping the session alive.
    pub(super) fn watch(&self) -> Ended {
        Ended(self.end.clone())
    }

    /// Why the session has ended, if it has.
    pub(super) fn end(&self) -> Option<CloseReason> {
        self.end.borrow().clone()
    }

    /// Waits for the end.
    pub(super) async fn ended(&self) -> CloseReason {
        let mut end = self.end.clone();
        match end.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or(CloseReason::Local),
            Err(_) => CloseReason::Local,
        }
    }

    /// Ends the session whoever still holds its channel.
    pub(super) fn kill(&self) {
        self.switch.kill();
    }
}

/// Whether a session has ended; holds nothing of it.
pub(super) struct Ended(watch::Receiver<Option<CloseReason>>);

impl Ended {
    pub(super) fn has_ended(&self) -> bool {
        self.0.borrow().is_some()
    }
}

fn endpoint(ping: Option<Ping>) -> Endpoint {
    let endpoint = Endpoint::from_static("http://gateway.terrane.internal")
        .buffer_size(QUEUE)
        .initial_stream_window_size(windows::STREAM)
        .initial_connection_window_size(windows::SESSION);
    match ping {
        Some(ping) => endpoint
            .http2_keep_alive_interval(ping.every)
            .keep_alive_timeout(ping.patience)
            .keep_alive_while_idle(true),
        None => endpoint,
    }
}

/// A pipe that notes its end and can be cut.
struct WatchedPipe {
    pipe: Pipe,
    end: watch::Sender<Option<CloseReason>>,
    switch: Arc<KillSwitch>,
}

impl WatchedPipe {
    /// The first reason stays.
    fn note(&self, reason: CloseReason) {
        self.end.send_if_modified(|end| {
            let first = end.is_none();
            if first {
                *end = Some(reason);
            }
            first
        });
    }

    /// A refused handshake shows as a failed write when the refusal has not been read yet.
    fn look_for_alert(&mut self, context: &mut Context<'_>) {
        let mut byte = [0; 1];
        let mut buffer = ReadBuf::new(&mut byte);
        if let Poll::Ready(Err(error)) = Pin::new(&mut self.pipe).poll_read(context, &mut buffer) {
            self.note(verdict::of_io(&error));
        }
    }

    fn is_cut(&self, context: &Context<'_>) -> bool {
        let cut = self.switch.is_off(context);
        if cut {
            self.note(CloseReason::Local);
        }
        cut
    }
}

impl Drop for WatchedPipe {
    /// hyper lets go of a pipe without a read error when a PING was not answered in time, or after
    /// the other side's GOAWAY.
    fn drop(&mut self) {
        self.note(CloseReason::Lost(
            "the gateway stopped answering or ended it".to_owned(),
        ));
    }
}

fn cut<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::Error::new(
        io::ErrorKind::ConnectionAborted,
        "closed by this runner",
    )))
}

impl AsyncRead for WatchedPipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_cut(context) {
            return cut();
        }
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.pipe).poll_read(context, buffer);
        match &outcome {
            Poll::Ready(Ok(())) if buffer.filled().len() == before => {
                self.note(CloseReason::Lost("the gateway ended it".to_owned()));
            }
            Poll::Ready(Err(error)) => self.note(verdict::of_io(error)),
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
        outcome
    }
}

impl AsyncWrite for WatchedPipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.pipe).poll_write(context, bytes);
        if matches!(outcome, Poll::Ready(Err(_))) {
            self.look_for_alert(context);
        }
        outcome
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.pipe.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(context)
    }
}
