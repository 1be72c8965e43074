//! The contract between a runner and the supervisor that owns one step: the files of a step
//! directory and what is in them.
//!
//! The two share nothing but this directory, so that either may die and the other goes on: the
//! runner writes [`Spec`] once, the supervisor appends output and journal, and [`Exit`] appears,
//! whole, when it is over. Requests to the supervisor are files too: they cross a container's bind
//! mount, where a signal or a socket needs the engine's help.

mod atomic;
mod bubblewrap;
mod dump;
pub mod files;
mod liveness;
mod probe;
mod report;
mod spec;

pub use atomic::{read_json, write_atomically, write_json};
pub use bubblewrap::{Bubblewrap, SYSTEM_READ_ONLY};
pub use dump::DumpDetector;
pub use liveness::{Liveness, liveness};
pub use probe::{CgroupVersion, Layer, Probe};
pub use report::{CommandExit, Exit, JournalEntry, Outcome, StateDump, Status, Stream};
pub use spec::{Command, EndsEarly, Limits, Sandbox, Spec, StateMode, StateSpec};

/// Ends an output file that was cut at [`Limits::output_bytes`].
pub const OUTPUT_CAP_MARKER: &str =
    "\n[terrane] The output was cut here: it passed the limit of one output file.\n";

/// Kind that a sealed state is bound to (see [`StateSpec::seal_identity`]).
pub const SEAL_KIND: &str = "state-journal";
