//! Use cases of service accounts.

use domain::ids::ServiceAccountId;
use domain::permission::Permission;
use serde_json::{Value, json};

use super::model::{ServiceAccount, ServiceAccountChange};
use super::store;
use crate::app::App;
use crate::audit;
use crate::context::Context;
use crate::http::page::{Page, Paged};
use crate::iam::grants::Subject;
use crate::iam::grants::guard::check_subject;
use crate::iam::{Authorized, IamError, Target, authorize};

type Result<T> = std::result::Result<T, IamError>;

fn name_taken(error: db::Error) -> IamError {
    if error.is_unique_violation() {
        IamError::ServiceAccountNameTaken
    } else {
        error.into()
    }
}

/// What the audit log says of a service account.
fn facts(account: &ServiceAccount) -> Value {
    json!({ "name": account.name, "description": account.description, "enabled": account.enabled })
}

async fn load(
    conn: &mut db::Conn,
    ctx: &Context,
    id: &ServiceAccountId,
    permission: Permission,
) -> Result<(ServiceAccount, Authorized)> {
    let found = store::find(conn, &ctx.tenant(), id)
        .await?
        .ok_or(IamError::NotFound)?;
    let proof = authorize(ctx, permission, Target::new("service-accounts", id))?;
    Ok((found, proof))
}

/// The account's service accounts, by name.
pub(super) async fn list(app: &App, ctx: &Context, page: Page) -> Result<Paged<ServiceAccount>> {
    let target = Target::new("service-accounts", &ctx.actor.account);
    authorize(ctx, Permission::ServiceAccountsRead, target)?;
    let mut conn = app.db.acquire().await?;
    Ok(store::list(&mut conn, &ctx.tenant(), page).await?)
}

pub(super) async fn read(
    app: &App,
    ctx: &Context,
    id: &ServiceAccountId,
) -> Result<ServiceAccount> {
    let mut conn = app.db.acquire().await?;
    let (found, _) = load(&mut conn, ctx, id, Permission::ServiceAccountsRead).await?;
    Ok(found)
}

pub(super) async fn create(
    app: &App,
    ctx: &Context,
    change: ServiceAccountChange,
) -> Result<ServiceAccount> {
    let made = ServiceAccount {
        id: ServiceAccountId::random(),
        name: change.name.unwrap_or_default(),
        description: change.description.unwrap_or_default(),
        enabled: change.enabled.unwrap_or(true),
        created_at: ctx.now(),
    };
    let target = Target::new("service-accounts", &made.id);
    let proof = authorize(ctx, Permission::ServiceAccountsManage, target)?;
    made.check()?;
    let mut tx = app.db.begin().await?;
    store::insert(&mut tx, &ctx.tenant(), &made)
        .await
        .map_err(name_taken)?;
    audit::record(&mut tx, ctx, &proof, "service-account.create", facts(&made)).await?;
    tx.commit().await?;
    Ok(made)
}

/// Changes a service account. One that is disabled keeps its tokens, which don't work.
///
/// # Errors
/// [`IamError::BeyondOwn`] for enabling one that may more than the caller.
pub(super) async fn update(
    app: &App,
    ctx: &Context,
    id: &ServiceAccountId,
    change: ServiceAccountChange,
) -> Result<ServiceAccount> {
    let mut tx = app.db.begin().await?;
    tx.lock_row("service_accounts", id).await?;
    let (mut found, proof) = load(&mut tx, ctx, id, Permission::ServiceAccountsManage).await?;
    let before = facts(&found);
    if change.enabled == Some(true) && !found.enabled {
        check_subject(ctx, &mut tx, &Subject::ServiceAccount(id.clone())).await?;
    }
    found.name = change.name.unwrap_or(found.name);
    found.description = change.description.unwrap_or(found.description);
    found.enabled = change.enabled.unwrap_or(found.enabled);
    found.check()?;
    store::update(&mut tx, &ctx.tenant(), &found, ctx.now())
        .await
        .map_err(name_taken)?;
    let detail = json!({ "before": before, "after": facts(&found) });
    audit::record(&mut tx, ctx, &proof, "service-account.update", detail).await?;
    tx.commit().await?;
    Ok(found)
}

/// Deletes a service account with its tokens and grants.
pub(super) async fn delete(app: &App, ctx: &Context, id: &ServiceAccountId) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let (found, proof) = load(&mut tx, ctx, id, Permission::ServiceAccountsManage).await?;
    store::delete(&mut tx, &ctx.tenant(), id).await?;
    audit::record(
        &mut tx,
        ctx,
        &proof,
        "service-account.delete",
        facts(&found),
    )
    .await?;
    tx.commit().await?;
    Ok(())
}
