//! Users, their membership of an account, and their API tokens.

use domain::Secret;
use domain::access::{ActorKind, Role};
use domain::ids::{AccountId, TokenId, UserId};
use sqlx::FromRow;

use super::error::IamError;
use crate::clock::Timestamp;
use crate::context::Actor;

/// A user as a member of one account. The user belongs to a person, the role to the account.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Member {
    pub id: UserId,
    pub username: String,
    pub email: String,
    pub role: Role,
    pub created_at: Timestamp,
}

impl Member {
    /// This member as a caller in `account`, before there is a token.
    pub fn actor(&self, account: &AccountId) -> Actor {
        Actor {
            kind: ActorKind::User,
            id: self.id.to_string(),
            name: self.username.clone(),
            account: account.clone(),
            role: Some(self.role),
            token_last_six: None,
            run: None,
        }
    }
}

/// A user's API token, without its text.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ApiToken {
    pub id: TokenId,
    pub user_id: UserId,
    pub description: String,
    pub last_six: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
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

/// What a new API token is made of.
#[derive(Debug)]
pub struct NewToken {
    pub user: UserId,
    pub description: String,
    pub expires_at: Option<Timestamp>,
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
