//! Users, and their membership of an account.

use domain::Secret;
use domain::access::Role;
use domain::ids::{AccountId, UserId};
use sqlx::FromRow;

use super::error::IamError;
use crate::clock::Timestamp;
use crate::context::Actor;

/// A user as a member of one account. The role is read off their own grants there.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Member {
    pub id: UserId,
    pub username: String,
    pub email: String,
    pub role: Role,
    pub created_at: Timestamp,
}

impl Member {
    /// This member as a caller in `account`, who may do what everybody may with themselves.
    /// [`super::granted_actor`] brings the grants along.
    pub fn actor(&self, account: &AccountId) -> Actor {
        Actor::themselves(account, &self.id, &self.username)
    }
}

/// What a new user is made of.
#[derive(Debug)]
pub struct NewUser {
    pub username: String,
    pub email: String,
    /// Without one the user can't sign in, only use tokens.
    pub password: Option<Secret>,
    pub role: Role,
}

/// User names are compared in lower case.
pub(super) fn fold_username(text: &str) -> String {
    text.trim().to_lowercase()
}

/// The name as it is stored.
///
/// # Errors
/// [`IamError::Invalid`] unless it is 2 to 60 letters, digits, `-`, `_` and `.`.
pub(super) fn checked_username(text: &str) -> Result<String, IamError> {
    let name = fold_username(text);
    let fits = (2..=60).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && !name.starts_with("user-");
    if fits {
        return Ok(name);
    }
    Err(IamError::Invalid {
        field: "/data/attributes/username",
        detail: format!(
            "{text:?}: use 2 to 60 letters, digits, dashes, underscores and dots, not beginning \
             with `user-`"
        ),
    })
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn user_names_are_folded_and_bounded() {
        assert_eq!(checked_username(" Ada.L ").unwrap(), "ada.l");
        for bad in ["", "a", "a b", "user-1", "ä-b", &"a".repeat(61)] {
            assert!(checked_username(bad).is_err(), "{bad:?}");
        }
    }
}
