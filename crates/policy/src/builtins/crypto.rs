//! Hashes: `crypto.md5`, `crypto.sha256`, `crypto.hmac.…`.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use regorus::Value;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;

use super::Implementation;

pub(super) const BUILTINS: &[(&str, u8, Implementation)] = &[
    ("crypto.md5", 1, |of| digest::<Md5>(of)),
    ("crypto.sha1", 1, |of| digest::<Sha1>(of)),
    ("crypto.sha256", 1, |of| digest::<Sha256>(of)),
    ("crypto.hmac.md5", 2, |of| mac::<Hmac<Md5>>(of)),
    ("crypto.hmac.sha1", 2, |of| mac::<Hmac<Sha1>>(of)),
    ("crypto.hmac.sha256", 2, |of| mac::<Hmac<Sha256>>(of)),
    ("crypto.hmac.sha512", 2, |of| mac::<Hmac<Sha512>>(of)),
    ("crypto.hmac.equal", 2, equal),
];

fn digest<D: Digest>(arguments: &[Value]) -> anyhow::Result<Value> {
    let text = arguments[0].as_string()?;
    Ok(Value::from(hex::encode(D::digest(text.as_bytes()))))
}

fn mac<M: Mac + KeyInit>(arguments: &[Value]) -> anyhow::Result<Value> {
    let (text, key) = (arguments[0].as_string()?, arguments[1].as_string()?);
    let mut mac = <M as KeyInit>::new_from_slice(key.as_bytes())?;
    mac.update(text.as_bytes());
    Ok(Value::from(hex::encode(mac.finalize().into_bytes())))
}

fn equal(arguments: &[Value]) -> anyhow::Result<Value> {
    let (one, other) = (arguments[0].as_string()?, arguments[1].as_string()?);
    let same: bool = one.as_bytes().ct_eq(other.as_bytes()).into();
    Ok(Value::from(same))
}
