//! What a state version is.

use domain::access::ActorKind;
use domain::ids::{AccountId, BlobId, RunId, StateVersionId, WorkspaceId};
use domain::workspace::StateStatus;
use sqlx::FromRow;

use super::summary::Summary;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::workspaces::Workspace;

#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct StateVersion {
    pub id: StateVersionId,
    pub account_id: AccountId,
    pub workspace_id: WorkspaceId,
    /// Rises by one per workspace in the order of arrival; serials jump, and may repeat after a
    /// forced push.
    pub number: i64,
    pub status: StateStatus,
    pub serial: i64,
    /// Empty when neither the client nor the content tells.
    pub lineage: String,
    /// Hexadecimal: as announced, and once the bytes are here, of them.
    pub md5: String,
    pub sha256: Option<String>,
    /// Bytes.
    pub size: Option<i64>,
    pub blob_id: Option<BlobId>,
    /// The state as `terraform show -json` prints it, which some clients send along.
    pub json_blob_id: Option<BlobId>,
    pub terraform_version: Option<String>,
    /// Written while Terraform was still at work.
    pub intermediate: bool,
    pub run_id: Option<RunId>,
    /// The version that this one is a copy of.
    pub rollback_of: Option<StateVersionId>,
    /// Why it did not become the current state when it came.
    pub quarantine_reason: Option<String>,
    #[sqlx(json(nullable))]
    pub summary: Option<Summary>,
    /// Whether the client meant to replace whatever is there.
    pub forced: bool,
    pub created_by_kind: ActorKind,
    pub created_by_id: String,
    pub created_at: Timestamp,
}

/// What the sender says of a state before its bytes are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    pub serial: i64,
    /// Empty when unknown.
    pub lineage: String,
    /// Hexadecimal; empty when unknown.
    pub md5: String,
    /// Bytes.
    pub size: u64,
}

/// Which versions of a workspace are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub status: Option<StateStatus>,
    pub run: Option<RunId>,
}

impl StateVersion {
    /// A version that has been announced by the caller and has no bytes yet.
    pub(super) fn announced(
        ctx: &Context,
        workspace: &Workspace,
        number: i64,
        announced: &Announced,
    ) -> Self {
        Self {
            id: StateVersionId::random(),
            account_id: workspace.account_id.clone(),
            workspace_id: workspace.id.clone(),
            number,
            status: StateStatus::Pending,
            serial: announced.serial,
            lineage: announced.lineage.clone(),
            md5: announced.md5.clone(),
            sha256: None,
            size: None,
            blob_id: None,
            json_blob_id: None,
            terraform_version: None,
            intermediate: false,
            run_id: ctx.actor.run.as_ref().map(|scope| scope.run.clone()),
            rollback_of: None,
            quarantine_reason: None,
            summary: None,
            forced: false,
            created_by_kind: ctx.actor.kind,
            created_by_id: ctx.actor.id.clone(),
            created_at: ctx.now(),
        }
    }

    /// Whether the content is readable only by the client that encrypted it.
    pub fn is_opaque(&self) -> bool {
        self.summary.as_ref().is_some_and(|summary| summary.opaque)
    }
}
