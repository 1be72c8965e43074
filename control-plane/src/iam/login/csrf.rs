//! The form can only be sent from the page that this browser was given: a token in the form is
//! signed over a random cookie, over what the form does, and over what is being approved.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::Secret;
use http::{HeaderMap, HeaderValue};

use super::cookies::{self, SameSite};
use super::request::Params;
use crate::app::App;

const NAME: &str = "sign-in";
const LIFETIME_SECONDS: i64 = 3600;
/// 32 random bytes in base64url.
const VALUE_LENGTH: usize = 43;

/// What a form does. The token of one is worth nothing in another.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose<'a> {
    SignIn,
    /// Consent or signing out, of the browser with this session.
    Consent(&'a Secret),
    /// A page of its own: its name, and what it is about.
    Page(&'static str, &'a str),
}

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
        cookies::read(app, headers, NAME, |it| it.len() == VALUE_LENGTH).map(Self)
    }

    pub(super) fn header(&self, app: &App) -> Option<HeaderValue> {
        cookies::write(app, NAME, &self.0, LIFETIME_SECONDS, SameSite::Strict)
    }

    /// What the form carries.
    pub(super) fn form_token(&self, app: &App, purpose: Purpose<'_>, params: &Params) -> String {
        URL_SAFE_NO_PAD.encode(app.signer.sign(&self.message(purpose, params)))
    }

    fn message(&self, purpose: Purpose<'_>, params: &Params) -> Vec<u8> {
        let state = params.state.as_deref().unwrap_or_default();
        let (word, about) = match purpose {
            Purpose::SignIn => ("sign-in v1", ""),
            Purpose::Consent(session) => ("consent v1", session.expose().as_str()),
            Purpose::Page(name, about) => (name, about),
        };
        let parts = [
            word,
            about,
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
pub(super) fn is_genuine(
    app: &App,
    headers: &HeaderMap,
    purpose: Purpose<'_>,
    params: &Params,
    token: &str,
) -> bool {
    let Some(cookie) = BrowserCookie::sent(app, headers) else {
        return false;
    };
    let Ok(signature) = URL_SAFE_NO_PAD.decode(token) else {
        return false;
    };
    app.signer
        .verify(&cookie.message(purpose, params), &signature)
}
