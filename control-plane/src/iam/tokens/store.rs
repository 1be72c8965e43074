//! SQL of tokens. Every function takes the tenant first.

use db::{Builder, Conn};
use domain::ids::{EnvironmentId, ServiceAccountId, TeamId, TokenId, UserId};

use super::model::{ApiToken, TokenOwner};
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::http::page::{Page, Paged};
use crate::iam::secret_token::TokenText;

type Result<T> = std::result::Result<T, db::Error>;

const SELECT: &str = "SELECT id, user_id, service_account_id, team_id, environment_id, description,
        last_six, created_at, expires_at, last_used_at
    FROM tokens WHERE kind <> 'run' AND account_id = ";

#[derive(sqlx::FromRow)]
struct Row {
    id: TokenId,
    user_id: Option<UserId>,
    service_account_id: Option<ServiceAccountId>,
    team_id: Option<TeamId>,
    environment_id: Option<EnvironmentId>,
    description: String,
    last_six: String,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
}

impl Row {
    /// `None` for one that belongs to nobody, which no code writes.
    fn read(self) -> Option<ApiToken> {
        let owner = self
            .user_id
            .map(TokenOwner::User)
            .or_else(|| self.service_account_id.map(TokenOwner::ServiceAccount))
            .or_else(|| self.team_id.map(TokenOwner::Team))
            .or_else(|| self.environment_id.map(TokenOwner::Environment))?;
        Some(ApiToken {
            id: self.id,
            owner,
            description: self.description,
            last_six: self.last_six,
            created_at: self.created_at,
            expires_at: self.expires_at,
            last_used_at: self.last_used_at,
        })
    }
}

fn of_owner<'c>(query: Builder<'c>, owner: &TokenOwner) -> Builder<'c> {
    let column = match owner {
        TokenOwner::User(_) => " AND user_id = ",
        TokenOwner::ServiceAccount(_) => " AND service_account_id = ",
        TokenOwner::Team(_) => " AND team_id = ",
        TokenOwner::Environment(_) => " AND environment_id = ",
    };
    query.push(column).bind(owner.id())
}

pub(super) async fn insert(
    conn: &mut Conn,
    tenant: &Tenant,
    token: &ApiToken,
    text: &TokenText,
) -> Result<()> {
    let (user, service, team, environment) = match &token.owner {
        TokenOwner::User(id) => (Some(id), None, None, None),
        TokenOwner::ServiceAccount(id) => (None, Some(id), None, None),
        TokenOwner::Team(id) => (None, None, Some(id), None),
        TokenOwner::Environment(id) => (None, None, None, Some(id)),
    };
    conn.query(
        "INSERT INTO tokens (id, account_id, kind, user_id, service_account_id, team_id,
            environment_id, hash, last_six, description, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(&token.id)
    .bind(tenant.account())
    .bind(token.owner.kind())
    .bind(user)
    .bind(service)
    .bind(team)
    .bind(environment)
    .bind(&text.hash)
    .bind(&token.last_six)
    .bind(&token.description)
    .bind(token.created_at)
    .bind(token.expires_at)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn find(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &TokenId,
) -> Result<Option<ApiToken>> {
    let row: Option<Row> = conn
        .build(SELECT)
        .bind(tenant.account())
        .push(" AND id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await?;
    Ok(row.and_then(Row::read))
}

/// An owner's tokens in this account, newest first.
pub(super) async fn list(
    conn: &mut Conn,
    tenant: &Tenant,
    owner: &TokenOwner,
    page: Page,
) -> Result<Paged<ApiToken>> {
    let count = conn
        .build("SELECT COUNT(*) FROM tokens WHERE account_id = ")
        .bind(tenant.account());
    let total = of_owner(count, owner).finish().fetch_scalar().await?;
    let rows: Vec<Row> = of_owner(conn.build(SELECT).bind(tenant.account()), owner)
        .push(" ORDER BY created_at DESC, id LIMIT ")
        .bind(page.limit())
        .push(" OFFSET ")
        .bind(page.offset())
        .finish()
        .fetch_all()
        .await?;
    let items = rows.into_iter().filter_map(Row::read).collect();
    Ok(Paged { items, total })
}

/// The tokens of an environment's teams, newest first.
pub(super) async fn of_teams(
    conn: &mut Conn,
    tenant: &Tenant,
    environment: &EnvironmentId,
    page: Page,
) -> Result<Paged<ApiToken>> {
    const TEAMS: &str = " AND team_id IN (SELECT t.id FROM teams t WHERE t.environment_id = ";
    let total = conn
        .build("SELECT COUNT(*) FROM tokens WHERE account_id = ")
        .bind(tenant.account())
        .push(TEAMS)
        .bind(environment)
        .push(")")
        .finish()
        .fetch_scalar()
        .await?;
    let rows: Vec<Row> = conn
        .build(SELECT)
        .bind(tenant.account())
        .push(TEAMS)
        .bind(environment)
        .push(") ORDER BY created_at DESC, id LIMIT ")
        .bind(page.limit())
        .push(" OFFSET ")
        .bind(page.offset())
        .finish()
        .fetch_all()
        .await?;
    let items = rows.into_iter().filter_map(Row::read).collect();
    Ok(Paged { items, total })
}

/// The one token of an owner that has no description: the one that clients know who know of one only.
pub(super) async fn single(
    conn: &mut Conn,
    tenant: &Tenant,
    owner: &TokenOwner,
) -> Result<Option<ApiToken>> {
    let query = conn.build(SELECT).bind(tenant.account());
    let row: Option<Row> = of_owner(query, owner)
        .push(" AND description = '' ORDER BY created_at DESC LIMIT 1")
        .finish()
        .fetch_optional()
        .await?;
    Ok(row.and_then(Row::read))
}

pub(super) async fn delete(conn: &mut Conn, tenant: &Tenant, id: &TokenId) -> Result<()> {
    conn.query("DELETE FROM tokens WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .execute()
        .await?;
    Ok(())
}
