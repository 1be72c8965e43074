//! Rows of the audit log.

use db::{Conn, Json};

use super::Record;
use crate::context::{Actor, Context};

pub(super) async fn insert(
    conn: &mut Conn,
    actor: &Actor,
    ctx: &Context,
    record: &Record,
) -> Result<(), db::Error> {
    conn.query(
        "INSERT INTO audit_records (id, account_id, at, actor_kind, actor_id, actor_name,
            token_last_six, action, target_kind, target_id, environment_id, workspace_id, outcome,
            source_address, request_id, detail, before_digest, after_digest)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
            $17, $18)",
    )
    .bind(&record.id)
    .bind(&actor.account)
    .bind(record.at)
    .bind(actor.kind)
    .bind(&actor.id)
    .bind(&actor.name)
    .bind(&actor.token_last_six)
    .bind(&record.action)
    .bind(record.target.kind)
    .bind(&record.target.id)
    .bind(&record.target.environment)
    .bind(&record.target.workspace)
    .bind(record.outcome)
    .bind(ctx.source_address.map(|it| it.to_string()))
    .bind(&ctx.request_id)
    .bind(Json(&record.detail))
    .bind(&record.digests.before)
    .bind(&record.digests.after)
    .execute()
    .await?;
    Ok(())
}
