//! The gateway's side. A client certificate is optional, because Enrollment has none yet; the guard
//! in front of every method (`server::guard`) refuses whoever needs one and has none.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::server::{
    ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::{TlsError, VERSIONS, anchors, provider};
use crate::ca::ServerCertificate;

/// Holds the gateway's certificate so that it can be replaced while connections live on.
#[derive(Clone)]
pub struct CertificateSlot(Arc<Slot>);

struct Slot(ArcSwap<CertifiedKey>);

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CertificateSlot")
    }
}

impl CertificateSlot {
    pub fn new(certificate: &ServerCertificate) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(Slot(ArcSwap::from_pointee(certified(
            certificate,
        )?)))))
    }

    /// New connections get this certificate from now on.
    pub fn replace(&self, certificate: &ServerCertificate) -> Result<(), TlsError> {
        self.0.0.store(Arc::new(certified(certificate)?));
        Ok(())
    }
}

impl ResolvesServerCert for Slot {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

fn certified(certificate: &ServerCertificate) -> Result<CertifiedKey, TlsError> {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(
        certificate.key.expose().as_slice(),
    ));
    CertifiedKey::from_der(certificate.chain.clone(), key.clone_key(), &provider())
        .map_err(TlsError::Certificate)
}

/// The gateway's configuration for one ALPN. Client certificates must come from `ca`.
pub fn server_config(
    certificate: &CertificateSlot,
    ca: &CertificateDer<'static>,
    alpn: &[u8],
) -> Result<rustls::ServerConfig, TlsError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(anchors(ca)?, provider())
        .allow_unauthenticated()
        .build()
        .map_err(TlsError::Verifier)?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(VERSIONS)
        .map_err(TlsError::Version)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::clone(&certificate.0) as Arc<dyn ResolvesServerCert>);
    config.alpn_protocols = vec![alpn.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(config)
}
