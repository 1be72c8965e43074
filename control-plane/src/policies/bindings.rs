//! What a group is bound to: environments, projects, workspaces, and what is exempted.

use std::collections::HashMap;

use domain::ids::PolicyGroupId;
use domain::permission::Permission;
use serde_json::json;

use super::binding_store as store;
use super::error::PolicyError;
use super::group_service as groups;
use super::model::{Bound, BoundKind, PolicyGroup};
use crate::app::App;
use crate::audit;
use crate::context::{Context, Tenant};
use crate::iam::Authorized;
use crate::tenancy;
use crate::workspaces;

type Result<T> = std::result::Result<T, PolicyError>;

/// Lists to replace, with the ids as they were sent.
pub type Links = Vec<(BoundKind, Vec<String>)>;

/// Whether ids are added to a list or taken away from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edit {
    Add,
    Remove,
}

const MAX_LINKS: usize = 1000;

/// What groups are bound to, by group.
pub(super) async fn of(
    conn: &mut db::Conn,
    tenant: &Tenant,
    groups: &[PolicyGroup],
) -> Result<HashMap<PolicyGroupId, Vec<Bound>>> {
    let ids: Vec<&PolicyGroupId> = groups.iter().map(|group| &group.id).collect();
    let mut all: HashMap<PolicyGroupId, Vec<Bound>> = HashMap::new();
    for (group, bound) in store::of_groups(conn, tenant, &ids).await? {
        all.entry(group).or_default().push(bound);
    }
    Ok(all)
}

/// Whether a group is in force anywhere by a binding.
pub(super) async fn any(conn: &mut db::Conn, tenant: &Tenant, id: &PolicyGroupId) -> Result<bool> {
    let bound = store::of_groups(conn, tenant, &[id]).await?;
    Ok(bound.iter().any(|(_, bound)| !bound.is_excluded()))
}

/// Adds to one of a group's lists, or takes away from it.
///
/// # Errors
/// The refusal, or what is wrong.
pub(super) async fn edit(
    app: &App,
    ctx: &Context,
    id: &PolicyGroupId,
    kind: BoundKind,
    edit: Edit,
    ids: Vec<String>,
) -> Result<()> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let (group, proof) = groups::load(&mut tx, ctx, id, Permission::PolicyGroupsUpdate).await?;
    match edit {
        Edit::Add => {
            let now = store::of_groups(&mut tx, &tenant, &[id]).await?;
            if now.len() + ids.len() > MAX_LINKS {
                return Err(too_many());
            }
            check_not_enforced(&group, kind, &ids)?;
            for id in &ids {
                let bound = resolve(&mut tx, &tenant, kind, id).await?;
                store::insert(&mut tx, &tenant, &group.id, &bound).await?;
            }
        }
        Edit::Remove => {
            let wanted = store::of_groups(&mut tx, &tenant, &[id]).await?;
            for (_, bound) in wanted {
                if bound.kind() == kind && ids.iter().any(|id| id == bound.id()) {
                    store::delete(&mut tx, &tenant, &group.id, &bound).await?;
                }
            }
        }
    }
    let action = match edit {
        Edit::Add => "policy-group.bind",
        Edit::Remove => "policy-group.unbind",
    };
    let detail = json!({ "group": group.id, "list": kind.word(), "ids": ids });
    audit::record(&mut tx, ctx, &proof, action, detail).await?;
    tx.commit().await?;
    Ok(())
}

/// Replaces lists. A group that is enforced gives up what it was bound to: it holds there anyway.
pub(super) async fn replace(
    tx: &mut db::Tx,
    ctx: &Context,
    proof: &Authorized,
    group: &PolicyGroup,
    links: Links,
) -> Result<()> {
    let tenant = ctx.tenant();
    let before = store::of_groups(tx, &tenant, &[&group.id]).await?;
    if links.iter().map(|(_, ids)| ids.len()).sum::<usize>() > MAX_LINKS {
        return Err(too_many());
    }
    let replaced = |bound: &Bound| {
        let named = links.iter().any(|(kind, _)| *kind == bound.kind());
        named || (group.enforced && !bound.is_excluded())
    };
    for (_, bound) in before.iter().filter(|(_, bound)| replaced(bound)) {
        store::delete(tx, &tenant, &group.id, bound).await?;
    }
    for (kind, ids) in &links {
        check_not_enforced(group, *kind, ids)?;
        for id in ids {
            let bound = resolve(tx, &tenant, *kind, id).await?;
            store::insert(tx, &tenant, &group.id, &bound).await?;
        }
        let detail = json!({ "group": group.id, "list": kind.word(), "ids": ids });
        audit::record(tx, ctx, proof, "policy-group.bind", detail).await?;
    }
    Ok(())
}

fn too_many() -> PolicyError {
    PolicyError::TooMany {
        what: "things that a group is bound to",
        limit: 1000,
    }
}

fn check_not_enforced(group: &PolicyGroup, kind: BoundKind, ids: &[String]) -> Result<()> {
    let exclusion = matches!(
        kind,
        BoundKind::ProjectExclusions | BoundKind::WorkspaceExclusions
    );
    if !group.enforced || exclusion || ids.is_empty() {
        return Ok(());
    }
    Err(PolicyError::invalid_relation(
        kind.word(),
        "the group is enforced, so it holds everywhere already; set `global` (`is-enforced`) to \
         false first",
    ))
}

/// Finds in the account what an id names. Environments may be named by their names too, which are
/// their ids on the wire.
async fn resolve(tx: &mut db::Tx, tenant: &Tenant, kind: BoundKind, id: &str) -> Result<Bound> {
    let found = match kind {
        BoundKind::Environments => tenancy::find_environment(tx, tenant, id)
            .await?
            .map(|it| Bound::Environment(it.id)),
        BoundKind::Projects | BoundKind::ProjectExclusions => match id.parse() {
            Ok(id) => tenancy::project_exists(tx, tenant, &id).await?.then(|| {
                if kind == BoundKind::Projects {
                    Bound::Project(id)
                } else {
                    Bound::ExcludedProject(id)
                }
            }),
            Err(_) => None,
        },
        BoundKind::Workspaces | BoundKind::WorkspaceExclusions => match id.parse() {
            Ok(id) => workspaces::find(tx, tenant, &id).await?.map(|it| {
                if kind == BoundKind::Workspaces {
                    Bound::Workspace(it.id)
                } else {
                    Bound::ExcludedWorkspace(it.id)
                }
            }),
            Err(_) => None,
        },
    };
    found.ok_or_else(|| {
        let detail = format!("there is no {id:?} in this account");
        PolicyError::invalid_relation(kind.word(), detail)
    })
}
