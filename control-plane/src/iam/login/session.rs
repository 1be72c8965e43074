//! A browser that stays signed in for a while, so that the next `terraform login` asks for consent
//! and not for the password.
//!
//! The cookie is random, made anew by each sign-in, and lives at the server as a hash only. It opens
//! nothing but the pages of `terraform login`: the API takes tokens. It ends with its time, by
//! signing out, with the next sign-in of the same browser, and with a new password.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use domain::Secret;
use domain::ids::{SessionId, UserId};
use http::{HeaderMap, HeaderValue};

use super::cookies;
use super::store::{self, Candidate};
use crate::app::App;
use crate::clock::Timestamp;
use crate::iam::hash_token;

const NAME: &str = "session";
/// 32 random bytes in base64url.
const LENGTH: usize = 43;
const LIFETIME: TimeDelta = TimeDelta::hours(12);

type Result<T> = std::result::Result<T, db::Error>;

/// What the browser sent as its session; whether there is such a one is another question.
pub(super) fn sent(app: &App, headers: &HeaderMap) -> Option<Secret> {
    cookies::read(app, headers, NAME, LENGTH).map(Secret::new)
}

/// Begins a session of a user; gives what the cookie holds.
pub(super) async fn begin(tx: &mut db::Tx, user: &UserId, now: Timestamp) -> Result<Secret> {
    let text = Secret::new(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
    let (id, hash) = (SessionId::random(), hash_token(text.expose()));
    store::insert_session(tx, &id, user, &hash, now, now + LIFETIME).await?;
    Ok(text)
}

/// The user of a session that is not over.
pub(super) async fn user(
    conn: &mut db::Conn,
    text: &Secret,
    now: Timestamp,
) -> Result<Option<Candidate>> {
    store::session_user(conn, &hash_token(text.expose()), now).await
}

/// Ends a session, if there is such a one.
pub(super) async fn end(tx: &mut db::Tx, text: &Secret) -> Result<()> {
    store::delete_session(tx, &hash_token(text.expose())).await
}

/// The header that signs the browser in.
pub(super) fn cookie(app: &App, text: &Secret) -> Option<HeaderValue> {
    cookies::write(app, NAME, text.expose(), LIFETIME.num_seconds())
}

/// The header that signs it out.
pub(super) fn no_cookie(app: &App) -> Option<HeaderValue> {
    cookies::write(app, NAME, "", 0)
}
