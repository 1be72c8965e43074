//! Who calls, in whose name, from where: the first parameter of every use case.

use std::net::IpAddr;
use std::sync::Arc;

use domain::access::ActorKind;
use domain::ids::{AccountId, JobId, RequestId, RunId, UserId, WorkspaceId};

use crate::clock::{Clock, Timestamp};
use crate::iam::Grants;

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
    /// `user-…`, `sa-…`, `team-…`, `env-…`, `run-…`, `runner-…`, or `system`.
    pub id: String,
    pub name: String,
    pub account: AccountId,
    /// What the subject is granted, as it was when the call came in.
    pub grants: Arc<Grants>,
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
            grants: Arc::default(),
            token_last_six: None,
            run: None,
        }
    }

    /// A user who may do what everybody may with themselves, before there are grants.
    pub fn themselves(account: &AccountId, id: &UserId, username: &str) -> Self {
        Self {
            kind: ActorKind::User,
            id: id.to_string(),
            ..Self::system(account, username)
        }
    }

    /// The user behind the actor, if it is a person.
    pub fn user(&self) -> Option<UserId> {
        match self.kind {
            ActorKind::User => self.id.parse().ok(),
            ActorKind::ServiceAccount
            | ActorKind::Team
            | ActorKind::Environment
            | ActorKind::Run
            | ActorKind::Runner
            | ActorKind::System => None,
        }
    }

    /// Whether what the actor may do follows from grants, and from nothing else.
    pub fn has_grants(&self) -> bool {
        match self.kind {
            ActorKind::User
            | ActorKind::ServiceAccount
            | ActorKind::Team
            | ActorKind::Environment => true,
            ActorKind::Run | ActorKind::Runner | ActorKind::System => false,
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
