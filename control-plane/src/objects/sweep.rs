//! The end of objects that nobody owns.
//!
//! In three steps, so that no transaction does I/O and nobody comes to own what is being deleted:
//! the row is marked, the bytes are deleted, the row goes. A sweep that dies is finished by the next
//! one, in whichever replica.

use blob::BlobContext;
use chrono::TimeDelta;

use super::error::ObjectError;
use super::kind::blob_kind;
use super::store::{self, Doomed};
use crate::app::App;
use crate::context::Tenant;
use crate::http::error::chain;

const BATCH: i64 = 100;

/// What a sweep did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    /// Objects that nobody refers to any more; they go with a later sweep.
    pub disowned: u64,
    pub deleted: u64,
    /// Objects whose bytes could not be deleted; tried again by the next sweep.
    pub failed: u64,
}

/// Deletes what has been an orphan for longer than `older_than`, which must be longer than any
/// upload or download takes. No input but time: made for a reconciler.
///
/// # Errors
/// The database's own; what could not be deleted is counted and logged.
pub async fn sweep(app: &App, older_than: TimeDelta) -> Result<Swept, ObjectError> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let disowned = store::disown_unreferenced(&mut tx, now).await?;
    store::doom(&mut tx, now - older_than).await?;
    tx.commit().await?;
    let mut swept = Swept {
        disowned,
        ..Swept::default()
    };
    let mut after = String::new();
    loop {
        let mut conn = app.db.acquire().await?;
        let batch = store::doomed(&mut conn, &after, BATCH).await?;
        drop(conn);
        let Some(last) = batch.last() else {
            return Ok(swept);
        };
        after = last.id.to_string();
        for doomed in &batch {
            match delete(app, doomed).await {
                Ok(()) => swept.deleted += 1,
                Err(error) => {
                    swept.failed += 1;
                    tracing::warn!(blob = %doomed.id, error = chain(&error), "an orphan stays");
                }
            }
        }
    }
}

/// Deletes what killed processes left of uploads into a directory, if nothing was written to it
/// for longer than `older_than`, which must be longer than any upload takes. Tells how many there
/// were. They have no row: the row of such an upload is an orphan and goes with [`sweep`].
///
/// # Errors
/// The store's own; what is left is found by the next pass.
pub async fn remove_unfinished(app: &App, older_than: TimeDelta) -> Result<u64, ObjectError> {
    let before = app.clock.now() - older_than;
    let removed = app.blobs.remove_unfinished(before.into()).await?;
    if removed > 0 {
        tracing::info!(removed, "files of uploads that never ended were removed");
    }
    Ok(removed)
}

async fn delete(app: &App, doomed: &Doomed) -> Result<(), ObjectError> {
    let blob = BlobContext {
        account: doomed.account_id.clone(),
        kind: blob_kind(&doomed.kind)?,
        id: doomed.id.clone(),
    };
    app.blobs.delete(&blob).await?;
    let mut tx = app.db.begin().await?;
    store::delete(&mut tx, &Tenant::of_row(&doomed.account_id), &doomed.id).await?;
    Ok(tx.commit().await?)
}
