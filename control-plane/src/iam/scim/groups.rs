//! Use cases of provisioned groups. What comes of them are memberships of the teams that the
//! provider's mappings name.

use std::collections::BTreeSet;

use domain::ids::{ExternalGroupId, ExternalIdentityId};
use domain::permission::Permission;
use serde_json::json;

use super::caller::Caller;
use super::error::ScimError;
use super::filter::Equals;
use super::patch::GroupStep;
use super::store::{self, GroupRow, Part, UserRow};
use super::users::of;
use crate::app::App;
use crate::audit;
use crate::iam::{IamError, Target, authorize, identity};

type Result<T> = std::result::Result<T, ScimError>;

/// Largest group.
const MAX_MEMBERS: usize = 10_000;

/// A group, with those who are in it: id and name.
pub(super) type WithMembers = (GroupRow, Vec<(String, String)>);

pub(super) async fn list(
    app: &App,
    caller: &Caller,
    filter: &[Equals],
    part: Part,
) -> Result<(Vec<WithMembers>, i64)> {
    let tenant = caller.tenant();
    let of = of(caller, &tenant);
    let mut conn = app.db.acquire().await?;
    let (rows, total) = store::groups(&mut conn, of, filter, part).await?;
    let mut all = Vec::new();
    for row in rows {
        let members = store::members(&mut conn, of, &row.id).await?;
        all.push((row, members));
    }
    Ok((all, total))
}

pub(super) async fn read(app: &App, caller: &Caller, id: &str) -> Result<WithMembers> {
    let tenant = caller.tenant();
    let of = of(caller, &tenant);
    let mut conn = app.db.acquire().await?;
    let row = store::group(&mut conn, of, id)
        .await?
        .ok_or(ScimError::NotFound)?;
    let members = store::members(&mut conn, of, &row.id).await?;
    Ok((row, members))
}

fn checked(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(ScimError::InvalidValue {
            attribute: "displayName",
            detail: "it is required",
        });
    }
    Ok(())
}

pub(super) async fn create(
    app: &App,
    caller: &Caller,
    name: String,
    external_id: Option<String>,
    members: Vec<String>,
) -> Result<WithMembers> {
    checked(&name)?;
    let tenant = caller.tenant();
    let now = caller.ctx.now();
    let mut tx = app.db.begin().await?;
    let row = GroupRow {
        id: ExternalGroupId::random(),
        name,
        external_id,
        created_at: now,
        updated_at: now,
    };
    store::insert_group(&mut tx, of(caller, &tenant), &row).await?;
    let steps = vec![GroupStep::Add(members)];
    let made = apply(app, &mut tx, caller, row, steps, "group.provision").await?;
    tx.commit().await?;
    Ok(made)
}

pub(super) async fn change(
    app: &App,
    caller: &Caller,
    id: &str,
    steps: Vec<GroupStep>,
) -> Result<WithMembers> {
    let tenant = caller.tenant();
    let mut tx = app.db.begin().await?;
    tx.lock_row("identity_providers", caller.provider.id.as_str())
        .await?;
    let row = store::group(&mut tx, of(caller, &tenant), id)
        .await?
        .ok_or(ScimError::NotFound)?;
    let changed = apply(app, &mut tx, caller, row, steps, "group.provision").await?;
    tx.commit().await?;
    Ok(changed)
}

pub(super) async fn delete(app: &App, caller: &Caller, id: &str) -> Result<()> {
    let tenant = caller.tenant();
    let of = of(caller, &tenant);
    let mut tx = app.db.begin().await?;
    tx.lock_row("identity_providers", caller.provider.id.as_str())
        .await?;
    let row = store::group(&mut tx, of, id)
        .await?
        .ok_or(ScimError::NotFound)?;
    let members = store::members(&mut tx, of, &row.id).await?;
    store::delete_group(&mut tx, of, &row.id).await?;
    for (member, _) in members {
        sync(app, &mut tx, caller, &member).await?;
    }
    record(&mut tx, caller, &row, "group.remove").await?;
    tx.commit().await?;
    Ok(())
}

async fn record(tx: &mut db::Tx, caller: &Caller, row: &GroupRow, action: &str) -> Result<()> {
    let target = Target::new("identity-providers", &caller.provider.id);
    let proof = authorize(&caller.ctx, Permission::TeamsManage, target).map_err(IamError::from)?;
    let detail = json!({ "group": row.id, "name": row.name });
    Ok(audit::record(tx, &caller.ctx, &proof, action, detail).await?)
}

async fn apply(
    app: &App,
    tx: &mut db::Tx,
    caller: &Caller,
    mut row: GroupRow,
    steps: Vec<GroupStep>,
    action: &str,
) -> Result<WithMembers> {
    let tenant = caller.tenant();
    let of = of(caller, &tenant);
    let mut touched = BTreeSet::new();
    for step in steps {
        match step {
            GroupStep::Rename(name) => {
                checked(&name)?;
                // The teams that a group stands for hang on its name.
                touched.extend(ids(store::members(tx, of, &row.id).await?));
                row.name = name;
            }
            GroupStep::ExternalId(id) => row.external_id = id,
            GroupStep::Add(members) => {
                for id in members {
                    add(tx, caller, &row, &id).await?;
                    touched.insert(id);
                }
            }
            GroupStep::Remove(members) => {
                for id in members {
                    store::remove_member(tx, of, &row.id, &id).await?;
                    touched.insert(id);
                }
            }
            GroupStep::Replace(members) => {
                let wanted: BTreeSet<String> = members.into_iter().collect();
                let present: BTreeSet<String> =
                    ids(store::members(tx, of, &row.id).await?).collect();
                for id in present.difference(&wanted) {
                    store::remove_member(tx, of, &row.id, id).await?;
                }
                for id in wanted.difference(&present) {
                    add(tx, caller, &row, id).await?;
                }
                touched.extend(present.symmetric_difference(&wanted).cloned());
            }
        }
    }
    row.updated_at = caller.ctx.now();
    store::update_group(tx, of, &row).await?;
    let members = store::members(tx, of, &row.id).await?;
    if members.len() > MAX_MEMBERS {
        return Err(ScimError::InvalidValue {
            attribute: "members",
            detail: "a group has at most 10000",
        });
    }
    for id in touched {
        sync(app, tx, caller, &id).await?;
    }
    record(tx, caller, &row, action).await?;
    Ok((row, members))
}

fn ids(members: Vec<(String, String)>) -> impl Iterator<Item = String> {
    members.into_iter().map(|(id, _)| id)
}

/// Only who is known to the same provider can be in its groups.
async fn add(tx: &mut db::Tx, caller: &Caller, row: &GroupRow, id: &str) -> Result<()> {
    let tenant = caller.tenant();
    let of = of(caller, &tenant);
    let member: UserRow = store::user(tx, of, id)
        .await?
        .ok_or(ScimError::InvalidValue {
            attribute: "members",
            detail: "there is no such user",
        })?;
    Ok(store::add_member(tx, of, &row.id, &member.id).await?)
}

/// Puts somebody into the teams of the groups that they are in now.
async fn sync(app: &App, tx: &mut db::Tx, caller: &Caller, identity: &str) -> Result<()> {
    let tenant = caller.tenant();
    let of = of(caller, &tenant);
    let Some(row) = store::user(tx, of, identity).await? else {
        return Ok(());
    };
    let id: &ExternalIdentityId = &row.id;
    let groups = store::groups_of(tx, of, id).await?;
    let names: BTreeSet<&str> = groups.iter().map(|(_, name)| name.as_str()).collect();
    let (ctx, provider) = (&caller.ctx, &caller.provider);
    Ok(identity::join_teams(app, tx, ctx, provider, &row.user_id, &names).await?)
}
