//! rustls configurations of both sides. TLS 1.3 only, ring named everywhere, no resumption, no
//! tickets, no early data; see the crate's own words for why.

mod client;
mod pin;
mod server;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::{RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::CertificateDer;

pub use client::{ClientIdentity, Trust, client_config};
pub use server::{CertificateSlot, server_config};

/// Why a TLS configuration can't be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("the CA certificate can't be used as a trust anchor")]
    Anchor(#[source] rustls::Error),
    #[error("certificate and key can't be used")]
    Certificate(#[source] rustls::Error),
    #[error("the private key is not PKCS#8: {0}")]
    Key(&'static str),
    #[error("the check of client certificates can't be set up")]
    Verifier(#[source] rustls::client::VerifierBuilderError),
    #[error("TLS 1.3 is not available")]
    Version(#[source] rustls::Error),
    #[error("the TLS configuration has no cipher suite for QUIC")]
    Quic,
}

const VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn anchors(ca: &CertificateDer<'static>) -> Result<Arc<RootCertStore>, TlsError> {
    let mut store = RootCertStore::empty();
    store.add(ca.clone()).map_err(TlsError::Anchor)?;
    Ok(Arc::new(store))
}
