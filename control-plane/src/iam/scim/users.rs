//! Use cases of provisioned users. They touch the provider's account: its membership, and what it
//! says of somebody. The person's own row, and other accounts, stay as they are.

use db::Json;
use domain::access::Role;
use domain::ids::ExternalIdentityId;
use domain::permission::Permission;
use serde_json::json;

use super::caller::Caller;
use super::error::ScimError;
use super::filter::Equals;
use super::resource::UserChange;
use super::store::{self, Of, Part, UserRow};
use crate::app::App;
use crate::audit;
use crate::iam::model::NewUser;
use crate::iam::{IamError, Target, authorize, identity, service, store as people};

type Result<T> = std::result::Result<T, ScimError>;

/// Somebody, with the groups that they are in.
pub(super) type WithGroups = (UserRow, Vec<(String, String)>);

pub(super) async fn list(
    app: &App,
    caller: &Caller,
    filter: &[Equals],
    part: Part,
) -> Result<(Vec<WithGroups>, i64)> {
    let tenant = caller.tenant();
    let of = of(caller, &tenant);
    let mut conn = app.db.acquire().await?;
    let (rows, total) = store::users(&mut conn, of, filter, part).await?;
    let mut all = Vec::new();
    for row in rows {
        let groups = store::groups_of(&mut conn, of, &row.id).await?;
        all.push((row, groups));
    }
    Ok((all, total))
}

pub(super) fn of<'a>(caller: &'a Caller, tenant: &'a crate::context::Tenant) -> Of<'a> {
    Of {
        tenant,
        provider: &caller.provider.id,
    }
}

pub(super) async fn read(app: &App, caller: &Caller, id: &str) -> Result<WithGroups> {
    let tenant = caller.tenant();
    let of = of(caller, &tenant);
    let mut conn = app.db.acquire().await?;
    let row = store::user(&mut conn, of, id)
        .await?
        .ok_or(ScimError::NotFound)?;
    let groups = store::groups_of(&mut conn, of, &row.id).await?;
    Ok((row, groups))
}

pub(super) async fn create(app: &App, caller: &Caller, change: UserChange) -> Result<UserRow> {
    let tenant = caller.tenant();
    let of = of(caller, &tenant);
    let mut tx = app.db.begin().await?;
    tx.lock_row("identity_providers", caller.provider.id.as_str())
        .await?;
    let now = caller.ctx.now();
    let user_name = change.user_name.clone().unwrap_or_default();
    let external_id = change.external_id.clone().flatten();
    let subject = external_id.clone().unwrap_or_else(|| user_name.clone());
    if store::is_user_taken(&mut tx, of, None, &user_name, &subject).await? {
        return Err(ScimError::Uniqueness);
    }
    let new = NewUser {
        username: identity::free_name(&mut tx, &user_name).await?,
        email: change.email.clone().unwrap_or_default(),
        password: None,
        role: Role::Reader,
    };
    let member = service::insert_user(&mut tx, &caller.ctx, new, None).await?;
    let row = UserRow {
        id: ExternalIdentityId::random(),
        user_id: member.id,
        subject,
        user_name,
        external_id,
        email: change.email.unwrap_or_default(),
        display_name: change.display_name.unwrap_or_default(),
        detail: Json(json!({ "name": change.name })),
        suspended_at: None,
        created_at: now,
        updated_at: now,
    };
    store::insert_user(&mut tx, of, &row).await?;
    record(&mut tx, caller, &row, "user.provision").await?;
    let row = set_active(app, &mut tx, caller, row, change.active).await?;
    tx.commit().await?;
    Ok(row)
}

async fn record(tx: &mut db::Tx, caller: &Caller, row: &UserRow, action: &str) -> Result<()> {
    let target = Target::new("users", &row.user_id);
    let proof = authorize(&caller.ctx, Permission::UsersUpdate, target).map_err(IamError::from)?;
    let detail = json!({ "provider": caller.provider.id, "user_name": row.user_name });
    Ok(audit::record(tx, &caller.ctx, &proof, action, detail).await?)
}

pub(super) async fn update(
    app: &App,
    caller: &Caller,
    id: &str,
    change: UserChange,
) -> Result<WithGroups> {
    let tenant = caller.tenant();
    let of = of(caller, &tenant);
    let mut tx = app.db.begin().await?;
    tx.lock_row("identity_providers", caller.provider.id.as_str())
        .await?;
    let before = store::user(&mut tx, of, id)
        .await?
        .ok_or(ScimError::NotFound)?;
    let mut row = before.clone();
    if let Some(name) = change.user_name {
        row.user_name = name;
    }
    if let Some(external_id) = change.external_id {
        // Who signs in is found by the same word.
        if before.external_id.as_ref() == Some(&before.subject)
            && let Some(new) = &external_id
        {
            row.subject.clone_from(new);
        }
        row.external_id = external_id;
    }
    if let Some(display_name) = change.display_name {
        row.display_name = display_name;
    }
    if let Some(email) = change.email {
        row.email = email;
    }
    if !change.name.is_empty() {
        let mut name = row
            .detail
            .0
            .get("name")
            .cloned()
            .unwrap_or_else(|| json!({}));
        for (part, value) in change.name {
            name[part] = value;
        }
        row.detail = Json(json!({ "name": name }));
    }
    if row.user_name.is_empty() || row.subject.is_empty() {
        return Err(ScimError::InvalidValue {
            attribute: "userName",
            detail: "it can't be empty",
        });
    }
    if store::is_user_taken(&mut tx, of, Some(&row.id), &row.user_name, &row.subject).await? {
        return Err(ScimError::Uniqueness);
    }
    row.updated_at = caller.ctx.now();
    store::update_user(&mut tx, of, &row).await?;
    record(&mut tx, caller, &row, "user.provision").await?;
    let row = set_active(app, &mut tx, caller, row, change.active).await?;
    let groups = store::groups_of(&mut tx, of, &row.id).await?;
    tx.commit().await?;
    Ok((row, groups))
}

/// Suspends a membership or takes it up again. Suspended, its tokens and sessions are gone for good.
async fn set_active(
    app: &App,
    tx: &mut db::Tx,
    caller: &Caller,
    mut row: UserRow,
    active: Option<bool>,
) -> Result<UserRow> {
    let tenant = caller.tenant();
    let now = caller.ctx.now();
    let suspended = match active {
        Some(true) if row.suspended_at.is_some() => None,
        Some(false) if row.suspended_at.is_none() => Some(now),
        _ => return Ok(row),
    };
    if suspended.is_some() && store::is_bypass_user(tx, of(caller, &tenant), &row.user_id).await? {
        return Err(ScimError::BypassUser);
    }
    people::suspend_membership(tx, &tenant, &row.user_id, suspended).await?;
    row.suspended_at = suspended;
    let action = if suspended.is_some() {
        "user.suspend"
    } else {
        "user.resume"
    };
    record(tx, caller, &row, action).await?;
    // Runs may have waited for their approval.
    app.signals.queue.wake();
    Ok(row)
}

/// Ends the membership of the provider's account.
pub(super) async fn delete(app: &App, caller: &Caller, id: &str) -> Result<()> {
    let tenant = caller.tenant();
    let of = of(caller, &tenant);
    let mut tx = app.db.begin().await?;
    let row = store::user(&mut tx, of, id)
        .await?
        .ok_or(ScimError::NotFound)?;
    if store::is_bypass_user(&mut tx, of, &row.user_id).await? {
        return Err(ScimError::BypassUser);
    }
    people::delete_membership(&mut tx, &tenant, &row.user_id).await?;
    record(&mut tx, caller, &row, "user.remove").await?;
    tx.commit().await?;
    Ok(())
}
