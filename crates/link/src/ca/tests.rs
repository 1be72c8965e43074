//! The CA against requests and certificates that try something.

use chrono::{DateTime, TimeDelta, Utc};
use domain::Secret;
use domain::ids::RunnerId;
use proptest::prelude::*;
use rcgen::{CertificateParams, DnType, IsCa, KeyPair, SanType};
use x509_parser::prelude::FromDer;

use super::*;

fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn ca() -> RunnerCa {
    RunnerCa::generate(noon(), noon() + TimeDelta::days(3650)).unwrap()
}

fn sign(ca: &RunnerCa, csr: &[u8]) -> Result<Vec<u8>, CaError> {
    let runner = "runner-1234".parse().unwrap();
    ca.sign_csr(csr, &runner, noon(), noon() + TimeDelta::days(1))
        .map(|certificate| certificate.to_vec())
}

#[test]
fn a_certificate_says_what_the_server_decided() {
    let ca = ca();
    let made = generate_key_and_csr().unwrap();
    let certificate = sign(&ca, &made.csr_der).unwrap();
    let peer = parse_peer(&certificate).unwrap();
    assert_eq!(peer.runner_id.as_str(), "runner-1234");
    assert_eq!(peer.not_after, noon() + TimeDelta::days(1));
    assert_eq!(peer.spki, csr_public_key(&made.csr_der).unwrap());
    assert_eq!(peer.serial.len(), 32);
    verify_issued_by(ca.certificate(), &certificate).unwrap();
    assert_ne!(
        peer.serial,
        parse_peer(&sign(&ca, &made.csr_der).unwrap())
            .unwrap()
            .serial
    );
}

#[test]
fn a_certificate_for_deliveries_is_told_apart() {
    let ca = ca();
    let made = generate_key_and_csr().unwrap();
    let runner = "runner-1234".parse().unwrap();
    let until = noon() + TimeDelta::hours(1);
    let certificate = ca
        .sign_delivery(&made.csr_der, &runner, noon(), until)
        .unwrap();
    let peer = parse_peer(&certificate).unwrap();
    assert_eq!((peer.runner_id, peer.delivers_only), (runner, true));
    let ordinary = sign(&ca, &made.csr_der).unwrap();
    assert!(!parse_peer(&ordinary).unwrap().delivers_only);
}

#[test]
fn what_a_request_asks_for_is_ignored() {
    let mut params = CertificateParams::new(vec!["gateway.terrane.internal".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "admin");
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let other = format!("{IDENTITY_PREFIX}runner-other");
    params
        .subject_alt_names
        .push(SanType::URI(other.try_into().unwrap()));
    let request = params
        .serialize_request(&KeyPair::generate().unwrap())
        .unwrap();
    let certificate = sign(&ca(), request.der()).unwrap();
    let (_, parsed) = x509_parser::certificate::X509Certificate::from_der(&certificate).unwrap();
    assert!(!parsed.is_ca());
    assert!(parsed.subject().to_string().contains("runner-1234"));
    assert_eq!(
        parse_peer(&certificate).unwrap().runner_id.as_str(),
        "runner-1234"
    );
}

#[test]
fn only_p256_keys_are_certified() {
    for algorithm in [&rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let request = CertificateParams::default()
            .serialize_request(&key)
            .unwrap();
        assert!(matches!(
            sign(&ca(), request.der()),
            Err(CaError::KeyType { .. })
        ));
    }
}

#[test]
fn a_request_must_prove_its_key() {
    let mut csr = generate_key_and_csr().unwrap().csr_der;
    let last = csr.len() - 1;
    csr[last] ^= 1;
    assert!(sign(&ca(), &csr).is_err());
    assert!(matches!(
        sign(&ca(), &vec![0x30; 9000]),
        Err(CaError::Malformed { .. })
    ));
}

#[test]
fn a_certificate_with_two_names_names_nobody() {
    let mut params = CertificateParams::default();
    for id in ["runner-a", "runner-b"] {
        let uri = format!("{IDENTITY_PREFIX}{id}");
        params
            .subject_alt_names
            .push(SanType::URI(uri.try_into().unwrap()));
        let one_or_two = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let is_one = params.subject_alt_names.len() == 1;
        assert_eq!(parse_peer(one_or_two.der()).is_ok(), is_one);
    }
    let ca = ca();
    let server = ca
        .issue_server(&[], noon(), noon() + TimeDelta::days(1))
        .unwrap();
    assert!(parse_peer(&server.chain[0]).is_err());
    assert!(parse_peer(ca.certificate()).is_err());
}

#[test]
fn a_stored_ca_signs_as_before() {
    let first = ca();
    let again = RunnerCa::from_der(first.certificate(), &first.key_pkcs8()).unwrap();
    assert_eq!(again.fingerprint(), first.fingerprint());
    let certificate = sign(&again, &generate_key_and_csr().unwrap().csr_der).unwrap();
    verify_issued_by(first.certificate(), &certificate).unwrap();
}

/// Another CA with the same name, as every installation has it.
#[test]
fn another_installations_certificate_is_foreign() {
    let certificate = sign(&ca(), &generate_key_and_csr().unwrap().csr_der).unwrap();
    assert!(matches!(
        verify_issued_by(ca().certificate(), &certificate),
        Err(CaError::ForeignIssuer)
    ));
}

/// A runner's key must not make further certificates.
#[test]
fn a_runner_is_no_issuer() {
    let ca = ca();
    let certificate = sign(&ca, &generate_key_and_csr().unwrap().csr_der).unwrap();
    assert!(verify_issued_by(&certificate, &certificate).is_err());
    assert!(verify_issued_by(ca.certificate(), ca.certificate()).is_err());
}

struct Lost {
    ca: RunnerCa,
    certificate: Vec<u8>,
    key: Secret<Vec<u8>>,
    csr: Vec<u8>,
}

impl Lost {
    fn new() -> Self {
        let ca = ca();
        let made = generate_key_and_csr().unwrap();
        let certificate = sign(&ca, &made.csr_der).unwrap();
        Self {
            ca,
            certificate,
            key: made.key,
            csr: made.csr_der,
        }
    }

    fn recover(&self, csr: &[u8], signer: &Secret<Vec<u8>>, age: i64) -> Result<RunnerId, CaError> {
        let now = noon() + TimeDelta::days(30);
        let signed_at = now.timestamp() - age;
        let signature = sign_with_key(signer, &recovery_message(csr, signed_at)).unwrap();
        let claim = RecoveryClaim {
            certificate_der: &self.certificate,
            csr_der: csr,
            signed_at,
            signature: &signature,
        };
        check_recovery(self.ca.certificate(), claim, now).map(|peer| peer.runner_id)
    }
}

#[test]
fn only_the_old_key_recovers_and_only_now() {
    let lost = Lost::new();
    let thief = generate_key_and_csr().unwrap();
    assert_eq!(
        lost.recover(&lost.csr, &lost.key, 299).unwrap().as_str(),
        "runner-1234"
    );
    assert!(lost.recover(&lost.csr, &lost.key, -299).is_ok());
    assert!(matches!(
        lost.recover(&lost.csr, &lost.key, 301),
        Err(CaError::Stale(-301))
    ));
    assert!(matches!(
        lost.recover(&lost.csr, &lost.key, -301),
        Err(CaError::Stale(301))
    ));
    assert!(matches!(
        lost.recover(&lost.csr, &thief.key, 0),
        Err(CaError::BadSignature)
    ));
    assert!(matches!(
        lost.recover(&thief.csr_der, &thief.key, 0),
        Err(CaError::OtherKey)
    ));
    assert!(matches!(
        lost.recover(&thief.csr_der, &lost.key, 0),
        Err(CaError::OtherKey)
    ));
}

#[test]
fn extreme_times_are_stale_and_not_a_panic() {
    let lost = Lost::new();
    for signed_at in [i64::MIN, i64::MAX] {
        let claim = RecoveryClaim {
            certificate_der: &lost.certificate,
            csr_der: &lost.csr,
            signed_at,
            signature: &[],
        };
        let outcome = check_recovery(lost.ca.certificate(), claim, noon());
        assert!(matches!(outcome, Err(CaError::Stale(_))));
    }
}

#[test]
fn dates_that_no_certificate_can_hold_are_refused() {
    let end = DateTime::from_timestamp(300_000_000_000, 0).unwrap();
    assert!(matches!(
        RunnerCa::generate(noon(), end),
        Err(CaError::Date(_))
    ));
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse_peer(&bytes);
        let _ = csr_public_key(&bytes);
        let _ = verify_issued_by(&bytes, &bytes);
        let _ = verify_signature(&bytes, &bytes, &bytes);
    }

    #[test]
    fn any_damage_to_a_request_is_answered(at in 0_usize..200, with in any::<u8>()) {
        let mut csr = generate_key_and_csr().unwrap().csr_der;
        let at = at % csr.len();
        let changed = csr[at] != with;
        csr[at] = with;
        // Only the outermost wrapping of a request is not covered by its signature.
        let _ = (changed, sign(&ca(), &csr));
    }
}
