//! Who prices the states of this process: a bounded number at a time.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use parking_lot::Mutex;
use tokio::sync::OnceCell;
use tokio::task::JoinSet;

use super::claim_store::{self, Claimed, Wanted};
use super::perform::perform;
use crate::app::App;
use crate::context::Tenant;
use crate::costs::CostError;
use crate::http::error::chain;
use crate::problem::Fault;

/// How long a claim holds; it is renewed long before.
const CLAIM: TimeDelta = TimeDelta::seconds(30);
const RENEWAL: Duration = Duration::from_secs(10);
/// How soon a state that failed for a fault of ours is tried again.
const AGAIN: TimeDelta = TimeDelta::seconds(5);
/// States at work in one process: each is in memory, and nobody waits for it as for a plan at a gate.
const AT_ONCE: usize = 1;
/// How long prices of another release are left alone: it may be the newer one.
const ROLLOUT: TimeDelta = TimeDelta::minutes(15);
/// How old a state that is no longer current may be to get a cost still.
const EARLIER: TimeDelta = TimeDelta::days(7);

/// The states at work in this process.
pub struct StateKeeper {
    app: Arc<App>,
    /// What this process prices with: its book and rules.
    basis: OnceCell<Arc<str>>,
    at_work: Mutex<JoinSet<()>>,
}

impl StateKeeper {
    pub fn new(app: Arc<App>) -> Self {
        Self {
            app,
            basis: OnceCell::new(),
            at_work: Mutex::default(),
        }
    }

    /// Starts pricing what has no cost, as far as there is room. The pass of a reconciler: it doesn't
    /// wait for the end of what it starts, which wakes the next pass.
    ///
    /// # Errors
    /// The database's own.
    pub async fn pass(&self) -> Result<(), CostError> {
        let free = {
            let mut at_work = self.at_work.lock();
            while at_work.try_join_next().is_some() {}
            AT_ONCE.saturating_sub(at_work.len())
        };
        if free == 0 {
            return Ok(());
        }
        let wanted = self.wanted(free).await?;
        if wanted.is_empty() {
            return Ok(());
        }
        let basis = self.basis().await?;
        let mut tx = self.app.db.begin().await?;
        let now = tx.database_now().await?;
        let mut claimed = Vec::with_capacity(wanted.len());
        for state in wanted {
            claimed.extend(claim_store::claim(&mut tx, state, now, now + CLAIM).await?);
        }
        tx.commit().await?;
        let mut at_work = self.at_work.lock();
        for state in claimed {
            at_work.spawn(work(Arc::clone(&self.app), state, Arc::clone(basis)));
        }
        Ok(())
    }

    /// Unpacked when it is needed: a process may never price anything.
    async fn basis(&self) -> Result<&Arc<str>, CostError> {
        self.basis.get_or_try_init(|| basis(&self.app)).await
    }

    /// What there is to do, what is current and has no cost first.
    async fn wanted(&self, free: usize) -> Result<Vec<Wanted>, CostError> {
        let mut conn = self.app.db.acquire().await?;
        let now = conn.database_now().await?;
        let clock = self.app.clock.now();
        let left = |found: &[Wanted]| i64::try_from(free.saturating_sub(found.len())).unwrap_or(0);
        let mut found = claim_store::missing(&mut conn, now, left(&[])).await?;
        if found.len() < free && claim_store::any(&mut conn).await? {
            let (limit, before) = (left(&found), clock - ROLLOUT);
            let basis = self.basis().await?;
            found.extend(claim_store::outdated(&mut conn, now, basis, before, limit).await?);
        }
        if found.len() < free {
            let limit = left(&found);
            found.extend(claim_store::earlier(&mut conn, now, clock - EARLIER, limit).await?);
        }
        Ok(found)
    }

    /// Waits until nothing is at work, for tests.
    #[cfg(test)]
    pub(crate) async fn settle(&self) {
        let mut at_work = std::mem::take(&mut *self.at_work.lock());
        while at_work.join_next().await.is_some() {}
    }
}

async fn basis(app: &App) -> Result<Arc<str>, CostError> {
    let book = app.prices.clone();
    let basis = tokio::task::spawn_blocking(move || book.basis()).await;
    let unreadable = Fault::Unreadable {
        what: "the price book of this program",
    };
    Ok(basis.map_err(|_| unreadable)??.into())
}

async fn work(app: Arc<App>, claimed: Claimed, basis: Arc<str>) {
    let tenant = Tenant::of_row(&claimed.state.account_id);
    let outcome = tokio::select! {
        outcome = Box::pin(perform(&app, &tenant, &claimed, &basis)) => outcome,
        () = keep_claim(&app, &claimed) => Ok(()),
    };
    if let Err(error) = outcome {
        tracing::error!(state = %claimed.state.id, error = chain(&error),
            "a state can't be priced now; it is tried again");
        let _ = give_back(&app, &claimed).await;
    }
    app.signals.costs.wake();
}

/// Renews the claim for as long as it is asked to; never ends.
async fn keep_claim(app: &App, claimed: &Claimed) {
    loop {
        tokio::time::sleep(RENEWAL).await;
        if let Err(error) = renew(app, claimed).await {
            tracing::warn!(state = %claimed.state.id, error = chain(&error),
                "the claim on the cost of a state can't be renewed");
        }
    }
}

async fn renew(app: &App, claimed: &Claimed) -> Result<(), db::Error> {
    let mut tx = app.db.begin().await?;
    let now = tx.database_now().await?;
    claim_store::renew(&mut tx, claimed, now + CLAIM).await?;
    tx.commit().await
}

async fn give_back(app: &App, claimed: &Claimed) -> Result<(), db::Error> {
    let mut tx = app.db.begin().await?;
    let now = tx.database_now().await?;
    claim_store::give_back(&mut tx, claimed, now + AGAIN).await?;
    tx.commit().await
}
