//! One living connection to the gateway, as jobs see it.

use link::client::{Connection, RunnerClient};
use tokio::sync::Mutex;
use tonic::Status;

use crate::wire::Lane;

/// A connection on which Hello was answered, with the sessions that all jobs share.
pub struct Connected {
    id: u64,
    connection: Connection,
    bulk: Mutex<Option<RunnerClient>>,
}

impl std::fmt::Debug for Connected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connected")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Connected {
    /// `id` is unique in the process and not 0.
    pub fn new(id: u64, connection: Connection) -> Self {
        Self {
            id,
            connection,
            bulk: Mutex::new(None),
        }
    }

    pub fn id(&self) -> u64 {
        self.id
    }

    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// A client on the session of `lane`; each call for [`Lane::Job`] opens a new one.
    pub(crate) async fn client(&self, lane: Lane) -> Result<RunnerClient, Status> {
        match lane {
            Lane::Control => Ok(self.connection.control()),
            Lane::Job => self.connection.open_job().await.map_err(ended),
            Lane::Bulk => {
                let mut bulk = self.bulk.lock().await;
                if let Some(client) = bulk.as_ref() {
                    return Ok(client.clone());
                }
                let client = self.connection.open_bulk().await.map_err(ended)?;
                Ok(bulk.insert(client).clone())
            }
        }
    }

    /// A call on the shared bulk session failed: the next one gets a new session.
    pub(crate) async fn renew_bulk(&self) {
        self.bulk.lock().await.take();
    }
}

fn ended(error: link::client::ConnectError) -> Status {
    Status::unavailable(error.to_string())
}
