//! Use cases of fetches. Owners ask for one and drop it; `runs::jobs` tells how it goes.
//!
//! No authorisation here: who may fetch what is the owner's question, answered before it asks.

use domain::Secret;
use domain::ids::{BlobId, FetchId};
use domain::job::FetchStatus;
use serde_json::json;

use super::error::FetchError;
use super::model::{Fetch, FetchRequest, Fetched, Owner};
use super::store;
use crate::app::App;
use crate::audit;
use crate::context::{Context, Tenant};
use crate::iam::Target;
use crate::objects::{self, Stored};
use crate::tenancy::{self, SealedPlace};

type Result<T> = std::result::Result<T, FetchError>;

/// The channel on which replicas hear that a fetch waits for a job, or that nobody wants one.
pub const CHANGED: &str = "fetches";

/// How often a runner may be lost with a fetch before it has failed.
const MAX_LOSSES: i64 = 3;

fn place(id: &FetchId) -> SealedPlace {
    SealedPlace::new("fetch-token", id)
}

/// Asks for a fetch, in the owner's transaction. Its end is told to the owner in the transaction
/// that ends it.
///
/// # Errors
/// [`FetchError::NoPool`], [`FetchError::UnknownPool`], or the database's own.
pub async fn enqueue(
    app: &App,
    tx: &mut db::Tx,
    ctx: &Context,
    request: FetchRequest,
) -> Result<FetchId> {
    let tenant = ctx.tenant();
    let pool = match request.pool {
        Some(pool) if tenancy::pool_exists(tx, &tenant, &pool).await? => pool,
        Some(_) => return Err(FetchError::UnknownPool),
        None => tenancy::default_pool(tx, &tenant)
            .await?
            .ok_or(FetchError::NoPool)?,
    };
    let id = FetchId::random();
    let sealed = match &request.token {
        Some(token) => {
            let token = token.expose().as_bytes();
            Some(app.keys.seal(tx, &tenant, &place(&id), token).await?)
        }
        None => None,
    };
    let fetch = Fetch {
        id,
        account_id: tenant.account().clone(),
        owner: request.owner,
        pool_id: pool,
        git: request.git,
        commit: request.commit,
        status: FetchStatus::Waiting,
        losses: 0,
        fetched: None,
        archive: None,
        error: None,
        created_at: ctx.now(),
        ended_at: None,
    };
    store::insert(tx, &tenant, &fetch, sealed).await?;
    tx.notify(CHANGED);
    Ok(fetch.id)
}

/// Nobody wants an owner's fetches any more: what has not ended is dropped, wherever it is.
///
/// # Errors
/// The database's own.
pub async fn cancel(tx: &mut db::Tx, ctx: &Context, owner: &Owner) -> Result<()> {
    if store::cancel(tx, &ctx.tenant(), owner, ctx.now()).await? > 0 {
        tx.notify(CHANGED);
    }
    Ok(())
}

/// A fetch of the tenant, as it stands.
///
/// # Errors
/// The database's own.
pub async fn find(conn: &mut db::Conn, tenant: &Tenant, id: &FetchId) -> Result<Option<Fetch>> {
    Ok(store::find(conn, tenant, id).await?)
}

/// An owner's newest fetch.
///
/// # Errors
/// The database's own.
pub async fn latest(conn: &mut db::Conn, tenant: &Tenant, owner: &Owner) -> Result<Option<Fetch>> {
    Ok(store::latest(conn, tenant, owner).await?)
}

// ── for the queue ──────────────────────────────────────────────────────────────────────────────

/// Fetches of all accounts that wait and have no job.
pub(crate) async fn without_job(conn: &mut db::Conn, limit: i64) -> Result<Vec<Fetch>> {
    Ok(store::without_job(conn, limit).await?)
}

/// Reads a fetch and keeps it as it is until the transaction ends.
pub(crate) async fn lock_and_find(
    tx: &mut db::Tx,
    tenant: &Tenant,
    id: &FetchId,
) -> Result<Option<Fetch>> {
    tx.lock_row("fetches", id.as_str()).await?;
    Ok(store::find(tx, tenant, id).await?)
}

/// The token that it is fetched with; none once it has ended.
pub(crate) async fn token(
    app: &App,
    conn: &mut db::Conn,
    tenant: &Tenant,
    id: &FetchId,
) -> Result<Option<Secret>> {
    let Some(sealed) = store::sealed_token(conn, tenant, id).await? else {
        return Ok(None);
    };
    let place = place(id);
    Ok(Some(
        app.keys.open_text(conn, tenant, &place, &sealed).await?,
    ))
}

/// A runner has taken it.
pub(crate) async fn started(tx: &mut db::Tx, tenant: &Tenant, fetch: &mut Fetch) -> Result<()> {
    fetch.status = FetchStatus::Fetching;
    Ok(store::save(tx, tenant, fetch).await?)
}

/// Its runner is gone: it waits again, or has failed when that happened too often.
pub(crate) async fn lost(tx: &mut db::Tx, ctx: &Context, fetch: &mut Fetch) -> Result<()> {
    fetch.losses += 1;
    if fetch.losses >= MAX_LOSSES {
        let reason = format!("its runner was lost {MAX_LOSSES} times");
        return failed(tx, ctx, fetch, reason).await;
    }
    fetch.status = FetchStatus::Waiting;
    store::save(tx, &ctx.tenant(), fetch).await?;
    tx.notify(CHANGED);
    Ok(())
}

/// Binds the archive that its job brought; what an earlier try brought is given up.
pub(crate) async fn attach(
    tx: &mut db::Tx,
    tenant: &Tenant,
    fetch: &mut Fetch,
    stored: &Stored,
) -> Result<()> {
    objects::own(tx, tenant, &stored.id).await?;
    let earlier: Option<BlobId> = fetch.archive.replace(stored.id.clone());
    store::save(tx, tenant, fetch).await?;
    if let Some(earlier) = earlier {
        objects::release(tx, tenant, &earlier).await?;
    }
    Ok(())
}

/// It has succeeded. Without an archive it has failed: its runner is faulty.
pub(crate) async fn succeeded(
    tx: &mut db::Tx,
    ctx: &Context,
    fetch: &mut Fetch,
    what: Fetched,
) -> Result<()> {
    if fetch.archive.is_none() {
        let reason = "its runner brought no archive; update the runner".to_owned();
        return failed(tx, ctx, fetch, reason).await;
    }
    fetch.fetched = Some(what);
    end(tx, ctx, fetch, FetchStatus::Fetched).await
}

/// Hands the archive of a fetch that has succeeded over to its owner, whose row refers to it from
/// here on. None if it was handed over before.
pub(crate) async fn hand_over(
    tx: &mut db::Tx,
    tenant: &Tenant,
    fetch: &mut Fetch,
) -> Result<Option<Stored>> {
    let Some(archive) = fetch.archive.take() else {
        return Ok(None);
    };
    store::save(tx, tenant, fetch).await?;
    Ok(Some(objects::describe(tx, tenant, &archive).await?))
}

/// It has failed, for a reason that people can read.
pub(crate) async fn failed(
    tx: &mut db::Tx,
    ctx: &Context,
    fetch: &mut Fetch,
    reason: String,
) -> Result<()> {
    fetch.error = Some(reason);
    if let Some(archive) = fetch.archive.take() {
        objects::release(tx, &ctx.tenant(), &archive).await?;
    }
    end(tx, ctx, fetch, FetchStatus::Failed).await
}

async fn end(tx: &mut db::Tx, ctx: &Context, fetch: &mut Fetch, status: FetchStatus) -> Result<()> {
    fetch.status = status;
    fetch.ended_at = Some(ctx.now());
    store::save(tx, &ctx.tenant(), fetch).await?;
    let outcome = if status == FetchStatus::Fetched {
        "done"
    } else {
        "failed"
    };
    let detail = json!({
        "owner": [fetch.owner.kind, fetch.owner.id], "url": fetch.git.url,
        "commit": fetch.fetched.as_ref().map(|it| &it.commit), "error": fetch.error,
    });
    let target = Target::new("fetches", &fetch.id);
    Ok(audit::record_attempt(tx, ctx, target, "fetch.end", outcome, detail).await?)
}
