//! What a workspace is.

use domain::ids::{
    AccountId, ConfigurationVersionId, EnvironmentId, ProjectId, RunId, RunnerPoolId,
    StateVersionId, WorkspaceId,
};
use serde::{Deserialize, Serialize};

use super::lock::Lock;
use super::settings::Settings;
use crate::clock::Timestamp;

#[derive(Debug, Clone, PartialEq)]
pub struct Workspace {
    pub id: WorkspaceId,
    pub account_id: AccountId,
    pub environment_id: EnvironmentId,
    /// The environment's name, which the wire uses as the organization's id.
    pub environment_name: String,
    pub project_id: ProjectId,
    pub name: String,
    pub settings: Settings,
    pub git: Option<GitSource>,
    pub pool_id: Option<RunnerPoolId>,
    pub lock: Option<Lock>,
    pub current_run_id: Option<RunId>,
    pub current_state_version_id: Option<StateVersionId>,
    pub current_configuration_version_id: Option<ConfigurationVersionId>,
    pub resource_count: i64,
    /// Raised by every change of name, settings or lock: what a compare-and-set compares.
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Where a workspace's configuration is fetched from. The token is kept sealed beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitSource {
    /// `https://…` without credentials, or a repository over SSH.
    pub url: String,
    /// Branch, tag or commit.
    pub reference: String,
    pub username: String,
    /// PEM of the certificate authority to trust for this host, besides the public ones.
    pub ca_pem: Option<String>,
    pub submodules: bool,
    /// Over SSH: the keys that the host may have, as lines of OpenSSH's `known_hosts`.
    #[serde(default)]
    pub known_hosts: Option<String>,
}

/// How a caller names a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkspaceKey {
    Id(WorkspaceId),
    Name { environment: String, name: String },
}

/// Which workspaces of an environment are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Part of the name, in any case.
    pub name: Option<String>,
    /// Tags that must all be there.
    pub tags: Vec<String>,
    pub exclude_tags: Vec<String>,
    /// Bindings that must all be there; no value means any.
    pub tagged: Vec<(String, Option<String>)>,
    pub project: Option<ProjectId>,
    pub descending: bool,
}

/// Names that clients can put in a URL and a shell: letters, digits, `-` and `_`, 90 at most. A
/// name that begins like an id would be ambiguous.
pub fn valid_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 90
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && !name.starts_with("ws-")
        && !name.starts_with("env-")
}

#[cfg(test)]
mod unit {
    use super::valid_name;

    #[test]
    fn names_are_letters_digits_dashes_and_underscores() {
        assert!(valid_name("web-prod_2"));
        for bad in ["", "a b", "a/b", "ä", "ws-abc", "env-x", &"a".repeat(91)] {
            assert!(!valid_name(bad), "{bad:?}");
        }
    }
}
