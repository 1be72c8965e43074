//! SQL of grants. Every function takes the tenant first.

use db::{Builder, Conn, Json};
use domain::access::Scope;
use domain::ids::{
    EnvironmentId, GrantId, ProjectId, RoleId, ServiceAccountId, TeamId, UserId, WorkspaceId,
};
use domain::system_role::SystemRole;

use super::model::{Grant, GrantedRole, Row, Subject};
use super::place::Spot;
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::http::page::{Page, Paged};
use crate::iam::effective::{Place, Visible};

type Result<T> = std::result::Result<T, db::Error>;

const SELECT: &str = "SELECT g.id, g.user_id, g.team_id, g.service_account_id,
        COALESCE(u.username, t.name, s.name) AS subject_name, g.system_role, g.role_id,
        r.name AS role_name, g.scope, g.environment_id, g.project_id, g.workspace_id,
        w.project_id AS workspace_project_id, g.created_at
    FROM access_grants g
    LEFT JOIN users u ON u.id = g.user_id
    LEFT JOIN teams t ON t.id = g.team_id
    LEFT JOIN service_accounts s ON s.id = g.service_account_id
    LEFT JOIN roles r ON r.id = g.role_id
    LEFT JOIN workspaces w ON w.id = g.workspace_id WHERE g.account_id = ";

/// What deciding needs of a grant.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Held {
    pub system_role: Option<SystemRole>,
    pub role_id: Option<RoleId>,
    pub scope: Scope,
    pub environment_id: Option<EnvironmentId>,
    pub project_id: Option<ProjectId>,
    pub workspace_id: Option<WorkspaceId>,
}

const HELD: &str =
    "SELECT g.system_role, g.role_id, g.scope, g.environment_id, g.project_id, g.workspace_id
    FROM access_grants g WHERE g.account_id = ";

/// What a subject has: a user also through teams.
pub(super) async fn held(conn: &mut Conn, tenant: &Tenant, subject: &Subject) -> Result<Vec<Held>> {
    let query = conn.build(HELD).bind(tenant.account());
    let query = match subject {
        Subject::User(id) => query
            .push(" AND g.user_id = ")
            .bind(id)
            .push(
                " UNION ALL SELECT g.system_role, g.role_id, g.scope, g.environment_id,
                    g.project_id, g.workspace_id
                  FROM team_members m
                  JOIN access_grants g ON g.account_id = m.account_id AND g.team_id = m.team_id
                  WHERE m.account_id = ",
            )
            .bind(tenant.account())
            .push(" AND m.user_id = ")
            .bind(id),
        Subject::Team(id) => query.push(" AND g.team_id = ").bind(id),
        Subject::ServiceAccount(id) => query.push(" AND g.service_account_id = ").bind(id),
    };
    query.finish().fetch_all().await
}

/// The words of the account's own roles.
pub(super) async fn role_words(
    conn: &mut Conn,
    tenant: &Tenant,
) -> Result<Vec<(RoleId, Json<Vec<String>>)>> {
    conn.query("SELECT id, permissions FROM roles WHERE account_id = $1")
        .bind(tenant.account())
        .fetch_all()
        .await
}

/// Which grants are wanted.
#[derive(Debug, Default)]
pub(super) struct Filter {
    pub subject: Option<Subject>,
    pub role: Option<GrantedRole>,
    pub place: Option<Place>,
}

fn filtered<'c>(
    mut query: Builder<'c>,
    tenant: &Tenant,
    filter: &Filter,
    visible: &Visible,
) -> Builder<'c> {
    query = query.bind(tenant.account());
    query = match &filter.subject {
        Some(Subject::User(id)) => query.push(" AND g.user_id = ").bind(id),
        Some(Subject::Team(id)) => query.push(" AND g.team_id = ").bind(id),
        Some(Subject::ServiceAccount(id)) => query.push(" AND g.service_account_id = ").bind(id),
        None => query,
    };
    query = match &filter.role {
        Some(GrantedRole::System(role)) => query.push(" AND g.system_role = ").bind(*role),
        Some(GrantedRole::Own(id)) => query.push(" AND g.role_id = ").bind(id),
        None => query,
    };
    query = match &filter.place {
        Some(place) => {
            let query = query.push(" AND g.scope = ").bind(place.scope());
            match place {
                Place::Account => query,
                Place::Environment(id) => query.push(" AND g.environment_id = ").bind(id),
                Place::Project(_, id) => query.push(" AND g.project_id = ").bind(id),
                Place::Workspace(_, id) => query.push(" AND g.workspace_id = ").bind(id),
            }
        }
        None => query,
    };
    match visible {
        Visible::All => query,
        Visible::Only {
            environments,
            projects,
            workspaces,
        } => query
            .push(" AND (1 = 0")
            .push_in(" OR g.environment_id IN (", environments)
            .push_in(" OR g.project_id IN (", projects)
            .push_in(" OR w.project_id IN (", projects)
            .push_in(" OR g.workspace_id IN (", workspaces)
            .push(")"),
    }
}

pub(super) async fn list(
    conn: &mut Conn,
    tenant: &Tenant,
    filter: &Filter,
    visible: &Visible,
    page: Page,
) -> Result<Paged<Grant>> {
    let count = conn.build(
        "SELECT COUNT(*) FROM access_grants g LEFT JOIN workspaces w ON w.id = g.workspace_id
         WHERE g.account_id = ",
    );
    let total = filtered(count, tenant, filter, visible)
        .finish()
        .fetch_scalar()
        .await?;
    let rows: Vec<Row> = filtered(conn.build(SELECT), tenant, filter, visible)
        .push(" ORDER BY g.created_at, g.id LIMIT ")
        .bind(page.limit())
        .push(" OFFSET ")
        .bind(page.offset())
        .finish()
        .fetch_all()
        .await?;
    let items = rows.into_iter().filter_map(Row::read).collect();
    Ok(Paged { items, total })
}

pub(super) async fn find(conn: &mut Conn, tenant: &Tenant, id: &GrantId) -> Result<Option<Grant>> {
    let row: Option<Row> = conn
        .build(SELECT)
        .bind(tenant.account())
        .push(" AND g.id = ")
        .bind(id)
        .finish()
        .fetch_optional()
        .await?;
    Ok(row.and_then(Row::read))
}

/// The grants that a subject has by itself.
pub(super) async fn of_subject(
    conn: &mut Conn,
    tenant: &Tenant,
    subject: &Subject,
) -> Result<Vec<Grant>> {
    let filter = Filter {
        subject: Some(subject.clone()),
        ..Filter::default()
    };
    let rows: Vec<Row> = filtered(conn.build(SELECT), tenant, &filter, &Visible::All)
        .finish()
        .fetch_all()
        .await?;
    Ok(rows.into_iter().filter_map(Row::read).collect())
}

/// Every grant that holds on a place: those on it and on what it is in.
pub async fn on_spot(conn: &mut Conn, tenant: &Tenant, spot: &Spot) -> Result<Vec<Grant>> {
    let mut query = conn
        .build(SELECT)
        .bind(tenant.account())
        .push(" AND (g.scope = 'account'");
    let (environment, workspace) = match &spot.place {
        Place::Account => (None, None),
        Place::Environment(id) | Place::Project(id, _) => (Some(id), None),
        Place::Workspace(id, workspace) => (Some(id), Some(workspace)),
    };
    query = query
        .push_if(
            " OR g.scope = 'environment' AND g.environment_id = ",
            environment,
        )
        .push_if(
            " OR g.scope = 'project' AND g.project_id = ",
            spot.project.as_ref(),
        )
        .push_if(" OR g.scope = 'workspace' AND g.workspace_id = ", workspace);
    let rows: Vec<Row> = query
        .push(") ORDER BY g.created_at, g.id")
        .finish()
        .fetch_all()
        .await?;
    Ok(rows.into_iter().filter_map(Row::read).collect())
}

pub(super) struct NewGrant<'a> {
    pub id: &'a GrantId,
    pub subject: &'a Subject,
    pub role: &'a GrantedRole,
    pub place: &'a Place,
    pub now: Timestamp,
}

pub(super) async fn insert(conn: &mut Conn, tenant: &Tenant, new: &NewGrant<'_>) -> Result<()> {
    let (user, team, service): (Option<&UserId>, Option<&TeamId>, Option<&ServiceAccountId>) =
        match new.subject {
            Subject::User(id) => (Some(id), None, None),
            Subject::Team(id) => (None, Some(id), None),
            Subject::ServiceAccount(id) => (None, None, Some(id)),
        };
    let (system, own) = match new.role {
        GrantedRole::System(role) => (Some(*role), None),
        GrantedRole::Own(id) => (None, Some(id)),
    };
    let (environment, project, workspace) = match new.place {
        Place::Account => (None, None, None),
        Place::Environment(id) => (Some(id), None, None),
        Place::Project(environment, id) => (Some(environment), Some(id), None),
        Place::Workspace(environment, id) => (Some(environment), None, Some(id)),
    };
    conn.query(
        "INSERT INTO access_grants (id, account_id, user_id, team_id, service_account_id,
            system_role, role_id, scope, environment_id, project_id, workspace_id, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(new.id)
    .bind(tenant.account())
    .bind(user)
    .bind(team)
    .bind(service)
    .bind(system)
    .bind(own)
    .bind(new.place.scope())
    .bind(environment)
    .bind(project)
    .bind(workspace)
    .bind(new.now)
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn delete(conn: &mut Conn, tenant: &Tenant, id: &GrantId) -> Result<()> {
    conn.query("DELETE FROM access_grants WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(id)
        .execute()
        .await?;
    Ok(())
}

/// The name of a subject of the account; `None` if there is none such.
pub async fn subject_name(
    conn: &mut Conn,
    tenant: &Tenant,
    subject: &Subject,
) -> Result<Option<String>> {
    let sql = match subject {
        Subject::User(_) => {
            "SELECT u.username FROM users u JOIN memberships m ON m.user_id = u.id
             WHERE m.account_id = $1 AND u.id = $2"
        }
        Subject::Team(_) => "SELECT name FROM teams WHERE account_id = $1 AND id = $2",
        Subject::ServiceAccount(_) => {
            "SELECT name FROM service_accounts WHERE account_id = $1 AND id = $2"
        }
    };
    let row: Option<(String,)> = conn
        .query(sql)
        .bind(tenant.account())
        .bind(subject.id())
        .fetch_optional()
        .await?;
    Ok(row.map(|(name,)| name))
}

/// How many members have the role `admin` in the whole account, by themselves or through a team.
///
/// # Errors
/// The database's own.
pub async fn count_admins(conn: &mut Conn, tenant: &Tenant) -> Result<i64> {
    conn.query(
        "SELECT COUNT(*) FROM memberships m WHERE m.account_id = $1 AND m.suspended_at IS NULL AND (
            EXISTS (SELECT 1 FROM access_grants g WHERE g.account_id = m.account_id
                AND g.user_id = m.user_id AND g.scope = 'account' AND g.system_role = 'admin')
            OR EXISTS (SELECT 1 FROM team_members t
                JOIN access_grants g ON g.account_id = t.account_id AND g.team_id = t.team_id
                WHERE t.account_id = m.account_id AND t.user_id = m.user_id
                AND g.scope = 'account' AND g.system_role = 'admin'))",
    )
    .bind(tenant.account())
    .fetch_scalar()
    .await
}

pub(super) async fn count(conn: &mut Conn, tenant: &Tenant) -> Result<i64> {
    conn.query("SELECT COUNT(*) FROM access_grants WHERE account_id = $1")
        .bind(tenant.account())
        .fetch_scalar()
        .await
}
