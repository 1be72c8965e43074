//! The runner's half: its key, its request, its signature. The key never leaves the machine.

use domain::Secret;
use rcgen::{CertificateParams, DistinguishedName, SigningKey};

use super::CaError;
use super::issue::{key_from_pkcs8, making, new_key};

/// A new key and the request for a certificate over it.
pub struct KeyAndCsr {
    /// PKCS#8.
    pub key: Secret<Vec<u8>>,
    /// PKCS#10, DER.
    pub csr_der: Vec<u8>,
}

/// Makes a key and a request that carries nothing but it.
pub fn generate_key_and_csr() -> Result<KeyAndCsr, CaError> {
    let key = Secret::new(new_key()?.serialize_der());
    let csr_der = csr_for_key(&key)?;
    Ok(KeyAndCsr { key, csr_der })
}

/// A request (PKCS#10, DER) for a key that exists (PKCS#8), as recovery needs it.
pub fn csr_for_key(key: &Secret<Vec<u8>>) -> Result<Vec<u8>, CaError> {
    let key = key_from_pkcs8(key.expose()).map_err(making("key from its file"))?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let request = params
        .serialize_request(&key)
        .map_err(making("certificate request"))?;
    Ok(request.der().to_vec())
}

/// Signs with a key (PKCS#8): ECDSA P-256 SHA-256, ASN.1.
pub fn sign_with_key(key: &Secret<Vec<u8>>, message: &[u8]) -> Result<Vec<u8>, CaError> {
    let key = key_from_pkcs8(key.expose()).map_err(making("key from its file"))?;
    key.sign(message).map_err(making("signature"))
}
