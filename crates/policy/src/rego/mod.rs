//! Reading Rego: sources, dialects, and what a module declares and uses.

pub(crate) mod bundle;
pub(crate) mod dialect;
pub(crate) mod facts;
pub(crate) mod fault;
pub(crate) mod module;
pub(crate) mod path;
mod recursion;
pub(crate) mod source;
mod walk;
