//! Use cases of teams.

use std::collections::HashMap;

use domain::ids::{TeamId, UserId};
use domain::permission::Permission;
use serde_json::{Value, json};

use super::model::{Team, TeamChange};
use super::store::{self, Filter};
use crate::app::App;
use crate::audit;
use crate::context::{Context, Tenant};
use crate::http::page::{Page, Paged};
use crate::iam::grants::Subject;
use crate::iam::grants::guard::{Administrators, check_subject};
use crate::iam::model::{Member, fold_username};
use crate::iam::store as people;
use crate::iam::{Authorized, IamError, Target, authorize};
use crate::tenancy::{self, Environment};

type Result<T> = std::result::Result<T, IamError>;

/// People that one team may have, and that one request may name.
const MAX_MEMBERS: i64 = 500;
const MAX_NAMED: usize = 100;

/// The people of each team.
pub(super) type Members = HashMap<TeamId, Vec<UserId>>;

/// Whether people are put into a team or taken out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MemberChange {
    Add,
    Remove,
}

fn name_taken(error: db::Error) -> IamError {
    if error.is_unique_violation() {
        IamError::TeamNameTaken
    } else {
        error.into()
    }
}

/// What the audit log says of a team.
fn facts(team: &Team) -> Value {
    json!({ "name": team.name, "description": team.description })
}

async fn environment(conn: &mut db::Conn, ctx: &Context, name: &str) -> Result<Environment> {
    tenancy::find_environment(conn, &ctx.tenant(), name)
        .await?
        .ok_or(IamError::NotFound)
}

async fn load(
    conn: &mut db::Conn,
    ctx: &Context,
    id: &TeamId,
    permission: Permission,
) -> Result<(Team, Authorized)> {
    let team = store::find(conn, &ctx.tenant(), id)
        .await?
        .ok_or(IamError::NotFound)?;
    let target = Target::new("teams", id).in_environment(&team.environment_id);
    let proof = authorize(ctx, permission, target)?;
    Ok((team, proof))
}

async fn grouped(conn: &mut db::Conn, tenant: &Tenant, teams: &[TeamId]) -> Result<Members> {
    let mut members = Members::new();
    for (team, user) in store::members(conn, tenant, teams).await? {
        members.entry(team).or_default().push(user);
    }
    Ok(members)
}

/// An environment's teams by name, with their people.
pub(super) async fn list(
    app: &App,
    ctx: &Context,
    organization: &str,
    filter: &Filter,
    page: Page,
) -> Result<(Paged<Team>, Members)> {
    let tenant = ctx.tenant();
    let mut conn = app.db.acquire().await?;
    let environment = environment(&mut conn, ctx, organization).await?;
    let target = Target::new("organizations", &environment.name).in_environment(&environment.id);
    authorize(ctx, Permission::TeamsRead, target)?;
    let found = store::list(&mut conn, &tenant, &environment.id, filter, page).await?;
    let ids: Vec<_> = found.items.iter().map(|team| team.id.clone()).collect();
    let members = grouped(&mut conn, &tenant, &ids).await?;
    Ok((found, members))
}

pub(super) async fn read(app: &App, ctx: &Context, id: &TeamId) -> Result<(Team, Members)> {
    let mut conn = app.db.acquire().await?;
    let (team, _) = load(&mut conn, ctx, id, Permission::TeamsRead).await?;
    let members = grouped(&mut conn, &ctx.tenant(), std::slice::from_ref(id)).await?;
    Ok((team, members))
}

/// The people themselves, for answers that include them.
pub(super) async fn people_of(app: &App, ctx: &Context, members: &Members) -> Result<Vec<Member>> {
    let mut ids: Vec<UserId> = members.values().flatten().cloned().collect();
    ids.sort();
    ids.dedup();
    let mut conn = app.db.acquire().await?;
    let mut found = Vec::new();
    // Databases bound the number of parameters.
    for some in ids.chunks(500) {
        found.extend(people::find_members(&mut conn, &ctx.tenant(), some).await?);
    }
    Ok(found)
}

pub(super) async fn create(
    app: &App,
    ctx: &Context,
    organization: &str,
    name: String,
    description: String,
) -> Result<Team> {
    let mut tx = app.db.begin().await?;
    let environment = environment(&mut tx, ctx, organization).await?;
    let team = Team {
        id: TeamId::random(),
        environment_id: environment.id,
        environment_name: environment.name,
        name,
        description,
        members: 0,
        created_at: ctx.now(),
    };
    let target = Target::new("teams", &team.id).in_environment(&team.environment_id);
    let proof = authorize(ctx, Permission::TeamsManage, target)?;
    team.check()?;
    store::insert(&mut tx, &ctx.tenant(), &team)
        .await
        .map_err(name_taken)?;
    audit::record(&mut tx, ctx, &proof, "team.create", facts(&team)).await?;
    tx.commit().await?;
    Ok(team)
}

pub(super) async fn update(
    app: &App,
    ctx: &Context,
    id: &TeamId,
    change: TeamChange,
) -> Result<(Team, Members)> {
    let mut tx = app.db.begin().await?;
    tx.lock_row("teams", id).await?;
    let (mut team, proof) = load(&mut tx, ctx, id, Permission::TeamsManage).await?;
    let before = facts(&team);
    team.name = change.name.unwrap_or(team.name);
    team.description = change.description.unwrap_or(team.description);
    team.check()?;
    store::update(&mut tx, &ctx.tenant(), &team)
        .await
        .map_err(name_taken)?;
    let detail = json!({ "before": before, "after": facts(&team) });
    audit::record(&mut tx, ctx, &proof, "team.update", detail).await?;
    let members = grouped(&mut tx, &ctx.tenant(), std::slice::from_ref(id)).await?;
    tx.commit().await?;
    Ok((team, members))
}

/// Deletes a team that no approval rule names.
///
/// # Errors
/// [`IamError::TeamInUse`].
pub(super) async fn delete(app: &App, ctx: &Context, id: &TeamId) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let administrators = Administrators::before(&mut tx, &ctx.tenant()).await?;
    let (team, proof) = load(&mut tx, ctx, id, Permission::TeamsManage).await?;
    store::delete(&mut tx, &ctx.tenant(), id)
        .await
        .map_err(|error| {
            if error.is_foreign_key_violation() {
                IamError::TeamInUse
            } else {
                error.into()
            }
        })?;
    administrators.check_after(&mut tx, &ctx.tenant()).await?;
    audit::record(&mut tx, ctx, &proof, "team.delete", facts(&team)).await?;
    tx.commit().await?;
    Ok(())
}

/// Puts people into a team or takes them out. `names` are user names or ids; who is in it already,
/// or is not, changes nothing.
///
/// # Errors
/// [`IamError::Invalid`] for somebody who is no member of the account, or too many;
/// [`IamError::BeyondOwn`] for a team that may what the caller may not.
pub(super) async fn change_members(
    app: &App,
    ctx: &Context,
    id: &TeamId,
    change: MemberChange,
    names: &[&str],
) -> Result<()> {
    let tenant = ctx.tenant();
    let invalid = |detail| IamError::Invalid {
        field: "/data",
        detail,
    };
    if names.len() > MAX_NAMED {
        return Err(invalid(format!("name at most {MAX_NAMED} users at a time")));
    }
    let mut tx = app.db.begin().await?;
    let administrators = Administrators::before(&mut tx, &tenant).await?;
    tx.lock_row("teams", id).await?;
    let (team, proof) = load(&mut tx, ctx, id, Permission::TeamsManage).await?;
    if change == MemberChange::Add {
        check_subject(ctx, &mut tx, &Subject::Team(id.clone())).await?;
    }
    let mut changed = Vec::new();
    for name in names {
        let found = match name.parse::<UserId>() {
            Ok(id) => people::find_member(&mut tx, &tenant, &id).await?,
            Err(_) => people::find_member_by_name(&mut tx, &tenant, &fold_username(name)).await?,
        };
        let member = found.ok_or_else(|| {
            invalid(format!(
                "there is no user {name:?} in this account; make the user first"
            ))
        })?;
        let done = match change {
            MemberChange::Add => {
                store::add_member(&mut tx, &tenant, id, &member.id, ctx.now()).await?
            }
            MemberChange::Remove => store::remove_member(&mut tx, &tenant, id, &member.id).await?,
        };
        if done {
            changed.push(member.username);
        }
    }
    let now_in = store::find(&mut tx, &tenant, id)
        .await?
        .map_or(0, |team| team.members);
    if now_in > MAX_MEMBERS {
        return Err(invalid(format!("a team has at most {MAX_MEMBERS} users")));
    }
    administrators.check_after(&mut tx, &tenant).await?;
    let action = match change {
        MemberChange::Add => "team.add-members",
        MemberChange::Remove => "team.remove-members",
    };
    let detail = json!({ "name": team.name, "users": changed });
    audit::record(&mut tx, ctx, &proof, action, detail).await?;
    tx.commit().await?;
    // A run may have waited for one of them to count.
    app.signals.queue.wake();
    Ok(())
}

// ── for the slices above ───────────────────────────────────────────────────────────────────────

/// A team of the tenant.
///
/// # Errors
/// The database's own.
pub async fn find(
    conn: &mut db::Conn,
    tenant: &Tenant,
    id: &TeamId,
) -> std::result::Result<Option<Team>, db::Error> {
    store::find(conn, tenant, id).await
}

/// Who is in these teams.
///
/// # Errors
/// The database's own.
pub async fn members_of(
    conn: &mut db::Conn,
    tenant: &Tenant,
    teams: &[TeamId],
) -> std::result::Result<Vec<(TeamId, UserId)>, db::Error> {
    store::members(conn, tenant, teams).await
}

/// The teams that somebody is in.
///
/// # Errors
/// The database's own.
pub async fn teams_of(
    conn: &mut db::Conn,
    tenant: &Tenant,
    user: &UserId,
) -> std::result::Result<Vec<TeamId>, db::Error> {
    store::teams_of(conn, tenant, user).await
}
