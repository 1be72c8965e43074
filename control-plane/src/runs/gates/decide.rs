//! Which gates a run meets once its plan is there.

use domain::policy::PolicyStage;

use crate::context::Tenant;
use crate::runs::approval_standing;
use crate::runs::error::RunError;
use crate::runs::machine::Gates;
use crate::runs::model::Run;
use crate::{policies, workspaces};

/// Decided in the transaction that ends the plan: what is in force now counts, and clients that look
/// right afterwards see what is to come.
///
/// # Errors
/// The database's own.
pub(in crate::runs) async fn after_plan(
    conn: &mut db::Conn,
    tenant: &Tenant,
    run: &Run,
) -> Result<Gates, RunError> {
    let workspace = workspaces::find(conn, tenant, &run.workspace_id)
        .await?
        .ok_or(RunError::NotFound)?;
    let asked = policies::in_force(conn, tenant, &workspace, PolicyStage::PostPlan).await?;
    let approvals = approval_standing(conn, tenant, run, None).await?;
    Ok(Gates {
        pre_plan: run.state.gates.pre_plan,
        cost: true,
        policy: !asked.is_empty(),
        approvals: approvals.outstanding,
    })
}
