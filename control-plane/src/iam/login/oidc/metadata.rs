//! What a provider says of itself: its discovery document, and the addresses made from it.

use domain::ids::IdentityProviderId;
use serde::{Deserialize, Deserializer, de};
use url::Url;

use super::cache::Cached;
use super::error::OidcError;
use crate::app::App;
use crate::iam::identity::{OidcSettings, Provider};
use crate::iam::login::sso::Flow;

const MAX_DOCUMENT: usize = 256 * 1024;

type Result<T> = std::result::Result<T, OidcError>;

/// The part of a discovery document that is used (OpenID Connect Discovery, section 3).
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Metadata {
    pub issuer: String,
    #[serde(deserialize_with = "url")]
    pub authorization_endpoint: Url,
    #[serde(deserialize_with = "url")]
    pub token_endpoint: Url,
    #[serde(deserialize_with = "url")]
    pub jwks_uri: Url,
    #[serde(default, deserialize_with = "url_or_none")]
    pub userinfo_endpoint: Option<Url>,
    #[serde(default, deserialize_with = "url_or_none")]
    pub end_session_endpoint: Option<Url>,
    #[serde(default)]
    pub token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

fn url<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Url, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(de::Error::custom)
}

fn url_or_none<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<Url>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|it| it.parse().map_err(de::Error::custom))
        .transpose()
}

impl Metadata {
    /// Whether the client's secret goes into the form because the provider takes it nowhere else.
    pub(super) fn wants_secret_in_form(&self) -> bool {
        let methods = &self.token_endpoint_auth_methods_supported;
        let takes = |name: &str| methods.iter().any(|it| it == name);
        takes("client_secret_post") && !takes("client_secret_basic")
    }
}

/// A provider's document, as fetched lately.
pub(super) async fn of(
    app: &App,
    provider: &Provider,
    settings: &OidcSettings,
) -> Result<Metadata> {
    if let Some(known) = app.sign_in.metadata(provider, app.clock.now()) {
        return Ok(known);
    }
    let base = settings.issuer.trim_end_matches('/');
    let url: Url = format!("{base}/.well-known/openid-configuration")
        .parse()
        .map_err(|_| OidcError::Issuer)?;
    let what = "discovery document";
    let bytes = app
        .outbound
        .get(&url, None, MAX_DOCUMENT)
        .await
        .map_err(|reason| OidcError::Unreachable { what, reason })?;
    let found: Metadata =
        serde_json::from_slice(&bytes).map_err(|_| OidcError::Unreadable { what })?;
    // Another name would be another issuer: its tokens must not count here.
    if found.issuer != settings.issuer {
        return Err(OidcError::Issuer);
    }
    let addresses = [
        (
            "authorization_endpoint",
            Some(&found.authorization_endpoint),
        ),
        ("token_endpoint", Some(&found.token_endpoint)),
        ("jwks_uri", Some(&found.jwks_uri)),
        ("userinfo_endpoint", found.userinfo_endpoint.as_ref()),
        ("end_session_endpoint", found.end_session_endpoint.as_ref()),
    ];
    for (name, url) in addresses {
        if url.is_some_and(|url| url.scheme() != "https") {
            return Err(OidcError::Address(name));
        }
    }
    let now = app.clock.now();
    app.sign_in
        .keep(provider, Cached::new(provider, found.clone(), now));
    Ok(found)
}

/// Where the provider sends the browser back to.
pub(super) fn redirect_uri(base: &str, id: &IdentityProviderId) -> String {
    format!("{base}/sign-in/providers/{id}/callback")
}

/// Where the browser goes to sign in.
pub(in crate::iam::login) async fn authorization_url(
    app: &App,
    provider: &Provider,
    settings: &OidcSettings,
    flow: &Flow,
) -> Result<Url> {
    let metadata = of(app, provider, settings).await?;
    let mut scopes = vec!["openid"];
    scopes.extend(settings.scopes.iter().map(String::as_str));
    scopes.dedup();
    let mut url = metadata.authorization_endpoint;
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &settings.client_id)
        .append_pair("redirect_uri", &redirect_uri(&flow.base, &provider.id))
        .append_pair("scope", &scopes.join(" "))
        .append_pair("state", &flow.state)
        .append_pair("nonce", &flow.nonce)
        .append_pair("code_challenge", &flow.challenge())
        .append_pair("code_challenge_method", "S256");
    Ok(url)
}

/// Where the browser goes so that the provider ends its own session too (RP-Initiated Logout 1.0);
/// `None` if the provider has no such place.
pub(in crate::iam::login) async fn logout_url(
    app: &App,
    provider: &Provider,
    settings: &OidcSettings,
    base: &str,
    id_token: Option<&str>,
) -> Result<Option<Url>> {
    let metadata = of(app, provider, settings).await?;
    let Some(mut url) = metadata.end_session_endpoint else {
        return Ok(None);
    };
    let back = format!("{base}/sign-in");
    let mut query = url.query_pairs_mut();
    query
        .append_pair("client_id", &settings.client_id)
        .append_pair("post_logout_redirect_uri", &back);
    if let Some(hint) = id_token {
        query.append_pair("id_token_hint", hint);
    }
    drop(query);
    Ok(Some(url))
}
