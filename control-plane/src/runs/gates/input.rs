//! The input of a run's policies: the plan without its secrets, and the facts about the run.
//!
//! Made once for a run and stage, and kept: a verdict can be asked for again, by a later check of a
//! changed policy or by an author who writes a test, and it is about the same thing. The plan is
//! kept as text, because it is only ever handed on to the policy worker.

use domain::Secret;
use domain::policy::PolicyStage;
use policy::GroupKind;
use policy::input::{CostEstimate, Run as Facts, Sanitiser, Tags};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{facts, input_store};
use crate::app::App;
use crate::context::Tenant;
use crate::objects::{self, Object};
use crate::problem::Fault;
use crate::provider_configurations::{self, Beneficiary};
use crate::runs::error::RunError;
use crate::runs::model::Run;
use crate::workspaces;

/// The largest plan that policies are asked about, in bytes of JSON: a worker's memory is bounded.
const MAX_PLAN: u64 = 256 << 20;
const OBJECT_KIND: &str = "plan-json-for-policies";
/// Larger than a plan of [`MAX_PLAN`] bytes can become by markers in place of values.
const MAX_KEPT: u64 = 4 * MAX_PLAN;
/// The installation's secret that the markers of sensitive values are made with.
const MARKER_SECRET: &str = "policy-marker";

/// What the policies of a stage see of a run.
#[derive(Debug)]
pub struct PolicyInput {
    /// Of everything below.
    pub digest: String,
    facts: Facts,
    /// The sanitised plan, JSON; none before the plan.
    plan: Option<Secret<Vec<u8>>>,
}

impl PolicyInput {
    /// The document for a group, JSON: `{"tfplan", "tfrun"}`, or `{"plan", "run"}` for policy sets.
    pub fn document(&self, kind: GroupKind, tags: Tags) -> Vec<u8> {
        let (name, around) = match kind {
            GroupKind::Files => ("tfplan", self.facts.for_files(None, tags)),
            GroupKind::Queries => ("plan", self.facts.for_queries(None)),
        };
        self.with_plan(name, &around)
    }

    /// Puts the plan's text into the document without parsing it again.
    fn with_plan(&self, name: &str, around: &Value) -> Vec<u8> {
        let around = around.to_string();
        let Some(plan) = &self.plan else {
            return around.into_bytes();
        };
        let plan = plan.expose();
        let mut document = Vec::with_capacity(plan.len() + around.len() + name.len() + 8);
        document.extend_from_slice(b"{\"");
        document.extend_from_slice(name.as_bytes());
        document.extend_from_slice(b"\":");
        document.extend_from_slice(plan);
        document.push(b',');
        document.extend_from_slice(around.trim_start_matches('{').as_bytes());
        document
    }
}

/// The input of a run's stage, as it was made first; `cost` is what the plan costs, when it is known.
///
/// # Errors
/// [`RunError::NotFound`] when the run has no plan to judge, [`RunError::Invalid`] when the plan
/// can't be read or is too large, or a fault.
pub async fn of_run(
    app: &App,
    tenant: &Tenant,
    run: &Run,
    stage: PolicyStage,
    cost: Option<CostEstimate>,
) -> Result<PolicyInput, RunError> {
    let mut conn = app.db.acquire().await?;
    let known = input_store::find(&mut conn, tenant, &run.id, stage).await?;
    drop(conn);
    if let Some(row) = known {
        let plan = match &row.plan_blob_id {
            Some(blob) => Some(objects::open(app, tenant, blob).await?),
            None => None,
        };
        return StoredInput::of(row, plan).read().await;
    }
    make(app, tenant, run, stage, cost).await
}

/// An input that was made before, its plan not read yet.
#[derive(Debug)]
pub struct StoredInput {
    digest: String,
    facts: Facts,
    plan: Option<Object>,
}

impl StoredInput {
    pub(super) fn of(row: input_store::InputRow, plan: Option<Object>) -> Self {
        Self {
            digest: row.digest,
            facts: row.facts,
            plan,
        }
    }

    /// Bytes of its plan.
    pub fn size(&self) -> u64 {
        self.plan.as_ref().map_or(0, Object::size)
    }

    /// All of it, held in memory.
    ///
    /// # Errors
    /// A fault.
    pub async fn read(self) -> Result<PolicyInput, RunError> {
        let plan = match &self.plan {
            Some(object) => Some(object.read_all(MAX_KEPT).await?),
            None => None,
        };
        Ok(PolicyInput {
            digest: self.digest,
            facts: self.facts,
            plan,
        })
    }
}

async fn make(
    app: &App,
    tenant: &Tenant,
    run: &Run,
    stage: PolicyStage,
    cost: Option<CostEstimate>,
) -> Result<PolicyInput, RunError> {
    let mut conn = app.db.acquire().await?;
    let facts = facts::of_run(app, &mut conn, tenant, run, cost).await?;
    drop(conn);
    let plan = match stage {
        PolicyStage::PrePlan => None,
        PolicyStage::PostPlan => Some(sanitised_plan(app, tenant, run).await?),
    };
    let stored = match &plan {
        Some(text) => {
            let reader = text.expose().as_slice();
            Some(objects::put(app, tenant, OBJECT_KIND, reader, MAX_KEPT).await?)
        }
        None => None,
    };
    let input = PolicyInput {
        digest: digest(plan.as_ref(), &facts)?,
        facts,
        plan,
    };
    let mut tx = app.db.begin().await?;
    let row = input_store::InputRow {
        plan_blob_id: stored.map(|it| it.id),
        facts: input.facts.clone(),
        digest: input.digest.clone(),
    };
    if input_store::insert(&mut tx, tenant, &run.id, stage, &row, app.clock.now()).await? {
        if let Some(blob) = &row.plan_blob_id {
            objects::own(&mut tx, tenant, blob).await?;
        }
        tx.commit().await?;
        return Ok(input);
    }
    drop(tx);
    // Another was quicker: its input counts, and ours stays an orphan.
    Box::pin(of_run(app, tenant, run, stage, None)).await
}

fn digest(plan: Option<&Secret<Vec<u8>>>, facts: &Facts) -> Result<String, RunError> {
    let mut hash = Sha256::new();
    if let Some(plan) = plan {
        hash.update(plan.expose());
    }
    let facts = serde_json::to_vec(facts).map_err(|_| Fault::Unreadable {
        what: "the facts of a run",
    })?;
    hash.update(&facts);
    Ok(hex::encode(hash.finalize()))
}

async fn sanitised_plan(
    app: &App,
    tenant: &Tenant,
    run: &Run,
) -> Result<Secret<Vec<u8>>, RunError> {
    let blob = run.plan_json.as_ref().ok_or(RunError::NotFound)?;
    let object = objects::open(app, tenant, blob).await?;
    if object.size() > MAX_PLAN {
        return Err(RunError::invalid(
            "plan",
            format!(
                "the plan has {} bytes of JSON; policies are asked about {MAX_PLAN} at the most, \
                 so split the configuration",
                object.size()
            ),
        ));
    }
    let plan = object.read_all(MAX_PLAN).await?;
    let key = marker_key(app, tenant).await?;
    let secrets = secrets_of(app, tenant, run).await?;
    let work = move || {
        let sanitiser = Sanitiser::new(&key).hiding(secrets);
        let plan = sanitiser
            .plan(plan.expose())
            .map_err(|error| error.to_string())?;
        serde_json::to_vec(&plan).map_err(|error| error.to_string())
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Fault::Unreadable { what: "a plan" })?
        .map(Secret::new)
        .map_err(|detail| RunError::invalid("plan", detail))
}

/// Equal values have equal markers within an account, and nowhere else.
async fn marker_key(app: &App, tenant: &Tenant) -> Result<[u8; 32], RunError> {
    let mut tx = app.db.begin().await?;
    let secret = app
        .keys
        .installation_secret(&mut tx, MARKER_SECRET, app.clock.now(), || {
            rand::random::<[u8; 32]>().to_vec()
        })
        .await?;
    tx.commit().await?;
    let mut hash = Sha256::new();
    hash.update(secret.expose());
    hash.update(tenant.account().as_str());
    Ok(hash.finalize().into())
}

/// Values that are secret whatever the plan says of them.
async fn secrets_of(app: &App, tenant: &Tenant, run: &Run) -> Result<Vec<String>, RunError> {
    let mut conn = app.db.acquire().await?;
    let variables = super::facts::variables_of(app, &mut conn, tenant, run).await?;
    let token = workspaces::git_token(app, &mut conn, tenant, &run.workspace_id).await?;
    let of = Beneficiary {
        environment: &run.environment_id,
        workspace: &run.workspace_id,
    };
    let access = provider_configurations::secrets_of(app, &mut conn, tenant, of)
        .await
        .map_err(|error| {
            tracing::error!(run = %run.id, error = &error as &dyn std::error::Error,
                "provider configurations can't be read for a policy check");
            Fault::Unreadable {
                what: "the workspace's provider configurations",
            }
        })?;
    let sensitive = variables
        .into_iter()
        .filter(|it| it.sensitive)
        .map(|it| it.value.expose().clone());
    Ok(sensitive
        .chain(
            token
                .into_iter()
                .chain(access)
                .map(|it| it.expose().clone()),
        )
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_is_put_into_either_document_as_it_is() {
        let input = PolicyInput {
            digest: String::new(),
            facts: Facts::default(),
            plan: Some(Secret::new(b"{\"format_version\":\"1.2\"}".to_vec())),
        };
        let read =
            |kind| -> Value { serde_json::from_slice(&input.document(kind, Tags::List)).unwrap() };
        let files = read(GroupKind::Files);
        assert_eq!(files["tfplan"]["format_version"], "1.2");
        assert!(files["tfrun"]["workspace"].is_object());
        let queries = read(GroupKind::Queries);
        assert_eq!(queries["plan"]["format_version"], "1.2");
        assert!(queries["run"].is_object());
    }
}
