//! Use cases of grants.

use std::collections::HashMap;

use domain::access::Role;
use domain::ids::{GrantId, RoleId, UserId};
use domain::permission::Permission;
use domain::permission_set::PermissionSet;
use domain::system_role::SystemRole;
use serde_json::{Value, json};

use super::guard::{Administrators, check_within};
use super::model::{Grant, GrantedRole, Subject};
use super::place::{self, Spot};
use super::store::{self, Filter, NewGrant};
use crate::app::App;
use crate::audit;
use crate::clock::Timestamp;
use crate::context::{Context, Tenant};
use crate::http::page::{Page, Paged};
use crate::iam::effective::Place;
use crate::iam::{Authorized, IamError, Target, authorize, authorize_filtered};

type Result<T> = std::result::Result<T, IamError>;

/// Grants that one account may have.
const MAX_GRANTS: i64 = 100_000;

fn invalid(field: &'static str, detail: impl Into<String>) -> IamError {
    IamError::Invalid {
        field,
        detail: detail.into(),
    }
}

/// What every role of the account gives, by id.
pub async fn role_sets(
    conn: &mut db::Conn,
    tenant: &Tenant,
) -> std::result::Result<HashMap<RoleId, PermissionSet>, db::Error> {
    let words = store::role_words(conn, tenant).await?;
    let own = words.into_iter().map(|(id, words)| {
        let set = PermissionSet::of_patterns(words.0.iter().map(String::as_str));
        (id, set)
    });
    let system = SystemRole::ALL
        .iter()
        .map(|role| (GrantedRole::System(*role).id(), role.permissions()));
    Ok(system.chain(own).collect())
}

/// What the audit log says of a grant.
fn facts(grant: &Grant) -> Value {
    let (environment, project, workspace) = match &grant.place {
        Place::Account => (None, None, None),
        Place::Environment(id) => (Some(id), None, None),
        Place::Project(environment, id) => (Some(environment), Some(id), None),
        Place::Workspace(environment, id) => (Some(environment), None, Some(id)),
    };
    json!({ "subject": grant.subject.id(), "subject_name": grant.subject_name,
        "role": grant.role.id(), "role_name": grant.role_name, "scope": grant.place.scope(),
        "environment": environment, "project": project, "workspace": workspace })
}

fn target(grant: &Grant) -> Target {
    let target = Target::new("access-policies", &grant.id).at(&grant.place);
    match &grant.project {
        Some(project) => target.in_project(project),
        None => target,
    }
}

/// The grants of the account that the caller may see, oldest first.
pub(super) async fn list(
    app: &App,
    ctx: &Context,
    subject: Option<Subject>,
    role: Option<RoleId>,
    place: Option<&str>,
    page: Page,
) -> Result<Paged<Grant>> {
    let tenant = ctx.tenant();
    let target = Target::new("access-policies", tenant.account());
    let visible = authorize_filtered(ctx, Permission::AccessPoliciesRead, target)?;
    let mut conn = app.db.acquire().await?;
    let place = match place {
        Some(id) => Some(
            place::find(&mut conn, &tenant, id)
                .await?
                .ok_or(IamError::NotFound)?
                .place,
        ),
        None => None,
    };
    let filter = Filter {
        subject,
        role: role.as_ref().map(GrantedRole::of_id),
        place,
    };
    Ok(store::list(&mut conn, &tenant, &filter, &visible, page).await?)
}

async fn load(
    conn: &mut db::Conn,
    ctx: &Context,
    id: &GrantId,
    permission: Permission,
) -> Result<(Grant, Authorized)> {
    let grant = store::find(conn, &ctx.tenant(), id)
        .await?
        .ok_or(IamError::NotFound)?;
    let proof = authorize(ctx, permission, target(&grant))?;
    Ok((grant, proof))
}

pub(super) async fn read(app: &App, ctx: &Context, id: &GrantId) -> Result<Grant> {
    let mut conn = app.db.acquire().await?;
    let (grant, _) = load(&mut conn, ctx, id, Permission::AccessPoliciesRead).await?;
    Ok(grant)
}

/// What is to be granted, by ids as they were sent.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub subject: Subject,
    pub role: RoleId,
    /// The id of the place; none: the account.
    pub place: Option<&'a str>,
}

/// Grants a role.
///
/// # Errors
/// [`IamError::BeyondOwn`] for more than the caller has there, [`IamError::Invalid`] for a subject,
/// role or place that is not there, [`IamError::GrantedAlready`].
pub(super) async fn create(app: &App, ctx: &Context, wanted: Wanted<'_>) -> Result<Grant> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let spot = match wanted.place {
        Some(id) => place::find(&mut tx, &tenant, id).await?,
        None => Some(Spot::account()),
    };
    let spot = spot.ok_or(IamError::NotFound)?;
    let id = GrantId::random();
    let proof = authorize(
        ctx,
        Permission::AccessPoliciesManage,
        spot.target("access-policies", &id),
    )?;
    let subject_name = store::subject_name(&mut tx, &tenant, &wanted.subject)
        .await?
        .ok_or_else(|| {
            let kind = wanted.subject.kind();
            invalid(
                "/data/relationships",
                format!("there are no such {kind} here"),
            )
        })?;
    let sets = role_sets(&mut tx, &tenant).await?;
    let given = sets
        .get(&wanted.role)
        .ok_or_else(|| invalid("/data/relationships/role", "there is no such role here"))?;
    if given.at(spot.place.scope()).is_empty() {
        return Err(invalid(
            "/data/relationships/role",
            format!(
                "nothing in this role can be granted at {} scope; see `GET permissions`",
                spot.place.scope()
            ),
        ));
    }
    check_within(ctx, &spot, given)?;
    let role = GrantedRole::of_id(&wanted.role);
    let new = NewGrant {
        id: &id,
        subject: &wanted.subject,
        role: &role,
        place: &spot.place,
        now: ctx.now(),
    };
    if store::count(&mut tx, &tenant).await? >= MAX_GRANTS {
        return Err(IamError::TooManyGrants);
    }
    store::insert(&mut tx, &tenant, &new)
        .await
        .map_err(|error| {
            if error.is_unique_violation() {
                IamError::GrantedAlready
            } else {
                error.into()
            }
        })?;
    let mut grant = store::find(&mut tx, &tenant, &id)
        .await?
        .ok_or(IamError::NotFound)?;
    grant.subject_name = subject_name;
    audit::record(&mut tx, ctx, &proof, "access-policy.create", facts(&grant)).await?;
    tx.commit().await?;
    // A run may have waited for an approval to count.
    app.signals.queue.wake();
    Ok(grant)
}

/// Takes a grant away.
///
/// # Errors
/// [`IamError::LastAdministrator`].
pub(super) async fn delete(app: &App, ctx: &Context, id: &GrantId) -> Result<()> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let administrators = Administrators::before(&mut tx, &tenant).await?;
    let (grant, proof) = load(&mut tx, ctx, id, Permission::AccessPoliciesManage).await?;
    store::delete(&mut tx, &tenant, id).await?;
    administrators.check_after(&mut tx, &tenant).await?;
    audit::record(&mut tx, ctx, &proof, "access-policy.delete", facts(&grant)).await?;
    tx.commit().await?;
    Ok(())
}

/// Whether the caller may have somebody come in with this role.
///
/// # Errors
/// [`IamError::BeyondOwn`].
pub fn check_role(ctx: &Context, role: Role) -> Result<()> {
    let role = match role {
        Role::Admin => SystemRole::Admin,
        Role::Reader => SystemRole::ReadOnly,
        Role::Member => return Ok(()),
    };
    check_within(ctx, &Spot::account(), &role.permissions())
}

/// What a new member is granted with their membership, in its transaction.
pub async fn grant_member(
    tx: &mut db::Tx,
    ctx: &Context,
    user: &UserId,
    role: Role,
    now: Timestamp,
) -> Result<()> {
    let role = match role {
        Role::Admin => SystemRole::Admin,
        Role::Reader => SystemRole::ReadOnly,
        Role::Member => return Ok(()),
    };
    check_within(ctx, &Spot::account(), &role.permissions())?;
    let new = NewGrant {
        id: &GrantId::random(),
        subject: &Subject::User(user.clone()),
        role: &GrantedRole::System(role),
        place: &Place::Account,
        now,
    };
    Ok(store::insert(tx, &ctx.tenant(), &new).await?)
}
