//! What an analysis needs before its first run: both revisions compiled, and which runs it is about.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use domain::ids::PolicyRevisionId;
use domain::policy::{AnalysisStatus, PolicyStage};
use policy::worker::{Checked, WorkerError};
use policy::{GroupSource, Problem};

use super::error::ImpactError;
use super::model::{Analysis, Compared, Side};
use super::{scope_store, store};
use crate::app::App;
use crate::context::Tenant;
use crate::policies::{self, Layout, PolicyError, PolicyGroup};
use crate::runs;

type Result<T> = std::result::Result<T, ImpactError>;

/// Runs that nothing has happened to for this long say little about today's configurations, and
/// would make every analysis longer.
const MAX_AGE: TimeDelta = TimeDelta::days(30);

/// An analysis that can be worked on.
pub(super) struct Prepared {
    pub(super) analysis: Analysis,
    pub(super) stage: PolicyStage,
    pub(super) overridable: bool,
    pub(super) policies: Vec<Compared>,
    pub(super) before: Option<Snapshot>,
    pub(super) after: Snapshot,
}

impl Prepared {
    /// Digests of what can be evaluated, of either revision.
    pub(super) fn digests(&self) -> Vec<&str> {
        let sides = self.policies.iter().flat_map(Compared::sides);
        let sound = sides.filter(|side| side.error.is_none());
        let digests: BTreeSet<&str> = sound.map(|side| side.digest.as_str()).collect();
        digests.into_iter().collect()
    }
}

/// A revision's files, and how they are read.
pub(super) struct Snapshot {
    pub(super) source: GroupSource,
    pub(super) layout: Layout,
}

/// What came of the preparation.
pub(super) enum Preparation {
    Ready(Box<Prepared>),
    /// There is nothing to evaluate, and never will be.
    Hopeless(String),
}

/// Compiles both revisions with the group's parameters and the account's documents as they are now,
/// and takes down the runs. What an earlier process has done is kept if it was about the same.
///
/// # Errors
/// A fault, or a worker that can't be had: try again.
pub(super) async fn prepare(
    app: &App,
    tenant: &Tenant,
    mut analysis: Analysis,
) -> Result<Preparation> {
    let mut conn = app.db.acquire().await?;
    let group = policies::find(&mut conn, tenant, &analysis.group_id)
        .await?
        .ok_or(ImpactError::NotFound)?;
    drop(conn);
    if analysis.status == AnalysisStatus::Pending {
        begin(app, tenant, &mut analysis, &group).await?;
    }
    let base = async {
        match &analysis.base_revision_id {
            Some(base) => snapshot(app, tenant, base).await.map(Some),
            None => Ok(None),
        }
    };
    let (after, before) = tokio::try_join!(snapshot(app, tenant, &analysis.revision_id), base)?;
    let (after, checked_after) = match after {
        Ok(found) => found,
        Err(reason) => return Ok(Preparation::Hopeless(reason)),
    };
    let (before, checked_before) = match before {
        None => (None, Vec::new()),
        Some(Ok((snapshot, checked))) => (Some(snapshot), checked),
        Some(Err(reason)) => {
            let reason = format!("the revision in force can't be evaluated: {reason}");
            return Ok(Preparation::Hopeless(reason));
        }
    };
    let policies = compare(checked_before, checked_after);
    keep_policies(app, tenant, &analysis, &policies).await?;
    Ok(Preparation::Ready(Box::new(Prepared {
        stage: group.stage,
        overridable: group.overridable,
        analysis,
        policies,
        before,
        after,
    })))
}

async fn begin(
    app: &App,
    tenant: &Tenant,
    analysis: &mut Analysis,
    group: &PolicyGroup,
) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let reach = policies::reach(&mut tx, tenant, group).await?;
    let planned = runs::latest_planned(&mut tx, tenant, now - MAX_AGE).await?;
    let planned: Vec<runs::PlannedRun> = planned
        .into_iter()
        .filter(|run| reach.holds(&run.environment_id, &run.project_id, &run.workspace_id))
        .collect();
    let base = group.good_revision_id.as_ref();
    if store::begin(&mut tx, tenant, &analysis.id, base, now).await? {
        scope_store::insert(&mut tx, tenant, &analysis.id, &planned).await?;
    }
    tx.commit().await?;
    analysis.base_revision_id = base.cloned();
    analysis.status = AnalysisStatus::Running;
    Ok(())
}

/// A revision's files with what the worker says of them; the inner error is a reason for good.
async fn snapshot(
    app: &App,
    tenant: &Tenant,
    id: &PolicyRevisionId,
) -> Result<std::result::Result<(Snapshot, Vec<Checked>), String>> {
    let mut conn = app.db.acquire().await?;
    let revision = policies::find_revision(&mut conn, tenant, id).await?;
    drop(conn);
    let Some(revision) = revision else {
        return Ok(Err("it has been deleted".to_owned()));
    };
    let source = match policies::source_of(app, tenant, id).await {
        Ok(source) => source,
        Err(PolicyError::BadArchive { reason }) => return Ok(Err(reason)),
        Err(PolicyError::NotFound) => return Ok(Err("its files are gone".to_owned())),
        Err(fault) => return Err(fault.into()),
    };
    let checkup = match policies::checkup(app, &source).await {
        Ok(checkup) => checkup,
        Err(WorkerError::Deaths(reason) | WorkerError::Refused(reason)) => return Ok(Err(reason)),
        Err(error @ (WorkerError::Start(_) | WorkerError::Answer(_))) => return Err(error.into()),
    };
    Ok(match checkup {
        Ok(checkup) => {
            let layout = revision.layout;
            Ok((Snapshot { source, layout }, checkup.policies))
        }
        Err(problem) => Err(problem.to_string()),
    })
}

/// Puts the policies of two revisions side by side, by name. Disabled ones are as if they weren't
/// there.
fn compare(before: Vec<Checked>, after: Vec<Checked>) -> Vec<Compared> {
    let mut all: BTreeMap<String, (Option<Side>, Option<Side>)> = BTreeMap::new();
    for policy in before.into_iter().filter(|it| it.enabled) {
        all.entry(policy.name.clone()).or_default().0 = Some(side(&policy));
    }
    for policy in after.into_iter().filter(|it| it.enabled) {
        all.entry(policy.name.clone()).or_default().1 = Some(side(&policy));
    }
    all.into_iter()
        .map(|(name, (before, after))| Compared {
            name,
            before,
            after,
        })
        .collect()
}

fn side(policy: &Checked) -> Side {
    let broken = policy.problems.iter().find(|it| it.is_error());
    Side {
        level: policy.enforcement_level,
        // The digest of a broken policy says nothing: its files could not all be read.
        error: broken.map(Problem::to_string),
        digest: policy.digest.clone(),
    }
}

async fn keep_policies(
    app: &App,
    tenant: &Tenant,
    analysis: &Analysis,
    policies: &[Compared],
) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let known = store::policies(&mut tx, tenant, &analysis.id).await?;
    if known != policies {
        // Either the first time, or documents have changed since an earlier process began.
        store::replace_policies(&mut tx, tenant, &analysis.id, policies).await?;
        scope_store::reset(&mut tx, tenant, &analysis.id).await?;
        tx.commit().await?;
    }
    Ok(())
}
