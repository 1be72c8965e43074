//! Steps as processes of this machine.
//!
//! The supervisor leads a session of its own, so that neither a signal to the runner's group nor
//! the runner's end reaches it. With bubblewrap it also has its own view of processes and files.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use parking_lot::Mutex;
use protocol::v1::ExecutionSettings;
use step::{Bubblewrap, Sandbox};

use super::{
    Answer, Execution, Executor, ExecutorError, SandboxChoice, SandboxLevel, Start, Surroundings,
};
use crate::cgroup::{Cgroups, Entrance, GroupLimits};
use crate::firewall::{Firewall, Whom, is_out_of_reach};
use crate::job::StepDir;
use crate::machine::Machine;

/// Processes a step may have unless its job says otherwise.
const PROCESSES: u64 = 1024;
/// bubblewrap and the supervisor's own threads.
const OURS: u64 = 16;

/// The executor of processes.
pub struct ProcessExecutor {
    supervisor: PathBuf,
    machine: Machine,
    level: SandboxLevel,
    /// The users that steps run as when the runner is root: one per step at a time.
    users: Range<u32>,
    uids: Mutex<BTreeSet<u32>>,
    /// There if it keeps the users of steps from the metadata address.
    firewall: Option<Firewall>,
    /// There if this runner may make groups; else limits are rlimits and the watermark alone.
    cgroups: Option<Cgroups>,
    children: Arc<Mutex<Vec<std::process::Child>>>,
}

impl ProcessExecutor {
    /// # Errors
    /// When the operator's choice can't be met on this machine; the sentence says why.
    pub fn new(
        supervisor: PathBuf,
        machine: Machine,
        choice: SandboxChoice,
        data: &Path,
    ) -> Result<Self, String> {
        let best = machine.best_level();
        let level = match choice {
            SandboxChoice::Auto => best,
            SandboxChoice::Exactly(level) if level <= best => level,
            SandboxChoice::Exactly(level) => {
                return Err(format!(
                    "this machine can't give a {} sandbox, only {}: {}",
                    level.name(),
                    best.name(),
                    machine.what_is_missing()
                ));
            }
        };
        let cgroups = match level {
            SandboxLevel::None => None,
            SandboxLevel::Basic | SandboxLevel::Strong => Cgroups::find(data)
                .inspect_err(|reason| {
                    tracing::warn!(%reason, "the kernel keeps no limits for whole steps");
                })
                .ok(),
        };
        Ok(Self {
            cgroups,
            supervisor,
            machine,
            level,
            users: crate::machine::users_for(data),
            uids: Mutex::default(),
            firewall: None,
            children: Arc::default(),
        })
    }

    /// Keeps steps from the metadata address, if this machine can do that; else says why not.
    ///
    /// # Errors
    /// A sentence for people; steps then reach the address.
    pub async fn keep_from_metadata(&mut self, firewall: Firewall) -> Result<(), String> {
        if !self.machine.is_root || self.level == SandboxLevel::None {
            return Err("steps have no user of their own".to_owned());
        }
        firewall
            .keep_away(&Whom::Users(self.users.clone()))
            .await
            .map_err(|error| error.to_string())?;
        if !is_out_of_reach(&self.supervisor, self.users.start).await {
            return Err("the rules were loaded and do not hold".to_owned());
        }
        self.firewall = Some(firewall);
        Ok(())
    }

    /// Whether steps can't reach the metadata address.
    pub fn keeps_from_metadata(&self) -> bool {
        self.firewall.is_some()
    }

    pub fn level(&self) -> SandboxLevel {
        self.level
    }

    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The layers that steps get, by their names on the wire.
    pub fn layers(&self) -> Vec<String> {
        let mut layers = self.machine.layers(self.level);
        layers.extend(self.cgroups.iter().map(|_| "cgroup".to_owned()));
        layers
    }

    fn group_for(&self, start: &Start) -> Result<Option<Entrance>, ExecutorError> {
        let Some(cgroups) = &self.cgroups else {
            return Ok(None);
        };
        let limits = GroupLimits {
            memory_bytes: start.settings.memory_bytes,
            processes: processes_of(start) + OURS,
            cpu_millis: start.settings.cpu_millis,
        };
        cgroups
            .make(&start.job_id, limits)
            .map(Some)
            .map_err(io_error("making the step's cgroup"))
    }

    fn take_uid(&self) -> Option<u32> {
        if !self.machine.is_root || self.level == SandboxLevel::None {
            return None;
        }
        let mut taken = self.uids.lock();
        let uid = self.users.clone().find(|uid| !taken.contains(uid))?;
        taken.insert(uid);
        Some(uid)
    }

    /// In namespaces of its own where the machine can do that, else as it is.
    fn command(&self, start: &Start) -> Command {
        let step = start.step.path();
        match &self.machine.bubblewrap {
            Some(program) if self.level == SandboxLevel::Strong => {
                let argv = Bubblewrap {
                    program: program.clone(),
                    supervisor: self.supervisor.clone(),
                    step_directory: step.to_owned(),
                    read_only: start.read_only.clone(),
                    read_write: Vec::new(),
                    cgroup: self
                        .cgroups
                        .as_ref()
                        .and_then(|groups| groups.memory_view(&start.job_id)),
                    no_network: start.settings.network == "none",
                }
                .argv();
                let mut command = Command::new(&argv[0]);
                command.args(&argv[1..]);
                command
            }
            Some(_) | None => {
                let mut command = Command::new(&self.supervisor);
                command.arg(step);
                command
            }
        }
    }
}

impl Executor for ProcessExecutor {
    fn name(&self) -> &'static str {
        "process"
    }

    fn surroundings(&self, start: &Start) -> Result<Surroundings, ExecutorError> {
        let wanted: SandboxLevel = start
            .settings
            .minimum_sandbox
            .parse()
            .map_err(ExecutorError::Refused)?;
        if wanted > self.level {
            return Err(ExecutorError::Refused(format!(
                "the pool demands a {} sandbox and this runner gives {}",
                wanted.name(),
                self.level.name()
            )));
        }
        if start.settings.refuse_reachable_metadata && self.firewall.is_none() {
            return Err(ExecutorError::reachable_metadata());
        }
        let uid = self.take_uid();
        let on = self.level > SandboxLevel::None;
        Ok(Surroundings {
            sandbox: Sandbox {
                uid,
                gid: uid,
                landlock: on && self.machine.landlock,
                seccomp: on && self.machine.seccomp,
                rlimits: on,
                read_only: start.read_only.clone(),
                read_write: Vec::new(),
            },
            // The supervisor, which stays root, gives the step's user what it may write.
            owner: None,
            memory_bytes: start.settings.memory_bytes,
            processes: processes_of(start),
            path: crate::machine::SEARCH_PATH.to_owned(),
            terraform: None,
        })
    }

    fn meeting_point<'a>(&'a self, settings: &'a ExecutionSettings) -> Answer<'a, Option<IpAddr>> {
        let alone = settings.network == "none" && self.level == SandboxLevel::Strong;
        Box::pin(async move { Ok((!alone).then_some(IpAddr::V4(Ipv4Addr::LOCALHOST))) })
    }

    fn start<'a>(&'a self, start: &'a Start) -> Answer<'a, Execution> {
        Box::pin(async move {
            if let Some(firewall) = &self.firewall {
                let kept = firewall.keep_away(&Whom::Users(self.users.clone())).await;
                super::still_kept(kept, start)?;
            }
            let entrance = self.group_for(start)?;
            let mut command = self.command(start);
            command
                .env_clear()
                .current_dir("/")
                .stdin(Stdio::null())
                .stdout(Stdio::null());
            command.stderr(supervisor_log(&start.step).map_err(io_error("opening its log"))?);
            let started = detached(command, entrance);
            let child = started.map_err(io_error("starting the supervisor"))?;
            let execution = Execution::Process {
                pid: child.id(),
                uid: read_uid(&start.step),
            };
            self.children.lock().push(child);
            Ok(execution)
        })
    }

    fn never_began<'a>(
        &'a self,
        execution: &'a Execution,
        step: &'a StepDir,
    ) -> Answer<'a, Option<String>> {
        Box::pin(async move {
            let Execution::Process { pid, .. } = execution else {
                return Ok(None);
            };
            let mut children = self.children.lock();
            let Some(child) = children.iter_mut().find(|it| it.id() == *pid) else {
                return Ok(None);
            };
            let ended = child
                .try_wait()
                .map_err(io_error("waiting for the supervisor"))?;
            Ok(ended.map(|status| {
                let said = first_line(step).unwrap_or_default();
                format!("The supervisor ended before it began ({status}). {said}")
            }))
        })
    }

    fn ended_for_memory<'a>(&'a self, job_id: &'a str, _: &'a Execution) -> Answer<'a, bool> {
        let groups = self.cgroups.as_ref();
        Box::pin(async move { Ok(groups.is_some_and(|it| it.was_out_of_memory(job_id))) })
    }

    fn found(&self, execution: &Execution) {
        match execution {
            Execution::Process { uid, .. } => self.uids.lock().extend(*uid),
            Execution::Docker { .. } => {}
        }
    }

    fn remove<'a>(&'a self, job_id: &'a str, execution: Option<&'a Execution>) -> Answer<'a, ()> {
        Box::pin(async move {
            if let Some(groups) = self.cgroups.clone() {
                let job = job_id.to_owned();
                let removed = tokio::task::spawn_blocking(move || groups.remove(&job)).await;
                removed.map_err(|error| io_error("removing the step's cgroup")(error.into()))?;
            }
            let Some(Execution::Process { uid, .. }) = execution else {
                return Ok(());
            };
            reap(&self.children);
            if let Some(uid) = uid {
                // What a step has left running under its own user has no owner any more.
                crate::machine::kill_all_of(*uid);
                self.uids.lock().remove(uid);
            }
            Ok(())
        })
    }
}

fn io_error(what: &'static str) -> impl FnOnce(io::Error) -> ExecutorError {
    move |source| ExecutorError::Io { what, source }
}

/// Processes a step may have.
fn processes_of(start: &Start) -> u64 {
    match start.settings.process_limit {
        0 => PROCESSES,
        asked => asked.into(),
    }
}

/// In a session of its own, so that it gets neither the terminal's signals nor the runner's, and in
/// the step's group.
#[expect(
    unsafe_code,
    reason = "setsid and write between fork and exec; both are async-signal-safe"
)]
fn detached(mut command: Command, entrance: Option<Entrance>) -> io::Result<std::process::Child> {
    // SAFETY: only setsid(2) and write(2) are called in the child before exec.
    unsafe {
        command.pre_exec(move || {
            rustix::process::setsid()?;
            entrance.as_ref().map_or(Ok(()), Entrance::enter)
        });
    }
    command.spawn()
}

fn supervisor_log(step: &StepDir) -> io::Result<Stdio> {
    step.write("supervisor.log", b"", 0o600)?;
    let options = cap_std::fs::OpenOptions::new().append(true).to_owned();
    Ok(Stdio::from(
        step.dir().open_with("supervisor.log", &options)?.into_std(),
    ))
}

/// What the supervisor complained of first.
fn first_line(step: &StepDir) -> Option<String> {
    use std::io::Read;
    let mut text = String::new();
    step.open("supervisor.log")
        .ok()?
        .take(1000)
        .read_to_string(&mut text)
        .ok()?;
    text.lines().next().map(str::to_owned)
}

/// The user that a step's specification names.
fn read_uid(step: &StepDir) -> Option<u32> {
    let spec: step::Spec = step.read_json(step::files::SPEC).ok().flatten()?;
    spec.sandbox.uid
}

fn reap(children: &Mutex<Vec<std::process::Child>>) {
    children
        .lock()
        .retain_mut(|child| matches!(child.try_wait(), Ok(None)));
}
