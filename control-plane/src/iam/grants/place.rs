//! Places that something can be granted on, looked up by their ids.

use domain::ids::{EnvironmentId, ProjectId, WorkspaceId};

use crate::context::Tenant;
use crate::iam::authorize::Target;
use crate::iam::effective::Place;

/// A place that exists, with everything that it is in.
#[derive(Debug, Clone)]
pub struct Spot {
    pub place: Place,
    /// The project that it is, or that its workspace is in.
    pub project: Option<ProjectId>,
    pub name: String,
}

impl Spot {
    pub fn account() -> Self {
        Self {
            place: Place::Account,
            project: None,
            name: "account".to_owned(),
        }
    }

    /// An object of `kind` that is right there.
    pub fn target(&self, kind: &'static str, id: impl ToString) -> Target {
        let target = Target::new(kind, id).at(&self.place);
        match &self.project {
            Some(project) => target.in_project(project),
            None => target,
        }
    }

    /// The place itself.
    pub fn itself(&self, account: &domain::ids::AccountId) -> Target {
        match &self.place {
            Place::Account => self.target("accounts", account),
            Place::Environment(_) => self.target("organizations", &self.name),
            Place::Project(_, id) => self.target("projects", id),
            Place::Workspace(_, id) => self.target("workspaces", id),
        }
    }
}

/// The place of the tenant with this id; an environment also by its name.
///
/// # Errors
/// The database's own.
pub async fn find(
    conn: &mut db::Conn,
    tenant: &Tenant,
    id: &str,
) -> Result<Option<Spot>, db::Error> {
    if id == tenant.account().as_str() {
        return Ok(Some(Spot::account()));
    }
    if let Ok(id) = id.parse::<WorkspaceId>() {
        return workspace(conn, tenant, id).await;
    }
    if let Ok(id) = id.parse::<ProjectId>() {
        return project(conn, tenant, id).await;
    }
    let found: Option<(EnvironmentId, String)> = conn
        .query("SELECT id, name FROM environments WHERE account_id = $1 AND (id = $2 OR name = $2)")
        .bind(tenant.account())
        .bind(id)
        .fetch_optional()
        .await?;
    Ok(found.map(|(id, name)| Spot {
        place: Place::Environment(id),
        project: None,
        name,
    }))
}

async fn workspace(
    conn: &mut db::Conn,
    tenant: &Tenant,
    id: WorkspaceId,
) -> Result<Option<Spot>, db::Error> {
    let found: Option<(EnvironmentId, ProjectId, String)> = conn
        .query(
            "SELECT environment_id, project_id, name FROM workspaces
             WHERE account_id = $1 AND id = $2",
        )
        .bind(tenant.account())
        .bind(&id)
        .fetch_optional()
        .await?;
    Ok(found.map(|(environment, project, name)| Spot {
        place: Place::Workspace(environment, id),
        project: Some(project),
        name,
    }))
}

async fn project(
    conn: &mut db::Conn,
    tenant: &Tenant,
    id: ProjectId,
) -> Result<Option<Spot>, db::Error> {
    let found: Option<(EnvironmentId, String)> = conn
        .query("SELECT environment_id, name FROM projects WHERE account_id = $1 AND id = $2")
        .bind(tenant.account())
        .bind(&id)
        .fetch_optional()
        .await?;
    Ok(found.map(|(environment, name)| Spot {
        place: Place::Project(environment, id.clone()),
        project: Some(id),
        name,
    }))
}
