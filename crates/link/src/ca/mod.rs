//! The runner CA: who may speak to the gateway, and how a runner knows the gateway.
//!
//! One CA signs both sides and nothing else: runners' client certificates (24 h) and the gateway's
//! own. A runner trusts only this CA, so no public authority can impersonate a gateway, and the
//! gateway is reached under any host name or address: its certificate always carries the one name
//! [`SERVER_NAME`]. Keys are ECDSA P-256 throughout.
//!
//! Nothing here reads a clock: each moment is a parameter.

mod identity;
mod issue;
mod proof;
mod request;
#[cfg(test)]
mod tests;

pub use identity::{PeerIdentity, parse_peer};
pub use issue::{RunnerCa, ServerCertificate};
pub use proof::{
    RecoveryClaim, check_recovery, csr_public_key, recovery_message, verify_issued_by,
    verify_signature,
};
pub use request::{KeyAndCsr, csr_for_key, generate_key_and_csr, sign_with_key};

/// The name in every gateway certificate, and the one that runners ask for.
pub const SERVER_NAME: &str = "gateway.terrane.internal";

/// What the URI of a runner's certificate begins with; the runner's id follows.
pub const IDENTITY_PREFIX: &str = "spiffe://terrane/runner/";

/// The same of a certificate with which a revoked runner may deliver what it still has, and nothing
/// else.
pub const DELIVERY_PREFIX: &str = "spiffe://terrane/revoked-runner/";

/// SHA-256 of a certificate's DER.
pub type Fingerprint = [u8; 32];

/// The SHA-256 of a certificate, as join tokens carry it.
pub fn fingerprint(certificate_der: &[u8]) -> Fingerprint {
    let digest = ring::digest::digest(&ring::digest::SHA256, certificate_der);
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.as_ref());
    bytes
}

/// Why a certificate, request or proof was not accepted or not made.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// Making or encoding a key or certificate failed.
    #[error("could not make the {what}")]
    Make {
        what: &'static str,
        #[source]
        source: rcgen::Error,
    },
    /// The bytes are not what they should be.
    #[error("this is not a {what}: {detail}")]
    Malformed { what: &'static str, detail: String },
    /// Only ECDSA P-256 keys are used.
    #[error("the key of the {what} is not an ECDSA P-256 key")]
    KeyType { what: &'static str },
    /// A date outside what a certificate can hold.
    #[error("the date {0} can't be written into a certificate")]
    Date(chrono::DateTime<chrono::Utc>),
    /// The certificate was not signed by this CA.
    #[error("the certificate was not issued by this installation's runner CA")]
    ForeignIssuer,
    /// A signature does not verify.
    #[error("the signature does not match the key")]
    BadSignature,
    /// The request is for another key than the certificate.
    #[error("the certificate request is for another key than the certificate")]
    OtherKey,
    /// A recovery request was signed too long ago, or in the future.
    #[error("the recovery request was signed {0} seconds away from the server's time")]
    Stale(i64),
}
