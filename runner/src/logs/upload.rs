//! Brings one log stream to the control plane, from wherever its copy ends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::MAX_LOG_CHUNK;
use protocol::v1::{LogChunk, LogOffsetRequest};
use tokio::sync::{Mutex, mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::source::{LogSource, Reading, StepProgress};
use crate::wire::{Client, Lane, Refused, Wire};

/// Sent and not yet acknowledged, at most.
const WINDOW: u64 = 1024 * 1024;
/// How often the raw output is looked at while nothing happens.
const LOOK: Duration = Duration::from_millis(40);

/// Which log of which lease.
#[derive(Debug, Clone)]
pub struct LogName {
    pub job_id: String,
    pub epoch: u64,
    pub stream: &'static str,
}

/// Sends the whole stream; ends when all of it is acknowledged.
///
/// `make` begins the stream anew. `progress` says how far the step is.
///
/// # Errors
/// When the control plane takes no more of it.
pub async fn send_log(
    wire: &Wire,
    name: LogName,
    make: impl Fn() -> LogSource,
    progress: watch::Receiver<StepProgress>,
) -> Result<(), Refused> {
    let window = Arc::new(Mutex::new(Window::new(make())));
    wire.call(Lane::Job, |client| {
        let (window, name, progress) = (Arc::clone(&window), name.clone(), progress.clone());
        let fresh = make();
        async move { send_on(client, &mut *window.lock().await, &name, fresh, progress).await }
    })
    .await
}

/// A stream from its acknowledged offset on.
struct Window {
    source: Option<LogSource>,
    /// Offset of the first byte of `bytes`.
    start: u64,
    bytes: Vec<u8>,
    state: Reading,
}

impl Window {
    fn new(source: LogSource) -> Self {
        Self {
            source: Some(source),
            start: 0,
            bytes: Vec::new(),
            state: Reading::Waiting,
        }
    }

    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Forgets what lies before `offset`.
    fn drop_before(&mut self, offset: u64) {
        let count = usize::try_from(offset.saturating_sub(self.start)).unwrap_or(usize::MAX);
        let count = count.min(self.bytes.len());
        self.bytes.drain(..count);
        self.start += count as u64;
    }

    /// Reads a little more of the output.
    async fn read(&mut self, progress: &StepProgress) -> Result<(), Status> {
        let Some(mut source) = self.source.take() else {
            return Err(Status::internal("the log is being read twice"));
        };
        let progress = progress.clone();
        let read = tokio::task::spawn_blocking(move || {
            let mut out = Vec::new();
            let state = source.read(&progress, &mut out);
            (source, out, state)
        });
        let (source, mut out, state) = read
            .await
            .map_err(|error| Status::internal(error.to_string()))?;
        self.source = Some(source);
        self.bytes.append(&mut out);
        self.state = state.map_err(|error| {
            Status::data_loss(format!("the output of the step can't be read: {error}"))
        })?;
        Ok(())
    }

    fn chunk(&self, offset: u64) -> Bytes {
        let from = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        let rest = self.bytes.get(from..).unwrap_or_default();
        Bytes::copy_from_slice(&rest[..rest.len().min(MAX_LOG_CHUNK)])
    }
}

async fn send_on(
    mut client: Client,
    window: &mut Window,
    name: &LogName,
    fresh: LogSource,
    mut progress: watch::Receiver<StepProgress>,
) -> Result<(), Status> {
    let question = LogOffsetRequest {
        job_id: name.job_id.clone(),
        epoch: name.epoch,
        stream: name.stream.to_owned(),
    };
    let mut acknowledged = client.log_offset(question).await?.into_inner().offset;
    if acknowledged < window.start {
        *window = Window::new(fresh);
    }
    skip_to(window, acknowledged, &mut progress).await?;
    let (chunks, queue) = mpsc::channel(4);
    let mut next = acknowledged;
    let mut acks = None;
    let mut opening = Some(Box::pin(async move {
        client
            .append_log(ReceiverStream::new(queue))
            .await
            .map(tonic::Response::into_inner)
    }));
    loop {
        if window.state == Reading::Ended && acknowledged >= window.end() {
            return Ok(());
        }
        let room = next - acknowledged < WINDOW;
        if room && next < window.end() {
            let data = window.chunk(next);
            let length = data.len() as u64;
            let chunk = LogChunk {
                job_id: name.job_id.clone(),
                epoch: name.epoch,
                stream: name.stream.to_owned(),
                offset: next,
                data,
            };
            if let Ok(permit) = chunks.try_reserve() {
                permit.send(chunk);
                next += length;
                continue;
            }
        } else if room && window.state != Reading::Ended {
            let now = progress.borrow_and_update().clone();
            window.read(&now).await?;
            if window.end() > next || window.state != Reading::Waiting {
                continue;
            }
        }
        tokio::select! {
            opened = async { opening.as_mut().expect("checked by the guard").await },
                if opening.is_some() =>
            {
                opening = None;
                acks = Some(opened?);
            }
            ack = next_ack(acks.as_mut()), if acks.is_some() => {
                acknowledged = acknowledged.max(ack?);
                window.drop_before(acknowledged);
                next = next.max(acknowledged);
            }
            changed = progress.changed() => {
                changed.map_err(|_| Status::internal("the step is gone"))?;
            }
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Makes the stream again up to `offset`; what lies before is already there.
async fn skip_to(
    window: &mut Window,
    offset: u64,
    progress: &mut watch::Receiver<StepProgress>,
) -> Result<(), Status> {
    loop {
        window.drop_before(offset);
        if window.start >= offset {
            return Ok(());
        }
        if window.state == Reading::Ended && window.end() < offset {
            return Err(Status::data_loss(
                "the control plane holds more of the log than there is",
            ));
        }
        let now = progress.borrow_and_update().clone();
        window.read(&now).await?;
        if window.state == Reading::Waiting && window.end() < offset {
            tokio::time::sleep(LOOK).await;
        }
    }
}

async fn next_ack(
    acks: Option<&mut tonic::Streaming<protocol::v1::LogAck>>,
) -> Result<u64, Status> {
    let Some(acks) = acks else {
        return std::future::pending().await;
    };
    match acks.message().await? {
        Some(ack) => Ok(ack.offset),
        None => Err(Status::unavailable("the log stream was closed")),
    }
}
