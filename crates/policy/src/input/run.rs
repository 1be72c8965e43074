//! The run as policies see it: `tfrun`, and `run` for policy sets.
//!
//! Two forms of the same facts, because policies written for either kind of group are to run
//! unchanged. The field names are the contract.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What is known of a run when a gate asks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub id: String,
    /// RFC 3339.
    pub created_at: String,
    /// `cli`, `ui`, `api`, `vcs`, `schedule`, `run-trigger`, …
    pub source: String,
    pub message: String,
    pub is_destroy: bool,
    /// Whether nothing will be applied.
    pub is_dry: bool,
    pub refresh_only: bool,
    /// Addresses given with `-target`.
    pub target_addresses: Vec<String>,
    /// Addresses given with `-replace`.
    pub replace_addresses: Vec<String>,
    /// Null where no person started it.
    pub created_by: Option<Author>,
    pub environment: Named,
    pub project: Named,
    pub workspace: Workspace,
    pub vcs: Option<Vcs>,
    /// Null before costs are known.
    pub cost_estimate: Option<CostEstimate>,
    /// Names of variables: whether each is `terraform` or `env`, and whether it is sensitive.
    /// Values are not for policies.
    pub variables: BTreeMap<String, VariableKind>,
}

/// A person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    pub username: String,
    pub name: String,
    pub email: String,
}

/// Something with an id and a name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    pub id: String,
    pub name: String,
}

/// The workspace of the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Workspace {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub auto_apply: bool,
    pub working_directory: Option<String>,
    /// `production`, `staging`, `testing`, `development` or `unmapped`.
    pub environment_type: String,
    pub tags: Vec<String>,
    /// `terraform` or `tofu`.
    pub iac_platform: String,
    /// The template it was deployed from.
    pub module: Option<WorkspaceSource>,
    /// Whether its state was written from a pull request that isn't merged.
    pub state_from_unmerged_pr: bool,
    pub provider_configurations: Vec<ProviderConfiguration>,
    pub execution_mode: String,
}

/// Credentials that the run gets; what they are is not for policies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderConfiguration {
    pub id: String,
    pub name: String,
    /// `aws`, `google`, …
    pub provider: String,
    pub tags: Vec<String>,
}

/// Where a workspace's code comes from, when not from a repository of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceSource {
    pub source: String,
    pub version: Option<String>,
}

/// The commit that the run is of.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Vcs {
    pub repository_id: String,
    pub path: Option<String>,
    pub branch: String,
    pub commit: Commit,
    pub pull_request: Option<PullRequest>,
}

/// A commit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    pub sha: String,
    pub message: String,
    pub author: Author,
}

/// The pull request that a run is a check of, or that brought the commit in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullRequest {
    pub number: Option<u64>,
    pub title: String,
    pub url: String,
    pub author: Option<String>,
    /// Null: not merged.
    pub merged_by: Option<String>,
    /// Why it can't be merged, when it can't.
    pub merge_error: Option<String>,
}

/// Costs as numbers: the API has them as text, policies calculate with them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CostEstimate {
    pub prior_monthly_cost: f64,
    pub proposed_monthly_cost: f64,
    pub delta_monthly_cost: f64,
    /// One entry for each resource, as the cost estimate has them.
    pub resources: Vec<Value>,
}

/// What may be known of a variable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariableKind {
    pub category: String,
    pub sensitive: bool,
}

/// How workspace tags are given: both forms are about, and a policy knows only one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tags {
    /// `["a", "b"]`, today's form.
    #[default]
    List,
    /// `{"a": "", "b": ""}`, which policies of Rego v0's time look keys up in.
    Map,
}

impl Run {
    /// The input of a group of files: `{"tfplan", "tfrun"}`. Before the plan there is no `tfplan`.
    #[must_use]
    pub fn for_files(&self, plan: Option<Value>, tags: Tags) -> Value {
        let mut input = Map::new();
        if let Some(plan) = plan {
            input.insert("tfplan".to_owned(), plan);
        }
        input.insert("tfrun".to_owned(), self.tfrun(tags));
        Value::Object(input)
    }

    /// The input of a policy set: `{"plan", "run"}`.
    #[must_use]
    pub fn for_queries(&self, plan: Option<Value>) -> Value {
        let mut input = Map::new();
        if let Some(plan) = plan {
            input.insert("plan".to_owned(), plan);
        }
        input.insert("run".to_owned(), self.run());
        Value::Object(input)
    }

    fn tfrun(&self, tags: Tags) -> Value {
        let workspace = &self.workspace;
        let providers: Vec<&str> = workspace
            .provider_configurations
            .iter()
            .map(|provider| provider.name.as_str())
            .collect();
        let shell: Vec<&String> = self
            .variables
            .iter()
            .filter(|(_, kind)| kind.category == "env")
            .map(|(name, _)| name)
            .collect();
        json!({
            "id": self.id,
            "created_at": self.created_at,
            "source": self.source,
            "message": self.message,
            "is_destroy": self.is_destroy,
            "is_dry": self.is_dry,
            "created_by": self.created_by,
            "environment": self.environment,
            "workspace": {
                "id": workspace.id,
                "name": workspace.name,
                "description": workspace.description,
                "auto_apply": workspace.auto_apply,
                "working_directory": workspace.working_directory,
                "environment_type": workspace.environment_type,
                "tags": tags.of(&workspace.tags),
                "module": workspace.module,
                "terragrunt": null,
                "state_from_unmerged_pr": workspace.state_from_unmerged_pr,
                "provider_configurations": workspace.provider_configurations,
                "iac_platform": workspace.iac_platform,
            },
            "vcs": self.vcs,
            "cost_estimate": self.cost_estimate,
            "credentials": {},
            "shell_variables": shell,
            "providers": providers,
        })
    }

    fn run(&self) -> Value {
        let workspace = &self.workspace;
        let person = self.created_by.as_ref().map(|it| it.username.as_str());
        let commit = self.vcs.as_ref().map(|vcs| vcs.commit.sha.as_str());
        let repository = self.vcs.as_ref().map(|vcs| {
            json!({
                "identifier": vcs.repository_id,
                "display_identifier": vcs.repository_id,
                "branch": vcs.branch,
                "ingress_submodules": false,
            })
        });
        json!({
            "id": self.id,
            "created_at": self.created_at,
            "created_by": person,
            "message": self.message,
            "commit_sha": commit,
            "is_destroy": self.is_destroy,
            "refresh": true,
            "refresh_only": self.refresh_only,
            "speculative": self.is_dry,
            "replace_addrs": self.replace_addresses,
            "target_addrs": self.target_addresses,
            "project": self.project,
            "variables": self.variables,
            "organization": {"name": self.environment.name},
            "workspace": {
                "id": workspace.id,
                "name": workspace.name,
                "description": workspace.description,
                "execution_mode": workspace.execution_mode,
                "auto_apply": workspace.auto_apply,
                "tags": workspace.tags,
                "working_directory": workspace.working_directory,
                "vcs_repo": repository,
            },
            "cost_estimate": self.cost_estimate,
        })
    }
}

impl Tags {
    fn of(self, tags: &[String]) -> Value {
        match self {
            Self::List => json!(tags),
            Self::Map => tags.iter().map(|tag| (tag.clone(), json!(""))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_inputs_say_the_same() {
        let run = Run {
            is_destroy: true,
            workspace: Workspace {
                name: "net".to_owned(),
                tags: vec!["prod".to_owned()],
                ..Workspace::default()
            },
            ..Run::default()
        };
        let files = run.for_files(None, Tags::List);
        let queries = run.for_queries(Some(json!({"format_version": "1.2"})));
        assert_eq!(files["tfrun"]["workspace"]["tags"], json!(["prod"]));
        assert_eq!(files["tfrun"]["vcs"], Value::Null);
        assert!(files.get("tfplan").is_none());
        assert_eq!(queries["run"]["workspace"]["name"], "net");
        assert_eq!(queries["plan"]["format_version"], "1.2");
        let map = run.for_files(None, Tags::Map);
        assert_eq!(map["tfrun"]["workspace"]["tags"], json!({"prod": ""}));
    }
}
