//! Use cases: begin → load → authorise → decide → compare-and-set → audit → commit.

use domain::Secret;
use domain::ids::{EnvironmentId, VariableId, WorkspaceId};
use domain::permission::Permission;
use serde_json::{Value, json};

use super::error::VariableError;
use super::model::{MAX_VARIABLES, Owner, Variable};
pub use super::model::{NewVariable, VariableChange};
use super::{effective, store};
use crate::app::App;
use crate::audit;
use crate::context::{Context, Tenant};
use crate::iam::{Authorized, Target, authorize};
use crate::tenancy::{self, SealedPlace};
use crate::workspaces::{self, Workspace, WorkspaceKey};

type Result<T> = std::result::Result<T, VariableError>;

/// Values are sealed for the variable's id: they open in no other row.
fn place(id: &VariableId) -> SealedPlace {
    SealedPlace::new("variable", id)
}

pub(super) async fn open(
    app: &App,
    conn: &mut db::Conn,
    tenant: &Tenant,
    row: store::Row,
) -> Result<Variable> {
    let value = app
        .keys
        .open_text(conn, tenant, &place(&row.id), &row.sealed_value)
        .await?;
    Ok(Variable {
        owner: row.owner(),
        id: row.id,
        category: row.category,
        key: row.key,
        value,
        description: row.description,
        hcl: row.hcl,
        sensitive: row.sensitive,
        is_final: row.is_final,
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

async fn seal(
    app: &App,
    conn: &mut db::Conn,
    tenant: &Tenant,
    id: &VariableId,
    value: &Secret,
) -> Result<Vec<u8>> {
    Ok(app
        .keys
        .seal(conn, tenant, &place(id), value.expose().as_bytes())
        .await?)
}

async fn open_all(
    app: &App,
    conn: &mut db::Conn,
    tenant: &Tenant,
    owner: &Owner,
) -> Result<Vec<Variable>> {
    let mut variables = Vec::new();
    for row in store::list(conn, tenant, owner).await? {
        variables.push(open(app, conn, tenant, row).await?);
    }
    Ok(variables)
}

fn key_taken(error: db::Error) -> VariableError {
    if error.is_unique_violation() {
        VariableError::KeyTaken
    } else {
        error.into()
    }
}

/// What the audit log may know: everything but the value.
fn described(variable: &Variable) -> Value {
    json!({
        "variable": variable.id, "key": variable.key, "category": variable.category,
        "hcl": variable.hcl, "sensitive": variable.sensitive, "final": variable.is_final,
        "version": variable.version,
    })
}

/// Where variables are, as a caller names it.
#[derive(Debug)]
pub enum Place<'a> {
    Account,
    /// By name or id.
    Environment(&'a str),
    Workspace(&'a WorkspaceId),
}

/// The owner that is meant, the environment it is in, and the proof. A workspace's row is locked.
async fn locked_owner(
    tx: &mut db::Tx,
    ctx: &Context,
    place: &Place<'_>,
) -> Result<(Owner, Option<EnvironmentId>, Authorized)> {
    let permission = Permission::VariablesUpdate;
    if let Place::Workspace(id) = place {
        let (workspace, proof) = workspaces::load_locked(tx, ctx, id, permission).await?;
        let owner = Owner::Workspace(workspace.id);
        return Ok((owner, Some(workspace.environment_id), proof));
    }
    owner_above(tx, ctx, place, permission).await
}

/// The same for what is above workspaces.
async fn owner_above(
    conn: &mut db::Conn,
    ctx: &Context,
    place: &Place<'_>,
    permission: Permission,
) -> Result<(Owner, Option<EnvironmentId>, Authorized)> {
    match place {
        Place::Account => {
            let target = Target::new("accounts", &ctx.actor.account);
            Ok((Owner::Account, None, authorize(ctx, permission, target)?))
        }
        Place::Environment(name) => {
            let found = tenancy::find_environment(conn, &ctx.tenant(), name).await?;
            let id = found.ok_or(VariableError::NotFound)?.id;
            let target = Target::new("organizations", name).in_environment(&id);
            let proof = authorize(ctx, permission, target)?;
            Ok((Owner::Environment(id.clone()), Some(id), proof))
        }
        Place::Workspace(_) => Err(VariableError::NotFound),
    }
}

/// All variables of a workspace, by category and key.
pub async fn list(
    app: &App,
    ctx: &Context,
    key: &WorkspaceKey,
) -> Result<(Workspace, Vec<Variable>)> {
    let mut conn = app.db.acquire().await?;
    let (workspace, _) = workspaces::load(&mut conn, ctx, key, Permission::VariablesRead).await?;
    let owner = Owner::Workspace(workspace.id.clone());
    let variables = open_all(app, &mut conn, &ctx.tenant(), &owner).await?;
    Ok((workspace, variables))
}

/// All variables of an account or an environment, by category and key.
pub async fn list_above(app: &App, ctx: &Context, place: &Place<'_>) -> Result<Vec<Variable>> {
    let mut conn = app.db.acquire().await?;
    let permission = Permission::VariablesRead;
    let (owner, _, _) = owner_above(&mut conn, ctx, place, permission).await?;
    open_all(app, &mut conn, &ctx.tenant(), &owner).await
}

/// What counts for a workspace, whether it is its own or inherited, with what is overridden.
pub async fn standing(
    app: &App,
    ctx: &Context,
    workspace: &WorkspaceId,
) -> Result<Vec<effective::Standing>> {
    let mut conn = app.db.acquire().await?;
    let key = WorkspaceKey::Id(workspace.clone());
    let (workspace, _) = workspaces::load(&mut conn, ctx, &key, Permission::VariablesRead).await?;
    let (environment, id) = (&workspace.environment_id, &workspace.id);
    effective::standing(app, &mut conn, &ctx.tenant(), environment, id).await
}

pub async fn create(
    app: &App,
    ctx: &Context,
    place: &Place<'_>,
    new: NewVariable,
) -> Result<Variable> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let (owner, environment, proof) = locked_owner(&mut tx, ctx, place).await?;
    let now = ctx.now();
    let variable = Variable {
        id: VariableId::random(),
        owner,
        category: new.category,
        key: new.key,
        value: new.value,
        description: new.description,
        hcl: new.hcl,
        sensitive: new.sensitive,
        is_final: new.is_final,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    variable.check()?;
    may_stand(&mut tx, &tenant, &variable, environment.as_ref()).await?;
    if store::count(&mut tx, &tenant, &variable.owner).await? >= MAX_VARIABLES {
        return Err(VariableError::TooMany {
            limit: MAX_VARIABLES,
        });
    }
    let sealed = seal(app, &mut tx, &tenant, &variable.id, &variable.value).await?;
    store::insert(&mut tx, &tenant, &variable, sealed)
        .await
        .map_err(key_taken)?;
    audit::record(
        &mut tx,
        ctx,
        &proof,
        "variable.create",
        described(&variable),
    )
    .await?;
    tx.commit().await?;
    Ok(variable)
}

/// A variable that would never count is a mistake: somebody above has said the last word.
async fn may_stand(
    tx: &mut db::Tx,
    tenant: &Tenant,
    variable: &Variable,
    environment: Option<&EnvironmentId>,
) -> Result<()> {
    let (category, key) = (variable.category, &variable.key);
    let above = match &variable.owner {
        Owner::Account => None,
        Owner::Environment(_) => store::final_above(tx, tenant, None, category, key).await?,
        Owner::Workspace(_) => store::final_above(tx, tenant, environment, category, key).await?,
    };
    match above {
        Some(owner) => Err(VariableError::Final {
            level: owner.level(),
        }),
        None => Ok(()),
    }
}

/// Loads a variable that the caller may do `permission` on, with the environment that it is in.
/// `within` is the workspace that the caller named beside it, if they did.
async fn load(
    app: &App,
    conn: &mut db::Conn,
    ctx: &Context,
    within: Option<&WorkspaceId>,
    id: &VariableId,
    permission: Permission,
) -> Result<(Variable, Option<EnvironmentId>, Authorized)> {
    let tenant = ctx.tenant();
    let row = store::find(conn, &tenant, id)
        .await?
        .filter(|row| within.is_none_or(|workspace| row.workspace_id.as_ref() == Some(workspace)))
        .ok_or(VariableError::NotFound)?;
    let target = Target::new("vars", id);
    let (target, environment) = match row.owner() {
        Owner::Account => (target, None),
        Owner::Environment(environment) => (target.in_environment(&environment), Some(environment)),
        Owner::Workspace(workspace) => {
            let workspace = workspaces::find(conn, &tenant, &workspace)
                .await?
                .ok_or(VariableError::NotFound)?;
            let target = target
                .in_environment(&workspace.environment_id)
                .in_project(&workspace.project_id)
                .in_workspace(&workspace.id);
            (target, Some(workspace.environment_id))
        }
    };
    let proof = authorize(ctx, permission, target)?;
    Ok((open(app, conn, &tenant, row).await?, environment, proof))
}

pub async fn read(
    app: &App,
    ctx: &Context,
    workspace: Option<&WorkspaceId>,
    id: &VariableId,
) -> Result<Variable> {
    let mut conn = app.db.acquire().await?;
    let permission = Permission::VariablesRead;
    Ok(load(app, &mut conn, ctx, workspace, id, permission)
        .await?
        .0)
}

pub async fn update(
    app: &App,
    ctx: &Context,
    workspace: Option<&WorkspaceId>,
    id: &VariableId,
    change: VariableChange,
) -> Result<Variable> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let (before, environment, proof) = load(
        app,
        &mut tx,
        ctx,
        workspace,
        id,
        Permission::VariablesUpdate,
    )
    .await?;
    let old = described(&before);
    let new_value = change.value.is_some();
    let names = |it: &Variable| (it.category, it.key.clone());
    let named_before = names(&before);
    let mut variable = before.with(change)?;
    if names(&variable) != named_before {
        may_stand(&mut tx, &tenant, &variable, environment.as_ref()).await?;
    }
    variable.updated_at = ctx.now();
    let sealed = seal(app, &mut tx, &tenant, id, &variable.value).await?;
    if !store::update(&mut tx, &tenant, &variable, sealed)
        .await
        .map_err(key_taken)?
    {
        return Err(VariableError::Changed);
    }
    variable.version += 1;
    let detail = json!({ "before": old, "after": described(&variable), "new_value": new_value });
    audit::record(&mut tx, ctx, &proof, "variable.update", detail).await?;
    tx.commit().await?;
    Ok(variable)
}

pub async fn delete(
    app: &App,
    ctx: &Context,
    workspace: Option<&WorkspaceId>,
    id: &VariableId,
) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let (variable, _, proof) = load(
        app,
        &mut tx,
        ctx,
        workspace,
        id,
        Permission::VariablesUpdate,
    )
    .await?;
    store::delete(&mut tx, &ctx.tenant(), id).await?;
    audit::record(
        &mut tx,
        ctx,
        &proof,
        "variable.delete",
        described(&variable),
    )
    .await?;
    tx.commit().await?;
    Ok(())
}
