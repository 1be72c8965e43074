//! The whole environment of a step: nothing of the runner's own is inherited.

use std::collections::BTreeMap;

use protocol::v1::{Job, TerraformSettings, Variable};

use super::credentials;

/// What belongs to the runner: a workspace can't set these, because they decide where the state is
/// written, how output is read, or which configuration the CLI uses.
const RESERVED: &[&str] = &[
    "TF_WORKSPACE",
    "TF_DATA_DIR",
    "TF_CLI_CONFIG_FILE",
    "TERRAFORM_CONFIG",
    "TF_PLUGIN_CACHE_DIR",
    "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE",
    "TF_INPUT",
    "TF_IN_AUTOMATION",
    "TF_LOG_PATH",
    "TF_FORCE_LOCAL_BACKEND",
    "TF_STATE_PERSIST_INTERVAL",
    "CHECKPOINT_DISABLE",
];
const RESERVED_PREFIX: &str = "TF_HTTP_";
/// Flags in `TF_CLI_ARGS…` that would move the state, the plan, or the output.
const RESERVED_FLAGS: &[&str] = &[
    "state",
    "state-out",
    "backup",
    "out",
    "json",
    "backend",
    "backend-config",
    "chdir",
];

/// A variable that can't be honoured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    #[error("the environment variable {key} contains {flag}, which the runner decides; remove it")]
    Flag { key: String, flag: String },
    #[error("{key:?} is no name of an environment variable")]
    Name { key: String },
}

/// Paths and facts that the environment names.
#[derive(Debug, Clone)]
pub struct Surroundings<'a> {
    /// Absolute.
    pub home: &'a str,
    pub temporary: &'a str,
    pub cli_config: &'a str,
    /// Where the files of provider configurations are.
    pub credentials: &'a str,
    /// Where programs are looked for.
    pub path: &'a str,
    /// The HTTP backend knows no workspaces.
    pub selects_workspace: bool,
}

/// Builds the environment. Later variables of a key win; the runner's own win over all.
///
/// # Errors
/// [`EnvironmentError`]; reserved names are left out without a word, as everybody's pipelines
/// export a few of them.
pub fn environment(
    job: &Job,
    settings: &TerraformSettings,
    surroundings: &Surroundings<'_>,
) -> Result<BTreeMap<String, String>, EnvironmentError> {
    let mut env = BTreeMap::new();
    let mut set = |key: &str, value: &str| {
        env.insert(key.to_owned(), value.to_owned());
    };
    set("PATH", surroundings.path);
    set("HOME", surroundings.home);
    set("TMPDIR", surroundings.temporary);
    set("LANG", "C.UTF-8");
    for (name, value) in run_facts(job) {
        set(&format!("TFC_{name}"), value.as_str());
        set(&format!("TF_VAR_TFC_{name}"), value.as_str());
    }
    let given = settings.credentials.iter().flat_map(|it| &it.environment);
    for variable in given {
        check(variable)?;
        if !is_reserved(&variable.key) {
            let value = credentials::placed(&variable.value, surroundings.credentials);
            set(&variable.key, &value);
        }
    }
    for variable in settings.variables.iter().filter(|it| it.environment) {
        check(variable)?;
        if !is_reserved(&variable.key) {
            set(&variable.key, &variable.value);
        }
    }
    set("TF_IN_AUTOMATION", "1");
    set("TF_INPUT", "0");
    set("CHECKPOINT_DISABLE", "1");
    set("TF_CLI_CONFIG_FILE", surroundings.cli_config);
    if surroundings.selects_workspace {
        set("TF_WORKSPACE", &job.workspace_name);
    }
    Ok(env)
}

fn run_facts(job: &Job) -> [(&'static str, String); 4] {
    [
        ("RUN_ID", job.run_id.clone()),
        ("WORKSPACE_NAME", job.workspace_name.clone()),
        (
            "WORKSPACE_SLUG",
            format!("{}/{}", job.environment_name, job.workspace_name),
        ),
        ("PROJECT_NAME", job.project_name.clone()),
    ]
}

fn is_reserved(key: &str) -> bool {
    RESERVED.contains(&key) || key.starts_with(RESERVED_PREFIX)
}

fn check(variable: &Variable) -> Result<(), EnvironmentError> {
    let key = &variable.key;
    if key.is_empty() || key.contains(['=', '\0']) || variable.value.contains('\0') {
        return Err(EnvironmentError::Name { key: key.clone() });
    }
    if !key.starts_with("TF_CLI_ARGS") {
        return Ok(());
    }
    for word in variable.value.split_whitespace() {
        let flag = word.trim_matches(['"', '\'']).trim_start_matches('-');
        let flag = flag.split('=').next().unwrap_or_default();
        if word.contains('-') && RESERVED_FLAGS.contains(&flag) {
            let flag = format!("-{flag}");
            return Err(EnvironmentError::Flag {
                key: key.clone(),
                flag,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use protocol::v1::Credentials;

    use super::*;

    fn variable(key: &str, value: &str) -> Variable {
        Variable {
            key: key.into(),
            value: value.into(),
            environment: true,
            ..Variable::default()
        }
    }

    fn built(variables: Vec<Variable>) -> Result<BTreeMap<String, String>, EnvironmentError> {
        let job = Job {
            workspace_name: "net".into(),
            ..Job::default()
        };
        let settings = TerraformSettings {
            variables,
            ..TerraformSettings::default()
        };
        let surroundings = Surroundings {
            home: "/h",
            temporary: "/t",
            cli_config: "/c",
            credentials: "/s",
            path: "/bin",
            selects_workspace: true,
        };
        environment(&job, &settings, &surroundings)
    }

    #[test]
    fn the_last_one_wins_and_reserved_names_never_do() {
        let env = built(vec![
            variable("A", "1"),
            variable("A", "2"),
            variable("TF_WORKSPACE", "other"),
            variable("TF_HTTP_ADDRESS", "http://x"),
        ])
        .unwrap();
        assert_eq!(env["A"], "2");
        assert_eq!(env["TF_WORKSPACE"], "net");
        assert!(!env.contains_key("TF_HTTP_ADDRESS"));
        assert_eq!(env["TF_VAR_TFC_WORKSPACE_NAME"], "net");
    }

    #[test]
    fn a_variable_of_the_workspace_counts_before_a_provider_configuration() {
        let given = |key: &str, value: &str| variable(key, value);
        let job = Job::default();
        let settings = TerraformSettings {
            variables: vec![variable("AWS_REGION", "mine")],
            credentials: Some(Credentials {
                environment: vec![
                    given("AWS_REGION", "given"),
                    given("AWS_CONFIG_FILE", "${TERRANE_CREDENTIALS}/aws/config"),
                    given("TF_WORKSPACE", "other"),
                ],
                ..Credentials::default()
            }),
            ..TerraformSettings::default()
        };
        let surroundings = Surroundings {
            home: "/h",
            temporary: "/t",
            cli_config: "/c",
            credentials: "/s",
            path: "/bin",
            selects_workspace: false,
        };
        let env = environment(&job, &settings, &surroundings).unwrap();
        assert_eq!(env["AWS_REGION"], "mine");
        assert_eq!(env["AWS_CONFIG_FILE"], "/s/aws/config");
        assert!(!env.contains_key("TF_WORKSPACE"));
    }

    #[test]
    fn flags_that_move_the_state_are_refused() {
        for value in [
            "-state=x",
            "-parallelism=3 -state-out y",
            "\"-json\"",
            "--out=p",
        ] {
            let error = built(vec![variable("TF_CLI_ARGS_plan", value)]).unwrap_err();
            assert!(matches!(error, EnvironmentError::Flag { .. }), "{value}");
        }
        assert!(built(vec![variable("TF_CLI_ARGS_plan", "-parallelism=3")]).is_ok());
    }
}
