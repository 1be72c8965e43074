//! Who evaluates the gates of this process: a bounded number at a time, each on its own, so that
//! policies that use up all they may keep no other run waiting.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use parking_lot::Mutex;
use tokio::task::JoinSet;

use super::claim_store::{self, AtGate};
use super::perform::perform;
use crate::app::App;
use crate::context::Tenant;
use crate::runs::error::RunError;

/// How long a claim holds; it is renewed long before.
const CLAIM: TimeDelta = TimeDelta::seconds(30);
const RENEWAL: Duration = Duration::from_secs(10);
/// How soon a gate that failed for a fault of ours is tried again.
const AGAIN: TimeDelta = TimeDelta::seconds(5);

/// The evaluations at work in this process.
pub struct GateKeeper {
    app: Arc<App>,
    slots: usize,
    at_work: Mutex<JoinSet<()>>,
}

impl GateKeeper {
    /// With `slots` evaluations at a time.
    pub fn new(app: Arc<App>, slots: usize) -> Self {
        Self {
            app,
            slots: slots.max(1),
            at_work: Mutex::default(),
        }
    }

    /// Starts evaluating what waits, as far as there is room. The pass of a reconciler: it doesn't
    /// wait for the end of what it starts, whose end wakes the next pass.
    ///
    /// # Errors
    /// The database's own.
    pub async fn pass(&self) -> Result<(), RunError> {
        let free = {
            let mut at_work = self.at_work.lock();
            while at_work.try_join_next().is_some() {}
            self.slots.saturating_sub(at_work.len())
        };
        if free == 0 {
            return Ok(());
        }
        let mut tx = self.app.db.begin().await?;
        let now = tx.database_now().await?;
        let limit = i64::try_from(free).unwrap_or(i64::MAX);
        let waiting = claim_store::at_gate(&mut tx, now, limit).await?;
        let mut claimed = Vec::with_capacity(waiting.len());
        for at in waiting {
            if claim_store::claim(&mut tx, &at, now, now + CLAIM).await? {
                claimed.push(at);
            }
        }
        tx.commit().await?;
        let mut at_work = self.at_work.lock();
        for at in claimed {
            at_work.spawn(evaluate(Arc::clone(&self.app), at));
        }
        Ok(())
    }

    /// Waits until nothing is at work, for tests.
    #[cfg(test)]
    pub(crate) async fn settle(&self) {
        let mut at_work = std::mem::take(&mut *self.at_work.lock());
        while at_work.join_next().await.is_some() {}
    }
}

async fn evaluate(app: Arc<App>, at: AtGate) {
    let tenant = Tenant::of_row(&at.account_id);
    let outcome = tokio::select! {
        outcome = Box::pin(perform(&app, &tenant, &at.id)) => outcome,
        () = keep_claim(&app, &at) => Ok(()),
    };
    if let Err(error) = outcome {
        tracing::error!(run = %at.id, error = &error as &dyn std::error::Error,
            "a run's gate can't be evaluated now; it is tried again");
        let _ = renew(&app, &at, AGAIN).await;
    }
    app.signals.gates.wake();
}

/// Renews the claim for as long as it is asked to; never ends.
async fn keep_claim(app: &App, at: &AtGate) {
    loop {
        tokio::time::sleep(RENEWAL).await;
        if let Err(error) = renew(app, at, CLAIM).await {
            tracing::warn!(run = %at.id, error = &error as &dyn std::error::Error,
                "the claim on a run's gate can't be renewed");
        }
    }
}

async fn renew(app: &App, at: &AtGate, by: TimeDelta) -> Result<(), db::Error> {
    let mut tx = app.db.begin().await?;
    let now = tx.database_now().await?;
    claim_store::reclaim(&mut tx, at, now + by).await?;
    tx.commit().await
}
