//! Use cases of roles.

use domain::ids::RoleId;
use domain::permission::Permission;
use domain::system_role::SystemRole;
use serde_json::{Value, json};

use super::model::Role;
use super::store;
use crate::app::App;
use crate::audit;
use crate::context::Context;
use crate::iam::grants::guard::check_within;
use crate::iam::grants::{GrantedRole, Spot};
use crate::iam::{Authorized, IamError, Target, authorize};

type Result<T> = std::result::Result<T, IamError>;

/// Roles that one account may have.
const MAX_ROLES: usize = 500;

/// What an update asks for; `None` leaves a thing as it is.
#[derive(Debug, Default)]
pub(super) struct RoleChange {
    pub name: Option<String>,
    pub description: Option<String>,
    pub words: Option<Vec<String>>,
}

/// What the audit log says of a role.
fn facts(role: &Role) -> Value {
    json!({ "name": role.name, "description": role.description, "permissions": role.words })
}

fn name_taken(error: db::Error) -> IamError {
    if error.is_unique_violation() {
        IamError::RoleNameTaken
    } else {
        error.into()
    }
}

/// The system's roles, then the account's own by name.
pub(super) async fn list(app: &App, ctx: &Context) -> Result<Vec<Role>> {
    let target = Target::new("roles", &ctx.actor.account);
    authorize(ctx, Permission::RolesRead, target)?;
    let mut conn = app.db.acquire().await?;
    let own = store::list(&mut conn, &ctx.tenant()).await?;
    let system = SystemRole::ALL.iter().copied().map(Role::of_system);
    Ok(system.chain(own).collect())
}

async fn load(
    conn: &mut db::Conn,
    ctx: &Context,
    id: &RoleId,
    permission: Permission,
) -> Result<(Role, Authorized)> {
    let role = match GrantedRole::of_id(id) {
        GrantedRole::System(role) => Some(Role::of_system(role)),
        GrantedRole::Own(id) => store::find(conn, &ctx.tenant(), &id).await?,
    };
    let role = role.ok_or(IamError::NotFound)?;
    let proof = authorize(ctx, permission, Target::new("roles", id))?;
    if role.is_system() && permission != Permission::RolesRead {
        return Err(IamError::SystemRole);
    }
    Ok((role, proof))
}

pub(super) async fn read(app: &App, ctx: &Context, id: &RoleId) -> Result<Role> {
    let mut conn = app.db.acquire().await?;
    Ok(load(&mut conn, ctx, id, Permission::RolesRead).await?.0)
}

/// Makes a role.
///
/// # Errors
/// [`IamError::BeyondOwn`] for permissions that the caller doesn't have in the whole account.
pub(super) async fn create(app: &App, ctx: &Context, change: RoleChange) -> Result<Role> {
    let role = Role {
        id: RoleId::random(),
        name: change.name.unwrap_or_default(),
        description: change.description.unwrap_or_default(),
        words: change.words.unwrap_or_default(),
        changed_at: Some(ctx.now()),
    };
    let proof = authorize(ctx, Permission::RolesCreate, Target::new("roles", &role.id))?;
    role.check()?;
    check_within(ctx, &Spot::account(), &role.permissions())?;
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    if store::list(&mut tx, &tenant).await?.len() >= MAX_ROLES {
        return Err(IamError::TooManyRoles);
    }
    store::insert(&mut tx, &tenant, &role, ctx.now())
        .await
        .map_err(name_taken)?;
    audit::record(&mut tx, ctx, &proof, "role.create", facts(&role)).await?;
    tx.commit().await?;
    Ok(role)
}

/// Changes a role for everybody who has it, from their next request on.
///
/// # Errors
/// As [`create`]; [`IamError::SystemRole`].
pub(super) async fn update(
    app: &App,
    ctx: &Context,
    id: &RoleId,
    change: RoleChange,
) -> Result<Role> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    tx.lock_row("roles", id).await?;
    let (mut role, proof) = load(&mut tx, ctx, id, Permission::RolesUpdate).await?;
    let before = facts(&role);
    role.name = change.name.unwrap_or(role.name);
    role.description = change.description.unwrap_or(role.description);
    role.words = change.words.unwrap_or(role.words);
    role.changed_at = Some(ctx.now());
    role.check()?;
    check_within(ctx, &Spot::account(), &role.permissions())?;
    store::update(&mut tx, &tenant, &role, ctx.now())
        .await
        .map_err(name_taken)?;
    let detail = json!({ "before": before, "after": facts(&role) });
    audit::record(&mut tx, ctx, &proof, "role.update", detail).await?;
    tx.commit().await?;
    app.signals.queue.wake();
    Ok(role)
}

/// Deletes a role that nobody is granted.
///
/// # Errors
/// [`IamError::RoleInUse`], [`IamError::SystemRole`].
pub(super) async fn delete(app: &App, ctx: &Context, id: &RoleId) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let (role, proof) = load(&mut tx, ctx, id, Permission::RolesDelete).await?;
    store::delete(&mut tx, &ctx.tenant(), id)
        .await
        .map_err(|error| {
            if error.is_foreign_key_violation() {
                IamError::RoleInUse
            } else {
                error.into()
            }
        })?;
    audit::record(&mut tx, ctx, &proof, "role.delete", facts(&role)).await?;
    tx.commit().await?;
    Ok(())
}
