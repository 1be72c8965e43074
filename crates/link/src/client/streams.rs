//! The streams of one QUIC connection beside the control stream.
//!
//! The gateway allows 16 at a time, and asking for one more waits until another ends. So jobs and
//! uploads get streams of their own as long as there are enough, and those beyond share one: never
//! the control stream, where their data could stand in the way of a heart-beat. A stream of one's
//! own ends with its client, so that an idle runner costs the gateway one stream.

use std::time::Duration;

use parking_lot::Mutex;

use super::error::ConnectError;
use super::session::{Ended, Session};
use crate::pipe::Pipe;
use crate::quic::STREAMS;

/// Jobs with a stream of their own.
const JOBS: usize = 8;
/// Transfers with a stream of their own.
const TRANSFERS: usize = 4;
/// Streams that have ended here may not have ended at the gateway yet.
const PATIENCE: Duration = Duration::from_secs(5);

// Control, and both pools with the one that each shares.
const _: () = assert!(JOBS + TRANSFERS + 3 <= STREAMS as usize);

/// The streams of one concern.
pub(super) struct Streams {
    priority: i32,
    most: usize,
    /// Those that have ended make room.
    own: Mutex<Vec<Ended>>,
    shared: tokio::sync::Mutex<Option<Session>>,
}

impl Streams {
    pub(super) fn for_jobs() -> Self {
        Self::new(5, JOBS)
    }

    /// For archives, plans and states: after everything else.
    pub(super) fn for_bulk() -> Self {
        Self::new(-10, TRANSFERS)
    }

    fn new(priority: i32, most: usize) -> Self {
        Self {
            priority,
            most,
            own: Mutex::default(),
            shared: tokio::sync::Mutex::default(),
        }
    }

    /// A session for one job or transfer.
    pub(super) async fn session(
        &self,
        connection: &quinn::Connection,
    ) -> Result<Session, ConnectError> {
        if self.has_room() {
            let session = self.open(connection).await?;
            self.own.lock().push(session.watch());
            return Ok(session);
        }
        let mut shared = self.shared.lock().await;
        if let Some(session) = shared.as_ref().filter(|session| session.end().is_none()) {
            return Ok(session.clone());
        }
        let session = self.open(connection).await?;
        *shared = Some(session.clone());
        Ok(session)
    }

    fn has_room(&self) -> bool {
        let mut own = self.own.lock();
        own.retain(|session| !session.has_ended());
        own.len() < self.most
    }

    async fn open(&self, connection: &quinn::Connection) -> Result<Session, ConnectError> {
        let (send, recv) = match tokio::time::timeout(PATIENCE, connection.open_bi()).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(ConnectError::Ended(error.to_string())),
            Err(_) => return Err(ConnectError::Busy),
        };
        // Fails only on a connection that has ended, which the first call will find out.
        let _ = send.set_priority(self.priority);
        Box::pin(Session::open(Pipe::Quic { send, recv }, None))
            .await
            .map_err(|error| ConnectError::Ended(error.to_string()))
    }
}
