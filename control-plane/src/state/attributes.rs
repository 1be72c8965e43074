//! A state version on the wire. Source: TFE contract, sections 2.10 and the appendix.

use std::collections::BTreeMap;

use domain::access::ActorKind;
use domain::ids::StateOutputId;
use domain::workspace::StateStatus;
use serde::Serialize;
use utoipa::ToSchema;

use super::model::StateVersion;
use super::read::Reach;
use super::summary::{Counts, ResourceLine, Summary};
use super::upload::UPLOAD_WINDOW;
use crate::app::App;
use crate::clock::Timestamp;
use crate::http::jsonapi::{Resource, zulu};
use crate::http::signed::{self, Purpose};

/// Attributes of type `state-versions`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct StateVersionAttributes {
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub created_at: Timestamp,
    /// Bytes.
    pub size: Option<i64>,
    pub serial: i64,
    pub lineage: String,
    pub md5: Option<String>,
    #[schema(value_type = String)]
    pub status: StateStatus,
    /// The format of the state.
    pub state_version: u8,
    pub terraform_version: Option<String>,
    /// Written while Terraform was still at work.
    pub intermediate: bool,
    pub resources_processed: bool,
    /// Number of resources of each type, by module.
    #[schema(value_type = Object)]
    pub modules: BTreeMap<String, Counts>,
    /// Number of resources of each type, by provider.
    #[schema(value_type = Object)]
    pub providers: BTreeMap<String, Counts>,
    /// In single answers only.
    pub resources: Vec<ResourceLine>,
    pub hosted_state_download_url: Option<String>,
    pub hosted_json_state_download_url: Option<String>,
    pub hosted_state_upload_url: Option<String>,
    pub hosted_json_state_upload_url: Option<String>,
    /// Why it did not become the current state when it came.
    pub quarantine_reason: Option<String>,
    /// The client encrypted it: the server knows no more than this.
    pub encrypted_by_client: bool,
    pub vcs_commit_sha: Option<String>,
    pub vcs_commit_url: Option<String>,
    pub permissions: StateVersionPermissions,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct StateVersionPermissions {
    pub can_restore_backing_data: bool,
}

/// What of a version an answer shows.
pub(super) struct View<'a> {
    pub version: &'a StateVersion,
    pub reach: Reach,
    /// Whether to tell where the bytes go.
    pub awaits_upload: bool,
    /// Whether to list every resource.
    pub in_full: bool,
    pub outputs: &'a [StateOutputId],
}

impl View<'_> {
    fn upload_url(&self, app: &App, purpose: Purpose, wanted: bool) -> Option<String> {
        let pending = self.version.status == StateStatus::Pending;
        // A version that is whole already was announced once more: what comes is compared with it.
        let since = if pending {
            self.version.created_at
        } else {
            app.clock.now()
        };
        (self.awaits_upload && wanted)
            .then(|| signed::url(app, purpose, &self.version.id, Some(since + UPLOAD_WINDOW)))
    }

    fn summary(&self) -> Summary {
        let mut summary = match self.reach {
            Reach::All => self.version.summary.clone().unwrap_or_default(),
            Reach::Outputs => Summary::default(),
        };
        if !self.in_full {
            summary.resources = Vec::new();
        }
        summary
    }

    fn attributes(&self, app: &App) -> StateVersionAttributes {
        let version = self.version;
        let all = self.reach == Reach::All;
        let whole = version.blob_id.is_some();
        let has_json = version.json_blob_id.is_some();
        let path = format!("/api/v2/state-versions/{}", version.id);
        let summary = self.summary();
        StateVersionAttributes {
            created_at: version.created_at,
            size: version.size.filter(|_| all),
            serial: version.serial,
            lineage: version.lineage.clone(),
            md5: all.then(|| version.md5.clone()),
            status: version.status,
            state_version: 4,
            terraform_version: version.terraform_version.clone(),
            intermediate: version.intermediate,
            // Clients wait for it; what can't be indexed never will be.
            resources_processed: whole,
            modules: summary.modules,
            providers: summary.providers,
            resources: summary.resources,
            hosted_state_download_url: whole.then(|| app.url(&format!("{path}/download"))),
            hosted_json_state_download_url: (has_json && all)
                .then(|| app.url(&format!("{path}/json-download"))),
            hosted_state_upload_url: self.upload_url(app, Purpose::UploadState, true),
            hosted_json_state_upload_url: self.upload_url(app, Purpose::UploadJsonState, !has_json),
            quarantine_reason: version.quarantine_reason.clone(),
            encrypted_by_client: version.is_opaque(),
            vcs_commit_sha: None,
            vcs_commit_url: None,
            permissions: StateVersionPermissions {
                can_restore_backing_data: false,
            },
        }
    }

    pub(super) fn resource(&self, app: &App) -> Resource<StateVersionAttributes> {
        let version = self.version;
        let path = format!("/api/v2/state-versions/{}", version.id);
        let creator =
            (version.created_by_kind == ActorKind::User).then_some(&version.created_by_id);
        Resource::new("state-versions", &version.id, self.attributes(app))
            .to_one("run", "runs", version.run_id.as_ref())
            .to_one("created-by", "users", creator)
            .to_one("workspace", "workspaces", Some(&version.workspace_id))
            .to_one(
                "rollback-state-version",
                "state-versions",
                version.rollback_of.as_ref(),
            )
            .to_many("outputs", "state-version-outputs", self.outputs)
            .link("self", path)
    }
}
