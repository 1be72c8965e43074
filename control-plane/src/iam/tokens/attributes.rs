//! Tokens on the wire. Source: TFE contract, section 4 and the appendix (`authentication-tokens`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::{ApiToken, TokenOwner};
use crate::clock::Timestamp;
use crate::http::attributes::Attributes;
use crate::http::jsonapi::{Resource, zulu};
use crate::iam::secret_token::TokenText;

/// Attributes of type `authentication-tokens`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct TokenAttributes {
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub created_at: Timestamp,
    #[schema(value_type = Option<String>)]
    pub last_used_at: Option<Timestamp>,
    #[schema(value_type = Option<String>)]
    pub expired_at: Option<Timestamp>,
    pub description: String,
    /// The end of the token, to tell it from others.
    pub last_six: String,
    /// The token itself: in the answer to its creation only.
    pub token: Option<String>,
}

/// A token as a JSON:API object; with its text, once, when it was just made.
pub fn token(token: &ApiToken, text: Option<&TokenText>) -> Resource<TokenAttributes> {
    let attributes = TokenAttributes {
        created_at: token.created_at,
        last_used_at: token.last_used_at,
        expired_at: token.expires_at,
        description: token.description.clone(),
        last_six: token.last_six.clone(),
        token: text.map(|text| text.text.expose().clone()),
    };
    let resource = Resource::new("authentication-tokens", &token.id, attributes);
    match &token.owner {
        TokenOwner::User(id) => resource.to_one("created-by", "users", Some(id)),
        TokenOwner::ServiceAccount(id) => {
            resource.to_one("service-account", "service-accounts", Some(id))
        }
        TokenOwner::Team(id) => resource.to_one("team", "teams", Some(id)),
        TokenOwner::Environment(id) => resource.to_one("environment", "environments", Some(id)),
    }
}

/// What a new token may say.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct TokenInput {
    pub description: Option<String>,
    /// When it stops working; when the account's rules say or never, if absent.
    #[schema(value_type = Option<String>)]
    pub expired_at: Option<Timestamp>,
}

impl Attributes for TokenInput {
    const TYPES: &'static [&'static str] = &["authentication-tokens", "authentication-token"];
}
