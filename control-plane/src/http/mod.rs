//! The public API: `/api/v2` and what clients need around it. Each slice brings its own routes; this
//! module has what they share, and the OpenAPI document that comes out of them.

pub mod attributes;
pub mod body;
mod caller;
pub mod csv;
mod discovery;
pub mod error;
mod headers;
pub mod jsonapi;
mod openapi;
pub mod page;
mod patience;
pub mod query;
mod router;
pub mod signed;

pub use caller::InProcessActor;
pub use discovery::{LOGIN_CLIENT, LOGIN_PORTS};
pub use openapi::document;
pub use router::{api, router};
