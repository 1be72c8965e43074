//! One job from its lease to its acknowledged end.
//!
//! A job lives in its own directory and in stages that can each be entered again: *preparing*
//! (nothing has been started), *running* (a supervisor owns the step), *finishing* (uploads and the
//! report). After a restart the runner goes on where the directory says it was.

pub mod backend;
pub mod cli_config;
mod commands;
mod context;
mod credentials;
mod directory;
pub mod environment;
mod fetch;
mod finish_plan;
mod hand_over;
mod logs;
mod outcome;
mod plan_again;
mod prepare;
mod progress;
mod run;
mod step_dir;
mod watch_step;

pub use context::Context;
pub use directory::{JobDirectory, Record, Stage};
pub use prepare::PrepareError;
pub use run::run_job;
pub use step_dir::StepDir;

/// What the control plane wants done with a job.
pub type Wanted = protocol::v1::job_directive::Kind;
