//! Use cases of users: begin → load → authorise → decide → audit → commit.

use domain::Secret;
use domain::access::{ActorKind, Role};
use domain::ids::UserId;
use domain::permission::Permission;
use serde_json::json;

use super::authorize::{Target, authorize};
use super::error::IamError;
use super::model::{Member, NewUser, checked_username, fold_username};
use super::{grants, password, store};
use crate::app::App;
use crate::audit;
use crate::context::{Context, Tenant};

type Result<T> = std::result::Result<T, IamError>;

// ── users ──────────────────────────────────────────────────────────────────────────────────────

/// The user behind the caller's own token. Service accounts, teams and environments show as users of
/// their own, as clients expect that ask whose token they have.
pub async fn read_self(app: &App, ctx: &Context) -> Result<Member> {
    if ctx.actor.has_grants() && ctx.actor.kind != ActorKind::User {
        let body = ctx.actor.id.split_once('-').map_or("", |(_, body)| body);
        return Ok(Member {
            id: UserId::beside(body),
            username: ctx.actor.name.clone(),
            email: String::new(),
            role: Role::Member,
            created_at: ctx.now(),
        });
    }
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
    grants::grant_member(tx, ctx, &member.id, member.role, member.created_at).await?;
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
