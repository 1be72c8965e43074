//! An account's rules about tokens: how long they may live, and from where they work.

pub(super) mod api;
mod attributes;
mod model;
mod service;
mod store;

pub(super) use store::find;
