//! What a token is.

use domain::access::TokenKind;
use domain::ids::{EnvironmentId, ServiceAccountId, TeamId, TokenId, UserId};

use crate::clock::Timestamp;

/// Whom a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenOwner {
    User(UserId),
    ServiceAccount(ServiceAccountId),
    Team(TeamId),
    Environment(EnvironmentId),
}

impl TokenOwner {
    pub fn kind(&self) -> TokenKind {
        match self {
            Self::User(_) => TokenKind::User,
            Self::ServiceAccount(_) => TokenKind::ServiceAccount,
            Self::Team(_) => TokenKind::Team,
            Self::Environment(_) => TokenKind::Environment,
        }
    }

    pub fn id(&self) -> &str {
        match self {
            Self::User(id) => id.as_str(),
            Self::ServiceAccount(id) => id.as_str(),
            Self::Team(id) => id.as_str(),
            Self::Environment(id) => id.as_str(),
        }
    }
}

/// An API token, without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    pub id: TokenId,
    pub owner: TokenOwner,
    pub description: String,
    pub last_six: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
}

/// What a new API token is made of.
#[derive(Debug)]
pub struct NewToken {
    pub owner: TokenOwner,
    pub description: String,
    pub expires_at: Option<Timestamp>,
}
