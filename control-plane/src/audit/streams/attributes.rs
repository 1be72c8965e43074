//! Streams on the wire. TFE has none, so the shape is ours, in its style.

use domain::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::{Destination, NewStream, Stream, StreamChange};
use crate::audit::chain::Chain;
use crate::audit::error::AuditError;
use crate::clock::Timestamp;
use crate::http::attributes::Attributes;
use crate::http::jsonapi::{Resource, zulu, zulu_or_null};

/// Attributes of type `audit-streams`. The secret is never shown.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct StreamAttributes {
    pub name: String,
    /// `webhook` or `s3`.
    pub kind: &'static str,
    pub url: Option<String>,
    pub bucket: Option<String>,
    pub region: Option<String>,
    pub endpoint: Option<String>,
    pub prefix: Option<String>,
    pub access_key_id: Option<String>,
    pub paused: bool,
    /// `paused`, `failing`, `behind` or `up-to-date`.
    pub status: &'static str,
    /// Of the last record that has arrived.
    pub delivered_sequence: i64,
    /// Records that have not arrived.
    pub waiting: i64,
    #[serde(serialize_with = "zulu_or_null")]
    #[schema(value_type = Option<String>)]
    pub delivered_at: Option<Timestamp>,
    /// In a row.
    pub failures: i64,
    pub last_error: Option<String>,
    #[serde(serialize_with = "zulu_or_null")]
    #[schema(value_type = Option<String>)]
    pub failed_at: Option<Timestamp>,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub next_attempt_at: Timestamp,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub created_at: Timestamp,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub updated_at: Timestamp,
}

/// Where it goes, in attributes.
#[derive(Default)]
struct Place {
    url: Option<String>,
    bucket: Option<String>,
    region: Option<String>,
    endpoint: Option<String>,
    prefix: Option<String>,
    access_key_id: Option<String>,
}

impl Place {
    fn of(destination: &Destination) -> Self {
        match destination.clone() {
            Destination::Webhook { url } => Self {
                url: Some(url),
                ..Self::default()
            },
            Destination::S3 {
                bucket,
                region,
                endpoint,
                prefix,
                access_key_id,
            } => Self {
                url: None,
                bucket: Some(bucket),
                region: Some(region),
                endpoint,
                prefix: Some(prefix),
                access_key_id: Some(access_key_id),
            },
        }
    }
}

/// A stream as a JSON:API object.
pub(super) fn resource(stream: &Stream, chain: &Chain) -> Resource<StreamAttributes> {
    let place = Place::of(&stream.destination);
    let waiting = (chain.sequence - stream.delivered_sequence).max(0);
    let status = if stream.paused {
        "paused"
    } else if stream.failures > 0 {
        "failing"
    } else if waiting > 0 {
        "behind"
    } else {
        "up-to-date"
    };
    let attributes = StreamAttributes {
        name: stream.name.clone(),
        kind: stream.destination.kind(),
        url: place.url,
        bucket: place.bucket,
        region: place.region,
        endpoint: place.endpoint,
        prefix: place.prefix,
        access_key_id: place.access_key_id,
        paused: stream.paused,
        status,
        delivered_sequence: stream.delivered_sequence,
        waiting,
        delivered_at: stream.delivered_at,
        failures: stream.failures,
        last_error: stream.last_error.clone(),
        failed_at: stream.failed_at,
        next_attempt_at: stream.next_attempt_at,
        created_at: stream.created_at,
        updated_at: stream.updated_at,
    };
    Resource::new("audit-streams", &stream.id, attributes)
        .link("self", format!("/api/v2/audit-streams/{}", stream.id))
}

/// What a create or update may carry. Where it goes is changed as a whole.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct StreamInput {
    pub name: Option<String>,
    /// `webhook` or `s3`.
    pub kind: Option<String>,
    /// Of a webhook: `https://…`.
    pub url: Option<String>,
    pub bucket: Option<String>,
    pub region: Option<String>,
    /// Of a service other than Amazon's: `https://…`.
    pub endpoint: Option<String>,
    /// Begins the name of each object.
    pub prefix: Option<String>,
    pub access_key_id: Option<String>,
    /// What deliveries to a webhook are signed with, or the secret access key of a bucket.
    #[schema(value_type = Option<String>)]
    pub secret: Option<Secret>,
    pub paused: Option<bool>,
    /// Of a create: `now` (unless given) or `beginning`.
    pub from: Option<String>,
}

impl Attributes for StreamInput {
    const TYPES: &'static [&'static str] = &["audit-streams"];
}

fn missing(field: &str) -> AuditError {
    AuditError::invalid(field, "it is missing; this kind of stream needs it")
}

fn needless(field: &str) -> AuditError {
    AuditError::invalid(field, "this kind of stream has no such thing; leave it out")
}

impl StreamInput {
    fn names_a_place(&self) -> bool {
        self.kind.is_some()
            || self.url.is_some()
            || self.bucket.is_some()
            || self.region.is_some()
            || self.endpoint.is_some()
            || self.prefix.is_some()
            || self.access_key_id.is_some()
    }

    /// Where it goes; `kind` unless another is named.
    fn destination(&mut self, kind: &str) -> Result<Destination, AuditError> {
        let kind = self.kind.take().unwrap_or_else(|| kind.to_owned());
        match kind.as_str() {
            "webhook" => {
                for (field, value) in [
                    ("bucket", &self.bucket),
                    ("region", &self.region),
                    ("endpoint", &self.endpoint),
                    ("prefix", &self.prefix),
                    ("access-key-id", &self.access_key_id),
                ] {
                    if value.is_some() {
                        return Err(needless(field));
                    }
                }
                let url = self.url.take().ok_or_else(|| missing("url"))?;
                Ok(Destination::Webhook { url })
            }
            "s3" if self.url.is_some() => Err(needless("url")),
            "s3" => Ok(Destination::S3 {
                bucket: self.bucket.take().ok_or_else(|| missing("bucket"))?,
                region: self.region.take().ok_or_else(|| missing("region"))?,
                endpoint: self.endpoint.take(),
                prefix: self.prefix.take().unwrap_or_default(),
                access_key_id: self
                    .access_key_id
                    .take()
                    .ok_or_else(|| missing("access-key-id"))?,
            }),
            _ => Err(AuditError::invalid("kind", "use webhook or s3")),
        }
    }

    /// # Errors
    /// [`AuditError::Invalid`], naming the field.
    pub(super) fn into_new(mut self) -> Result<NewStream, AuditError> {
        let from_beginning = match self.from.as_deref() {
            None | Some("now") => false,
            Some("beginning") => true,
            Some(_) => return Err(AuditError::invalid("from", "use now or beginning")),
        };
        Ok(NewStream {
            destination: self.destination("")?,
            name: self.name.unwrap_or_default(),
            secret: self.secret.ok_or_else(|| missing("secret"))?,
            paused: self.paused.unwrap_or(false),
            from_beginning,
        })
    }

    /// # Errors
    /// [`AuditError::Invalid`], naming the field.
    pub(super) fn into_change(mut self, stream: &Stream) -> Result<StreamChange, AuditError> {
        if self.from.is_some() {
            let detail = "where a stream begins is said when it is made; make another one";
            return Err(AuditError::invalid("from", detail));
        }
        let destination = if self.names_a_place() {
            Some(self.destination(stream.destination.kind())?)
        } else {
            None
        };
        Ok(StreamChange {
            name: self.name,
            destination,
            secret: self.secret,
            paused: self.paused,
        })
    }
}
