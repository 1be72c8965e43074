//! What a browser keeps while it is away at a provider, in a cookie that only we can write.
//!
//! The cookie ties the answer to the browser that asked: whoever brings somebody else's answer has
//! not got the cookie that it belongs to. Decided against rows for it: everybody could fill them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use domain::ids::IdentityProviderId;
use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::app::App;
use crate::clock::Timestamp;
use crate::iam::login::cookies::{self, SameSite};

const NAME: &str = "flow";
/// People look for their second factor.
const LIFETIME: TimeDelta = TimeDelta::minutes(15);
/// Browsers keep 4096 bytes of a cookie.
const MAX_COOKIE: usize = 3900;
const WORD: &str = "sign-in flow v1\n";

/// One sign-in on its way.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::iam) struct Flow {
    pub provider: IdentityProviderId,
    /// Where we are reached, as it was when the browser left.
    pub base: String,
    /// Comes back with the answer.
    pub state: String,
    /// Comes back inside what the provider signs.
    pub nonce: String,
    /// Proves that the code was asked for by us.
    pub verifier: String,
    pub return_to: String,
    /// The hash of a test sign-in's link.
    pub ticket: Option<String>,
    pub expires_at: Timestamp,
}

fn random() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

impl Flow {
    pub(super) fn new(
        provider: &IdentityProviderId,
        base: &str,
        return_to: String,
        ticket: Option<String>,
        now: Timestamp,
    ) -> Self {
        Self {
            provider: provider.clone(),
            base: base.to_owned(),
            state: random(),
            nonce: random(),
            verifier: random(),
            return_to,
            ticket,
            expires_at: now + LIFETIME,
        }
    }

    /// What the provider is told of the verifier (RFC 7636, `S256`).
    pub(in crate::iam) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.as_bytes()))
    }

    /// The header that gives it to the browser; `None` if it is too long for a cookie.
    pub(super) fn cookie(&self, app: &App, same_site: SameSite) -> Option<HeaderValue> {
        let text = serde_json::to_string(self).ok()?;
        let body = URL_SAFE_NO_PAD.encode(text);
        let signature = URL_SAFE_NO_PAD.encode(app.signer.sign(&message(&body)));
        let value = format!("{body}.{signature}");
        if value.len() > MAX_COOKIE {
            return None;
        }
        cookies::write(app, NAME, &value, LIFETIME.num_seconds(), same_site)
    }

    /// The one that the browser is on, if the answer with `state` from `provider` belongs to it.
    pub(super) fn sent(
        app: &App,
        headers: &HeaderMap,
        provider: &IdentityProviderId,
        state: &str,
    ) -> Option<Self> {
        let value = cookies::read(app, headers, NAME, |it| it.len() <= MAX_COOKIE)?;
        let (body, signature) = value.split_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        if !app.signer.verify(&message(body), &signature) {
            return None;
        }
        let text = URL_SAFE_NO_PAD.decode(body).ok()?;
        let flow: Self = serde_json::from_slice(&text).ok()?;
        let belongs = flow.provider == *provider
            && bool::from(flow.state.as_bytes().ct_eq(state.as_bytes()))
            && flow.expires_at > app.clock.now();
        belongs.then_some(flow)
    }
}

fn message(body: &str) -> Vec<u8> {
    [WORD, body].concat().into_bytes()
}

/// The header that takes it from the browser.
pub(super) fn no_cookie(app: &App, same_site: SameSite) -> Option<HeaderValue> {
    cookies::write(app, NAME, "", 0, same_site)
}
