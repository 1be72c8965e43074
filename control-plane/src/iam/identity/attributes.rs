//! Identity providers and the sign-in policy on the wire.

use domain::Secret;
use domain::ids::{IdentityProviderId, TeamId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::IdentityError;
use super::input::{OidcChange, ProviderChange};
use super::model::{Mapping, Provider, Settings};
use super::policy::SignInPolicy;
use crate::clock::Timestamp;
use crate::http::attributes::{Attributes, Words};
use crate::http::jsonapi::{InputData, Resource, nullable, zulu, zulu_or_null};

/// Attributes of type `identity-providers`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ProviderAttributes {
    pub name: String,
    /// `oidc`.
    pub kind: &'static str,
    /// Whether people can sign in through it.
    pub enabled: bool,
    /// Whether who is not known yet becomes a user by signing in.
    pub create_users: bool,
    /// Whether a secret is stored; it is never shown.
    pub has_secret: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oidc: Option<OidcAttributes>,
    pub team_mappings: Vec<MappingAttributes>,
    /// When somebody who manages providers has signed in through it to test it.
    #[serde(serialize_with = "zulu_or_null")]
    #[schema(value_type = Option<String>)]
    pub verified_at: Option<Timestamp>,
    /// Where the provider sends people back to; register it there.
    pub redirect_url: String,
    /// Where a browser begins to sign in through this provider.
    pub sign_in_url: String,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub created_at: Timestamp,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub updated_at: Timestamp,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct OidcAttributes {
    pub issuer: String,
    pub client_id: String,
    pub scopes: Vec<String>,
    pub subject_claim: String,
    pub username_claim: String,
    pub email_claim: String,
    pub name_claim: String,
    pub groups_claim: Option<String>,
}

/// Who is in this group of the provider is in this team.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct MappingAttributes {
    pub group: String,
    pub team_id: String,
}

/// A provider as a JSON:API object. `site`: where the account's people sign in.
pub(super) fn resource(
    site: &str,
    provider: &Provider,
    mappings: &[Mapping],
) -> Resource<ProviderAttributes> {
    let oidc = match &provider.settings {
        Settings::Oidc(it) => Some(OidcAttributes {
            issuer: it.issuer.clone(),
            client_id: it.client_id.clone(),
            scopes: it.scopes.clone(),
            subject_claim: it.subject_claim.clone(),
            username_claim: it.username_claim.clone(),
            email_claim: it.email_claim.clone(),
            name_claim: it.name_claim.clone(),
            groups_claim: it.groups_claim.clone(),
        }),
    };
    let id = &provider.id;
    let attributes = ProviderAttributes {
        name: provider.name.clone(),
        kind: provider.settings.kind(),
        enabled: provider.enabled,
        create_users: provider.create_users,
        has_secret: provider.has_secret,
        oidc,
        team_mappings: mappings
            .iter()
            .map(|it| MappingAttributes {
                group: it.group_name.clone(),
                team_id: it.team_id.to_string(),
            })
            .collect(),
        verified_at: provider.verified_at,
        redirect_url: format!("{site}/sign-in/providers/{id}/callback"),
        sign_in_url: format!("{site}/sign-in/providers/{id}"),
        created_at: provider.created_at,
        updated_at: provider.updated_at,
    };
    Resource::new("identity-providers", id, attributes)
        .link("self", format!("/api/v2/identity-providers/{id}"))
}

/// What a create or update may carry.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ProviderInput {
    pub name: Option<String>,
    /// `oidc`. It never changes.
    pub kind: Option<String>,
    pub enabled: Option<bool>,
    pub create_users: Option<bool>,
    pub oidc: Option<OidcInput>,
    /// Replaces all there are.
    pub team_mappings: Option<Vec<MappingAttributes>>,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct OidcInput {
    /// As in the provider's discovery document. It never changes.
    pub issuer: Option<String>,
    pub client_id: Option<String>,
    /// `null` for a public client. It is never shown again.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    pub client_secret: Option<Option<Secret>>,
    /// Besides `openid`; `profile` and `email` unless given.
    pub scopes: Option<Vec<String>>,
    /// The claim that is the subject: `sub` unless given. It never changes.
    pub subject_claim: Option<String>,
    /// `preferred_username` unless given.
    pub username_claim: Option<String>,
    /// `email` unless given. It is shown, and decides nothing.
    pub email_claim: Option<String>,
    /// `name` unless given.
    pub name_claim: Option<String>,
    /// The claim with names of groups, for `team-mappings`.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    pub groups_claim: Option<Option<String>>,
}

impl Attributes for ProviderInput {
    const TYPES: &'static [&'static str] = &["identity-providers"];
}

/// # Errors
/// [`IdentityError::Invalid`] for an id that is none.
pub(super) fn change(input: ProviderInput) -> Result<ProviderChange, IdentityError> {
    let mut mappings = None;
    if let Some(list) = input.team_mappings {
        let mut parsed: Vec<Mapping> = Vec::new();
        for (at, it) in list.into_iter().enumerate() {
            let team_id: TeamId = it.team_id.parse().map_err(|error| {
                IdentityError::invalid(&format!("team-mappings/{at}/team-id"), format!("{error}"))
            })?;
            parsed.push(Mapping {
                group_name: it.group,
                team_id,
            });
        }
        parsed.sort();
        parsed.dedup();
        mappings = Some(parsed);
    }
    let mut secret = None;
    let oidc = input.oidc.map(|it| {
        secret = it.client_secret;
        OidcChange {
            issuer: it.issuer,
            client_id: it.client_id,
            scopes: it.scopes,
            subject_claim: it.subject_claim,
            username_claim: it.username_claim,
            email_claim: it.email_claim,
            name_claim: it.name_claim,
            groups_claim: it.groups_claim,
        }
    });
    Ok(ProviderChange {
        kind: input.kind,
        name: input.name,
        enabled: input.enabled,
        create_users: input.create_users,
        oidc,
        secret,
        mappings,
    })
}

/// Attributes of type `sign-in-links`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct LinkAttributes {
    /// Open it in a browser that is signed in as yourself. It works once.
    pub url: String,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub expires_at: Timestamp,
}

pub(super) fn sign_in_link(
    site: &str,
    id: &IdentityProviderId,
    text: &Secret,
    expires_at: Timestamp,
) -> Resource<LinkAttributes> {
    let url = format!("{site}/sign-in/providers/{id}?ticket={}", text.expose());
    Resource::new("sign-in-links", id, LinkAttributes { url, expires_at })
}

/// Attributes of type `sign-in-policies`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct PolicyAttributes {
    /// Whether members must sign in through an identity provider.
    pub enforced: bool,
}

pub(super) fn policy_resource(
    account: &domain::ids::AccountId,
    policy: &SignInPolicy,
) -> Resource<PolicyAttributes> {
    let attributes = PolicyAttributes {
        enforced: policy.enforced,
    };
    Resource::new("sign-in-policies", account, attributes).to_many(
        "bypass-users",
        "users",
        &policy.bypass_users,
    )
}

/// What an update of the policy may carry.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct PolicyInput {
    pub enforced: Option<bool>,
}

impl Attributes for PolicyInput {
    const TYPES: &'static [&'static str] = &["sign-in-policies"];
    const RELATIONS: Words = &[("bypass-users", &["users"])];
}

/// The bypass users in a request, if it names any list of them.
///
/// # Errors
/// [`IdentityError::Invalid`], naming the entry.
pub(super) fn bypass_users(
    input: &InputData<PolicyInput>,
) -> Result<Option<Vec<UserId>>, IdentityError> {
    if !input.relationships.contains_key("bypass-users") {
        return Ok(None);
    }
    let mut users = Vec::new();
    for (at, entry) in input.related("bypass-users").iter().enumerate() {
        // An empty list reads as one entry that says nothing.
        if entry.id.is_empty() && entry.kind.is_empty() {
            continue;
        }
        let id = entry.id.parse().map_err(|error| IdentityError::Invalid {
            field: format!("/data/relationships/bypass-users/data/{at}/id"),
            detail: format!("{error}"),
        })?;
        users.push(id);
    }
    Ok(Some(users))
}
