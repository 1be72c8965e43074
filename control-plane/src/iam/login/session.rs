//! A browser that stays signed in for a while, so that the next `terraform login` asks for consent
//! and not for the password.
//!
//! The cookie is random, made anew by each sign-in, and lives at the server as a hash only. It opens
//! nothing but the pages of `terraform login`: the API takes tokens. It ends with its time, by
//! signing out, with the next sign-in of the same browser, and with a new password.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use domain::Secret;
use domain::ids::{AccountId, IdentityProviderId, SessionId, UserId};
use http::{HeaderMap, HeaderValue, header};

use super::cookies::{self, SameSite};
use super::site::Site;
use super::store::{self, Candidate, Foreign};
use crate::app::App;
use crate::clock::Timestamp;
use crate::context::Origin;
use crate::iam::hash_token;

const NAME: &str = "session";
/// 32 random bytes in base64url.
const LENGTH: usize = 43;
const MAX_AGENT: usize = 200;
const LIFETIME: TimeDelta = TimeDelta::hours(12);

type Result<T> = std::result::Result<T, db::Error>;

/// What the browser sent as its session; whether there is such a one is another question.
pub(super) fn sent(app: &App, headers: &HeaderMap) -> Option<Secret> {
    cookies::read(app, headers, NAME, |it| it.len() == LENGTH).map(Secret::new)
}

/// How a session came to be.
#[derive(Debug, Default)]
pub(super) struct Opening {
    pub source_address: Option<IpAddr>,
    pub user_agent: Option<String>,
    /// The identity provider that spoke for the user, and its account: the session counts there only.
    pub provider: Option<(AccountId, IdentityProviderId)>,
    /// What the provider is told when the session ends, sealed for [`Opening::id`].
    pub sealed_id_token: Option<Vec<u8>>,
    pub id: Option<SessionId>,
}

impl Opening {
    pub(super) fn of(origin: &Origin, headers: &HeaderMap) -> Self {
        let agent = headers
            .get(header::USER_AGENT)
            .and_then(|it| it.to_str().ok())
            .map(|it| it.chars().take(MAX_AGENT).collect());
        Self {
            source_address: origin.source_address,
            user_agent: agent,
            ..Self::default()
        }
    }
}

/// Begins a session of a user; gives what the cookie holds.
pub(super) async fn begin(
    tx: &mut db::Tx,
    user: &UserId,
    opening: Opening,
    now: Timestamp,
) -> Result<Secret> {
    let text = Secret::new(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
    let hash = hash_token(text.expose());
    store::insert_session(tx, user, &hash, opening, now, now + LIFETIME).await?;
    Ok(text)
}

/// The user of a session that is not over and counts at `site`.
pub(super) async fn user(
    conn: &mut db::Conn,
    text: &Secret,
    site: &Site,
    now: Timestamp,
) -> Result<Option<Candidate>> {
    store::session_user(conn, &hash_token(text.expose()), site.account.as_ref(), now).await
}

/// What the provider of a session has to be told when it ends.
pub(super) async fn provider(conn: &mut db::Conn, text: &Secret) -> Result<Option<Foreign>> {
    store::session_provider(conn, &hash_token(text.expose())).await
}

/// Ends a session, if there is such a one.
pub(super) async fn end(tx: &mut db::Tx, text: &Secret) -> Result<()> {
    store::delete_session(tx, &hash_token(text.expose())).await
}

/// The header that signs the browser in.
pub(super) fn cookie(app: &App, text: &Secret) -> Option<HeaderValue> {
    cookies::write(
        app,
        NAME,
        text.expose(),
        LIFETIME.num_seconds(),
        SameSite::Strict,
    )
}

/// The header that signs it out.
pub(super) fn no_cookie(app: &App) -> Option<HeaderValue> {
    cookies::write(app, NAME, "", 0, SameSite::Strict)
}
