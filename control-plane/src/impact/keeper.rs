//! Who works on the analyses of this process: a bounded number at a time.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use parking_lot::Mutex;
use tokio::task::JoinSet;

use super::error::ImpactError;
use super::perform::perform;
use super::store::{self, Waiting};
use crate::app::App;
use crate::context::Tenant;
use crate::http::error::chain;

/// How long a claim holds; it is renewed long before.
const CLAIM: TimeDelta = TimeDelta::seconds(30);
const RENEWAL: Duration = Duration::from_secs(10);
/// How soon an analysis that failed for a fault of ours is tried again.
const AGAIN: TimeDelta = TimeDelta::seconds(5);
/// Analyses at work in one process: what stands at a gate should not have to wait for them.
const AT_ONCE: usize = 2;

/// The analyses at work in this process.
pub struct ImpactKeeper {
    app: Arc<App>,
    at_work: Mutex<JoinSet<()>>,
}

impl ImpactKeeper {
    pub fn new(app: Arc<App>) -> Self {
        Self {
            app,
            at_work: Mutex::default(),
        }
    }

    /// Starts working on what waits, as far as there is room. The pass of a reconciler: it doesn't
    /// wait for the end of what it starts, which wakes the next pass.
    ///
    /// # Errors
    /// The database's own.
    pub async fn pass(&self) -> Result<(), ImpactError> {
        let free = {
            let mut at_work = self.at_work.lock();
            while at_work.try_join_next().is_some() {}
            AT_ONCE.saturating_sub(at_work.len())
        };
        if free == 0 {
            return Ok(());
        }
        let mut tx = self.app.db.begin().await?;
        let now = tx.database_now().await?;
        let limit = i64::try_from(free).unwrap_or(i64::MAX);
        let waiting = store::waiting(&mut tx, now, limit).await?;
        let mut claimed = Vec::with_capacity(waiting.len());
        for at in waiting {
            if store::claim(&mut tx, &at, now, now + CLAIM).await? {
                claimed.push(at);
            }
        }
        tx.commit().await?;
        let mut at_work = self.at_work.lock();
        for at in claimed {
            at_work.spawn(work(Arc::clone(&self.app), at));
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

async fn work(app: Arc<App>, at: Waiting) {
    let tenant = Tenant::of_row(&at.account_id);
    let outcome = tokio::select! {
        outcome = Box::pin(perform(&app, &tenant, &at.id)) => outcome,
        () = keep_claim(&app, &at) => Ok(()),
    };
    if let Err(error) = outcome {
        tracing::error!(analysis = %at.id, error = chain(&error),
            "an impact analysis can't go on now; it is tried again");
        let _ = renew(&app, &at, AGAIN).await;
    }
    app.signals.impact.wake();
}

/// Renews the claim for as long as it is asked to; never ends.
async fn keep_claim(app: &App, at: &Waiting) {
    loop {
        tokio::time::sleep(RENEWAL).await;
        if let Err(error) = renew(app, at, CLAIM).await {
            tracing::warn!(analysis = %at.id, error = chain(&error),
                "the claim on an impact analysis can't be renewed");
        }
    }
}

async fn renew(app: &App, at: &Waiting, by: TimeDelta) -> Result<(), db::Error> {
    let mut tx = app.db.begin().await?;
    let now = tx.database_now().await?;
    store::reclaim(&mut tx, at, now + by).await?;
    tx.commit().await
}
