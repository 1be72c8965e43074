//! The words of the field, shared by every crate: ids, statuses, permissions, secrets.
//!
//! Pure: no I/O, no clock. With the feature `sqlx` ids and enums are also text columns of any sqlx
//! database; the runner never turns it on, so that it links no database driver.

pub mod access;
pub mod approval;
mod column;
pub mod cost;
pub mod git;
pub mod ids;
pub mod job;
pub mod permission;
pub mod permission_set;
pub mod policy;
pub mod provider;
pub mod run;
mod secret;
pub mod system_role;
mod text_enum;
pub mod workspace;

pub use ids::ParseIdError;
pub use secret::Secret;
pub use text_enum::UnknownWord;
