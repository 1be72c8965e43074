//! What a runner is.

use std::collections::BTreeMap;

use domain::ids::{AccountId, RunnerId, RunnerPoolId};
use serde_json::Value;

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
