//! The contract between a runner and the supervisor that owns one step: the files of a step
//! directory and what is in them.
//!
//! The two share nothing but this directory, so that either may die and the other goes on: the
//! runner writes [`Spec`] once, the supervisor appends output and journal, and [`Exit`] appears,
//! whole, when it is over. Requests to the supervisor are files too: they cross a container's bind
//! mount, where a signal or a socket needs the engine's help.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Names inside a step directory. All paths the supervisor uses are below it or read-only.
pub mod files {
    /// [`super::Spec`], written by the runner before the supervisor starts.
    pub const SPEC: &str = "spec.json";
    /// Pid of the supervisor and its start time, written first thing: `PID STARTTIME` as in
    /// `/proc/PID/stat`, so that a reused pid is not taken for it.
    pub const SUPERVISOR_PID: &str = "supervisor.pid";
    /// [`super::Exit`], written with rename when everything is over.
    pub const EXIT: &str = "exit.json";
    /// [`super::Status`], rewritten with rename as the step goes on.
    pub const STATUS: &str = "status.json";
    /// One directory of output files per command: `output/NAME.stdout`, `output/NAME.stderr`.
    pub const OUTPUT: &str = "output";
    /// The unpacked configuration; terraform's working directory is in it.
    pub const CONFIG: &str = "config";
    /// Local state mode: `state/terraform.tfstate`.
    pub const STATE: &str = "state/terraform.tfstate";
    /// Sealed state snapshots: `journal/SERIAL.sealed` with `journal/SERIAL.json`
    /// ([`super::JournalEntry`]); the last three.
    pub const JOURNAL: &str = "journal";
    /// The newest valid state in clear, for upload, next to its entry; removed once acknowledged.
    pub const SNAPSHOT: &str = "snapshot/terraform.tfstate";
    pub const SNAPSHOT_ENTRY: &str = "snapshot/entry.json";
    /// Presence asks for one SIGINT.
    pub const CANCEL: &str = "control/cancel";
    /// Presence asks for freeze, check, kill.
    pub const KILL: &str = "control/kill";
    /// Held open and released when the disk is full.
    pub const BALLAST: &str = "ballast";
}

/// How terraform's state is kept while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateMode {
    /// terraform's local backend, journalled at each change.
    Local,
    /// A loopback HTTP backend of the supervisor, journalled at each write.
    Http,
}

/// What the supervisor has to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    pub job_id: String,
    pub epoch: u64,
    /// Run one after another; the first that fails ends the step unless it says otherwise.
    pub commands: Vec<Command>,
    /// The whole environment of every command; nothing is inherited.
    pub env: BTreeMap<String, String>,
    pub state: Option<StateSpec>,
    /// The sandbox the supervisor puts itself and its children in before the first command.
    pub sandbox: Sandbox,
    pub limits: Limits,
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
    /// Whether this command writes state (terraform apply): freeze-check-kill and the journal are
    /// for it.
    pub writes_state: bool,
    /// Where stdout goes instead of `output/NAME.stdout`, relative to the step directory.
    pub stdout: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateSpec {
    pub mode: StateMode,
    /// Local mode: the state file that terraform writes, relative to the step directory.
    pub file: PathBuf,
    /// HTTP mode: the port on 127.0.0.1 to serve on (0: any; see [`Status::state_port`]) and the
    /// path secret that requests must carry.
    pub port: u16,
    pub path_secret: String,
    /// Only snapshots of this lineage are journalled; none: the first valid one decides.
    pub lineage: Option<String>,
    /// Only snapshots with a higher serial are journalled; -1: any.
    pub base_serial: i64,
    /// X25519 public key (base64) that snapshots are sealed to, and its id.
    pub journal_public_key: String,
    pub journal_key_id: String,
    /// Associated data of the seal: `account/run/job`.
    pub seal_context: String,
}

/// The layers to put on. Each is applied if asked for; one that can't be is an error, never skipped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// Drop to this user and group.
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub landlock: bool,
    pub seccomp: bool,
    pub rlimits: bool,
    /// Paths that commands may read and execute below, besides the system's own directories.
    pub read_only: Vec<PathBuf>,
    /// Paths that commands may write below, besides the step directory.
    pub read_write: Vec<PathBuf>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The step is cancelled after this; 0: never.
    pub timeout_seconds: u64,
    /// The cancel ladder starts when the memory in use passes 80 % of this; 0: no watermark.
    pub memory_bytes: u64,
    /// Largest file a command may write; 0: no limit.
    pub file_bytes: u64,
    pub open_files: u64,
    pub processes: u64,
    /// Size of the ballast file; 0: none.
    pub ballast_bytes: u64,
    /// The step is refused if less than this is free at the start.
    pub required_free_bytes: u64,
}

/// Where a running step stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Index into [`Spec::commands`] of the one that runs.
    pub command: usize,
    pub command_name: String,
    pub child_pid: Option<u32>,
    pub state_port: Option<u16>,
    pub cancelling: bool,
    /// Why a cancel was started by the supervisor itself (memory, timeout, disk).
    pub reason: Option<String>,
    pub last_serial: Option<i64>,
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
    pub outcome: Outcome,
    /// One sentence for people when the outcome is no success.
    pub message: Option<String>,
    pub commands: Vec<CommandExit>,
    /// Newest journalled snapshot.
    pub last_state: Option<JournalEntry>,
    /// The state file parses (or there is none, or the step writes none).
    pub state_whole: bool,
    pub out_of_memory: bool,
    pub timed_out: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Succeeded,
    Failed,
    Canceled,
    Killed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandExit {
    pub name: String,
    /// Exit code, or 128 + signal.
    pub code: i32,
}

/// Writes `value` as JSON so that a reader sees the old file or the new one, never a part.
///
/// # Errors
/// The file system's own; nothing is left at `path` that was not there before.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> std::io::Result<()> {
    write_atomically(path, &serde_json::to_vec(value)?)
}

/// Writes `bytes` durably: temporary file, fsync, rename, fsync of the directory.
///
/// # Errors
/// The file system's own.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let temporary = directory.join(name);
    let mut file = std::fs::File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    std::fs::File::open(directory)?.sync_all()
}

/// Reads what [`write_json`] wrote; `None` if there is no such file.
///
/// # Errors
/// The file system's own, or `InvalidData` when the content is not what was expected.
pub fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> std::io::Result<Option<T>> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(std::io::Error::from),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back() {
        let path = std::env::temp_dir().join(format!("step-test-{}.json", std::process::id()));
        let entry = JournalEntry {
            serial: 4,
            lineage: "l".into(),
            size: 1,
            sha256_hex: "aa".into(),
            md5_hex: "bb".into(),
            key_id: "k".into(),
        };
        write_json(&path, &entry).unwrap();
        assert_eq!(read_json::<JournalEntry>(&path).unwrap(), Some(entry));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(read_json::<JournalEntry>(&path).unwrap(), None);
    }
}
