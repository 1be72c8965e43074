//! SQL of teams. Every function takes the tenant first.

use db::Conn;
use domain::ids::{EnvironmentId, TeamId, UserId};

use super::model::Team;
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::http::page::{Page, Paged};

type Result<T> = std::result::Result<T, db::Error>;

const SELECT: &str = "SELECT t.id, t.environment_id, e.name AS environment_name, t.name,
        t.description, t.created_at,
        (SELECT COUNT(*) FROM team_members m WHERE m.team_id = t.id) AS members
    FROM teams t JOIN environments e ON e.id = t.environment_id ";

/// Which teams of an environment are wanted.
#[derive(Debug, Default)]
pub(super) struct Filter {
    /// A part of the name.
    pub search: Option<String>,
    pub names: Vec<String>,
}

pub(super) async fn find(conn: &mut Conn, tenant: &Tenant, id: &TeamId) -> Result<Option<Team>> {
    conn.build(SELECT)
        .push("WHERE t.account_id = ")
        .bind(tenant.account())
        .push(" AND t.id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await
}

pub(super) async fn list(
    conn: &mut Conn,
    tenant: &Tenant,
    environment: &EnvironmentId,
    filter: &Filter,
    page: Page,
) -> Result<Paged<Team>> {
    let pattern = || {
        let text = filter.search.as_deref()?;
        Some(format!("%{}%", text.to_lowercase()))
    };
    let total = conn
        .build("SELECT COUNT(*) FROM teams t WHERE t.account_id = ")
        .bind(tenant.account())
        .push(" AND t.environment_id = ")
        .bind(environment)
        .push_if(" AND LOWER(t.name) LIKE ", pattern())
        .push_in(" AND t.name IN (", &filter.names)
        .finish()
        .fetch_scalar()
        .await?;
    let items = conn
        .build(SELECT)
        .push("WHERE t.account_id = ")
        .bind(tenant.account())
        .push(" AND t.environment_id = ")
        .bind(environment)
        .push_if(" AND LOWER(t.name) LIKE ", pattern())
        .push_in(" AND t.name IN (", &filter.names)
        .push(" ORDER BY t.name, t.id LIMIT ")
        .bind(page.limit())
        .push(" OFFSET ")
        .bind(page.offset())
        .finish()
        .fetch_all()
        .await?;
    Ok(Paged { items, total })
}

pub(super) async fn insert(conn: &mut Conn, tenant: &Tenant, team: &Team) -> Result<()> {
    conn.query(
        "INSERT INTO teams (id, account_id, environment_id, name, description, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&team.id)
    .bind(tenant.account())
    .bind(&team.environment_id)
    .bind(&team.name)
    .bind(&team.description)
    .bind(team.created_at)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn update(conn: &mut Conn, tenant: &Tenant, team: &Team) -> Result<()> {
    conn.query("UPDATE teams SET name = $3, description = $4 WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(&team.id)
        .bind(&team.name)
        .bind(&team.description)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn delete(conn: &mut Conn, tenant: &Tenant, id: &TeamId) -> Result<()> {
    conn.query("DELETE FROM teams WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .execute()
        .await?;
    Ok(())
}

/// Who is in these teams, by team and name.
pub(super) async fn members(
    conn: &mut Conn,
    tenant: &Tenant,
    teams: &[TeamId],
) -> Result<Vec<(TeamId, UserId)>> {
    if teams.is_empty() {
        return Ok(Vec::new());
    }
    conn.build(
        "SELECT m.team_id, m.user_id FROM team_members m JOIN users u ON u.id = m.user_id
         WHERE m.account_id = ",
    )
    .bind(tenant.account())
    .push_in(" AND m.team_id IN (", teams)
    .push(" ORDER BY m.team_id, u.username")
    .finish()
    .fetch_all()
    .await
}

pub(super) async fn teams_of(
    conn: &mut Conn,
    tenant: &Tenant,
    user: &UserId,
) -> Result<Vec<TeamId>> {
    let rows: Vec<(TeamId,)> = conn
        .query("SELECT team_id FROM team_members WHERE account_id = $1 AND user_id = $2")
        .bind(tenant.account())
        .bind(user)
        .fetch_all()
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Whether somebody new is in the team: who is in it already stays.
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

/// Whether they were in it.
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
