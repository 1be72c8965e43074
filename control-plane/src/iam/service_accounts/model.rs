//! What a service account is.

use domain::ids::ServiceAccountId;
use sqlx::FromRow;

use crate::clock::Timestamp;
use crate::iam::IamError;

#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ServiceAccount {
    pub id: ServiceAccountId,
    pub name: String,
    pub description: String,
    /// Its tokens work.
    pub enabled: bool,
    pub created_at: Timestamp,
}

/// What an update asks for; `None` leaves a thing as it is.
#[derive(Debug, Default)]
pub(super) struct ServiceAccountChange {
    pub name: Option<String>,
    pub description: Option<String>,
    pub enabled: Option<bool>,
}

impl ServiceAccount {
    /// # Errors
    /// [`IamError::Invalid`], naming the field.
    pub(super) fn check(&self) -> Result<(), IamError> {
        let name = &self.name;
        let fits = (2..=60).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if !fits {
            return Err(IamError::Invalid {
                field: "/data/attributes/name",
                detail: format!(
                    "{name:?}: use 2 to 60 letters, digits, dashes, underscores and dots"
                ),
            });
        }
        if self.description.len() > 1000 {
            return Err(IamError::Invalid {
                field: "/data/attributes/description",
                detail: "use at most 1000 bytes".to_owned(),
            });
        }
        Ok(())
    }
}
