//! SQL of rules.

use db::{Conn, Json};

use super::model::Rules;
use crate::clock::Timestamp;
use crate::context::Tenant;

#[derive(sqlx::FromRow)]
struct Row {
    user_token_days: Option<i64>,
    service_account_token_days: Option<i64>,
    #[sqlx(json)]
    allowed_networks: Vec<String>,
}

/// The account's rules; none if it has said nothing.
pub async fn find(conn: &mut Conn, tenant: &Tenant) -> Result<Rules, db::Error> {
    let row: Option<Row> = conn
        .query(
            "SELECT user_token_days, service_account_token_days, allowed_networks
             FROM access_rules WHERE account_id = $1",
        )
        .bind(tenant.account())
        .fetch_optional()
        .await?;
    Ok(row.map_or_else(Rules::default, |row| Rules {
        user_token_days: row.user_token_days,
        service_account_token_days: row.service_account_token_days,
        // What was checked when it was stored.
        networks: row
            .allowed_networks
            .iter()
            .filter_map(|text| text.parse().ok())
            .collect(),
    }))
}

pub(super) async fn save(
    conn: &mut Conn,
    tenant: &Tenant,
    rules: &Rules,
    now: Timestamp,
) -> Result<(), db::Error> {
    conn.query(
        "INSERT INTO access_rules (account_id, user_token_days, service_account_token_days,
            allowed_networks, updated_at)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (account_id) DO UPDATE SET user_token_days = excluded.user_token_days,
            service_account_token_days = excluded.service_account_token_days,
            allowed_networks = excluded.allowed_networks, updated_at = excluded.updated_at",
    )
    .bind(tenant.account())
    .bind(rules.user_token_days)
    .bind(rules.service_account_token_days)
    .bind(Json(rules.written_networks()))
    .bind(now)
    .execute()
    .await?;
    Ok(())
}
