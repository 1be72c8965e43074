//! Joining, renewing, recovering: how a runner comes to a certificate and keeps it.

use chrono::TimeDelta;
use domain::access::ActorKind;
use domain::ids::{AccountId, RunnerId, RunnerPoolId};
use link::ca::{RecoveryClaim, check_recovery, csr_public_key, parse_peer};
use serde_json::json;

use super::authority::Authority;
use super::error::RunnerError;
use super::model::{Joining, Runner};
use super::store::{self, NewRunner};
use super::token_service;
use crate::app::App;
use crate::audit;
use crate::clock::Timestamp;
use crate::context::{Actor, Context, Tenant};
use crate::iam::Target;

type Result<T> = std::result::Result<T, RunnerError>;

const SKEW: TimeDelta = TimeDelta::minutes(5);

/// A certificate on its way to its runner.
#[derive(Debug)]
pub struct Issued {
    pub runner: RunnerId,
    pub certificate_der: Vec<u8>,
    pub not_after: Timestamp,
}

struct Signed {
    certificate_der: Vec<u8>,
    serial: String,
    public_key: Vec<u8>,
    not_after: Timestamp,
}

fn sign(app: &App, authority: &Authority, csr: &[u8], runner: &RunnerId) -> Result<Signed> {
    let now = app.clock.now();
    let not_after = now + TimeDelta::seconds(app.installation.timing.certificate.into());
    let public_key = csr_public_key(csr).map_err(RunnerError::BadRequest)?;
    let certificate = authority
        .ca
        .sign_csr(csr, runner, now - SKEW, not_after)
        .map_err(RunnerError::BadRequest)?;
    let serial = parse_peer(&certificate)
        .map_err(RunnerError::Authority)?
        .serial;
    Ok(Signed {
        certificate_der: certificate.to_vec(),
        serial,
        public_key,
        not_after,
    })
}

/// A join token and a certificate request become a runner.
///
/// # Errors
/// [`RunnerError::BadToken`], [`RunnerError::BadRequest`].
pub async fn enroll(app: &App, authority: &Authority, joining: Joining) -> Result<Issued> {
    let id = RunnerId::random();
    let signed = sign(app, authority, &joining.csr_der, &id)?;
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let used = token_service::consume(&mut tx, &joining.token_hash, now).await;
    if let Err(RunnerError::BadToken) = used {
        drop(tx);
        token_service::record_refusal(app, &joining.token_hash, &joining.name).await?;
        return Err(RunnerError::BadToken);
    }
    let (account, pool) = used?;
    let new = NewRunner {
        id: &id,
        account: &account,
        pool: &pool,
        name: &joining.name,
        labels: &joining.labels,
        software: &joining.software,
        public_key: signed.public_key,
        serial: &signed.serial,
        not_after: signed.not_after,
        now,
    };
    store::insert(&mut tx, new).await?;
    record_joined(app, &mut tx, &account, &pool, &id, &joining.name).await?;
    tx.commit().await?;
    tracing::info!(runner = %id, %pool, name = joining.name, "a runner has joined");
    Ok(Issued {
        runner: id,
        certificate_der: signed.certificate_der,
        not_after: signed.not_after,
    })
}

async fn record_joined(
    app: &App,
    tx: &mut db::Tx,
    account: &AccountId,
    pool: &RunnerPoolId,
    id: &RunnerId,
    name: &str,
) -> Result<()> {
    let mut actor = Actor::system(account, name);
    actor.kind = ActorKind::Runner;
    actor.id = id.to_string();
    let ctx = Context::new(actor, app.clock.clone());
    let target = Target::new("agents", id);
    let detail = json!({ "pool": pool, "name": name });
    Ok(audit::record_attempt(tx, &ctx, target, "runner.join", "done", detail).await?)
}

/// The runner with this id, if it is still welcome.
///
/// # Errors
/// [`RunnerError::Unknown`], [`RunnerError::Revoked`].
pub async fn welcome(app: &App, id: &RunnerId) -> Result<Runner> {
    let mut conn = app.db.acquire().await?;
    let runner = store::find(&mut conn, id)
        .await?
        .ok_or(RunnerError::Unknown)?;
    match runner.revoked_at {
        Some(_) => Err(RunnerError::Revoked),
        None => Ok(runner),
    }
}

/// A new certificate for a connected runner.
///
/// # Errors
/// As [`welcome`], or [`RunnerError::BadRequest`].
pub async fn renew(app: &App, authority: &Authority, id: &RunnerId, csr: &[u8]) -> Result<Issued> {
    let runner = welcome(app, id).await?;
    let signed = sign(app, authority, csr, id)?;
    let tenant = Tenant::of_row(&runner.account_id);
    let mut tx = app.db.begin().await?;
    store::set_certificate(
        &mut tx,
        &tenant,
        id,
        signed.public_key,
        &signed.serial,
        signed.not_after,
    )
    .await?;
    tx.commit().await?;
    Ok(Issued {
        runner: id.clone(),
        certificate_der: signed.certificate_der,
        not_after: signed.not_after,
    })
}

/// A runner whose certificate has run out proves its old key and gets its identity back.
///
/// # Errors
/// [`RunnerError::BadRequest`] for a proof that proves nothing, and as [`renew`].
pub async fn recover(app: &App, authority: &Authority, claim: RecoveryClaim<'_>) -> Result<Issued> {
    let csr = claim.csr_der.to_vec();
    let identity = check_recovery(authority.ca.certificate(), claim, app.clock.now())
        .map_err(RunnerError::BadRequest)?;
    if identity.delivers_only {
        return Err(RunnerError::Revoked);
    }
    renew(app, authority, &identity.runner_id, &csr).await
}

/// How long a certificate for deliveries lives; the runner asks for another one if it needs longer.
const DELIVERY: TimeDelta = TimeDelta::hours(1);
/// How long it waits for another one: each is in the audit log.
const BETWEEN_DELIVERIES: TimeDelta = TimeDelta::minutes(5);

/// The revoked runner behind a recovery claim, which proves the key of its last certificate.
///
/// # Errors
/// [`RunnerError::BadRequest`] for a proof that proves nothing, [`RunnerError::Unknown`] unless the
/// runner is revoked.
pub async fn revoked_claimant(
    app: &App,
    authority: &Authority,
    claim: RecoveryClaim<'_>,
) -> Result<Runner> {
    let identity = check_recovery(authority.ca.certificate(), claim, app.clock.now())
        .map_err(RunnerError::BadRequest)?;
    revoked_runner(app, &identity.runner_id).await
}

/// A revoked runner by its id.
///
/// # Errors
/// [`RunnerError::Unknown`] when there is none, or it is not revoked.
pub async fn revoked_runner(app: &App, id: &RunnerId) -> Result<Runner> {
    let mut conn = app.db.acquire().await?;
    let found = store::find(&mut conn, id).await?;
    found
        .filter(|runner| runner.revoked_at.is_some())
        .ok_or(RunnerError::Unknown)
}

/// A certificate with which a revoked runner may deliver the states of its jobs, and nothing else;
/// `None` when it was given one a moment ago. The caller has seen that there are any states.
///
/// # Errors
/// [`RunnerError::BadRequest`], or the database's own.
pub async fn issue_delivery(
    app: &App,
    authority: &Authority,
    runner: &Runner,
    csr: &[u8],
) -> Result<Option<Issued>> {
    let now = app.clock.now();
    let not_after = now + DELIVERY;
    let certificate = authority
        .ca
        .sign_delivery(csr, &runner.id, now - SKEW, not_after)
        .map_err(RunnerError::BadRequest)?;
    let mut actor = Actor::system(&runner.account_id, &runner.name);
    actor.kind = ActorKind::Runner;
    actor.id = runner.id.to_string();
    let ctx = Context::new(actor, app.clock.clone());
    let target = Target::new("agents", &runner.id);
    let detail = json!({ "name": runner.name, "until": not_after });
    let mut tx = app.db.begin().await?;
    let earlier = now - BETWEEN_DELIVERIES;
    if !store::note_delivery(&mut tx, &ctx.tenant(), &runner.id, now, earlier).await? {
        return Ok(None);
    }
    audit::record_attempt(&mut tx, &ctx, target, "runner.deliver", "done", detail).await?;
    tx.commit().await?;
    tracing::warn!(runner = %runner.id, "a revoked runner delivers the states of its jobs");
    Ok(Some(Issued {
        runner: runner.id.clone(),
        certificate_der: certificate.to_vec(),
        not_after,
    }))
}

/// Forgets who was connected to an earlier process.
///
/// # Errors
/// The database's own.
pub async fn nobody_connected(app: &App) -> Result<()> {
    let mut tx = app.db.begin().await?;
    store::nobody_connected(&mut tx).await?;
    tx.commit().await?;
    Ok(())
}
