//! Who may do what on an object, and why: the same grants that decide, told the other way round.

pub(super) mod api;
mod attributes;
mod service;
