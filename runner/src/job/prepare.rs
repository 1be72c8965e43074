//! Fills a step directory for plan or apply, up to the supervisor's specification.
//!
//! Everything here can be done again from the start: nothing has been started yet.

use std::io;
use std::path::{Path, PathBuf};

use protocol::v1::{Job, TerraformSettings, job};
use step::{Limits, Spec, StateMode, StateSpec, files};
use terraform::variables::{Variable, VariableError, tfvars};

use super::backend::{self, Choice};
use super::cli_config::cli_config;
use super::environment::{EnvironmentError, environment};
use super::{Context, JobDirectory, StepDir, commands, credentials};
use crate::archive::{self, UnpackError};
use crate::executor::{Executor, ExecutorError, Start};
use crate::relay::{Relay, RelayJob};
use crate::terraform_binary::{Binary, BinaryError};
use crate::wire::{DownloadError, Refused, download};

/// Below the step directory.
pub(super) const INPUT: &str = "input";
pub(super) const PLAN: &str = "plan";
const HOME: &str = "home";
const TEMPORARY: &str = "tmp";
const MIB: u64 = 1024 * 1024;
const LARGEST_OUTPUT: u64 = 256 * MIB;
/// No file that a step writes may be larger.
const LARGEST_FILE: u64 = 16 * 1024 * MIB;

/// Why a step can't be started. Each is a sentence for people.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    #[error(transparent)]
    Download(#[from] DownloadError),
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    #[error(transparent)]
    Binary(#[from] BinaryError),
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    #[error(transparent)]
    Variable(#[from] VariableError),
    #[error(transparent)]
    Executor(#[from] ExecutorError),
    #[error("the working directory {0:?} is not in the configuration")]
    WorkingDirectory(String),
    #[error("the control plane's services are not known: {0}")]
    Relay(Refused),
    #[error("the job asks for {0}, which this version of the runner does not know; upgrade it")]
    Unknown(String),
    #[error("the step could not be prepared: {0}")]
    Io(#[from] io::Error),
}

/// A step ready to be started.
pub(super) struct Prepared {
    pub(super) start: Start,
    /// Listening; it must be served while the step runs.
    pub(super) relay: Option<Relay>,
}

/// The part of a job's work that plan and apply share.
pub(super) fn settings_of(job: &Job) -> Result<&TerraformSettings, PrepareError> {
    let settings = match &job.work {
        Some(job::Work::Plan(work)) => work.terraform.as_ref(),
        Some(job::Work::Apply(work)) => work.terraform.as_ref(),
        Some(job::Work::Fetch(_)) | None => None,
    };
    settings.ok_or_else(|| PrepareError::Unknown(format!("work of kind {:?}", job.kind)))
}

/// Prepares the step of a plan or an apply.
pub(super) async fn prepare(
    context: &Context,
    directory: &mut JobDirectory,
    executor: &dyn Executor,
) -> Result<Prepared, PrepareError> {
    let step = directory.new_step()?;
    let job = directory.job.clone();
    let settings = settings_of(&job)?;
    let applies = matches!(job.work, Some(job::Work::Apply(_)));

    let version = match &job.work {
        Some(job::Work::Apply(work)) if !work.terraform_version.is_empty() => {
            &work.terraform_version
        }
        _ => &settings.version,
    };
    let binary = context.binaries.find(&settings.engine, version).await?;
    fetch_tree(context, directory, &step, applies).await?;
    let layout = Layout::of(&step, &settings.working_directory)?;
    let (mode, may_plan_again) = state_mode(&job, settings, &step)?;
    let state_file = backend::state_file(mode, &job.workspace_name);
    fetch_state(context, directory, &step, settings, &state_file).await?;
    write_override(&step, &layout, mode)?;

    let start = Start {
        job_id: job.id.clone(),
        run_id: job.run_id.clone(),
        step: step.clone(),
        settings: job.execution.clone().unwrap_or_default(),
        read_only: context.read_only(&binary.path),
    };
    let surroundings = executor.surroundings(&start)?;
    let relay = begin_relay(context, directory, executor, &step, settings).await?;
    let api = match &relay {
        Some(relay) => Some(relay.api_host().await.map_err(PrepareError::Relay)?),
        None => None,
    };
    let providers = context.providers_now().await;
    let cli_config = cli_config(&providers, api.as_ref());
    write_input(&step, &layout, settings, &cli_config)?;
    if let Some(given) = &settings.credentials {
        credentials::write(&step, given, &credentials_of(&step))?;
    }
    let terraform = surroundings
        .terraform
        .clone()
        .unwrap_or_else(|| binary.path.clone());
    let commands = commands::of(&commands::Inputs {
        terraform: &terraform,
        layout: &layout,
        settings,
        applies,
    });
    let spec = Spec {
        job_id: job.id.clone(),
        epoch: job.epoch,
        env: step_environment(context, &job, settings, &step, mode, &surroundings.path)?,
        state: (applies || mode == StateMode::Http)
            .then(|| state_spec(&job, settings, mode, &state_file)),
        sandbox: surroundings.sandbox.clone(),
        limits: limits(&job, settings, &surroundings, applies),
        commands,
        ends_early: may_plan_again.then(|| step::EndsEarly {
            after: "plan".to_owned(),
            more_changes_than: commands::MANY_CHANGES,
        }),
    };
    directory.record.commands = commands::names_in_log(&spec.commands, may_plan_again);
    record(directory, &binary, mode, state_file, &layout)?;
    step.write(
        files::SPEC,
        &serde_json::to_vec(&spec).map_err(io::Error::from)?,
        0o600,
    )?;
    if let Some((uid, gid)) = surroundings.owner {
        let given = tokio::task::spawn_blocking(move || step.give_to(uid, gid));
        given.await.map_err(io::Error::other)??;
    }
    Ok(Prepared { start, relay })
}

/// Where terraform works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// Relative to the step directory.
    pub(super) working: PathBuf,
    /// How many directories it lies below the step directory.
    pub(super) depth: usize,
}

impl Layout {
    pub(super) fn of(step: &StepDir, asked: &str) -> Result<Self, PrepareError> {
        let wrong = || PrepareError::WorkingDirectory(asked.to_owned());
        let mut working = PathBuf::from(files::CONFIG);
        for part in Path::new(asked.trim_matches('/')).components() {
            match part {
                std::path::Component::Normal(part) => working.push(part),
                std::path::Component::CurDir => {}
                std::path::Component::ParentDir
                | std::path::Component::RootDir
                | std::path::Component::Prefix(_) => return Err(wrong()),
            }
        }
        // A link would make the relative paths of the backend wrong.
        let real = step.dir().canonicalize(&working).map_err(|_| wrong())?;
        if real != working || !step.dir().metadata(&working)?.is_dir() {
            return Err(wrong());
        }
        let depth = working.components().count();
        Ok(Self { working, depth })
    }

    /// `path` of the step directory as terraform sees it.
    pub(super) fn up(&self, path: &str) -> String {
        format!("{}{path}", "../".repeat(self.depth))
    }
}

async fn fetch_tree(
    context: &Context,
    directory: &JobDirectory,
    step: &StepDir,
    applies: bool,
) -> Result<(), PrepareError> {
    let kind = if applies {
        "plan-archive"
    } else {
        "configuration"
    };
    let path = directory.path().join("download");
    crate::files::remove_if_there(&path)?;
    download(&context.wire, &directory.job, kind, &path).await?;
    let target = if applies { "." } else { files::CONFIG };
    step.make_directories(files::CONFIG)?;
    let target = step.dir().open_dir(target)?;
    let limits = if applies {
        archive::Limits::WORKING_TREE
    } else {
        archive::Limits::CONFIGURATION
    };
    let archived = std::fs::File::open(&path)?;
    let unpacked = tokio::task::spawn_blocking(move || {
        let unpacked = archive::unpack(archived, &target, limits);
        if !applies {
            // Providers are installed, never uploaded; a planted one would be run.
            let _ = target.remove_dir_all(".terraform/providers");
        }
        unpacked
    });
    unpacked.await.map_err(io::Error::other)??;
    crate::files::remove_if_there(&path)?;
    Ok(())
}

/// A relay, if the configuration names the control plane's host and the step can reach one.
async fn begin_relay(
    context: &Context,
    directory: &mut JobDirectory,
    executor: &dyn Executor,
    step: &StepDir,
    settings: &TerraformSettings,
) -> Result<Option<Relay>, PrepareError> {
    let host = settings.api_host.as_str();
    let config = step.dir().open_dir(files::CONFIG)?;
    if host.is_empty() || !backend::mentions(&config, host).unwrap_or(true) {
        return Ok(None);
    }
    let job = &directory.job;
    let execution = job.execution.clone().unwrap_or_default();
    let Some(address) = executor.meeting_point(&execution).await? else {
        tracing::warn!(job = %job.id, "the step's network has no way to the control plane");
        return Ok(None);
    };
    let name = RelayJob {
        job_id: job.id.clone(),
        epoch: job.epoch,
    };
    let relay = Relay::begin(context.wire.for_job(), name, address, host).await?;
    directory.record.relay = Some(relay.address().clone());
    Ok(Some(relay))
}

/// How the state is kept, and whether a plan that turns out to be large may be made again.
fn state_mode(
    job: &Job,
    settings: &TerraformSettings,
    step: &StepDir,
) -> Result<(StateMode, bool), PrepareError> {
    if let Some(job::Work::Apply(work)) = &job.work {
        return match work.plan_state_mode.as_str() {
            "http" => Ok((StateMode::Http, false)),
            "local" | "" => Ok((StateMode::Local, false)),
            other => Err(PrepareError::Unknown(format!("the state mode {other:?}"))),
        };
    }
    let config = step.dir().open_dir(files::CONFIG)?;
    let is_set = matches!(settings.state_mode.as_str(), "local" | "http");
    let names_workspace =
        !is_set && backend::mentions(&config, "terraform.workspace").unwrap_or(true);
    let mode = backend::choose(Choice {
        setting: &settings.state_mode,
        state_bytes: settings.current_state_bytes,
        names_workspace,
    });
    // Generated configuration can't be generated twice.
    let may_plan_again =
        mode == StateMode::Local && !is_set && !names_workspace && !settings.generate_config;
    Ok((mode, may_plan_again))
}

async fn fetch_state(
    context: &Context,
    directory: &JobDirectory,
    step: &StepDir,
    settings: &TerraformSettings,
    file: &Path,
) -> Result<(), PrepareError> {
    step.make_directories(file.parent().unwrap_or_else(|| Path::new(backend::STATE)))?;
    if settings.current_serial >= 0 {
        let path = step.path().join(file);
        download(&context.wire, &directory.job, "state", &path).await?;
    }
    Ok(())
}

pub(super) fn write_override(step: &StepDir, layout: &Layout, mode: StateMode) -> io::Result<()> {
    let working = step.dir().open_dir(&layout.working)?;
    let names: Vec<String> = working
        .entries()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !name.ends_with("terrane_override.tf"))
        .collect();
    let name = backend::override_name(names.iter().map(String::as_str));
    let text = backend::override_text(mode, layout.depth);
    step.write(layout.working.join(name), text.as_bytes(), 0o644)?;
    // What an upload says about a backend of its own must not be migrated from.
    let settled = layout.working.join(".terraform/terraform.tfstate");
    let selected = layout.working.join(".terraform/environment");
    for path in [settled, selected] {
        match step.dir().remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

fn write_input(
    step: &StepDir,
    layout: &Layout,
    settings: &TerraformSettings,
    cli_config: &str,
) -> Result<(), PrepareError> {
    for directory in [INPUT, PLAN, HOME, TEMPORARY, "control", files::OUTPUT] {
        step.make_directories(directory)?;
    }
    let known = root_module_text(step, layout)?;
    let variables = settings
        .variables
        .iter()
        .filter(|it| !it.environment && known.contains(&it.key))
        .map(|it| Variable {
            key: &it.key,
            value: &it.value,
            hcl: it.hcl,
        });
    let path = Path::new(INPUT);
    step.write(
        path.join("terrane.tfvars"),
        tfvars(variables)?.as_bytes(),
        0o600,
    )?;
    step.write(path.join("cli.tfrc"), cli_config.as_bytes(), 0o600)?;
    Ok(())
}

/// All of the root module's configuration as one text. A variable whose name is nowhere in it
/// can't be declared, and terraform would only warn about it.
fn root_module_text(step: &StepDir, layout: &Layout) -> io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    for entry in step.dir().open_dir(&layout.working)?.entries()? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let endings = [".tf", ".tf.json", ".tofu", ".tofu.json"];
        if endings.iter().any(|ending| name.ends_with(ending)) && entry.file_type()?.is_file() {
            let mut bytes = Vec::new();
            entry.open()?.take(64 * MIB).read_to_end(&mut bytes)?;
            text.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
    Ok(text)
}

/// Where the step finds the files of provider configurations.
fn credentials_of(step: &StepDir) -> String {
    let path = step.path().join(credentials::DIRECTORY);
    path.to_string_lossy().into_owned()
}

fn step_environment(
    context: &Context,
    job: &Job,
    settings: &TerraformSettings,
    step: &StepDir,
    mode: StateMode,
    path: &str,
) -> Result<std::collections::BTreeMap<String, String>, EnvironmentError> {
    let at = |name: &str| step.path().join(name).to_string_lossy().into_owned();
    let surroundings = super::environment::Surroundings {
        home: &at(HOME),
        temporary: &at(TEMPORARY),
        cli_config: &at("input/cli.tfrc"),
        credentials: &credentials_of(step),
        path,
        selects_workspace: mode == StateMode::Local,
    };
    let mut env = environment(job, settings, &surroundings)?;
    for (key, value) in &context.proxy_environment {
        env.entry(key.clone()).or_insert_with(|| value.clone());
    }
    Ok(env)
}

pub(super) fn state_spec(
    job: &Job,
    settings: &TerraformSettings,
    mode: StateMode,
    file: &Path,
) -> StateSpec {
    use base64::Engine;
    let secret: [u8; 24] = rand::random();
    StateSpec {
        mode,
        file: file.to_owned(),
        port: 0,
        path_secret: hex::encode(secret),
        lineage: Some(settings.current_lineage.clone()).filter(|lineage| !lineage.is_empty()),
        base_serial: settings.current_serial,
        journal_public_key: base64::engine::general_purpose::URL_SAFE_NO_PAD
            .encode(&job.journal_public_key),
        journal_key_id: job.journal_key_id.clone(),
        seal_context: format!("{}/{}/{}", job.account_id, job.run_id, job.id),
    }
}

fn limits(
    job: &Job,
    settings: &TerraformSettings,
    surroundings: &crate::executor::Surroundings,
    applies: bool,
) -> Limits {
    Limits {
        timeout_seconds: job.timeout_seconds.into(),
        kill_after_seconds: 30,
        output_bytes: LARGEST_OUTPUT,
        memory_bytes: surroundings.memory_bytes,
        file_bytes: LARGEST_FILE,
        open_files: crate::machine::most_open_files(),
        processes: surroundings.processes,
        ballast_bytes: if applies { 64 * MIB } else { 0 },
        // The state is written several times: file, backup, snapshot, journal.
        required_free_bytes: 64 * MIB
            + if applies {
                64 * MIB + 8 * settings.current_state_bytes
            } else {
                0
            },
    }
}

fn record(
    directory: &mut JobDirectory,
    binary: &Binary,
    mode: StateMode,
    state_file: PathBuf,
    layout: &Layout,
) -> io::Result<()> {
    let record = &mut directory.record;
    record.terraform_version.clone_from(&binary.version);
    record.state_mode = Some(mode);
    record.state_file = Some(state_file);
    record.working_directory.clone_from(&layout.working);
    directory.save()
}
