//! Use cases of policy groups.

use std::collections::HashMap;

use domain::Secret;
use domain::ids::{PolicyGroupId, PolicyId, RunnerPoolId};
use domain::permission::Permission;
use domain::policy::{PolicySource, PolicyStage};
use policy::{Dialect, GroupKind};
use serde_json::{Value, json};

use super::bindings::{self, Links};
use super::error::PolicyError;
use super::model::{Bound, Layout, PolicyGroup};
use super::{group_store as store, proposals, revisions, singles};
use crate::app::App;
use crate::audit;
use crate::context::{Context, Tenant};
use crate::http::page::{Page, Paged};
use crate::iam::{Authorized, Target, authorize};
use crate::tenancy::{self, Environment, SealedPlace};
use crate::workspaces::NewGitSource;

type Result<T> = std::result::Result<T, PolicyError>;

const MAX_GROUPS: i64 = 500;

/// What a create or update asks for; `None` leaves a thing as it is.
#[derive(Debug, Default)]
pub struct GroupChange {
    pub name: Option<String>,
    pub description: Option<String>,
    pub kind: Option<GroupKind>,
    pub dialect: Option<Dialect>,
    pub stage: Option<PolicyStage>,
    pub path: Option<String>,
    pub common: Option<Option<String>>,
    pub git: Option<Option<NewGitSource>>,
    pub pool: Option<Option<RunnerPoolId>>,
    pub enforced: Option<bool>,
    pub overridable: Option<bool>,
    /// Lists of what it is bound to, each replaced as a whole.
    pub links: Links,
}

pub(super) fn target(id: &PolicyGroupId) -> Target {
    Target::new("policy-groups", id)
}

/// Loads a group that the caller may do `permission` on.
///
/// # Errors
/// [`PolicyError::NotFound`] or the refusal.
pub async fn load(
    conn: &mut db::Conn,
    ctx: &Context,
    id: &PolicyGroupId,
    permission: Permission,
) -> Result<(PolicyGroup, Authorized)> {
    let group = store::find(conn, &ctx.tenant(), id)
        .await?
        .ok_or(PolicyError::NotFound)?;
    let proof = authorize(ctx, permission, target(id))?;
    Ok((group, proof))
}

/// A group, for work that the control plane does by itself.
///
/// # Errors
/// The database's own.
pub async fn find(
    conn: &mut db::Conn,
    tenant: &Tenant,
    id: &PolicyGroupId,
) -> Result<Option<PolicyGroup>> {
    Ok(store::find(conn, tenant, id).await?)
}

/// A group's name: what stands in a URL, a file name and a policy's output.
pub(super) fn check_name(name: &str) -> Result<()> {
    let fits = (1..=90).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if fits {
        return Ok(());
    }
    Err(PolicyError::invalid(
        "name",
        format!("{name:?}: use 1 to 90 letters, digits, dashes and underscores"),
    ))
}

/// A folder as it is kept: relative to the root, without slashes at its ends.
fn folder(field: &str, text: &str) -> Result<String> {
    let trimmed = text.trim_matches('/');
    let parts: Vec<&str> = trimmed
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    if text.len() > 1024 || parts.contains(&"..") {
        return Err(PolicyError::invalid(
            field,
            "name a folder from the root of the files, without `..`",
        ));
    }
    Ok(parts.join("/"))
}

/// Makes the change on a group that isn't stored yet; what it is bound to and its token are left.
fn apply(group: &mut PolicyGroup, change: &GroupChange) -> Result<()> {
    if let Some(name) = &change.name {
        group.name.clone_from(name);
    }
    check_name(&group.name)?;
    if let Some(text) = &change.description {
        group.description.clone_from(text);
    }
    if group.description.len() > 2048 {
        return Err(PolicyError::invalid(
            "description",
            "use at most 2048 bytes",
        ));
    }
    group.stage = change.stage.unwrap_or(group.stage);
    let layout = &mut group.layout;
    layout.dialect = change.dialect.unwrap_or(layout.dialect);
    if let Some(path) = &change.path {
        layout.path = folder("path", path)?;
    }
    if let Some(common) = &change.common {
        let common = common.as_deref().unwrap_or_default();
        let common = folder("common-functions-folder", common)?;
        layout.common = Some(common).filter(|it| !it.is_empty());
    }
    if let Some(git) = &change.git {
        group.git = git.as_ref().map(|git| git.source.clone());
    }
    if let Some(pool) = &change.pool {
        group.pool_id.clone_from(pool);
    }
    if group.pool_id.is_some() && group.git.is_none() {
        return Err(PolicyError::invalid(
            "agent-pool-id",
            "a pool is for groups that are fetched from a repository; give `git` too",
        ));
    }
    group.enforced = change.enforced.unwrap_or(group.enforced);
    group.overridable = change.overridable.unwrap_or(group.overridable);
    if group.overridable && group.layout.kind == GroupKind::Files {
        return Err(PolicyError::invalid(
            "overridable",
            "policies of this kind say themselves whether they can be overridden: use \
             soft-mandatory or hard-mandatory in the manifest",
        ));
    }
    Ok(())
}

async fn check_pool(tx: &mut db::Tx, tenant: &Tenant, pool: Option<&RunnerPoolId>) -> Result<()> {
    match pool {
        Some(id) if !tenancy::pool_exists(tx, tenant, id).await? => Err(PolicyError::invalid(
            "agent-pool-id",
            "no such runner pool in this account",
        )),
        Some(_) | None => Ok(()),
    }
}

fn token_place(id: &PolicyGroupId) -> SealedPlace {
    SealedPlace::new("policy-git-token", id)
}

/// Keeps the token that came with a git source, or forgets the one of a source that went.
async fn keep_token(
    app: &App,
    tx: &mut db::Tx,
    tenant: &Tenant,
    id: &PolicyGroupId,
    git: Option<&NewGitSource>,
) -> Result<()> {
    let sealed = match git.map(|git| git.token.as_ref()) {
        Some(None) => return Ok(()),
        Some(Some(token)) => Some(
            app.keys
                .seal(tx, tenant, &token_place(id), token.expose().as_bytes())
                .await?,
        ),
        None => None,
    };
    Ok(store::set_git_token(tx, tenant, id, sealed).await?)
}

/// The token that a group's repository is fetched with.
///
/// # Errors
/// The database's own, or a key's.
pub async fn git_token(
    app: &App,
    conn: &mut db::Conn,
    tenant: &Tenant,
    id: &PolicyGroupId,
) -> Result<Option<Secret>> {
    let Some(sealed) = store::git_token(conn, tenant, id).await? else {
        return Ok(None);
    };
    let place = token_place(id);
    Ok(Some(
        app.keys.open_text(conn, tenant, &place, &sealed).await?,
    ))
}

/// What the audit log may know.
fn described(group: &PolicyGroup) -> Value {
    json!({
        "group": group.id, "name": group.name, "stage": group.stage, "source": group.source,
        "layout": group.layout, "git": group.git.as_ref().map(|git| &git.url),
        "enforced": group.enforced, "overridable": group.overridable,
    })
}

/// Makes a group. `environment` is the one it is made through, by name, if any.
///
/// # Errors
/// The refusal, or what is wrong.
pub async fn create(
    app: &App,
    ctx: &Context,
    environment: Option<&str>,
    change: GroupChange,
) -> Result<PolicyGroup> {
    create_with(app, ctx, environment, change, &[]).await
}

/// The same, made of single policies if there are any.
pub(super) async fn create_with(
    app: &App,
    ctx: &Context,
    environment: Option<&str>,
    change: GroupChange,
    policies: &[PolicyId],
) -> Result<PolicyGroup> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let environment = match environment {
        Some(name) => Some(find_environment(&mut tx, &tenant, name).await?),
        None => None,
    };
    let id = PolicyGroupId::random();
    let proof = authorize(ctx, Permission::PolicyGroupsCreate, target(&id))?;
    let mut group = PolicyGroup {
        id,
        environment_id: environment.as_ref().map(|it| it.id.clone()),
        environment_name: environment.map(|it| it.name),
        name: String::new(),
        description: String::new(),
        stage: PolicyStage::PostPlan,
        source: match change.git {
            Some(Some(_)) => PolicySource::Repository,
            Some(None) | None => PolicySource::Upload,
        },
        layout: Layout {
            kind: change.kind.unwrap_or(GroupKind::Files),
            dialect: Dialect::Auto,
            path: String::new(),
            common: None,
        },
        git: None,
        pool_id: None,
        enforced: false,
        overridable: false,
        newest: None,
        good_revision_id: None,
        version: 1,
        created_at: ctx.now(),
        updated_at: ctx.now(),
    };
    apply(&mut group, &change)?;
    check_pool(&mut tx, &tenant, group.pool_id.as_ref()).await?;
    if store::count(&mut tx, &tenant).await? >= MAX_GROUPS {
        return Err(PolicyError::TooMany {
            what: "policy groups",
            limit: MAX_GROUPS,
        });
    }
    store::insert(&mut tx, &tenant, &group)
        .await
        .map_err(PolicyError::of_write("Name", "/data/attributes/name"))?;
    if let Some(git) = &change.git {
        keep_token(app, &mut tx, &tenant, &group.id, git.as_ref()).await?;
    }
    revisions::fetch(app, &mut tx, ctx, &group).await?;
    audit::record(
        &mut tx,
        ctx,
        &proof,
        "policy-group.create",
        described(&group),
    )
    .await?;
    bindings::replace(&mut tx, ctx, &proof, &group, change.links).await?;
    singles::put_in(&mut tx, ctx, &group.id, policies).await?;
    let group = store::find(&mut tx, &tenant, &group.id)
        .await?
        .ok_or(PolicyError::NotFound)?;
    tx.commit().await?;
    app.signals.policies.wake();
    Ok(group)
}

async fn find_environment(conn: &mut db::Conn, tenant: &Tenant, name: &str) -> Result<Environment> {
    tenancy::find_environment(conn, tenant, name)
        .await?
        .ok_or(PolicyError::NotFound)
}

/// The groups of the account, by name. `environment` only has to be there.
///
/// # Errors
/// The refusal, or the database's own.
pub async fn list(
    app: &App,
    ctx: &Context,
    environment: Option<&str>,
    name: Option<&str>,
    page: Page,
) -> Result<Paged<PolicyGroup>> {
    let tenant = ctx.tenant();
    let mut conn = app.db.acquire().await?;
    if let Some(environment) = environment {
        find_environment(&mut conn, &tenant, environment).await?;
    }
    let of_account = Target::new("policy-groups", &ctx.actor.account);
    authorize(ctx, Permission::PolicyGroupsRead, of_account)?;
    Ok(store::list(&mut conn, &tenant, name, page).await?)
}

pub async fn read(app: &App, ctx: &Context, id: &PolicyGroupId) -> Result<PolicyGroup> {
    let mut conn = app.db.acquire().await?;
    Ok(load(&mut conn, ctx, id, Permission::PolicyGroupsRead)
        .await?
        .0)
}

/// Changes a group. A change of how its files are read makes a new revision of the newest files; a
/// revision in force stays as it is until that one is found good.
///
/// # Errors
/// The refusal, or what is wrong.
pub async fn update(
    app: &App,
    ctx: &Context,
    id: &PolicyGroupId,
    change: GroupChange,
) -> Result<PolicyGroup> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let (before, proof) = load(&mut tx, ctx, id, Permission::PolicyGroupsUpdate).await?;
    if change.kind.is_some_and(|kind| kind != before.layout.kind) {
        return Err(PolicyError::invalid(
            "kind",
            "the kind of a group can't be changed; create another group",
        ));
    }
    let mut group = before.clone();
    apply(&mut group, &change)?;
    match (before.git.is_some(), group.git.is_some()) {
        (false, true) if before.source == PolicySource::Policies => {
            return Err(PolicyError::OtherSource {
                source_word: before.source,
                remedy: "take them out first, or create another group",
            });
        }
        (_, true) => group.source = PolicySource::Repository,
        (true, false) => group.source = PolicySource::Upload,
        (false, false) => {}
    }
    group.updated_at = ctx.now();
    check_pool(&mut tx, &tenant, group.pool_id.as_ref()).await?;
    let written = store::update(&mut tx, &tenant, &group).await;
    if !written.map_err(PolicyError::of_write("Name", "/data/attributes/name"))? {
        return Err(PolicyError::Changed);
    }
    group.version += 1;
    let new_token = change
        .git
        .as_ref()
        .is_some_and(|git| git.as_ref().is_some_and(|git| git.token.is_some()));
    if let Some(git) = &change.git {
        keep_token(app, &mut tx, &tenant, id, git.as_ref()).await?;
    }
    let detail = json!({
        "before": described(&before), "after": described(&group), "new_token": new_token,
    });
    audit::record(&mut tx, ctx, &proof, "policy-group.update", detail).await?;
    bindings::replace(&mut tx, ctx, &proof, &group, change.links).await?;
    let from_elsewhere = group.git != before.git || group.pool_id != before.pool_id || new_token;
    if from_elsewhere && group.git.is_some() {
        revisions::fetch(app, &mut tx, ctx, &group).await?;
    } else if group.layout != before.layout && group.newest.is_some() {
        revisions::again(&mut tx, ctx, &group).await?;
    }
    if group.git.is_none() && before.git.is_some() {
        let reason = "the group's files are uploaded now";
        revisions::drop_fetch(app, &mut tx, ctx, &before, reason).await?;
    }
    let group = store::find(&mut tx, &tenant, id)
        .await?
        .ok_or(PolicyError::NotFound)?;
    tx.commit().await?;
    app.signals.policies.wake();
    Ok(group)
}

/// Deletes a group with everything of it. One that is in force somewhere stays, unless `unlink`.
///
/// # Errors
/// [`PolicyError::Linked`], or the refusal.
pub async fn delete(app: &App, ctx: &Context, id: &PolicyGroupId, unlink: bool) -> Result<()> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let (group, proof) = load(&mut tx, ctx, id, Permission::PolicyGroupsDelete).await?;
    let linked = group.enforced || bindings::any(&mut tx, &tenant, id).await?;
    if linked && !unlink {
        return Err(PolicyError::Linked);
    }
    revisions::drop_fetch(app, &mut tx, ctx, &group, "the group was deleted").await?;
    proposals::drop_fetches(&mut tx, ctx, id).await?;
    store::delete(&mut tx, &tenant, id).await?;
    let mut detail = described(&group);
    detail["linked"] = linked.into();
    audit::record(&mut tx, ctx, &proof, "policy-group.delete", detail).await?;
    tx.commit().await?;
    Ok(())
}

/// What groups that the caller sees are bound to, by group.
pub(super) async fn bound(
    app: &App,
    ctx: &Context,
    found: &[PolicyGroup],
) -> Result<HashMap<PolicyGroupId, Vec<Bound>>> {
    let mut conn = app.db.acquire().await?;
    bindings::of(&mut conn, &ctx.tenant(), found).await
}
