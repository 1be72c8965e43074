//! Proofs outside a TLS handshake: a request's key, a certificate's issuer whatever its date, and
//! the recovery of an identity whose certificate has run out.

use chrono::{DateTime, Utc};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

use super::identity::parse_certificate;
use super::{CaError, PeerIdentity, fingerprint, parse_peer};

/// SubjectPublicKeyInfo of an uncompressed P-256 point, up to the point (RFC 5480).
const P256_HEADER: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const P256_POINT: usize = 65;
/// Certificate requests are far smaller; whoever sends more is not a runner.
const MAX_REQUEST: usize = 8 * 1024;
/// How far the signing time of a recovery may be from the server's.
const RECOVERY_WINDOW_SECONDS: i64 = 300;

/// What a runner claims that wants its identity back (message `RecoverRequest`).
#[derive(Debug, Clone, Copy)]
pub struct RecoveryClaim<'a> {
    /// The last certificate, expired or not.
    pub certificate_der: &'a [u8],
    /// A request for the same key.
    pub csr_der: &'a [u8],
    /// Seconds since the epoch.
    pub signed_at: i64,
    /// By that key over [`recovery_message`].
    pub signature: &'a [u8],
}

/// Checks a recovery whole: our CA's certificate, the same key in the request, a fresh signature by
/// it. Whether the runner is still welcome (revoked, deleted) is for the caller to say.
pub fn check_recovery(
    ca_certificate: &[u8],
    claim: RecoveryClaim<'_>,
    now: DateTime<Utc>,
) -> Result<PeerIdentity, CaError> {
    let away = claim.signed_at.saturating_sub(now.timestamp());
    if away.saturating_abs() > RECOVERY_WINDOW_SECONDS {
        return Err(CaError::Stale(away));
    }
    verify_issued_by(ca_certificate, claim.certificate_der)?;
    let identity = parse_peer(claim.certificate_der)?;
    if csr_public_key(claim.csr_der)? != identity.spki {
        return Err(CaError::OtherKey);
    }
    let message = recovery_message(claim.csr_der, claim.signed_at);
    verify_signature(&identity.spki, &message, claim.signature)?;
    Ok(identity)
}

/// What a runner signs to get its identity back: a fixed word, the request's SHA-256, the time.
pub fn recovery_message(csr_der: &[u8], signed_at: i64) -> Vec<u8> {
    let mut message = b"terrane-recover-v1".to_vec();
    message.extend_from_slice(&fingerprint(csr_der));
    message.extend_from_slice(&signed_at.to_be_bytes());
    message
}

/// Whether the CA signed this certificate, expired or not.
pub fn verify_issued_by(ca_certificate: &[u8], certificate_der: &[u8]) -> Result<(), CaError> {
    let ca = parse_certificate(ca_certificate)?;
    let certificate = parse_certificate(certificate_der)?;
    if certificate.issuer().as_raw() != ca.subject().as_raw() || certificate.is_ca() {
        return Err(CaError::ForeignIssuer);
    }
    let signed = certificate.tbs_certificate.as_ref();
    verify_signature(
        ca.public_key().raw,
        signed,
        certificate.signature_value.as_ref(),
    )
    .map_err(|_| CaError::ForeignIssuer)
}

/// Verifies an ECDSA P-256 SHA-256 signature (ASN.1) by the key of `spki` (DER).
pub fn verify_signature(spki: &[u8], message: &[u8], signature: &[u8]) -> Result<(), CaError> {
    let point = p256_point(spki).ok_or(CaError::KeyType { what: "signature" })?;
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
        .verify(message, signature)
        .map_err(|_| CaError::BadSignature)
}

/// The key (SubjectPublicKeyInfo, DER) of a certificate request (PKCS#10, DER), whose own signature
/// is verified: whoever sent it holds the private key.
pub fn csr_public_key(csr_der: &[u8]) -> Result<Vec<u8>, CaError> {
    if csr_der.len() > MAX_REQUEST {
        return Err(malformed(format!("it has more than {MAX_REQUEST} bytes")));
    }
    let request = match X509CertificationRequest::from_der(csr_der) {
        Ok(([], request)) => request,
        Ok(_) => return Err(malformed("bytes follow its end".to_owned())),
        Err(error) => return Err(malformed(error.to_string())),
    };
    let info = &request.certification_request_info;
    let spki = info.subject_pki.raw;
    if p256_point(spki).is_none() {
        return Err(CaError::KeyType {
            what: "certificate request",
        });
    }
    verify_signature(spki, info.raw, request.signature_value.as_ref())?;
    Ok(spki.to_vec())
}

fn p256_point(spki: &[u8]) -> Option<&[u8]> {
    spki.strip_prefix(&P256_HEADER)
        .filter(|point| point.len() == P256_POINT && point.first() == Some(&4))
}

fn malformed(detail: String) -> CaError {
    CaError::Malformed {
        what: "certificate request",
        detail,
    }
}
