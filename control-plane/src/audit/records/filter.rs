//! Which records are wanted.

use serde::Serialize;

use crate::clock::Timestamp;
use crate::http::error::ApiResult;
use crate::http::query::Query;

/// Each is left out when it is empty.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::audit) struct Filter {
    /// Ids or names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actors: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actor_kinds: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target_types: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target_ids: Vec<String>,
    /// Names or ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<String>,
    /// Names or ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub workspaces: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Filter {
    pub(super) fn from_query(query: &Query) -> ApiResult<Self> {
        let words = |key: &str| query.words(key).into_iter().map(str::to_owned).collect();
        Ok(Self {
            actors: words("filter[actor]"),
            actor_kinds: words("filter[actor-kind]"),
            actions: words("filter[action]"),
            target_types: words("filter[target-type]"),
            target_ids: words("filter[target]"),
            environments: words("filter[environment]"),
            workspaces: words("filter[workspace]"),
            outcomes: words("filter[outcome]"),
            request: query.get("filter[request-id]").map(str::to_owned),
            since: query.time("filter[since]", false)?,
            until: query.time("filter[until]", true)?,
        })
    }
}
