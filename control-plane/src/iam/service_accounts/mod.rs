//! Service accounts: programs with grants and tokens of their own, whoever leaves.

pub(super) mod api;
mod attributes;
mod model;
mod service;
mod store;

pub(super) use store::find;
