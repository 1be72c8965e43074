//! What an identity provider is.

use domain::ids::{AccountId, IdentityProviderId, TeamId, UserId};
use serde::{Deserialize, Serialize};
use url::Url;

use super::error::IdentityError;
use crate::clock::Timestamp;

/// Providers that one account may have: each is a button on its sign-in page.
pub(super) const MAX_PROVIDERS: i64 = 20;
pub(super) const MAX_MAPPINGS: usize = 200;
const MAX_NAME: usize = 60;
const MAX_TEXT: usize = 500;

type Result<T> = std::result::Result<T, IdentityError>;

/// A provider without its secret.
#[derive(Debug, Clone)]
pub struct Provider {
    pub id: IdentityProviderId,
    pub account_id: AccountId,
    pub name: String,
    pub settings: Settings,
    /// Whether people can sign in through it.
    pub enabled: bool,
    /// Whether who is not known yet becomes a user by signing in.
    pub create_users: bool,
    pub has_secret: bool,
    /// When somebody who manages providers has signed in through it to test it.
    pub verified_at: Option<Timestamp>,
    pub verified_by: Option<UserId>,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// How it is spoken to. The kind never changes, nor what names the provider to the world: the
/// subjects that are stored are its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Settings {
    Oidc(OidcSettings),
}

/// An OpenID Connect provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OidcSettings {
    /// As in its discovery document and its tokens, to the letter.
    pub issuer: String,
    pub client_id: String,
    pub scopes: Vec<String>,
    /// Which claim is the subject: `sub`, or another that the provider never gives to anybody else.
    pub subject_claim: String,
    pub username_claim: String,
    pub email_claim: String,
    pub name_claim: String,
    /// A claim with names of groups, if they matter.
    pub groups_claim: Option<String>,
}

/// Who is in this group of the provider is in this team.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, sqlx::FromRow)]
pub struct Mapping {
    pub group_name: String,
    pub team_id: TeamId,
}

impl Settings {
    /// The word for the kind, on the wire and in the database.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Oidc(_) => "oidc",
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        match self {
            Self::Oidc(settings) => settings.check(),
        }
    }
}

impl OidcSettings {
    fn check(&self) -> Result<()> {
        let issuer = Url::parse(&self.issuer).ok().filter(|url| {
            url.scheme() == "https"
                && url.has_host()
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty()
                && url.password().is_none()
        });
        if issuer.is_none() || self.issuer.len() > MAX_TEXT {
            return Err(IdentityError::invalid(
                "oidc/issuer",
                "it must be an https:// URL without query and fragment, as in the provider's \
                 discovery document",
            ));
        }
        let texts = [
            ("client-id", &self.client_id),
            ("subject-claim", &self.subject_claim),
            ("username-claim", &self.username_claim),
            ("email-claim", &self.email_claim),
            ("name-claim", &self.name_claim),
        ];
        for (name, text) in texts {
            check_text(&format!("oidc/{name}"), text)?;
        }
        if let Some(claim) = &self.groups_claim {
            check_text("oidc/groups-claim", claim)?;
        }
        let words = self.scopes.iter().all(|scope| {
            !scope.is_empty() && scope.bytes().all(|b| b.is_ascii_graphic() && b != b'"')
        });
        if !words || self.scopes.len() > 20 {
            return Err(IdentityError::invalid(
                "oidc/scopes",
                "use at most 20 scopes, each a word",
            ));
        }
        Ok(())
    }
}

/// # Errors
/// [`IdentityError::Invalid`] unless it is 1 to 500 printable characters.
pub(super) fn check_text(attribute: &str, text: &str) -> Result<()> {
    let fits = !text.trim().is_empty()
        && text.trim() == text
        && text.len() <= MAX_TEXT
        && !text.chars().any(char::is_control);
    if fits {
        return Ok(());
    }
    Err(IdentityError::invalid(
        attribute,
        format!("use 1 to {MAX_TEXT} printable characters, no spaces around them"),
    ))
}

impl Provider {
    pub(super) fn check(&self) -> Result<()> {
        if self.name.len() > MAX_NAME {
            return Err(IdentityError::invalid(
                "name",
                format!("use at most {MAX_NAME} bytes"),
            ));
        }
        check_text("name", &self.name)?;
        self.settings.check()
    }
}

/// # Errors
/// [`IdentityError::Invalid`] for too many, or a group without a name.
pub(super) fn check_mappings(mappings: &[Mapping]) -> Result<()> {
    if mappings.len() > MAX_MAPPINGS {
        return Err(IdentityError::invalid(
            "team-mappings",
            format!("use at most {MAX_MAPPINGS}"),
        ));
    }
    for (at, mapping) in mappings.iter().enumerate() {
        check_text(&format!("team-mappings/{at}/group"), &mapping.group_name)?;
    }
    Ok(())
}
