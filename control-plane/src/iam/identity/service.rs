//! Use cases of identity providers: begin → load → authorise → decide → compare-and-set → audit.

use domain::Secret;
use domain::ids::{AccountId, IdentityProviderId};
use domain::permission::Permission;
use serde_json::{Value, json};

use super::error::IdentityError;
use super::input::{ProviderChange, apply, new_provider};
use super::model::{MAX_PROVIDERS, Mapping, Provider, check_mappings};
use super::{mapping_store, policy_store, store};
use crate::app::App;
use crate::audit;
use crate::context::{Context, Tenant};
use crate::iam::grants::Subject;
use crate::iam::grants::guard::check_subject;
use crate::iam::{Authorized, Target, authorize, teams};
use crate::problem::Fault;
use crate::tenancy::SealedPlace;

type Result<T> = std::result::Result<T, IdentityError>;

/// A provider with the teams that its groups stand for.
pub(super) type WithMappings = (Provider, Vec<Mapping>);

fn place(id: &IdentityProviderId) -> SealedPlace {
    SealedPlace::new("identity-provider-secret", id)
}

fn target(id: &IdentityProviderId) -> Target {
    Target::new("identity-providers", id)
}

fn name_taken(error: db::Error) -> IdentityError {
    if error.is_unique_violation() {
        IdentityError::NameTaken
    } else {
        error.into()
    }
}

/// What the audit log may know: everything but the secret.
fn facts(provider: &Provider, mappings: &[Mapping]) -> Value {
    let mappings: Vec<_> = mappings
        .iter()
        .map(|it| json!({ "group": it.group_name, "team": it.team_id }))
        .collect();
    json!({
        "name": provider.name, "settings": provider.settings, "enabled": provider.enabled,
        "create_users": provider.create_users, "team_mappings": mappings,
    })
}

pub(in crate::iam) async fn load(
    conn: &mut db::Conn,
    ctx: &Context,
    id: &IdentityProviderId,
    permission: Permission,
) -> Result<(Provider, Authorized)> {
    let provider = store::find(conn, &ctx.tenant(), id)
        .await?
        .ok_or(IdentityError::NotFound)?;
    let proof = authorize(ctx, permission, target(id))?;
    Ok((provider, proof))
}

/// All providers of the caller's account, by name.
pub(super) async fn list(app: &App, ctx: &Context) -> Result<Vec<WithMappings>> {
    let account = Target::new("accounts", &ctx.actor.account);
    authorize(ctx, Permission::IdentityProvidersRead, account)?;
    let tenant = ctx.tenant();
    let mut conn = app.db.acquire().await?;
    let mut all = Vec::new();
    for provider in store::list(&mut conn, &tenant, false).await? {
        let mappings = mapping_store::list(&mut conn, &tenant, &provider.id).await?;
        all.push((provider, mappings));
    }
    Ok(all)
}

pub(super) async fn read(
    app: &App,
    ctx: &Context,
    id: &IdentityProviderId,
) -> Result<WithMappings> {
    let mut conn = app.db.acquire().await?;
    let (provider, _) = load(&mut conn, ctx, id, Permission::IdentityProvidersRead).await?;
    let mappings = mapping_store::list(&mut conn, &ctx.tenant(), id).await?;
    Ok((provider, mappings))
}

/// The teams must be of the account, and whoever lets a provider put people into them must have what
/// they have.
async fn check_teams(conn: &mut db::Conn, ctx: &Context, mappings: &[Mapping]) -> Result<()> {
    check_mappings(mappings)?;
    let tenant = &ctx.tenant();
    for (at, mapping) in mappings.iter().enumerate() {
        if teams::find(conn, tenant, &mapping.team_id).await?.is_none() {
            return Err(IdentityError::invalid(
                &format!("team-mappings/{at}/team-id"),
                format!("the account has no team {}", mapping.team_id),
            ));
        }
        check_subject(ctx, conn, &Subject::Team(mapping.team_id.clone())).await?;
    }
    Ok(())
}

async fn seal(
    app: &App,
    conn: &mut db::Conn,
    tenant: &Tenant,
    id: &IdentityProviderId,
    secret: Option<&Secret>,
) -> Result<Option<Vec<u8>>> {
    let Some(secret) = secret else {
        return Ok(None);
    };
    let bytes = secret.expose().as_bytes();
    Ok(Some(app.keys.seal(conn, tenant, &place(id), bytes).await?))
}

/// # Errors
/// [`IdentityError::Invalid`], [`IdentityError::NameTaken`], [`IdentityError::TooMany`].
pub(super) async fn create(
    app: &App,
    ctx: &Context,
    wanted: ProviderChange,
) -> Result<WithMappings> {
    let tenant = ctx.tenant();
    let id = IdentityProviderId::random();
    let mut tx = app.db.begin().await?;
    let proof = authorize(ctx, Permission::IdentityProvidersManage, target(&id))?;
    let mappings = wanted.mappings.clone().unwrap_or_default();
    let secret = wanted.secret.clone().flatten();
    let provider = new_provider(app, ctx, id, wanted)?;
    provider.check()?;
    check_teams(&mut tx, ctx, &mappings).await?;
    if store::count(&mut tx, &tenant).await? >= MAX_PROVIDERS {
        return Err(IdentityError::TooMany {
            limit: MAX_PROVIDERS,
        });
    }
    let sealed = seal(app, &mut tx, &tenant, &provider.id, secret.as_ref()).await?;
    store::insert(&mut tx, &tenant, &provider, sealed)
        .await
        .map_err(name_taken)?;
    mapping_store::replace(&mut tx, &tenant, &provider.id, &mappings).await?;
    let detail = facts(&provider, &mappings);
    audit::record(&mut tx, ctx, &proof, "identity-provider.create", detail).await?;
    tx.commit().await?;
    Ok((provider, mappings))
}

/// # Errors
/// As [`create`]; [`IdentityError::LastProvider`] if members would have no way in.
pub(super) async fn update(
    app: &App,
    ctx: &Context,
    id: &IdentityProviderId,
    change: ProviderChange,
) -> Result<WithMappings> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    tx.lock_row("identity_providers", id.as_str()).await?;
    let (before, proof) = load(&mut tx, ctx, id, Permission::IdentityProvidersManage).await?;
    let secret = change.secret.clone();
    let mappings = match &change.mappings {
        Some(mappings) => mappings.clone(),
        None => mapping_store::list(&mut tx, &tenant, id).await?,
    };
    let mut provider = apply(app, ctx, &before, change)?;
    provider.check()?;
    check_teams(&mut tx, ctx, &mappings).await?;
    if !provider.enabled {
        check_not_last(&mut tx, &tenant, id).await?;
        store::end_sessions(&mut tx, &tenant, id).await?;
    }
    if let Some(secret) = &secret {
        let sealed = seal(app, &mut tx, &tenant, id, secret.as_ref()).await?;
        store::set_secret(&mut tx, &tenant, id, sealed).await?;
        provider.has_secret = secret.is_some();
    }
    if !store::update(&mut tx, &tenant, &provider)
        .await
        .map_err(name_taken)?
    {
        return Err(IdentityError::NotFound);
    }
    provider.version += 1;
    mapping_store::replace(&mut tx, &tenant, id, &mappings).await?;
    let detail = json!({
        "before": facts(&before, &[]), "after": facts(&provider, &mappings),
        "secret_changed": secret.is_some(),
    });
    audit::record(&mut tx, ctx, &proof, "identity-provider.update", detail).await?;
    tx.commit().await?;
    Ok((provider, mappings))
}

/// Who came through it keeps their membership and tokens, and needs another way to sign in.
///
/// # Errors
/// [`IdentityError::LastProvider`].
pub(super) async fn delete(app: &App, ctx: &Context, id: &IdentityProviderId) -> Result<()> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    tx.lock_row("identity_providers", id.as_str()).await?;
    let (provider, proof) = load(&mut tx, ctx, id, Permission::IdentityProvidersManage).await?;
    check_not_last(&mut tx, &tenant, id).await?;
    store::delete(&mut tx, &tenant, id).await?;
    let detail = facts(&provider, &[]);
    audit::record(&mut tx, ctx, &proof, "identity-provider.delete", detail).await?;
    tx.commit().await?;
    Ok(())
}

/// While sign-in is enforced, some other provider must be usable.
async fn check_not_last(
    conn: &mut db::Conn,
    tenant: &Tenant,
    id: &IdentityProviderId,
) -> Result<()> {
    if !policy_store::is_enforced(conn, tenant).await? {
        return Ok(());
    }
    let providers = store::list(conn, tenant, true).await?;
    let others = providers
        .iter()
        .any(|it| it.id != *id && it.verified_at.is_some());
    if others {
        Ok(())
    } else {
        Err(IdentityError::LastProvider)
    }
}

// ── for signing in ─────────────────────────────────────────────────────────────────────────────

/// The providers that an account's sign-in page offers.
///
/// # Errors
/// The database's own.
pub(in crate::iam) async fn offered(
    conn: &mut db::Conn,
    account: &AccountId,
) -> std::result::Result<Vec<Provider>, db::Error> {
    store::list(conn, &Tenant::of_row(account), true).await
}

/// The provider that a browser names, if people can sign in through it.
///
/// # Errors
/// The database's own.
pub(in crate::iam) async fn speak_to(
    conn: &mut db::Conn,
    id: &IdentityProviderId,
) -> std::result::Result<Option<Provider>, db::Error> {
    store::find_enabled(conn, id).await
}

/// What we prove ourselves to the provider with.
///
/// # Errors
/// The database's own, or the vault's.
pub(in crate::iam) async fn secret_of(
    app: &App,
    conn: &mut db::Conn,
    provider: &Provider,
) -> std::result::Result<Option<Secret>, Fault> {
    let tenant = Tenant::of_row(&provider.account_id);
    let Some(sealed) = store::sealed_secret(conn, &tenant, &provider.id).await? else {
        return Ok(None);
    };
    let place = place(&provider.id);
    Ok(Some(
        app.keys.open_text(conn, &tenant, &place, &sealed).await?,
    ))
}
