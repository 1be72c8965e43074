//! Codes that change every half minute.

use domain::Secret;
use totp_rs::{Algorithm, Builder, Totp};

use crate::clock::Timestamp;
use crate::problem::Fault;

/// As long as the hash (RFC 4226, section 4).
const SECRET_BYTES: usize = 20;

pub(super) fn random_secret() -> Vec<u8> {
    let bytes: [u8; SECRET_BYTES] = rand::random();
    bytes.to_vec()
}

/// What an authenticator app and we have in common. SHA-1, six digits and thirty seconds are what
/// every app knows.
pub(super) fn totp(secret: &Secret<Vec<u8>>, host: &str, user: &str) -> Result<Totp, Fault> {
    let broken = |_| Fault::Unreadable {
        what: "the secret of a second factor",
    };
    // A colon would divide the label.
    let issuer = host.replace(':', "-");
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_skew(1)
        .with_step_duration(30)
        .with_secret(secret.expose().clone())
        .with_account_name(user)
        .with_issuer(Some(issuer.as_str()))
        .build()
        .map_err(broken)
}

/// The step that a code is of, if it is right now.
pub(super) fn step(totp: &Totp, code: &str, now: Timestamp) -> Option<i64> {
    let seconds = u64::try_from(now.timestamp()).ok()?;
    let found = totp.check(code, seconds)?;
    i64::try_from(found).ok()
}
