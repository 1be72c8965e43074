//! Where the body of a data document comes from when nobody uploads it.

use chrono::TimeDelta;
use domain::Secret;
use domain::ids::PolicyDocumentId;
use serde_json::Value;
use url::Url;

use super::documents::MAX_BODY;
use super::error::PolicyError;
use crate::app::App;
use crate::outbound::OutboundError;
use crate::tenancy::SealedPlace;

type Result<T> = std::result::Result<T, PolicyError>;

const LEAST_MINUTES: i64 = 5;
const MOST_MINUTES: i64 = 7 * 24 * 60;
/// How soon a failed fetch is tried again, unless the document is due sooner.
const RETRY_MINUTES: i64 = 15;

/// An address that is asked again and again.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) url: Url,
    pub(super) refresh_minutes: i64,
    /// Goes along as a bearer's.
    pub(super) token: Option<Secret>,
}

pub(super) fn token_place(id: &PolicyDocumentId) -> SealedPlace {
    SealedPlace::new("policy-document-token", id)
}

impl Source {
    /// # Errors
    /// [`PolicyError::Invalid`] for an address that is not called, or an odd period.
    pub(super) fn new(
        app: &App,
        url: &str,
        refresh_minutes: i64,
        token: Option<Secret>,
    ) -> Result<Self> {
        let url: Url = url.parse().map_err(|_| {
            PolicyError::invalid("source/url", "it is no URL; use https://HOST/PATH")
        })?;
        app.outbound.check(&url).map_err(|it| wrong_url(&it))?;
        if !(LEAST_MINUTES..=MOST_MINUTES).contains(&refresh_minutes) {
            let detail = format!("use {LEAST_MINUTES} to {MOST_MINUTES} minutes");
            return Err(PolicyError::invalid("source/refresh-minutes", detail));
        }
        Ok(Self {
            url,
            refresh_minutes,
            token,
        })
    }

    /// What the address gives now.
    ///
    /// # Errors
    /// A sentence for whoever named the address.
    pub(super) async fn fetch(&self, app: &App) -> std::result::Result<Value, String> {
        let token = self.token.as_ref();
        let bytes = app.outbound.get(&self.url, token, MAX_BODY).await;
        let bytes = bytes.map_err(|error| error.to_string())?;
        // Nothing of the answer is told: it may be a page that the caller must not see.
        serde_json::from_slice(&bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            format!("it gives no JSON (line {line}, column {column})")
        })
    }

    /// The time to the next fetch.
    pub(super) fn pause(&self, failed: bool) -> TimeDelta {
        let minutes = if failed {
            self.refresh_minutes.min(RETRY_MINUTES)
        } else {
            self.refresh_minutes
        };
        TimeDelta::minutes(minutes)
    }
}

fn wrong_url(error: &OutboundError) -> PolicyError {
    PolicyError::invalid("source/url", error.to_string())
}
