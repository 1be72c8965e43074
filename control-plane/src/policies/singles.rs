//! Policies that are uploaded one by one and put into sets, as the TFE API has them.
//!
//! A set of them is a group like any other: the reconciler packs its policies into an archive with a
//! manifest, and that is its next revision. So a gate never reads these rows.

use std::collections::HashMap;

use domain::ids::{PolicyGroupId, PolicyId};
use domain::permission::Permission;
use domain::policy::{PolicySource, RevisionStatus};
use flate2::Compression;
use flate2::write::GzEncoder;
use policy::{Enforcement, GroupKind, MAX_SOURCE_BYTES};
use serde_json::{Map, Value, json};

use super::error::PolicyError;
use super::group_service as groups;
use super::model::{PolicyGroup, SinglePolicy};
use super::{group_store, policy_store as store, revision_store, revisions};
use crate::app::App;
use crate::audit;
use crate::context::{Actor, Context, Tenant};
use crate::http::error::chain;
use crate::http::page::{Page, Paged};
use crate::iam::{Authorized, Target, authorize};
use crate::objects;
use crate::tenancy::{self, SealedPlace};

type Result<T> = std::result::Result<T, PolicyError>;

const MAX_POLICIES: i64 = 1000;
const MAX_MEMBERS: usize = 500;

/// What a create or update asks for; `None` leaves a thing as it is.
#[derive(Debug, Default)]
pub(super) struct Change {
    pub(super) description: Option<String>,
    pub(super) query: Option<String>,
    pub(super) level: Option<Enforcement>,
}

fn place(id: &PolicyId) -> SealedPlace {
    SealedPlace::new("policy", id)
}

fn may(ctx: &Context, permission: Permission, id: impl ToString) -> Result<Authorized> {
    Ok(authorize(ctx, permission, Target::new("policies", id))?)
}

async fn load(conn: &mut db::Conn, ctx: &Context, id: &PolicyId) -> Result<SinglePolicy> {
    store::find(conn, &ctx.tenant(), id)
        .await?
        .ok_or(PolicyError::NotFound)
}

fn described(policy: &SinglePolicy) -> Value {
    json!({
        "policy": policy.id, "name": policy.name, "query": policy.query,
        "enforcement_level": policy.level,
    })
}

fn apply(policy: &mut SinglePolicy, change: Change) -> Result<()> {
    policy.description = change
        .description
        .unwrap_or_else(|| std::mem::take(&mut policy.description));
    policy.query = change
        .query
        .unwrap_or_else(|| std::mem::take(&mut policy.query));
    policy.level = change.level.unwrap_or(policy.level);
    if policy.description.len() > 2048 {
        return Err(PolicyError::invalid(
            "description",
            "use at most 2048 bytes",
        ));
    }
    if !policy.query.starts_with("data.") || policy.query.len() > 1024 {
        return Err(PolicyError::invalid(
            "query",
            "name the rule whose value are the denials, as data.terraform.policies.NAME.deny",
        ));
    }
    Ok(())
}

/// Makes a policy; its text is uploaded next.
pub(super) async fn create(
    app: &App,
    ctx: &Context,
    environment: &str,
    name: String,
    sets: &[PolicyGroupId],
    change: Change,
) -> Result<SinglePolicy> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let environment = tenancy::find_environment(&mut tx, &tenant, environment)
        .await?
        .ok_or(PolicyError::NotFound)?;
    let id = PolicyId::random();
    let proof = may(ctx, Permission::PolicyGroupsCreate, &id)?;
    groups::check_name(&name)?;
    let mut policy = SinglePolicy {
        id,
        environment_id: Some(environment.id),
        environment_name: Some(environment.name),
        name,
        description: String::new(),
        query: String::new(),
        level: Enforcement::Advisory,
        version: 1,
        created_at: ctx.now(),
        updated_at: ctx.now(),
    };
    apply(&mut policy, change)?;
    if store::count(&mut tx, &tenant).await? >= MAX_POLICIES {
        return Err(PolicyError::TooMany {
            what: "policies",
            limit: MAX_POLICIES,
        });
    }
    store::insert(&mut tx, &tenant, &policy)
        .await
        .map_err(PolicyError::of_write("Name", "/data/attributes/name"))?;
    audit::record(&mut tx, ctx, &proof, "policy.create", described(&policy)).await?;
    for set in sets {
        put_in(&mut tx, ctx, set, &[policy.id.clone()]).await?;
    }
    tx.commit().await?;
    app.signals.policies.wake();
    Ok(policy)
}

pub(super) async fn list(
    app: &App,
    ctx: &Context,
    environment: &str,
    part: Option<&str>,
    page: Page,
) -> Result<Paged<SinglePolicy>> {
    let tenant = ctx.tenant();
    let mut conn = app.db.acquire().await?;
    tenancy::find_environment(&mut conn, &tenant, environment)
        .await?
        .ok_or(PolicyError::NotFound)?;
    may(ctx, Permission::PolicyGroupsRead, &ctx.actor.account)?;
    Ok(store::list(&mut conn, &tenant, part, page).await?)
}

pub(super) async fn read(app: &App, ctx: &Context, id: &PolicyId) -> Result<SinglePolicy> {
    let mut conn = app.db.acquire().await?;
    let policy = load(&mut conn, ctx, id).await?;
    may(ctx, Permission::PolicyGroupsRead, id)?;
    Ok(policy)
}

/// In which sets policies are, by policy.
pub(super) async fn sets_of(
    app: &App,
    ctx: &Context,
    policies: &[SinglePolicy],
) -> Result<HashMap<PolicyId, Vec<PolicyGroupId>>> {
    let ids: Vec<&PolicyId> = policies.iter().map(|policy| &policy.id).collect();
    let mut conn = app.db.acquire().await?;
    let mut all: HashMap<PolicyId, Vec<PolicyGroupId>> = HashMap::new();
    for (policy, set) in store::sets_of(&mut conn, &ctx.tenant(), &ids).await? {
        all.entry(policy).or_default().push(set);
    }
    Ok(all)
}

/// Which policies are in groups, by group.
pub(super) async fn members_of(
    app: &App,
    ctx: &Context,
    groups: &[PolicyGroup],
) -> Result<HashMap<PolicyGroupId, Vec<PolicyId>>> {
    let ids: Vec<&PolicyGroupId> = groups.iter().map(|group| &group.id).collect();
    let mut conn = app.db.acquire().await?;
    let mut all: HashMap<PolicyGroupId, Vec<PolicyId>> = HashMap::new();
    for (group, policy) in store::members(&mut conn, &ctx.tenant(), &ids).await? {
        all.entry(group).or_default().push(policy);
    }
    Ok(all)
}

pub(super) async fn update(
    app: &App,
    ctx: &Context,
    id: &PolicyId,
    change: Change,
) -> Result<SinglePolicy> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let mut policy = load(&mut tx, ctx, id).await?;
    let proof = may(ctx, Permission::PolicyGroupsUpdate, id)?;
    let before = described(&policy);
    apply(&mut policy, change)?;
    policy.updated_at = ctx.now();
    if !store::update(&mut tx, &tenant, &policy).await? {
        return Err(PolicyError::Changed);
    }
    policy.version += 1;
    store::mark_sets_stale(&mut tx, &tenant, id).await?;
    let detail = json!({ "before": before, "after": described(&policy) });
    audit::record(&mut tx, ctx, &proof, "policy.update", detail).await?;
    tx.commit().await?;
    app.signals.policies.wake();
    Ok(policy)
}

/// Takes a policy's text.
pub(super) async fn upload(app: &App, ctx: &Context, id: &PolicyId, text: &[u8]) -> Result<()> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    load(&mut tx, ctx, id).await?;
    let proof = may(ctx, Permission::PolicyGroupsUpdate, id)?;
    if text.len() > MAX_SOURCE_BYTES || std::str::from_utf8(text).is_err() {
        return Err(PolicyError::bad_archive(
            "a policy is UTF-8 text of at most 1 MiB".to_owned(),
        ));
    }
    let sealed = app.keys.seal(&mut tx, &tenant, &place(id), text).await?;
    store::set_text(&mut tx, &tenant, id, sealed, ctx.now()).await?;
    store::mark_sets_stale(&mut tx, &tenant, id).await?;
    let detail = json!({ "policy": id, "size": text.len() });
    audit::record(&mut tx, ctx, &proof, "policy.upload", detail).await?;
    tx.commit().await?;
    app.signals.policies.wake();
    Ok(())
}

/// A policy's text.
///
/// # Errors
/// [`PolicyError::NotFound`] when none was uploaded.
pub(super) async fn download(app: &App, ctx: &Context, id: &PolicyId) -> Result<Vec<u8>> {
    let mut conn = app.db.acquire().await?;
    load(&mut conn, ctx, id).await?;
    may(ctx, Permission::PolicyGroupsRead, id)?;
    text(app, &mut conn, &ctx.tenant(), id)
        .await?
        .ok_or(PolicyError::NotFound)
}

async fn text(
    app: &App,
    conn: &mut db::Conn,
    tenant: &Tenant,
    id: &PolicyId,
) -> Result<Option<Vec<u8>>> {
    let Some(sealed) = store::text(conn, tenant, id).await? else {
        return Ok(None);
    };
    let opened = app.keys.open(conn, tenant, &place(id), &sealed).await?;
    Ok(Some(opened.expose().clone()))
}

pub(super) async fn delete(app: &App, ctx: &Context, id: &PolicyId) -> Result<()> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let policy = load(&mut tx, ctx, id).await?;
    let proof = may(ctx, Permission::PolicyGroupsDelete, id)?;
    if !store::sets_of(&mut tx, &tenant, &[id]).await?.is_empty() {
        return Err(PolicyError::InUse);
    }
    store::delete(&mut tx, &tenant, id).await?;
    audit::record(&mut tx, ctx, &proof, "policy.delete", described(&policy)).await?;
    tx.commit().await?;
    Ok(())
}

// ── sets ───────────────────────────────────────────────────────────────────────────────────────

/// Puts policies into a group, which is made of them from then on.
pub(super) async fn put_in(
    tx: &mut db::Tx,
    ctx: &Context,
    group: &PolicyGroupId,
    policies: &[PolicyId],
) -> Result<()> {
    let tenant = ctx.tenant();
    let (mut group, proof) = groups::load(tx, ctx, group, Permission::PolicyGroupsUpdate).await?;
    let relation = |detail: &str| Err(PolicyError::invalid_relation("policies", detail));
    if policies.is_empty() {
        return Ok(());
    }
    if group.layout.kind != GroupKind::Queries {
        return relation("single policies are for groups of kind `queries`");
    }
    match group.source {
        PolicySource::Policies => {}
        PolicySource::Upload if group.newest.is_none() => {
            group.source = PolicySource::Policies;
            group.updated_at = ctx.now();
            if !group_store::update(tx, &tenant, &group).await? {
                return Err(PolicyError::Changed);
            }
        }
        source_word @ (PolicySource::Upload | PolicySource::Repository) => {
            return Err(PolicyError::OtherSource {
                source_word,
                remedy: "create another set for single policies",
            });
        }
    }
    let before = store::members(tx, &tenant, &[&group.id]).await?.len();
    if before + policies.len() > MAX_MEMBERS {
        return Err(PolicyError::TooMany {
            what: "policies in the set",
            limit: 500,
        });
    }
    for id in policies {
        if store::find(tx, &tenant, id).await?.is_none() {
            return relation(&format!("there is no policy {id} in this account"));
        }
        store::add_member(tx, &tenant, &group.id, id).await?;
    }
    store::mark_stale(tx, &tenant, &group.id).await?;
    let detail = json!({ "group": group.id, "policies": policies });
    audit::record(tx, ctx, &proof, "policy-group.add-policies", detail).await?;
    Ok(())
}

/// Puts policies into a set, or takes them out.
pub(super) async fn edit(
    app: &App,
    ctx: &Context,
    group: &PolicyGroupId,
    add: bool,
    policies: &[PolicyId],
) -> Result<()> {
    let mut tx = app.db.begin().await?;
    if add {
        put_in(&mut tx, ctx, group, policies).await?;
    } else {
        take_out(&mut tx, ctx, group, policies).await?;
    }
    tx.commit().await?;
    app.signals.policies.wake();
    Ok(())
}

async fn take_out(
    tx: &mut db::Tx,
    ctx: &Context,
    group: &PolicyGroupId,
    policies: &[PolicyId],
) -> Result<()> {
    let tenant = ctx.tenant();
    let (group, proof) = groups::load(tx, ctx, group, Permission::PolicyGroupsUpdate).await?;
    if group.source != PolicySource::Policies {
        return Ok(());
    }
    for id in policies {
        store::remove_member(tx, &tenant, &group.id, id).await?;
    }
    store::mark_stale(tx, &tenant, &group.id).await?;
    let detail = json!({ "group": group.id, "policies": policies });
    audit::record(tx, ctx, &proof, "policy-group.remove-policies", detail).await?;
    Ok(())
}

/// Makes revisions of sets whose policies have changed. Part of the reconciler's pass.
///
/// # Errors
/// The first fault; the rest was done.
pub(super) async fn pack_stale(app: &App) -> Result<()> {
    let mut conn = app.db.acquire().await?;
    let stale = store::stale(&mut conn).await?;
    drop(conn);
    let mut failure = None;
    for (account, group) in stale {
        if let Err(error) = pack(app, &Tenant::of_row(&account), &group).await {
            tracing::warn!(%group, error = chain(&error), "a policy set can't be put together yet");
            failure.get_or_insert(error);
        }
    }
    failure.map_or(Ok(()), Err)
}

async fn pack(app: &App, tenant: &Tenant, id: &PolicyGroupId) -> Result<()> {
    let mut conn = app.db.acquire().await?;
    let Some(group) = group_store::find(&mut conn, tenant, id).await? else {
        return Ok(());
    };
    let mut files = Vec::new();
    let mut entries = Map::new();
    for policy in store::of_group(&mut conn, tenant, id).await? {
        let entry = json!({
            "query": policy.query, "description": policy.description,
            "enforcement_level": policy.level.as_str(),
        });
        entries.insert(policy.name.clone(), entry);
        // Without its text a policy is declared all the same, and is an error of its own.
        if let Some(text) = text(app, &mut conn, tenant, &policy.id).await? {
            files.push((format!("{}.rego", policy.name), text));
        }
    }
    drop(conn);
    let manifest = json!({ "policy": entries }).to_string();
    files.push(("policies.json".to_owned(), manifest.into_bytes()));
    let archive = archive(&group.layout.path, &files)?;
    let limit = app.installation.limits.configuration;
    let stored = objects::put(app, tenant, "policies", archive.as_slice(), limit).await?;
    let ctx = Context::new(
        Actor::system(tenant.account(), "policy set"),
        app.clock.clone(),
    );
    let mut tx = app.db.begin().await?;
    if !store::made_anew(&mut tx, tenant, id, group.version).await? {
        // Changed meanwhile: the next pass packs what it is then.
        return Ok(());
    }
    let mut revision = revisions::blank(&mut tx, &ctx, &group, RevisionStatus::Checking).await?;
    revision.blob_id = Some(stored.id.clone());
    revision.size = i64::try_from(stored.size).ok();
    revision.sha256 = Some(stored.sha256.clone());
    revision_store::insert(&mut tx, tenant, &revision).await?;
    objects::own(&mut tx, tenant, &stored.id).await?;
    group_store::set_newest(&mut tx, tenant, id, &revision.id).await?;
    tx.commit().await?;
    Ok(())
}

/// A tar.gz of files below `folder`; the same bytes for the same files.
fn archive(folder: &str, files: &[(String, Vec<u8>)]) -> Result<Vec<u8>> {
    let failed = |error: std::io::Error| PolicyError::bad_archive(error.to_string());
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        let path = format!("{folder}/{name}");
        let path = path.trim_start_matches('/');
        tar.append_data(&mut header, path, content.as_slice())
            .map_err(failed)?;
    }
    tar.into_inner().and_then(GzEncoder::finish).map_err(failed)
}
