//! Whose token is this?

use std::net::IpAddr;
use std::sync::Arc;

use chrono::TimeDelta;
use domain::access::{ActorKind, TokenKind};

use super::effective::{Grants, Place};
use super::error::IamError;
use super::grants::{self, Subject};
use super::secret_token::{hash_token, is_well_formed};
use super::store::{self, Presented};
use super::{rules, tokens};
use crate::app::App;
use crate::clock::Timestamp;
use crate::context::{Actor, RunScope, Tenant};

/// How exact "last used" is: a write per request would make every read a write.
const LAST_USED_STEP: TimeDelta = TimeDelta::minutes(5);

/// The actor behind a token's text, which came from `address`; `None` for one that is unknown, expired
/// or revoked, that lives longer than the account's rules let it, or whose owner is no longer a
/// member or is disabled, or whose job has been leased anew. It is looked up by its hash, so a guess
/// that is nearly right takes no longer than any other.
///
/// # Errors
/// [`IamError::AddressNotAllowed`], and the database's own.
pub async fn authenticate(
    app: &App,
    text: &str,
    address: Option<IpAddr>,
) -> Result<Option<Actor>, IamError> {
    if !is_well_formed(text) {
        return Ok(None);
    }
    let mut conn = app.db.acquire().await?;
    let Some(token) = store::presented(&mut conn, &hash_token(text)).await? else {
        return Ok(None);
    };
    let now = app.clock.now();
    if token.expires_at.is_some_and(|at| at <= now) {
        return Ok(None);
    }
    let tenant = Tenant::of_row(&token.account_id);
    let rules = rules::find(&mut conn, &tenant).await?;
    if rules
        .end(token.kind, token.created_at)
        .is_some_and(|at| at <= now)
    {
        return Ok(None);
    }
    let admitted = rules.admit(token.kind, address);
    let noted = is_worth_noting(&token, now).then(|| token.id.clone());
    let Some((actor, subject)) = actor_of(token) else {
        return Ok(None);
    };
    // Only who has a token that works learns that it doesn't work from there.
    if !admitted {
        return Err(IamError::AddressNotAllowed);
    }
    let actor = match subject {
        Some(subject) => grants::of_actor(&mut conn, &subject, actor).await?,
        None => actor,
    };
    drop(conn);
    if let Some(id) = noted {
        let mut tx = app.db.begin().await?;
        store::touch(&mut tx, &id, now).await?;
        tx.commit().await?;
    }
    Ok(Some(actor))
}

/// Whom a token speaks for, and whose grants that one has.
fn actor_of(token: Presented) -> Option<(Actor, Option<Subject>)> {
    let last_six = Some(token.last_six);
    match token.kind {
        TokenKind::User => {
            let id = token.user_id.filter(|_| token.is_member)?;
            let actor = Actor {
                token_last_six: last_six,
                ..Actor::themselves(&token.account_id, &id, &token.username?)
            };
            Some((actor, Some(Subject::User(id))))
        }
        TokenKind::ServiceAccount => {
            let id = token.service_account_id?;
            let name = token.service_account_name?;
            let actor = Actor {
                kind: ActorKind::ServiceAccount,
                id: id.to_string(),
                token_last_six: last_six,
                ..Actor::system(&token.account_id, &name)
            };
            Some((actor, Some(Subject::ServiceAccount(id))))
        }
        TokenKind::Team => {
            let id = token.team_id?;
            let actor = Actor {
                kind: ActorKind::Team,
                id: id.to_string(),
                token_last_six: last_six,
                ..Actor::system(&token.account_id, &token.team_name?)
            };
            Some((actor, Some(Subject::Team(id))))
        }
        TokenKind::Environment => {
            let id = token.environment_id?;
            let mut grants = Grants::default();
            let place = Place::Environment(id.clone());
            grants.add(&place, &tokens::environment_permissions());
            let actor = Actor {
                kind: ActorKind::Environment,
                id: id.to_string(),
                grants: Arc::new(grants),
                token_last_six: last_six,
                ..Actor::system(&token.account_id, &token.environment_name?)
            };
            Some((actor, None))
        }
        TokenKind::Run => {
            // A run's token dies with its lease: another epoch is another runner.
            token
                .job_epoch
                .filter(|epoch| Some(*epoch) == token.epoch)?;
            let run = token.run_id?;
            let actor = Actor {
                kind: ActorKind::Run,
                id: run.to_string(),
                name: run.to_string(),
                account: token.account_id,
                grants: Arc::default(),
                token_last_six: last_six,
                run: Some(RunScope {
                    run,
                    job: token.job_id?,
                    workspace: token.workspace_id?,
                    epoch: token.epoch?,
                }),
            };
            Some((actor, None))
        }
    }
}

fn is_worth_noting(token: &Presented, now: Timestamp) -> bool {
    token.kind != TokenKind::Run
        && token
            .last_used_at
            .is_none_or(|at| now - at > LAST_USED_STEP)
}
