//! Use cases of sessions. Everybody sees and ends their own. Who changes users does so for those of
//! the account: what a provider of it has opened, and all of those who belong to it alone.

use domain::ids::{SessionId, UserId};
use domain::permission::Permission;
use serde_json::json;

use super::store::{self, Session};
use crate::app::App;
use crate::audit;
use crate::context::Context;
use crate::iam::{Authorized, Denied, IamError, Target, authorize, find_member};

type Result<T> = std::result::Result<T, IamError>;

fn is_own(ctx: &Context, user: &UserId) -> bool {
    ctx.actor.user().as_ref() == Some(user)
}

fn authorize_for(ctx: &Context, user: &UserId) -> std::result::Result<Authorized, Denied> {
    let permission = if is_own(ctx, user) {
        Permission::TokensManageOwn
    } else {
        Permission::UsersUpdate
    };
    authorize(ctx, permission, Target::new("users", user))
}

fn concerns(ctx: &Context, session: &Session) -> bool {
    match &session.account_id {
        Some(account) => *account == ctx.actor.account,
        None => session.elsewhere == 0,
    }
}

pub(super) async fn list(app: &App, ctx: &Context, user: &UserId) -> Result<Vec<Session>> {
    let tenant = ctx.tenant();
    let mut conn = app.db.acquire().await?;
    find_member(&mut conn, &tenant, user)
        .await?
        .ok_or(IamError::NotFound)?;
    authorize_for(ctx, user)?;
    let mut found = store::list(&mut conn, &tenant, user, ctx.now()).await?;
    found.retain(|it| is_own(ctx, user) || concerns(ctx, it));
    Ok(found)
}

/// Signs a browser out.
pub(super) async fn delete(app: &App, ctx: &Context, id: &SessionId) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let session = store::find(&mut tx, &ctx.tenant(), id)
        .await?
        .ok_or(IamError::NotFound)?;
    let proof = authorize_for(ctx, &session.user_id).map_err(|denied| Denied {
        visible: false,
        ..denied
    })?;
    if !is_own(ctx, &session.user_id) && !concerns(ctx, &session) {
        return Err(IamError::NotFound);
    }
    store::delete(&mut tx, id).await?;
    let detail = json!({ "session": id });
    audit::record(&mut tx, ctx, &proof, "session.delete", detail).await?;
    tx.commit().await?;
    Ok(())
}
