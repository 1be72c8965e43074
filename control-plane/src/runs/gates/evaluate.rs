//! Asking the policies in force about one input.

use domain::ids::PolicyResultId;
use policy::input::Tags;
use policy::worker::Worker;
use policy::{Circumstances, Dialect, Enforcement, GroupKind, GroupSource, Verdict};

use super::input::PolicyInput;
use super::model::PolicyResult;
use crate::app::App;
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::policies::{self, InForce};

/// The name that a group's own failure is shown under.
const WHOLE_GROUP: &str = "(the whole group)";

/// Every policy's word, in the order of groups and policies. A group that can't be asked has one
/// verdict, an error that stops the run: nobody knows what it would have said.
pub(super) async fn ask(
    app: &App,
    tenant: &Tenant,
    groups: &[InForce],
    input: &PolicyInput,
    at: Timestamp,
) -> Vec<PolicyResult> {
    let mut results = Vec::new();
    for group in groups {
        let verdicts = match policies::source_of(app, tenant, &group.revision_id).await {
            Ok(source) => evaluate(&app.policy_worker, group, source, input, at).await,
            Err(error) => Err(format!("its files can't be read: {error}")),
        };
        let verdicts = verdicts.unwrap_or_else(|reason| {
            tracing::error!(group = %group.group_id, reason, "a policy group can't be asked");
            let level = Enforcement::HardMandatory;
            vec![Verdict::errored(WHOLE_GROUP, level, reason)]
        });
        results.extend(verdicts.into_iter().map(|verdict| PolicyResult {
            id: PolicyResultId::random(),
            group_id: group.group_id.to_string(),
            group_name: group.name.clone(),
            revision_id: group.revision_id.to_string(),
            overridable: group.overridable,
            verdict,
        }));
    }
    results
}

async fn evaluate(
    worker: &Worker,
    group: &InForce,
    source: GroupSource,
    input: &PolicyInput,
    at: Timestamp,
) -> Result<Vec<Verdict>, String> {
    let document = input.document(group.kind, tags_for(group));
    let around = Circumstances {
        now_ns: at.timestamp_nanos_opt().unwrap_or_default(),
    };
    let worker = worker.clone();
    tokio::task::spawn_blocking(move || worker.evaluate(source, &document, around))
        .await
        .map_err(|_| "its evaluation was cut off".to_owned())?
        .map(|evaluated| evaluated.verdicts)
        .map_err(|error| error.to_string())
}

/// Policies of Rego v0's time look tags up as keys.
pub(super) fn tags_for(group: &InForce) -> Tags {
    match (group.kind, group.dialect) {
        (GroupKind::Files, Dialect::V0) => Tags::Map,
        _ => Tags::List,
    }
}
