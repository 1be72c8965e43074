//! What a grant is.

use domain::access::Scope;
use domain::ids::{
    EnvironmentId, GrantId, ProjectId, RoleId, ServiceAccountId, TeamId, UserId, WorkspaceId,
};
use domain::system_role::SystemRole;

use crate::clock::Timestamp;
use crate::iam::effective::Place;

/// Who is granted something.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    User(UserId),
    Team(TeamId),
    ServiceAccount(ServiceAccountId),
}

impl Subject {
    /// Its type on the wire.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "users",
            Self::Team(_) => "teams",
            Self::ServiceAccount(_) => "service-accounts",
        }
    }

    pub fn id(&self) -> &str {
        match self {
            Self::User(id) => id.as_str(),
            Self::Team(id) => id.as_str(),
            Self::ServiceAccount(id) => id.as_str(),
        }
    }

    /// By the prefix of its id.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(id) = text.parse() {
            return Some(Self::User(id));
        }
        if let Ok(id) = text.parse() {
            return Some(Self::Team(id));
        }
        Some(Self::ServiceAccount(text.parse().ok()?))
    }
}

/// A role, by what its id says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum GrantedRole {
    System(SystemRole),
    Own(RoleId),
}

impl GrantedRole {
    /// System roles have their name for an id: `role-admin`.
    pub fn of_id(id: &RoleId) -> Self {
        match id.body().parse() {
            Ok(role) => Self::System(role),
            Err(_) => Self::Own(id.clone()),
        }
    }

    pub fn id(&self) -> RoleId {
        match self {
            Self::System(role) => RoleId::beside(role.as_str()),
            Self::Own(id) => id.clone(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub id: GrantId,
    pub subject: Subject,
    pub subject_name: String,
    pub role: GrantedRole,
    pub role_name: String,
    pub place: Place,
    /// The project of the workspace that it is on.
    pub project: Option<ProjectId>,
    pub created_at: Timestamp,
}

/// A grant as it is stored.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Row {
    pub id: GrantId,
    pub user_id: Option<UserId>,
    pub team_id: Option<TeamId>,
    pub service_account_id: Option<ServiceAccountId>,
    pub subject_name: Option<String>,
    pub system_role: Option<SystemRole>,
    pub role_id: Option<RoleId>,
    pub role_name: Option<String>,
    pub scope: Scope,
    pub environment_id: Option<EnvironmentId>,
    pub project_id: Option<ProjectId>,
    pub workspace_id: Option<WorkspaceId>,
    pub workspace_project_id: Option<ProjectId>,
    pub created_at: Timestamp,
}

/// The place that a row's columns name; `None` for a row that names none, which grants nothing.
pub(super) fn place_of(
    scope: Scope,
    environment: Option<EnvironmentId>,
    project: Option<ProjectId>,
    workspace: Option<WorkspaceId>,
) -> Option<Place> {
    Some(match scope {
        Scope::Account => Place::Account,
        Scope::Environment => Place::Environment(environment?),
        Scope::Project => Place::Project(environment?, project?),
        Scope::Workspace => Place::Workspace(environment?, workspace?),
    })
}

impl Row {
    pub fn read(self) -> Option<Grant> {
        let subject = match (self.user_id, self.team_id, self.service_account_id) {
            (Some(id), None, None) => Subject::User(id),
            (None, Some(id), None) => Subject::Team(id),
            (None, None, Some(id)) => Subject::ServiceAccount(id),
            _ => return None,
        };
        let role = match (self.system_role, self.role_id) {
            (Some(role), None) => GrantedRole::System(role),
            (None, Some(id)) => GrantedRole::Own(id),
            _ => return None,
        };
        let role_name = match &role {
            GrantedRole::System(role) => role.to_string(),
            GrantedRole::Own(_) => self.role_name.unwrap_or_default(),
        };
        Some(Grant {
            id: self.id,
            subject,
            subject_name: self.subject_name.unwrap_or_default(),
            role,
            role_name,
            place: place_of(
                self.scope,
                self.environment_id,
                self.project_id,
                self.workspace_id,
            )?,
            project: self.workspace_project_id,
            created_at: self.created_at,
        })
    }
}
