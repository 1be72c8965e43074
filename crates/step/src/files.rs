//! Names inside a step directory. All paths the supervisor writes are below it.

/// [`crate::Spec`], written by the runner before the supervisor starts.
pub const SPEC: &str = "spec.json";
/// Pid of the supervisor and its start time, written first thing: `PID STARTTIME` as in
/// `/proc/PID/stat`. The pid is that of the supervisor's own pid namespace, so in a container or
/// in bubblewrap it says nothing outside: ask [`crate::liveness`], which goes by the lock that the
/// supervisor holds on this file. Its presence means that the step has begun and is never begun again.
pub const SUPERVISOR_PID: &str = "supervisor.pid";
/// Held locked by the supervisor and everything it started, until the last of them is gone.
pub const ALIVE: &str = "alive.lock";
/// [`crate::Exit`], written with rename when everything is over.
pub const EXIT: &str = "exit.json";
/// [`crate::Status`], rewritten with rename as the step goes on.
pub const STATUS: &str = "status.json";
/// One directory of output files for all commands: `output/NAME.stdout`, `output/NAME.stderr`.
pub const OUTPUT: &str = "output";
/// The unpacked configuration; terraform's working directory is in it.
pub const CONFIG: &str = "config";
/// Local state mode: `state/terraform.tfstate`.
pub const STATE: &str = "state/terraform.tfstate";
/// Sealed state snapshots: `journal/SERIAL.sealed` with `journal/SERIAL.json`
/// ([`crate::JournalEntry`]); the last three.
pub const JOURNAL: &str = "journal";
/// terraform's `errored.tfstate`, or a state it printed because it could not write it, sealed, with
/// its entry. Its serial may be 0 or one that the journal has: whoever takes it over renumbers it.
pub const ERRORED_SEALED: &str = "journal/errored.sealed";
pub const ERRORED_ENTRY: &str = "journal/errored.json";
/// Holds the plaintext snapshots.
pub const SNAPSHOTS: &str = "snapshot";
/// The newest valid state in clear, for upload, next to its entry; removed by the runner once
/// acknowledged. The state is renamed into place before its entry, so a reader opens the entry
/// first, then the state, and starts again if the hashes differ.
pub const SNAPSHOT: &str = "snapshot/terraform.tfstate";
pub const SNAPSHOT_ENTRY: &str = "snapshot/entry.json";
/// The plaintext of [`ERRORED_SEALED`] and its entry.
pub const SNAPSHOT_ERRORED: &str = "snapshot/errored.tfstate";
pub const SNAPSHOT_ERRORED_ENTRY: &str = "snapshot/errored.json";
/// Requests to the supervisor.
pub const CONTROL: &str = "control";
/// Presence asks for one SIGINT.
pub const CANCEL: &str = "control/cancel";
/// Presence asks for freeze, check, kill.
pub const KILL: &str = "control/kill";
/// Held open and released when the disk is full.
pub const BALLAST: &str = "ballast";

/// What belongs to the supervisor alone: commands in a sandbox may not write here, nor to any file
/// directly in the step directory. They may write below every *directory* that is in the step
/// directory when the step begins, so a runner makes `config`, `state`, `tmp` and the like before.
pub const SUPERVISOR_ONLY: [&str; 4] = [OUTPUT, JOURNAL, SNAPSHOTS, CONTROL];
