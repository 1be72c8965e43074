//! Pools, join tokens and runners on the wire. Source: TFE contract, section 4 (`agent-pools`,
//! `authentication-tokens`, `agents`); what it does not have is added in the same style.

use domain::Secret;
use domain::ids::WorkspaceId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::demands::{Demands, SandboxLevel};
use super::error::RunnerError;
use super::model::{Agent, JoinTokenRow, Pool};
use crate::clock::Timestamp;
use crate::http::attributes::{Attributes, Words};
use crate::http::jsonapi::{InputData, Resource, zulu};

/// Attributes of type `agent-pools`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct PoolAttributes {
    pub name: String,
    /// Every environment of the account may use it.
    pub organization_scoped: bool,
    /// Runners that are connected now.
    pub agent_count: i64,
    /// Whether workspaces that name no pool use it.
    pub is_default: bool,
    /// `none`, `basic` or `strong`: runners whose sandbox is weaker get no jobs.
    pub minimum_sandbox: String,
    /// Whether runners that reach the cloud's metadata address get no jobs.
    pub refuse_reachable_metadata: bool,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub created_at: Timestamp,
}

/// A pool as a JSON:API object.
pub(super) fn pool(pool: &Pool, workspaces: &[WorkspaceId]) -> Resource<PoolAttributes> {
    let attributes = PoolAttributes {
        name: pool.name.clone(),
        organization_scoped: true,
        agent_count: pool.connected,
        is_default: pool.is_default,
        minimum_sandbox: pool.minimum_sandbox.clone(),
        refuse_reachable_metadata: pool.refuse_reachable_metadata,
        created_at: pool.created_at,
    };
    let nobody: [&WorkspaceId; 0] = [];
    Resource::new("agent-pools", &pool.id, attributes)
        .to_one(
            "organization",
            "organizations",
            pool.environment_name.as_ref(),
        )
        .to_many("workspaces", "workspaces", workspaces)
        .to_many("allowed-workspaces", "workspaces", nobody)
        .to_many("allowed-projects", "projects", nobody)
        .to_many("excluded-workspaces", "workspaces", nobody)
        .link("self", format!("/api/v2/agent-pools/{}", pool.id))
}

/// What a create or update of a pool may carry.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct PoolInput {
    pub name: Option<String>,
    /// `none`, `basic` or `strong`.
    pub minimum_sandbox: Option<String>,
    pub refuse_reachable_metadata: Option<bool>,
}

impl Attributes for PoolInput {
    const TYPES: &'static [&'static str] = &["agent-pools"];
    const RELATIONS: Words = &[
        ("allowed-projects", &["projects"]),
        ("allowed-workspaces", &["workspaces"]),
        ("excluded-workspaces", &["workspaces"]),
    ];
    // Every environment of the account may use each pool.
    const WITHOUT_EFFECT: Words = &[("organization-scoped", &["true"])];
}

impl PoolInput {
    /// The level, if one is given.
    ///
    /// # Errors
    /// [`RunnerError::Invalid`] for an unknown word.
    pub(super) fn level(&self) -> Result<Option<SandboxLevel>, RunnerError> {
        let level = self.minimum_sandbox.as_deref().map(|text| {
            text.parse().map_err(|()| {
                RunnerError::invalid(
                    "minimum-sandbox",
                    format!("{text:?} is not one of: none, basic, strong"),
                )
            })
        });
        level.transpose()
    }
}

/// Refuses what would be stored without effect: pools for some workspaces only.
///
/// # Errors
/// [`RunnerError::Invalid`], naming it.
pub(super) fn check_supported(input: &InputData<PoolInput>) -> Result<(), RunnerError> {
    const REASON: &str = "every environment and workspace of the account may use each pool in this \
        version, so this is not accepted; leave it out";
    let named = [
        "allowed-workspaces",
        "allowed-projects",
        "excluded-workspaces",
    ]
    .into_iter()
    .find(|name| !input.related(name).is_empty());
    match named {
        Some(name) => Err(RunnerError::Invalid {
            pointer: format!("/data/relationships/{name}"),
            detail: REASON.to_owned(),
        }),
        None => Ok(()),
    }
}

/// Attributes of type `authentication-tokens`, of a pool.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct JoinTokenAttributes {
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub created_at: Timestamp,
    /// When a runner last joined with it.
    #[schema(value_type = Option<String>)]
    pub last_used_at: Option<Timestamp>,
    #[schema(value_type = Option<String>)]
    pub expired_at: Option<Timestamp>,
    pub description: String,
    /// Whether one runner may join with it, and no second one.
    pub single_use: bool,
    /// The end of the token, to tell it from others.
    pub last_six: Option<String>,
    /// The token itself: in the answer to its creation only.
    pub token: Option<String>,
}

/// A join token as a JSON:API object; with its text, once, when it was just made.
pub(super) fn join_token(
    token: &JoinTokenRow,
    text: Option<&Secret>,
) -> Resource<JoinTokenAttributes> {
    let attributes = JoinTokenAttributes {
        created_at: token.created_at,
        last_used_at: token.used_at,
        expired_at: token.expires_at,
        description: token.description.clone(),
        single_use: token.single_use,
        last_six: token.last_six.clone(),
        token: text.map(|text| text.expose().clone()),
    };
    Resource::new("authentication-tokens", &token.id, attributes)
        .to_one("created-by", "users", token.created_by.as_ref())
        .to_one("agent-pool", "agent-pools", Some(&token.pool_id))
}

/// What a new join token may say.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct JoinTokenInput {
    pub description: Option<String>,
    /// When it stops working; never, if absent.
    #[schema(value_type = Option<String>)]
    pub expired_at: Option<Timestamp>,
    pub single_use: Option<bool>,
}

impl Attributes for JoinTokenInput {
    // Clients send the second type and are answered with the first.
    const TYPES: &'static [&'static str] = &["authentication-tokens", "agent-tokens"];
}

/// Attributes of type `agents`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct AgentAttributes {
    pub name: String,
    /// `idle` or `busy` while connected, else `unknown`.
    pub status: &'static str,
    pub ip_address: Option<String>,
    #[schema(value_type = Option<String>)]
    pub last_ping_at: Option<Timestamp>,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub created_at: Timestamp,
    #[schema(value_type = Option<String>)]
    pub connected_at: Option<Timestamp>,
    #[schema(value_type = String)]
    pub certificate_expires_at: Timestamp,
    /// `quic` or `tcp`.
    pub transport: Option<String>,
    pub software: String,
    /// Jobs that it takes at a time, and those that it has.
    pub capacity: i64,
    pub jobs: i64,
    /// Whether it meets the demands of its pool: one that doesn't gets no jobs.
    pub meets_demands: bool,
    #[schema(value_type = Object)]
    pub labels: Value,
    /// Executors, sandbox layers and level, and whether the metadata address is out of reach.
    #[schema(value_type = Object)]
    pub capabilities: Value,
}

/// A runner as a JSON:API object.
pub(super) fn agent(agent: &Agent, demands: Demands, now: Timestamp) -> Resource<AgentAttributes> {
    let connected = agent.connected_at.is_some();
    let address = agent.remote_address.as_deref();
    let attributes = AgentAttributes {
        name: agent.name.clone(),
        status: match (connected, agent.jobs) {
            (false, _) => "unknown",
            (true, 0) => "idle",
            (true, _) => "busy",
        },
        ip_address: address.map(|it| match it.parse::<std::net::SocketAddr>() {
            Ok(address) => address.ip().to_string(),
            Err(_) => it.to_owned(),
        }),
        last_ping_at: if connected {
            Some(now)
        } else {
            agent.last_seen_at
        },
        created_at: agent.created_at,
        connected_at: agent.connected_at,
        certificate_expires_at: agent.cert_not_after,
        transport: agent.transport.clone(),
        software: agent.software.clone(),
        capacity: agent.capacity,
        jobs: agent.jobs,
        meets_demands: demands.met_by(agent.offered()),
        labels: agent.labels.0.clone(),
        capabilities: agent.capabilities.0.clone(),
    };
    Resource::new("agents", &agent.id, attributes)
        .to_one("agent-pool", "agent-pools", Some(&agent.pool_id))
        .link("self", format!("/api/v2/agents/{}", agent.id))
}
