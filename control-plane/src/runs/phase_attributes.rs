//! Plans and applies on the wire. Source: TFE contract, sections 0 and 2.

use std::collections::BTreeMap;

use domain::run::PhaseStatus;
use serde::Serialize;
use utoipa::ToSchema;

use super::model::{Run, Unrecorded};
use crate::app::App;
use crate::clock::Timestamp;
use crate::http::jsonapi::Resource;
use crate::http::signed::{self, Purpose};

/// Attributes of type `plans`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct PlanAttributes {
    #[schema(value_type = String)]
    pub status: PhaseStatus,
    /// Absolute, from the beginning on; needs no token.
    pub log_read_url: String,
    pub has_changes: bool,
    pub generated_configuration: bool,
    pub resource_additions: Option<u32>,
    pub resource_changes: Option<u32>,
    pub resource_destructions: Option<u32>,
    pub resource_imports: Option<u32>,
    pub resource_drift: Option<u32>,
    #[schema(value_type = Object)]
    pub status_timestamps: BTreeMap<String, Timestamp>,
}

/// Attributes of type `applies`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ApplyAttributes {
    #[schema(value_type = String)]
    pub status: PhaseStatus,
    pub log_read_url: String,
    pub resource_additions: Option<u32>,
    pub resource_changes: Option<u32>,
    pub resource_destructions: Option<u32>,
    pub resource_imports: Option<u32>,
    /// What Terraform said it made and no state recorded, with ready import blocks.
    #[schema(value_type = Vec<Object>)]
    pub possibly_unrecorded: Vec<Unrecorded>,
    #[schema(value_type = Object)]
    pub status_timestamps: BTreeMap<String, Timestamp>,
}

/// The times that belong to one phase, under the names clients read.
fn times(run: &Run, pairs: &[(&str, &str)]) -> BTreeMap<String, Timestamp> {
    pairs
        .iter()
        .filter_map(|(from, to)| Some(((*to).to_owned(), *run.timestamps.get(*from)?)))
        .collect()
}

/// A run's plan as a JSON:API object.
pub fn plan(app: &App, run: &Run) -> Resource<PlanAttributes> {
    let result = run.plan_result.as_ref();
    let ended = match run.state.plan {
        PhaseStatus::Errored => "errored-at",
        PhaseStatus::Canceled => "canceled-at",
        PhaseStatus::Pending
        | PhaseStatus::Queued
        | PhaseStatus::Running
        | PhaseStatus::Finished
        | PhaseStatus::Unreachable => "planned-at",
    };
    let attributes = PlanAttributes {
        status: run.state.plan,
        log_read_url: signed::url(app, Purpose::PlanLog, &run.plan_id, None),
        has_changes: run.state.has_changes,
        generated_configuration: result.is_some_and(|it| it.generated_configuration),
        resource_additions: result.map(|it| it.additions),
        resource_changes: result.map(|it| it.changes),
        resource_destructions: result.map(|it| it.destructions),
        resource_imports: result.map(|it| it.imports),
        resource_drift: result.map(|it| it.drifted),
        status_timestamps: times(
            run,
            &[
                ("plan-queued-at", "queued-at"),
                ("planning-at", "started-at"),
                (ended, "finished-at"),
                ("planned-and-finished-at", "finished-at"),
                ("planned-and-saved-at", "finished-at"),
            ],
        ),
    };
    Resource::new("plans", &run.plan_id, attributes)
        .to_many::<&str>("state-versions", "state-versions", [])
        .link("self", format!("/api/v2/plans/{}", run.plan_id))
        .link(
            "json-output",
            format!("/api/v2/plans/{}/json-output", run.plan_id),
        )
        .link(
            "json-output-redacted",
            format!("/api/v2/plans/{}/json-output-redacted", run.plan_id),
        )
}

/// A run's apply as a JSON:API object.
pub fn apply(app: &App, run: &Run) -> Resource<ApplyAttributes> {
    let result = run.apply_result.as_ref();
    let ended = match run.state.apply {
        PhaseStatus::Errored => "errored-at",
        PhaseStatus::Canceled => "canceled-at",
        PhaseStatus::Pending
        | PhaseStatus::Queued
        | PhaseStatus::Running
        | PhaseStatus::Finished
        | PhaseStatus::Unreachable => "applied-at",
    };
    let attributes = ApplyAttributes {
        status: run.state.apply,
        log_read_url: signed::url(app, Purpose::ApplyLog, &run.apply_id, None),
        resource_additions: result.map(|it| it.additions),
        resource_changes: result.map(|it| it.changes),
        resource_destructions: result.map(|it| it.destructions),
        resource_imports: result.map(|it| it.imports),
        possibly_unrecorded: result
            .map(|it| it.possibly_unrecorded.clone())
            .unwrap_or_default(),
        status_timestamps: times(
            run,
            &[
                ("apply-queued-at", "queued-at"),
                ("applying-at", "started-at"),
                (ended, "finished-at"),
            ],
        ),
    };
    Resource::new("applies", &run.apply_id, attributes)
        .to_many::<&str>("state-versions", "state-versions", [])
        .link("self", format!("/api/v2/applies/{}", run.apply_id))
}
