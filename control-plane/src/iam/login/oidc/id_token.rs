//! Whether an ID token is to be believed: OpenID Connect Core, section 3.1.3.7.

use chrono::TimeDelta;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::error::OidcError;
use crate::clock::Timestamp;

/// Clocks differ.
const LEEWAY: TimeDelta = TimeDelta::seconds(60);
/// A token that was made long ago was not made for this sign-in.
const OLDEST: TimeDelta = TimeDelta::minutes(30);
/// Keys beyond these are not looked at.
const MAX_KEYS: usize = 100;

/// Signatures that only the provider can make. With a shared secret, whoever knows our secret could.
const ALGORITHMS: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

type Claims = Map<String, Value>;

/// What the token has to say.
pub(super) struct Expected<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    pub nonce: &'a str,
    pub now: Timestamp,
}

/// The keys of a document; those of kinds unknown here are left out.
pub(super) fn read_keys(bytes: &[u8]) -> Option<JwkSet> {
    let document: Value = serde_json::from_slice(bytes).ok()?;
    let keys = document.get("keys")?.as_array()?;
    let keys = keys
        .iter()
        .take(MAX_KEYS)
        .filter_map(|key| serde_json::from_value::<Jwk>(key.clone()).ok())
        .collect();
    Some(JwkSet { keys })
}

/// The claims of a token that is believed; `None` if none of `keys` is the one that it names.
pub(super) fn verify(
    keys: &JwkSet,
    token: &str,
    expected: &Expected<'_>,
) -> Result<Option<Claims>, OidcError> {
    let header = decode_header(token).map_err(|_| OidcError::Token("it can't be read"))?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(OidcError::Token("its kind of signature is not accepted"));
    }
    let signing: Vec<&Jwk> = keys.keys.iter().filter(|key| signs(key)).collect();
    let candidates: Vec<&Jwk> = match &header.kid {
        Some(kid) => signing
            .into_iter()
            .filter(|key| key.common.key_id.as_ref() == Some(kid))
            .collect(),
        None => signing,
    };
    if candidates.is_empty() {
        return Ok(None);
    }
    let mut validation = Validation::new(header.alg);
    // The times are checked below, by our own clock.
    validation.validate_exp = false;
    validation.required_spec_claims = ["exp", "iss", "aud", "sub"].map(str::to_owned).into();
    validation.set_issuer(&[expected.issuer]);
    validation.set_audience(&[expected.client_id]);
    let claims = candidates
        .into_iter()
        .filter_map(|key| DecodingKey::from_jwk(key).ok())
        .find_map(|key| decode::<Claims>(token, &key, &validation).ok())
        .ok_or(OidcError::Token(
            "its signature, issuer or audience is wrong",
        ))?
        .claims;
    check_claims(&claims, expected)?;
    Ok(Some(claims))
}

fn signs(key: &Jwk) -> bool {
    matches!(
        key.common.public_key_use,
        None | Some(PublicKeyUse::Signature)
    )
}

fn check_claims(claims: &Claims, expected: &Expected<'_>) -> Result<(), OidcError> {
    let nonce = claims.get("nonce").and_then(Value::as_str);
    if nonce != Some(expected.nonce) {
        return Err(OidcError::Token("it was not made for this sign-in"));
    }
    // Several audiences: it must have been made for us, not only be readable by us.
    let several = matches!(claims.get("aud"), Some(Value::Array(list)) if list.len() > 1);
    match claims.get("azp").and_then(Value::as_str) {
        Some(party) if party != expected.client_id => {
            return Err(OidcError::Token("it was made for another client"));
        }
        None if several => return Err(OidcError::Token("it was made for several clients")),
        Some(_) | None => {}
    }
    let at = |name: &str| {
        let seconds = claims.get(name).and_then(Value::as_f64)?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "seconds of a time, bounded by the parser"
        )]
        Timestamp::from_timestamp(seconds as i64, 0)
    };
    let now = expected.now;
    if at("exp").is_none_or(|exp| exp + LEEWAY <= now) {
        return Err(OidcError::Token("it has expired"));
    }
    if at("iat").is_none_or(|iat| iat > now + LEEWAY || iat + OLDEST < now) {
        return Err(OidcError::Token("it is from another time"));
    }
    if at("nbf").is_some_and(|nbf| nbf > now + LEEWAY) {
        return Err(OidcError::Token("it is not valid yet"));
    }
    Ok(())
}
