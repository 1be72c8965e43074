//! What pools, join tokens and runners are.

use std::collections::BTreeMap;

use db::Json;
use domain::ids::{AccountId, EnvironmentId, RunnerId, RunnerPoolId, TokenId};
use serde_json::Value;

use super::demands::{Demands, Offered};

use crate::clock::Timestamp;

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Runner {
    pub id: RunnerId,
    pub account_id: AccountId,
    pub pool_id: RunnerPoolId,
    pub pool_name: String,
    pub name: String,
    pub software: String,
    pub public_key: Vec<u8>,
    pub cert_serial: String,
    pub revoked_at: Option<Timestamp>,
}

/// What a runner says of itself when it joins.
#[derive(Debug, Clone)]
pub struct Joining {
    pub token_hash: String,
    pub csr_der: Vec<u8>,
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub software: String,
}

/// What a runner says of itself when it connects.
#[derive(Debug, Clone)]
pub struct Session {
    pub runner: RunnerId,
    pub software: String,
    pub capacity: i64,
    pub labels: BTreeMap<String, String>,
    pub capabilities: Value,
    pub transport: String,
    pub remote: String,
}

/// Where runners of one kind stand, and what is demanded of them.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Pool {
    pub id: RunnerPoolId,
    pub name: String,
    pub is_default: bool,
    pub minimum_sandbox: String,
    pub refuse_reachable_metadata: bool,
    pub created_at: Timestamp,
    /// Runners that are connected now.
    pub connected: i64,
    /// The environment that it was made through; else the account's first one.
    pub environment_name: Option<String>,
}

impl Pool {
    pub fn demands(&self) -> Demands {
        Demands::of_row(&self.minimum_sandbox, self.refuse_reachable_metadata)
    }
}

/// What a new pool is made of.
#[derive(Debug)]
pub struct NewPool {
    pub name: String,
    pub environment: EnvironmentId,
    pub demands: Demands,
}

/// What an update asks for; `None` leaves a thing as it is.
#[derive(Debug, Default)]
pub struct PoolChange {
    pub name: Option<String>,
    pub minimum_sandbox: Option<super::demands::SandboxLevel>,
    pub refuse_reachable_metadata: Option<bool>,
}

/// A join token without its text.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct JoinTokenRow {
    pub id: TokenId,
    pub pool_id: RunnerPoolId,
    pub description: String,
    pub single_use: bool,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub used_at: Option<Timestamp>,
    pub last_six: Option<String>,
    pub created_by: Option<String>,
}

/// What a new join token is made of.
#[derive(Debug, Default)]
pub struct NewJoinToken {
    pub description: String,
    pub expires_at: Option<Timestamp>,
    pub single_use: bool,
}

/// A runner as people see it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Agent {
    pub id: RunnerId,
    pub pool_id: RunnerPoolId,
    pub name: String,
    pub labels: Json<Value>,
    pub capabilities: Json<Value>,
    pub software: String,
    pub capacity: i64,
    pub cert_not_after: Timestamp,
    pub transport: Option<String>,
    pub remote_address: Option<String>,
    pub connected_at: Option<Timestamp>,
    pub last_seen_at: Option<Timestamp>,
    pub created_at: Timestamp,
    /// Jobs that it holds.
    pub jobs: i64,
}

impl Agent {
    pub fn offered(&self) -> Offered {
        Offered::of_capabilities(&self.capabilities.0)
    }
}
