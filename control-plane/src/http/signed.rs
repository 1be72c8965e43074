//! Signed URLs: the signature lies in the path, because log readers replace the whole query string,
//! and because no token is sent to them (TFE contract, sections 2.4 and 2.7).
//!
//! Form: `/_signed/PURPOSE/SUBJECT/EXPIRES/SIGNATURE`, EXPIRES in seconds since the epoch (0: valid
//! as long as the subject exists), SIGNATURE an HMAC-SHA256 over everything before it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::ApiError;
use crate::app::App;
use crate::clock::Timestamp;

/// What a signed URL allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    UploadConfiguration,
    DownloadConfiguration,
    UploadState,
    UploadJsonState,
    DownloadState,
    DownloadJsonState,
    PlanLog,
    ApplyLog,
    UploadPolicies,
}

impl Purpose {
    const fn word(self) -> &'static str {
        match self {
            Self::UploadConfiguration => "configuration-upload",
            Self::DownloadConfiguration => "configuration",
            Self::UploadState => "state-upload",
            Self::UploadJsonState => "json-state-upload",
            Self::DownloadState => "state",
            Self::DownloadJsonState => "json-state",
            Self::PlanLog => "plan-log",
            Self::ApplyLog => "apply-log",
            Self::UploadPolicies => "policy-upload",
        }
    }
}

fn message(purpose: Purpose, subject: &str, expires: i64) -> String {
    format!("v1\n{}\n{subject}\n{expires}", purpose.word())
}

/// An absolute URL that allows `purpose` on `subject` until `expires`.
pub fn url(
    app: &App,
    purpose: Purpose,
    subject: impl ToString,
    expires: Option<Timestamp>,
) -> String {
    let subject = subject.to_string();
    let expires = expires.map_or(0, |time| time.timestamp());
    let signature = URL_SAFE_NO_PAD.encode(
        app.signer
            .sign(message(purpose, &subject, expires).as_bytes()),
    );
    app.url(&format!(
        "/_signed/{}/{subject}/{expires}/{signature}",
        purpose.word()
    ))
}

/// Checks what came in with such a URL.
///
/// # Errors
/// 404 for a wrong signature or one that has run out: such a URL names nothing.
pub fn verify(
    app: &App,
    purpose: Purpose,
    subject: &str,
    expires: i64,
    signature: &str,
) -> Result<(), ApiError> {
    let bytes = URL_SAFE_NO_PAD
        .decode(signature)
        .map_err(|_| ApiError::not_found())?;
    let genuine = app
        .signer
        .verify(message(purpose, subject, expires).as_bytes(), &bytes);
    let fresh = expires == 0 || app.clock.now().timestamp() <= expires;
    if genuine && fresh {
        Ok(())
    } else {
        Err(ApiError::not_found())
    }
}
