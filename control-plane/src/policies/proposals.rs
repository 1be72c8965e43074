//! Revisions that are only asked about: they are checked like any other and never put in force by
//! themselves, wherever the group's files come from.

use domain::ids::PolicyGroupId;
use domain::permission::Permission;
use domain::policy::{PolicySource, RevisionStatus};
use serde_json::json;

use super::error::PolicyError;
use super::model::{PolicyGroup, Revision};
use super::{group_service as groups, revision_store as store, revisions};
use crate::app::App;
use crate::audit;
use crate::context::Context;
use crate::fetches;
use crate::workspaces::GitSource;

type Result<T> = std::result::Result<T, PolicyError>;

/// Announces a proposed revision. Its archive follows at a signed URL; with a `reference` (a branch,
/// a tag or a commit) it is fetched from the group's repository instead.
///
/// # Errors
/// [`PolicyError::Invalid`] for a reference where there is no repository, the refusal, or the
/// database's own.
pub async fn propose(
    app: &App,
    ctx: &Context,
    id: &PolicyGroupId,
    reference: Option<String>,
) -> Result<Revision> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let (group, proof) = groups::load(&mut tx, ctx, id, Permission::PolicyGroupsUpdate).await?;
    let git = match &reference {
        Some(reference) => Some(repository_at(&group, reference)?),
        None => None,
    };
    let status = match git {
        Some(_) => RevisionStatus::Fetching,
        None => RevisionStatus::Pending,
    };
    let mut revision = revisions::blank(&mut tx, ctx, &group, status).await?;
    revision.proposed = true;
    revision.source = match git {
        Some(_) => PolicySource::Repository,
        None => PolicySource::Upload,
    };
    store::insert(&mut tx, &tenant, &revision).await?;
    if let Some(git) = git {
        revisions::enqueue(app, &mut tx, ctx, &group, &revision.id, git).await?;
    }
    let detail = json!({
        "group": group.id, "revision": revision.id, "reference": reference,
    });
    audit::record(&mut tx, ctx, &proof, "policy-revision.propose", detail).await?;
    tx.commit().await?;
    Ok(revision)
}

fn repository_at(group: &PolicyGroup, reference: &str) -> Result<GitSource> {
    if reference.is_empty() {
        let detail = "name a branch, a tag or a commit, or leave it out to upload the files";
        return Err(PolicyError::invalid("reference", detail));
    }
    let git = group.git.clone().ok_or_else(|| {
        let detail = "this group has no repository: leave it out and upload the files";
        PolicyError::invalid("reference", detail)
    })?;
    Ok(GitSource {
        reference: reference.to_owned(),
        ..git
    })
}

/// Nobody waits any more for what is being fetched for a group's proposals.
///
/// # Errors
/// The database's own.
pub(super) async fn drop_fetches(
    tx: &mut db::Tx,
    ctx: &Context,
    group: &PolicyGroupId,
) -> Result<()> {
    for revision in store::proposed_in_fetch(tx, &ctx.tenant(), group).await? {
        fetches::cancel(tx, ctx, &revisions::owner(&revision)).await?;
    }
    Ok(())
}
