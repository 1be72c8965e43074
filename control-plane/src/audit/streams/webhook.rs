//! Records to an address: one POST of JSON lines, signed.

use domain::Secret;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::Sha256;
use url::Url;

use super::model::Stream;
use crate::app::App;
use crate::audit::records::Lines;
use crate::clock::Timestamp;

/// The signature of a delivery: HMAC-SHA256 with the stream's secret, of the time in seconds, a dot, and
/// the body. The time is in it so that a delivery can't be sent again a day later.
pub(super) fn signature(secret: &Secret, seconds: i64, body: &[u8]) -> String {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.expose().as_bytes())
        .expect("HMAC takes keys of any length");
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    format!("v1={}", hex::encode(mac.finalize().into_bytes()))
}

fn headers(stream: &Stream, secret: &Secret, lines: &Lines, now: Timestamp) -> HeaderMap {
    let seconds = now.timestamp();
    let values = [
        ("content-type", "application/x-ndjson".to_owned()),
        ("terrane-account", stream.account_id.to_string()),
        ("terrane-stream", stream.id.to_string()),
        ("terrane-first-sequence", lines.first.to_string()),
        ("terrane-last-sequence", lines.last.to_string()),
        ("terrane-timestamp", seconds.to_string()),
        ("terrane-signature", signature(secret, seconds, &lines.body)),
    ];
    let mut headers = HeaderMap::new();
    for (name, value) in values {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    headers
}

/// Delivers; the error is a sentence for the tenant, with nothing of the answer in it.
pub(super) async fn send(
    app: &App,
    url: &str,
    stream: &Stream,
    secret: &Secret,
    lines: &Lines,
) -> Result<(), String> {
    let url: Url = url
        .parse()
        .map_err(|_| "its address is no URL".to_owned())?;
    let headers = headers(stream, secret, lines, app.clock.now());
    let sent = app.outbound.post(&url, headers, lines.body.clone()).await;
    sent.map_err(|error| error.to_string())
}
