//! Use cases of impact analyses.

use domain::ids::{ImpactAnalysisId, PolicyGroupId, PolicyRevisionId};
use domain::permission::Permission;
use domain::policy::{AnalysisStatus, JudgedStatus, RevisionStatus};
use serde_json::json;

use super::error::ImpactError;
use super::model::{Analysis, Counts, Field, FieldFilter, InScope};
use super::{result_store, scope_store, store};
use crate::app::App;
use crate::audit;
use crate::context::Context;
use crate::http::page::{Page, Paged};
use crate::policies;

type Result<T> = std::result::Result<T, ImpactError>;

/// Analyses of a group that wait or are at work.
const MAX_OPEN: i64 = 5;
/// How many of a group are kept besides a new one.
const KEPT: i64 = 19;

/// Starts an analysis of a revision that is not in force.
///
/// # Errors
/// [`ImpactError::InForce`], [`ImpactError::NoArchive`], [`ImpactError::TooMany`], or the refusal.
pub async fn start(
    app: &App,
    ctx: &Context,
    group: &PolicyGroupId,
    revision: Option<&str>,
) -> Result<Analysis> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let update = Permission::PolicyGroupsUpdate;
    let (group, proof) = policies::load(&mut tx, ctx, group, update).await?;
    let wrong = |detail: String| ImpactError::invalid("/data/relationships/revision", detail);
    let revision = revision.ok_or_else(|| {
        wrong("name the revision to look at, of type `policy-revisions`".to_owned())
    })?;
    let found = match revision.parse::<PolicyRevisionId>() {
        Ok(id) => policies::find_revision(&mut tx, &tenant, &id).await?,
        Err(_) => None,
    };
    let revision = found
        .filter(|it| it.group_id == group.id)
        .ok_or_else(|| wrong(format!("this group has no revision {revision:?}")))?;
    if group.good_revision_id.as_ref() == Some(&revision.id) {
        return Err(ImpactError::InForce);
    }
    if revision.status == RevisionStatus::Pending {
        return Err(ImpactError::NoArchive);
    }
    if store::open(&mut tx, &tenant, &group.id).await? >= MAX_OPEN {
        return Err(ImpactError::TooMany { limit: MAX_OPEN });
    }
    store::delete_surplus(&mut tx, &tenant, &group.id, KEPT).await?;
    let analysis = Analysis {
        id: ImpactAnalysisId::random(),
        account_id: tenant.account().clone(),
        group_id: group.id.clone(),
        revision_id: revision.id.clone(),
        base_revision_id: group.good_revision_id.clone(),
        status: AnalysisStatus::Pending,
        error_message: None,
        created_by: ctx.actor.id.clone(),
        created_at: ctx.now(),
        started_at: None,
        finished_at: None,
        counts: Counts::default(),
    };
    store::insert(&mut tx, &tenant, &analysis).await?;
    let detail = json!({
        "group": group.id, "revision": revision.id, "analysis": analysis.id,
    });
    audit::record(&mut tx, ctx, &proof, "impact-analysis.create", detail).await?;
    tx.commit().await?;
    app.signals.impact.wake();
    Ok(analysis)
}

/// A group's analyses, the newest first.
///
/// # Errors
/// The refusal, or the database's own.
pub async fn list(
    app: &App,
    ctx: &Context,
    group: &PolicyGroupId,
    page: Page,
) -> Result<Paged<Analysis>> {
    let mut conn = app.db.acquire().await?;
    policies::load(&mut conn, ctx, group, Permission::PolicyGroupsRead).await?;
    Ok(store::list(&mut conn, &ctx.tenant(), group, page).await?)
}

async fn load(conn: &mut db::Conn, ctx: &Context, id: &ImpactAnalysisId) -> Result<Analysis> {
    let analysis = store::find(conn, &ctx.tenant(), id)
        .await?
        .ok_or(ImpactError::NotFound)?;
    let read = Permission::PolicyGroupsRead;
    policies::load(conn, ctx, &analysis.group_id, read).await?;
    Ok(analysis)
}

/// An analysis that the caller may see.
///
/// # Errors
/// [`ImpactError::NotFound`] or the refusal.
pub async fn read(app: &App, ctx: &Context, id: &ImpactAnalysisId) -> Result<Analysis> {
    let mut conn = app.db.acquire().await?;
    load(&mut conn, ctx, id).await
}

/// The runs that it is about.
///
/// # Errors
/// As [`read`].
pub async fn runs(
    app: &App,
    ctx: &Context,
    id: &ImpactAnalysisId,
    status: Option<JudgedStatus>,
    page: Page,
) -> Result<Paged<InScope>> {
    let mut conn = app.db.acquire().await?;
    load(&mut conn, ctx, id).await?;
    Ok(scope_store::list(&mut conn, &ctx.tenant(), id, status, page).await?)
}

/// A part of the matrix, what changed first.
///
/// # Errors
/// As [`read`].
pub async fn results(
    app: &App,
    ctx: &Context,
    id: &ImpactAnalysisId,
    filter: &FieldFilter,
    page: Page,
) -> Result<Paged<Field>> {
    let tenant = ctx.tenant();
    let mut conn = app.db.acquire().await?;
    load(&mut conn, ctx, id).await?;
    let policies = store::policies(&mut conn, &tenant, id).await?;
    Ok(result_store::list(&mut conn, &tenant, id, &policies, filter, page).await?)
}
