//! Whose token is this?

use chrono::TimeDelta;
use domain::access::{ActorKind, TokenKind};

use super::error::IamError;
use super::secret_token::{hash_token, is_well_formed};
use super::store::{self, Presented};
use crate::app::App;
use crate::clock::Timestamp;
use crate::context::{Actor, RunScope};

/// How exact "last used" is: a write per request would make every read a write.
const LAST_USED_STEP: TimeDelta = TimeDelta::minutes(5);

/// The actor behind a token's text; `None` for one that is unknown, expired or revoked, or whose
/// owner is no longer a member, or whose job has been leased anew.
///
/// # Errors
/// The database's own.
pub async fn authenticate(app: &App, text: &str) -> Result<Option<Actor>, IamError> {
    if !is_well_formed(text) {
        return Ok(None);
    }
    let mut conn = app.db.acquire().await?;
    let Some(token) = store::presented(&mut conn, &hash_token(text)).await? else {
        return Ok(None);
    };
    drop(conn);
    let now = app.clock.now();
    if token.expires_at.is_some_and(|at| at <= now) {
        return Ok(None);
    }
    note_use(app, &token, now).await?;
    Ok(actor_of(token))
}

fn actor_of(token: Presented) -> Option<Actor> {
    let last_six = Some(token.last_six);
    match token.kind {
        TokenKind::User => Some(Actor {
            kind: ActorKind::User,
            id: token.user_id?.into(),
            name: token.username?,
            account: token.account_id,
            role: Some(token.role?),
            token_last_six: last_six,
            run: None,
        }),
        TokenKind::Run => {
            // A run's token dies with its lease: another epoch is another runner.
            token
                .job_epoch
                .filter(|epoch| Some(*epoch) == token.epoch)?;
            let run = token.run_id?;
            Some(Actor {
                kind: ActorKind::Run,
                id: run.to_string(),
                name: run.to_string(),
                account: token.account_id,
                role: None,
                token_last_six: last_six,
                run: Some(RunScope {
                    run,
                    job: token.job_id?,
                    workspace: token.workspace_id?,
                    epoch: token.epoch?,
                }),
            })
        }
    }
}

async fn note_use(app: &App, token: &Presented, now: Timestamp) -> Result<(), IamError> {
    if token.kind == TokenKind::User
        && token
            .last_used_at
            .is_none_or(|at| now - at > LAST_USED_STEP)
    {
        let mut tx = app.db.begin().await?;
        store::touch(&mut tx, &token.id, now).await?;
        tx.commit().await?;
    }
    Ok(())
}
