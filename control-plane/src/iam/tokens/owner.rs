//! Who may see, make and revoke whose tokens.

use domain::permission::Permission;
use domain::permission_set::PermissionSet;
use domain::system_role::SystemRole;

use super::model::TokenOwner;
use crate::context::Context;
use crate::iam::effective::Place;
use crate::iam::grants::guard::{check_subject, check_within};
use crate::iam::grants::{Spot, Subject};
use crate::iam::{Authorized, Denied, IamError, Target, authorize, service_accounts, store, teams};
use crate::tenancy;

type Result<T> = std::result::Result<T, IamError>;

/// What is to be done with tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Read,
    Manage,
}

/// What the token of an environment may do there: set it up, and not run or approve anything.
pub fn environment_permissions() -> PermissionSet {
    let mut set = SystemRole::Admin.permissions();
    for permission in [
        Permission::ConfigurationVersionsCreate,
        Permission::RunsCreate,
        Permission::RunsApply,
        Permission::RunsApprove,
        Permission::PolicyChecksOverride,
    ] {
        set.remove(permission);
    }
    set
}

/// Everybody manages their own tokens; those of others need a permission on their owner.
///
/// # Errors
/// [`IamError::NotFound`] for an owner that isn't there, or the refusal.
pub(super) async fn authorize_owner(
    conn: &mut db::Conn,
    ctx: &Context,
    owner: &TokenOwner,
    purpose: Purpose,
) -> Result<Authorized> {
    let tenant = ctx.tenant();
    let (permission, target) = match owner {
        TokenOwner::User(id) => {
            store::find_member(conn, &tenant, id)
                .await?
                .ok_or(IamError::NotFound)?;
            let own = ctx.actor.user().as_ref() == Some(id);
            let permission = if own {
                Permission::TokensManageOwn
            } else {
                Permission::UsersUpdate
            };
            (permission, Target::new("users", id))
        }
        TokenOwner::ServiceAccount(id) => {
            service_accounts::find(conn, &tenant, id)
                .await?
                .ok_or(IamError::NotFound)?;
            let permission = match purpose {
                Purpose::Read => Permission::ServiceAccountsRead,
                Purpose::Manage => Permission::ServiceAccountsManage,
            };
            (permission, Target::new("service-accounts", id))
        }
        TokenOwner::Team(id) => {
            let team = teams::find(conn, &tenant, id)
                .await?
                .ok_or(IamError::NotFound)?;
            let target = Target::new("teams", id).in_environment(&team.environment_id);
            (Permission::TeamsManage, target)
        }
        TokenOwner::Environment(id) => {
            let found = tenancy::find_environment(conn, &tenant, id.as_str())
                .await?
                .ok_or(IamError::NotFound)?;
            let target = Target::new("organizations", &found.name).in_environment(&found.id);
            (Permission::EnvironmentsManageToken, target)
        }
    };
    Ok(authorize(ctx, permission, target)?)
}

/// Whether the caller may have the text of a token of this owner. Nobody gets one of another user:
/// what is done with it would be recorded in the other one's name.
///
/// # Errors
/// [`IamError::BeyondOwn`] for an owner that may more than the caller, or the refusal.
pub(super) async fn check_hand_out(
    conn: &mut db::Conn,
    ctx: &Context,
    owner: &TokenOwner,
) -> Result<()> {
    match owner {
        TokenOwner::User(id) if ctx.actor.user().as_ref() == Some(id) => Ok(()),
        TokenOwner::User(id) => Err(Denied {
            permission: Permission::TokensManageOwn,
            target: Target::new("users", id),
            actor: ctx.actor.name.clone(),
            visible: true,
        }
        .into()),
        TokenOwner::ServiceAccount(id) => {
            check_subject(ctx, conn, &Subject::ServiceAccount(id.clone())).await
        }
        TokenOwner::Team(id) => check_subject(ctx, conn, &Subject::Team(id.clone())).await,
        TokenOwner::Environment(id) => {
            let spot = Spot {
                place: Place::Environment(id.clone()),
                project: None,
                name: String::new(),
            };
            check_within(ctx, &spot, &environment_permissions())
        }
    }
}
