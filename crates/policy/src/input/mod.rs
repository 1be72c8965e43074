//! What policies see: the plan, sanitised, and the run.

mod document;
mod parts;
mod plan;
mod run;
mod sanitise;

pub use document::{Input, InputError};
pub(crate) use parts::is_plan;
pub use plan::{PlanError, Sanitiser};
pub use run::{
    Author, Commit, CostEstimate, Named, ProviderConfiguration, PullRequest, Run, Tags,
    VariableKind, Vcs, Workspace, WorkspaceSource,
};
