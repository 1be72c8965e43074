//! Two things that no change of access may do: give what its author doesn't have, and leave an
//! account without an administrator.

use domain::access::ActorKind;
use domain::permission_set::PermissionSet;

use super::model::Subject;
use super::place::Spot;
use super::{service, store};
use crate::context::{Context, Tenant};
use crate::iam::effective::Place;
use crate::iam::{IamError, teams};

/// Whether the caller may hand out `given` at a place.
///
/// # Errors
/// [`IamError::BeyondOwn`], naming what they don't have themselves.
pub fn check_within(ctx: &Context, spot: &Spot, given: &PermissionSet) -> Result<(), IamError> {
    if matches!(ctx.actor.kind, ActorKind::System) {
        return Ok(());
    }
    let own = ctx.actor.grants.on(&spot.target("access-policies", ""));
    let beyond = given.at(spot.place.scope()).without(&own);
    if beyond.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = beyond.iter().map(|it| it.as_str()).collect();
    Err(IamError::BeyondOwn {
        permissions: names.join(", "),
    })
}

/// Whether the caller has everything that a subject has, a user also through teams: who acts for it
/// or puts others into it hands that out.
///
/// # Errors
/// [`IamError::BeyondOwn`], or the database's own.
pub async fn check_subject(
    ctx: &Context,
    conn: &mut db::Conn,
    subject: &Subject,
) -> Result<(), IamError> {
    if matches!(ctx.actor.kind, ActorKind::System) {
        return Ok(());
    }
    let tenant = ctx.tenant();
    let mut grants = store::of_subject(conn, &tenant, subject).await?;
    if let Subject::User(user) = subject {
        for team in teams::teams_of(conn, &tenant, user).await? {
            grants.extend(store::of_subject(conn, &tenant, &Subject::Team(team)).await?);
        }
    }
    let sets = service::role_sets(conn, &tenant).await?;
    for grant in grants {
        let Some(set) = sets.get(&grant.role.id()) else {
            continue;
        };
        let project = match &grant.place {
            Place::Project(_, id) => Some(id.clone()),
            Place::Account | Place::Environment(_) | Place::Workspace(..) => grant.project.clone(),
        };
        let spot = Spot {
            place: grant.place,
            project,
            name: String::new(),
        };
        check_within(ctx, &spot, set)?;
    }
    Ok(())
}

/// How many administrators there were before a change.
#[derive(Debug)]
pub struct Administrators(i64);

impl Administrators {
    /// Counts them, and holds other changes of the account's access until this one is done: two that
    /// each leave the other's administrator would leave none.
    ///
    /// # Errors
    /// The database's own.
    pub async fn before(tx: &mut db::Tx, tenant: &Tenant) -> Result<Self, IamError> {
        tx.lock_row("accounts", tenant.account()).await?;
        Ok(Self(store::count_admins(tx, tenant).await?))
    }

    /// # Errors
    /// [`IamError::LastAdministrator`] if there were some and none is left.
    pub async fn check_after(self, tx: &mut db::Tx, tenant: &Tenant) -> Result<(), IamError> {
        if self.0 > 0 && store::count_admins(tx, tenant).await? == 0 {
            return Err(IamError::LastAdministrator);
        }
        Ok(())
    }
}
