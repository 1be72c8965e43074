//! Query strings with bracketed keys (`search[name]`, `filter[tagged][0][key]`), as the clients
//! send them. Unknown keys are ignored: the CLI sends stray ones.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use chrono::{Datelike as _, Days, NaiveDate, NaiveTime, SubsecRound as _};
use http::request::Parts;

use super::error::ApiError;
use crate::clock::Timestamp;
use crate::problem::Kind;

/// The query's pairs, decoded, in order.
#[derive(Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn parse(text: &str) -> Self {
        Self(
            url::form_urlencoded::parse(text.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    /// The first value of `key`, unless it is empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(k, v)| k == key && !v.is_empty())
            .map(|(_, v)| v.as_str())
    }

    /// The comma-separated words of `key`.
    pub fn words(&self, key: &str) -> Vec<&str> {
        self.get(key)
            .map(|text| {
                text.split(',')
                    .map(str::trim)
                    .filter(|word| !word.is_empty())
                    .collect()
            })
            .unwrap_or_default()
    }

    /// A time, or a day: from its beginning, or with `whole` to its end.
    ///
    /// # Errors
    /// 400 for what is neither, or can't be compared by both databases.
    pub fn time(&self, key: &str, whole: bool) -> Result<Option<Timestamp>, ApiError> {
        let Some(text) = self.get(key) else {
            return Ok(None);
        };
        let day = || {
            let day: NaiveDate = text.parse().ok()?;
            let day = day.checked_add_days(Days::new(u64::from(whole)))?;
            Some(day.and_time(NaiveTime::MIN).and_utc())
        };
        let found = text.parse::<Timestamp>().ok().or_else(day);
        let known = found.filter(|it| (1970..=9990).contains(&it.year()));
        known.map(|it| Some(it.trunc_subsecs(6))).ok_or_else(|| {
            ApiError::new(
                Kind::Malformed,
                "request.bad-parameter",
                format!("`{key}` must be a time such as 2026-05-01T12:00:00Z, or a day"),
            )
        })
    }

    /// Whether `include` names `what`, with underscores or dashes.
    pub fn includes(&self, what: &str) -> bool {
        self.words("include")
            .iter()
            .any(|word| word.replace('-', "_") == what)
    }

    /// Pairs of `filter[tagged][I][key]` and `filter[tagged][I][value]`.
    pub fn tagged(&self) -> Vec<(String, Option<String>)> {
        (0..100)
            .map_while(|i| {
                let key = self.get(&format!("filter[tagged][{i}][key]"))?;
                let value = self.get(&format!("filter[tagged][{i}][value]"));
                Some((key.to_owned(), value.map(str::to_owned)))
            })
            .collect()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_and_commas_are_read() {
        let query = Query::parse(
            "search%5Btags%5D=a%2Cb&TagBindings=%7B+app%7D&filter[tagged][0][key]=env&include=task-stages,plan",
        );
        assert_eq!(query.words("search[tags]"), ["a", "b"]);
        assert_eq!(query.tagged(), [("env".to_owned(), None)]);
        assert!(
            query.includes("task_stages") && query.includes("plan") && !query.includes("apply")
        );
    }
}
