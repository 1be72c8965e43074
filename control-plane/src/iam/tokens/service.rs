//! Use cases of tokens.

use domain::ids::{EnvironmentId, TokenId};
use domain::permission::Permission;
use serde_json::json;

use super::model::{ApiToken, NewToken, TokenOwner};
use super::owner::{Purpose, authorize_owner, check_hand_out};
use super::store;
use crate::app::App;
use crate::audit;
use crate::clock::Timestamp;
use crate::context::{Context, Tenant};
use crate::http::page::{Page, Paged};
use crate::iam::secret_token::TokenText;
use crate::iam::{Authorized, Denied, IamError, Target, authorize, rules};
use crate::tenancy;

type Result<T> = std::result::Result<T, IamError>;

const MAX_DESCRIPTION: usize = 256;

/// An owner's tokens in the caller's account, newest first.
pub(super) async fn list_tokens(
    app: &App,
    ctx: &Context,
    owner: &TokenOwner,
    page: Page,
) -> Result<Paged<ApiToken>> {
    let mut conn = app.db.acquire().await?;
    authorize_owner(&mut conn, ctx, owner, Purpose::Read).await?;
    Ok(store::list(&mut conn, &ctx.tenant(), owner, page).await?)
}

/// The id of an environment by its name; who may do nothing with its tokens finds out in the use
/// case that follows.
pub(super) async fn environment_id(app: &App, ctx: &Context, name: &str) -> Result<EnvironmentId> {
    let mut conn = app.db.acquire().await?;
    let found = tenancy::find_environment(&mut conn, &ctx.tenant(), name).await?;
    Ok(found.ok_or(IamError::NotFound)?.id)
}

/// The tokens of an environment's teams, newest first.
pub(super) async fn list_of_teams(
    app: &App,
    ctx: &Context,
    environment: &str,
    page: Page,
) -> Result<Paged<ApiToken>> {
    let tenant = ctx.tenant();
    let mut conn = app.db.acquire().await?;
    let found = tenancy::find_environment(&mut conn, &tenant, environment)
        .await?
        .ok_or(IamError::NotFound)?;
    let target = Target::new("organizations", &found.name).in_environment(&found.id);
    authorize(ctx, Permission::TeamsManage, target)?;
    Ok(store::of_teams(&mut conn, &tenant, &found.id, page).await?)
}

/// Makes a token. One without a description takes the place of the one that there is.
///
/// # Errors
/// [`IamError::Invalid`], [`IamError::BeyondOwn`], or the refusal.
pub(super) async fn create(
    app: &App,
    ctx: &Context,
    owner: TokenOwner,
    description: String,
    expires_at: Option<Timestamp>,
    replace: bool,
) -> Result<(ApiToken, TokenText)> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let proof = authorize_owner(&mut tx, ctx, &owner, Purpose::Manage).await?;
    check_hand_out(&mut tx, ctx, &owner).await?;
    check_description(&description)?;
    let latest = rules::find(&mut tx, &tenant)
        .await?
        .end(owner.kind(), ctx.now());
    check_expiry(expires_at, ctx.now(), latest)?;
    if replace && let Some(old) = store::single(&mut tx, &tenant, &owner).await? {
        store::delete(&mut tx, &tenant, &old.id).await?;
        record_token(&mut tx, ctx, &proof, "token.delete", &old).await?;
    }
    let new = NewToken {
        owner,
        description,
        expires_at,
    };
    let (token, text) = insert_token(&mut tx, &tenant, new, ctx.now()).await?;
    record_token(&mut tx, ctx, &proof, "token.create", &token).await?;
    tx.commit().await?;
    Ok((token, text))
}

/// Makes a token, one more.
///
/// # Errors
/// [`IamError::Invalid`], [`IamError::BeyondOwn`], or the refusal.
pub async fn create_token(
    app: &App,
    ctx: &Context,
    owner: TokenOwner,
    description: String,
    expires_at: Option<Timestamp>,
) -> Result<(ApiToken, TokenText)> {
    create(app, ctx, owner, description, expires_at, false).await
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

fn check_expiry(
    expires_at: Option<Timestamp>,
    now: Timestamp,
    latest: Option<Timestamp>,
) -> Result<()> {
    let invalid = |detail| {
        Err(IamError::Invalid {
            field: "/data/attributes/expired-at",
            detail,
        })
    };
    match (expires_at, latest) {
        (Some(at), _) if at <= now => invalid("it must lie in the future".to_owned()),
        (Some(at), Some(latest)) if at > latest => invalid(format!(
            "the account's rules let such tokens live until {latest} at most"
        )),
        _ => Ok(()),
    }
}

/// Stores a new token, inside a transaction that authorises and records it. It ends when the
/// account's rules say, if not before.
///
/// # Errors
/// The database's own.
pub async fn insert_token(
    conn: &mut db::Conn,
    tenant: &Tenant,
    new: NewToken,
    now: Timestamp,
) -> std::result::Result<(ApiToken, TokenText), db::Error> {
    let kind = new.owner.kind();
    let latest = rules::find(conn, tenant).await?.end(kind, now);
    let text = TokenText::random(kind);
    let token = ApiToken {
        id: TokenId::random(),
        owner: new.owner,
        description: new.description,
        last_six: text.last_six.clone(),
        created_at: now,
        expires_at: new.expires_at.into_iter().chain(latest).min(),
        last_used_at: None,
    };
    store::insert(conn, tenant, &token, &text).await?;
    Ok((token, text))
}

pub async fn record_token(
    conn: &mut db::Conn,
    ctx: &Context,
    proof: &Authorized,
    action: &str,
    token: &ApiToken,
) -> std::result::Result<(), db::Error> {
    let detail = json!({
        "token": token.id, "owner": token.owner.id(), "last_six": token.last_six,
        "description": token.description, "expires_at": token.expires_at,
    });
    audit::record(conn, ctx, proof, action, detail).await
}

async fn load_token(
    conn: &mut db::Conn,
    ctx: &Context,
    id: &TokenId,
    purpose: Purpose,
) -> Result<(ApiToken, Authorized)> {
    let token = store::find(conn, &ctx.tenant(), id)
        .await?
        .ok_or(IamError::NotFound)?;
    // Who may not see the token may not learn that it exists.
    let proof = match authorize_owner(conn, ctx, &token.owner, purpose).await {
        Err(IamError::Denied(denied)) => {
            return Err(IamError::Denied(Box::new(Denied {
                visible: false,
                ..*denied
            })));
        }
        other => other?,
    };
    Ok((token, proof))
}

pub async fn read_token(app: &App, ctx: &Context, id: &TokenId) -> Result<ApiToken> {
    let mut conn = app.db.acquire().await?;
    Ok(load_token(&mut conn, ctx, id, Purpose::Read).await?.0)
}

/// Takes a token away; what still uses it is refused from the next request on.
pub async fn delete_token(app: &App, ctx: &Context, id: &TokenId) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let (token, proof) = load_token(&mut tx, ctx, id, Purpose::Manage).await?;
    store::delete(&mut tx, &ctx.tenant(), id).await?;
    record_token(&mut tx, ctx, &proof, "token.delete", &token).await?;
    tx.commit().await?;
    Ok(())
}

/// The one token without a description.
pub(super) async fn read_single(app: &App, ctx: &Context, owner: &TokenOwner) -> Result<ApiToken> {
    let mut conn = app.db.acquire().await?;
    authorize_owner(&mut conn, ctx, owner, Purpose::Read).await?;
    let found = store::single(&mut conn, &ctx.tenant(), owner).await?;
    found.ok_or(IamError::NotFound)
}

/// Takes the one token without a description away.
pub(super) async fn delete_single(app: &App, ctx: &Context, owner: &TokenOwner) -> Result<()> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let proof = authorize_owner(&mut tx, ctx, owner, Purpose::Manage).await?;
    let found = store::single(&mut tx, &tenant, owner)
        .await?
        .ok_or(IamError::NotFound)?;
    store::delete(&mut tx, &tenant, &found.id).await?;
    record_token(&mut tx, ctx, &proof, "token.delete", &found).await?;
    tx.commit().await?;
    Ok(())
}
