//! Whose costs are asked for.

use domain::ids::EnvironmentId;
use domain::permission::Permission;

use super::read_store::WorkspaceRow;
use crate::context::Context;
use crate::costs::CostError;
use crate::iam::{Target, authorize, authorize_list};
use crate::tenancy;

/// Whose workspaces are summed up.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Account,
    /// By name or id.
    Environment(String),
}

/// A place whose costs the caller may read.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub id: String,
    /// None: all of the account.
    pub environment: Option<EnvironmentId>,
}

/// # Errors
/// [`CostError::NotFound`] or the refusal.
pub(super) async fn find(
    conn: &mut db::Conn,
    ctx: &Context,
    place: &Place,
) -> Result<Found, CostError> {
    let tenant = ctx.tenant();
    match place {
        Place::Account => {
            let id = tenant.account().to_string();
            authorize(
                ctx,
                Permission::WorkspacesRead,
                Target::new("accounts", &id),
            )?;
            Ok(Found {
                id,
                environment: None,
            })
        }
        Place::Environment(name) => {
            let found = tenancy::find_environment(conn, &tenant, name)
                .await?
                .ok_or(CostError::NotFound)?;
            let target = Target::new("organizations", &found.name).in_environment(&found.id);
            authorize_list(ctx, Permission::WorkspacesRead, target)?;
            Ok(Found {
                id: found.id.to_string(),
                environment: Some(found.id),
            })
        }
    }
}

/// Whether a workspace of the place is one that the caller may read: others are in no sum.
pub(super) fn counts(ctx: &Context, row: &WorkspaceRow) -> bool {
    let target = Target::new("workspaces", &row.id)
        .in_environment(&row.environment_id)
        .in_project(&row.project_id)
        .in_workspace(&row.id);
    authorize(ctx, Permission::WorkspacesRead, target).is_ok()
}
