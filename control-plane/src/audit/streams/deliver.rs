//! Sends what has been sealed to where the account wants it.

use chrono::TimeDelta;
use domain::Secret;
use futures::{StreamExt, stream};

use super::model::{Destination, Stream, secret_place};
use super::{bucket, store, webhook};
use crate::app::App;
use crate::audit::chain;
use crate::audit::error::AuditError;
use crate::audit::records::{Lines, lines_after};
use crate::context::Tenant;
use crate::http::error::chain as causes;

type Result<T> = std::result::Result<T, AuditError>;

/// Streams that one pass takes up, and how many at a time.
const AT_ONCE: i64 = 50;
const TOGETHER: usize = 4;
/// How long one that was taken up is left alone by others; longer than any delivery.
const CLAIM: TimeDelta = TimeDelta::minutes(3);
/// Deliveries of one stream before others have their turn.
const IN_A_ROW: usize = 10;
/// Records and bytes of a delivery.
const MOST: (i64, usize) = (500, 1 << 20);
/// Objects in a bucket should not be too small: how long is waited for more records.
const BUCKET_PAUSE: TimeDelta = TimeDelta::seconds(60);
/// After a failure the pause doubles, up to this.
const LONGEST_PAUSE: i64 = 300;

/// How long to wait after `failures` in a row.
fn pause_after(failures: i64) -> TimeDelta {
    let doublings = u32::try_from(failures).unwrap_or(u32::MAX).min(16);
    TimeDelta::seconds((1_i64 << doublings).min(LONGEST_PAUSE))
}

/// Delivers what is due in all accounts. The pass of a reconciler.
///
/// # Errors
/// The database's own; a destination that fails is noted on its stream.
pub async fn deliver_due(app: &App) -> Result<()> {
    let mut conn = app.db.acquire().await?;
    let due = store::due(&mut conn, app.clock.now(), AT_ONCE).await?;
    drop(conn);
    stream::iter(due)
        .for_each_concurrent(TOGETHER, |stream| async move {
            let id = stream.id.clone();
            if let Err(error) = Box::pin(deliver(app, stream)).await {
                tracing::warn!(stream = %id, error = causes(&error),
                    "an audit stream can't be served now; it is tried again");
            }
        })
        .await;
    Ok(())
}

async fn deliver(app: &App, mut stream: Stream) -> Result<()> {
    let tenant = Tenant::of_row(&stream.account_id);
    let mut tx = app.db.begin().await?;
    let Some(claim) = store::take(&mut tx, &stream, app.clock.now() + CLAIM).await? else {
        return Ok(());
    };
    tx.commit().await?;
    stream.claim = claim;
    let secret = secret(app, &tenant, &stream).await?;
    for _ in 0..IN_A_ROW {
        let Some(lines) = next(app, &tenant, &mut stream).await? else {
            break;
        };
        if let Err(reason) = send(app, &stream, &secret, &lines).await {
            let (now, pause) = (app.clock.now(), pause_after(stream.failures));
            let mut tx = app.db.begin().await?;
            store::failed(&mut tx, &stream, &reason, (now, now + pause)).await?;
            return Ok(tx.commit().await?);
        }
        stream.delivered_sequence = lines.last;
        let now = app.clock.now();
        let mut tx = app.db.begin().await?;
        let kept = store::delivered(&mut tx, &stream, (now, now + CLAIM)).await?;
        tx.commit().await?;
        if !kept {
            // Changed or deleted meanwhile: whoever has it now goes on.
            return Ok(());
        }
    }
    let pause = match &stream.destination {
        Destination::Webhook { .. } => TimeDelta::zero(),
        Destination::S3 { .. } => BUCKET_PAUSE,
    };
    let mut tx = app.db.begin().await?;
    store::give_back(&mut tx, &stream, app.clock.now() + pause).await?;
    Ok(tx.commit().await?)
}

/// What comes next; what retention has removed before it could be delivered is passed over, and said.
async fn next(app: &App, tenant: &Tenant, stream: &mut Stream) -> Result<Option<Lines>> {
    let mut conn = app.db.acquire().await?;
    let chain = chain::store::chain(&mut conn, tenant).await?;
    stream.last_error = None;
    if stream.delivered_sequence < chain.removed_sequence {
        stream.last_error = Some(format!(
            "the records {} to {} were removed, being too old, before they could be delivered",
            stream.delivered_sequence + 1,
            chain.removed_sequence
        ));
        stream.delivered_sequence = chain.removed_sequence;
    }
    lines_after(&mut conn, tenant, &chain, stream.delivered_sequence, MOST).await
}

async fn secret(app: &App, tenant: &Tenant, stream: &Stream) -> Result<Secret> {
    let mut conn = app.db.acquire().await?;
    let sealed = store::sealed_secret(&mut conn, tenant, &stream.id)
        .await?
        .ok_or(AuditError::NotFound)?;
    let place = secret_place(&stream.id);
    Ok(app
        .keys
        .open_text(&mut conn, tenant, &place, &sealed)
        .await?)
}

async fn send(
    app: &App,
    stream: &Stream,
    secret: &Secret,
    lines: &Lines,
) -> std::result::Result<(), String> {
    match &stream.destination {
        Destination::Webhook { url } => webhook::send(app, url, stream, secret, lines).await,
        Destination::S3 { .. } => Box::pin(bucket::send(app, stream, secret, lines)).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_five_minutes() {
        let pauses: Vec<i64> = (0..10).map(|it| pause_after(it).num_seconds()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
        assert_eq!(pause_after(i64::MAX).num_seconds(), LONGEST_PAUSE);
    }
}
