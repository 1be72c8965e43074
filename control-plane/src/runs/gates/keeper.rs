//! Who evaluates the gates of this process: a bounded number at a time, each on its own, so that
//! policies that use up all they may keep no other run waiting.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use domain::ids::RunId;
use parking_lot::Mutex;
use tokio::task::JoinSet;

use super::claim_store::{self, AtGate};
use super::perform::{give_up, perform};
use crate::app::App;
use crate::context::Tenant;
use crate::http::error::chain;
use crate::problem::{Kind, Problem};
use crate::runs::error::RunError;

/// How long a claim holds; it is renewed long before.
const CLAIM: TimeDelta = TimeDelta::seconds(30);
const RENEWAL: Duration = Duration::from_secs(10);
/// How soon a gate that failed for a fault of ours is tried again.
const AGAIN: TimeDelta = TimeDelta::seconds(5);

/// After so many faults of one run in a row its gate is ended without an answer: a plan that can't be
/// read for good must not keep its workspace for good.
const MAX_FAULTS: u32 = 60;

/// The evaluations at work in this process.
pub struct GateKeeper {
    app: Arc<App>,
    slots: usize,
    at_work: Mutex<JoinSet<()>>,
    faults: Arc<Faults>,
}

/// How often in a row the gate of a run has failed for a fault of ours.
type Faults = Mutex<HashMap<RunId, u32>>;

impl GateKeeper {
    /// With `slots` evaluations at a time.
    pub fn new(app: Arc<App>, slots: usize) -> Self {
        Self {
            app,
            slots: slots.max(1),
            at_work: Mutex::default(),
            faults: Arc::default(),
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
            at_work.spawn(evaluate(
                Arc::clone(&self.app),
                Arc::clone(&self.faults),
                at,
            ));
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

async fn evaluate(app: Arc<App>, faults: Arc<Faults>, at: AtGate) {
    let tenant = Tenant::of_row(&at.account_id);
    let outcome = tokio::select! {
        outcome = Box::pin(perform(&app, &tenant, &at.id)) => outcome,
        () = keep_claim(&app, &at) => Ok(()),
    };
    match outcome {
        Ok(()) => {
            faults.lock().remove(&at.id);
        }
        Err(error) => failed(&app, &faults, &tenant, &at, &error).await,
    }
    app.signals.gates.wake();
}

async fn failed(app: &App, faults: &Faults, tenant: &Tenant, at: &AtGate, error: &RunError) {
    tracing::error!(run = %at.id, error = chain(error),
        "a run's gate can't be evaluated now; it is tried again");
    if error.kind() == Kind::Internal && count(faults, &at.id) >= MAX_FAULTS {
        let reason = format!("{error}; the control plane's log says more");
        match Box::pin(give_up(app, tenant, &at.id, &reason)).await {
            Ok(()) => {
                faults.lock().remove(&at.id);
            }
            Err(error) => tracing::error!(run = %at.id, error = chain(&error),
                "a run's gate can't be ended either"),
        }
    }
    let _ = renew(app, at, AGAIN).await;
}

fn count(faults: &Faults, run: &RunId) -> u32 {
    let mut faults = faults.lock();
    let count = faults.entry(run.clone()).or_default();
    *count += 1;
    *count
}

/// Renews the claim for as long as it is asked to; never ends.
async fn keep_claim(app: &App, at: &AtGate) {
    loop {
        tokio::time::sleep(RENEWAL).await;
        if let Err(error) = renew(app, at, CLAIM).await {
            tracing::warn!(run = %at.id, error = chain(&error),
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
