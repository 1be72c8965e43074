//! The form can only be sent from the page that this browser was given: a token in the form is
//! signed over a random cookie and over what is being approved.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};

use super::request::Params;
use crate::app::App;

const LIFETIME_SECONDS: u32 = 3600;
/// 32 random bytes in base64url.
const VALUE_LENGTH: usize = 43;

/// The random value that a browser keeps for the form.
#[derive(Debug)]
pub(super) struct BrowserCookie(String);

impl BrowserCookie {
    /// The one the browser sent, or a new one: two tabs share it.
    pub(super) fn of(app: &App, headers: &HeaderMap) -> Self {
        Self::sent(app, headers)
            .unwrap_or_else(|| Self(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())))
    }

    fn sent(app: &App, headers: &HeaderMap) -> Option<Self> {
        let name = name(app);
        headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|text| text.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(key, value)| *key == name && value.len() == VALUE_LENGTH)
            .map(|(_, value)| Self(value.to_owned()))
    }

    pub(super) fn header(&self, app: &App) -> Option<HeaderValue> {
        let secure = if is_secure(app) { "; Secure" } else { "" };
        HeaderValue::from_str(&format!(
            "{}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age={LIFETIME_SECONDS}{secure}",
            name(app),
            self.0
        ))
        .ok()
    }

    /// What the form carries.
    pub(super) fn form_token(&self, app: &App, params: &Params) -> String {
        URL_SAFE_NO_PAD.encode(app.signer.sign(&self.message(params)))
    }

    fn message(&self, params: &Params) -> Vec<u8> {
        let state = params.state.as_deref().unwrap_or_default();
        let parts = [
            "sign-in v1",
            &self.0,
            &params.client_id,
            &params.redirect_uri,
            &params.code_challenge,
            state,
        ];
        // Lengths, so that no two lists of parts are the same message.
        let framed = parts.iter().map(|part| format!("{}:{part}", part.len()));
        framed.collect::<Vec<_>>().concat().into_bytes()
    }
}

/// Whether a form with `token` came from a page that this browser was given for this request.
pub(super) fn is_genuine(app: &App, headers: &HeaderMap, params: &Params, token: &str) -> bool {
    let Some(cookie) = BrowserCookie::sent(app, headers) else {
        return false;
    };
    let Ok(signature) = URL_SAFE_NO_PAD.decode(token) else {
        return false;
    };
    app.signer.verify(&cookie.message(params), &signature)
}

fn is_secure(app: &App) -> bool {
    app.installation.public_url.scheme() == "https"
}

/// The `__Host-` prefix keeps other hosts of the domain from setting it; browsers allow it on HTTPS
/// only.
fn name(app: &App) -> &'static str {
    if is_secure(app) {
        "__Host-terrane-sign-in"
    } else {
        "terrane-sign-in"
    }
}
