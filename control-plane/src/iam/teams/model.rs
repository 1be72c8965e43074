//! What a team is.

use domain::ids::{EnvironmentId, TeamId};
use sqlx::FromRow;

use crate::clock::Timestamp;
use crate::iam::IamError;

/// Longest name and description, in bytes.
const MAX_NAME: usize = 90;
const MAX_DESCRIPTION: usize = 1000;

#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Team {
    pub id: TeamId,
    pub environment_id: EnvironmentId,
    pub environment_name: String,
    pub name: String,
    pub description: String,
    pub members: i64,
    pub created_at: Timestamp,
}

/// What an update asks for; `None` leaves a thing as it is.
#[derive(Debug, Default)]
pub(super) struct TeamChange {
    pub name: Option<String>,
    pub description: Option<String>,
}

impl Team {
    /// # Errors
    /// [`IamError::Invalid`], naming the field.
    pub(super) fn check(&self) -> Result<(), IamError> {
        let name = &self.name;
        let fits = !name.is_empty()
            && name.len() <= MAX_NAME
            && name.trim() == name
            && !name.chars().any(char::is_control);
        if !fits {
            return Err(IamError::Invalid {
                field: "/data/attributes/name",
                detail: format!(
                    "{name:?}: use 1 to {MAX_NAME} printable characters, no spaces around them"
                ),
            });
        }
        if self.description.len() > MAX_DESCRIPTION {
            return Err(IamError::Invalid {
                field: "/data/attributes/description",
                detail: format!("use at most {MAX_DESCRIPTION} bytes"),
            });
        }
        Ok(())
    }
}
