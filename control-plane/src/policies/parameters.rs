//! Parameters of a group: what its policies see as `data.parameters`.

use domain::Secret;
use domain::ids::{PolicyGroupId, PolicyParameterId};
use domain::permission::Permission;
use serde_json::{Map, Value, json};

use super::error::PolicyError;
use super::group_service as groups;
use super::parameter_store::{self as store, Row};
use crate::app::App;
use crate::audit;
use crate::clock::Timestamp;
use crate::context::{Context, Tenant};
use crate::tenancy::SealedPlace;

type Result<T> = std::result::Result<T, PolicyError>;

const MAX_KEY: usize = 256;
const MAX_VALUE: usize = 64 * 1024;
const MAX_PARAMETERS: usize = 200;

/// A parameter, its value opened.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) id: PolicyParameterId,
    pub(super) group_id: PolicyGroupId,
    pub(super) key: String,
    pub(super) value: Secret,
    pub(super) sensitive: bool,
    pub(super) created_at: Timestamp,
}

/// What a create or update asks for; `None` leaves a thing as it is.
#[derive(Debug, Default)]
pub(super) struct Change {
    pub(super) key: Option<String>,
    pub(super) value: Option<Secret>,
    pub(super) sensitive: Option<bool>,
}

fn place(id: &PolicyParameterId) -> SealedPlace {
    SealedPlace::new("policy-parameter", id)
}

async fn open(app: &App, conn: &mut db::Conn, tenant: &Tenant, row: Row) -> Result<Parameter> {
    let value = app
        .keys
        .open_text(conn, tenant, &place(&row.id), &row.sealed_value)
        .await?;
    Ok(Parameter {
        id: row.id,
        group_id: row.group_id,
        key: row.key,
        value,
        sensitive: row.sensitive,
        created_at: row.created_at,
    })
}

fn check(row: &Row, value: Option<&Secret>) -> Result<()> {
    if row.key.is_empty() || row.key.len() > MAX_KEY {
        return Err(PolicyError::invalid("key", "use 1 to 256 bytes"));
    }
    if value.is_some_and(|value| value.expose().len() > MAX_VALUE) {
        return Err(PolicyError::invalid("value", "use at most 64 KiB"));
    }
    Ok(())
}

/// `data.parameters` of a group.
pub(super) async fn values(
    app: &App,
    conn: &mut db::Conn,
    tenant: &Tenant,
    group: &PolicyGroupId,
) -> Result<Map<String, Value>> {
    let mut values = Map::new();
    for row in store::list(conn, tenant, group).await? {
        let parameter = open(app, conn, tenant, row).await?;
        values.insert(parameter.key, parameter.value.expose().clone().into());
    }
    Ok(values)
}

pub(super) async fn list(
    app: &App,
    ctx: &Context,
    group: &PolicyGroupId,
) -> Result<Vec<Parameter>> {
    let mut conn = app.db.acquire().await?;
    groups::load(&mut conn, ctx, group, Permission::PolicyGroupsRead).await?;
    let tenant = ctx.tenant();
    let mut found = Vec::new();
    for row in store::list(&mut conn, &tenant, group).await? {
        found.push(open(app, &mut conn, &tenant, row).await?);
    }
    Ok(found)
}

pub(super) async fn read(
    app: &App,
    ctx: &Context,
    group: &PolicyGroupId,
    id: &PolicyParameterId,
) -> Result<Parameter> {
    let mut conn = app.db.acquire().await?;
    groups::load(&mut conn, ctx, group, Permission::PolicyGroupsRead).await?;
    let row = store::find(&mut conn, &ctx.tenant(), group, id)
        .await?
        .ok_or(PolicyError::NotFound)?;
    open(app, &mut conn, &ctx.tenant(), row).await
}

pub(super) async fn create(
    app: &App,
    ctx: &Context,
    group: &PolicyGroupId,
    new: Change,
) -> Result<Parameter> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let (group, proof) = groups::load(&mut tx, ctx, group, Permission::PolicyGroupsUpdate).await?;
    if store::list(&mut tx, &tenant, &group.id).await?.len() >= MAX_PARAMETERS {
        return Err(PolicyError::TooMany {
            what: "parameters",
            limit: 200,
        });
    }
    let value = new.value.unwrap_or_else(|| Secret::new(String::new()));
    let id = PolicyParameterId::random();
    let mut row = Row {
        id: id.clone(),
        group_id: group.id.clone(),
        key: new.key.unwrap_or_default(),
        sealed_value: Vec::new(),
        sensitive: new.sensitive.unwrap_or(false),
        version: 1,
        created_at: ctx.now(),
        updated_at: ctx.now(),
    };
    check(&row, Some(&value))?;
    row.sealed_value = seal(app, &mut tx, &tenant, &id, &value).await?;
    store::insert(&mut tx, &tenant, &row)
        .await
        .map_err(PolicyError::of_write("Key", "/data/attributes/key"))?;
    let detail = json!({ "id": id, "key": row.key, "sensitive": row.sensitive });
    audit::record(&mut tx, ctx, &proof, "policy-parameter.create", detail).await?;
    tx.commit().await?;
    Ok(Parameter {
        id,
        group_id: row.group_id,
        key: row.key,
        value,
        sensitive: row.sensitive,
        created_at: row.created_at,
    })
}

async fn seal(
    app: &App,
    tx: &mut db::Tx,
    tenant: &Tenant,
    id: &PolicyParameterId,
    value: &Secret,
) -> Result<Vec<u8>> {
    let text = value.expose().as_bytes();
    Ok(app.keys.seal(tx, tenant, &place(id), text).await?)
}

pub(super) async fn update(
    app: &App,
    ctx: &Context,
    group: &PolicyGroupId,
    id: &PolicyParameterId,
    change: Change,
) -> Result<Parameter> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let (group, proof) = groups::load(&mut tx, ctx, group, Permission::PolicyGroupsUpdate).await?;
    let mut row = store::find(&mut tx, &tenant, &group.id, id)
        .await?
        .ok_or(PolicyError::NotFound)?;
    if row.sensitive && change.sensitive == Some(false) && change.value.is_none() {
        return Err(PolicyError::StaysSensitive);
    }
    let new_value = change.value.is_some();
    row.key = change.key.unwrap_or(row.key);
    row.sensitive = change.sensitive.unwrap_or(row.sensitive);
    row.updated_at = ctx.now();
    check(&row, change.value.as_ref())?;
    if let Some(value) = &change.value {
        row.sealed_value = seal(app, &mut tx, &tenant, id, value).await?;
    }
    let written = store::update(&mut tx, &tenant, &row).await;
    if !written.map_err(PolicyError::of_write("Key", "/data/attributes/key"))? {
        return Err(PolicyError::Changed);
    }
    let detail = json!({
        "id": id, "key": row.key, "sensitive": row.sensitive, "new_value": new_value,
    });
    audit::record(&mut tx, ctx, &proof, "policy-parameter.update", detail).await?;
    let parameter = open(app, &mut tx, &tenant, row).await?;
    tx.commit().await?;
    Ok(parameter)
}

pub(super) async fn delete(
    app: &App,
    ctx: &Context,
    group: &PolicyGroupId,
    id: &PolicyParameterId,
) -> Result<()> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let (group, proof) = groups::load(&mut tx, ctx, group, Permission::PolicyGroupsUpdate).await?;
    let row = store::find(&mut tx, &tenant, &group.id, id)
        .await?
        .ok_or(PolicyError::NotFound)?;
    store::delete(&mut tx, &tenant, id).await?;
    let detail = json!({ "id": id, "key": row.key });
    audit::record(&mut tx, ctx, &proof, "policy-parameter.delete", detail).await?;
    tx.commit().await?;
    Ok(())
}
