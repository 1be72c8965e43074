//! Forgets what nobody asks for any more.

use chrono::TimeDelta;

use super::error::ImpactError;
use super::{store, verdict_store};
use crate::app::App;

/// How long analyses are kept after their end, and verdicts after their last use.
const KEPT: TimeDelta = TimeDelta::days(90);

/// Deletes old analyses, and verdicts that are old or that no analysis speaks of: those of policies
/// whose group is gone. The pass of a reconciler.
///
/// # Errors
/// The database's own.
pub async fn sweep(app: &App) -> Result<(), ImpactError> {
    let before = app.clock.now() - KEPT;
    let mut tx = app.db.begin().await?;
    let analyses = store::delete_older(&mut tx, before).await?;
    let verdicts = verdict_store::sweep(&mut tx, before).await?;
    tx.commit().await?;
    if analyses + verdicts > 0 {
        tracing::info!(analyses, verdicts, "forgot impact analyses and verdicts");
    }
    Ok(())
}
