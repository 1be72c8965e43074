//! Use cases of second factors.

use domain::Secret;
use domain::ids::UserId;
use domain::permission::Permission;
use serde_json::json;

use super::error::FactorError;
use super::{store, totp};
use crate::app::App;
use crate::audit;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::iam::{Authorized, Denied, Target, authorize, find_member, hash_token, store as people};
use crate::problem::Fault;
use crate::tenancy;

type Result<T> = std::result::Result<T, FactorError>;

const RECOVERY_CODES: usize = 10;

/// Its secret lies among the installation's: the factor is a person's, whatever their accounts, and
/// rotating the installation's key moves it along.
fn place(user: &UserId) -> String {
    format!("second-factor {user}")
}

/// What an app needs to make codes; shown once.
pub(super) struct Begun {
    pub secret: Secret,
    pub address: Secret,
}

/// Nobody makes a second factor for somebody else.
fn authorize_own(ctx: &Context, user: &UserId) -> std::result::Result<Authorized, Denied> {
    let target = Target::new("users", user);
    if ctx.actor.user().as_ref() == Some(user) {
        return authorize(ctx, Permission::TokensManageOwn, target);
    }
    let proof = authorize(ctx, Permission::UsersUpdate, target.clone());
    Err(proof.err().unwrap_or_else(|| Denied {
        permission: Permission::TokensManageOwn,
        target,
        actor: ctx.actor.name.clone(),
        visible: true,
    }))
}

async fn load(tx: &mut db::Tx, ctx: &Context, user: &UserId) -> Result<String> {
    let member = find_member(tx, &ctx.tenant(), user)
        .await?
        .ok_or(FactorError::NotFound)?;
    tx.lock_row("users", user.as_str()).await?;
    Ok(member.username)
}

/// Makes a secret. It is in force when a code of it has been seen.
pub(super) async fn begin(app: &App, ctx: &Context, user: &UserId) -> Result<Begun> {
    let mut tx = app.db.begin().await?;
    let username = load(&mut tx, ctx, user).await?;
    let proof = authorize_own(ctx, user)?;
    let known = store::find(&mut tx, user).await?;
    if known.is_some_and(|it| it.confirmed_at.is_some()) {
        return Err(FactorError::InForce);
    }
    remove(&mut tx, user).await?;
    store::insert(&mut tx, user, ctx.now()).await?;
    let secret = app
        .keys
        .installation_secret(&mut tx, &place(user), ctx.now(), totp::random_secret)
        .await?;
    let host = app.installation.public_url.host_str().unwrap_or("terrane");
    let totp = totp::totp(&secret, host, &username)?;
    let address = totp.to_url().map_err(|_| Fault::Unreadable {
        what: "the secret of a second factor",
    })?;
    audit::record(&mut tx, ctx, &proof, "second-factor.begin", json!({})).await?;
    tx.commit().await?;
    Ok(Begun {
        secret: Secret::new(totp.secret().to_base32()),
        address: Secret::new(address),
    })
}

async fn remove(tx: &mut db::Tx, user: &UserId) -> Result<bool> {
    tenancy::forget_installation_secret(tx, &place(user)).await?;
    Ok(store::delete(tx, user).await?)
}

/// Puts the factor in force; gives the recovery codes.
///
/// # Errors
/// [`FactorError::WrongCode`].
pub(super) async fn confirm(
    app: &App,
    ctx: &Context,
    user: &UserId,
    code: &str,
) -> Result<Vec<Secret>> {
    let mut tx = app.db.begin().await?;
    let username = load(&mut tx, ctx, user).await?;
    let proof = authorize_own(ctx, user)?;
    let known = store::find(&mut tx, user)
        .await?
        .ok_or(FactorError::NotFound)?;
    if known.confirmed_at.is_some() {
        return Err(FactorError::InForce);
    }
    if !is_right(app, &mut tx, user, &username, code, ctx.now()).await? {
        return Err(FactorError::WrongCode);
    }
    store::confirm(&mut tx, user, ctx.now()).await?;
    let mut codes = Vec::new();
    for _ in 0..RECOVERY_CODES {
        let code = recovery_code();
        store::insert_recovery(&mut tx, user, &hash_token(code.expose())).await?;
        codes.push(code);
    }
    audit::record(&mut tx, ctx, &proof, "second-factor.confirm", json!({})).await?;
    tx.commit().await?;
    Ok(codes)
}

/// Seventy bits, in letters that can't be taken for each other.
fn recovery_code() -> Secret {
    let text = bs58::encode(rand::random::<[u8; 12]>()).into_string();
    let (head, tail) = (&text[..6], &text[6..12]);
    Secret::new(format!("{head}-{tail}"))
}

/// Whether a code is right and was not used; it is used from now on. The user's row is locked.
async fn is_right(
    app: &App,
    tx: &mut db::Tx,
    user: &UserId,
    username: &str,
    code: &str,
    now: Timestamp,
) -> std::result::Result<bool, Fault> {
    let make = || -> Vec<u8> { totp::random_secret() };
    let secret = app
        .keys
        .installation_secret(tx, &place(user), now, make)
        .await?;
    let totp = totp::totp(&secret, "terrane", username)?;
    match totp::step(&totp, code, now) {
        Some(step) => Ok(store::use_step(tx, user, step).await?),
        None => Ok(false),
    }
}

/// Takes a factor away: one's own, or that of a member of this account only, who has lost it.
pub(super) async fn delete(app: &App, ctx: &Context, user: &UserId) -> Result<()> {
    let mut tx = app.db.begin().await?;
    load(&mut tx, ctx, user).await?;
    let own = ctx.actor.user().as_ref() == Some(user);
    let proof = if own {
        authorize_own(ctx, user)?
    } else {
        authorize(ctx, Permission::UsersUpdate, Target::new("users", user))?
    };
    if !own && people::is_shared(&mut tx, &ctx.tenant(), user).await? {
        return Err(crate::iam::IamError::SharedUser.into());
    }
    if !remove(&mut tx, user).await? {
        return Err(FactorError::NotFound);
    }
    audit::record(&mut tx, ctx, &proof, "second-factor.delete", json!({})).await?;
    tx.commit().await?;
    Ok(())
}

/// What a sign-in makes of the code that came with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::iam) enum Answer {
    NotAsked,
    Right,
    Wrong,
}

/// Checks the code of a user whose password is right and whose row is locked. A recovery code does
/// too, once.
///
/// # Errors
/// The database's own, or the vault's.
pub(in crate::iam) async fn check(
    app: &App,
    tx: &mut db::Tx,
    user: &UserId,
    username: &str,
    code: &str,
    now: Timestamp,
) -> std::result::Result<Answer, Fault> {
    let known = store::find(tx, user).await?;
    if known.is_none_or(|it| it.confirmed_at.is_none()) {
        return Ok(Answer::NotAsked);
    }
    let code: String = code
        .chars()
        .filter(|c| !c.is_whitespace())
        .take(64)
        .collect();
    if code.len() == 6 && is_right(app, tx, user, username, &code, now).await? {
        return Ok(Answer::Right);
    }
    let right = store::use_recovery(tx, user, &hash_token(&code)).await?;
    Ok(if right { Answer::Right } else { Answer::Wrong })
}
