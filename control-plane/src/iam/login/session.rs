//! A browser that stays signed in for a while, so that the next `terraform login` asks for consent
//! and not for the password.
//!
//! The cookie is random and lives at the server as a hash only. It opens nothing but the pages of
//! `terraform login`: the API takes tokens. It ends with its time, by signing out, and with a new
//! password.

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

/// Begins a session of a user; gives what the cookie holds.
pub(super) async fn begin(tx: &mut db::Tx, user: &UserId, now: Timestamp) -> Result<Secret> {
    let text = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let id = SessionId::random();
    store::insert_session(tx, &id, user, &hash_token(&text), now, now + LIFETIME).await?;
    Ok(Secret::new(text))
}

/// The user whose browser this is, if it is signed in.
pub(super) async fn user(app: &App, headers: &HeaderMap) -> Result<Option<Candidate>> {
    let Some(text) = cookies::read(app, headers, NAME, LENGTH) else {
        return Ok(None);
    };
    let mut conn = app.db.acquire().await?;
    store::session_user(&mut conn, &hash_token(&text), app.clock.now()).await
}

/// Ends the browser's session, if it has one.
pub(super) async fn end(app: &App, headers: &HeaderMap) -> Result<()> {
    let Some(text) = cookies::read(app, headers, NAME, LENGTH) else {
        return Ok(());
    };
    let mut tx = app.db.begin().await?;
    store::delete_session(&mut tx, &hash_token(&text)).await?;
    tx.commit().await
}

/// The header that signs the browser in.
pub(super) fn cookie(app: &App, text: &Secret) -> Option<HeaderValue> {
    cookies::write(app, NAME, text.expose(), LIFETIME.num_seconds())
}

/// The header that signs it out.
pub(super) fn no_cookie(app: &App) -> Option<HeaderValue> {
    cookies::write(app, NAME, "", 0)
}
