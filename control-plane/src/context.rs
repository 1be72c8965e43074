//! Who calls, in whose name, from where: the first parameter of every use case.

use std::net::IpAddr;

use domain::access::{ActorKind, Role};
use domain::ids::{AccountId, JobId, RequestId, RunId, UserId, WorkspaceId};

use crate::clock::{Clock, Timestamp};

/// The tenant whose rows a query may see. It can only be had from a [`Context`], so no query can be
/// asked in a tenant's name that the caller doesn't have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant(AccountId);

impl Tenant {
    pub fn account(&self) -> &AccountId {
        &self.0
    }

    /// For work that the control plane does by itself on rows that name their account.
    pub(crate) fn of_row(account: &AccountId) -> Self {
        Self(account.clone())
    }
}

/// What a run's own token is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunScope {
    pub run: RunId,
    pub job: JobId,
    pub workspace: WorkspaceId,
    pub epoch: i64,
}

/// Who does something.
#[derive(Debug, Clone)]
pub struct Actor {
    pub kind: ActorKind,
    /// `user-…`, `run-…`, `runner-…`, or `system`.
    pub id: String,
    pub name: String,
    pub account: AccountId,
    pub role: Option<Role>,
    pub token_last_six: Option<String>,
    pub run: Option<RunScope>,
}

impl Actor {
    /// The control plane itself, acting on one tenant's rows.
    pub fn system(account: &AccountId, name: &str) -> Self {
        Self {
            kind: ActorKind::System,
            id: "system".to_owned(),
            name: name.to_owned(),
            account: account.clone(),
            role: None,
            token_last_six: None,
            run: None,
        }
    }

    /// The user behind the actor, if it is a person.
    pub fn user(&self) -> Option<UserId> {
        match self.kind {
            ActorKind::User => self.id.parse().ok(),
            ActorKind::Run | ActorKind::Runner | ActorKind::System => None,
        }
    }
}

/// Where a call came from, known before it is known who calls.
#[derive(Debug, Clone)]
pub struct Origin {
    pub request_id: RequestId,
    pub source_address: Option<IpAddr>,
}

/// The caller of a use case.
#[derive(Clone)]
pub struct Context {
    pub actor: Actor,
    pub request_id: RequestId,
    pub source_address: Option<IpAddr>,
    clock: Clock,
}

impl Context {
    pub fn new(actor: Actor, clock: Clock) -> Self {
        Self {
            actor,
            request_id: RequestId::random(),
            source_address: None,
            clock,
        }
    }

    /// The same for a caller that a use case has identified itself, as signing in does.
    pub fn from_origin(actor: Actor, origin: &Origin, clock: Clock) -> Self {
        Self {
            actor,
            request_id: origin.request_id.clone(),
            source_address: origin.source_address,
            clock,
        }
    }

    pub fn tenant(&self) -> Tenant {
        Tenant(self.actor.account.clone())
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
