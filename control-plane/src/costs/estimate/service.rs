//! Use cases of estimates.

use std::io::Cursor;

use domain::cost::EstimateStatus;
use domain::ids::{CostEstimateId, RunId};
use domain::permission::Permission;

use super::compute::{self, Priced};
use super::model::{CostEstimate, Counts, Estimated, Listed, RunPlan, id_for, timestamp_key};
use super::report::for_policies;
use super::store;
use crate::app::App;
use crate::context::{Context, Tenant};
use crate::costs::CostError;
use crate::costs::amount;
use crate::costs::limits::{self, judge};
use crate::costs::pricing::Sources;
use crate::iam::{Target, authorize};
use crate::objects::{self, Object};
use crate::workspaces;

type Result<T> = std::result::Result<T, CostError>;

/// Larger reports than a plan of the largest size can have.
const LARGEST_REPORT: u64 = 1 << 30;

/// Says that a run will be estimated, inside the transaction that ends its plan. Saying it again
/// changes nothing.
///
/// # Errors
/// The database's own.
pub async fn announce(
    tx: &mut db::Tx,
    ctx: &Context,
    run: impl Into<RunPlan>,
) -> Result<CostEstimateId> {
    let run = run.into();
    let estimate = fresh(ctx, &run);
    store::insert(tx, &ctx.tenant(), &estimate).await?;
    Ok(estimate.id)
}

fn fresh(ctx: &Context, run: &RunPlan) -> CostEstimate {
    let now = ctx.now();
    CostEstimate {
        id: id_for(&run.run),
        environment_id: run.environment.clone(),
        workspace_id: run.workspace.clone(),
        run_id: run.run.clone(),
        status: EstimateStatus::Pending,
        prior_monthly: None,
        proposed_monthly: None,
        delta_monthly: None,
        counts: Counts::default(),
        resources: Listed::default(),
        price_book: None,
        broken_limits: Vec::new(),
        report_blob_id: None,
        error: None,
        timestamps: [(timestamp_key(EstimateStatus::Pending), now)].into(),
        created_at: now,
    }
}

/// Makes a run's estimate, or gives the one that was made. Whatever is wrong with the plan ends in
/// the estimate, not in an error: errors are faults of ours, after which the same call is repeated.
///
/// # Errors
/// The database's or the object store's own.
pub async fn perform(app: &App, ctx: &Context, run: impl Into<RunPlan>) -> Result<Estimated> {
    let run = run.into();
    let tenant = ctx.tenant();
    let (estimate, sources) = begin(app, ctx, &run).await?;
    if estimate.status.is_final() {
        return told(app, &tenant, estimate).await;
    }
    let priced = Box::pin(compute::price(app, &tenant, &run, sources)).await?;
    let estimate = end(app, ctx, estimate, priced).await?;
    told(app, &tenant, estimate).await
}

/// Ends a run's estimate without prices, because what it is made from can't be read for good.
///
/// # Errors
/// As [`perform`].
pub async fn give_up(
    app: &App,
    ctx: &Context,
    run: impl Into<RunPlan>,
    reason: &str,
) -> Result<Estimated> {
    let (estimate, _) = begin(app, ctx, &run.into()).await?;
    let estimate = if estimate.status.is_final() {
        estimate
    } else {
        end(app, ctx, estimate, Err(reason.to_owned())).await?
    };
    told(app, &ctx.tenant(), estimate).await
}

async fn begin(app: &App, ctx: &Context, run: &RunPlan) -> Result<(CostEstimate, Sources)> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    store::insert(&mut tx, &tenant, &fresh(ctx, run)).await?;
    let mut estimate = store::find_of_run(&mut tx, &tenant, &run.run)
        .await?
        .ok_or(CostError::NotFound)?;
    if estimate.status == EstimateStatus::Pending {
        reach(&mut estimate, EstimateStatus::Queued, ctx);
        store::save(&mut tx, &tenant, &estimate).await?;
    }
    let sources = Sources::load(&mut tx, &tenant, &run.environment, &run.workspace).await?;
    tx.commit().await?;
    Ok((estimate, sources))
}

fn reach(estimate: &mut CostEstimate, status: EstimateStatus, ctx: &Context) {
    estimate.status = status;
    let now = ctx.now();
    estimate
        .timestamps
        .entry(timestamp_key(status))
        .or_insert(now);
}

/// Writes the result, unless somebody else has ended the estimate meanwhile: then theirs counts.
async fn end(
    app: &App,
    ctx: &Context,
    mut estimate: CostEstimate,
    priced: std::result::Result<Priced, String>,
) -> Result<CostEstimate> {
    let tenant = ctx.tenant();
    let report = match &priced {
        Ok(priced) => {
            let bytes = Cursor::new(priced.report.as_slice());
            Some(objects::put(app, &tenant, "cost-report", bytes, LARGEST_REPORT).await?)
        }
        Err(_) => None,
    };
    let mut tx = app.db.begin().await?;
    let (environment, workspace) = (&estimate.environment_id, &estimate.workspace_id);
    let limits = limits::in_force(&mut tx, &tenant, environment, workspace).await?;
    match priced {
        Ok(priced) => {
            estimate.broken_limits = judge(&limits, Ok(&priced.figures));
            estimate.prior_monthly = Some(priced.prior);
            estimate.proposed_monthly = Some(amount::text(priced.figures.proposed));
            estimate.delta_monthly = Some(amount::text(priced.figures.delta));
            estimate.counts = priced.counts;
            estimate.resources = priced.listed;
            estimate.price_book = Some(priced.price_book);
            reach(&mut estimate, EstimateStatus::Finished, ctx);
        }
        Err(reason) => {
            estimate.broken_limits = judge(&limits, Err(&reason));
            estimate.error = Some(format!("the plan can't be priced: {reason}"));
            reach(&mut estimate, EstimateStatus::Errored, ctx);
        }
    }
    if let Some(report) = report {
        objects::own(&mut tx, &tenant, &report.id).await?;
        estimate.report_blob_id = Some(report.id);
    }
    if store::save(&mut tx, &tenant, &estimate).await? {
        tx.commit().await?;
        return Ok(estimate);
    }
    tx.rollback().await?;
    let mut conn = app.db.acquire().await?;
    store::find_of_run(&mut conn, &tenant, &estimate.run_id)
        .await?
        .ok_or(CostError::NotFound)
}

async fn told(app: &App, tenant: &Tenant, estimate: CostEstimate) -> Result<Estimated> {
    Ok(Estimated {
        for_policies: for_policies(app, tenant, &estimate).await?,
        broken: estimate.broken_limits.clone(),
        estimate,
    })
}

/// The estimate of a run, if it has one. The caller has authorised the run.
///
/// # Errors
/// The database's own.
pub async fn of_run(
    conn: &mut db::Conn,
    tenant: &Tenant,
    run: &RunId,
) -> Result<Option<CostEstimate>> {
    Ok(store::find_of_run(conn, tenant, run).await?)
}

/// Those of these runs that have an estimate, with its id.
///
/// # Errors
/// The database's own.
pub async fn ids_of_runs(
    conn: &mut db::Conn,
    tenant: &Tenant,
    runs: &[RunId],
) -> Result<Vec<(RunId, CostEstimateId)>> {
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    Ok(store::ids_of_runs(conn, tenant, runs).await?)
}

/// Ends an estimate that is not made any more, because its run has ended. One that is finished
/// stays.
///
/// # Errors
/// The database's own.
pub async fn cancel(tx: &mut db::Tx, ctx: &Context, run: &RunId) -> Result<()> {
    let tenant = ctx.tenant();
    let Some(mut estimate) = store::find_of_run(tx, &tenant, run).await? else {
        return Ok(());
    };
    if !estimate.status.is_final() {
        reach(&mut estimate, EstimateStatus::Canceled, ctx);
        store::save(tx, &tenant, &estimate).await?;
    }
    Ok(())
}

/// Which estimate is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    Id(CostEstimateId),
    Run(RunId),
}

/// Reads an estimate that the caller may see.
///
/// # Errors
/// [`CostError::NotFound`] or the refusal.
pub(super) async fn read(app: &App, ctx: &Context, key: &Key) -> Result<CostEstimate> {
    let tenant = ctx.tenant();
    let mut conn = app.db.acquire().await?;
    let found = match key {
        Key::Id(id) => store::find(&mut conn, &tenant, id).await?,
        Key::Run(run) => store::find_of_run(&mut conn, &tenant, run).await?,
    };
    let estimate = found.ok_or(CostError::NotFound)?;
    let workspace = workspaces::find(&mut conn, &tenant, &estimate.workspace_id)
        .await?
        .ok_or(CostError::NotFound)?;
    let target = Target::new("runs", &estimate.run_id)
        .in_environment(&estimate.environment_id)
        .in_project(&workspace.project_id)
        .in_workspace(&estimate.workspace_id);
    authorize(ctx, Permission::RunsRead, target)?;
    Ok(estimate)
}

/// The report of an estimate, with all its resources.
///
/// # Errors
/// As [`read`]; [`CostError::NotFound`] before it is finished.
pub(super) async fn report(app: &App, ctx: &Context, id: &CostEstimateId) -> Result<Object> {
    let estimate = read(app, ctx, &Key::Id(id.clone())).await?;
    let blob = estimate.report_blob_id.ok_or(CostError::NotFound)?;
    Ok(objects::open(app, &ctx.tenant(), &blob).await?)
}
