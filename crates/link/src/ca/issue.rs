//! Issuing: the CA itself, runners' certificates and the gateway's.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use domain::Secret;
use domain::ids::RunnerId;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use rustls_pki_types::{
    CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer,
};

use super::proof::csr_public_key;
use super::{CaError, DELIVERY_PREFIX, Fingerprint, IDENTITY_PREFIX, SERVER_NAME, fingerprint};

/// The installation's own CA for runners and the gateway.
pub struct RunnerCa {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate of the gateway with its key.
#[derive(Clone)]
pub struct ServerCertificate {
    /// The certificate, then the CA's, which a joining runner compares with its token.
    pub chain: Vec<CertificateDer<'static>>,
    /// PKCS#8.
    pub key: Secret<Vec<u8>>,
}

impl RunnerCa {
    /// Makes a new CA with a new key.
    pub fn generate(not_before: DateTime<Utc>, not_after: DateTime<Utc>) -> Result<Self, CaError> {
        let key = new_key()?;
        let mut params = parameters("Terrane runner CA", not_before, not_after)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(making("CA certificate"))?;
        Ok(Self {
            certificate: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        })
    }

    /// Takes a stored CA up again: its certificate (DER) and key (PKCS#8).
    pub fn from_der(certificate: &[u8], key: &Secret<Vec<u8>>) -> Result<Self, CaError> {
        let key = key_from_pkcs8(key.expose()).map_err(making("CA key"))?;
        let certificate = CertificateDer::from(certificate.to_vec());
        let issuer = Issuer::from_ca_cert_der(&certificate, key)
            .map_err(making("CA from its certificate"))?;
        Ok(Self {
            certificate,
            issuer,
        })
    }

    /// The CA's certificate. Public.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The CA's key (PKCS#8). Store it sealed only.
    pub fn key_pkcs8(&self) -> Secret<Vec<u8>> {
        Secret::new(self.issuer.key().serialize_der())
    }

    /// SHA-256 of the CA's certificate, as join tokens carry it.
    pub fn fingerprint(&self) -> Fingerprint {
        fingerprint(&self.certificate)
    }

    /// A runner's certificate for the key of `csr_der` (PKCS#10, which must prove the key by its
    /// own signature). Everything else in the request is ignored: the server decides all fields.
    pub fn sign_csr(
        &self,
        csr_der: &[u8],
        runner: &RunnerId,
        not_before: DateTime<Utc>,
        not_after: DateTime<Utc>,
    ) -> Result<CertificateDer<'static>, CaError> {
        self.sign_as(IDENTITY_PREFIX, csr_der, runner, not_before, not_after)
    }

    /// As [`RunnerCa::sign_csr`], for a revoked runner that has something to deliver.
    pub fn sign_delivery(
        &self,
        csr_der: &[u8],
        runner: &RunnerId,
        not_before: DateTime<Utc>,
        not_after: DateTime<Utc>,
    ) -> Result<CertificateDer<'static>, CaError> {
        self.sign_as(DELIVERY_PREFIX, csr_der, runner, not_before, not_after)
    }

    fn sign_as(
        &self,
        prefix: &str,
        csr_der: &[u8],
        runner: &RunnerId,
        not_before: DateTime<Utc>,
        not_after: DateTime<Utc>,
    ) -> Result<CertificateDer<'static>, CaError> {
        csr_public_key(csr_der)?;
        let mut request =
            CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(csr_der))
                .map_err(|error| CaError::Malformed {
                    what: "certificate request",
                    detail: error.to_string(),
                })?;
        let uri = format!("{prefix}{runner}");
        let mut params = parameters(runner.as_str(), not_before, not_after)?;
        params.subject_alt_names = vec![SanType::URI(
            uri.try_into().map_err(making("identity of the runner"))?,
        )];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        request.params = leaf(params);
        let certificate = request
            .signed_by(&self.issuer)
            .map_err(making("runner certificate"))?;
        Ok(certificate.der().clone())
    }

    /// The gateway's own certificate with a new key. `names` (host names or addresses) are added
    /// for people who look at it; runners ask for [`SERVER_NAME`] only, which is always there.
    pub fn issue_server(
        &self,
        names: &[String],
        not_before: DateTime<Utc>,
        not_after: DateTime<Utc>,
    ) -> Result<ServerCertificate, CaError> {
        let key = new_key()?;
        let mut params = parameters("Terrane runner gateway", not_before, not_after)?;
        let names = std::iter::once(SERVER_NAME).chain(names.iter().map(String::as_str));
        params.subject_alt_names = names.map(server_name).collect::<Result<_, _>>()?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = leaf(params)
            .signed_by(&key, &self.issuer)
            .map_err(making("gateway certificate"))?;
        Ok(ServerCertificate {
            chain: vec![certificate.der().clone(), self.certificate.clone()],
            key: Secret::new(key.serialize_der()),
        })
    }
}

/// A P-256 key from PKCS#8.
pub(super) fn key_from_pkcs8(der: &[u8]) -> Result<KeyPair, rcgen::Error> {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der));
    KeyPair::from_der_and_sign_algo(&key, &rcgen::PKCS_ECDSA_P256_SHA256)
}

pub(super) fn new_key() -> Result<KeyPair, CaError> {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(making("key"))
}

pub(super) fn making(what: &'static str) -> impl FnOnce(rcgen::Error) -> CaError {
    move |source| CaError::Make { what, source }
}

fn parameters(
    common_name: &str,
    not_before: DateTime<Utc>,
    not_after: DateTime<Utc>,
) -> Result<CertificateParams, CaError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.not_before = date(not_before)?;
    params.not_after = date(not_after)?;
    params.serial_number = Some(random_serial());
    Ok(params)
}

fn leaf(mut params: CertificateParams) -> CertificateParams {
    params.is_ca = IsCa::NoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params
}

fn server_name(name: &str) -> Result<SanType, CaError> {
    match name.parse::<IpAddr>() {
        Ok(address) => Ok(SanType::IpAddress(address)),
        Err(_) => name
            .try_into()
            .map(SanType::DnsName)
            .map_err(making("name in the gateway certificate")),
    }
}

/// 16 random bytes, positive and without a leading zero (RFC 5280, 4.1.2.2).
fn random_serial() -> SerialNumber {
    let mut bytes: [u8; 16] = rand::random();
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    SerialNumber::from_slice(&bytes)
}

fn date(moment: DateTime<Utc>) -> Result<time::OffsetDateTime, CaError> {
    time::OffsetDateTime::from_unix_timestamp(moment.timestamp())
        .ok()
        .filter(|date| (1950..10_000).contains(&date.year()))
        .ok_or(CaError::Date(moment))
}
