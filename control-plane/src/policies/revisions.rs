//! Use cases of revisions: how a snapshot of a group's files arrives.
//!
//! Whatever the way, it ends with an archive in the object store and a row that waits for its check;
//! the reconciler of `check.rs` does the rest.

use std::collections::BTreeMap;

use domain::ids::{PolicyGroupId, PolicyRevisionId};
use domain::job::FetchOwnerKind;
use domain::permission::Permission;
use domain::policy::{PolicySource, RevisionStatus as Status};
use serde_json::json;
use tokio::io::AsyncRead;

use super::error::PolicyError;
use super::group_service as groups;
use super::model::{CommitInfo, Findings, PolicyGroup, Revision};
use super::{contents, group_store, policy_store, revision_store as store};
use crate::app::App;
use crate::audit;
use crate::context::{Context, Tenant};
use crate::fetches::{self, Fetch, FetchRequest, Owner};
use crate::http::page::{Page, Paged};
use crate::objects::{self, Object, Stored};
use crate::workspaces::GitSource;

type Result<T> = std::result::Result<T, PolicyError>;

/// How many revisions of a group are kept, besides the one in force.
const KEPT: i64 = 50;

/// A revision that is about to be stored, with the group's next number.
pub(super) async fn blank(
    tx: &mut db::Tx,
    ctx: &Context,
    group: &PolicyGroup,
    status: Status,
) -> Result<Revision> {
    let tenant = ctx.tenant();
    let number = group_store::next_number(tx, &tenant, &group.id).await?;
    store::delete_old(tx, &tenant, &group.id, number - KEPT).await?;
    Ok(Revision {
        id: PolicyRevisionId::random(),
        account_id: tenant.account().clone(),
        group_id: group.id.clone(),
        number,
        status,
        source: group.source,
        layout: group.layout.clone(),
        blob_id: None,
        size: None,
        sha256: None,
        commit: None,
        error_message: None,
        counts: None,
        proposed: false,
        created_by: ctx.actor.id.clone(),
        timestamps: BTreeMap::from([(format!("{status}-at"), ctx.now())]),
        created_at: ctx.now(),
    })
}

/// Announces a revision; its archive follows at a signed URL.
///
/// # Errors
/// [`PolicyError::OtherSource`] when the group's files come another way, or the refusal.
pub async fn announce(app: &App, ctx: &Context, id: &PolicyGroupId) -> Result<Revision> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let (group, proof) = groups::load(&mut tx, ctx, id, Permission::PolicyGroupsUpdate).await?;
    let mut group = group;
    if group.source == PolicySource::Policies
        && policy_store::members(&mut tx, &tenant, &[&group.id])
            .await?
            .is_empty()
    {
        group.source = PolicySource::Upload;
        if !group_store::update(&mut tx, &tenant, &group).await? {
            return Err(PolicyError::Changed);
        }
    }
    if group.source != PolicySource::Upload {
        return Err(PolicyError::OtherSource {
            source_word: group.source,
            remedy: "create another group for uploads",
        });
    }
    let revision = blank(&mut tx, ctx, &group, Status::Pending).await?;
    store::insert(&mut tx, &tenant, &revision).await?;
    let detail = json!({ "group": group.id, "revision": revision.id });
    audit::record(&mut tx, ctx, &proof, "policy-revision.create", detail).await?;
    tx.commit().await?;
    Ok(revision)
}

/// The tenant of a revision named by a signed URL.
///
/// # Errors
/// [`PolicyError::NotFound`].
pub(super) async fn tenant_of(app: &App, id: &PolicyRevisionId) -> Result<Tenant> {
    let mut conn = app.db.acquire().await?;
    let account = store::account_of(&mut conn, id)
        .await?
        .ok_or(PolicyError::NotFound)?;
    Ok(Tenant::of_row(&account))
}

/// A revision, for work that the control plane does by itself.
///
/// # Errors
/// The database's own.
pub async fn find_revision(
    conn: &mut db::Conn,
    tenant: &Tenant,
    id: &PolicyRevisionId,
) -> Result<Option<Revision>> {
    Ok(store::find(conn, tenant, id).await?)
}

/// Takes the archive of an announced revision, whose bearer a signed URL has proved.
///
/// # Errors
/// [`PolicyError::AlreadyUploaded`], [`PolicyError::BadArchive`] (the revision is errored then), or
/// too large.
pub async fn upload(
    app: &App,
    tenant: &Tenant,
    id: &PolicyRevisionId,
    body: impl AsyncRead + Send + Unpin,
) -> Result<Revision> {
    let mut conn = app.db.acquire().await?;
    let mut revision = store::find(&mut conn, tenant, id)
        .await?
        .ok_or(PolicyError::NotFound)?;
    drop(conn);
    if revision.status != Status::Pending {
        return Err(PolicyError::AlreadyUploaded);
    }
    let limit = app.installation.limits.configuration;
    let stored = objects::put(app, tenant, "policies", body, limit).await?;
    let bad = match contents::read(app, tenant, &stored.id).await {
        Ok(_) => None,
        Err(PolicyError::BadArchive { reason }) => Some(reason),
        Err(other) => return Err(other),
    };
    let mut tx = app.db.begin().await?;
    // In the order of arrival: what was announced early may come late.
    revision.number = group_store::next_number(&mut tx, tenant, &revision.group_id).await?;
    match &bad {
        None => {
            arrive(
                app,
                &mut tx,
                tenant,
                &mut revision,
                &stored,
                Status::Pending,
            )
            .await?
        }
        Some(reason) => fail(app, &mut tx, tenant, &mut revision, reason).await?,
    }
    if !revision.proposed {
        group_store::set_newest(&mut tx, tenant, &revision.group_id, id).await?;
    }
    tx.commit().await?;
    app.signals.policies.wake();
    match bad {
        None => Ok(revision),
        Some(reason) => Err(PolicyError::BadArchive { reason }),
    }
}

/// The archive is here: the check is next.
async fn arrive(
    app: &App,
    tx: &mut db::Tx,
    tenant: &Tenant,
    revision: &mut Revision,
    stored: &Stored,
    from: Status,
) -> Result<()> {
    revision.status = Status::Checking;
    revision.blob_id = Some(stored.id.clone());
    revision.size = i64::try_from(stored.size).ok();
    revision.sha256 = Some(stored.sha256.clone());
    stamp(app, revision);
    if !store::save(tx, tenant, revision, from, None).await? {
        return Err(PolicyError::AlreadyUploaded);
    }
    Ok(objects::own(tx, tenant, &stored.id).await?)
}

fn stamp(app: &App, revision: &mut Revision) {
    let now = app.clock.now();
    revision
        .timestamps
        .insert(format!("{}-at", revision.status), now);
}

async fn fail(
    app: &App,
    tx: &mut db::Tx,
    tenant: &Tenant,
    revision: &mut Revision,
    reason: &str,
) -> Result<()> {
    let from = revision.status;
    revision.status = Status::Errored;
    revision.error_message = Some(reason.to_owned());
    stamp(app, revision);
    if !store::save(tx, tenant, revision, from, None).await? {
        return Err(PolicyError::AlreadyUploaded);
    }
    Ok(())
}

/// One more revision of the newest files: they are read another way, or are to be checked again.
pub(super) async fn again(
    tx: &mut db::Tx,
    ctx: &Context,
    group: &PolicyGroup,
) -> Result<Option<Revision>> {
    let tenant = ctx.tenant();
    let Some(newest) = &group.newest else {
        return Ok(None);
    };
    let Some(from) = store::find(tx, &tenant, &newest.id).await? else {
        return Ok(None);
    };
    let Some(blob) = &from.blob_id else {
        return Ok(None);
    };
    let mut revision = blank(tx, ctx, group, Status::Checking).await?;
    revision.source = from.source;
    revision.blob_id = Some(blob.clone());
    revision.size = from.size;
    revision.sha256 = from.sha256;
    revision.commit = from.commit;
    store::insert(tx, &tenant, &revision).await?;
    group_store::set_newest(tx, &tenant, &group.id, &revision.id).await?;
    Ok(Some(revision))
}

pub(super) fn owner(id: &PolicyRevisionId) -> Owner {
    Owner {
        kind: FetchOwnerKind::PolicyRevisions,
        id: id.to_string(),
    }
}

/// Has the files of a group's repository fetched, as they are now. A fetch that has not ended is
/// dropped: what it would bring is older.
pub(super) async fn fetch(
    app: &App,
    tx: &mut db::Tx,
    ctx: &Context,
    group: &PolicyGroup,
) -> Result<()> {
    let Some(git) = &group.git else {
        return Ok(());
    };
    let tenant = ctx.tenant();
    let reason = "it was asked for anew before its files had come";
    drop_fetch(app, tx, ctx, group, reason).await?;
    let revision = blank(tx, ctx, group, Status::Fetching).await?;
    store::insert(tx, &tenant, &revision).await?;
    group_store::set_newest(tx, &tenant, &group.id, &revision.id).await?;
    enqueue(app, tx, ctx, group, &revision.id, git.clone()).await
}

/// Has the files of one revision fetched from `git`, as its group fetches.
pub(super) async fn enqueue(
    app: &App,
    tx: &mut db::Tx,
    ctx: &Context,
    group: &PolicyGroup,
    revision: &PolicyRevisionId,
    git: GitSource,
) -> Result<()> {
    let request = FetchRequest {
        owner: owner(revision),
        pool: group.pool_id.clone(),
        git,
        commit: None,
        token: groups::git_token(app, tx, &ctx.tenant(), &group.id).await?,
    };
    fetches::enqueue(app, tx, ctx, request).await?;
    Ok(())
}

/// Nobody wants what is being fetched for a group any more: its revision says why.
pub(super) async fn drop_fetch(
    app: &App,
    tx: &mut db::Tx,
    ctx: &Context,
    group: &PolicyGroup,
    reason: &str,
) -> Result<()> {
    if let Some(newest) = &group.newest {
        fetches::cancel(tx, ctx, &owner(&newest.id)).await?;
        fetch_failed(app, tx, &ctx.tenant(), &newest.id, reason).await?;
    }
    Ok(())
}

/// Looks for newer files, and checks them whether there are or not.
///
/// # Errors
/// [`PolicyError::NoFiles`], or the refusal.
pub async fn resync(app: &App, ctx: &Context, id: &PolicyGroupId) -> Result<PolicyGroup> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let (group, proof) = groups::load(&mut tx, ctx, id, Permission::PolicyGroupsUpdate).await?;
    match group.source {
        PolicySource::Policies => policy_store::mark_stale(&mut tx, &tenant, id).await?,
        PolicySource::Repository => fetch(app, &mut tx, ctx, &group).await?,
        PolicySource::Upload => {
            again(&mut tx, ctx, &group)
                .await?
                .ok_or(PolicyError::NoFiles)?;
        }
    }
    let detail = json!({ "group": group.id });
    audit::record(&mut tx, ctx, &proof, "policy-group.resync", detail).await?;
    let group = group_store::find(&mut tx, &tenant, id)
        .await?
        .ok_or(PolicyError::NotFound)?;
    tx.commit().await?;
    app.signals.policies.wake();
    Ok(group)
}

/// A runner has brought the files of a fetched revision. Called in the transaction that ends the
/// fetch; wake `signals.policies` after its commit.
///
/// # Errors
/// [`PolicyError::AlreadyUploaded`] when the revision no longer waits for them.
pub async fn fetched(
    app: &App,
    tx: &mut db::Tx,
    tenant: &Tenant,
    id: &PolicyRevisionId,
    commit: CommitInfo,
    stored: &Stored,
) -> Result<()> {
    let mut revision = store::find(tx, tenant, id)
        .await?
        .ok_or(PolicyError::NotFound)?;
    revision.commit = Some(commit);
    arrive(app, tx, tenant, &mut revision, stored, Status::Fetching).await
}

/// A fetch has failed for good.
///
/// # Errors
/// The database's own. A revision that doesn't wait any more is left as it is.
pub async fn fetch_failed(
    app: &App,
    tx: &mut db::Tx,
    tenant: &Tenant,
    id: &PolicyRevisionId,
    reason: &str,
) -> Result<()> {
    match store::find(tx, tenant, id).await? {
        Some(mut revision) if revision.status == Status::Fetching => {
            fail(app, tx, tenant, &mut revision, reason).await
        }
        Some(_) | None => Ok(()),
    }
}

/// A revision that the caller may see, with what was found in it.
///
/// # Errors
/// [`PolicyError::NotFound`] or the refusal.
pub async fn read(app: &App, ctx: &Context, id: &PolicyRevisionId) -> Result<(Revision, Findings)> {
    let tenant = ctx.tenant();
    let mut conn = app.db.acquire().await?;
    let revision = store::find(&mut conn, &tenant, id)
        .await?
        .ok_or(PolicyError::NotFound)?;
    groups::load(
        &mut conn,
        ctx,
        &revision.group_id,
        Permission::PolicyGroupsRead,
    )
    .await?;
    let findings = store::findings(&mut conn, &tenant, id).await?;
    Ok((revision, findings.unwrap_or_default()))
}

/// The fetch that a revision waits for.
///
/// # Errors
/// The database's own.
pub(super) async fn fetch_of(
    app: &App,
    ctx: &Context,
    revision: &Revision,
) -> Result<Option<Fetch>> {
    if revision.status != Status::Fetching {
        return Ok(None);
    }
    let mut conn = app.db.acquire().await?;
    Ok(fetches::latest(&mut conn, &ctx.tenant(), &owner(&revision.id)).await?)
}

/// A group's revisions, the newest first.
///
/// # Errors
/// The refusal, or the database's own.
pub async fn list(
    app: &App,
    ctx: &Context,
    id: &PolicyGroupId,
    page: Page,
) -> Result<Paged<Revision>> {
    let mut conn = app.db.acquire().await?;
    groups::load(&mut conn, ctx, id, Permission::PolicyGroupsRead).await?;
    Ok(store::list(&mut conn, &ctx.tenant(), id, page).await?)
}

/// A revision's archive.
///
/// # Errors
/// [`PolicyError::NotFound`] when there is none.
pub async fn open(app: &App, ctx: &Context, id: &PolicyRevisionId) -> Result<Object> {
    let (revision, _) = read(app, ctx, id).await?;
    let blob = revision.blob_id.ok_or(PolicyError::NotFound)?;
    Ok(objects::open(app, &ctx.tenant(), &blob).await?)
}
