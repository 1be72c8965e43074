//! A workspace's settings: what can be chosen, its defaults, and how a change is checked.

use domain::workspace::{Engine, ExecutionMode};
use serde::{Deserialize, Serialize};

use super::error::WorkspaceError;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub description: String,
    pub auto_apply: bool,
    pub allow_destroy_plan: bool,
    pub execution_mode: ExecutionMode,
    pub engine: Engine,
    /// A version, a constraint, or `latest`.
    pub terraform_version: String,
    /// Below the root of the configuration; empty: the root.
    pub working_directory: String,
    pub speculative_enabled: bool,
    pub queue_all_runs: bool,
    pub structured_run_output: bool,
    /// Whether runs of other workspaces may read this one's outputs.
    pub global_remote_state: bool,
    /// `auto`, `local` or `http`: how the state is kept while Terraform runs.
    pub state_mode: String,
    /// `auto`, `docker` or `process`.
    pub executor: String,
    /// Container image for the Docker executor; empty: the runner's.
    pub image: String,
    /// Whether the source of the code created it, for display.
    pub source_name: Option<String>,
    pub source_url: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            description: String::new(),
            auto_apply: false,
            allow_destroy_plan: true,
            execution_mode: ExecutionMode::Remote,
            engine: Engine::Terraform,
            terraform_version: "latest".to_owned(),
            working_directory: String::new(),
            speculative_enabled: true,
            queue_all_runs: false,
            structured_run_output: true,
            global_remote_state: false,
            state_mode: "auto".to_owned(),
            executor: "auto".to_owned(),
            image: String::new(),
            source_name: None,
            source_url: None,
        }
    }
}

/// What a create or update asks for; `None` leaves a setting as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SettingsChange {
    pub description: Option<String>,
    pub auto_apply: Option<bool>,
    pub allow_destroy_plan: Option<bool>,
    pub execution_mode: Option<String>,
    pub engine: Option<String>,
    pub terraform_version: Option<String>,
    pub working_directory: Option<String>,
    pub speculative_enabled: Option<bool>,
    pub queue_all_runs: Option<bool>,
    pub structured_run_output: Option<bool>,
    pub global_remote_state: Option<bool>,
    pub state_mode: Option<String>,
    pub executor: Option<String>,
    pub image: Option<String>,
    pub source_name: Option<String>,
    pub source_url: Option<String>,
}

impl Settings {
    /// These settings with `change` made.
    ///
    /// # Errors
    /// [`WorkspaceError::Invalid`], naming the field and what it may be.
    pub fn with(mut self, change: SettingsChange) -> Result<Self, WorkspaceError> {
        if let Some(text) = &change.execution_mode {
            self.execution_mode = one_of("execution-mode", text)?;
        }
        if let Some(text) = &change.engine {
            self.engine = one_of("engine", text)?;
        }
        if let Some(version) = change.terraform_version {
            check_version(&version)?;
            self.terraform_version = version;
        }
        if let Some(directory) = change.working_directory {
            self.working_directory = clean_directory(&directory)?;
        }
        if let Some(mode) = change.state_mode {
            self.state_mode = word("state-mode", mode, &["auto", "local", "http"])?;
        }
        if let Some(executor) = change.executor {
            self.executor = word("executor", executor, &["auto", "docker", "process"])?;
        }
        set(&mut self.description, change.description);
        set(&mut self.auto_apply, change.auto_apply);
        set(&mut self.allow_destroy_plan, change.allow_destroy_plan);
        set(&mut self.speculative_enabled, change.speculative_enabled);
        set(&mut self.queue_all_runs, change.queue_all_runs);
        set(
            &mut self.structured_run_output,
            change.structured_run_output,
        );
        set(&mut self.global_remote_state, change.global_remote_state);
        set(&mut self.image, change.image);
        self.source_name = change.source_name.or(self.source_name);
        self.source_url = change.source_url.or(self.source_url);
        Ok(self)
    }
}

fn set<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

fn one_of<T: std::str::FromStr<Err = domain::UnknownWord>>(
    field: &'static str,
    text: &str,
) -> Result<T, WorkspaceError> {
    text.parse().map_err(|error: domain::UnknownWord| {
        WorkspaceError::invalid(field, format!("{text:?} is not one of: {}", error.known))
    })
}

fn word(field: &'static str, text: String, known: &[&str]) -> Result<String, WorkspaceError> {
    if known.contains(&text.as_str()) {
        Ok(text)
    } else {
        Err(WorkspaceError::invalid(
            field,
            format!("{text:?} is not one of: {}", known.join(", ")),
        ))
    }
}

fn check_version(version: &str) -> Result<(), WorkspaceError> {
    let known = version == "latest"
        || semver::Version::parse(version).is_ok()
        || semver::VersionReq::parse(&version.replace("~> ", "~")).is_ok();
    if known {
        Ok(())
    } else {
        Err(WorkspaceError::invalid(
            "terraform-version",
            format!("{version:?} is no version; use for example \"1.11.4\" or \"latest\""),
        ))
    }
}

/// A directory below the configuration's root, without `.` and empty parts.
fn clean_directory(text: &str) -> Result<String, WorkspaceError> {
    let parts: Vec<&str> = text
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    if parts.contains(&"..") || text.contains(['\0', '\\']) {
        return Err(WorkspaceError::invalid(
            "working-directory",
            "it must stay inside the configuration: no `..`",
        ));
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn a_change_leaves_the_rest() {
        let change = SettingsChange {
            auto_apply: Some(true),
            ..SettingsChange::default()
        };
        let settings = Settings::default().with(change).unwrap();
        assert_eq!(
            settings,
            Settings {
                auto_apply: true,
                ..Settings::default()
            }
        );
    }

    #[test]
    fn a_directory_outside_is_refused() {
        assert_eq!(clean_directory("./a//b/").unwrap(), "a/b");
        assert!(clean_directory("a/../..").is_err());
    }

    #[test]
    fn versions_constraints_and_latest_are_known() {
        for good in ["latest", "1.11.4", "~> 1.11.0", ">= 1.5"] {
            assert!(check_version(good).is_ok(), "{good}");
        }
        assert!(check_version("newest").is_err());
    }
}
