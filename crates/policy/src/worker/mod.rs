//! Evaluation in a process of its own, so that a policy can be stopped whatever it does.
//!
//! In the process that asks, a policy that recurses, or one builtin that allocates, would take
//! everything down: the engine's own limits see neither (measured, see docs/decisions). So the same
//! program is started again as a worker with hard limits on memory, processor time and files; it is
//! given sources and input on its stdin and says verdicts on its stdout, one line each, naming each
//! item before it begins it. When it dies, the item it had begun is what it died of: that item gets
//! an error, and a new worker does the rest. So one hostile policy costs the others nothing but
//! time.
//!
//! One worker serves one run; several inputs, one after the other, only where all of them belong to
//! one account and one asker ([`Worker::judge`]).
//!
//! Decided against: threads (can't be stopped), a pool of workers that serve anybody's runs (one
//! run's input would lie in the memory that another's policy made unsafe), and a container or network
//! namespace (needs rights that the control plane should not have; with no descriptors to open
//! there is neither file nor socket).

mod cases;
mod child;
mod confine;
mod parent;
mod protocol;

pub use cases::{Judged, Question};
pub use child::serve;
pub use parent::{Checked, Checkup, Evaluated, Worker, WorkerError};

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The argument that makes a program a worker: `terrane policy-worker`.
pub const ARGUMENT: &str = "policy-worker";

/// What one worker may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The engine's own clock, for one policy or test: the cheap way out.
    pub evaluation: Duration,
    /// Processor time of one item, whatever it does; whole seconds.
    pub cpu: Duration,
    /// Wall clock of one item, for what waits or for a machine that stands still.
    pub wall: Duration,
    /// Address space beyond the program itself, in bytes, for sources and evaluation.
    pub memory: u64,
    /// Address space for each byte of input, in bytes: a parsed plan is several times its text.
    pub memory_per_input_byte: u64,
    /// Address space never goes beyond this, in bytes.
    pub memory_cap: u64,
    /// The stack that evaluates, in bytes.
    pub stack: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            evaluation: Duration::from_secs(10),
            cpu: Duration::from_secs(15),
            wall: Duration::from_secs(60),
            memory: 384 * 1024 * 1024,
            memory_per_input_byte: 16,
            memory_cap: 4 * 1024 * 1024 * 1024,
            stack: 64 * 1024 * 1024,
        }
    }
}

impl Limits {
    /// Address space for an input of that many bytes.
    fn memory_for(&self, input: usize) -> u64 {
        (input as u64)
            .saturating_mul(self.memory_per_input_byte)
            .saturating_add(self.memory)
            .min(self.memory_cap)
    }
}
