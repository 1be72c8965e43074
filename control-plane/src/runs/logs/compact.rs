//! Finished logs become blobs: a reader of an old run costs the database one row.

use super::service::chunk_texts;
use super::store;
use crate::app::App;
use crate::context::Tenant;
use crate::objects;
use crate::runs::error::RunError;

/// Turns some finished logs into blobs. Idempotent: two replicas may do the same log, one of the two
/// blobs is swept as an orphan.
///
/// # Errors
/// The database's or the object store's own; the rest is done at the next pass.
pub async fn pass(app: &App) -> Result<(), RunError> {
    let mut conn = app.db.acquire().await?;
    let logs = store::uncompacted(&mut conn, 20).await?;
    drop(conn);
    for log in logs {
        let tenant = Tenant::of_row(&log.account_id);
        let text = chunk_texts(app, &log).await?;
        let stored =
            objects::put(app, &tenant, "log", std::io::Cursor::new(text), u64::MAX).await?;
        let mut tx = app.db.begin().await?;
        if store::compacted(&mut tx, &tenant, &log.id, &stored.id).await? {
            objects::own(&mut tx, &tenant, &stored.id).await?;
        }
        tx.commit().await?;
        tracing::debug!(run = %log.run_id, log = log.id, "log compacted");
    }
    Ok(())
}
