//! Use cases of users and their tokens: begin → load → authorise → decide → audit → commit.

use domain::Secret;
use domain::access::TokenKind;
use domain::ids::{TokenId, UserId};
use domain::permission::Permission;
use serde_json::json;

use super::authorize::{Authorized, Denied, Target, authorize};
use super::error::IamError;
use super::model::{ApiToken, Member, NewToken, NewUser, checked_username, fold_username};
use super::secret_token::TokenText;
use super::{password, store};
use crate::app::App;
use crate::audit;
use crate::clock::Timestamp;
use crate::context::{Context, Tenant};
use crate::http::page::{Page, Paged};

type Result<T> = std::result::Result<T, IamError>;

const MAX_DESCRIPTION: usize = 256;

// ── users ──────────────────────────────────────────────────────────────────────────────────────

/// The user behind the caller's own token.
pub async fn read_self(app: &App, ctx: &Context) -> Result<Member> {
    let proof = authorize(
        ctx,
        Permission::UsersRead,
        Target::new("users", &ctx.actor.id),
    )?;
    let id: UserId = proof.target().id.parse().map_err(|_| IamError::NotFound)?;
    let mut conn = app.db.acquire().await?;
    store::find_member(&mut conn, &ctx.tenant(), &id)
        .await?
        .ok_or(IamError::NotFound)
}

/// A member of the caller's account.
pub async fn read_user(app: &App, ctx: &Context, id: &UserId) -> Result<Member> {
    let mut conn = app.db.acquire().await?;
    let member = store::find_member(&mut conn, &ctx.tenant(), id)
        .await?
        .ok_or(IamError::NotFound)?;
    authorize(ctx, Permission::UsersRead, Target::new("users", id))?;
    Ok(member)
}

/// A member of an account, for work of the control plane itself.
///
/// # Errors
/// The database's own.
pub async fn find_member(
    conn: &mut db::Conn,
    tenant: &Tenant,
    id: &UserId,
) -> std::result::Result<Option<Member>, db::Error> {
    store::find_member(conn, tenant, id).await
}

/// Those of `ids` that are members of the account, for use cases that have authorised otherwise.
///
/// # Errors
/// The database's own.
pub async fn find_members(
    conn: &mut db::Conn,
    tenant: &Tenant,
    ids: &[UserId],
) -> std::result::Result<Vec<Member>, db::Error> {
    store::find_members(conn, tenant, ids).await
}

/// All members of the caller's account, by name.
pub async fn list_users(app: &App, ctx: &Context) -> Result<Vec<Member>> {
    authorize(
        ctx,
        Permission::UsersRead,
        Target::new("accounts", &ctx.actor.account),
    )?;
    let mut conn = app.db.acquire().await?;
    Ok(store::list_members(&mut conn, &ctx.tenant()).await?)
}

/// Makes a user and their membership of the caller's account.
///
/// # Errors
/// [`IamError::UsernameTaken`] (names are unique in the installation), [`IamError::Invalid`].
pub async fn create_user(app: &App, ctx: &Context, new: NewUser) -> Result<Member> {
    if let Some(password) = &new.password {
        password::check_rules(password)?;
    }
    let hash = match &new.password {
        Some(password) => Some(password::hash(password).await?),
        None => None,
    };
    let mut tx = app.db.begin().await?;
    let member = insert_user(&mut tx, ctx, new, hash.as_deref()).await?;
    tx.commit().await?;
    Ok(member)
}

/// As [`create_user`], inside the caller's transaction, with the password hashed before it.
pub(super) async fn insert_user(
    tx: &mut db::Tx,
    ctx: &Context,
    new: NewUser,
    password_hash: Option<&str>,
) -> Result<Member> {
    let member = Member {
        id: UserId::random(),
        username: checked_username(&new.username)?,
        email: new.email,
        role: new.role,
        created_at: ctx.now(),
    };
    let proof = authorize(
        ctx,
        Permission::UsersUpdate,
        Target::new("users", &member.id),
    )?;
    store::insert_user(tx, &ctx.tenant(), &member, password_hash)
        .await
        .map_err(|error| {
            if error.is_unique_violation() {
                IamError::UsernameTaken {
                    username: member.username.clone(),
                }
            } else {
                error.into()
            }
        })?;
    let detail = json!({ "username": member.username, "role": member.role });
    audit::record(tx, ctx, &proof, "user.create", detail).await?;
    Ok(member)
}

/// Gives a member of the caller's account a new password. Their API tokens stay valid: delete those
/// that may be in the wrong hands.
///
/// # Errors
/// [`IamError::NotFound`], [`IamError::Invalid`] for a password against the rules.
pub async fn reset_password(
    app: &App,
    ctx: &Context,
    username: &str,
    new_password: &Secret,
) -> Result<()> {
    password::check_rules(new_password)?;
    let hash = password::hash(new_password).await?;
    let mut tx = app.db.begin().await?;
    let member = store::find_member_by_name(&mut tx, &ctx.tenant(), &fold_username(username))
        .await?
        .ok_or(IamError::NotFound)?;
    let proof = authorize(
        ctx,
        Permission::UsersUpdate,
        Target::new("users", &member.id),
    )?;
    store::set_password(&mut tx, &member.id, &hash, ctx.now()).await?;
    let detail = json!({ "username": member.username });
    audit::record(&mut tx, ctx, &proof, "user.reset-password", detail).await?;
    tx.commit().await?;
    Ok(())
}

// ── tokens ─────────────────────────────────────────────────────────────────────────────────────

/// Everybody manages their own tokens; those of others need the right to change users.
fn authorize_tokens_of(ctx: &Context, owner: &UserId) -> std::result::Result<Authorized, Denied> {
    let permission = if ctx.actor.user().as_ref() == Some(owner) {
        Permission::TokensManageOwn
    } else {
        Permission::UsersUpdate
    };
    authorize(ctx, permission, Target::new("users", owner))
}

/// A user's tokens in the caller's account, newest first.
pub async fn list_tokens(
    app: &App,
    ctx: &Context,
    owner: &UserId,
    page: Page,
) -> Result<Paged<ApiToken>> {
    let tenant = ctx.tenant();
    let mut conn = app.db.acquire().await?;
    store::find_member(&mut conn, &tenant, owner)
        .await?
        .ok_or(IamError::NotFound)?;
    authorize_tokens_of(ctx, owner)?;
    Ok(store::list_tokens(&mut conn, &tenant, owner, page).await?)
}

/// Makes a token for the caller. Nobody makes one for somebody else: what is done with it would be
/// recorded in the other one's name.
pub async fn create_token(
    app: &App,
    ctx: &Context,
    owner: &UserId,
    description: String,
    expires_at: Option<Timestamp>,
) -> Result<(ApiToken, TokenText)> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    store::find_member(&mut tx, &tenant, owner)
        .await?
        .ok_or(IamError::NotFound)?;
    let proof = authorize_tokens_of(ctx, owner)?;
    if ctx.actor.user().as_ref() != Some(owner) {
        return Err(Denied {
            permission: Permission::TokensManageOwn,
            target: Target::new("users", owner),
            actor: ctx.actor.name.clone(),
            visible: true,
        }
        .into());
    }
    check_description(&description)?;
    check_expiry(expires_at, ctx.now())?;
    let new = NewToken {
        user: owner.clone(),
        description,
        expires_at,
    };
    let (token, text) = insert_token(&mut tx, &tenant, new, ctx.now()).await?;
    record_token(&mut tx, ctx, &proof, "token.create", &token).await?;
    tx.commit().await?;
    Ok((token, text))
}

fn check_description(text: &str) -> Result<()> {
    if text.len() <= MAX_DESCRIPTION && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(IamError::Invalid {
        field: "/data/attributes/description",
        detail: format!("use at most {MAX_DESCRIPTION} printable characters"),
    })
}

fn check_expiry(expires_at: Option<Timestamp>, now: Timestamp) -> Result<()> {
    match expires_at {
        Some(at) if at <= now => Err(IamError::Invalid {
            field: "/data/attributes/expired-at",
            detail: "it must lie in the future".to_owned(),
        }),
        Some(_) | None => Ok(()),
    }
}

/// Stores a new user token, inside a transaction that authorises and records it.
///
/// # Errors
/// The database's own.
pub async fn insert_token(
    conn: &mut db::Conn,
    tenant: &Tenant,
    new: NewToken,
    now: Timestamp,
) -> std::result::Result<(ApiToken, TokenText), db::Error> {
    let text = TokenText::random(TokenKind::User);
    let token = ApiToken {
        id: TokenId::random(),
        user_id: new.user,
        description: new.description,
        last_six: text.last_six.clone(),
        created_at: now,
        expires_at: new.expires_at,
        last_used_at: None,
    };
    store::insert_user_token(conn, tenant, &token, &text).await?;
    Ok((token, text))
}

pub(super) async fn record_token(
    conn: &mut db::Conn,
    ctx: &Context,
    proof: &Authorized,
    action: &str,
    token: &ApiToken,
) -> std::result::Result<(), db::Error> {
    let detail = json!({
        "token": token.id, "last_six": token.last_six, "description": token.description,
        "expires_at": token.expires_at,
    });
    audit::record(conn, ctx, proof, action, detail).await
}

async fn load_token(
    conn: &mut db::Conn,
    ctx: &Context,
    id: &TokenId,
) -> Result<(ApiToken, Authorized)> {
    let token = store::find_token(conn, &ctx.tenant(), id)
        .await?
        .ok_or(IamError::NotFound)?;
    // Who may not see the token may not learn that it exists.
    let proof = authorize_tokens_of(ctx, &token.user_id).map_err(|denied| Denied {
        visible: false,
        ..denied
    })?;
    Ok((token, proof))
}

pub async fn read_token(app: &App, ctx: &Context, id: &TokenId) -> Result<ApiToken> {
    let mut conn = app.db.acquire().await?;
    Ok(load_token(&mut conn, ctx, id).await?.0)
}

/// Takes a token away; what still uses it is refused from the next request on.
pub async fn delete_token(app: &App, ctx: &Context, id: &TokenId) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let (token, proof) = load_token(&mut tx, ctx, id).await?;
    store::delete_token(&mut tx, &ctx.tenant(), id).await?;
    record_token(&mut tx, ctx, &proof, "token.delete", &token).await?;
    tx.commit().await?;
    Ok(())
}
