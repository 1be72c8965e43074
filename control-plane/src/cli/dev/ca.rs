//! The CA that `terrane dev` makes for its HTTPS port, and the certificate it signs.
//!
//! The CA stays the same for as long as the data directory does, so that whoever trusts it once is
//! done. The certificate is renewed when a third of its life is left, also while serving: the
//! listener reads the files again. Decided against a bare self-signed certificate: terraform would
//! have to be told of each new one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use chrono::TimeDelta;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::private_file;
use crate::clock::Timestamp;
use crate::serve::CertificateFiles;

const CA_LIFE: TimeDelta = TimeDelta::days(3650);
const LEAF_LIFE: TimeDelta = TimeDelta::days(90);
/// Clocks differ: what is made now is valid from a little earlier.
const BACKDATED: TimeDelta = TimeDelta::hours(1);

#[derive(Debug, thiserror::Error)]
pub(super) enum CaError {
    #[error("{} can't be used", path.display())]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("a certificate can't be made")]
    Make(#[from] rcgen::Error),
    #[error("no certificate can be valid at this time: check the machine's clock")]
    Clock,
}

/// The directory with the CA and the certificate.
#[derive(Debug, Clone)]
pub(super) struct DevCa(PathBuf);

impl DevCa {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self(directory)
    }

    /// What clients must trust: the value of `SSL_CERT_FILE`.
    pub(super) fn certificate_file(&self) -> PathBuf {
        self.0.join("ca.pem")
    }

    /// What the HTTPS listener reads.
    pub(super) fn server_files(&self) -> CertificateFiles {
        CertificateFiles {
            certificate: self.0.join("localhost.pem"),
            key: self.0.join("localhost.key"),
        }
    }

    /// Makes what is missing or about to expire. The pass of a reconciler.
    ///
    /// # Errors
    /// If files can't be read or written.
    pub(super) fn ensure(&self, now: Timestamp) -> Result<(), CaError> {
        let directory = &self.0;
        private_file::directory(directory).map_err(at(directory))?;
        let (issuer, is_new) = self.issuer(now)?;
        if is_new || self.leaf_is_due(now)? {
            self.issue(&issuer, now)?;
        }
        Ok(())
    }

    /// The CA as it is, or a new one.
    fn issuer(&self, now: Timestamp) -> Result<(Issuer<'static, KeyPair>, bool), CaError> {
        let (certificate_file, key_file) = (self.certificate_file(), self.0.join("ca.key"));
        let certificate = private_file::read(&certificate_file).map_err(at(&certificate_file))?;
        let key = private_file::read(&key_file).map_err(at(&key_file))?;
        if let (Some(certificate), Some(key)) = (&certificate, &key)
            && expiry(certificate).is_some_and(|end| end - LEAF_LIFE > now)
        {
            let issuer = Issuer::from_ca_cert_pem(certificate, KeyPair::from_pem(key)?)?;
            return Ok((issuer, false));
        }
        if certificate.is_some() {
            tracing::warn!(
                "the CA was unusable or about to expire: clients must trust the new one"
            );
        }
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = parameters("Terrane development CA", now, CA_LIFE)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let made = params.self_signed(&key)?;
        let pem = key.serialize_pem();
        private_file::write(&key_file, pem.as_bytes()).map_err(at(&key_file))?;
        private_file::write(&certificate_file, made.pem().as_bytes())
            .map_err(at(&certificate_file))?;
        Ok((Issuer::new(params, key), true))
    }

    fn leaf_is_due(&self, now: Timestamp) -> Result<bool, CaError> {
        let files = self.server_files();
        if !files.key.exists() {
            return Ok(true);
        }
        let pem = private_file::read(&files.certificate).map_err(at(&files.certificate))?;
        let end = pem.as_deref().and_then(expiry);
        Ok(end.is_none_or(|end| end - LEAF_LIFE / 3 <= now))
    }

    fn issue(&self, issuer: &Issuer<'static, KeyPair>, now: Timestamp) -> Result<(), CaError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = parameters("localhost", now, LEAF_LIFE)?;
        params.subject_alt_names = vec![
            SanType::DnsName("localhost".try_into()?),
            SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        ];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let made = params.signed_by(&key, issuer)?;
        let files = self.server_files();
        private_file::write(&files.key, key.serialize_pem().as_bytes()).map_err(at(&files.key))?;
        private_file::write(&files.certificate, made.pem().as_bytes())
            .map_err(at(&files.certificate))
    }
}

fn parameters(name: &str, now: Timestamp, life: TimeDelta) -> Result<CertificateParams, CaError> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date(now - BACKDATED)?;
    params.not_after = date(now + life)?;
    Ok(params)
}

fn date(at: Timestamp) -> Result<OffsetDateTime, CaError> {
    OffsetDateTime::from_unix_timestamp(at.timestamp()).map_err(|_| CaError::Clock)
}

/// When the first certificate in `pem` ends; `None` if there is none that can be read.
fn expiry(pem: &str) -> Option<Timestamp> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    let (_, certificate) = X509Certificate::from_der(&der).ok()?;
    Timestamp::from_timestamp(certificate.validity().not_after.timestamp(), 0)
}

fn at(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> CaError {
    let path = path.to_owned();
    move |source| CaError::File { path, source }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn contents(ca: &DevCa) -> (Vec<u8>, Vec<u8>) {
        let files = ca.server_files();
        (
            fs::read(ca.certificate_file()).unwrap(),
            fs::read(files.certificate).unwrap(),
        )
    }

    #[test]
    fn a_restart_keeps_ca_and_certificate() {
        let directory = tempfile::tempdir().unwrap();
        let ca = DevCa::new(directory.path().join("ca"));
        ca.ensure(now()).unwrap();
        let first = contents(&ca);
        ca.ensure(now() + TimeDelta::days(50)).unwrap();
        assert_eq!(contents(&ca), first);
    }

    #[test]
    fn the_certificate_is_renewed_before_it_expires_under_the_same_ca() {
        let directory = tempfile::tempdir().unwrap();
        let ca = DevCa::new(directory.path().to_owned());
        ca.ensure(now()).unwrap();
        let (ca_before, leaf_before) = contents(&ca);
        ca.ensure(now() + TimeDelta::days(61)).unwrap();
        let (ca_after, leaf_after) = contents(&ca);
        assert_eq!(ca_before, ca_after);
        assert_ne!(leaf_before, leaf_after);
    }

    #[test]
    fn a_lost_or_broken_certificate_is_made_anew() {
        let directory = tempfile::tempdir().unwrap();
        let ca = DevCa::new(directory.path().to_owned());
        ca.ensure(now()).unwrap();
        let (ca_before, _) = contents(&ca);
        fs::write(ca.server_files().certificate, "torn").unwrap();
        ca.ensure(now()).unwrap();
        fs::remove_file(ca.server_files().key).unwrap();
        ca.ensure(now()).unwrap();
        assert_eq!(contents(&ca).0, ca_before);
        assert!(ca.server_files().key.exists());
    }

    #[test]
    fn the_certificate_is_what_clients_check() {
        let directory = tempfile::tempdir().unwrap();
        let ca = DevCa::new(directory.path().to_owned());
        ca.ensure(now()).unwrap();
        let der = |path| CertificateDer::from_pem_file(path).unwrap();
        let (root, leaf) = (
            der(ca.certificate_file()),
            der(ca.server_files().certificate),
        );
        let (_, root) = X509Certificate::from_der(&root).unwrap();
        let (_, leaf) = X509Certificate::from_der(&leaf).unwrap();
        leaf.verify_signature(Some(root.public_key())).unwrap();
        assert!(root.is_ca() && !leaf.is_ca());
        let names = format!("{:?}", leaf.subject_alternative_name().unwrap().unwrap());
        assert!(
            names.contains("localhost") && names.contains("127, 0, 0, 1"),
            "{names}"
        );
    }
}
