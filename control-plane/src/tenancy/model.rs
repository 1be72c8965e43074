//! What accounts, environments and projects are.

use domain::ids::{AccountId, EnvironmentId, ProjectId};
use sqlx::FromRow;

use crate::clock::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Account {
    pub id: AccountId,
    pub name: String,
    pub is_default: bool,
    /// How many of its jobs may be at work at a time; 0: any number, none: as the installation says.
    pub max_concurrent_runs: Option<i64>,
    pub created_at: Timestamp,
}

/// `organization` on the wire, where its name serves as its id.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Environment {
    pub id: EnvironmentId,
    pub account_id: AccountId,
    pub name: String,
    pub email: String,
    /// How many of its runs may be at work at a time.
    pub max_concurrent_runs: Option<i64>,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Project {
    pub id: ProjectId,
    pub account_id: AccountId,
    pub environment_id: EnvironmentId,
    pub name: String,
    pub description: String,
    pub is_default: bool,
    pub created_at: Timestamp,
}
