//! SQL of provisioned people and groups. Every function takes the tenant and the provider first: a
//! client sees its own provider's and nobody else's.

use db::{Builder, Conn, Json};
use domain::ids::{ExternalGroupId, ExternalIdentityId, IdentityProviderId, UserId};
use serde_json::Value;

use super::filter::{Attribute, Equals};
use crate::clock::Timestamp;
use crate::context::Tenant;

type Result<T> = std::result::Result<T, db::Error>;

#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct UserRow {
    pub id: ExternalIdentityId,
    pub user_id: UserId,
    pub subject: String,
    pub user_name: String,
    pub external_id: Option<String>,
    pub email: String,
    pub display_name: String,
    pub detail: Json<Value>,
    pub suspended_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct GroupRow {
    pub id: ExternalGroupId,
    pub name: String,
    pub external_id: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Whose rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Of<'a> {
    pub tenant: &'a Tenant,
    pub provider: &'a IdentityProviderId,
}

/// A part of a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub limit: i64,
    pub offset: i64,
}

const USERS: &str = "FROM external_identities i
    JOIN memberships m ON m.account_id = i.account_id AND m.user_id = i.user_id
    WHERE i.account_id = ";
const USER_COLUMNS: &str = "SELECT i.id, i.user_id, i.subject, i.user_name, i.external_id, i.email,
    i.display_name, i.detail, m.suspended_at, i.created_at, i.updated_at ";
const GROUPS: &str = "FROM external_groups g WHERE g.account_id = ";
const GROUP_COLUMNS: &str = "SELECT g.id, g.name, g.external_id, g.created_at, g.updated_at ";

fn of_provider<'c>(query: Builder<'c>, of: Of<'_>, column: &'static str) -> Builder<'c> {
    query
        .bind(of.tenant.account())
        .push(column)
        .bind(of.provider)
}

fn filtered_users<'c>(mut query: Builder<'c>, filter: &[Equals]) -> Builder<'c> {
    for it in filter {
        let value = it.value.as_str();
        query = match it.attribute {
            Attribute::Id => query.push(" AND i.id = ").bind(value),
            Attribute::UserName => query
                .push(" AND i.folded_name = ")
                .bind(value.to_lowercase()),
            Attribute::ExternalId => query.push(" AND i.external_id = ").bind(value),
            Attribute::DisplayName => query.push(" AND i.display_name = ").bind(value),
            Attribute::Email => query
                .push(" AND LOWER(i.email) = ")
                .bind(value.to_lowercase()),
            // Users have no members.
            Attribute::Member => query.push(" AND 1 = 0"),
        };
    }
    query
}

fn filtered_groups<'c>(mut query: Builder<'c>, filter: &[Equals]) -> Builder<'c> {
    for it in filter {
        let value = it.value.as_str();
        query = match it.attribute {
            Attribute::Id => query.push(" AND g.id = ").bind(value),
            Attribute::ExternalId => query.push(" AND g.external_id = ").bind(value),
            Attribute::DisplayName => query
                .push(" AND g.folded_name = ")
                .bind(value.to_lowercase()),
            Attribute::Member => query
                .push(
                    " AND EXISTS (SELECT 1 FROM external_group_members x
                      WHERE x.group_id = g.id AND x.identity_id = ",
                )
                .bind(value)
                .push(")"),
            Attribute::UserName | Attribute::Email => query.push(" AND 1 = 0"),
        };
    }
    query
}

// ── users ──────────────────────────────────────────────────────────────────────────────────────

pub(super) async fn users(
    conn: &mut Conn,
    of: Of<'_>,
    filter: &[Equals],
    part: Part,
) -> Result<(Vec<UserRow>, i64)> {
    let count = conn.build("SELECT COUNT(*) ").push(USERS);
    let count = of_provider(count, of, " AND i.provider_id = ");
    let total = filtered_users(count, filter)
        .finish()
        .fetch_scalar()
        .await?;
    let list = conn.build(USER_COLUMNS).push(USERS);
    let list = of_provider(list, of, " AND i.provider_id = ");
    let rows = filtered_users(list, filter)
        .push(" ORDER BY i.created_at, i.id LIMIT ")
        .bind(part.limit)
        .push(" OFFSET ")
        .bind(part.offset)
        .finish()
        .fetch_all()
        .await?;
    Ok((rows, total))
}

pub(super) async fn user(conn: &mut Conn, of: Of<'_>, id: &str) -> Result<Option<UserRow>> {
    let query = conn.build(USER_COLUMNS).push(USERS);
    of_provider(query, of, " AND i.provider_id = ")
        .push(" AND i.id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await
}

/// Whether another one of the provider has this name or subject.
pub(super) async fn is_user_taken(
    conn: &mut Conn,
    of: Of<'_>,
    except: Option<&ExternalIdentityId>,
    user_name: &str,
    subject: &str,
) -> Result<bool> {
    let query = conn.build("SELECT COUNT(*) ").push(USERS);
    let count: i64 = of_provider(query, of, " AND i.provider_id = ")
        .push(" AND (i.folded_name = ")
        .bind(user_name.to_lowercase())
        .push(" OR i.subject = ")
        .bind(subject)
        .push(")")
        .push_if(" AND i.id <> ", except)
        .finish()
        .fetch_scalar()
        .await?;
    Ok(count > 0)
}

pub(super) async fn insert_user(conn: &mut Conn, of: Of<'_>, row: &UserRow) -> Result<()> {
    conn.query(
        "INSERT INTO external_identities (id, account_id, provider_id, subject, user_id, user_name,
            folded_name, email, display_name, provisioned, external_id, detail, created_at,
            updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)",
    )
    .bind(&row.id)
    .bind(of.tenant.account())
    .bind(of.provider)
    .bind(&row.subject)
    .bind(&row.user_id)
    .bind(&row.user_name)
    .bind(row.user_name.to_lowercase())
    .bind(&row.email)
    .bind(&row.display_name)
    .bind(true)
    .bind(&row.external_id)
    .bind(&row.detail)
    .bind(row.created_at)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn update_user(conn: &mut Conn, of: Of<'_>, row: &UserRow) -> Result<()> {
    conn.query(
        "UPDATE external_identities SET subject = $4, user_name = $5, folded_name = $6, email = $7,
            display_name = $8, external_id = $9, detail = $10, updated_at = $11, provisioned = $12
         WHERE account_id = $1 AND provider_id = $2 AND id = $3",
    )
    .bind(of.tenant.account())
    .bind(of.provider)
    .bind(&row.id)
    .bind(&row.subject)
    .bind(&row.user_name)
    .bind(row.user_name.to_lowercase())
    .bind(&row.email)
    .bind(&row.display_name)
    .bind(&row.external_id)
    .bind(&row.detail)
    .bind(row.updated_at)
    .bind(true)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn is_bypass_user(conn: &mut Conn, of: Of<'_>, user: &UserId) -> Result<bool> {
    let count: i64 = conn
        .query("SELECT COUNT(*) FROM sign_in_bypass WHERE account_id = $1 AND user_id = $2")
        .bind(of.tenant.account())
        .bind(user)
        .fetch_scalar()
        .await?;
    Ok(count > 0)
}

// ── groups ─────────────────────────────────────────────────────────────────────────────────────

pub(super) async fn groups(
    conn: &mut Conn,
    of: Of<'_>,
    filter: &[Equals],
    part: Part,
) -> Result<(Vec<GroupRow>, i64)> {
    let count = conn.build("SELECT COUNT(*) ").push(GROUPS);
    let count = of_provider(count, of, " AND g.provider_id = ");
    let total = filtered_groups(count, filter)
        .finish()
        .fetch_scalar()
        .await?;
    let list = conn.build(GROUP_COLUMNS).push(GROUPS);
    let list = of_provider(list, of, " AND g.provider_id = ");
    let rows = filtered_groups(list, filter)
        .push(" ORDER BY g.created_at, g.id LIMIT ")
        .bind(part.limit)
        .push(" OFFSET ")
        .bind(part.offset)
        .finish()
        .fetch_all()
        .await?;
    Ok((rows, total))
}

pub(super) async fn group(conn: &mut Conn, of: Of<'_>, id: &str) -> Result<Option<GroupRow>> {
    let query = conn.build(GROUP_COLUMNS).push(GROUPS);
    of_provider(query, of, " AND g.provider_id = ")
        .push(" AND g.id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await
}

pub(super) async fn insert_group(conn: &mut Conn, of: Of<'_>, row: &GroupRow) -> Result<()> {
    conn.query(
        "INSERT INTO external_groups (id, account_id, provider_id, name, folded_name, external_id,
            created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
    )
    .bind(&row.id)
    .bind(of.tenant.account())
    .bind(of.provider)
    .bind(&row.name)
    .bind(row.name.to_lowercase())
    .bind(&row.external_id)
    .bind(row.created_at)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn update_group(conn: &mut Conn, of: Of<'_>, row: &GroupRow) -> Result<()> {
    conn.query(
        "UPDATE external_groups SET name = $4, folded_name = $5, external_id = $6, updated_at = $7
         WHERE account_id = $1 AND provider_id = $2 AND id = $3",
    )
    .bind(of.tenant.account())
    .bind(of.provider)
    .bind(&row.id)
    .bind(&row.name)
    .bind(row.name.to_lowercase())
    .bind(&row.external_id)
    .bind(row.updated_at)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn delete_group(conn: &mut Conn, of: Of<'_>, id: &ExternalGroupId) -> Result<()> {
    conn.query(
        "DELETE FROM external_groups WHERE account_id = $1 AND provider_id = $2 AND id = $3",
    )
    .bind(of.tenant.account())
    .bind(of.provider)
    .bind(id)
    .execute()
    .await?;
    Ok(())
}

/// Who is in a group: id and name.
pub(super) async fn members(
    conn: &mut Conn,
    of: Of<'_>,
    group: &ExternalGroupId,
) -> Result<Vec<(String, String)>> {
    conn.query(
        "SELECT i.id, i.user_name FROM external_group_members x
         JOIN external_identities i ON i.id = x.identity_id
         WHERE x.account_id = $1 AND i.provider_id = $2 AND x.group_id = $3 ORDER BY i.id",
    )
    .bind(of.tenant.account())
    .bind(of.provider)
    .bind(group)
    .fetch_all()
    .await
}

/// The groups that somebody is in: id and name.
pub(super) async fn groups_of(
    conn: &mut Conn,
    of: Of<'_>,
    identity: &ExternalIdentityId,
) -> Result<Vec<(String, String)>> {
    conn.query(
        "SELECT g.id, g.name FROM external_group_members x
         JOIN external_groups g ON g.id = x.group_id
         WHERE x.account_id = $1 AND g.provider_id = $2 AND x.identity_id = $3 ORDER BY g.id",
    )
    .bind(of.tenant.account())
    .bind(of.provider)
    .bind(identity)
    .fetch_all()
    .await
}

pub(super) async fn add_member(
    conn: &mut Conn,
    of: Of<'_>,
    group: &ExternalGroupId,
    identity: &ExternalIdentityId,
) -> Result<()> {
    conn.query(
        "INSERT INTO external_group_members (account_id, group_id, identity_id)
         VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(of.tenant.account())
    .bind(group)
    .bind(identity)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn remove_member(
    conn: &mut Conn,
    of: Of<'_>,
    group: &ExternalGroupId,
    identity: &str,
) -> Result<()> {
    conn.query(
        "DELETE FROM external_group_members
         WHERE account_id = $1 AND group_id = $2 AND identity_id = $3",
    )
    .bind(of.tenant.account())
    .bind(group)
    .bind(identity.to_owned())
    .execute()
    .await?;
    Ok(())
}
