//! What a plan costs: offline, from a price book, in decimal money.
//!
//! The crate reads the JSON of a plan as a stream ([`Plan::from_reader`]), runs the rule of each resource's type on
//! both sides of it ([`Estimator::estimate`]), and gives an [`Estimate`]: per resource before, after and the
//! difference; totals that never hide what could not be priced. It opens no connection and reads no clock.
//!
//! [`import`] turns the price lists of the clouds into a new book.

mod book;
mod estimate;
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "rules work on dynamic values: any other kind means nothing there, also one added later"
)]
mod eval;
pub mod import;
mod money;
mod plan;
mod rules;
mod usage;

pub use book::{
    Book, BookError, Confidence, DERIVED_SOURCE, NoPrice, Price, Row, embedded_rows, pack,
    parse_csv, unpack, write_csv,
};
pub use estimate::{
    AdjustError, Adjustments, Change, Component, ComponentReport, Estimate, Estimator,
    EstimatorError, Group, ModuleReport, Report, ResourceCost, ResourceReport, Status, Subtotal,
    Total, by_module, by_tag, policy_detail, wanted, wanted_by_module, wanted_by_tags,
};
pub use money::cents;
pub use plan::{Action, Plan, PlanError};
pub use rules::{RuleError, Rules};
pub use usage::{Usage, UsageError};

/// The sources of the embedded book, as a table: carrier, licence and date of each.
pub const SOURCES: &str = include_str!("../pricebook/sources.csv");
