//! The server's certificate, read from two files and swapped when they change.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Why a certificate can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("{} can't be read", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} holds no certificate in PEM form", path.display())]
    NoCertificate { path: PathBuf },
    #[error("{} holds no private key in PEM form", path.display())]
    NoKey { path: PathBuf },
    #[error("the key in {} doesn't belong to the certificate in {}", key.display(), certificate.display())]
    Mismatch {
        certificate: PathBuf,
        key: PathBuf,
        source: rustls::Error,
    },
    #[error("TLS can't be set up")]
    Tls(#[from] rustls::Error),
}

/// Where the certificate lies.
#[derive(Debug, Clone)]
pub struct CertificateFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// What the files held.
#[derive(PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl CertificateFiles {
    async fn read(&self) -> Result<Contents, CertificateError> {
        let read = async |path: &PathBuf| {
            let path = path.clone();
            tokio::fs::read(&path)
                .await
                .map_err(|source| CertificateError::Read { path, source })
        };
        Ok(Contents {
            certificate: read(&self.certificate).await?,
            key: read(&self.key).await?,
        })
    }

    fn parse(&self, contents: &Contents) -> Result<CertifiedKey, CertificateError> {
        let no_certificate = || CertificateError::NoCertificate {
            path: self.certificate.clone(),
        };
        let chain = CertificateDer::pem_slice_iter(&contents.certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| no_certificate())?;
        if chain.is_empty() {
            return Err(no_certificate());
        }
        let key =
            PrivateKeyDer::from_pem_slice(&contents.key).map_err(|_| CertificateError::NoKey {
                path: self.key.clone(),
            })?;
        CertifiedKey::from_der(chain, key, &provider()).map_err(|source| {
            CertificateError::Mismatch {
                certificate: self.certificate.clone(),
                key: self.key.clone(),
                source,
            }
        })
    }
}

/// The certificate in use. Clones share it.
#[derive(Clone)]
pub struct LiveCertificate(Arc<Shared>);

struct Shared {
    files: CertificateFiles,
    seen: Mutex<Contents>,
    current: ArcSwap<CertifiedKey>,
}

impl LiveCertificate {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// If they can't be read or don't fit together.
    pub async fn load(files: CertificateFiles) -> Result<Self, CertificateError> {
        let contents = files.read().await?;
        let current = ArcSwap::from_pointee(files.parse(&contents)?);
        Ok(Self(Arc::new(Shared {
            files,
            seen: Mutex::new(contents),
            current,
        })))
    }

    /// Reads the files again and uses what they hold if it has changed. The pass of a reconciler:
    /// a pair that doesn't fit yet, because somebody is just replacing one file after the other, is
    /// an error of this pass, and the old certificate stays in use.
    ///
    /// # Errors
    /// As [`LiveCertificate::load`].
    pub async fn reload(&self) -> Result<(), CertificateError> {
        let contents = self.0.files.read().await?;
        if *self.0.seen.lock() == contents {
            return Ok(());
        }
        self.0
            .current
            .store(Arc::new(self.0.files.parse(&contents)?));
        *self.0.seen.lock() = contents;
        tracing::info!(file = %self.0.files.certificate.display(), "a new certificate is in use");
        Ok(())
    }

    /// TLS 1.2 and 1.3 with this certificate, for HTTP/2 and HTTP/1.1.
    ///
    /// # Errors
    /// Never with the provider that is built in.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, CertificateError> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(self.clone()));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for LiveCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.current.load_full())
    }
}

impl fmt::Debug for LiveCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LiveCertificate")
            .field(&self.0.files)
            .finish()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
