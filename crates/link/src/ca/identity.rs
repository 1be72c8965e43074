//! Who a certificate says its holder is.

use chrono::{DateTime, Utc};
use domain::ids::RunnerId;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use super::{CaError, DELIVERY_PREFIX, IDENTITY_PREFIX};

/// The runner behind a certificate. Says nothing about who signed it: the TLS handshake or
/// [`super::verify_issued_by`] does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerIdentity {
    pub runner_id: RunnerId,
    /// The certificate's serial number, lower-case hexadecimal.
    pub serial: String,
    pub not_after: DateTime<Utc>,
    /// SubjectPublicKeyInfo, DER.
    pub spki: Vec<u8>,
    /// The runner is revoked and may only deliver what its jobs left.
    pub delivers_only: bool,
}

/// Reads the identity out of a certificate (DER). Exactly one URI name is allowed, and it must be
/// a runner's; other names are refused, so that a gateway's certificate never passes for a runner.
pub fn parse_peer(certificate_der: &[u8]) -> Result<PeerIdentity, CaError> {
    let certificate = parse_certificate(certificate_der)?;
    let names = certificate
        .subject_alternative_name()
        .map_err(|error| malformed(error.to_string()))?
        .ok_or_else(|| malformed("it names nobody".to_owned()))?;
    let (runner_id, delivers_only) = match names.value.general_names.as_slice() {
        [GeneralName::URI(uri)] => uri
            .strip_prefix(IDENTITY_PREFIX)
            .map(|id| (id, false))
            .or_else(|| uri.strip_prefix(DELIVERY_PREFIX).map(|id| (id, true)))
            .and_then(|(id, delivers_only)| Some((id.parse().ok()?, delivers_only)))
            .ok_or_else(|| malformed(format!("{uri:?} is no runner's identity"))),
        _ => Err(malformed("it must name exactly one identity".to_owned())),
    }?;
    let not_after = certificate.validity().not_after.timestamp();
    Ok(PeerIdentity {
        runner_id,
        serial: hexadecimal(certificate.raw_serial()),
        not_after: DateTime::from_timestamp(not_after, 0)
            .ok_or_else(|| malformed("its end date is out of range".to_owned()))?,
        spki: certificate.public_key().raw.to_vec(),
        delivers_only,
    })
}

pub(super) fn parse_certificate(der: &[u8]) -> Result<X509Certificate<'_>, CaError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err(malformed("bytes follow its end".to_owned())),
        Err(error) => Err(malformed(error.to_string())),
    }
}

fn malformed(detail: String) -> CaError {
    CaError::Malformed {
        what: "runner certificate",
        detail,
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
