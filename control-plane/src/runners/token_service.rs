//! Join tokens: what a new runner proves its pool with. Reusable until they expire or are revoked,
//! unless made for a single use.

use domain::Secret;
use domain::ids::{AccountId, RunnerPoolId, TokenId};
use domain::permission::Permission;
use link::join::JoinToken;
use serde_json::json;

use super::authority::Authority;
use super::error::RunnerError;
use super::model::{JoinTokenRow, NewJoinToken};
use super::pool_service;
use super::token_store as store;
use crate::app::App;
use crate::audit;
use crate::context::{Actor, Context, Tenant};
use crate::http::page::{Page, Paged};
use crate::iam::{Authorized, Target, authorize};

type Result<T> = std::result::Result<T, RunnerError>;

/// Longest description, in bytes.
const MAX_DESCRIPTION: usize = 200;
/// Characters of the text's end that are kept in clear, to tell tokens apart.
const SHOWN: usize = 6;

/// Makes a join token of a pool for the control plane itself; its text is shown once.
///
/// # Errors
/// The database's own.
pub async fn create_join_token(
    app: &App,
    authority: &Authority,
    account: &AccountId,
    pool: &RunnerPoolId,
    description: &str,
) -> Result<Secret> {
    let ctx = Context::new(Actor::system(account, "terrane"), app.clock.clone());
    let new = NewJoinToken {
        description: description.to_owned(),
        ..NewJoinToken::default()
    };
    Ok(make(app, &ctx, authority, pool, new).await?.1)
}

/// Makes a join token of a pool; its text is in this answer and never again.
///
/// # Errors
/// [`RunnerError::NotFound`], [`RunnerError::Invalid`].
pub(super) async fn create(
    app: &App,
    ctx: &Context,
    pool: &RunnerPoolId,
    new: NewJoinToken,
) -> Result<(JoinTokenRow, Secret)> {
    let authority = Authority::load(app).await?;
    make(app, ctx, &authority, pool, new).await
}

async fn make(
    app: &App,
    ctx: &Context,
    authority: &Authority,
    pool: &RunnerPoolId,
    new: NewJoinToken,
) -> Result<(JoinTokenRow, Secret)> {
    let token = JoinToken::generate(authority.ca.fingerprint());
    let text = token.to_text();
    let mut tx = app.db.begin().await?;
    super::pool_store::lock(&mut tx, pool).await?;
    let (_, proof) = pool_service::load(&mut tx, ctx, pool, Permission::RunnerPoolsManage).await?;
    check(&new, ctx)?;
    let end = text.expose().len().saturating_sub(SHOWN);
    let row = JoinTokenRow {
        id: TokenId::random(),
        pool_id: pool.clone(),
        description: new.description,
        single_use: new.single_use,
        created_at: ctx.now(),
        expires_at: new.expires_at,
        used_at: None,
        last_six: text.expose().get(end..).map(str::to_owned),
        created_by: ctx.actor.user().map(|user| user.to_string()),
    };
    let hash = hex::encode(token.secret_hash());
    store::insert(&mut tx, &ctx.tenant(), &row, &hash).await?;
    record(&mut tx, ctx, &proof, "join-token.create", &row).await?;
    tx.commit().await?;
    Ok((row, text))
}

fn check(new: &NewJoinToken, ctx: &Context) -> Result<()> {
    let text = &new.description;
    if text.len() > MAX_DESCRIPTION || text.chars().any(char::is_control) {
        return Err(RunnerError::invalid(
            "description",
            format!("use at most {MAX_DESCRIPTION} printable characters"),
        ));
    }
    match new.expires_at {
        Some(at) if at <= ctx.now() => Err(RunnerError::invalid(
            "expired-at",
            "it must lie in the future",
        )),
        Some(_) | None => Ok(()),
    }
}

async fn record(
    conn: &mut db::Conn,
    ctx: &Context,
    proof: &Authorized,
    action: &str,
    token: &JoinTokenRow,
) -> Result<()> {
    let detail = json!({
        "token": token.id, "last_six": token.last_six, "description": token.description,
        "expires_at": token.expires_at, "single_use": token.single_use,
    });
    Ok(audit::record(conn, ctx, proof, action, detail).await?)
}

/// A pool's join tokens that are not revoked, newest first.
pub(super) async fn list(
    app: &App,
    ctx: &Context,
    pool: &RunnerPoolId,
    page: Page,
) -> Result<Paged<JoinTokenRow>> {
    let mut conn = app.db.acquire().await?;
    pool_service::load(&mut conn, ctx, pool, Permission::RunnerPoolsRead).await?;
    Ok(store::list(&mut conn, &ctx.tenant(), pool, page).await?)
}

async fn load(
    conn: &mut db::Conn,
    ctx: &Context,
    id: &TokenId,
    permission: Permission,
) -> Result<(JoinTokenRow, Authorized)> {
    let token = store::find(conn, &ctx.tenant(), id)
        .await?
        .ok_or(RunnerError::NotFound)?;
    let proof = authorize(ctx, permission, Target::new("agent-pools", &token.pool_id))?;
    Ok((token, proof))
}

pub(super) async fn read(app: &App, ctx: &Context, id: &TokenId) -> Result<JoinTokenRow> {
    let mut conn = app.db.acquire().await?;
    Ok(load(&mut conn, ctx, id, Permission::RunnerPoolsRead)
        .await?
        .0)
}

/// Takes a join token back: nobody joins with it any more. Runners that did stay.
pub(super) async fn revoke(app: &App, ctx: &Context, id: &TokenId) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let (token, proof) = load(&mut tx, ctx, id, Permission::RunnerPoolsManage).await?;
    store::revoke(&mut tx, &ctx.tenant(), id, ctx.now()).await?;
    record(&mut tx, ctx, &proof, "join-token.revoke", &token).await?;
    tx.commit().await?;
    Ok(())
}

/// Uses a join token inside the transaction of an enrolment.
pub(super) async fn consume(
    tx: &mut db::Tx,
    hash: &str,
    now: crate::clock::Timestamp,
) -> Result<(AccountId, RunnerPoolId)> {
    store::consume(tx, hash, now)
        .await?
        .ok_or(RunnerError::BadToken)
}

/// Records that somebody tried to join with a token that is no longer good. Of one that never was,
/// there is no account to tell.
pub(super) async fn record_refusal(app: &App, hash: &str, name: &str) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let Some((account, pool, token)) = store::owner(&mut tx, hash).await? else {
        return Ok(());
    };
    let ctx = Context::new(Actor::system(&account, "gateway"), app.clock.clone());
    let tenant: Tenant = ctx.tenant();
    let used = store::find(&mut tx, &tenant, &token).await?;
    let detail = json!({
        "token": token, "name": name, "revoked": used.is_none(),
        "used_up": used.is_some_and(|it| it.single_use && it.used_at.is_some()),
    });
    let target = Target::new("agent-pools", &pool);
    audit::record_attempt(&mut tx, &ctx, target, "runner.join", "denied", detail).await?;
    tx.commit().await?;
    Ok(())
}
