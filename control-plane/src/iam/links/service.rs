//! Use cases of whoever makes links.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use domain::Secret;
use domain::access::Role;
use domain::ids::{UserId, UserLinkId};
use domain::permission::Permission;
use serde_json::json;

use super::store::{self, Kind, Link};
use crate::app::App;
use crate::audit;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::iam::grants::guard::check_subject;
use crate::iam::grants::{Subject, check_role};
use crate::iam::login::site_of_account;
use crate::iam::model::fold_username;
use crate::iam::{IamError, Target, authorize, find_member, hash_token, store as people};

type Result<T> = std::result::Result<T, IamError>;

const INVITATION: TimeDelta = TimeDelta::days(7);
const PASSWORD: TimeDelta = TimeDelta::hours(24);

fn random() -> Secret {
    Secret::new(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
}

fn link(ctx: &Context, user: Option<UserId>, email: String, life: TimeDelta) -> Link {
    Link {
        id: UserLinkId::random(),
        account_id: ctx.actor.account.clone(),
        user_id: user,
        email,
        role: None,
        created_by: ctx.actor.id.clone(),
        created_at: ctx.now(),
        expires_at: ctx.now() + life,
    }
}

async fn address(app: &App, ctx: &Context, path: &str, text: &Secret) -> Result<Secret> {
    let site = site_of_account(app, &ctx.actor.account).await?;
    Ok(Secret::new(format!("{site}{path}?token={}", text.expose())))
}

/// Invites somebody; gives the link.
pub(super) async fn invite(
    app: &App,
    ctx: &Context,
    email: String,
    role: Role,
) -> Result<(Link, Secret)> {
    let link = Link {
        role: Some(role),
        ..link(ctx, None, email, INVITATION)
    };
    let text = random();
    let mut tx = app.db.begin().await?;
    let proof = authorize(
        ctx,
        Permission::UsersUpdate,
        Target::new("invitations", &link.id),
    )?;
    check_role(ctx, role)?;
    let hash = hash_token(text.expose());
    store::insert(&mut tx, Kind::Invitation, &link, &hash).await?;
    let detail = json!({ "email": link.email, "role": role });
    audit::record(&mut tx, ctx, &proof, "invitation.create", detail).await?;
    tx.commit().await?;
    let address = address(app, ctx, "/invitation", &text).await?;
    Ok((link, address))
}

/// Invitations that wait.
pub(super) async fn list(app: &App, ctx: &Context) -> Result<Vec<Link>> {
    let target = Target::new("accounts", &ctx.actor.account);
    authorize(ctx, Permission::UsersUpdate, target)?;
    let mut conn = app.db.acquire().await?;
    Ok(store::invitations(&mut conn, &ctx.tenant(), ctx.now()).await?)
}

/// Takes an invitation back.
pub(super) async fn revoke(app: &App, ctx: &Context, id: &UserLinkId) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let found = store::invitation(&mut tx, &ctx.tenant(), id)
        .await?
        .ok_or(IamError::NotFound)?;
    let proof = authorize(ctx, Permission::UsersUpdate, Target::new("invitations", id))?;
    store::take(&mut tx, id).await?;
    let detail = json!({ "email": found.email });
    audit::record(&mut tx, ctx, &proof, "invitation.revoke", detail).await?;
    tx.commit().await?;
    Ok(())
}

/// A link with which a member gives themselves a new password.
///
/// # Errors
/// [`IamError::SharedUser`]: the password opens the person's other accounts too, and those are not
/// this administrator's.
pub(super) async fn reset_link(
    app: &App,
    ctx: &Context,
    user: &UserId,
) -> Result<(Secret, Timestamp)> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let member = find_member(&mut tx, &tenant, user)
        .await?
        .ok_or(IamError::NotFound)?;
    let proof = authorize(ctx, Permission::UsersUpdate, Target::new("users", user))?;
    let operator = !ctx.actor.has_grants();
    if !operator && people::is_shared(&mut tx, &tenant, user).await? {
        return Err(IamError::SharedUser);
    }
    // Who sets somebody's password can be them.
    check_subject(ctx, &mut tx, &Subject::User(user.clone())).await?;
    let (link, text) = (
        link(ctx, Some(user.clone()), member.email, PASSWORD),
        random(),
    );
    // The newest one counts.
    store::take_all_of(&mut tx, Kind::Password, user).await?;
    let hash = hash_token(text.expose());
    store::insert(&mut tx, Kind::Password, &link, &hash).await?;
    let detail = json!({ "username": member.username });
    audit::record(&mut tx, ctx, &proof, "user.begin-password-reset", detail).await?;
    tx.commit().await?;
    let address = address(app, ctx, "/password-reset", &text).await?;
    Ok((address, link.expires_at))
}

/// The same by name, for the operator.
///
/// # Errors
/// As [`reset_link`].
pub async fn password_link(app: &App, ctx: &Context, username: &str) -> Result<Secret> {
    let mut conn = app.db.acquire().await?;
    let name = fold_username(username);
    let member = people::find_member_by_name(&mut conn, &ctx.tenant(), &name)
        .await?
        .ok_or(IamError::NotFound)?;
    drop(conn);
    Ok(reset_link(app, ctx, &member.id).await?.0)
}
