//! The control plane: state, runs, queue, gates and the API in front of them.
//!
//! Domain slices, each of which may call those before it; what must flow the other way is an event:
//! audit < tenancy < iam < workspaces < variables < state < costs < runners < fetches <
//! policies < approvals < runs < impact. Beside them stand the composition root ([`app`]), the caller's [`context`], and
//! the edges ([`http`], [`rpc`]). Around all that lies the shell: the commands ([`cli`]), the
//! [`config`], the listeners ([`serve`]) and the owner of all tasks ([`supervise`]).

pub mod app;
pub mod approvals;
mod archive;
pub mod audit;
pub mod backup;
pub mod cli;
pub mod clock;
pub mod config;
pub mod context;
pub mod costs;
pub mod fetches;
pub mod http;
pub mod iam;
pub mod impact;
pub mod objects;
pub mod outbound;
pub mod policies;
pub mod problem;
pub mod provider_configurations;
pub mod rpc;
pub mod run_identity;
pub mod runners;
pub mod runs;
pub mod schema;
pub mod serve;
pub mod state;
pub mod supervise;
pub mod tenancy;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod variables;
pub mod workspaces;
