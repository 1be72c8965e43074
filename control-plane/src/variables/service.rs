//! Use cases: begin → load → authorise → decide → compare-and-set → audit → commit.

use domain::Secret;
use domain::ids::{VariableId, WorkspaceId};
use domain::permission::Permission;
use serde_json::{Value, json};

use super::error::VariableError;
use super::model::{EffectiveVariable, MAX_VARIABLES, Variable};
pub use super::model::{NewVariable, VariableChange};
use super::store;
use crate::app::App;
use crate::audit;
use crate::context::{Context, Tenant};
use crate::iam::{Authorized, Target, authorize};
use crate::tenancy::SealedPlace;
use crate::workspaces::{self, Workspace, WorkspaceKey};

type Result<T> = std::result::Result<T, VariableError>;

/// Values are sealed for the variable's id: they open in no other row.
fn place(id: &VariableId) -> SealedPlace {
    SealedPlace::new("variable", id)
}

async fn open(
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
        id: row.id,
        workspace_id: row.workspace_id,
        category: row.category,
        key: row.key,
        value,
        description: row.description,
        hcl: row.hcl,
        sensitive: row.sensitive,
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
    workspace: &WorkspaceId,
) -> Result<Vec<Variable>> {
    let mut variables = Vec::new();
    for row in store::list(conn, tenant, workspace).await? {
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
        "hcl": variable.hcl, "sensitive": variable.sensitive, "version": variable.version,
    })
}

/// All variables of a workspace, by category and key.
pub async fn list(
    app: &App,
    ctx: &Context,
    key: &WorkspaceKey,
) -> Result<(Workspace, Vec<Variable>)> {
    let mut conn = app.db.acquire().await?;
    let (workspace, _) = workspaces::load(&mut conn, ctx, key, Permission::VariablesRead).await?;
    let variables = open_all(app, &mut conn, &ctx.tenant(), &workspace.id).await?;
    Ok((workspace, variables))
}

pub async fn create(
    app: &App,
    ctx: &Context,
    workspace: &WorkspaceId,
    new: NewVariable,
) -> Result<Variable> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let (workspace, proof) =
        workspaces::load_locked(&mut tx, ctx, workspace, Permission::VariablesUpdate).await?;
    let now = ctx.now();
    let variable = Variable {
        id: VariableId::random(),
        workspace_id: workspace.id,
        category: new.category,
        key: new.key,
        value: new.value,
        description: new.description,
        hcl: new.hcl,
        sensitive: new.sensitive,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    variable.check()?;
    if store::count(&mut tx, &tenant, &variable.workspace_id).await? >= MAX_VARIABLES {
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

/// Loads a variable that the caller may do `permission` on. `within` is the workspace that the
/// caller named beside it, if they did.
async fn load(
    app: &App,
    conn: &mut db::Conn,
    ctx: &Context,
    within: Option<&WorkspaceId>,
    id: &VariableId,
    permission: Permission,
) -> Result<(Variable, Authorized)> {
    let tenant = ctx.tenant();
    let row = store::find(conn, &tenant, id)
        .await?
        .filter(|row| within.is_none_or(|workspace| *workspace == row.workspace_id))
        .ok_or(VariableError::NotFound)?;
    let workspace = workspaces::find(conn, &tenant, &row.workspace_id)
        .await?
        .ok_or(VariableError::NotFound)?;
    let target = Target::new("vars", id)
        .in_environment(&workspace.environment_id)
        .in_project(&workspace.project_id)
        .in_workspace(&workspace.id);
    let proof = authorize(ctx, permission, target)?;
    Ok((open(app, conn, &tenant, row).await?, proof))
}

pub async fn read(
    app: &App,
    ctx: &Context,
    workspace: &WorkspaceId,
    id: &VariableId,
) -> Result<Variable> {
    let mut conn = app.db.acquire().await?;
    let permission = Permission::VariablesRead;
    Ok(load(app, &mut conn, ctx, Some(workspace), id, permission)
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
    let (before, proof) = load(
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
    let mut variable = before.with(change)?;
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
    let (variable, proof) = load(
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

/// What a run of the workspace is given, the weakest first: of two with the same category and key
/// the later one counts. Today that is the workspace's own variables, each key once; the caller
/// puts those given for the run behind them (`docs/variables.md` has the whole order).
///
/// For work of the control plane itself: the caller has authorised the run.
///
/// # Errors
/// The database's own, or a key's.
pub async fn effective(
    app: &App,
    conn: &mut db::Conn,
    tenant: &Tenant,
    workspace: &WorkspaceId,
) -> Result<Vec<EffectiveVariable>> {
    let variables = open_all(app, conn, tenant, workspace).await?;
    Ok(variables
        .into_iter()
        .map(|it| EffectiveVariable {
            category: it.category,
            key: it.key,
            value: it.value,
            hcl: it.hcl,
            sensitive: it.sensitive,
        })
        .collect())
}
