//! What the supervisor reports: where it stands, what it journalled, how it ended.

use serde::{Deserialize, Serialize};

/// Where a running step stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// Index into [`crate::Spec::commands`] of the one that runs.
    pub command: usize,
    pub command_name: String,
    /// In the supervisor's pid namespace.
    pub child_pid: Option<u32>,
    pub state_port: Option<u16>,
    /// The one SIGINT has been sent, or would have been if a command had been running.
    pub cancelling: bool,
    /// Freeze, check, kill is under way.
    pub killing: bool,
    /// Why a cancel was started by the supervisor itself (memory, timeout, disk), for people.
    pub reason: Option<String>,
    pub last_serial: Option<i64>,
    /// The ballast has been released.
    pub disk_full: bool,
}

/// One state snapshot in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    pub serial: i64,
    pub lineage: String,
    /// Of the plaintext.
    pub size: u64,
    pub sha256_hex: String,
    pub md5_hex: String,
    pub key_id: String,
}

/// How the step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// The worst that happened: killed, then cancelled by request, then failed (a command, or a
    /// cancel that the supervisor started itself), then succeeded. A cancel that came too late, with
    /// every command done and successful, is a success.
    pub outcome: Outcome,
    /// One sentence for people when the outcome is no success.
    pub message: Option<String>,
    /// Those that were started. None: nothing was begun, the step may be given to someone else.
    pub commands: Vec<CommandExit>,
    /// Newest journalled snapshot.
    pub last_state: Option<JournalEntry>,
    /// See [`crate::files::ERRORED_SEALED`]. It is newer than [`Exit::last_state`].
    #[serde(default)]
    pub errored_state: Option<JournalEntry>,
    /// Why the state that is there at the end was not journalled though it differs from the one at
    /// the start: another lineage, a serial that did not rise, or no room to write.
    #[serde(default)]
    pub refused_state: Option<String>,
    /// The state file parses (or there is none, or the step writes none).
    pub state_whole: bool,
    pub out_of_memory: bool,
    pub timed_out: bool,
    /// The ballast had to be released.
    #[serde(default)]
    pub disk_full: bool,
    /// See [`crate::Spec::ends_early`].
    #[serde(default)]
    pub ended_early: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Succeeded,
    Failed,
    Canceled,
    Killed,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CommandExit {
    pub name: String,
    /// Exit code, or 128 + signal; 127 if the program could not be started.
    pub code: i32,
    /// Wall-clock time in milliseconds.
    pub duration_ms: u64,
    /// An output file was cut at [`crate::Limits::output_bytes`].
    pub output_capped: bool,
    /// terraform could write its state nowhere and printed it, secrets and all.
    pub state_dump: Option<StateDump>,
}

/// Where in the output terraform printed its raw state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateDump {
    pub stream: Stream,
    /// Offset of the first byte of the line it begins with.
    pub offset: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    Stdout,
    Stderr,
}
