//! Follows a running step: how far it is, what is wanted of it, and how it ends.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use step::{Exit, Liveness, Status, files};
use tokio::sync::watch;

use super::{StepDir, Wanted};
use crate::clock::Stopwatch;
use crate::executor::{Execution, Executor};
use crate::logs::source::StepProgress;

/// How often the step's files are looked at: often at first, when steps are short.
const FIRST: Duration = Duration::from_millis(15);
const LATER: Duration = Duration::from_millis(150);
/// How long a supervisor may take to begin.
const BEGINNING: Duration = Duration::from_secs(30);
/// Looks between two questions whether the supervisor lives.
const LOOKS: u32 = 8;

/// How a step ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ended {
    /// The supervisor said how.
    Exited(Box<Exit>),
    /// It is gone without a word.
    Died { out_of_memory: bool },
    /// It never came to begin; nothing was run.
    NeverBegan(String),
}

impl Ended {
    /// Commands that did not end well, by index.
    pub(super) fn failed(&self, commands: &[String]) -> BTreeSet<usize> {
        match self {
            Self::Exited(exit) => commands
                .iter()
                .enumerate()
                .filter(|(_, name)| {
                    exit.commands
                        .iter()
                        .any(|it| it.name == **name && it.code != 0)
                })
                .map(|(index, _)| index)
                .collect(),
            // Whatever was running has failed; asking for all shows what there is.
            Self::Died { .. } | Self::NeverBegan(_) => (0..commands.len()).collect(),
        }
    }
}

/// Watches until the step is over; passes on what is wanted and reports progress.
pub(super) async fn watch_step(
    job_id: &str,
    step: &StepDir,
    executor: &dyn Executor,
    execution: &Execution,
    commands: &[String],
    wanted: &mut watch::Receiver<Wanted>,
    progress: &watch::Sender<StepProgress>,
) -> Ended {
    let started = Stopwatch::start();
    let mut looks = 0_u32;
    loop {
        ask(step, *wanted.borrow_and_update());
        if let Some(exit) = read_exit(step) {
            return Ended::Exited(Box::new(exit));
        }
        report(step, commands, progress);
        looks = looks.saturating_add(1);
        if looks.is_multiple_of(LOOKS) {
            match state_of(step, started.elapsed()) {
                Now::Running => {}
                Now::Beginning => {
                    let over = executor.never_began(execution, step).await;
                    // It may have begun and ended between the two looks.
                    if let (Ok(Some(reason)), Now::Beginning) =
                        (over, state_of(step, started.elapsed()))
                    {
                        return Ended::NeverBegan(reason);
                    }
                }
                Now::Gone => {
                    // It may have written its last word between the two looks.
                    if let Some(exit) = read_exit(step) {
                        return Ended::Exited(Box::new(exit));
                    }
                    let memory = executor.ended_for_memory(job_id, execution).await;
                    let out_of_memory = memory.unwrap_or(false);
                    return Ended::Died { out_of_memory };
                }
            }
        }
        let pause = (FIRST * (1 + looks / 16)).min(LATER);
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() {
                tokio::time::sleep(pause).await;
            },
            () = tokio::time::sleep(pause) => {}
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Now {
    /// The supervisor has not begun, and may yet.
    Beginning,
    /// A step whose supervisor died while terraform goes on is waited for, too.
    Running,
    Gone,
}

fn state_of(step: &StepDir, waited: Duration) -> Now {
    match step::liveness(step.path()) {
        Ok(Liveness::NotStarted) if waited > BEGINNING => Now::Gone,
        Ok(Liveness::NotStarted) => Now::Beginning,
        Ok(Liveness::Gone) => Now::Gone,
        Ok(Liveness::Supervised | Liveness::Orphaned) => Now::Running,
        Err(error) => {
            tracing::warn!(step = %step.path().display(), %error, "can't see whether it lives");
            Now::Running
        }
    }
}

fn read_exit(step: &StepDir) -> Option<Exit> {
    match step.read_json(files::EXIT) {
        Ok(exit) => exit,
        Err(error) => {
            tracing::warn!(step = %step.path().display(), %error, "its exit can't be read");
            None
        }
    }
}

/// `commands`: all that may be in the log; those of a step are some of them.
fn report(step: &StepDir, commands: &[String], progress: &watch::Sender<StepProgress>) {
    let Ok(Some(status)) = step.read_json::<Status>(files::STATUS) else {
        return;
    };
    let Some(current) = commands.iter().position(|it| *it == status.command_name) else {
        return;
    };
    progress.send_if_modified(|known| {
        let changed = known.current.is_none_or(|known| known < current);
        known.current = known.current.max(Some(current));
        changed
    });
}

/// Puts the request where the supervisor looks for it.
fn ask(step: &StepDir, wanted: Wanted) {
    let request = match wanted {
        Wanted::Continue | Wanted::Forget => return,
        Wanted::Cancel | Wanted::Release => files::CANCEL,
        Wanted::ForceCancel => files::KILL,
    };
    if step.has(request) {
        return;
    }
    let asked: io::Result<()> = step
        .make_directories("control")
        .and_then(|()| step.write(request, b"", 0o644));
    if let Err(error) = asked {
        tracing::warn!(step = %step.path().display(), %error, "the cancel could not be passed on");
    }
}
