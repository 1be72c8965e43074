//! What a runner asks for: commands, their surroundings and their limits.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How terraform's state is kept while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateMode {
    /// terraform's local backend, journalled at each change.
    Local,
    /// A loopback HTTP backend of the supervisor, journalled at each write. The configuration has
    /// an empty `backend "http" {}`: its address comes from the environment variables
    /// `TF_HTTP_ADDRESS`, `TF_HTTP_LOCK_ADDRESS` and `TF_HTTP_UNLOCK_ADDRESS`, which the supervisor
    /// adds. A plan file made that way applies under another port (tried with 1.11.4).
    Http,
}

/// What the supervisor has to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    pub job_id: String,
    pub epoch: u64,
    /// Run one after another; the first that fails ends the step unless it says otherwise.
    pub commands: Vec<Command>,
    /// The whole environment of every command; nothing is inherited, and nothing added but the
    /// address of the HTTP backend.
    pub env: BTreeMap<String, String>,
    pub state: Option<StateSpec>,
    /// The sandbox that each command is put in before its program is executed. The supervisor
    /// itself stays outside, where the commands can't touch it.
    pub sandbox: Sandbox,
    pub limits: Limits,
    /// The step ends well after a plan that turns out too large for how its state is kept.
    #[serde(default)]
    pub ends_early: Option<EndsEarly>,
}

/// When a step ends before its last command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndsEarly {
    /// Name of the command, whose stdout holds terraform's JSON lines.
    pub after: String,
    /// The step ends if more resources than this are to be changed. Replacing one counts twice.
    pub more_changes_than: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Unique in the step, `[a-z0-9-]+`; names the output files.
    pub name: String,
    /// Absolute program path first.
    pub argv: Vec<String>,
    /// Relative to the step directory.
    pub working_directory: PathBuf,
    /// Exit codes that count as success.
    pub success: Vec<i32>,
    /// A failure here does not end the step.
    pub optional: bool,
    /// Whether this command writes state (terraform apply): freeze-check-kill is for it, and
    /// `errored.tfstate` is looked for in its working directory.
    pub writes_state: bool,
    /// Where stdout goes instead of `output/NAME.stdout`, relative to the step directory. No part
    /// of the path may be a symbolic link.
    pub stdout: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateSpec {
    pub mode: StateMode,
    /// The state file, relative to the step directory. Local mode: where terraform writes it. HTTP
    /// mode: what the backend starts with, if it is there, and where it puts each write.
    pub file: PathBuf,
    /// HTTP mode: the port on 127.0.0.1 to serve on (0: any; see [`crate::Status::state_port`]) and
    /// the path secret that requests must carry (`/SECRET`).
    pub port: u16,
    pub path_secret: String,
    /// Only snapshots of this lineage are journalled; none: the first valid one decides.
    pub lineage: Option<String>,
    /// Only snapshots with a higher serial are journalled; -1: any.
    pub base_serial: i64,
    /// X25519 public key (base64url without padding) that snapshots are sealed to, and its id.
    pub journal_public_key: String,
    pub journal_key_id: String,
    /// `account/run/job`; see [`StateSpec::seal_identity`].
    pub seal_context: String,
}

impl StateSpec {
    /// What a sealed state is bound to, with [`crate::SEAL_KIND`] as its kind: the account (what is
    /// before the first `/` of the seal context) and an id (the rest). Whoever opens it must name
    /// the same.
    #[must_use]
    pub fn seal_identity(&self) -> (&str, &str) {
        self.seal_context
            .split_once('/')
            .unwrap_or(("", &self.seal_context))
    }
}

/// The layers to put on. Each is applied if asked for; one that can't be is an error, never skipped.
/// What works on a machine is found out by `terrane-supervisor --probe` ([`crate::Probe`]).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// Drop to this user and group, without supplementary groups and capabilities. The supervisor
    /// gives the directories that commands may write to this user.
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub landlock: bool,
    pub seccomp: bool,
    pub rlimits: bool,
    /// Paths that commands may read and execute below, besides [`crate::SYSTEM_READ_ONLY`], the step
    /// directory and their own program.
    pub read_only: Vec<PathBuf>,
    /// Paths that commands may write below, besides the directories in the step directory (see
    /// [`crate::files::SUPERVISOR_ONLY`]).
    pub read_write: Vec<PathBuf>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// The step is cancelled after this; 0: never.
    pub timeout_seconds: u64,
    /// A cancelled command that writes no state is killed after this; 0: never. One that writes
    /// state is killed only on request.
    pub kill_after_seconds: u64,
    /// The cancel ladder starts when the memory in use passes 80 % of this; 0: no watermark.
    pub memory_bytes: u64,
    /// Largest file a command may write; 0: no limit.
    pub file_bytes: u64,
    /// Output files are cut here, with [`crate::OUTPUT_CAP_MARKER`] after the last byte kept;
    /// 0: no limit. Bytes past it may be there for a moment before they are cut.
    pub output_bytes: u64,
    pub open_files: u64,
    pub processes: u64,
    /// Size of the ballast file; 0: none.
    pub ballast_bytes: u64,
    /// The step is refused if less than this is free at the start.
    pub required_free_bytes: u64,
}
