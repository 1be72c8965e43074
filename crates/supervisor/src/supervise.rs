//! A step from its description to its exit file.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use step::{Command, CommandExit, Exit, Outcome, Spec, files};

use crate::check::check;
use crate::claim::{Claim, arrange};
use crate::command::Step;
use crate::disk::Disk;
use crate::ladder::{Cause, Ladder};
use crate::memory::Memory;
use crate::outcome::{Course, outcome};
use crate::paths::{Durability, Root};
use crate::plan_size;
use crate::processes;
use crate::signals::Signals;
use crate::states::States;
use crate::status::StatusFile;

/// Owns the step in `directory` until it is over; returns whether it succeeded.
///
/// # Errors
/// The step can't be begun, so that not even an exit file may be written.
pub(crate) fn supervise(directory: &Path) -> Result<bool, Box<dyn std::error::Error>> {
    let signals = Signals::take()?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let root = Arc::new(Root::open(directory)?);
    let _claim = Claim::take(&root)?;
    // It fails for who leads a process group already, which is as good.
    let _ = rustix::process::setsid();
    crate::memory::spare_supervisor();
    processes::adopt_orphans()?;
    let exit = match prepare(&root, signals) {
        Ok(step) => run(step),
        Err(sentence) => refusal(sentence),
    };
    let succeeded = exit.outcome == Outcome::Succeeded;
    write_exit(&root, &exit)?;
    Ok(succeeded)
}

fn prepare(root: &Arc<Root>, signals: Signals) -> Result<Step, String> {
    let spec: Spec = step::read_json(&root.join(files::SPEC))
        .map_err(|error| format!("The step's description can't be read: {error}."))?
        .ok_or("The step has no description.")?;
    check(&spec).map_err(|mistake| format!("The step's description is wrong: {mistake}."))?;
    arrange(root, &spec.sandbox)
        .map_err(|error| format!("The step directory can't be arranged: {error}."))?;
    let disk = Disk::prepare(root.clone(), &spec.limits)
        .map_err(|error| format!("There is no room for the step: {error}."))?;
    let disk = Arc::new(disk);
    let states = spec
        .state
        .as_ref()
        .map(|state| States::start(root, &disk, state))
        .transpose()?;
    let mut status = StatusFile::new(root.clone());
    status.now.state_port = states.as_ref().and_then(States::port);
    Ok(Step {
        root: root.clone(),
        memory: Memory::new(spec.limits.memory_bytes),
        ladder: Ladder::new(spec.limits.timeout_seconds, spec.limits.kill_after_seconds),
        spec,
        signals,
        disk,
        states,
        status,
        began: Instant::now(),
        asked: false,
    })
}

fn run(mut step: Step) -> Exit {
    let commands = step.spec.commands.clone();
    let mut exits = vec![];
    let mut died_of_kill = false;
    let mut ended_early = false;
    let mut course = Course {
        failure: None,
        complete: true,
    };
    for (index, command) in commands.iter().enumerate() {
        step.status.now.command = index;
        step.status.now.command_name.clone_from(&command.name);
        step.look(None, false);
        if step.ladder.cancelled().is_some() {
            course.complete = false;
            break;
        }
        let ended = step.run(command);
        died_of_kill |= ended.died_of_kill;
        course.failure = failure(command, &ended.exit, ended.failure);
        exits.push(ended.exit);
        if course.failure.is_some() {
            course.complete = false;
            break;
        }
        if step.ladder.cancelled().is_none() && plan_size::is_too_large(&step, command) {
            ended_early = true;
            break;
        }
    }
    let exit = finish(step, exits, &course, died_of_kill);
    Exit {
        ended_early: ended_early && exit.outcome == Outcome::Succeeded,
        ..exit
    }
}

fn failure(command: &Command, exit: &CommandExit, why: Option<String>) -> Option<String> {
    if let Some(why) = why {
        return Some(format!("{} could not be run: {why}.", command.name));
    }
    let failed = !command.success.contains(&exit.code) && !command.optional;
    failed.then(|| format!("{} ended with exit code {}.", command.name, exit.code))
}

fn finish(mut step: Step, commands: Vec<CommandExit>, course: &Course, died_of_kill: bool) -> Exit {
    if let Some(states) = &mut step.states {
        states.finish();
    }
    let out_of_memory = step.memory.was_exhausted(died_of_kill);
    let (outcome, message) = outcome(&step.ladder, course, out_of_memory);
    let disk_full = step.disk.was_full();
    step.disk.give_back();
    step.look(None, false);
    let states = step.states.as_ref();
    let journal = states.map(States::journal);
    Exit {
        outcome,
        message,
        commands,
        last_state: journal.as_ref().and_then(|journal| journal.last().cloned()),
        errored_state: journal
            .as_ref()
            .and_then(|journal| journal.errored().cloned()),
        refused_state: journal
            .as_ref()
            .and_then(|journal| journal.refused().map(str::to_owned)),
        state_whole: states.is_none_or(States::is_whole),
        out_of_memory,
        timed_out: step.ladder.cancelled() == Some(Cause::Timeout),
        disk_full,
        ended_early: false,
    }
}

/// Nothing was begun.
fn refusal(sentence: String) -> Exit {
    Exit {
        outcome: Outcome::Failed,
        message: Some(sentence),
        commands: vec![],
        last_state: None,
        errored_state: None,
        refused_state: None,
        state_whole: true,
        out_of_memory: false,
        timed_out: false,
        disk_full: false,
        ended_early: false,
    }
}

fn write_exit(root: &Root, exit: &Exit) -> io::Result<()> {
    let bytes = serde_json::to_vec(exit)?;
    root.replace(
        Path::new(files::EXIT),
        &bytes,
        Durability::SurvivesPowerLoss,
    )
}
