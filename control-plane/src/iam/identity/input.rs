//! What a request asks of a provider, put together with what there is.

use domain::Secret;
use domain::ids::IdentityProviderId;

use super::error::IdentityError;
use super::model::{Mapping, OidcSettings, Provider, Settings};
use crate::app::App;
use crate::context::Context;

type Result<T> = std::result::Result<T, IdentityError>;

/// What is wanted; `None` leaves a thing as it is.
#[derive(Debug, Default)]
pub(super) struct ProviderChange {
    pub kind: Option<String>,
    pub name: Option<String>,
    pub enabled: Option<bool>,
    pub create_users: Option<bool>,
    pub oidc: Option<OidcChange>,
    /// `Some(None)` takes it away.
    pub secret: Option<Option<Secret>>,
    pub mappings: Option<Vec<Mapping>>,
}

#[derive(Debug, Default)]
pub(super) struct OidcChange {
    pub issuer: Option<String>,
    pub client_id: Option<String>,
    pub scopes: Option<Vec<String>>,
    pub subject_claim: Option<String>,
    pub username_claim: Option<String>,
    pub email_claim: Option<String>,
    pub name_claim: Option<String>,
    pub groups_claim: Option<Option<String>>,
}

/// # Errors
/// [`IdentityError::Invalid`], naming the attribute.
pub(super) fn new_provider(
    app: &App,
    ctx: &Context,
    id: IdentityProviderId,
    wanted: ProviderChange,
) -> Result<Provider> {
    let has_secret = matches!(wanted.secret, Some(Some(_)));
    let settings = match wanted.kind.as_deref() {
        Some("oidc") => Settings::Oidc(new_oidc(wanted.oidc.unwrap_or_default())?),
        _ => {
            return Err(IdentityError::invalid("kind", "it must be one of: oidc"));
        }
    };
    check_addresses(app, &settings)?;
    Ok(Provider {
        id,
        account_id: ctx.actor.account.clone(),
        name: wanted.name.unwrap_or_default(),
        settings,
        enabled: wanted.enabled.unwrap_or(true),
        create_users: wanted.create_users.unwrap_or(false),
        has_secret,
        verified_at: None,
        verified_by: None,
        version: 1,
        created_at: ctx.now(),
        updated_at: ctx.now(),
    })
}

fn required(attribute: &str, value: Option<String>) -> Result<String> {
    value.ok_or_else(|| IdentityError::invalid(attribute, "it is required"))
}

fn new_oidc(wanted: OidcChange) -> Result<OidcSettings> {
    let or = |value: Option<String>, default: &str| value.unwrap_or_else(|| default.to_owned());
    Ok(OidcSettings {
        issuer: required("oidc/issuer", wanted.issuer)?,
        client_id: required("oidc/client-id", wanted.client_id)?,
        scopes: wanted
            .scopes
            .unwrap_or_else(|| ["profile", "email"].map(str::to_owned).into()),
        subject_claim: or(wanted.subject_claim, "sub"),
        username_claim: or(wanted.username_claim, "preferred_username"),
        email_claim: or(wanted.email_claim, "email"),
        name_claim: or(wanted.name_claim, "name"),
        groups_claim: wanted.groups_claim.flatten(),
    })
}

/// What is already known to be out of bounds is told at once, not at the first sign-in.
fn check_addresses(app: &App, settings: &Settings) -> Result<()> {
    match settings {
        Settings::Oidc(oidc) => {
            if let Ok(url) = oidc.issuer.parse() {
                app.outbound
                    .check(&url)
                    .map_err(|error| IdentityError::invalid("oidc/issuer", error.to_string()))?;
            }
            Ok(())
        }
    }
}

/// The provider after `change`. A change of what signs people in has to be tested anew.
///
/// # Errors
/// [`IdentityError::Invalid`] for what never changes.
pub(super) fn apply(
    app: &App,
    ctx: &Context,
    before: &Provider,
    change: ProviderChange,
) -> Result<Provider> {
    let mut after = before.clone();
    if change
        .kind
        .as_deref()
        .is_some_and(|kind| kind != before.settings.kind())
    {
        return Err(never_changes("kind"));
    }
    match &mut after.settings {
        Settings::Oidc(oidc) => change_oidc(oidc, change.oidc.unwrap_or_default())?,
    }
    check_addresses(app, &after.settings)?;
    if let Some(name) = change.name {
        after.name = name;
    }
    after.enabled = change.enabled.unwrap_or(before.enabled);
    after.create_users = change.create_users.unwrap_or(before.create_users);
    after.updated_at = ctx.now();
    if after.settings != before.settings || change.secret.is_some() {
        after.verified_at = None;
        after.verified_by = None;
    }
    Ok(after)
}

fn never_changes(attribute: &str) -> IdentityError {
    IdentityError::invalid(
        attribute,
        "it can't be changed, because the people who are known belong to it; make another \
         provider",
    )
}

fn change_oidc(oidc: &mut OidcSettings, change: OidcChange) -> Result<()> {
    if change.issuer.is_some_and(|issuer| issuer != oidc.issuer) {
        return Err(never_changes("oidc/issuer"));
    }
    if change
        .subject_claim
        .is_some_and(|claim| claim != oidc.subject_claim)
    {
        return Err(never_changes("oidc/subject-claim"));
    }
    let set = |place: &mut String, value: Option<String>| {
        if let Some(value) = value {
            *place = value;
        }
    };
    set(&mut oidc.client_id, change.client_id);
    set(&mut oidc.username_claim, change.username_claim);
    set(&mut oidc.email_claim, change.email_claim);
    set(&mut oidc.name_claim, change.name_claim);
    if let Some(scopes) = change.scopes {
        oidc.scopes = scopes;
    }
    if let Some(claim) = change.groups_claim {
        oidc.groups_claim = claim;
    }
    Ok(())
}
