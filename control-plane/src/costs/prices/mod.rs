//! What an account's prices and assumptions are: discounts, prices of its own, usage files.

mod model;
mod store;

pub(super) use store::{adjustments, content};
