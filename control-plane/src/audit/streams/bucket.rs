//! Records to a bucket: an object for each delivery, named by the places in the chain that it holds.

use blob::{ForeignBucket, S3Settings};
use domain::Secret;
use url::Url;

use super::model::{Destination, Stream};
use crate::app::App;
use crate::audit::records::Lines;

/// The name of the object. Sorted by name, objects are in the order of the chain within a day.
pub(super) fn name(stream: &Stream, prefix: &str, lines: &Lines) -> String {
    let day = lines.at.format("%Y/%m/%d");
    let (first, last) = (lines.first, lines.last);
    let name = format!("{}/{day}/{first:012}-{last:012}.jsonl", stream.account_id);
    match prefix.trim_matches('/') {
        "" => name,
        prefix => format!("{prefix}/{name}"),
    }
}

/// Delivers; the error is a sentence for the tenant, with nothing of the answer in it.
pub(super) async fn send(
    app: &App,
    stream: &Stream,
    secret: &Secret,
    lines: &Lines,
) -> Result<(), String> {
    let Destination::S3 {
        bucket,
        region,
        endpoint,
        prefix,
        access_key_id,
    } = &stream.destination
    else {
        return Err("it is no bucket".to_owned());
    };
    if let Some(endpoint) = endpoint {
        let url: Url = endpoint
            .parse()
            .map_err(|_| "its endpoint is no URL".to_owned())?;
        app.outbound.check(&url).map_err(|it| it.to_string())?;
    }
    let settings = S3Settings {
        bucket: bucket.clone(),
        region: region.clone(),
        endpoint: endpoint.clone(),
        access_key_id: Some(access_key_id.clone()),
        secret_access_key: Some(secret.clone()),
        allow_http: false,
        prefix: String::new(),
    };
    let wrong = |error: blob::Error| app.outbound.reason(&error);
    let bucket = ForeignBucket::connect(&settings, app.outbound.client()).map_err(wrong)?;
    let name = name(stream, prefix, lines);
    bucket.put(&name, lines.body.clone()).await.map_err(wrong)
}
