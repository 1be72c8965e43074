//! The runner's side: it trusts the installation's runner CA and nothing else.

use std::sync::Arc;

use domain::Secret;
use rustls::client::Resumption;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::pin::PinnedCa;
use super::{TlsError, VERSIONS, anchors, provider};
use crate::ca::Fingerprint;

/// How a runner knows the gateway.
#[derive(Debug, Clone)]
pub enum Trust {
    /// The CA's certificate, got at enrolment.
    Ca(CertificateDer<'static>),
    /// Before enrolment: the CA's SHA-256 from the join token.
    Fingerprint(Fingerprint),
}

/// A runner's certificate and key.
#[derive(Debug, Clone)]
pub struct ClientIdentity {
    pub certificate: CertificateDer<'static>,
    /// PKCS#8.
    pub key: Secret<Vec<u8>>,
}

/// The runner's configuration for one ALPN; without an identity it can only enrol.
pub fn client_config(
    trust: &Trust,
    identity: Option<&ClientIdentity>,
    alpn: &[u8],
) -> Result<rustls::ClientConfig, TlsError> {
    let builder = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(VERSIONS)
        .map_err(TlsError::Version)?;
    let builder = match trust {
        Trust::Ca(ca) => builder.with_root_certificates(anchors(ca)?),
        Trust::Fingerprint(ca) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(PinnedCa::new(*ca, provider()))),
    };
    let mut config = match identity {
        Some(identity) => {
            let key = PrivatePkcs8KeyDer::from(identity.key.expose().clone());
            builder
                .with_client_auth_cert(
                    vec![identity.certificate.clone()],
                    PrivateKeyDer::Pkcs8(key),
                )
                .map_err(TlsError::Certificate)?
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![alpn.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    Ok(config)
}
