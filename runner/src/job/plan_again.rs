//! A large plan is made once more over the HTTP backend.
//!
//! How an apply keeps its state is fixed by the plan file, so it is chosen before planning, by the
//! size of the state. A plan that turns out to change many resources would make a large state under
//! the local backend, which rewrites its whole file at each change; its step ends after planning and
//! the same directory is used for a second one. What the log shows at the end is the second plan, the
//! one that will be applied.

use std::io;

use step::{Spec, StateMode, files};

use super::commands::{self, AGAIN};
use super::prepare::{Layout, PrepareError, settings_of, state_spec, write_override};
use super::{Context, JobDirectory, backend};
use crate::executor::{Executor, Start};

/// What a new supervisor must not find.
const OF_THE_FIRST: [&str; 5] = [
    files::STATUS,
    files::CANCEL,
    files::ALIVE,
    files::SUPERVISOR_PID,
    files::EXIT,
];

/// Starts the second step of a plan whose first one ended early.
pub(super) async fn plan_again(
    context: &Context,
    directory: &mut JobDirectory,
    executor: &dyn Executor,
) -> Result<(), PrepareError> {
    let id = directory.job.id.clone();
    executor
        .remove(&id, directory.record.execution.as_ref())
        .await?;
    let step = directory.step()?;
    let job = directory.job.clone();
    let settings = settings_of(&job)?;
    let engine = (&settings.engine, &directory.record.terraform_version);
    let binary = context.binaries.find(engine.0, engine.1).await?;
    let layout = Layout::of(&step, &settings.working_directory)?;
    // Modules from elsewhere have been installed by now.
    let config = step.dir().open_dir(files::CONFIG)?;
    let named = backend::mentions(&config, "terraform.workspace").unwrap_or(true);
    let start = Start {
        job_id: id.clone(),
        run_id: job.run_id.clone(),
        step: step.clone(),
        settings: job.execution.clone().unwrap_or_default(),
        read_only: context.read_only(&binary.path),
    };
    let surroundings = executor.surroundings(&start)?;
    let read: Option<Spec> = step.read_json(files::SPEC)?;
    let mut spec = read.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    spec.sandbox = surroundings.sandbox.clone();
    spec.ends_early = None;
    if named {
        tracing::info!(job = %id, "many changes; the local backend stays, as the workspace is named");
        spec.commands
            .retain(|it| !commands::PLANNING.contains(&it.name.as_str()));
    } else {
        tracing::info!(job = %id, "many changes; planning once more over the HTTP backend");
        let (old, new) = (
            backend::state_file(StateMode::Local, &job.workspace_name),
            backend::state_file(StateMode::Http, &job.workspace_name),
        );
        if old != new && step.has(&old) {
            step.dir().rename(&old, step.dir(), &new)?;
        }
        write_override(&step, &layout, StateMode::Http)?;
        spec.state = Some(state_spec(&job, settings, StateMode::Http, &new));
        spec.env.remove("TF_WORKSPACE");
        for command in &mut spec.commands {
            if commands::PLANNING.contains(&command.name.as_str()) {
                command.name.push_str(AGAIN);
            }
        }
        directory.record.state_mode = Some(StateMode::Http);
        directory.record.state_file = Some(new);
    }
    let text = serde_json::to_vec(&spec).map_err(io::Error::from)?;
    step.write(files::SPEC, &text, 0o600)?;
    if let Some((uid, gid)) = surroundings.owner {
        let given = step.clone();
        let given = tokio::task::spawn_blocking(move || given.give_to(uid, gid));
        given.await.map_err(io::Error::other)??;
    }
    directory.record.execution = None;
    directory.save()?;
    for name in OF_THE_FIRST {
        match step.dir().remove_file(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
    }
    directory.record.execution = Some(executor.start(&start).await?);
    directory.save()?;
    Ok(())
}
