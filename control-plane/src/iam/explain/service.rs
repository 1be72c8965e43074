//! Use cases of access as it is.

use std::collections::{BTreeMap, HashMap};

use domain::access::Scope;
use domain::ids::{GrantId, RoleId, TeamId, UserId};
use domain::permission::Permission;
use domain::permission_set::PermissionSet;

use crate::app::App;
use crate::context::{Context, Tenant};
use crate::iam::grants::{self, Grant, Spot, Subject};
use crate::iam::{IamError, authorize, store, teams};

type Result<T> = std::result::Result<T, IamError>;

/// A grant that gives somebody something on the object.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub grant: GrantId,
    pub role: RoleId,
    pub role_name: String,
    pub scope: Scope,
    /// The team that it was granted to, if it was not granted to the subject itself.
    pub team: Option<(TeamId, String)>,
    /// What of it holds on the object.
    pub permissions: PermissionSet,
}

/// Somebody with something on the object.
#[derive(Debug, Clone)]
pub(super) struct Holder {
    pub subject: Subject,
    pub name: String,
    pub permissions: PermissionSet,
    pub sources: Vec<Source>,
}

type Holders = BTreeMap<Subject, Holder>;

/// Finds an object that the caller may see the access of.
async fn spot(conn: &mut db::Conn, ctx: &Context, id: Option<&str>) -> Result<Spot> {
    let tenant = ctx.tenant();
    let spot = match id {
        Some(id) => grants::find_spot(conn, &tenant, id)
            .await?
            .ok_or(IamError::NotFound)?,
        None => Spot::account(),
    };
    let target = spot.itself(tenant.account());
    authorize(ctx, Permission::AccessPoliciesRead, target)?;
    Ok(spot)
}

/// Everybody who has something on an object, by kind and name. Without an `id` it is the account.
pub(super) async fn holders(
    app: &App,
    ctx: &Context,
    id: Option<&str>,
    permission: Option<Permission>,
) -> Result<Vec<Holder>> {
    let mut conn = app.db.snapshot().await?;
    let spot = spot(&mut conn, ctx, id).await?;
    let mut found: Vec<_> = all(&mut conn, &ctx.tenant(), &spot)
        .await?
        .into_values()
        .filter(|it| permission.is_none_or(|wanted| it.permissions.contains(wanted)))
        .collect();
    found.sort_by(|one, other| {
        let key = |it: &Holder| (it.subject.kind(), it.name.clone());
        key(one).cmp(&key(other))
    });
    Ok(found)
}

/// What one subject has on an object; nothing is an answer too.
///
/// # Errors
/// [`IamError::NotFound`] for a subject that isn't of the account.
pub(super) async fn holder(
    app: &App,
    ctx: &Context,
    id: Option<&str>,
    subject: &Subject,
) -> Result<Holder> {
    let mut conn = app.db.snapshot().await?;
    let tenant = ctx.tenant();
    let spot = spot(&mut conn, ctx, id).await?;
    let name = grants::subject_name(&mut conn, &tenant, subject)
        .await?
        .ok_or(IamError::NotFound)?;
    let mut found = all(&mut conn, &tenant, &spot).await?;
    Ok(found.remove(subject).unwrap_or_else(|| Holder {
        subject: subject.clone(),
        name,
        permissions: PermissionSet::EMPTY,
        sources: Vec::new(),
    }))
}

async fn all(conn: &mut db::Conn, tenant: &Tenant, spot: &Spot) -> Result<Holders> {
    let found = grants::on_spot(conn, tenant, spot).await?;
    let sets = grants::role_sets(conn, tenant).await?;
    let of_teams: Vec<TeamId> = found
        .iter()
        .filter_map(|grant| match &grant.subject {
            Subject::Team(id) => Some(id.clone()),
            Subject::User(_) | Subject::ServiceAccount(_) => None,
        })
        .collect();
    let mut people = HashMap::<TeamId, Vec<(UserId, String)>>::new();
    // Databases bound the number of parameters.
    for some in of_teams.chunks(500) {
        for (team, user) in teams::members_of(conn, tenant, some).await? {
            if let Some(member) = store::find_member(conn, tenant, &user).await? {
                people
                    .entry(team)
                    .or_default()
                    .push((user, member.username));
            }
        }
    }
    let mut holders = Holders::new();
    for grant in found {
        let Some(set) = sets.get(&grant.role.id()) else {
            continue;
        };
        // What can't be done on such an object is not said of it.
        let given = set.at(grant.place.scope()).at(spot.place.scope());
        if let Subject::Team(team) = &grant.subject {
            for (user, name) in people.get(team).into_iter().flatten() {
                let via = Some((team.clone(), grant.subject_name.clone()));
                add(
                    &mut holders,
                    Subject::User(user.clone()),
                    name,
                    &grant,
                    given,
                    via,
                );
            }
        }
        let (subject, name) = (grant.subject.clone(), grant.subject_name.clone());
        add(&mut holders, subject, &name, &grant, given, None);
    }
    Ok(holders)
}

fn add(
    holders: &mut Holders,
    subject: Subject,
    name: &str,
    grant: &Grant,
    given: PermissionSet,
    team: Option<(TeamId, String)>,
) {
    let holder = holders.entry(subject.clone()).or_insert_with(|| Holder {
        subject,
        name: name.to_owned(),
        permissions: PermissionSet::EMPTY,
        sources: Vec::new(),
    });
    holder.permissions.add(&given);
    holder.sources.push(Source {
        grant: grant.id.clone(),
        role: grant.role.id(),
        role_name: grant.role_name.clone(),
        scope: grant.place.scope(),
        team,
        permissions: given,
    });
}
