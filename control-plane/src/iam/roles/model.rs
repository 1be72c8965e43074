//! What a role is.

use domain::ids::RoleId;
use domain::permission_set::PermissionSet;
use domain::system_role::SystemRole;

use crate::clock::Timestamp;
use crate::iam::IamError;
use crate::iam::grants::GrantedRole;

const MAX_NAME: usize = 60;
const MAX_DESCRIPTION: usize = 1000;
const MAX_WORDS: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Role {
    pub id: RoleId,
    pub name: String,
    pub description: String,
    /// Permissions and wildcards, as they were given.
    pub words: Vec<String>,
    /// None: a role of the system's.
    pub changed_at: Option<Timestamp>,
}

impl Role {
    pub fn of_system(role: SystemRole) -> Self {
        let words = match role.except() {
            [] => role.patterns().iter().map(|it| (*it).to_owned()).collect(),
            _ => role.permissions().iter().map(|it| it.to_string()).collect(),
        };
        Self {
            id: GrantedRole::System(role).id(),
            name: role.to_string(),
            description: role.description().to_owned(),
            words,
            changed_at: None,
        }
    }

    pub fn is_system(&self) -> bool {
        self.changed_at.is_none()
    }

    /// What its words mean now.
    pub fn permissions(&self) -> PermissionSet {
        PermissionSet::of_patterns(self.words.iter().map(String::as_str))
    }

    /// # Errors
    /// [`IamError::Invalid`], naming the field.
    pub fn check(&self) -> Result<(), IamError> {
        let invalid = |field, detail| Err(IamError::Invalid { field, detail });
        let name = &self.name;
        let fits = (2..=MAX_NAME).contains(&name.len())
            && name.trim() == name
            && !name.chars().any(char::is_control);
        if !fits {
            return invalid(
                "/data/attributes/name",
                format!("{name:?}: use 2 to {MAX_NAME} printable characters"),
            );
        }
        if name.parse::<SystemRole>().is_ok() {
            return invalid(
                "/data/attributes/name",
                format!("{name:?} is a role of the system's; choose another name"),
            );
        }
        if self.description.len() > MAX_DESCRIPTION {
            return invalid(
                "/data/attributes/description",
                format!("use at most {MAX_DESCRIPTION} bytes"),
            );
        }
        if self.words.is_empty() || self.words.len() > MAX_WORDS {
            return invalid(
                "/data/attributes/permissions",
                format!("name 1 to {MAX_WORDS} permissions, such as `runs:read` or `workspaces:*`"),
            );
        }
        for word in &self.words {
            if PermissionSet::of_pattern(word).is_none() {
                return invalid(
                    "/data/attributes/permissions",
                    format!(
                        "{word:?} is no permission of `GET permissions`, nor a wildcard of them"
                    ),
                );
            }
        }
        Ok(())
    }
}
