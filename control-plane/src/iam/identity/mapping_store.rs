//! SQL of the teams that a provider's groups stand for.

use db::Conn;
use domain::ids::{IdentityProviderId, TeamId, UserId};

use super::model::Mapping;
use crate::clock::Timestamp;
use crate::context::Tenant;

type Result<T> = std::result::Result<T, db::Error>;

pub(super) async fn list(
    conn: &mut Conn,
    tenant: &Tenant,
    provider: &IdentityProviderId,
) -> Result<Vec<Mapping>> {
    conn.query(
        "SELECT group_name, team_id FROM provider_team_mappings
         WHERE account_id = $1 AND provider_id = $2 ORDER BY group_name, team_id",
    )
    .bind(tenant.account())
    .bind(provider)
    .fetch_all()
    .await
}

pub(super) async fn replace(
    conn: &mut Conn,
    tenant: &Tenant,
    provider: &IdentityProviderId,
    mappings: &[Mapping],
) -> Result<()> {
    conn.query("DELETE FROM provider_team_mappings WHERE account_id = $1 AND provider_id = $2")
        .bind(tenant.account())
        .bind(provider)
        .execute()
        .await?;
    for mapping in mappings {
        conn.query(
            "INSERT INTO provider_team_mappings (account_id, provider_id, group_name, team_id)
             VALUES ($1, $2, $3, $4)",
        )
        .bind(tenant.account())
        .bind(provider)
        .bind(&mapping.group_name)
        .bind(&mapping.team_id)
        .execute()
        .await?;
    }
    Ok(())
}

/// Puts somebody into a team, unless they are in it.
pub(super) async fn add_member(
    conn: &mut Conn,
    tenant: &Tenant,
    team: &TeamId,
    user: &UserId,
    now: Timestamp,
) -> Result<bool> {
    let rows = conn
        .query(
            "INSERT INTO team_members (account_id, team_id, user_id, created_at)
             VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        )
        .bind(tenant.account())
        .bind(team)
        .bind(user)
        .bind(now)
        .execute()
        .await?;
    Ok(rows == 1)
}

pub(super) async fn remove_member(
    conn: &mut Conn,
    tenant: &Tenant,
    team: &TeamId,
    user: &UserId,
) -> Result<bool> {
    let rows = conn
        .query("DELETE FROM team_members WHERE account_id = $1 AND team_id = $2 AND user_id = $3")
        .bind(tenant.account())
        .bind(team)
        .bind(user)
        .execute()
        .await?;
    Ok(rows == 1)
}
