//! Roles: sets of permissions with a name. Those of the system can't be changed; an account makes its
//! own, with wildcards that are read against the catalogue whenever somebody calls.

pub(super) mod api;
mod attributes;
mod model;
mod service;
mod store;
