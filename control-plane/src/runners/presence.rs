//! Who came and who went, written to the database in batches: a storm of ten thousand reconnecting
//! runners must not wait for ten thousand transactions.

use domain::ids::RunnerId;
use tokio::sync::mpsc;

use super::error::RunnerError;
use super::model::Session;
use super::store;
use crate::app::App;

/// Changes written in one transaction at most.
const BATCH: usize = 500;

/// A change of who is connected.
#[derive(Debug)]
pub enum Presence {
    Here(Box<Session>),
    Gone(RunnerId),
}

/// Where changes are noted; never waits.
#[derive(Debug, Clone)]
pub struct PresenceWriter(mpsc::UnboundedSender<Presence>);

impl PresenceWriter {
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Presence>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    pub fn note(&self, change: Presence) {
        // Without a reader the process is on its way out.
        let _ = self.0.send(change);
    }
}

/// Writes changes as they come, until nobody can note any more.
///
/// # Errors
/// The database's own, after it was logged; the task is started anew.
pub async fn write(
    app: &App,
    changes: &mut mpsc::UnboundedReceiver<Presence>,
) -> Result<(), RunnerError> {
    let mut batch = Vec::with_capacity(BATCH);
    while changes.recv_many(&mut batch, BATCH).await > 0 {
        let now = app.clock.now();
        let mut tx = app.db.begin().await?;
        for change in batch.drain(..) {
            match change {
                Presence::Here(session) => store::connected(&mut tx, &session, now).await?,
                Presence::Gone(runner) => store::disconnected(&mut tx, &runner, now).await?,
            }
        }
        tx.commit().await?;
        app.signals.dispatch.wake();
    }
    Ok(())
}
