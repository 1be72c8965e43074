//! One command, from its start to the last of its processes.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitStatus, getpid, kill_process};
use step::{Command, CommandExit, Spec};

use crate::disk::Disk;
use crate::kill::freeze_check_kill;
use crate::ladder::{Action, Ladder, Running, Seen};
use crate::launch::{self, Order, launch};
use crate::memory::Memory;
use crate::output::Output;
use crate::paths::Root;
use crate::rescue::Rescue;
use crate::sandbox::{Plan, writable_directories};
use crate::signals::Signals;
use crate::states::States;
use crate::status::StatusFile;
use crate::{processes, requests};

/// How often requests, limits and room are looked at. An exit is noticed at once.
const PERIOD: Duration = Duration::from_millis(50);
/// Every so many periods memory is measured: that reads all of `/proc`.
const MEMORY_PERIODS: u32 = 5;

/// Everything a step has while it runs.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) root: Arc<Root>,
    pub(crate) spec: Spec,
    pub(crate) signals: Signals,
    pub(crate) disk: Arc<Disk>,
    pub(crate) memory: Memory,
    pub(crate) states: Option<States>,
    pub(crate) status: StatusFile,
    pub(crate) ladder: Ladder,
    pub(crate) began: Instant,
    /// A signal has asked to stop.
    pub(crate) asked: bool,
}

/// How a command went.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) exit: CommandExit,
    /// It could not be started, or not be watched.
    pub(crate) failure: Option<String>,
    /// A SIGKILL ended it that was not ours.
    pub(crate) died_of_kill: bool,
}

impl Step {
    /// Runs `command` to its end and leaves nothing of it behind.
    pub(crate) fn run(&mut self, command: &Command) -> Ended {
        let began = Instant::now();
        let mut exit = CommandExit {
            name: command.name.clone(),
            ..CommandExit::default()
        };
        let rescue = Rescue::before(&self.root, command);
        let output = Output::create(&self.root, command, self.spec.limits.output_bytes);
        let run = output.and_then(|(mut output, handles)| {
            let pid = launch(&self.order(command)?, handles)?;
            let status = self.watch(command, pid, &mut output)?;
            Ok((output, status))
        });
        if let Err(error) = processes::kill_all_descendants() {
            eprintln!("terrane-supervisor: what the command left can't be found: {error}");
        }
        self.status.now.child_pid = None;
        if let Some(states) = &self.states {
            states.command_ended();
        }
        let (failure, died_of_kill) = match run {
            Ok((mut output, status)) => {
                let _ = output.enforce_cap();
                exit.code = code_of(status);
                exit.output_capped = output.was_capped();
                if let Some(states) = self.states.as_ref().filter(|_| command.writes_state) {
                    exit.state_dump = rescue.after(&self.root, &output, &states.journal);
                }
                let killed = status.terminating_signal() == Some(Signal::KILL.as_raw());
                (None, killed && !self.ladder.killed())
            }
            Err(error) => {
                exit.code = launch::FAILED;
                (Some(error.to_string()), false)
            }
        };
        exit.duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ended {
            exit,
            failure,
            died_of_kill,
        }
    }

    /// Looks for reasons to stop; to be called between commands too.
    pub(crate) fn look(&mut self, running: Option<Running>, measure: bool) -> Action {
        let seen = Seen {
            cancel_requested: self.asked || requests::cancel(&self.root),
            kill_requested: requests::kill(&self.root),
            memory_high: measure && self.memory.is_high(),
            disk_full: self.disk.watch(),
            running,
        };
        let action = self.ladder.step(self.began.elapsed(), &seen);
        self.publish();
        action
    }

    fn watch(
        &mut self,
        command: &Command,
        pid: Pid,
        output: &mut Output,
    ) -> io::Result<WaitStatus> {
        self.status.now.child_pid = Some(pid.as_raw_nonzero().get().cast_unsigned());
        let running = Some(Running {
            writes_state: command.writes_state,
        });
        let mut periods = 0_u32;
        let mut looked = Instant::now();
        loop {
            while let Some((ended, status)) = processes::reap()? {
                if ended == pid && (status.exited() || status.signaled()) {
                    return Ok(status);
                }
            }
            if looked.elapsed() >= PERIOD || periods == 0 {
                looked = Instant::now();
                periods = periods.wrapping_add(1).max(1);
                report("the output can't be cut", output.enforce_cap());
                match self.look(running, periods.is_multiple_of(MEMORY_PERIODS)) {
                    Action::Nothing => {}
                    // To terraform alone: its group holds providers, which it asks to stop itself.
                    Action::Interrupt => drop(kill_process(pid, Signal::INT)),
                    Action::Kill => report("the kill failed", self.kill(command, pid)),
                }
            }
            match self.signals.wait(PERIOD) {
                Ok(asked) => self.asked |= asked,
                Err(error) => {
                    report("signals can't be read", Err(error));
                    std::thread::sleep(PERIOD);
                }
            }
        }
    }

    fn kill(&mut self, command: &Command, pid: Pid) -> io::Result<()> {
        self.status.now.killing = true;
        self.publish();
        let states = self.states.as_ref().filter(|_| command.writes_state);
        let killed = freeze_check_kill(pid, || states.is_none_or(States::can_be_cut_here))?;
        eprintln!(
            "terrane-supervisor: killed {} at look {}; the state is {}",
            command.name,
            killed.tries,
            if killed.whole {
                "whole"
            } else {
                "not whole: take the journal's"
            },
        );
        Ok(())
    }

    fn publish(&mut self) {
        let now = &mut self.status.now;
        let cause = self.ladder.cancelled();
        now.cancelling = cause.is_some();
        now.reason = cause
            .filter(|cause| *cause != crate::ladder::Cause::Request)
            .map(|cause| cause.sentence().to_owned());
        now.disk_full = self.disk.was_full();
        if let Some(states) = &self.states {
            now.last_serial = states.journal().last().map(|entry| entry.serial);
        }
        self.status.publish();
    }

    fn order(&self, command: &Command) -> io::Result<Order> {
        let mut env = self.spec.env.clone();
        if let Some(states) = &self.states {
            env.extend(states.environment().iter().cloned());
        }
        let program = command.argv.first().map(Into::into).unwrap_or_default();
        Ok(Order {
            argv: command.argv.clone(),
            env,
            directory: self.root.join(&command.working_directory),
            plan: Plan {
                sandbox: self.spec.sandbox.clone(),
                limits: self.spec.limits.clone(),
                step_directory: self.root.path().to_owned(),
                writable: writable_directories(self.root.path())?,
                program,
            },
            dies_with_supervisor: !command.writes_state,
            supervisor_pid: getpid().as_raw_nonzero().get(),
        })
    }
}

/// What goes wrong while watching is no reason to end what is being watched.
fn report(what: &str, result: io::Result<()>) {
    if let Err(error) = result {
        eprintln!("terrane-supervisor: {what}: {error}");
    }
}

/// As a shell tells it.
fn code_of(status: WaitStatus) -> i32 {
    let signal = status.terminating_signal().map(|signal| 128 + signal);
    status.exit_status().or(signal).unwrap_or(launch::FAILED)
}
