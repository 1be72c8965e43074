//! What things cost: the estimate of each run's plan, limits on it, the states of workspaces with their
//! history, and the prices all that is made with.
//!
//! Decides: what an estimate is made with (the price book, an account's prices, assumed usage), what it
//! says, and which limits it breaks; which states are priced, and how their costs are summed up. Leaves to others: how a price is found (crate `cost`), what a
//! broken limit does to the run (`runs`), what policies make of the numbers (crate `policy`).
//!
//! An estimate never fails a run: a plan that can't be priced gets an estimate that says so. Only
//! where a limit is in force that would stop the run, not knowing counts as breaking it. Money is
//! decimal text in rows and on the wire, because neither database and few clients calculate exactly.

mod amount;
pub mod api;
mod book;
mod error;
mod estimate;
mod limits;
mod prices;
mod pricing;
mod revision;
mod states;
#[cfg(test)]
pub(crate) mod tests;

pub use book::{PriceBook, PriceBookError};
pub use error::CostError;
pub use estimate::{
    CostEstimate, Estimated, RunPlan, announce, cancel, for_policies, give_up, id_for, ids_of_runs,
    of_run, perform,
};
pub use limits::{BrokenLimit, strongest};
pub use states::StateKeeper;
