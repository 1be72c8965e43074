//! What a subject may do, loaded: once per request, when it is known who calls.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use domain::ids::RoleId;
use domain::permission_set::PermissionSet;
use domain::system_role::SystemRole;

use super::model::{Subject, place_of};
use super::store;
use crate::context::{Actor, Tenant};
use crate::iam::effective::Grants;
use crate::iam::model::Member;

/// What the system's roles give, worked out once.
static SYSTEM: LazyLock<HashMap<SystemRole, PermissionSet>> = LazyLock::new(|| {
    SystemRole::ALL
        .iter()
        .map(|role| (*role, role.permissions()))
        .collect()
});

/// Everything a subject is granted; a user also through teams.
///
/// # Errors
/// The database's own.
pub async fn effective(
    conn: &mut db::Conn,
    tenant: &Tenant,
    subject: &Subject,
) -> Result<Grants, db::Error> {
    let held = store::held(conn, tenant, subject).await?;
    let own: HashMap<RoleId, PermissionSet> = if held.iter().any(|it| it.role_id.is_some()) {
        let words = store::role_words(conn, tenant).await?;
        let sets = words.into_iter().map(|(id, words)| {
            (
                id,
                PermissionSet::of_patterns(words.0.iter().map(String::as_str)),
            )
        });
        sets.collect()
    } else {
        HashMap::new()
    };
    let mut grants = Grants::default();
    for row in held {
        let set = match (row.system_role, row.role_id) {
            (Some(role), _) => SYSTEM.get(&role),
            (None, Some(id)) => own.get(&id),
            (None, None) => None,
        };
        let place = place_of(
            row.scope,
            row.environment_id,
            row.project_id,
            row.workspace_id,
        );
        if let (Some(set), Some(place)) = (set, place) {
            grants.add(&place, set);
        }
    }
    Ok(grants)
}

/// `actor` with its grants.
pub async fn of_actor(
    conn: &mut db::Conn,
    subject: &Subject,
    actor: Actor,
) -> Result<Actor, db::Error> {
    let tenant = Tenant::of_row(&actor.account);
    let grants = Arc::new(effective(conn, &tenant, subject).await?);
    Ok(Actor { grants, ..actor })
}

/// A member as a caller with everything that they are granted.
///
/// # Errors
/// The database's own.
pub async fn granted_actor(
    conn: &mut db::Conn,
    tenant: &Tenant,
    member: &Member,
) -> Result<Actor, db::Error> {
    let subject = Subject::User(member.id.clone());
    of_actor(conn, &subject, member.actor(tenant.account())).await
}
