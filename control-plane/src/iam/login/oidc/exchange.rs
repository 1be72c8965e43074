//! From the code that the browser brought to what the provider says of the person.

use std::sync::Arc;

use domain::Secret;
use jsonwebtoken::jwk::JwkSet;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::cache::Want;
use super::error::OidcError;
use super::id_token::{self, Expected};
use super::metadata::{self, Metadata, redirect_uri};
use crate::app::App;
use crate::iam::identity::{Asserted, OidcSettings, Provider};
use crate::iam::login::sso::Flow;

const MAX_ANSWER: usize = 256 * 1024;

type Result<T> = std::result::Result<T, OidcError>;
type Claims = Map<String, Value>;

/// What the browser brings back from the provider.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::iam) struct Answer {
    pub state: String,
    pub code: Option<String>,
    /// Who answers (RFC 9207).
    pub iss: Option<String>,
    pub error: Option<String>,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    access_token: Option<Secret>,
}

/// What the provider says of the person, and the token to end their session there with.
pub(in crate::iam::login) async fn identify(
    app: &App,
    provider: &Provider,
    settings: &OidcSettings,
    secret: Option<&Secret>,
    flow: &Flow,
    answer: &Answer,
) -> Result<(Asserted, Secret)> {
    let metadata = metadata::of(app, provider, settings).await?;
    check_sender(settings, &metadata, answer)?;
    if let Some(error) = &answer.error {
        let word: String = error
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
            .take(60)
            .collect();
        return Err(OidcError::Refused(word));
    }
    let code = answer
        .code
        .as_deref()
        .ok_or_else(|| OidcError::Refused("no code".to_owned()))?;
    let tokens = exchange(app, provider, settings, &metadata, secret, flow, code).await?;
    let expected = Expected {
        issuer: &settings.issuer,
        client_id: &settings.client_id,
        nonce: &flow.nonce,
        now: app.clock.now(),
    };
    let claims = match verify(app, provider, &metadata, Want::Any, &tokens, &expected).await? {
        Some(claims) => claims,
        // The provider may have changed its keys since they were fetched.
        None => verify(app, provider, &metadata, Want::Newer, &tokens, &expected)
            .await?
            .ok_or(OidcError::Token(
                "it is signed with a key that the provider does not publish",
            ))?,
    };
    let claims = with_userinfo(
        app,
        settings,
        &metadata,
        tokens.access_token.as_ref(),
        claims,
    )
    .await?;
    Ok((asserted(settings, &claims), Secret::new(tokens.id_token)))
}

/// Against answers of another provider (mix-up): who names itself must be the one that was asked.
fn check_sender(settings: &OidcSettings, metadata: &Metadata, answer: &Answer) -> Result<()> {
    match &answer.iss {
        Some(iss) if *iss != settings.issuer => Err(OidcError::MixUp),
        None if metadata.authorization_response_iss_parameter_supported => Err(OidcError::MixUp),
        Some(_) | None => Ok(()),
    }
}

async fn exchange(
    app: &App,
    provider: &Provider,
    settings: &OidcSettings,
    metadata: &Metadata,
    secret: Option<&Secret>,
    flow: &Flow,
    code: &str,
) -> Result<Tokens> {
    let back = redirect_uri(&flow.base, &provider.id);
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", &back),
        ("code_verifier", &flow.verifier),
    ];
    let in_form = metadata.wants_secret_in_form();
    let basic = match secret {
        Some(secret) if in_form => {
            form.push(("client_id", &settings.client_id));
            form.push(("client_secret", secret.expose()));
            None
        }
        Some(secret) => Some((settings.client_id.as_str(), secret)),
        None => {
            form.push(("client_id", &settings.client_id));
            None
        }
    };
    let what = "answer to the code";
    let bytes = app
        .outbound
        .post_form(&metadata.token_endpoint, basic, &form, MAX_ANSWER)
        .await
        .map_err(|reason| OidcError::Unreachable { what, reason })?;
    serde_json::from_slice(&bytes).map_err(|_| OidcError::Unreadable { what })
}

/// The claims of the ID token; `None` if the keys that are looked at don't have its one.
async fn verify(
    app: &App,
    provider: &Provider,
    metadata: &Metadata,
    want: Want,
    tokens: &Tokens,
    expected: &Expected<'_>,
) -> Result<Option<Claims>> {
    let keys = keys(app, provider, metadata, want).await?;
    id_token::verify(&keys, &tokens.id_token, expected)
}

async fn keys(
    app: &App,
    provider: &Provider,
    metadata: &Metadata,
    want: Want,
) -> Result<Arc<JwkSet>> {
    let now = app.clock.now();
    if let Some(keys) = app.sign_in.keys(provider, want, now) {
        return Ok(keys);
    }
    let what = "keys";
    let bytes = app
        .outbound
        .get(&metadata.jwks_uri, None, MAX_ANSWER)
        .await
        .map_err(|reason| OidcError::Unreachable { what, reason })?;
    let keys = id_token::read_keys(&bytes).ok_or(OidcError::Unreadable { what })?;
    let keys = Arc::new(keys);
    app.sign_in.keep_keys(provider, Arc::clone(&keys), now);
    Ok(keys)
}

/// The claims that the ID token leaves out, if any is wanted: many providers give them only here.
async fn with_userinfo(
    app: &App,
    settings: &OidcSettings,
    metadata: &Metadata,
    access_token: Option<&Secret>,
    mut claims: Claims,
) -> Result<Claims> {
    let wanted = [
        Some(&settings.subject_claim),
        Some(&settings.username_claim),
        Some(&settings.email_claim),
        Some(&settings.name_claim),
        settings.groups_claim.as_ref(),
    ];
    let complete = wanted.iter().flatten().all(|it| claims.contains_key(*it));
    let (Some(url), Some(token), false) = (&metadata.userinfo_endpoint, access_token, complete)
    else {
        return Ok(claims);
    };
    let what = "user information";
    let bytes = app
        .outbound
        .get(url, Some(token), MAX_ANSWER)
        .await
        .map_err(|reason| OidcError::Unreachable { what, reason })?;
    let more: Claims =
        serde_json::from_slice(&bytes).map_err(|_| OidcError::Unreadable { what })?;
    // Core, section 5.3.2: somebody else's information must not be taken for this one's.
    if more.get("sub") != claims.get("sub") {
        return Err(OidcError::Token("the user information is somebody else's"));
    }
    for (name, value) in more {
        claims.entry(name).or_insert(value);
    }
    Ok(claims)
}

fn asserted(settings: &OidcSettings, claims: &Claims) -> Asserted {
    let text = |claim: &str| {
        let value = claims.get(claim).and_then(Value::as_str);
        value.unwrap_or_default().trim().to_owned()
    };
    let email = text(&settings.email_claim);
    let user_name = Some(text(&settings.username_claim)).filter(|it| !it.is_empty());
    let groups = settings.groups_claim.as_ref();
    Asserted {
        subject: text(&settings.subject_claim),
        user_name: user_name.unwrap_or_else(|| email.clone()),
        email,
        display_name: text(&settings.name_claim),
        // Set up and absent: in no group.
        groups: groups.map(|claim| names(claims.get(claim))),
    }
}

/// A list of names, or one.
fn names(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(list)) => list
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        Some(Value::String(one)) => vec![one.clone()],
        _ => Vec::new(),
    }
}
