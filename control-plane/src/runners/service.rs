//! Joining, renewing, recovering: how a runner comes to a certificate and keeps it.

use chrono::TimeDelta;
use domain::Secret;
use domain::ids::{AccountId, RunnerId, RunnerPoolId};
use link::ca::{RecoveryClaim, check_recovery, csr_public_key, parse_peer};
use link::join::JoinToken;

use super::authority::Authority;
use super::error::RunnerError;
use super::model::{Joining, Runner};
use super::store::{self, NewRunner};
use crate::app::App;
use crate::clock::Timestamp;
use crate::context::Tenant;

type Result<T> = std::result::Result<T, RunnerError>;

const SKEW: TimeDelta = TimeDelta::minutes(5);

/// A certificate on its way to its runner.
#[derive(Debug)]
pub struct Issued {
    pub runner: RunnerId,
    pub certificate_der: Vec<u8>,
    pub not_after: Timestamp,
}

/// Makes a join token of a pool; its text is shown once.
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
    let token = JoinToken::generate(authority.ca.fingerprint());
    let hash = hex::encode(token.secret_hash());
    let tenant = Tenant::of_row(account);
    let mut tx = app.db.begin().await?;
    store::insert_join_token(
        &mut tx,
        &tenant,
        pool,
        &hash,
        description,
        app.clock.now(),
        None,
    )
    .await?;
    tx.commit().await?;
    Ok(token.to_text())
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
    let (account, pool) = store::use_join_token(&mut tx, &joining.token_hash, now)
        .await?
        .ok_or(RunnerError::BadToken)?;
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
    tx.commit().await?;
    tracing::info!(runner = %id, %pool, name = joining.name, "a runner has joined");
    Ok(Issued {
        runner: id,
        certificate_der: signed.certificate_der,
        not_after: signed.not_after,
    })
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
    renew(app, authority, &identity.runner_id, &csr).await
}

/// The runners that may not connect any more.
///
/// # Errors
/// The database's own.
pub async fn revoked(app: &App) -> Result<Vec<RunnerId>> {
    let mut conn = app.db.acquire().await?;
    Ok(store::revoked(&mut conn)
        .await?
        .into_iter()
        .map(|(id,)| id)
        .collect())
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
