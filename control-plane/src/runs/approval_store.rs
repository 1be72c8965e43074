//! What the history of a run says about who may approve it.

use db::Conn;
use domain::access::ActorKind;
use domain::ids::RunId;

use crate::context::Tenant;

/// The users who confirmed a run.
pub(super) async fn confirmed_by(
    conn: &mut Conn,
    tenant: &Tenant,
    run: &RunId,
) -> Result<Vec<String>, db::Error> {
    let rows: Vec<(String,)> = conn
        .query(
            "SELECT DISTINCT actor_id FROM run_events
             WHERE account_id = $1 AND run_id = $2 AND action = 'confirm' AND actor_kind = $3",
        )
        .bind(tenant.account())
        .bind(run)
        .bind(ActorKind::User)
        .fetch_all()
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
