//! Passwords: argon2id, hashed off the async threads, a few at a time (each takes 19 MiB).
//!
//! Checking takes as long for a user that doesn't exist as for one that does, so that the time of
//! an answer says nothing about names.

use std::sync::LazyLock;

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Argon2, PasswordHash};
use domain::Secret;
use tokio::sync::Semaphore;

use super::error::IamError;
use crate::problem::Fault;

const MIN_LENGTH: usize = 12;
/// Longer than any passphrase; bounds the work that a request can cause.
const MAX_LENGTH: usize = 256;

/// How many passwords are hashed at a time in this process.
static SLOTS: Semaphore = Semaphore::const_new(2);

/// Stands in for the hash of a user that doesn't exist, or has no password.
static NOBODY: LazyLock<Option<String>> =
    LazyLock::new(|| hash_now(&bs58::encode(rand::random::<[u8; 24]>()).into_string()));

fn hash_now(password: &str) -> Option<String> {
    let hash = Argon2::default().hash_password(password.as_bytes()).ok()?;
    Some(hash.to_string())
}

/// Is this a password that may be set?
///
/// # Errors
/// [`IamError::Invalid`], saying the lengths.
pub(super) fn check_rules(password: &Secret) -> Result<(), IamError> {
    let length = password.expose().chars().count();
    if length >= MIN_LENGTH && password.expose().len() <= MAX_LENGTH {
        return Ok(());
    }
    Err(IamError::Invalid {
        field: "/data/attributes/password",
        detail: format!("use {MIN_LENGTH} to {MAX_LENGTH} characters"),
    })
}

/// The argon2id hash of a password, as a PHC string with its parameters and salt.
///
/// # Errors
/// A fault when this process can't hash: no memory, or its tasks are being stopped.
pub(super) async fn hash(password: &Secret) -> Result<String, IamError> {
    let password = password.clone();
    off_thread(move || hash_now(password.expose()))
        .await?
        .ok_or(IamError::Fault(Fault::Unreadable {
            what: "a new password's hash",
        }))
}

/// Whether `password` is the one behind `stored`; no for nobody (`None`), after the same work.
///
/// # Errors
/// As [`hash`].
pub(super) async fn verify(stored: Option<String>, password: &Secret) -> Result<bool, IamError> {
    if password.expose().len() > MAX_LENGTH {
        return Ok(false);
    }
    let password = password.clone();
    off_thread(move || {
        let exists = stored.is_some();
        let Some(text) = stored.or_else(|| NOBODY.clone()) else {
            return false;
        };
        let right = PasswordHash::new(&text).is_ok_and(|hash| {
            Argon2::default()
                .verify_password(password.expose().as_bytes(), &hash)
                .is_ok()
        });
        right && exists
    })
    .await
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, IamError> {
    let stopped = |_| {
        IamError::Fault(Fault::Unreadable {
            what: "a password: the server stops",
        })
    };
    let _slot = SLOTS.acquire().await.map_err(stopped)?;
    tokio::task::spawn_blocking(work).await.map_err(|_| {
        IamError::Fault(Fault::Unreadable {
            what: "a password: the server stops",
        })
    })
}

#[cfg(test)]
mod unit {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[tokio::test]
    async fn only_the_right_password_opens() {
        let stored = hash(&secret("correct horse battery")).await.unwrap();
        assert!(stored.starts_with("$argon2id$"), "{stored}");
        assert!(
            verify(Some(stored.clone()), &secret("correct horse battery"))
                .await
                .unwrap()
        );
        assert!(
            !verify(Some(stored), &secret("correct horse batterz"))
                .await
                .unwrap()
        );
    }

    #[tokio::test]
    async fn nobody_has_no_password() {
        assert!(!verify(None, &secret("anything at all")).await.unwrap());
        assert!(
            !verify(Some("junk".to_owned()), &secret("anything at all"))
                .await
                .unwrap()
        );
    }

    #[test]
    fn short_and_endless_passwords_are_refused() {
        assert!(check_rules(&secret("short")).is_err());
        assert!(check_rules(&secret(&"x".repeat(257))).is_err());
        assert!(check_rules(&secret("long enough for us")).is_ok());
    }
}
