//! What policies see: the plan, sanitised, and the run.

mod document;
mod plan;
mod run;
mod sanitise;

pub use document::{Input, InputError};
pub use plan::{PlanError, Sanitiser};
pub use run::{
    Author, Commit, CostEstimate, Named, ProviderConfiguration, PullRequest, Run, Tags,
    VariableKind, Vcs, Workspace, WorkspaceSource,
};
