//! SQL of how members of an account must sign in. Every function takes the tenant first.

use db::Conn;
use domain::ids::UserId;

use crate::clock::Timestamp;
use crate::context::Tenant;

type Result<T> = std::result::Result<T, db::Error>;

pub(super) async fn is_enforced(conn: &mut Conn, tenant: &Tenant) -> Result<bool> {
    let count: i64 = conn
        .query("SELECT COUNT(*) FROM sign_in_policies WHERE account_id = $1 AND enforced")
        .bind(tenant.account())
        .fetch_scalar()
        .await?;
    Ok(count > 0)
}

pub(super) async fn set_enforced(
    conn: &mut Conn,
    tenant: &Tenant,
    enforced: bool,
    now: Timestamp,
) -> Result<()> {
    conn.query(
        "INSERT INTO sign_in_policies (account_id, enforced, updated_at) VALUES ($1, $2, $3)
         ON CONFLICT (account_id) DO UPDATE SET enforced = $2, updated_at = $3",
    )
    .bind(tenant.account())
    .bind(enforced)
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn bypass_users(conn: &mut Conn, tenant: &Tenant) -> Result<Vec<UserId>> {
    let rows: Vec<(UserId,)> = conn
        .query("SELECT user_id FROM sign_in_bypass WHERE account_id = $1 ORDER BY user_id")
        .bind(tenant.account())
        .fetch_all()
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

pub(super) async fn replace_bypass_users(
    conn: &mut Conn,
    tenant: &Tenant,
    users: &[UserId],
) -> Result<()> {
    conn.query("DELETE FROM sign_in_bypass WHERE account_id = $1")
        .bind(tenant.account())
        .execute()
        .await?;
    for user in users {
        conn.query(
            "INSERT INTO sign_in_bypass (account_id, user_id) VALUES ($1, $2)
             ON CONFLICT DO NOTHING",
        )
        .bind(tenant.account())
        .bind(user)
        .execute()
        .await?;
    }
    Ok(())
}
